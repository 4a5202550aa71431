"""locust.dispatch.UsersDispatcher. The expected numbers were recorded from Locust 2.47."""

from __future__ import annotations

import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import gevent
import pytest
from locust.dispatch import UsersDispatcher

CASES = json.loads((Path(__file__).parent / "dispatch_cases.json").read_text())


class Worker:
    def __init__(self, worker_id: str) -> None:
        self.id = worker_id


def workers(*ids: str) -> list[Worker]:
    return [Worker(worker_id) for worker_id in ids]


def user(name: str, weight: float = 1, fixed_count: int = 0) -> Any:
    return type(name, (), {"weight": weight, "fixed_count": fixed_count})


def shown(step: dict[str, dict[str, int]]) -> str:
    """Counts as distributed.md prints them: "w1 A1 C1 | w2 B1"."""
    return " | ".join(
        " ".join([worker, *(f"{name}{count}" for name, count in counts.items() if count)])
        for worker, counts in step.items()
    )


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seen: list[float] = []
    monkeypatch.setattr(gevent, "sleep", seen.append)
    return seen


def pauses_of(dispatcher: UsersDispatcher, *seconds: float) -> Any:
    """As long as these, less what passed since the step before."""
    spent = dispatcher.dispatch_iteration_durations[-len(seconds) :]
    return pytest.approx([max(0.0, full - less) for full, less in zip(seconds, spent, strict=True)], abs=0.05)


def ramp(dispatcher: UsersDispatcher, target: int, rate: float, classes: list[Any] | None = None) -> list[str]:
    dispatcher.new_dispatch(target, rate, classes)
    return [shown(step) for step in dispatcher]


@pytest.mark.parametrize(
    ("weights", "order"),
    [
        ({"A": 5, "B": 1}, "AABAAAAABAAA"),
        ({"A": 1, "B": 1, "C": 1}, "ABCABCABC"),
        ({"A": 3, "B": 2, "C": 1}, "ABCABAABCABA"),
        ({"A": 2, "B": 2, "C": 1}, "ABCABABCAB"),
        ({"A": 1, "B": 9}, "BBBBABBBBBBBBBABBBBB"),
        ({"A": 0.5, "B": 1.5}, "BABBBABB"),
        ({"A": 10, "B": 5, "C": 3, "D": 1}, "ABACABADACBAABACABA"),
    ],
)
def test_weighted_choice_dst67(sleeps: list[float], weights: dict[str, float], order: str) -> None:
    dispatcher = UsersDispatcher(workers("w"), [user(name, weight) for name, weight in weights.items()])
    dispatcher.new_dispatch(len(order), 1)
    totals = [step["w"] for step in dispatcher]
    before = [dict.fromkeys(weights, 0), *totals]
    taken = [next(n for n in now if now[n] > old[n]) for old, now in itertools.pairwise(before)]
    assert "".join(taken) == order


def test_ramps_dst63_dst69(sleeps: list[float]) -> None:
    dispatcher = UsersDispatcher(workers("w1", "w2"), [user("A"), user("B"), user("C")])
    assert ramp(dispatcher, 6, 2) == ["w1 A1 | w2 B1", "w1 A1 C1 | w2 A1 B1", "w1 A1 B1 C1 | w2 A1 B1 C1"]
    assert sleeps == pauses_of(dispatcher, 1.0, 1.0)
    assert ramp(dispatcher, 3, 1) == ["w1 A1 B1 C1 | w2 A1 B1", "w1 A1 C1 | w2 A1 B1", "w1 A1 C1 | w2 B1"]
    assert ramp(dispatcher, 5, 2) == ["w1 A2 C1 | w2 B2"]


@pytest.mark.parametrize(("rate", "step", "pause"), [(2.5, 2, 0.8), (1.5, 1, 2 / 3), (0.5, 1, 2.0), (3, 3, 1.0)])
def test_step_and_pause_dst62_dst63(sleeps: list[float], rate: float, step: int, pause: float) -> None:
    dispatcher = UsersDispatcher(workers("w"), [user("A")])
    assert ramp(dispatcher, 2 * step, rate) == [f"w A{step}", f"w A{2 * step}"]
    assert sleeps == pauses_of(dispatcher, pause)


def test_fixed_counts_dst66(sleeps: list[float]) -> None:
    dispatcher = UsersDispatcher(workers("w1", "w2"), [user("A", 3), user("F", 1, 3), user("G", 1, 1)])
    assert ramp(dispatcher, 6, 10) == ["w1 A1 F2 | w2 A1 F1 G1"]
    assert ramp(dispatcher, 2, 10) == ["w1 F1 | w2 G1"]
    assert ramp(dispatcher, 6, 10) == ["w1 A1 F2 | w2 A1 F1 G1"]
    assert ramp(UsersDispatcher(workers("w"), [user("F", 1, 3), user("A")]), 2, 10) == ["w F2"]


