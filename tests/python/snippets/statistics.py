"""What scripts read and change in `environment.stats`."""

from __future__ import annotations

import copy
import csv
import io
import locale
import os
import pickle
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit import Kit, kind_of
from locust import FastHttpUser, HttpUser, events
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.exception import CatchResponseError
from locust.html import get_html_report
from locust.stats import (
    RequestStats,
    StatsCSV,
    StatsEntry,
    StatsError,
    bucket_response_time,
    calculate_response_time_percentile,
    diff_response_time_dicts,
    get_error_report_summary,
    get_percentile_stats_summary,
    get_readable_percentiles,
    get_stats_summary,
    sort_stats,
)


def _masked(shown: object) -> str:
    return re.sub("0x[0-9a-f]+", "0x", str(shown))


def _failures(stats: Any) -> list[Any]:
    """Sorted: which of two users comes first is chance."""
    return sorted(
        [
            error.method,
            error.name,
            type(error.error).__name__,
            _masked(error.error),
            error.occurrences,
            _masked(error.to_name()),
        ]
        for error in stats.errors.values()
    )


def _after_calls(kit: Kit, cls: type) -> Any:
    environment = Environment()
    environment.create_local_runner()
    user = type("Made", (cls,), {"host": kit.url})(environment)
    for path in ("/status/404", "/status/404", "/status/500"):
        user.client.get(path)
    user.client.get("http://127.0.0.1:1/refused", name="refused")
    for reason in ("in words", ValueError("of mine"), {"a": 1}, kit, 'it\'s "quoted"'):
        with user.client.get("/hello", name="judged", catch_response=True) as response:
            response.failure(reason)
    with user.client.get("/hello", name="judged", catch_response=True) as response:
        response.failure(Kit("another"))
    with user.client.get("/hello", name="same", catch_response=True) as response:
        response.failure(AssertionError())
    return environment


def exceptions_are_kept(kit: Kit) -> Any:
    """API-220, API-163, API-165, API-176, API-200: `error` is the exception that came first, and what it knows."""
    told = []
    for cls in (HttpUser, FastHttpUser):
        environment = _after_calls(kit, cls)
        told.append(_failures(environment.stats))
        told.append(sorted(environment.runner.errors) == sorted(environment.stats.errors))
        for error in environment.stats.errors.values():
            if error.name == "/status/404":
                known = error.error
                status = known.response.status_code if cls is HttpUser else known.code
                told.append([status, type(known.response).__name__, known.request.url == kit.url + error.name])
                told.append([getattr(known, name, None) for name in ("kw_text", "text", "args")])
                told.append("RESPONSE: HTTP/1.1 404" in getattr(known, "http_log", ""))
            if isinstance(error.error, CatchResponseError):
                kit.note(type(error.error.args[0]).__name__)
        told.append(sorted(line.split(" ", 1)[0] for line in get_error_report_summary(environment.stats)[2:-1]))
    return [*told, kit.log]


def failures_of_own_clients(kit: Kit) -> Any:
    """API-220, EVT-15: exceptions and texts that scripts report themselves."""
    environment = Environment()
    environment.create_local_runner()
    first = KeyError("k")
    for exception in (
        first,
        KeyError("k"),
        "only text",
        "CatchResponseError(text)",
        CatchResponseError("x"),
        OSError(2),
    ):
        environment.events.request.fire(
            request_type="X", name="own", response_time=1, response_length=0, exception=exception, context={}
        )
    stats = environment.stats
    kept = [error for error in stats.errors.values() if type(error.error) is KeyError]
    stats.log_error("Y", "by hand", None)
    stats.log_error("Y", "by hand", ValueError(object()))
    stats.log_error("Y", "by hand", ValueError(object()))
    odd = Environment()
    odd.create_local_runner()
    for request_type, name in ((None, "n"), ("Y", None), (3, 1.5)):
        odd.events.request.fire(
            request_type=request_type, name=name, response_time=1, response_length=0, exception=IndexError("kept")
        )
    return [
        [type(error.error).__name__ for error in odd.stats.errors.values()],
        [row[:2] + row[4:5] for row in _failures(stats)],
        [error.to_name() for error in stats.errors.values() if error.method == "X"],
        [kept[0].error is first, len(kept), kept[0].occurrences],
        sorted(map(str, stats.entries)),
    ]


