"""One long scenario on a mixed fleet, with our master and with real Locust's: both have to come to the same."""

from pathlib import Path

import pytest
from engines import Engine
from fleets import PATIENT, Fleet
from servers import Target

CLASSES = """
from locust import HttpUser, constant, tag, task

class Visitor(HttpUser):
    weight = 9
    wait_time = constant(0.05)

    @tag("wanted")
    @task(4)
    def hello(self):
        self.client.get("/hello")

    @task
    def unwanted(self):
        self.client.get("/hello", name="/unwanted")

class Guest(Visitor):
    weight = 1

    @tag("wanted")
    @task
    def fails(self):
        self.client.get("/status/404", name="/missing")
        raise RuntimeError("by design")
"""
SOURCE = """
import gevent
from classes import Guest, Visitor
from locust import LoadTestShape, events
from locust.runners import MasterRunner

PAYLOAD = {
    "text": "\\u00e9\\u4e2d\\U0001f600" * 300, "bytes": bytes(range(256)), "none": None, "true": True,
    "large": [2**63 - 1, 2**64 - 1, -(2**63), 0, -1], "float": [0.1, 1e300, float("inf")],
    "nested": [[], {}, [{"a": [1, [2, [3, {"b": b""}]]]}]], 7: "a key that is no text", -1: {2: 3},
}

class Steps(LoadTestShape):
    use_common_options = False

    steps = [(4, 100), (7, 100, [Visitor]), (2, 100)]
    pongs = 0

    def tick(self):
        # The next step once both workers have answered what was asked in the one before.
        step = self.pongs // 2
        return self.steps[step] if step < len(self.steps) else None

@events.init_command_line_parser.add_listener
def on_parser(parser):
    parser.add_argument("--answer", default="none")

@events.init.add_listener
def on_init(environment, runner, **_):
    def on_ping(environment, msg, **_):
        answer = environment.parsed_options.answer
        environment.runner.send_message("pong", [environment.runner.worker_index, answer, msg.data])
    if not isinstance(runner, MasterRunner):
        runner.register_message("ping", on_ping)
        events.report_to_master.add_listener(lambda client_id, data: data.update(own={client_id: 1}))
        return
    seen = {"connected": 0, "own": set()}
    def on_pong(environment, msg, **_):
        index, answer, data = msg.data
        assert data == PAYLOAD, data
        print("PONG", index, answer, flush=True)
        environment.shape_class.pongs += 1
    def on_connect(client_id, **_):
        seen["connected"] += 1
    def on_report(client_id, data):
        seen["own"].update(data["own"])
        assert client_id in data["own"]
    def on_complete(user_count, **_):
        classes = sorted((name, n) for name, n in runner.target_user_classes_count.items() if n)
        print("USERS", user_count, classes, flush=True)
        runner.send_message("ping", PAYLOAD)
    runner.register_message("pong", on_pong)
    events.worker_connect.add_listener(on_connect)
    events.worker_report.add_listener(on_report)
    events.spawning_complete.add_listener(on_complete)
    events.quitting.add_listener(lambda **_: print("SEEN", seen["connected"], len(seen["own"]), flush=True))
"""


@pytest.mark.parametrize("kind", ["cload", "locust"])
def test_a_long_scenario(fleet: Fleet, engine: Engine, locust: Engine, target: Target, kind: str) -> None:
    """DST-1, DST-4 to DST-8, DST-11, DST-13 to DST-29, DST-33 to DST-36, DST-38, DST-53, DST-76; CLI-74.

    A shape with classes, tags, equal weights, options of the locustfile's own, messages of any data both ways,
    exceptions, stop timeouts, an exit status, and files that a worker of the other kind is given."""
    master, other = (engine, locust) if kind == "cload" else (locust, engine)
    before = target.counters()["requests"]
    folder = Path(master.locustfile(CLASSES)).parent
    (folder / "classes.py").write_text(CLASSES)
    source = folder / "mixed.py"
    source.write_text(SOURCE)
    files = f"{folder / 'classes.py'},{source}"
    workers = [fleet.worker(master, files), fleet.worker(other, "-")]
    result = master.run(
        *("-f", files, "--headless", "--master", "--master-bind-host", "127.0.0.1"),
        *("--master-bind-port", str(fleet.port), "--expect-workers", "2", "--expect-workers-max-wait", "90"),
        *("--host", target.url, "--tags", "wanted", "--equal-weights", "--answer", "42", "--stop-timeout", "30"),
        *("--exit-code-on-error", "3", "--csv", str(folder / "mixed"), "--only-summary"),
        env=PATIENT,
    )
    result.csv_prefix = folder / "mixed"
    ended = [fleet.end(worker) for worker in workers]
    said = "\n".join(map(str, [result, *ended]))
    assert result.code == 3, said
    lines = result.stdout.splitlines()
    users = [line for line in lines if line.startswith("USERS")]
    assert users == [
        "USERS 4 [('Guest', 2), ('Visitor', 2)]",
        "USERS 7 [('Guest', 2), ('Visitor', 5)]",
        "USERS 2 [('Guest', 1), ('Visitor', 1)]",
    ], said
    assert sorted(line for line in lines if line.startswith("PONG")) == 3 * ["PONG 0 42"] + 3 * ["PONG 1 42"], said
    assert [line for line in lines if line.startswith("SEEN")] == ["SEEN 2 2"], said
    assert result.names == {("GET", "/hello"), ("GET", "/missing")}, said
    assert result.total is not None and result.total.requests > 40, said
    assert 0 <= target.counters()["requests"] - before - 1 - result.total.requests <= 4, said
    missing = result.rows["GET", "/missing"]
    assert missing.failures == missing.requests == result.total.failures == sum(result.errors.values()), said
    assert "HTTPError('404 Client Error: Not Found for url: /missing')" in next(iter(result.errors)), said
    rows = {row["Name"]: row for row in result.csv("stats")}
    assert all(float(row["50%"]) <= float(row["95%"]) <= float(row["100%"]) for row in rows.values()), said
    assert rows["Aggregated"]["Request Count"] == str(result.total.requests), said
    exceptions = result.csv("exceptions")
    assert [row["Message"] for row in exceptions] == ["by design"] and exceptions[0]["Nodes"], said
    assert all(worker.code in (0, 1, 3) for worker in ended), said
