"""locust.stats over the core's table: Locust's numbers, texts and surface (compat reports.md)."""

from __future__ import annotations

import csv
import gc
import io
import json
import logging
import os
import subprocess
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
import stats_probe
from locust import stats as st
from locust.exception import CatchResponseError

KEYS = [
    "name",
    "method",
    "last_request_timestamp",
    "start_time",
    "num_requests",
    "num_none_requests",
    "num_failures",
    "total_response_time",
    "max_response_time",
    "min_response_time",
    "total_content_length",
    "response_times",
    "num_reqs_per_sec",
    "num_fail_per_sec",
]


@pytest.fixture
def stats() -> st.RequestStats:
    return st.RequestStats()


def environment(stats: st.RequestStats, **runner: Any) -> Any:
    return SimpleNamespace(stats=stats, runner=SimpleNamespace(**{"exceptions": {}, "user_count": 0, **runner}))


# --- semantics -------------------------------------------------------------------------------------------------------


def test_rep1_rep2_entry_and_aggregate(stats: st.RequestStats) -> None:
    stats.log_request("GET", "/a", 10.5, 100)
    stats.log_request("GET", "/b", 20, 50)
    stats.log_error("GET", "/a", "boom")
    assert list(stats.entries) == [("/a", "GET"), ("/b", "GET")]
    assert (stats.total.name, stats.total.method) == ("Aggregated", "")
    assert (stats.num_requests, stats.num_failures, stats.total.total_content_length) == (2, 1, 150)
    assert stats.get("/a", "GET").num_failures == 1
    assert sum(stats.total.num_reqs_per_sec.values()) == 2
    assert abs(max(stats.total.num_reqs_per_sec) - time.time()) <= 1


def test_rep3_failure_without_request(stats: st.RequestStats) -> None:
    stats.log_error("GET", "/a", "boom")
    assert stats.get("/a", "GET").fail_ratio == 1.0
    assert stats.get("/never", "GET").fail_ratio == 0.0


def test_rep4_none_response_time(stats: st.RequestStats) -> None:
    stats.log_request("GET", "/a", None, 0)
    stats.log_request("GET", "/a", 10, 0)
    entry = stats.get("/a", "GET")
    assert (entry.num_requests, entry.num_none_requests) == (2, 1)
    assert (entry.avg_response_time, entry.median_response_time) == (10.0, 10)
    assert entry.response_times == {10: 1}


@pytest.mark.parametrize(
    ("ms", "bucket"),
    {
        0.5: 0,
        1.5: 2,
        2.5: 2,
        99.5: 100,
        105: 100,
        115: 120,
        147: 150,
        995: 1000,
        1050: 1000,
        1150: 1200,
        3432: 3400,
        10500: 10000,
        58760: 59000,
    }.items(),
)
def test_rep6_buckets(stats: st.RequestStats, ms: float, bucket: int) -> None:
    stats.log_request("GET", "/a", ms, 0)
    assert stats.total.response_times == {bucket: 1}
    assert st.bucket_response_time(ms) == bucket


def test_rep8_exact_extremes(stats: st.RequestStats) -> None:
    assert (stats.total.min_response_time, stats.total.max_response_time) == (None, 0)
    for ms in (4.098584000075789, 2.1509010000499984):
        stats.log_request("GET", "/a", ms, 0)
    assert stats.total.min_response_time == 2.1509010000499984
    assert stats.total.max_response_time == 4.098584000075789
    assert stats.total.total_response_time == 6.249485000125787


def test_rep10_percentiles_of_ten_values(stats: st.RequestStats) -> None:
    for ms in range(1, 11):
        stats.log_request("GET", "/a", ms, 0)
    expected = {0.0: 1, 0.1: 2, 0.25: 3, 0.5: 6, 0.66: 7, 0.75: 8, 0.9: 10, 0.95: 10, 1.0: 10}
    assert {p: stats.total.get_response_time_percentile(p) for p in expected} == expected
    assert st.calculate_response_time_percentile(stats.total.response_times, 10, percent=0.5) == 6
    assert stats.total.get_response_time_percentile(percent=0.95) == 10


def test_exact_percentiles(stats: st.RequestStats) -> None:
    for ms in range(1, 10001):
        stats.log_request("GET", "/a", ms + 0.3, 0)
    for percent in (0.01, 0.5, 0.9, 0.99, 0.999):
        exact = 10000 * percent + 0.3
        assert abs(stats.total.get_exact_response_time_percentile(percent) - exact) <= exact * 0.001
    assert stats.total.get_exact_response_time_percentile(1.0) == 10000.3


