"""Statistics and reports as scripts see them: the same code under both programs."""

from __future__ import annotations

from typing import Any

import pytest
from oracle import ENGINES, both, needs_locust

pytestmark = needs_locust

SET_UP = """
import csv, io, json, re
import gevent
import locust.stats as stats
from locust import TaskSet, User, task
from locust.env import Environment
class A(User):
    weight = 3
    @task(2)
    def often(self): gevent.sleep(1)
    @task
    class Nested(TaskSet):
        @task
        def inner(self): gevent.sleep(1)
class B(User):
    host = "http://b"
    @task
    def other(self): gevent.sleep(1)
environment = Environment(user_classes=[A, B], locustfile="mine.py")
runner = environment.create_local_runner()
numbers = environment.stats
"""
CODE = {
    "REP-14-REP-19-averages": """
for time, length in ((1.5, 10), (2.25, 0), (None, 5), (100.25, 100)):
    numbers.log_request("GET", "/a", time, length)
entry = numbers.get("/a", "GET")
out([entry.avg_response_time, entry.avg_content_length, entry.num_none_requests, numbers.total.avg_response_time,
    numbers.get("/empty", "GET").avg_response_time, numbers.get("/empty", "GET").avg_content_length])
""",
    "REP-20-rounding": """
from locust.util.rounding import proper_round
for time in (10.5, 11.5, 10.4999):
    numbers.log_request("GET", "/a", time, 1)
row = numbers.get("/a", "GET").to_dict()
values = [proper_round(value, digits) for value in (0.5, 1.5, 2.5, 2.675, 10.5, 1234.5678) for digits in (0, 1, 2)]
out([row["min_response_time"], row["max_response_time"], values, [type(value).__name__ for value in values]])
""",
    "REP-22-exceptions": """
for node in ("local", "other", "local"):
    runner.log_exception(node, "oops", "Traceback ...")
runner.log_exception("local", "oops", "another")
out(sorted([row["count"], row["msg"], row["traceback"], sorted(row["nodes"]), sorted(row)]
    for row in runner.exceptions.values()))
""",
    "REP-24-history": """
stats.HISTORY_STATS_INTERVAL_SEC = 0.05
taking = gevent.spawn(stats.stats_history, runner)
rest(0.3)
seen = [len(numbers.history)]
runner.state = "running"
rest(0.5)
seen.append(len(numbers.history) > 3)
seen.append(sorted(numbers.history[0]))
runner.state = "stopped"
gevent.sleep(0.1)
count = len(numbers.history)
rest(0.3)
seen.append(len(numbers.history) - count)
out(seen)
""",
    "REP-26-validation": """
seen = []
for setting, value in (("CHART", [0.1] * 7), ("CHART", [1.0]), ("CHART", [0]), ("CHART", ["x"]), ("CHART", [0.5]),
        ("STATISTICS", [1.0]), ("STATISTICS", [-1]), ("STATISTICS", [0.1] * 9)):
    stats.PERCENTILES_TO_CHART, stats.PERCENTILES_TO_STATISTICS = [0.5, 0.95], [0.95, 0.99]
    setattr(stats, "PERCENTILES_TO_" + setting, value)
    try:
        stats.validate_stats_configuration()
        seen.append("fine")
    except SystemExit as end:
        seen.append(end.code)
out(seen)
""",
    "REP-32-REP-33-csv": """
numbers.log_request("POST", "/b", 12.5, 3)
numbers.get("/a", "GET")
numbers.log_error("GET", "/c", "failed")
text = io.StringIO()
stats.StatsCSV(environment, stats.PERCENTILES_TO_REPORT).requests_csv(csv.writer(text))
rows = list(csv.reader(io.StringIO(text.getvalue())))
out([row[:4] + row[11:] for row in rows])
""",
    "REP-41-serialized": """
numbers.log_request("GET", "/a", 5, 3)
numbers.get("/unused", "GET")
first = [[row["name"], row["num_requests"]] for row in numbers.serialize_stats()]
out([first, numbers.get("/a", "GET").num_requests, numbers.serialize_stats(), numbers.total.num_requests])
""",
    "REP-43-REP-45-REP-46-REP-48-REP-49-report": """
from locust.html import get_html_report
for number in range(20):
    numbers.log_request("GET", "/a", 5 * number, 3)
numbers.log_request("GET", "/b", None, 3)
for text in ("one", "two", "two"):
    numbers.log_error("GET", "/a", text)
for node in ("n2", "n1"):
    runner.log_exception(node, "oops", "trace")
runner.final_user_classes_count = {"A": 6, "B": 2}
runner.state = "stopped"
args = json.loads(re.search(r"window.templateArgs = (\\{.*\\})", get_html_report(environment))[1])
failures = [[row[key] for key in ("method", "name", "error", "occurrences")] for row in args["failures_statistics"]]
exceptions = [[row["count"], row["msg"], row["traceback"], sorted(row["nodes"].split(", "))]
    for row in args["exceptions_statistics"]]
requests = [{key: value for key, value in row.items() if "rps" not in key and "per_sec" not in key}
    for row in args["requests_statistics"]]
out([sorted(args), args["response_time_statistics"], failures, exceptions, requests, args["tasks"], args["host"],
    args["locustfile"], args["profile"], args["is_report"], args["show_download_link"], args["percentiles_to_chart"]])
""",
}


@pytest.mark.parametrize("name", CODE)
def test_same_result(name: str) -> None:
    ours, theirs = both(lambda engine: engine.snippet(SET_UP + CODE[name]))
    assert ours == theirs
    assert ours


def test_what_these_cases_are_about() -> None:
    """REP-14, REP-19, REP-20, REP-22, REP-24, REP-26, REP-32, REP-41, REP-45, REP-46, REP-49: none compares nothing."""
    results: dict[str, Any] = {
        name: ENGINES[0].snippet(SET_UP + CODE[name]) for name in ("REP-26-validation", "REP-41-serialized")
    }
    assert results["REP-26-validation"] == [1, 1, 1, 1, "fine", 1, 1, "fine"]
    assert results["REP-41-serialized"] == [[["/a", 1]], 0, [], 1]
