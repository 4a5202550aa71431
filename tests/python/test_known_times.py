"""Response times that are known, from 0.2 ms to 60 s, through the whole way of a run: what is told of them at its end
is true to 0.1 % or 10 us, in every file and table, in one process, and from workers bit for bit the same."""

from __future__ import annotations

import bisect
import csv
import json
import math
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from oracle import ENGINES
from servers import free_port

OURS, LOCUST = ENGINES
FRACTIONS = (0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)
COUNT = 20000

SCRIPT = """
import json, os
import gevent
from locust import User, constant, events, task
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "times.json")) as file:
    PARTS, TIMES = json.load(file)
class Replay(User):
    wait_time = constant(60)
    @task
    def replay(self):
        mine = TIMES[getattr(self.environment.runner, "worker_index", 0) :: PARTS]
        for place, ms in enumerate(mine):
            events.request.fire(request_type="GET", name=f"/{ms > 20}", response_time=ms, response_length=1)
            if place % 1000 == 0:
                gevent.sleep(0)
@events.init.add_listener
def on_init(environment, runner, **_):
    def wait_for_all():
        while runner.stats.total.num_requests < len(TIMES):
            gevent.sleep(0.1)
        runner.quit()
    if type(runner).__name__ != "WorkerRunner":
        gevent.spawn(wait_for_all)
"""


@pytest.fixture(scope="module")
def times() -> list[float]:
    """Even over the orders of magnitude, with a plateau such as caches make, and with the ends."""
    chance = random.Random(7)
    spread = [0.2 * (60000 / 0.2) ** chance.random() for _ in range(COUNT * 3 // 4)]
    plateau = [20 + chance.random() / 1000 for _ in range(COUNT - len(spread) - 2)]
    return chance.sample([*spread, *plateau, 0.2, 60000.0], COUNT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "locustfile.py").write_text(SCRIPT)
    return tmp_path


def prepare(folder: Path, times: list[float], parts: int) -> list[str]:
    """The arguments of a run in which so many users replay a part each."""
    (folder / "times.json").write_text(json.dumps([parts, times]))
    return f"--headless -u {parts} -r {parts} -t 100s --only-summary --json-file out --csv out".split()


def run(folder: Path, times: list[float], parts: int, *more: str) -> str:
    done = OURS.command(*prepare(folder, times, parts), *more, cwd=folder, timeout=150)
    assert done.status == 0, done.stderr
    return done.stderr


def exact(*more: str) -> list[str]:
    return ["--percentiles", ",".join(map(str, FRACTIONS)), "--html", "out.html", *more]


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads((folder / "out.json").read_text())}


def by_name(times: list[float]) -> dict[str, list[float]]:
    return {f"/{is_long}": sorted(ms for ms in times if (ms > 20) == is_long) for is_long in (False, True)}


def is_true(told: float, ordered: list[float], fraction: float) -> bool:
    truth = ordered[math.ceil(fraction * len(ordered) - 0.001) - 1]
    return abs(told - truth) <= max(0.001 * truth, 0.01)


def test_every_file_and_table_tells_the_truth(folder: Path, times: list[float]) -> None:
    console = run(folder, times, 1, *exact())
    truth = by_name(times)
    rows = rows_of(folder)
    assert set(rows) == set(truth)
    for name, ordered in truth.items():
        told = [rows[name]["percentiles"][str(fraction)] for fraction in FRACTIONS]
        for fraction, ms in zip(FRACTIONS, told, strict=True):
            assert is_true(ms, ordered, fraction), (name, fraction, ms)
        assert (rows[name]["num_requests"], rows[name]["min_response_time"], rows[name]["max_response_time"]) == (
            len(ordered), pytest.approx(ordered[0], abs=1e-5), pytest.approx(ordered[-1], abs=1e-5)
        )  # fmt: skip
    with (folder / "out_percentiles.csv").open(newline="") as file:
        table = {row["Name"]: row for row in csv.DictReader(file)}
    tables = {**truth, "Aggregated": sorted(times)}
    extras = re.search(r"window\.reportExtras = (\{.*\})\n", (folder / "out.html").read_text())
    assert extras
    in_report = json.loads(extras[1])["exact_times"]
    printed = console.split("Response time percentiles (ms, true to 0.1 %)")[1].split("\n\n")[0]
    for place, (name, ordered) in enumerate(tables.items()):
        cells = [float(cell) for cell in list(table[name].values())[2:]]
        line = re.search(rf"^.*{name} +([\d. ]+?)\s*$", printed, re.MULTILINE)
        assert line
        shown = [float(cell) for cell in line[1].split()]
        for fraction, of_file, of_console, of_report in zip(
            FRACTIONS, cells, shown[: len(FRACTIONS)], in_report[place], strict=True
        ):
            assert is_true(of_file, ordered, fraction) and is_true(of_report, ordered, fraction)
            assert abs(of_console - of_file) <= 0.001 * of_file, (name, fraction)


def test_two_workers_tell_what_one_process_tells(folder: Path, times: list[float]) -> None:
    """Percentiles bit for bit; Locust's counts of rounded times as well."""
    same = ("percentiles", "response_times", "num_requests", "min_response_time", "max_response_time")
    found = []
    for parts in (1, 2):
        fleet = ["--processes", "2", "--master-bind-port", str(free_port())] if parts == 2 else []
        run(folder, times, parts, *exact(*fleet))
        rows = rows_of(folder)
        found.append({name: {key: row[key] for key in same} for name, row in rows.items()})
    assert found[0] == found[1]


@pytest.mark.skipif(LOCUST.python is None, reason="real Locust is not installed")
def test_a_real_master_gets_what_its_own_rounding_makes(folder: Path, times: list[float]) -> None:
    """DST-14: from two of our workers a real master has what it would have counted itself."""
    port = str(free_port())
    shared = prepare(folder, times, 2)
    nodes = [OURS.start("--worker", "--master-port", port, cwd=folder) for _ in range(2)]
    try:
        nodes.append(LOCUST.start("--master", "--master-bind-port", port, "--expect-workers", "2", *shared, cwd=folder))
        _, errors = nodes[-1].communicate(timeout=150)
        assert nodes[-1].returncode == 0, errors
    finally:
        for node in nodes:
            node.kill()
            node.communicate()
    rows = rows_of(folder)
    for name, ordered in by_name(times).items():
        expected = Counter(round(ms, -places_of(ms)) for ms in ordered)
        assert {float(key): count for key, count in rows[name]["response_times"].items()} == expected
        assert rows[name]["max_response_time"] == pytest.approx(ordered[-1], abs=1e-5)


def places_of(ms: float) -> int:
    return bisect.bisect_right((100, 1000, 10000), ms)