def test_rep11_unequal_buckets() -> None:
    times = {5: 3, 10: 1}
    assert [st.calculate_response_time_percentile(times, 4, p) for p in (0.5, 0.75, 0.9)] == [5, 10, 10]
    assert st.calculate_response_time_percentile({}, 0, 0.5) == 0


def test_rep12_median_is_clamped(stats: st.RequestStats) -> None:
    stats.log_request("GET", "/a", 147.6, 0)
    assert stats.total.median_response_time == 147.6


def test_rep15_rep16_rates(stats: st.RequestStats) -> None:
    assert (stats.total.current_rps, stats.total.total_rps) == (0, 0.0)
    stats.log_request("GET", "/a", 1, 0)
    total = stats.total
    total.start_time = 1000.0
    total.last_request_timestamp = 1020.5
    total.num_reqs_per_sec = dict.fromkeys(range(1000, 1021), 3) | {1018: 1000}
    total.num_fail_per_sec = {1017: 5, 1008: 5, 1007: 99}
    assert (total.current_rps, total.current_fail_per_sec) == (3.0, 1.0)
    total.num_requests = 82
    assert total.total_rps == 4.0


def test_rep21_errors(stats: st.RequestStats) -> None:
    class Odd(Exception):
        def __repr__(self) -> str:
            return f"<Odd object at {hex(id(self))}>"

    odd = Odd()
    for each in (odd, Odd(), Odd()):
        stats.log_error("GET", "/404", each)
    stats.log_error("GET", "/404", "text")
    stats.log_error("GET", "/404", None)
    first, second, third = stats.errors.values()
    assert (first.error, first.occurrences, second.error, third.error) == (odd, 3, "text", None)
    assert next(iter(stats.errors)) == st.StatsError.create_key("GET", "/404", "<Odd object at 0x....>")
    assert first.first_seen is not None and first.last_seen is not None
    assert first.first_seen <= first.last_seen <= time.time()
    key = "1769c2d0"  # of a captured report
    captured = st.StatsError.create_key("GET", "/404", "HTTPError('404 Client Error: Not Found for url: /404')")
    assert captured.startswith(key) and captured.endswith("f08d")


def test_errors_are_a_live_mapping(stats: st.RequestStats) -> None:
    errors = stats.errors
    assert not errors
    stats.log_error("GET", "/a", "x")
    stats.log_error("GET", "/b", "y")
    keys = list(errors)
    assert len(errors) == 2 and keys[0] in errors
    del errors[keys[0]]
    assert [error.name for error in errors.values()] == ["/b"]
    errors["any"] = st.StatsError("PUT", "/c", "z", 7, 1.0, 2.0)
    assert errors["any"].occurrences == 7 and len(errors) == 2
    with pytest.raises(KeyError):
        errors["nothing"]
    stats.errors = {}  # type: ignore[assignment]
    assert len(stats.errors) == 0


def test_rep23_reset_and_clear(stats: st.RequestStats) -> None:
    stats.log_request("GET", "/a", 1, 0)
    stats.log_error("GET", "/a", "x")
    stats.history.append({})
    kept = stats.get("/a", "GET")
    stats.reset_all()
    assert (kept.num_requests, len(stats.entries), len(stats.errors), stats.history) == (0, 1, 0, [])
    assert stats.get("/a", "GET") is kept
    stats.log_request("GET", "/a", 1, 0)
    stats.clear_all()
    assert len(stats.entries) == 0
    assert kept.num_requests == 1, "a cleared entry that is held keeps its numbers"
    assert stats.get("/a", "GET") is not kept
    assert abs(stats.start_time - time.time()) < 5


# --- REP-7, REP-18, REP-25: what user code tunes ---------------------------------------------------------------------


