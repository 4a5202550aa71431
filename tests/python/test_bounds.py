"""Names, failures and exceptions without end: tables stop to grow, say what they left out, and add up."""

from __future__ import annotations

import _cload
import gevent
from locust import runners
from locust.env import Environment
from locust.stats import RequestStats
from locust.util.process import resident_bytes


def fill(stats: RequestStats, first: int, end: int) -> None:
    for number in range(first, end):
        name = f"/{number}"
        stats.log_request("GET", name, 1, 1)
        stats.log_error("GET", name, f"no such thing: {number}")


def test_endless_names_and_failures() -> None:
    stats = RequestStats()
    fill(stats, 0, 40_000)
    before = resident_bytes()
    fill(stats, 40_000, 240_000)
    assert resident_bytes() - before < 4 * 2**20
    assert len(stats.entries) == _cload.STATS_NAMES + 1 and stats._is_full()
    further = stats.get("anything", "GET")
    assert further.name == _cload.STATS_FURTHER
    assert further.num_requests == further.num_failures == 240_000 - _cload.STATS_NAMES
    assert stats.total.num_requests == 240_000
    errors = stats.errors.values()
    assert sum(error.occurrences for error in errors) == 240_000
    assert any("further errors" in str(error.error) for error in errors)
    assert stats.get("/7", "GET").num_requests == 1


def test_a_full_table_is_warned_of_once(caplog, monkeypatch) -> None:
    monkeypatch.setattr(runners, "CPU_MONITOR_INTERVAL", 0.02)
    environment = Environment()
    runner = environment.create_local_runner()
    for number in range(_cload.STATS_NAMES):
        environment.stats.log_request("GET", f"/{number}", 1, 1)

    def warnings() -> int:
        return sum(_cload.STATS_FURTHER in record.getMessage() for record in caplog.records)

    with gevent.Timeout(60):
        while not warnings():
            gevent.sleep(0.01)
    gevent.sleep(0.1)
    runner.quit()
    assert warnings() == 1


def test_endless_exceptions() -> None:
    runner = Environment().create_local_runner()
    for number in range(3 * runners.MAX_EXCEPTIONS):
        runner.log_exception("local", "odd", f"line {number}")
        runner.log_exception("local", "odd", "line 5")
    rows = runner.exceptions.values()
    assert len(rows) == runners.MAX_EXCEPTIONS + 1
    assert sum(row["count"] for row in rows) == 6 * runners.MAX_EXCEPTIONS
    last = list(rows)[-1]
    assert "further exceptions" in last["msg"] and last["count"] == 2 * runners.MAX_EXCEPTIONS
    runner.quit()


def test_a_worker_with_more_names_than_there_are_rows() -> None:
    """One of Locust's, which has no bounds."""
    entry = RequestStats()
    entry.log_request("GET", "x", 20, 3)
    row = entry.get("x", "GET").serialize()
    count = _cload.STATS_NAMES + 500
    data = {
        "stats": [{**row, "name": f"/{number}"} for number in range(count)],
        "stats_total": {**row, "num_requests": count, "response_times": {20: count}},
        "errors": {},
        "user_classes_count": {},
        "user_count": 0,
    }
    frame = _cload.pack_message("stats", data, "worker")
    master = RequestStats()
    _cload.merge_report(master, frame)
    further = master.get("anything", "GET")
    assert (further.name, further.num_requests) == (_cload.STATS_FURTHER, 500)
    assert further.response_times == {20: 500} and further.total_content_length == 1500
