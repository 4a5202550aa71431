"""The HTML report as a file: what it holds, and that it stays small."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from oracle import ENGINES

CODE = """
import random, sys
from locust import User, task
from locust._timeline import Sample, Timeline
from locust.env import Environment
from locust.html import write_html_report
from locust.util.date import format_utc_timestamp
class Visitor(User):
    @task
    def look(self): pass
path, names, hours, failures = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
chance = random.Random(1)
environment = Environment(user_classes=[Visitor], locustfile="mine.py", profile="nightly")
runner = environment.create_local_runner()
stats = environment.stats
for number in range(names):
    for _ in range(1 + number % 9):
        time = chance.lognormvariate(4, 1)
        stats.log_request("GET", f"/api/customers/{number}/orders", time, chance.randint(1, 9999))
for number in range(failures):
    stats.log_error("GET", "/api/customers/1/orders", f"HTTPError('500 Server Error: /api/{chance.random()}')")
if failures:
    runner.exceptions = {
        n: {"count": n, "msg": "m", "traceback": f"{n}" + "t" * 9000, "nodes": {"a"}} for n in range(99)
    }
began = stats.start_time - 3600 * hours
for number in range(int(hours * 720)):
    now = format_utc_timestamp(began + 5 * number)
    values = {"current_rps": chance.random(), "current_fail_per_sec": chance.random(), "user_count": number,
        "response_time_percentile_0.5": number, "response_time_percentile_0.95": chance.randint(1, 999),
        "total_avg_response_time": chance.random()}
    stats.history.append({"time": now, **{name: [now, value] for name, value in values.items()}})
environment._timeline = timeline = Timeline(environment)
timeline.run_count = 1
for number in range(int(hours * 1800)):
    heat = (20, *[chance.randint(0, 500) for _ in range(40)])
    now = round(began + 2 * number, 2)
    timeline._add(Sample(now, 2.0, 1, number, chance.random(), 0.0, (1, 2), heat, (), 5.0, 1.5, 0))
write_html_report(environment, path)
entries = sorted(stats.entries.values(), key=lambda one: (one.name, one.method))
out([entry.to_dict() for entry in [*entries, stats.total]])
"""


def expanded(value: Any) -> Any:
    """As the page does it."""
    if isinstance(value, list):
        return [expanded(one) for one in value]
    if isinstance(value, dict) and "$table" in value:
        columns = {key: expanded(cells) for key, cells in value["$table"].items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if isinstance(value, dict):
        return {key: expanded(one) for key, one in value.items()}
    return value


def report(path: Path, names: int, hours: float, failures: int = 0) -> tuple[str, dict[str, Any], dict[str, Any], Any]:
    """The page, its data, its extras, and all entries as they were."""
    entries = ENGINES[0].snippet(CODE, str(path), str(names), str(hours), str(failures))
    text = path.read_text(encoding="utf-8")
    packed = re.search(r'window\.reportData = "([^"]*)"', text)
    if packed:
        data = expanded(json.loads(zlib.decompress(base64.b64decode(packed[1]))))
        return text, data["templateArgs"], data["reportExtras"], entries
    found = [re.search(rf"window\.{name} = (\{{.*\}})\n", text) for name in ("templateArgs", "reportExtras")]
    assert found[0] and found[1]
    return text, json.loads(found[0][1]), json.loads(found[1][1]), entries


def test_a_small_report_can_be_read_by_others(tmp_path: Path) -> None:
    """REP-42, REP-43, REP-44: the data stand in the page as in Locust's."""
    text, args, extras, entries = report(tmp_path / "r.html", 5, 0.02)
    assert "reportData = " not in text
    assert args["requests_statistics"] == entries
    assert args["locustfile"] == "mine.py"
    assert extras["timeline"]["columns"][0] == "time"
    assert extras["bands"][0]["name"] == "Aggregated"
    assert len(text) < 250_000


def test_five_thousand_names_and_eight_hours(tmp_path: Path) -> None:
    """All names are there; numbers keep what a page shows of them."""
    text, args, extras, entries = report(tmp_path / "r.html", 5000, 8)
    assert len(text.encode()) < 600_000
    assert len(args["requests_statistics"]) == len(args["response_time_statistics"]) == 5001
    for row, entry in zip(args["requests_statistics"], entries, strict=True):
        assert row.keys() == entry.keys()
        for key, value in entry.items():
            assert abs(row[key] - value) < 0.0006 if isinstance(value, float) else row[key] == value
    # The last sample is of the moment of the report.
    assert 200 < len(args["history"]) <= 501
    assert args["history"][-2]["user_count"][1] > 8 * 720 - 60
    samples = extras["timeline"]["samples"]
    assert 250 < len(samples) <= 600
    # Nothing is lost by merging.
    assert sum(sample[1] for sample in samples) == pytest.approx(8 * 3600, rel=0.01)
    assert extras["left_out"] == {}


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    text, args, extras, entries = report(tmp_path / "r.html", 15_000, 0.5, failures=6000)
    assert len(text.encode()) < 600_000
    kept = args["requests_statistics"]
    assert kept[-1]["name"] == "Aggregated"
    assert 1000 < len(kept) == 15_001 - extras["left_out"]["requests_statistics"]
    # Those with most requests.
    assert min(row["num_requests"] for row in kept) > min(entry["num_requests"] for entry in entries)
    assert extras["left_out"]["failures_statistics"] == 6000 - len(args["failures_statistics"])
    assert len(args["exceptions_statistics"]) + extras["left_out"].get("exceptions_statistics", 0) == 99