def failures_follow_the_run(kit: Kit) -> Any:
    """API-220: what was taken out of `errors` once says what is so now; it is the same object each time."""
    stats = RequestStats()
    stats.log_error("GET", "/a", ValueError("one"))
    (key,) = stats.errors
    error = stats.errors[key]
    told: list[Any] = [key == StatsError.create_key("GET", "/a", ValueError("one")), error.occurrences]
    began = error.first_seen
    for _ in range(3):
        stats.log_error("GET", "/a", ValueError("one"))
    told += [error.occurrences, error.first_seen == began, error.last_seen >= began, sorted(vars(error))]
    told += [stats.errors[key] is error, next(iter(stats.errors.values())) is error, stats.errors.get(key) is error]
    error.occurrences = 10
    error.occurred()
    told += [stats.errors[key].occurrences, error.serialize()["occurrences"], error.to_dict()["occurrences"]]
    error.mark = "mine"
    told += [stats.errors[key].mark, stats.errors[key].name, copy.copy(error).occurrences, copy.deepcopy(error).mark]
    told.append([pickle.loads(pickle.dumps(error)).occurrences, error.serialize()["name"]])
    # Dropped, it stays as it was.
    stats.errors.clear()
    stats.log_error("GET", "/a", ValueError("one"))
    told += [error.occurrences, stats.errors[key].occurrences, stats.errors[key] is error, len(stats.errors)]
    second = stats.errors.pop(key)
    told += [second.occurrences, key in stats.errors, stats.errors == {}, bool(stats.errors), stats.errors.get(key)]
    stats.errors[key] = error
    told += [stats.errors[key] is error, stats.errors[key].occurrences, stats.num_failures, list(stats.entries)]
    stats.log_error("GET", "/a", ValueError("one"))
    told += [error.occurrences, list(stats.errors.values()) == [error], list(stats.errors.items()) == [(key, error)]]
    for drop in (stats.reset_all, stats.clear_all):
        stats.log_error("GET", "/b", "text")
        kept = next(iter(stats.errors.values()))
        count = kept.occurrences
        drop()
        told += [len(stats.errors), kept.occurrences == count]
    stats.log_error("GET", "/c", "text")
    stats.errors = {}
    told += [len(stats.errors), stats.errors == {}, stats.num_failures]
    other = StatsError("PUT", "/d", OSError("disk"), 4, 1.5, 2.5)
    stats.errors = {StatsError.create_key("PUT", "/d", OSError("disk")): other}
    told += [[error.to_name() for error in stats.errors.values()], next(iter(stats.errors.values())) is other]
    told += [other.first_seen, other.last_seen, len(stats.errors.copy())]
    stats.errors.update({StatsError.create_key("PUT", "/e", "x"): StatsError("PUT", "/e", "x")})
    told += [[error.occurrences for error in stats.errors.values()], kind_of(stats.errors.__getitem__, "no")]
    told += [kind_of(stats.errors.pop, "no"), stats.errors.pop("no", 5)]
    return told


def failures_alone(kit: Kit) -> Any:
    """API-219: a StatsError that is in no table."""
    now = time.time()
    error = StatsError("GET", "/x", ValueError("v"))
    told = [error.occurrences, error.first_seen, error.last_seen, sorted(vars(error))]
    error.occurred()
    told += [error.occurrences, error.first_seen >= now, error.last_seen == error.first_seen]
    again = StatsError.unserialize(error.serialize())
    told += [again.error, again.to_name(), again.occurrences, sorted(error.serialize()), list(error.to_dict())]
    for shown in (
        "CatchResponseError('x')",
        "CatchResponseError(x)",
        CatchResponseError("y"),
        CatchResponseError(3),
        None,
        "z",
    ):
        told.append(StatsError("GET", "/x", shown).to_name())
    told += [StatsError.parse_error(shown) for shown in ("<a object at 0x12ab>", "object at 0x12", KeyError("k"), None)]
    return told


