"""What tests of fleets share: locustfiles, and processes that are ended with the test."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engines import Engine, Result, parse_tables

USERS = """
from locust import HttpUser, constant, events, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task(3)
    def hello(self):
        self.client.get("/hello")

    @task(1)
    def missing(self):
        self.client.get("/status/404", name="/missing")

class Guest(Visitor):
    @task
    def fails(self):
        raise RuntimeError("by design")
"""
# A master asks all workers when their users are there, prints what they answer, and leaves a mark for tests that wait.
HOOKS = """
@events.init.add_listener
def on_init(environment, runner, **_):
    def on_ping(environment, msg, **_):
        environment.runner.send_message("pong", {"index": environment.runner.worker_index, "got": msg.data})
    def on_pong(environment, msg, **_):
        print("pong", msg.data, flush=True)
        environment.pongs = getattr(environment, "pongs", 0) + 1
    if hasattr(runner, "clients"):
        runner.register_message("pong", on_pong)
        events.spawning_complete.add_listener(lambda **_: runner.send_message("ping", {1: [None, b"x"]}))
        events.spawning_complete.add_listener(lambda **_: open(__file__ + ".spawned", "w").close())
    else:
        runner.register_message("ping", on_ping)
"""
SOURCE = USERS + HOOKS
# The master leaves a mark once there is something to be told, and counts its ramps.
MARK = """
import gevent

@events.init.add_listener
def watch(environment, runner, **_):
    def mark():
        while not environment.ramps or runner.stats.total.num_requests < 100 or not runner.exceptions:
            gevent.sleep(0.02)
        open(__file__ + ".enough", "w").close()
    def on_complete(**_):
        environment.ramps += 1
        environment.requests_then = runner.stats.total.num_requests
    if hasattr(runner, "clients"):
        environment.ramps = 0
        events.spawning_complete.add_listener(on_complete)
        gevent.spawn(mark)
"""

# All users are there when their workers have said so, however late that is; else a master waits a second for that.
PATIENT = {"LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP": "100"}


def wait_for_users(locustfile: Path, seconds: float = 0) -> None:
    """Until the master has said that all are there, and some time more."""
    marker = Path(f"{locustfile}.spawned")
    deadline = time.monotonic() + 90
    while not marker.exists():
        assert time.monotonic() < deadline, "the users did not come"
        time.sleep(0.05)
    time.sleep(seconds)


def wait_for_words(process: "subprocess.Popen[str]", words: str) -> None:
    """Until it has said them on its standard error."""
    guard = threading.Timer(100, process.kill)
    guard.start()
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            guard.cancel()
            return
    raise AssertionError(f"not {words!r}, but {said}")


class Fleet:
    """Processes that are ended with the test."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.processes: list[subprocess.Popen[str]] = []

    def worker(self, engine: Engine, locustfile: Path | str, *args: str) -> "subprocess.Popen[str]":
        process = engine.start("-f", locustfile, "--worker", "--master-port", str(self.port), *args)
        self.processes.append(process)
        return process

    def master(
        self,
        engine: Engine,
        locustfile: Path,
        *args: str,
        during: "Callable[[subprocess.Popen[str]], None] | None" = None,
        run_time: str | None = None,
        until: str | None = None,
    ) -> Result:
        bind = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(self.port))
        args = (*bind, "--exit-code-on-error", "0", *args)
        return engine.load(locustfile, *args, during=during, run_time=run_time, until=until, env=PATIENT)

    def wait_for_master(self) -> None:
        """Until somebody listens on its port."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 10).close()
                return
            time.sleep(0.05)
        raise AssertionError("the master does not listen")

    def end(self, process: "subprocess.Popen[str]") -> Result:
        stdout, stderr = process.communicate(timeout=120)
        result = Result(process.returncode, stdout, stderr, 0, Path("none"))
        parse_tables(stderr, result)
        return result
