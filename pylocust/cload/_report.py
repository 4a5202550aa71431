"""How the numbers of a report get into a file that stays small, however many names and however long a run it is of."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

import gevent

# Up to here the data stand in the page as they are, for whoever reads them with something else than a browser.
READABLE_BYTES = 100_000
# The page is 200 KB and may become 600 KB.
MOST_BYTES = 380_000
_LONGEST_TEXT = 4_000
# More names than that never fit.
_MOST_ROWS = 8_000
# So much is compressed, and of so many rows so much is made, before other greenlets have their turn.
_BYTES_AT_ONCE = 40_000
ROWS_AT_ONCE = 500


def _with_columns(value: Any) -> Any:
    """Rows of the same keys become ``{"$table": {key: [value of each row]}}``, which compresses far better. Numbers
    keep three decimals, more than a page shows."""
    if isinstance(value, float):
        rounded = round(value, 3)
        return int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + " …"
    if isinstance(value, dict):
        return {key: _with_columns(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        rows = list(value)
        if len(rows) > 2 and all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows):
            return {"$table": {key: [_with_columns(row[key]) for row in let_others_run(rows)] for key in rows[0]}}
        return [_with_columns(row) for row in rows]
    return value


def let_others_run(rows: list[Any]) -> Iterator[Any]:
    """The rows; of many, other greenlets have their turn now and then between them."""
    for place, row in enumerate(rows, 1):
        yield row
        if place % ROWS_AT_ONCE == 0:
            gevent.sleep(0)


def _packed(template_args: dict[str, Any], extras: dict[str, Any]) -> str:
    parts = [
        f'"{name}":{{{",".join(_members(_with_columns(value)))}}}'
        for name, value in (("templateArgs", template_args), ("reportExtras", extras))
    ]
    data = f"{{{','.join(parts)}}}".encode()
    compressor = zlib.compressobj(9)
    pieces = []
    for start in range(0, len(data), _BYTES_AT_ONCE):
        pieces.append(compressor.compress(data[start : start + _BYTES_AT_ONCE]))
        gevent.sleep(0)
    return base64.b64encode(b"".join([*pieces, compressor.flush()])).decode()


def _members(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and "$table" in value:
            columns = []
            for key, column in value["$table"].items():
                columns.append(f"{json.dumps(key)}:{json.dumps(column, separators=(',', ':'))}")
                gevent.sleep(0)
            yield f'{json.dumps(name)}:{{"$table":{{{",".join(columns)}}}}}'
        else:
            yield f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"


def _reduced(template_args: dict[str, Any], extras: dict[str, Any], most: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """At most so many rows in each table: the most requested names (the total stays), the most frequent failures."""
    args = dict(template_args)
    requests = args["requests_statistics"][:-1]
    order = sorted(range(len(requests)), key=lambda place: -requests[place]["num_requests"])[:most]
    kept = [*sorted(order), len(requests)]
    for table in ("requests_statistics", "response_time_statistics"):
        args[table] = [args[table][place] for place in kept]
    for table, count in (("failures_statistics", "occurrences"), ("exceptions_statistics", "count")):
        args[table] = sorted(args[table], key=lambda row: -row[count])[: max(10, most // 5)]
    left_out = {
        table: len(template_args[table]) - len(args[table])
        for table in ("requests_statistics", "failures_statistics", "exceptions_statistics")
        if len(template_args[table]) > len(args[table])
    }
    # These have a row for each name, too.
    rows = {name: [extras[name][place] for place in kept] for name in ("phases", "exact_times") if extras[name]}
    return args, {**extras, **rows, "left_out": left_out}


def packed(template_args: dict[str, Any], extras: dict[str, Any]) -> str | None:
    """The data as compressed text, with less rows if it has to be. None: they are few, and can stay readable."""
    is_long = len(template_args["requests_statistics"]) > ROWS_AT_ONCE
    if not is_long and len(json.dumps([template_args, extras])) <= READABLE_BYTES:
        return None
    rows = max(len(template_args["requests_statistics"]), 5 * len(template_args["failures_statistics"]))
    most = min(_MOST_ROWS, rows)
    text = _packed(*_reduced(template_args, extras, most))
    while len(text) > MOST_BYTES and most >= 10:
        most = int(0.9 * most * MOST_BYTES / len(text))
        text = _packed(*_reduced(template_args, extras, most))
    return text
