"""Fills `locust.stats` with the same random numbers in whatever Locust this interpreter has, and prints what it makes
of them as JSON. test_stats.py runs it here and with real Locust."""

import csv
import inspect
import io
import json
import random
import re
import sys
from types import SimpleNamespace
from typing import Any

from locust import stats as st
from locust.exception import CatchResponseError

START = 1795234000.25


def random_ms(rng: random.Random) -> float | int | None:
    kind = rng.randrange(10)
    if kind == 0:
        return None
    if kind == 1:
        return rng.choice([0.5, 1.5, 2.5, 99.5, 105, 115, 995, 1050, 1150, 9950, 10500, 11500, 58760, 3600000])
    return 10 ** rng.uniform(-1, 5.2)


def fill(stats: Any, rng: random.Random) -> None:
    """Names need sorting, quoting and padding; one entry has only whole times, one only a failure."""
    names = ["/b", "/a", 'say "hi", you', "/zürich/€", "x" * 90, "/a"]
    methods = ["GET", "POST", "GET", "DELETE", "LONGMETHOD", ""]
    for _ in range(rng.choice([1, 3, 40, 500])):
        place = rng.randrange(len(names))
        ms = rng.randrange(3000) if place == 1 else random_ms(rng)
        stats.log_request(methods[place], names[place], ms, rng.randrange(5000))
        if rng.random() < 0.2:
            error = rng.choice(
                [
                    ValueError("it's"),
                    CatchResponseError('he said "it\'s\n\\so"'),
                    CatchResponseError("plain ünïcode\u200b\x85"),
                    CatchResponseError(42),
                    "just, text",
                    "<x object at 0x7f3a22> and <x object at 0x7f3a22>",
                    None,
                ]
            )
            stats.log_error(methods[place], names[place], error)
    stats.log_error("PUT", "/never-requested", "lost")


def set_clock(stats: Any, rng: random.Random) -> None:
    """Gives every entry random seconds: rates depend on them alone."""
    length = rng.choice([0, 1, 2, 3, 5, 12, 13, 40])
    total_requests: dict[int, int] = {}
    total_failures: dict[int, int] = {}
    for entry in stats.entries.values():
        requests = {int(START) + s: rng.randrange(1, 50) for s in range(length + 1) if rng.random() < 0.8}
        failures = {second: rng.randrange(1, 5) for second in requests if rng.random() < 0.5}
        for total, part in ((total_requests, requests), (total_failures, failures)):
            for second, count in part.items():
                total[second] = total.get(second, 0) + count
        entry.num_reqs_per_sec, entry.num_fail_per_sec, entry.start_time = requests, failures, START
        entry.last_request_timestamp = START + length
    stats.total.num_reqs_per_sec, stats.total.num_fail_per_sec = total_requests, total_failures
    stats.total.start_time = START
    stats.total.last_request_timestamp = START + length + rng.choice([0, 0.5])


def facts_of(entry: Any) -> dict[str, Any]:
    facts = {key: getattr(entry, key) for key in ("avg_response_time", "fail_ratio", "num_none_requests")}
    facts["serialized"] = {
        key: sorted(value.items()) if isinstance(value, dict) else value for key, value in entry.serialize().items()
    }
    facts["dict"] = entry.to_dict()
    facts["rows"] = [entry.to_string(), entry.to_string(current=False)]
    facts["row"] = entry.percentile() if entry.num_requests else None
    facts["percentiles"] = [entry.get_response_time_percentile(p / 40) for p in range(41)]
    facts["text"] = str(entry) == entry.to_string()
    return facts


def csv_of(write: Any) -> list[list[str]]:
    file = io.StringIO(newline="")
    write(csv.writer(file))
    return list(csv.reader(io.StringIO(file.getvalue(), newline="")))


def round_of(seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    stats = st.RequestStats()
    fill(stats, rng)
    set_clock(stats, rng)
    runner = SimpleNamespace(
        exceptions={"k": {"count": 3, "msg": 'a "b"', "traceback": "x\n  y,\n", "nodes": {"local"}}}, user_count=7
    )
    writer = st.StatsCSV(SimpleNamespace(stats=stats, runner=runner), [0.5, 0.95555, 0.999, 1.0])  # type: ignore[arg-type]
    result = {
        "total": facts_of(stats.total),
        "entries": [facts_of(entry) for entry in stats.entries.values()],
        "tables": [st.get_stats_summary(stats), st.get_stats_summary(stats, current=False)],
        "percentiles": st.get_percentile_stats_summary(stats),
        "errors": re.sub("0x[0-9a-f]+", "0x....", "\n".join(st.get_error_report_summary(stats))).split(),
        "error_keys": list(stats.errors),
        "requests_csv": csv_of(writer.requests_csv),
        "failures_csv": [row[:4] for row in csv_of(writer.failures_csv)],
        "exceptions_csv": csv_of(writer.exceptions_csv),
        "serialized_errors": [
            [key, error["method"], error["name"], error["error"], error["occurrences"]]
            for key, error in stats.serialize_errors().items()
        ],
    }
    merged = st.RequestStats()
    for entry in stats.entries.values():
        copy = st.StatsEntry.unserialize(json_keys(entry.serialize()), merged)
        merged.entries[(entry.name, entry.method)].extend(copy)
        merged.entries[(entry.name, entry.method)].extend(copy)
        merged.total.extend(copy)
    result["merged"] = [facts_of(merged.total), *(facts_of(entry) for entry in merged.entries.values())]
    return result


def json_keys(data: Any) -> Any:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}


def pure_of(seed: int) -> list[Any]:
    rng = random.Random(seed)
    values = [10 ** rng.uniform(-1, 6) for _ in range(2000)] + [x / 2 for x in range(30000)]
    buckets: dict[int, int] = {}
    for value in values:
        bucket = st.bucket_response_time(value)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    older = {bucket: count // 2 for bucket, count in buckets.items()}
    return [
        [st.bucket_response_time(value) for value in values],
        [st.calculate_response_time_percentile(buckets, len(values), p / 50) for p in range(51)],
        sorted(st.diff_response_time_dicts(buckets, older).items()),
        st.get_readable_percentiles([0.0, 0.5, 0.95555, 0.999, 0.9999, 1.0, 0.07, 0.29, 0.57, 0.123456789]),
    ]


def surface() -> dict[str, list[str]]:
    """The names of the parameters of all that is public."""
    found = {}
    for name, value in vars(st).items():
        if getattr(value, "__module__", None) != "locust.stats" or name.startswith("_") or not callable(value):
            continue
        members = {name: value}
        if inspect.isclass(value):
            members |= {f"{name}.{key}": getattr(value, key) for key in dir(value) if not key.startswith("_")}
        for key, member in members.items():
            try:
                found[key] = list(inspect.signature(member).parameters)
            except (TypeError, ValueError):
                found[key] = []
    return found


if __name__ == "__main__":
    json.dump(
        {
            "rounds": [round_of(seed) for seed in range(int(sys.argv[1]))],
            "pure": pure_of(1),
            "surface": surface(),
            "constants": {
                key: value for key, value in vars(st).items() if isinstance(value, int | list) and key.isupper()
            },
        },
        sys.stdout,
    )
