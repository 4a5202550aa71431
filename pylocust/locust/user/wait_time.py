"""Functions for the attribute ``wait_time``: each returns a method that says how many seconds to wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

WaitTime = Callable[[Any], float]


def between(min_wait: float, max_wait: float) -> WaitTime:
    """Evenly spread between two bounds."""
    return lambda instance: min_wait + random.random() * (max_wait - min_wait)


def constant(wait_time: float) -> WaitTime:
    """Always the same."""
    return lambda instance: wait_time


def constant_pacing(wait_time: float) -> WaitTime:
    """As long as it takes for tasks to begin every ``wait_time`` seconds; nothing if the task took longer than that."""

    def wait_time_func(self: Any) -> float:
        now = time.perf_counter()
        busy = now - self._cp_last_run - self._cp_last_wait_time
        left: float = max(0.0, wait_time - busy)
        self._cp_last_run = now
        self._cp_last_wait_time = left
        return left

    return wait_time_func


def constant_throughput(task_runs_per_second: float) -> WaitTime:
    """As long as it takes for this many tasks a second; at most, for a user runs one task at a time."""
    if task_runs_per_second <= 0:
        raise ValueError("constant_throughput needs a rate above 0")
    return constant_pacing(1 / task_runs_per_second)


def poisson(rate: float) -> WaitTime:
    """Exponentially distributed with mean ``1 / rate``, so that tasks arrive as a Poisson process."""
    if rate <= 0:
        raise ValueError("poisson needs a rate above 0")
    return lambda instance: random.expovariate(rate)
