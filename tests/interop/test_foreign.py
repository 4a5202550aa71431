"""Workers in other languages under our master: the real boomer (Go) and locust4j (Java), beside one of ours.

They are libraries, so a program that uses one is needed: CLOAD_TEST_BOOMER and CLOAD_TEST_LOCUST4J are commands with
`{port}` for the master's. What their tasks do is up to them, as long as they report requests of more names than one.
Seen with boomer f1c3b61 (July 2026) and locust4j 2.2.5. boomer 1.6.0 speaks the protocol of Locust 1, and our master
tells it so.
"""

import os
import shlex
import subprocess

import pytest
from engines import Engine
from fleets import Fleet
from servers import Target

SOURCE = """
import gevent
from locust import HttpUser, constant, events, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def ours(self):
        self.client.get("/hello", name="/ours")

class Guest(Visitor):
    pass

@events.init.add_listener
def on_init(environment, runner, **_):
    if not hasattr(runner, "clients"):
        return
    ramps = []
    def go_on():
        runner.send_message("ping", ["x", None, {1: b"bytes"}])
        gevent.sleep(3.5)
        if len(ramps) == 1:
            runner.start(3, 100)
        elif len(ramps) == 2:
            names = {entry.name for entry in runner.stats.entries.values()}
            print("NAMES", len(names), sum(e.num_requests for e in runner.stats.entries.values()), flush=True)
            print("TOTAL", runner.stats.total.num_requests, flush=True)
            runner.stop()
            while runner.worker_count < 2:
                gevent.sleep(0.05)
            runner.start(4, 100)
        else:
            runner.quit()
    def on_complete(user_count, **_):
        ramps.append(user_count)
        print("USERS", user_count, runner.user_count, flush=True)
        gevent.spawn(go_on)
    events.spawning_complete.add_listener(on_complete)
"""


@pytest.mark.parametrize("kind", ["boomer", "locust4j"])
def test_the_real_program(fleet: Fleet, engine: Engine, target: Target, kind: str) -> None:
    """DST-4 to DST-7, DST-14, DST-16 to DST-18, DST-21, DST-22, DST-26 to DST-29: three ramps and a stop."""
    command = os.environ.get(f"CLOAD_TEST_{kind.upper()}")
    if not command:
        pytest.skip(f"CLOAD_TEST_{kind.upper()} names no worker made with {kind}")
    locustfile = engine.locustfile(SOURCE)
    fleet.worker(engine, locustfile)

    def join(process: "subprocess.Popen[str]") -> None:
        fleet.wait_for_master()
        fleet.processes.append(
            subprocess.Popen(
                shlex.split(command.format(port=fleet.port)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )

    result = fleet.master(
        engine, locustfile, "--expect-workers", "2", "--host", target.url, "-u", "6", during=join, run_time="100s"
    )
    assert result.code == 0, str(result)
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.startswith("USERS")] == ["USERS 6 6", "USERS 3 3", "USERS 4 4"], str(result)
    told = {line.split()[0]: [int(word) for word in line.split()[1:]] for line in lines if line.startswith(("N", "T"))}
    names, requests = told["NAMES"]
    assert names >= 3 and requests == told["TOTAL"][0] > 100, str(result)
    assert "not understood" not in result.stderr and "lacks" not in result.stderr, str(result)