def entries_by_hand(kit: Kit) -> Any:
    """API-219, API-220: what scripts do with entries: read, assign, count, add, reset."""
    stats = RequestStats()
    for milliseconds in (1, 2, 5, 14, 147, 3432, 58760, 0.4, 99.5, None):
        stats.log_request("GET", "/a", milliseconds, 10)
    entry = stats.get("/a", "GET")
    told: list[Any] = [entry.num_requests, entry.num_none_requests, entry.min_response_time, entry.max_response_time]
    told += [entry.avg_response_time, entry.median_response_time, sorted(entry.response_times.items())]
    told += [entry.response_times[12345], entry.num_reqs_per_sec[1], entry.avg_content_length, entry.fail_ratio]
    told += [entry.get_response_time_percentile(part) for part in (0, 0.01, 0.5, 0.95, 0.999, 1)]
    told += [sorted(entry.get_stripped_report()), entry.num_requests, sorted(entry.serialize())]
    entry.num_requests, entry.num_failures, entry.total_response_time = 4, 2, 40.0
    told += [entry.fail_ratio, entry.avg_response_time, stats.total.num_requests]
    entry.response_times = defaultdict(int, {10: 3, 20: 1})
    entry.min_response_time, entry.max_response_time = 10, 20
    told += [entry.median_response_time, entry.get_response_time_percentile(0.9), dict(entry.response_times)]
    entry.log(5, 100)
    entry.log_error("x")
    told += [entry.num_requests, entry.num_failures, entry.total_content_length, stats.num_failures, len(stats.errors)]
    other = StatsEntry(RequestStats(), "/a", "GET")
    other.log(1000, 1)
    entry.extend(other)
    told += [entry.num_requests, entry.max_response_time, entry.total_response_time]
    told += [entry.use_response_times_cache, stats.total.use_response_times_cache, entry.response_times_cache is None]
    entry.reset()
    told += [entry.num_requests, entry.num_failures, dict(entry.response_times), entry.min_response_time]
    told += [entry.max_response_time, entry.last_request_timestamp, entry.avg_response_time, entry.median_response_time]
    total = stats.total
    total.response_times_cache = {}
    told += [len(total.response_times_cache)]
    told += [kind_of(stats.get, "/b"), len(stats.entries)]
    told += [
        stats.get("/b", "PUT") is stats.entries[("/b", "PUT")],
        ("/b", "PUT") in stats.entries,
        list(stats.entries),
    ]
    told += [stats.entries.get(("/c", "GET")), stats.entries.pop(("/b", "PUT")).name, len(stats.entries), stats.history]
    return told


def copies_keep_their_numbers(kit: Kit) -> Any:
    """API-219, API-220: snapshots, deep ones and pickled ones, of the table and of what is in it."""
    stats = RequestStats()
    stats.mine = [1]  # type: ignore[attr-defined]
    for milliseconds in (1, 14, 147, None):
        stats.log_request("GET", "/a", milliseconds, 10)
    for failure in ("in words", ValueError("v"), CatchResponseError("c")):
        stats.log_error("GET", "/a", failure)
    stats.history.append({"time": "T", "user_count": ["T", 3]})
    told: list[Any] = []
    for copied in (copy.deepcopy, lambda original: pickle.loads(pickle.dumps(original))):
        table, entry, total = copied(stats), copied(stats.get("/a", "GET")), copied(stats.total)
        entries, errors = copied(stats.entries), copied(stats.errors)
        stats.log_request("GET", "/a", 5000, 10)
        stats.log_error("GET", "/a", "in words")
        told += [table.num_requests, table.num_none_requests, table.mine, table.history, list(table.entries)]
        told += [[error.to_name(), error.occurrences] for error in table.errors.values()]
        for each in (entry, total, entries[("/a", "GET")], table.get("/a", "GET"), table.total):
            told += [each.name, each.num_requests, each.num_failures, each.max_response_time, each.num_reqs_per_sec]
            told[-1] = sum(told[-1].values())
            told += [dict(each.response_times), each.get_response_time_percentile(0.5)]
        told += [[error.occurrences for error in errors.values()], table.total.stats is table, entry.stats is stats]
        table.log_request("GET", "/a", 1, 1)
        told += [table.num_requests, stats.num_requests, entry.num_requests]
    alone = StatsEntry(None, "/a", "GET")  # type: ignore[arg-type]
    alone.log(5, 5)
    alone.mine = 1
    for copied in (copy.copy, copy.deepcopy):
        again = copied(alone)
        told += [again.num_requests, again.mine, again.stats, again.method]
    snapshot = copy.copy(stats.get("/a", "GET"))
    stats.log_request("GET", "/a", 1, 1)
    told += [stats.get("/a", "GET").num_requests - snapshot.num_requests, type(copy.copy(stats.errors)).__name__]
    assert copy.copy(stats).total.serialize() == stats.total.serialize()
    return told


