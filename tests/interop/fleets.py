"""What tests of fleets share: locustfiles, and processes that are ended with the test."""

import contextlib
import socket
import subprocess
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
    if hasattr(runner, "clients"):
        runner.register_message("pong", on_pong)
        events.spawning_complete.add_listener(lambda **_: runner.send_message("ping", {1: [None, b"x"]}))
        events.spawning_complete.add_listener(lambda **_: open(__file__ + ".spawned", "w").close())
    else:
        runner.register_message("ping", on_ping)
"""
SOURCE = USERS + HOOKS


def wait_for_users(locustfile: Path, seconds: float = 0) -> None:
    """Until the master has said that all are there, and some time more."""
    marker = Path(f"{locustfile}.spawned")
    deadline = time.monotonic() + 40
    while not marker.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(seconds)


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
        run_time: str = "3s",
    ) -> Result:
        bind = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(self.port))
        return engine.load(locustfile, *bind, "--exit-code-on-error", "0", *args, during=during, run_time=run_time)

    def wait_for_master(self) -> None:
        """Until somebody listens on its port."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.05)

    def end(self, process: "subprocess.Popen[str]") -> Result:
        stdout, stderr = process.communicate(timeout=20)
        result = Result(process.returncode, stdout, stderr, 0, Path("none"))
        parse_tables(stderr, result)
        return result
