"""How the load generator itself copes: what is marked, told and left out.

Tests block the event loop themselves, for a time that no busy machine comes near; other limits are out of reach.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from locust import _generator, _option_types, constant, stats, task
from locust.env import Environment
from locust.user.users import User
from oracle import ENGINES

OURS = ENGINES[0]

SCRIPT = """
import subprocess
import sys
import time
import gevent
from locust import User, constant, events, task
from locust import _generator
_generator.BUSY_LIMIT = _generator.STARVED_LIMIT = 1e9
_generator.DELAY_LIMIT_MS = 700.0
class U(User):
    wait_time = constant(0.02)
    @task
    def t(self):
        self.environment.events.request.fire(request_type="T", name="n", response_time=5, response_length=1)
@events.test_start.add_listener
def later(**_):
    gevent.spawn_later(1.2, block)
def block():
    events.request.fire(request_type="T", name="blocked", response_time=5000, response_length=1, exception=ValueError())
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pass
"""


@pytest.fixture
def relaxed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_generator, "BUSY_LIMIT", 1e9)
    monkeypatch.setattr(_generator, "STARVED_LIMIT", 1e9)
    monkeypatch.setattr(_generator, "DELAY_LIMIT_MS", 700.0)


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def run(folder: Path, *args: str) -> Any:
    (folder / "locustfile.py").write_text(SCRIPT)
    command = "--headless -u 2 -r 2 -t 3 --only-summary --csv out --json-file out --exit-code-on-error 0"
    done = OURS.command(*command.split(), *args, cwd=folder, env={"HOME": str(folder)}, timeout=120)
    assert done.status == 0, done.stderr
    return done


def test_a_blocked_loop_is_told_everywhere(tmp_path: Path) -> None:
    done = run(tmp_path, "--html", "out.html")
    assert "\nGenerator: CPU " in done.stderr
    assert "The generator lagged in " in done.stderr and "(delay " in done.stderr
    rows = json.loads((tmp_path / "out.json").read_text())
    blocked = next(row for row in rows if row["name"] == "blocked")
    assert blocked["generator"]["lag_max_ms"] >= 700 and blocked["generator"]["lagging_seconds"] >= 1
    assert blocked["generator"]["lagging_requests"] == 1 and blocked["generator"]["left_out_requests"] == 0
    with (tmp_path / "out_generator.csv").open(newline="") as file:
        seconds = list(csv.DictReader(file))
    assert [row["Lagging"] for row in seconds].count("delay") >= 1 and {row["Node"] for row in seconds} == {"local"}
    assert any(row["Lagging"] == "" for row in seconds)
    report = (tmp_path / "out.html").read_text()
    assert '"lagging": [[' in report and '"lagging_seconds"' in report


def test_lagging_seconds_are_left_out(tmp_path: Path) -> None:
    done = run(tmp_path, "--exclude-lagging")
    assert "Left out of the statistics (--exclude-lagging): " in done.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())}
    kept = rows["n"]
    assert kept["num_requests"] > 0 and kept["max_response_time"] == 5, "seconds that were well count"
    assert "blocked" not in rows and kept["generator"]["left_out_requests"] >= 1
    assert kept["num_failures"] == 0 and "Error report" not in done.stderr


def test_limits_and_reasons(relaxed: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(_generator, "_RECENT", 1)
    environment = Environment()
    runner = environment.create_local_runner()
    generator = runner.generator
    try:
        generator._recent = type(generator._recent)(maxlen=1)
        generator.begin()
        gevent.sleep(0.06)
        spin(0.8)
        with caplog.at_level(logging.WARNING):
            gevent.sleep(1.1)
            generator._look_at("", "This process", list(generator._recent))
        own = generator.test()
        assert own["delay_seconds"] == own["lagging_seconds"] >= 1 and own["busy_seconds"] == 0
        assert own["lag_max_ms"] >= 700
        (first, last), *_ = own["lagging"]
        assert first <= last <= time.time()
        generator.end()
        assert generator.test()["seconds"] >= own["seconds"]
    finally:
        runner.quit()
    assert list(generator.summary()), "what is known stays after the end"


def test_held_numbers_count_at_the_end(relaxed: None) -> None:
    class Person(User):
        wait_time = constant(0.01)

        @task
        def t(self) -> None:
            self.environment.events.request.fire(request_type="T", name="n", response_time=5, response_length=1)

    environment = Environment(user_classes=[Person])
    environment.parsed_options = type("Options", (), {"exclude_lagging": True})()
    runner = environment.create_local_runner()
    runner.start(1, 1)
    gevent.sleep(0.3)
    runner.stop()
    assert environment.stats.num_requests > 0
    environment.stats.log_request("T", "after", 1, 1)
    assert environment.stats.get("after", "T").num_requests == 1, "nothing is held any more"
    runner.quit()


@pytest.fixture
def master() -> Iterator[_generator.Generator]:
    environment = Environment()
    runner = environment.create_local_runner()
    yield runner.generator
    runner.quit()


def worker_report(first: int, marked: list[list[int]], **numbers: float) -> dict[str, Any]:
    test = dict.fromkeys(_generator._TEST_NUMBERS, 0) | {"seconds": 10, "lagging_seconds": 2} | numbers
    return {
        "cpu_usage": 95.0,
        "memory_usage": 1,
        "lag_ms": 80.0,
        "starved": 1.0,
        "is_lagging": True,
        "reasons": ["delay"],
        "test": {**test, "lagging": marked},
        "seconds": [[first + i, first + i, 0.95, 0.9, 0.01, 80.0, 1] for i in range(10)],
    }


def test_a_master_adds_up_what_workers_tell(
    master: _generator.Generator, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        master.hear("early", worker_report(90, [[91, 92]]))
        master.begin()
        for _ in range(2):
            master.hear("one", worker_report(100, [[101, 102]], lag_max_ms=80.0, left_out_requests=3))
            master.hear("two", worker_report(100, [[102, 103]], lag_max_ms=90.0, left_out_requests=4))
    warned = [record.getMessage().split()[1] for record in caplog.records if "lagged" in record.getMessage()]
    assert warned == ["one", "two"], "each worker is named once a minute"
    test = master.test()
    assert test["lagging"] == [(101, 103)] and test["lagging_seconds"] == 3 and test["seconds"] == 10
    assert test["lag_max_ms"] == 90 and test["left_out_requests"] == 7
    row = master.json_report(test, {101: 5, 110: 6})
    assert row["lagging_workers"] == {"one": 2, "two": 2} and row["lagging_requests"] == 5
    lines = list(master.summary())
    assert lines[1].startswith("The generator lagged in 3 of 10 seconds")
    assert [line.split(":")[0] for line in lines[2:4]] == ["  one", "  two"]
    assert "one delay (CPU 95 %" in (master.warning() or "")
    rows = [row for row in csv.reader(master.csv_rows().splitlines()) if row[1] in ("one", "two")]
    assert len(rows) == 20 and rows[0] == ["100", "one", "95.0", "1.0", "80.000", "delay"]


@pytest.mark.parametrize(
    "report",
    [
        None,
        {},
        {"seconds": []},
        worker_report(1, []) | {"test": {}},
        worker_report(1, []) | {"seconds": [[1]]},
        worker_report(1, []) | {"cpu_usage": "x"},
        worker_report(1, [[0, 10**15]]),
        worker_report(1, [[5, 4]]),
    ],
)
def test_what_is_no_report_is_passed_over(master: _generator.Generator, report: Any) -> None:
    master.hear("odd", report)
    assert master.workers == {} and master.warning() is None


def test_percentiles_that_were_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, "--percentiles", "0.5,0.99999", "--phases", "-t", "1")
    assert "Response time percentiles (ms, true to 0.1 %)" in done.stderr and "99.999%" in done.stderr
    assert "Phases of requests (ms, average and largest)" in done.stderr
    row = next(row for row in json.loads((tmp_path / "out.json").read_text()) if row["name"] == "n")
    assert row["percentiles"] == {"0.5": 5.0, "0.99999": 5.0}
    with (tmp_path / "out_percentiles.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["Type", "Name", "50%", "99.999%"]
    refused = OURS.command("--percentiles", "0.5,1.5", "--list", cwd=tmp_path)
    assert refused.status == 2 and "0.99" in refused.stderr
    for wrong in ("x", "nan", "", "-0.1"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"0\.99"):
            _option_types.percentiles(wrong)


def test_the_printer_warns_while_the_generator_lags(master: _generator.Generator, caplog: Any) -> None:
    numbers = stats.RequestStats()
    numbers._generator = master
    with caplog.at_level(logging.INFO):
        printer = gevent.spawn(stats.stats_printer(numbers))
        gevent.sleep(0.02)
        printer.kill()
        assert "The generator lags" not in caplog.text or master.warning()
        master.hear("one", worker_report(100, [[101, 102]]))
        printer = gevent.spawn(stats.stats_printer(numbers))
        gevent.sleep(0.02)
        printer.kill()
    assert "The generator lags: one delay" in caplog.text


HALF_A_CORE = """
import os
from locust import HttpUser, constant, task
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
class U(HttpUser):
    wait_time = constant(0)
    @task
    def t(self):
        self.client.get("/delay/20", name="slow")
