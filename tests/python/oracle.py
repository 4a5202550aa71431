"""Runs the same snippet or command under cload and under real Locust, each in a process of its own.

Real Locust is the one whose Python LOCUST_ORACLE names, or that of .venv-oracle, which `./dev test` sets up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What snippets can use. run() makes one test of some user classes; out() is the result.
_PREAMBLE = """
import json, logging, os, random, sys, time
import gevent
import locust
from locust import (HttpLocust, HttpUser, LoadTestShape, Locust, MarkovTaskSet, SequentialTaskSet, TaskSet, User,
    between, constant, constant_pacing, constant_throughput, events, poisson, tag, task, transition, transitions)
from locust.env import Environment
from locust.exception import *
from locust.runners import *
log = []
def note(*words):
    log.append(" ".join(str(word) for word in words))
def rest(seconds):
    "As sleep(), in pieces: of the time in which the machine lets this process do nothing, users lose one piece."
    for _ in range(20):
        gevent.sleep(seconds / 20)
def until(condition, seconds=60):
    with gevent.Timeout(seconds):
        while not condition():
            gevent.sleep(0.01)
def run(*classes, seconds=0.3, ready=None, users=None, **options):
    environment = Environment(user_classes=list(classes), **options)
    def on_error(user_instance, exception, **_):
        note("user_error", type(user_instance).__name__, repr(exception))
    environment.events.user_error.add_listener(on_error)
    runner = environment.create_local_runner()
    runner.start(users or len(classes), 100)
    rest(seconds)
    if ready:
        until(ready)
    runner.quit()
    return environment
def out(value):
    print("RESULT " + json.dumps(value), flush=True)
"""

# Seconds in which whatever is waited for has come on the busiest machine: no test is about them.
PATIENCE = 120

LOCUSTFILE = """
import logging, os, sys
from locust import User, constant, events, task
class A(User):
    wait_time = constant(0.05)
    @task
    def t(self):
        events.request.fire(request_type="T", name="n", response_time=5, response_length=1)
"""
"""What commands run that no server is needed for."""


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Engine:
    """One of the two; `python` is None where it is not installed."""

    name: str
    python: str | None

    @property
    def is_ours(self) -> bool:
        return self.name == "cload"

    def snippet(self, code: str, *args: str, timeout: float = PATIENCE) -> Any:
        """What `code` gives to out()."""
        first = "import cload\n" if self.is_ours else ""
        done = self._run(["-c", first + _PREAMBLE + code, *args], None, {}, timeout)
        results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert results, f"no result, status {done.status}\n{done.stdout}\n{done.stderr}"
        return json.loads(results[-1].removeprefix("RESULT "))

    def command(
        self, *args: str, cwd: Path | None = None, env: dict[str, str] | None = None, timeout: float = PATIENCE
    ) -> Finished:
        """The command line program with these arguments."""
        return self._run(["-m", self.name, *args], cwd, env or {}, timeout)

    def start(self, *args: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """The command, still running."""
        assert self.python is not None
        return subprocess.Popen(
            [self.python, "-m", self.name, *args],
            cwd=cwd,
            env=environment_with({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[str, str]:
        """Ctrl-C, or another signal; what it said up to its end."""
        process.send_signal(number)
        try:
            return process.communicate(timeout=PATIENCE if self.is_ours else PATIENCE / 4)
        except subprocess.TimeoutExpired:
            if self.is_ours:
                process.kill()
                raise
            # Real Locust loses one that comes while a finalizer runs.
            process.send_signal(number)
            return process.communicate(timeout=PATIENCE)

    def _run(self, args: list[str], cwd: Path | None, env: dict[str, str], timeout: float) -> Finished:
        assert self.python is not None
        done = subprocess.run(
            [self.python, *args],
            cwd=cwd,
            env=environment_with(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)


def environment_with(extra: dict[str, str]) -> dict[str, str]:
    """This process' variables, without what would change the outcome, and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return {**kept, **extra}


def _find_locust() -> str | None:
    named = os.environ.get("LOCUST_ORACLE")
    if named:
        return named
    set_up = ROOT / ".venv-oracle" / "bin" / "python"
    return str(set_up) if set_up.exists() else None


ENGINES = (Engine("cload", sys.executable), Engine("locust", _find_locust()))
NO_LOCUST = "real Locust is not there: set LOCUST_ORACLE to its Python"
needs_locust = pytest.mark.skipif(ENGINES[1].python is None, reason=NO_LOCUST)
S = TypeVar("S")
T = TypeVar("T")


def side_by_side(run: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """What it gives for each of them, all at once: processes that run for a while sleep most of the time."""
    with ThreadPoolExecutor() as executor:
        return list(executor.map(run, items))


def both(run: Callable[[Engine], T]) -> tuple[T, T]:
    """What each gives, side by side: ours, theirs. The test is skipped where real Locust is not there."""
    if ENGINES[1].python is None:
        pytest.skip(NO_LOCUST)
    ours, theirs = side_by_side(run, ENGINES)
    return ours, theirs