@pytest.fixture
def own_rounding(monkeypatch: pytest.MonkeyPatch, stats: st.RequestStats) -> Iterator[None]:
    monkeypatch.setattr(st, "bucket_response_time", lambda ms: int(ms // 7) * 7)
    yield


def test_rep7_rounding_may_be_replaced(own_rounding: None, stats: st.RequestStats) -> None:
    newer = st.RequestStats()
    for table in (stats, newer):
        table.log_request("GET", "/a", 147.6, 0)
        table.log_request("GET", "/a", 20001, 0)
        assert table.total.response_times == {147: 1, 19999: 1}


def test_rep7_errors_of_the_rule_are_raised(monkeypatch: pytest.MonkeyPatch, stats: st.RequestStats) -> None:
    monkeypatch.setattr(st, "bucket_response_time", lambda ms: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        stats.log_request("GET", "/a", 5, 0)
    monkeypatch.setattr(st, "bucket_response_time", lambda ms: -1)
    with pytest.raises(ValueError, match="-1"):
        stats.log_request("GET", "/a", 5, 0)
    monkeypatch.undo()
    stats.log_request("GET", "/a", 5, 0)
    assert stats.total.response_times == {5: 1}


def test_rep18_current_percentile(monkeypatch: pytest.MonkeyPatch, stats: st.RequestStats) -> None:
    assert stats.total.get_current_response_time_percentile(0.5) is None
    monkeypatch.setattr(st, "CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW", 0)
    stats.log_request("GET", "/a", 5, 0)
    assert stats.total.get_current_response_time_percentile(0.5) == 5
    assert list(stats.total.response_times_cache.values()) == [({}, 0, 0)]  # type: ignore[union-attr]
    bare = st.RequestStats(use_response_times_cache=False)
    with pytest.raises(ValueError):
        bare.total.get_current_response_time_percentile(0.5)
    assert bare.total.response_times_cache is None


def test_rep25_rep101_widths_and_percentiles(monkeypatch: pytest.MonkeyPatch, stats: st.RequestStats) -> None:
    stats.log_request("GET", "/a", 5, 0)
    monkeypatch.setattr(st, "STATS_NAME_WIDTH", 20)
    monkeypatch.setattr(st, "PERCENTILES_TO_REPORT", [0.5, 0.95555])
    assert st.get_percentile_stats_summary(stats)[1] == "Type     Name                      50% 95.555% # reqs"
    assert st.get_percentile_stats_summary(stats)[3] == "GET      /a                          5      5      1"
    assert {len(line) for line in st.get_stats_summary(stats)} == {80 + 20}


def test_rep26_validation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    st.validate_stats_configuration()
    for name, value in (
        ("PERCENTILES_TO_CHART", [0.1] * 7),
        ("PERCENTILES_TO_CHART", [1.0]),
        ("PERCENTILES_TO_STATISTICS", ["x"]),
    ):
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as caught:
            patch.setattr(st, name, value)
            st.validate_stats_configuration()
        assert caught.value.code == 1
        assert name in capsys.readouterr().err


def test_rep27_labels() -> None:
    assert st.get_readable_percentiles([0.5, 0.999, 0.95555, 1.0]) == ["50%", "99.9%", "95.555%", "100%"]


# --- entries by themselves -------------------------------------------------------------------------------------------


def test_entries_mapping(stats: st.RequestStats) -> None:
    entry = stats.entries[("/new", "GET")]
    assert stats.entries[("/new", "GET")] is entry
    assert ("/none", "GET") not in stats.entries and stats.entries.get(("/none", "GET")) is None
    assert "nonsense" not in stats.entries
    own = st.StatsEntry(stats, "/own", "PUT")
    own.log(5, 10)
    stats.entries[("/own", "PUT")] = own
    assert stats.get("/own", "PUT") is own and stats.num_requests == 0
    with pytest.raises(ValueError):
        stats.entries[("/other", "PUT")] = own
    del stats.entries[("/new", "GET")]
    assert list(stats.entries) == [("/own", "PUT")]
    with pytest.raises(KeyError):
        del stats.entries[("/new", "GET")]
    assert st.sort_stats(stats.entries) == [own]
    stats.entries = {}  # type: ignore[assignment]
    assert len(stats.entries) == 0


def test_rep39_serialize_and_back(stats: st.RequestStats) -> None:
    stats.log_request("GET", "/a", 3.25, 7)
    stats.log_request("GET", "/a", 25000, 7)
    stats.log_error("GET", "/a", "x")
    entry = stats.get("/a", "GET")
    data = entry.serialize()
    assert list(data) == KEYS
    assert st.StatsEntry.unserialize(data, stats).serialize() == data
    assert data["response_times"] == {3: 1, 25000: 1}
    assert entry.get_stripped_report() == data
    assert entry.num_requests == 0 and entry.serialize()["response_times"] == {}


def test_dst35_extend(stats: st.RequestStats) -> None:
    one, two = (st.StatsEntry(stats, "/a", "GET") for _ in range(2))
    one.log(10, 1)
    two.log(2.5, 2)
    two.log(None, 3)
    two.log_error(None)
    one.extend(two)
    assert (one.num_requests, one.num_none_requests, one.num_failures) == (3, 1, 1)
    assert (one.min_response_time, one.max_response_time, one.total_response_time) == (2.5, 10, 12.5)
    assert one.response_times == {2: 1, 10: 1} and one.total_content_length == 6
    with pytest.raises(ValueError):
        one.extend(one)
    with pytest.raises(TypeError):
        one.extend("x")  # type: ignore[arg-type]


def test_dst34_to_dst36_reports_of_workers() -> None:
    class Hook:
        def __init__(self) -> None:
            self.listeners: list[Any] = []

        def add_listener(self, listener: Any) -> None:
            self.listeners.append(listener)

    def node() -> tuple[st.RequestStats, Any]:
        table, events = st.RequestStats(), SimpleNamespace(report_to_master=Hook(), worker_report=Hook())
        st.setup_distributed_stats_event_listeners(events, table)  # type: ignore[arg-type]
        return table, events

    worker, worker_events = node()
    master, master_events = node()
    for occurrences in (1, 2):
        worker.log_request("GET", "/a", 20047 * occurrences, 10)
        for _ in range(occurrences):
            worker.log_error("GET", "/a", CatchResponseError("no"))
        data: dict[str, Any] = {}
        worker_events.report_to_master.listeners[0]("id", data)
        assert set(data) == {"stats", "stats_total", "errors"}
        assert (worker.num_requests, len(worker.errors)) == (0, 0)
        master_events.worker_report.listeners[0]("id", data)
    assert (master.num_requests, master.num_failures, master.get("/a", "GET").num_requests) == (2, 3, 2)
    for entry in (master.total, master.get("/a", "GET")):
        assert entry.get_response_time_percentile(0.4) == 20000
        assert abs(entry.get_exact_response_time_percentile(0.4) - 20047) < 20, "the histogram came along"
    (error,) = master.errors.values()
    assert (error.occurrences, error.error) == (3, "CatchResponseError('no')")
    assert error.to_name() == "GET /a: 'no'", "CLI-104: quotes stay in distributed mode"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "x", [], 10**400])
def test_bad_response_times_are_refused(stats: st.RequestStats, bad: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        stats.log_request("GET", "/a", bad, 0)
    assert stats.num_requests == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_requests", -1),
        ("response_times", {-1: 1}),
        ("response_times", {"x": 1}),
        ("response_times", {1: "x"}),
        ("num_reqs_per_sec", {2**40: 1}),
        ("num_reqs_per_sec", []),
        ("_histogram", [2**20, 1]),
        ("_histogram", [1, -1]),
        ("_histogram", ["x", 1]),
        ("_histogram", {}),
        ("start_time", float("nan")),
        ("last_request_timestamp", -5.0),
        ("max_response_time", float("inf")),
        ("total_content_length", "x"),
    ],
)
def test_bad_assignments_are_refused(stats: st.RequestStats, name: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        setattr(stats.total, name, value)
    with pytest.raises((AttributeError, TypeError)):
        delattr(stats.total, "max_response_time")


def test_lone_surrogates_and_odd_names(stats: st.RequestStats) -> None:
    stats.log_request("GET", "\udc80", 1, 0)
    stats.log_error("GET", "/a", "bad \udc80")
    stats.log_request(None, 5, 1, 0)  # type: ignore[arg-type]
    stats.log_request("GET", None, 1, 0)  # type: ignore[arg-type]
    assert [name for name, _ in stats.entries] == ["\\udc80", "/a", "5", "None"]
    st.get_stats_summary(stats), st.get_error_report_summary(stats)


def test_objects_are_freed(stats: st.RequestStats) -> None:
    gone = weakref.ref(st.RequestStats())
    gc.collect()
    assert gone() is None
    for _ in range(3):
        held = stats.get("/a", "GET")
        held.own = held  # type: ignore[attr-defined]
        alive = weakref.ref(held, lambda _: stats.get("/a", "GET"))
        del held
        gc.collect()
        assert alive() is None


# --- console ---------------------------------------------------------------------------------------------------------


def test_cli102_to_cli104_tables(stats: st.RequestStats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "STATS_NAME_WIDTH", 80)
    for _ in range(3):
        stats.log_request("POST", "/é", 3.9, 0)
    stats.log_error("POST", "/é", CatchResponseError("it's\nlate"))
    table = st.get_stats_summary(stats)
    assert table[0] == (
        f"{'Type':8} {'Name':76}  # reqs      # fails |    Avg     Min     Max    Med |   req/s  failures/s"
    )
    assert table[1] == "-" * 8 + "|" + "-" * 76 + "|-------|-------------|-------|-------|-------|-------|--------|" + (
        "-" * 11
    )
    assert table[2] == f"POST     {'/é':76}       3    1(33.33%) |      3       3       3      3 |    0.00        0.00"
    assert table[3] == table[1] and table[4].startswith(f"         {'Aggregated':76}")
    report = "\n".join(st.get_error_report_summary(stats))
    text = "POST /é: it's\nlate"
    assert f"\n1                  {text:100}\n" in report, "CLI-104: unwrapped in local mode"
    stats.log_request("GÉT", "/x", 1, 0)
    wide = stats.get("/x", "GÉT").to_string()
    assert wide.startswith(f"GÉT      {'/x':76}       1 "), "CLI-102: characters, not bytes"
    assert stats.get("/é", "POST").percentile().startswith(f"POST     {'/é':80}        4      4")
    with pytest.raises(ValueError):
        stats.get("/none", "GET").percentile()


def test_tables_go_to_their_logger(stats: st.RequestStats, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="locust.stats_logger"):
        st.print_error_report(stats)
        assert caplog.messages == []
        st.print_stats(stats)
        assert caplog.messages == [*st.get_stats_summary(stats), ""]
        caplog.clear()
        st.print_percentile_stats(stats)
        assert caplog.messages == [*st.get_percentile_stats_summary(stats), ""]
        caplog.clear()
        printer = gevent.spawn(st.stats_printer(stats))
        gevent.sleep(0.01)
        printer.kill()
        assert len(caplog.messages) == 5


# --- history, CSV, JSON ----------------------------------------------------------------------------------------------


def test_rep24_history_sample(stats: st.RequestStats) -> None:
    runner: Any = SimpleNamespace(stats=stats, user_count=4, state="running")
    stats.log_request("GET", "/a", 4.725, 0)
    st.update_stats_history(runner, "2026-11-21T04:21:45Z")
    assert stats.history == [
        {
            "current_fail_per_sec": ["2026-11-21T04:21:45Z", 0.0],
            "current_rps": ["2026-11-21T04:21:45Z", 0.0],
            "response_time_percentile_0.5": ["2026-11-21T04:21:45Z", 0],
            "response_time_percentile_0.95": ["2026-11-21T04:21:45Z", 0],
            "time": "2026-11-21T04:21:45Z",
            "total_avg_response_time": ["2026-11-21T04:21:45Z", 4.73],
            "user_count": ["2026-11-21T04:21:45Z", 4],
        }
    ]
    sampler = gevent.spawn(st.stats_history, runner)
    gevent.sleep(0.01)
    sampler.kill()
    assert len(stats.history) == 2


def read(prefix: Path, file: str) -> list[list[str]]:
    text = Path(f"{prefix}_{file}.csv").read_bytes().decode()
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("full_history", [False, True])
def test_rep28_to_rep37_files(stats: st.RequestStats, tmp_path: Path, full_history: bool) -> None:
    exceptions = {"key": {"count": 24, "msg": "oops", "traceback": '  File "x", line 1\n    y\n', "nodes": {"local"}}}
    prefix = tmp_path / "run"
    writer = st.StatsCSVFileWriter(
        environment(stats, exceptions=exceptions, user_count=8), [0.5, 0.999], str(prefix), full_history
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        f"run_{file}.csv" for file in ("stats", "stats_history", "failures", "exceptions", "phases", "generator")
    }
    greenlet = gevent.spawn(writer.stats_writer)
    gevent.sleep(0.05)
    assert ",".join(read(prefix, "stats")[1]) == ",Aggregated,0,0,0,0.0,0,0,0,0.0,0.0,N/A,N/A"
    for name in ("/b", "/a"):
        stats.log_request("GET", name, 3.5, 4)
        stats.log_error("GET", name, 'say "no", please')
    writer._write_round(time.time())
    stats.log_request("GET", "/a", 3.5, 4)
    greenlet.kill()
    writer.close_files()
    writer.close_files()

    rows = read(prefix, "stats")
    assert ",".join(rows[0]) == (
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
        "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,99.9%"
    )
    assert [row[1] for row in rows[1:]] == ["/a", "/b", "Aggregated"], "REP-30: the last requests are there"
    assert rows[1][:9] == ["GET", "/a", "2", "1", "3.5", "3.5", "3.5", "3.5", "4.0"] and rows[1][11:] == ["4", "4"]

    history = read(prefix, "stats_history")
    assert history[0][:6] == ["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"]
    assert history[0][-1] == "Total Average Content Size"
    assert history[1][1:9] == ["8", "", "Aggregated", "0.000000", "0.000000", "N/A", "N/A", "0"]
    assert [row[3] for row in history[2:]] == (["/a", "/b"] if full_history else []) + ["Aggregated"]
    assert history[-1][6:8] == (["0", "0"] if full_history else ["4", "4"]), "REP-36"

    failures = read(prefix, "failures")
    assert failures[0] == ["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"]
    keys = [st.StatsError.create_key(row[0], row[1], row[2]) for row in failures[1:]]
    assert keys == sorted(keys) and failures[1][2:4] == ['say "no", please', "1"]
    assert time.strptime(failures[1][4], "%Y-%m-%dT%H:%M:%SZ")
    assert read(prefix, "exceptions") == [
        ["Count", "Message", "Traceback", "Nodes"],
        ["24", "oops", '  File "x", line 1\n    y\n', "local"],
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_full_disk_is_told_and_not_fatal(
    stats: st.RequestStats, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for file in ("stats", "stats_history", "failures", "exceptions"):
        (tmp_path / f"run_{file}.csv").symlink_to("/dev/full")
    writer = st.StatsCSVFileWriter(environment(stats), [0.5], str(tmp_path / "run"))
    greenlet = gevent.spawn(writer.stats_writer)
    gevent.sleep(0.05)
    assert not greenlet.ready()
    greenlet.kill()
    writer.close_files()
    assert "could not be written" in caplog.text


def test_web17_csv_to_any_writer(stats: st.RequestStats) -> None:
    rows: list[list[str]] = []
    writer: Any = SimpleNamespace(writerow=lambda row: rows.append(list(row)))
    exporter = st.StatsCSV(environment(stats), [0.5])
    exporter.requests_csv(writer)
    exporter.failures_csv(writer)
    exporter.exceptions_csv(writer)
    assert [row[0] for row in rows] == ["Type", "", "Method", "Count"]


def test_rep38_to_rep41_json(stats: st.RequestStats, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stats.get("/unused", "GET")
    stats.log_request("GET", "/b", 3.5, 4)
    stats.log_request("GET", "/a", 5, 4)
    st.print_stats_json(stats)
    printed = capsys.readouterr().out
    assert printed.startswith('[\n    {\n        "name": "/b",')
    assert [list(row) for row in json.loads(printed)] == [KEYS, KEYS]
    assert json.loads(printed)[0]["response_times"] == {"4": 1}
    assert stats.num_requests == 2 and stats.get("/a", "GET").num_requests == 0
    st.save_stats_json(stats, str(tmp_path / "x"))
    assert (tmp_path / "x.json").read_text() == "[]"


# --- beside real Locust ----------------------------------------------------------------------------------------------

ROUNDS = 30


@pytest.fixture(scope="module")
def oracle() -> Any:
    python = os.environ.get("LOCUST_ORACLE") or os.environ.get("LOCUST_ORACLE_PYTHON")
    if not python:
        pytest.skip("LOCUST_ORACLE names no interpreter that has real Locust")
    done = subprocess.run([python, stats_probe.__file__, str(ROUNDS)], stdout=subprocess.PIPE, check=True, timeout=120)
    return json.loads(done.stdout)


def test_random_numbers_come_out_as_in_locust(oracle: Any) -> None:
    for seed in range(ROUNDS):
        ours = json.loads(json.dumps(stats_probe.round_of(seed)))
        for key, theirs in oracle["rounds"][seed].items():
            assert ours[key] == theirs, f"{key} of seed {seed}"


def test_pure_functions_are_locusts(oracle: Any) -> None:
    assert json.loads(json.dumps(stats_probe.pure_of(1))) == oracle["pure"]


def test_constants_are_locusts(oracle: Any) -> None:
    for name, value in oracle["constants"].items():
        assert getattr(st, name) == value, name


def test_surface_is_locusts(oracle: Any) -> None:
    """Parameters too; of a dictionary only the names of methods."""
    ours = stats_probe.surface()
    missing = set(oracle["surface"]) - set(ours) - {"EntriesDict.fromkeys"}
    assert not missing
    for name, parameters in oracle["surface"].items():
        if not name.startswith("EntriesDict."):
            assert ours[name] == parameters, name
