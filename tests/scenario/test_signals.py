"""Ctrl+C, the run-time limit, and what is left behind."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from engines import Engine, interrupt_after
from servers import Target

SLEEPER = """
import time

from locust import HttpUser, constant, task

users = set()
rounds = 2


class Sleeper(HttpUser):
    wait_time = constant(0.05)

    @task
    def hello(self):
        self.round = getattr(self, "round", 0) + 1
        if self.round == rounds:
            users.add(self)
            if len(users) == self.environment.runner.target_user_count:
                open(__file__ + ".begun", "w").close()
        self.client.get("/hello")

    def on_stop(self):
        self.client.get("/", name="goodbye")
"""

STUBBORN = SLEEPER.replace(
    'self.client.get("/", name="goodbye")', 'open(__file__ + ".stopping", "w").close()\n        time.sleep(600)'
)


def _interrupt(path: Path, number: int = signal.SIGINT) -> Callable[[subprocess.Popen[str]], None]:
    """When every user has come to its second round."""
    return interrupt_after(Path(f"{path}.begun"), number)


def test_interrupt_ends_orderly(engine: Engine, target: Target) -> None:
    """CLI-89: users stop (their on_stop runs), the final table is printed."""
    path = engine.locustfile(SLEEPER)
    result = engine.load(path, host=target.url, users=10, run_time="600s", during=_interrupt(path))
    assert result.code == 0, str(result)
    assert result.rows["GET", "goodbye"].requests == 10
    assert result.rows["GET", "/hello"].requests > 10
    assert result.total is not None and result.total.failures == 0
    assert "Traceback" not in result.stderr


def test_interrupt_twice_ends_at_once(engine: Engine, target: Target) -> None:
    """A second Ctrl+C does not wait for users that take their time, and what was measured is told all the same."""
    if not engine.is_cload:
        pytest.skip("Locust may go on waiting")
    path = engine.locustfile(STUBBORN)

    def during(process: "subprocess.Popen[str]") -> None:
        for place in ("begun", "stopping"):
            interrupt_after(Path(f"{path}.{place}"))(process)

    result = engine.load(path, host=target.url, users=5, run_time="600s", during=during)
    assert result.code == 130
    assert result.total is not None and result.total.requests > 0, str(result)


REPORT = """
import os
import signal

import locust.main

make_report = locust.main.get_html_report


