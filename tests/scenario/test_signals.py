"""Ctrl+C, the run-time limit, and what is left behind."""

import signal
import time

import pytest
from engines import Engine, interrupt_after
from servers import Target

SLEEPER = """
import time

from locust import HttpUser, constant, task


class Sleeper(HttpUser):
    wait_time = constant(0.05)

    @task
    def hello(self):
        self.client.get("/hello")

    def on_stop(self):
        self.client.get("/", name="goodbye")
"""

STUBBORN = """
import time

from locust import HttpUser, constant, task


class Stubborn(HttpUser):
    wait_time = constant(0.05)

    @task
    def hello(self):
        self.client.get("/hello")

    def on_stop(self):
        time.sleep(60)
"""


def test_interrupt_ends_orderly(engine: Engine, target: Target) -> None:
    """CLI-89: users stop (their on_stop runs), the final table is printed."""
    result = engine.load(
        engine.locustfile(SLEEPER), host=target.url, users=10, run_time="60s", limit=20, during=interrupt_after(3)
    )
    assert result.code == 0, str(result)
    assert result.rows["GET", "goodbye"].requests == 10
    assert result.rows["GET", "/hello"].requests > 10
    assert result.total is not None and result.total.failures == 0
    assert "Traceback" not in result.stderr


def test_interrupt_twice_ends_at_once(engine: Engine, target: Target) -> None:
    """A second Ctrl+C does not wait for users that take their time."""
    if not engine.is_cload:
        pytest.skip("Locust may go on waiting")
    result = engine.load(
        engine.locustfile(STUBBORN),
        host=target.url,
        users=5,
        run_time="60s",
        limit=20,
        during=interrupt_after(3, times=2, gap=1),
    )
    assert result.seconds < 15, str(result)
    assert result.code != 0


def test_terminate_ends_orderly(engine: Engine, target: Target) -> None:
    """CLI-90"""
    result = engine.load(
        engine.locustfile(SLEEPER),
        host=target.url,
        users=5,
        run_time="60s",
        limit=20,
        during=lambda process: (time.sleep(3), process.send_signal(signal.SIGTERM))[1],
    )
    assert result.rows["GET", "goodbye"].requests == 5, str(result)
    assert result.code == 0, str(result)


def test_interrupt_while_the_target_hangs(engine: Engine, target: Target) -> None:
    """Users in the middle of a request are cut off."""
    source = SLEEPER.replace("/hello", "/hang").replace('self.client.get("/", name="goodbye")', "pass")
    result = engine.load(
        engine.locustfile(source), host=target.url, users=10, run_time="60s", limit=20, during=interrupt_after(3)
    )
    assert result.seconds < 10, str(result)
    assert "Traceback" not in result.stderr


def test_run_time_with_stop_timeout(engine: Engine, target: Target) -> None:
    """API-94: with a stop timeout the running request is finished and counted."""
    source = SLEEPER.replace('"/hello"', '"/delay/1500", name="slow"')
    result = engine.load(
        engine.locustfile(source), "--stop-timeout", "5", host=target.url, users=4, run_time="2s", limit=20
    )
    assert result.rows["GET", "slow"].requests == 8, str(result)
    assert result.rows["GET", "slow"].min >= 1500
    assert result.code == 0