"""
SPIN = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass\n"


def _is_waiting_for_a_core_known() -> bool:
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[0]) > 0
    except OSError:
        return False


@pytest.mark.skipif(not _is_waiting_for_a_core_known(), reason="this kernel does not tell who waits for a core")
def test_half_a_core_is_told_and_times_stay_near_the_truth(tmp_path: Path, target: Any) -> None:
    """Figures are in tests/bench (`half`); a busy machine delays the server, too."""
    (tmp_path / "locustfile.py").write_text(HALF_A_CORE)
    spinner = subprocess.Popen([sys.executable, "-c", SPIN])
    over = threading.Event()
    # What the machine makes of the server's 20 ms, where nothing holds up the caller but the machine.
    seen: list[float] = []

    def ask() -> None:
        while not over.is_set():
            begin = time.monotonic()
            with urllib.request.urlopen(target.url + "/delay/20", timeout=120):
                seen.append(1000 * (time.monotonic() - begin))

    beside = threading.Thread(target=ask)
    beside.start()
    try:
        args = "--headless -u 300 -r 300 -t 4 --only-summary --json-file out --percentiles 0.5 --reset-stats"
        done = OURS.command(*args.split(), "--host", target.url, cwd=tmp_path, timeout=120)
    finally:
        over.set()
        beside.join()
        spinner.kill()
        spinner.wait()
    assert done.status == 0, done.stderr
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert row["generator"]["lagging_seconds"] >= 1 and row["generator"]["starved_max"] >= 10, done.stderr
    assert "The generator lagged in " in done.stderr
    assert 20 <= row["percentiles"]["0.5"] < 80 + statistics.median(seen)
