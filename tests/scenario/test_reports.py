"""The live table, CSV and JSON: what is written at the end is what happened."""

import json
from pathlib import Path

import pytest
from engines import ROW, Engine, Result
from servers import Target

MIXED = """
from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def pages(self):
        self.client.get("/hello")
        self.client.post("/echo", data="x", name='a "quoted", name')
        self.client.get("/status/404", name="/missing")
        if not getattr(self, "has_failed", False):
            self.has_failed = True
            raise ValueError("oops")
"""

# The page that is missing is the last one of a round.
FAILED = "stats.total.num_failures"

STATS_HEADER = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%"
)
HISTORY_HEADER = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,"
    "Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,"
    "Total Min Response Time,Total Max Response Time,Total Average Content Size"
)


@pytest.fixture(scope="module")
def result(engine: Engine, target: Target) -> Result:
    # Each user raised once, and a history of some seconds was written.
    written = "open(environment.parsed_options.csv_prefix + '_stats_history.csv').read().count(',Aggregated,') > 4"
    return engine.load(
        engine.locustfile(MIXED),
        "--csv-full-history",
        host=target.url,
        users=4,
        until=f"sum(row['count'] for row in runner.exceptions.values()) == 4 and {written}",
    )


def first_line(result: Result, kind: str) -> bytes:
    return Path(f"{result.csv_prefix}_{kind}.csv").read_bytes().partition(b"\n")[0]


def test_csv_headers(result: Result) -> None:
    """REP-28, REP-29"""
    assert first_line(result, "stats") == STATS_HEADER.encode() + b"\r"
    assert first_line(result, "stats_history") == HISTORY_HEADER.encode() + b"\r"
    assert first_line(result, "failures") == b"Method,Name,Error,Occurrences,First Seen,Last Seen\r"
    assert first_line(result, "exceptions") == b"Count,Message,Traceback,Nodes\r"


def test_csv_is_the_final_state(engine: Engine, result: Result) -> None:
    """REP-30, REP-33"""
    rows = result.csv("stats")
    assert [row["Name"] for row in rows] == ["/hello", "/missing", 'a "quoted", name', "Aggregated"]
    for row in rows[:-1]:
        printed = result.rows[row["Type"], row["Name"]]
        if engine.is_cload:
            assert int(row["Request Count"]) == printed.requests
            assert int(row["Failure Count"]) == printed.failures
        assert float(row["Min Response Time"]) <= float(row["Average Response Time"]) <= float(row["Max Response Time"])
        assert int(row["50%"]) <= int(row["95%"]) <= int(row["100%"])
    assert int(rows[-1]["Request Count"]) == sum(int(row["Request Count"]) for row in rows[:-1])


def test_csv_failures_and_exceptions(result: Result) -> None:
    (failure,) = result.csv("failures")
    assert (failure["Method"], failure["Name"]) == ("GET", "/missing")
    assert failure["Error"] == "HTTPError('404 Client Error: Not Found for url: /missing')"
    assert failure["First Seen"] <= failure["Last Seen"]
    (exception,) = result.csv("exceptions")
    assert (exception["Count"], exception["Message"], exception["Nodes"]) == ("4", "oops", "local")
    assert 'raise ValueError("oops")' in exception["Traceback"]


def test_csv_history(result: Result) -> None:
    """REP-35, REP-37"""
    rows = result.csv("stats_history")
    assert {row["Name"] for row in rows} == {"/hello", "/missing", 'a "quoted", name', "Aggregated"}
    total = [row for row in rows if row["Name"] == "Aggregated"]
    assert len(total) >= 4
    counts = [int(row["Total Request Count"]) for row in total]
    assert counts == sorted(counts) and counts[0] == 0 and counts[-1] > 0
    assert "4" in {row["User Count"] for row in total}


def test_exit_code_on_error(engine: Engine, target: Target) -> None:
    """CLI-48, CLI-82"""
    result = engine.load(engine.locustfile(MIXED), "--exit-code-on-error", "7", host=target.url, users=1, until=FAILED)
    assert result.code == 7, str(result)


def test_own_exit_code(engine: Engine, target: Target) -> None:
    """CLI-86"""
    source = MIXED.replace("import HttpUser", "import events, HttpUser") + (
        "\n\n@events.quitting.add_listener\ndef decide(environment, **kwargs):\n"
        "    environment.process_exit_code = 42 if environment.stats.total.fail_ratio > 0.1 else 0\n"
    )
    result = engine.load(engine.locustfile(source), host=target.url, users=1, until=FAILED)
    assert result.code == 42, str(result)


TABLES = """

import logging


class Tables(logging.Handler):
    count = 0

    def emit(self, record):
        self.count += " Aggregated " in record.getMessage()
        if self.count == 3:
            self.environment.runner.quit()


from locust import events


@events.init.add_listener
def on_init(environment, **_):
    tables = Tables()
    tables.environment = environment
    logging.getLogger("locust.stats_logger").addHandler(tables)
"""


def test_live_table(engine: Engine, target: Target) -> None:
    """CLI-99, CLI-102: at once, then every two seconds, then the end."""
    path = engine.locustfile(MIXED + TABLES)
    result = engine.run("-f", path, "--headless", "-u", "2", "-r", "2", "-t", "100s", "--host", target.url)
    totals = [
        match for line in result.stderr.splitlines() if (match := ROW.match(line)) and match["name"] == "Aggregated"
    ]
    assert len(totals) == 4, str(result)
    counts = [int(match["requests"]) for match in totals]
    assert counts == sorted(counts) and counts[0] < counts[-1]
    assert "Response time percentiles (approximated)" in result.stderr
    assert "Error report" in result.stderr


def test_json(engine: Engine, target: Target) -> None:
    """REP-38, REP-39"""
    result = engine.load(engine.locustfile(MIXED), "--json", host=target.url, users=2, until=FAILED)
    entries = {entry["name"]: entry for entry in json.loads(result.stdout)}
    assert set(entries) == {"/hello", "/missing", 'a "quoted", name'}
    entry = entries["/missing"]
    assert entry["method"] == "GET"
    assert entry["num_requests"] == entry["num_failures"] == sum(entry["response_times"].values()) > 0
    assert sum(entry["num_reqs_per_sec"].values()) == entry["num_requests"]


def test_json_file(engine: Engine, target: Target, tmp_path: Path) -> None:
    """CLI-42"""
    path = tmp_path / "result"
    result = engine.load(engine.locustfile(MIXED), "--json-file", path, host=target.url, users=1, until=FAILED)
    assert result.code == 1
    assert {entry["name"] for entry in json.loads((tmp_path / "result.json").read_text())} > {"/hello"}


def test_quiet_table_when_nothing_was_asked(engine: Engine, target: Target) -> None:
    """No requests: tables without rows, exit code 0."""
    source = "from locust import User, constant, task\n\n\nclass Idle(User):\n    wait_time = constant(1)\n\n"
    source += "    @task\n    def nothing(self):\n        pass\n"
    result = engine.load(engine.locustfile(source), host=target.url, users=3, run_time="1s")
    assert result.code == 0, str(result)
    assert result.rows == {}
    assert result.total is not None and result.total.requests == 0