def interrupted_report(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
    return make_report(*args, **kwargs)


locust.main.get_html_report = interrupted_report
"""


def test_interrupt_twice_in_the_report(engine: Engine, target: Target, tmp_path: Path) -> None:
    """CLI-89: a second Ctrl+C while the report is made costs the report, and nothing else."""
    if not engine.is_cload:
        pytest.skip("Locust loses the summary")
    path = engine.locustfile(SLEEPER + REPORT)
    report = str(tmp_path / "report.html")
    during = _interrupt(path)
    result = engine.load(path, "--html", report, host=target.url, users=5, run_time="600s", during=during)
    assert result.total is not None and result.total.requests > 0, str(result)
    assert (result.code, "was not written: interrupted" in result.stderr) == (1, True), str(result)


def test_terminate_ends_orderly(engine: Engine, target: Target) -> None:
    """CLI-90"""
    path = engine.locustfile(SLEEPER)
    during = _interrupt(path, number=signal.SIGTERM)
    result = engine.load(path, host=target.url, users=5, run_time="600s", during=during)
    assert result.rows["GET", "goodbye"].requests == 5, str(result)
    assert result.code == 0, str(result)


def test_terminate_with_a_handler_of_the_script(engine: Engine, target: Target) -> None:
    """CLI-90, API-90: it exits with a status of its own, and users stop all the same. Locust begins with that, too, but
    the process is gone before the summary is printed."""
    handler = "import signal, sys\nimport gevent\ngevent.signal_handler(signal.SIGTERM, sys.exit, 5)\n"
    path = engine.locustfile(SLEEPER + handler)
    during = _interrupt(path, number=signal.SIGTERM)
    result = engine.load(path, host=target.url, users=5, run_time="600s", during=during)
    assert result.code == 5, str(result)
    assert "Shutting down" in result.stderr
    if engine.is_cload:
        assert result.rows["GET", "goodbye"].requests == 5, str(result)


def test_interrupt_while_the_target_hangs(engine: Engine, target: Target) -> None:
    """Users in the middle of a request are cut off."""
    source = SLEEPER.replace("/hello", "/hang").replace('self.client.get("/", name="goodbye")', "pass")
    source = source.replace("rounds = 2", "rounds = 1")
    path = engine.locustfile(source)
    result = engine.load(path, host=target.url, users=10, run_time="600s", during=_interrupt(path))
    assert "Traceback" not in result.stderr


def test_run_time_with_stop_timeout(engine: Engine, target: Target) -> None:
    """API-94: with a stop timeout the running request is finished and counted."""
    source = SLEEPER.replace('"/hello"', '"/delay/1500", name="slow"')
    before = target.counters()["requests"]
    path = engine.locustfile(source)
    result = engine.load(path, "--stop-timeout", "60", host=target.url, users=4, run_time="2s")
    # Two of each user, or one where the machine is slow; none is cut off.
    assert 4 <= result.rows["GET", "slow"].requests <= 8, str(result)
    goodbyes = result.rows["GET", "goodbye"].requests
    assert target.counters()["requests"] - before - 1 == result.rows["GET", "slow"].requests + goodbyes
    assert result.total is not None and result.total.failures == 0
    assert result.rows["GET", "slow"].min >= 1500
    assert result.code == 0


# Where Ctrl+C comes at a bad time.
INTERRUPTED = """
import os
import signal

from locust import LoadTestShape, User, constant, events, task

PLACE = os.environ["PLACE"]
seen = []


def interrupt(place):
    if place == PLACE and not seen:
        seen.append(place)
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(3):
            pass
        while place == "a task that lets nobody else run":
            pass


class Finalized:
    def __del__(self):
        interrupt("a finalizer")


class Visitor(User):
    wait_time = constant(0.05)

    def __init__(self, environment):
        interrupt("a new user")
        super().__init__(environment)

    def on_start(self):
        interrupt("on_start")

    @task
    def visit(self):
        Finalized()
        try:
            interrupt("a task that swallows it")
        except:
            pass
        interrupt("a task that lets nobody else run")


@events.spawning_complete.add_listener
def on_complete(**_):
    interrupt("a listener")


if PLACE == "a shape":
    class Steps(LoadTestShape):
        def tick(self):
            interrupt("a shape")
            return 3, 3
"""
PLACES = (
    "a new user",
    "a finalizer",
    "on_start",
    "a task that swallows it",
    "a task that lets nobody else run",
    "a listener",
    "a shape",
)


def test_interrupt_is_never_lost(engine: Engine) -> None:
    """CLI-89: wherever Python was when Ctrl+C came."""
    if not engine.is_cload:
        pytest.skip("Locust loses some of them")
    path = engine.locustfile(INTERRUPTED)
    args = ("-f", path, "--headless", "-u", "3", "-r", "3", "-t", "600s", "--only-summary")
    running = {place: engine.start(*args, env={"PLACE": place}) for place in PLACES}
    try:
        for place, process in running.items():
            _, stderr = process.communicate(timeout=120)
            assert process.returncode == 0, (place, stderr)
            assert "Shutting down" in stderr, (place, stderr)
    finally:
        for process in running.values():
            process.kill()


QUITTER = """
import os

from locust import User, constant, events, task

PLACE, VERB = os.environ["PLACE"].split()
environments = []


def end(place):
    if place == PLACE:
        getattr(environments[0].runner, VERB)()
        if VERB == "stop":
            print("state", environments[0].runner.state, environments[0].runner.user_count)


class Visitor(User):
    wait_time = constant(0.05)

    def __init__(self, environment):
        super().__init__(environment)
        if environment.runner.user_count == 2:
            end("init")

    @task
    def visit(self):
        pass


@events.init.add_listener
def remember(environment, **_):
    environments.append(environment)


@events.test_start.add_listener
def on_test_start(**_):
    end("test_start")


@events.spawning_complete.add_listener
def on_complete(**_):
    end("spawning_complete")


@events.test_stop.add_listener
def on_test_stop(**_):
    print("test_stop")
"""


def test_a_ramp_ends_its_own_test(engine: Engine) -> None:
    """Listeners and new users that stop the test while users are spawned."""
    if not engine.is_cload:
        pytest.skip("Locust hangs")
    path = engine.locustfile(QUITTER)
    args = ("-f", path, "--headless", "-u", "3", "-r", "3", "--only-summary")
    cases = [(place, verb) for place in ("init", "test_start", "spawning_complete") for verb in ("quit", "stop")]
    running = {}
    for place, verb in cases:
        limit = ("-t", "2s" if verb == "stop" else "600s")
        running[place, verb] = engine.start(*args, *limit, env={"PLACE": f"{place} {verb}"})
    try:
        for (place, verb), process in running.items():
            stdout, stderr = process.communicate(timeout=120)
            lines = ["test_stop"] if verb == "quit" else ["test_stop", "state stopped 0"]
            assert (process.returncode, stdout.split("\n")[:-1]) == (0, lines), (place, verb, stderr)
    finally:
        for process in running.values():
            process.kill()


LINGERING = """
import os
import threading
import time

from locust import User, _ending, task

_ending.FIRST_WORD_S = 0.3


class Lingering(User):
    @task
    def wait(self):
        time.sleep(600)

    def on_stop(self):
        if os.environ["PLACE"] == "sleep":
            time.sleep(600)
        while True:
            pass
"""


def test_an_end_that_takes_long_says_why(engine: Engine) -> None:
    if not engine.is_cload:
        pytest.skip("Locust does not")
    path = engine.locustfile(LINGERING)
    args = ("-f", path, "--headless", "-u", "2", "-r", "2", "-t", "1s", "--only-summary")
    running = {place: engine.start(*args, env={"PLACE": place}) for place in ("sleep", "busy")}
    guards = [threading.Timer(120, process.kill) for process in running.values()]
    try:
        for guard in guards:
            guard.start()
        for place, word in (
            ("sleep", "The end still waits: users that have not ended, 2 Lingering at locustfile.py:"),
            ("busy", "cload: the end still waits for locustfile.py:"),
        ):
            process = running[place]
            assert process.stderr is not None
            line = next((line for line in process.stderr if word in line), "")
            assert "(on_stop)" in line
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                time.sleep(0.2)
            told = process.communicate()[1]
            # The first one may have been enough.
            assert process.returncode == -signal.SIGINT or "Aggregated" in told
    finally:
        for guard in guards:
            guard.cancel()
        for process in running.values():
            process.kill()