def reports_call_no_listeners_of_the_parser(kit: Kit) -> Any:
    """EVT-11, REP-43: what adds options may not stand another call; what is private is in no report."""
    calls = []

    def add_options(parser: Any) -> None:
        calls.append(parser)
        parser.add_argument("--token", is_secret=True, include_in_web_ui=False)
        parser.add_argument("--hidden", include_in_web_ui=False)

    events.init_command_line_parser.add_listener(add_options)
    try:
        environment = Environment()
        environment.create_local_runner()
        environment.parsed_options = get_parser().parse_args(["--token", "hush-7", "--hidden", "hush-8"])
        page = get_html_report(environment)
    finally:
        events.init_command_line_parser.remove_listener(add_options)
    return len(calls), "hush-" in page


def functions_of_statistics(kit: Kit) -> Any:
    """API-219: functions that reports are made of."""
    told: list[Any] = []
    for milliseconds in (
        0,
        0.5,
        1.5,
        2.5,
        99.4,
        99.5,
        100,
        105,
        115,
        999,
        1000,
        1049,
        1050,
        9999,
        10000,
        10500,
        123456,
    ):
        told.append(bucket_response_time(milliseconds))
    times = {1: 1, 10: 5, 100: 3, 1000: 1}
    told += [calculate_response_time_percentile(times, 10, part) for part in (0, 0.1, 0.5, 0.6, 0.95, 1)]
    told += [calculate_response_time_percentile({}, 0, 0.5), calculate_response_time_percentile({5: 1}, 10, 0.1)]
    told.append(get_readable_percentiles([0.5, 0.95, 0.999, 1.0, 0.123456789]))
    stats = RequestStats()
    for method, name in (("POST", "b"), ("GET", "b"), ("GET", "a"), ("DELETE", "c")):
        stats.log_request(method, name, 5, 5)
    told += [[[entry.method, entry.name] for entry in sort_stats(stats.entries)], kind_of(sort_stats, None)]
    told += [
        len(get_stats_summary(stats)),
        len(get_stats_summary(stats, False)),
        len(get_percentile_stats_summary(stats)),
    ]
    told.append(diff_response_time_dicts({1: 5, 2: 3}, {1: 2}))
    return told


# What glibc keeps of a locale: what localedef writes to LC_NUMERIC.
_COMMAS = bytes.fromhex(
    "1411032006000000200000002200000024000000280000002c00000030000000"  # magic, places of six values
    "2c002e00030300002c0000002e0000005554462d3800"
)


@contextmanager
def _numbers_with_commas() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        numeric = Path(folder, "commas", "LC_NUMERIC")
        numeric.parent.mkdir()
        numeric.write_bytes(_COMMAS)
        os.environ["LOCPATH"] = folder
        locale.setlocale(locale.LC_NUMERIC, "commas")
        try:
            assert locale.str(1.5) == "1,5"
            yield
        finally:
            locale.setlocale(locale.LC_NUMERIC, "C")
            del os.environ["LOCPATH"]


def locale_of_the_script(kit: Kit) -> Any:
    """REP-27, REP-31, REP-35: a script that sets its locale changes no table and no file."""
    environment = Environment()
    for milliseconds in (1, 2.5, 1234.5):
        environment.stats.log_request("GET", "/a", milliseconds, 10)
    environment.stats.log_error("GET", "/a", "why")
    text = io.StringIO()
    with _numbers_with_commas():
        tables = [*get_stats_summary(environment.stats, False), *get_percentile_stats_summary(environment.stats)]
        StatsCSV(environment, [0.5, 0.999]).requests_csv(csv.writer(text))
    # Rates depend on the time that passed.
    entry, total = ([*row[:9], *row[11:]] for row in list(csv.reader(io.StringIO(text.getvalue())))[1:])
    return [[re.sub(r" +\d+\.\d\d +\d+\.\d\d$", " N", line) for line in tables], entry, total]
