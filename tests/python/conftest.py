"""From here on `import locust` means our package, also where real Locust is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import cload  # noqa: F401
import pytest
from oracle import ENGINES, NO_LOCUST, Engine

if TYPE_CHECKING:
    from hands import Hand, HandMaster
    from locust import User
    from locust.runners import MasterRunner, WorkerRunner


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Ours, then real Locust: what a test expects of one it expects of both."""
    chosen: Engine = request.param
    if chosen.python is None:
        pytest.skip(NO_LOCUST)
    return chosen


@pytest.fixture
def quick_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that beat often, and are given up as late as usual."""
    monkeypatch.setattr("locust.runners.HEARTBEAT_INTERVAL", 0.02)
    monkeypatch.setattr("locust.runners.HEARTBEAT_LIVENESS", 3000)
    monkeypatch.setattr("locust.runners.HEARTBEAT_DEAD_INTERNAL", -3000)
    monkeypatch.setattr(
        "locust.runners.MasterRunner._wait_for_workers_report_after_ramp_up", staticmethod(lambda: 60.0)
    )


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """What ends with the test."""
    with contextlib.ExitStack() as exits:
        yield exits


@pytest.fixture
def make_master(stack: contextlib.ExitStack) -> Callable[..., MasterRunner]:
    """Makes masters."""
    from hands import environment

    def make(*user_classes: type[User], port: int = 0, **options: Any) -> MasterRunner:
        runner = environment(*user_classes, **options).create_master_runner("127.0.0.1", port)

        def end() -> None:
            runner.clients._worker_nodes.clear()
            runner.quit()
            runner.server.close()

        stack.callback(end)
        return runner

    return make


@pytest.fixture
def make_hand(stack: contextlib.ExitStack) -> Callable[..., Hand]:
    """Makes workers of a master, played by hand."""
    from hands import Hand

    def make(*args: Any, **kwargs: Any) -> Hand:
        hand = Hand(*args, **kwargs)
        stack.callback(hand.close)
        return hand

    return make


@pytest.fixture
def hand_master() -> Iterator[HandMaster]:
    """A master played by hand."""
    from hands import HandMaster

    master = HandMaster()
    yield master
    master.close()


@pytest.fixture
def worker(hand_master: HandMaster, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerRunner]:
    """Its worker."""
    from hands import A, B, environment

    runner = environment(A, B).create_worker_runner("127.0.0.1", hand_master.server.port)
    yield runner
    # What this master has not confirmed by now it never will.
    monkeypatch.setattr("locust._worker._FAREWELL_OF_OTHERS", 0.0)
    monkeypatch.setattr("locust._worker._FAREWELL", 0.0)
    runner.quit()
    runner.client.close()