def test_only_fixed_classes_dst68(sleeps: list[float]) -> None:
    dispatcher = UsersDispatcher(workers("w"), [user("F", 1, 3)])
    assert ramp(dispatcher, 5, 10) == ["w F3"]
    assert sleeps == pauses_of(dispatcher, 1.0)
    assert dispatcher.get_current_user_count() == 3


def test_machines_alternate_dst65(sleeps: list[float]) -> None:
    dispatcher = UsersDispatcher(workers("h1_a", "h1_b", "h2_c"), [user("A")])
    dispatcher.new_dispatch(3, 1)
    seen: list[str] = []
    for step in dispatcher:
        seen += [worker for worker, counts in step.items() if counts["A"] and worker not in seen]
    assert seen == ["h1_a", "h2_c", "h1_b"]


def test_workers_come_and_go_dst60(sleeps: list[float]) -> None:
    dispatcher = UsersDispatcher(workers("w1", "w2"), [user("A"), user("B")])
    assert ramp(dispatcher, 4, 10) == ["w1 A2 | w2 B2"]
    dispatcher.add_worker(Worker("w3"))
    assert ramp(dispatcher, 4, 10) == ["w1 A1 B1 | w2 B1 | w3 A1"]
    dispatcher.remove_worker(Worker("w1"))
    assert ramp(dispatcher, 4, 10) == ["w2 A2 | w3 B2"]
    assert not dispatcher.dispatch_in_progress


def test_other_classes_dst71(sleeps: list[float]) -> None:
    a, b, c = user("A"), user("B"), user("C")
    dispatcher = UsersDispatcher(workers("w"), [a, b, c])
    assert ramp(dispatcher, 2, 10, [a]) == ["w A2"]
    assert ramp(dispatcher, 4, 10, [a, b]) == ["w A3 B1"]
    assert ramp(dispatcher, 4, 10, [c]) == ["w A3 B1"]
    assert ramp(dispatcher, 6, 10, [c]) == ["w A3 B1 C2"]


def test_same_target_dst70_dst64(sleeps: list[float]) -> None:
    dispatcher = UsersDispatcher(workers("w1", "w2"), [user("A")])
    assert ramp(dispatcher, 1, 1) == ["w1 A1 | w2"]
    assert ramp(dispatcher, 1, 1) == ["w1 A1 | w2"]
    assert sleeps == []


@pytest.mark.parametrize(("target", "rate"), [(-1, 1), (1, 0), (1, -2), (1, math.inf), (1, math.nan)])
def test_checks_dst61(target: int, rate: float) -> None:
    dispatcher = UsersDispatcher(workers("w"), [user("A")])
    with pytest.raises(ValueError):
        dispatcher.new_dispatch(target, rate)


def test_bad_construction() -> None:
    for classes in ([], [user("A"), user("A")], [user("A", math.nan)]):
        with pytest.raises(ValueError):
            UsersDispatcher(workers("w"), classes)
    with pytest.raises(ValueError):
        UsersDispatcher(workers("w", "w"), [user("A")])
    empty = UsersDispatcher([], [user("A")])
    empty.new_dispatch(1, 1)
    with pytest.raises(RuntimeError):
        next(empty)


def test_progress_and_durations_dst60(sleeps: list[float]) -> None:
    dispatcher = UsersDispatcher(workers("w"), [user("A")])
    dispatcher.new_dispatch(40, 20)
    assert not dispatcher.dispatch_in_progress
    before = time.perf_counter()
    next(dispatcher)
    started = time.perf_counter()
    assert dispatcher.dispatch_in_progress
    # What the caller spends is taken off the pause of a second (DST-63). Not in a sleep: greenlets that are left of a
    # test before this one would have their turn, and pauses of their own.
    while time.perf_counter() - started < 0.3:
        pass
    next(dispatcher)
    (spent,) = dispatcher.dispatch_iteration_durations
    assert 0.29 < spent < time.perf_counter() - before + 0.01
    assert sleeps == pauses_of(dispatcher, 1.0)
    assert next(dispatcher, None) is None
    assert not dispatcher.dispatch_in_progress
    assert dispatcher.get_current_user_count() == 40


@pytest.mark.parametrize("case", CASES, ids=[str(index) for index in range(len(CASES))])
def test_recorded_dst60_dst72(sleeps: list[float], case: dict[str, Any]) -> None:
    classes = {name: user(name, weight, fixed) for name, weight, fixed in case["classes"]}
    dispatcher = UsersDispatcher(workers(*case["workers"]), list(classes.values()))
    for operation, *args in case["ops"]:
        if operation == "dispatch":
            target, rate, names = args
            dispatcher.new_dispatch(target, rate, None if names is None else [classes[name] for name in names])
        elif operation == "add":
            dispatcher.add_worker(Worker(args[0]))
        elif operation == "remove":
            dispatcher.remove_worker(Worker(args[0]))
        else:
            pause, counts = args
            sleeps.clear()
            step = next(dispatcher, None)
            assert (None if step is None else [[w, list(c.values())] for w, c in step.items()]) == counts
            assert sleeps == ([] if pause is None else pauses_of(dispatcher, pause))
