"""What this process uses of the machine."""

from __future__ import annotations

import resource
import sys
import time
from collections import deque
from typing import NamedTuple

import gevent

_PAGE_SIZE = resource.getpagesize()


class CpuMeter:
    """CPU time between two readings, in percent of one core."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._busy = time.process_time()

    def read(self) -> float:
        """Percent since the last reading, or since construction."""
        wall, busy = time.monotonic(), time.process_time()
        passed, used = wall - self._wall, busy - self._busy
        self._wall, self._busy = wall, busy
        return 100 * used / passed if passed > 0 else 0.0


def resident_bytes() -> int:
    """Memory this process holds now; where the system does not say, the most it ever held."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _PAGE_SIZE
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


class Health(NamedTuple):
    """How a generator coped for a while."""

    cpu_usage: float
    lag_ms: float
    bad_seconds: int


class GeneratorWatch:
    """How this process copes: a generator that lags measures itself and not the server."""

    INTERVAL = 1.0
    # From here on the page warns.
    BUSY_CPU = 90
    BUSY_LAG_MS = 100

    def __init__(self) -> None:
        self._meter = CpuMeter()
        self._cpu_usage = 0.0
        # How much later than asked for recent sleeps ended.
        self._lags: deque[float] = deque(maxlen=10)
        self._since_sample: list[tuple[float, float]] = []

    def run(self) -> None:
        """Measures for as long as its greenlet lives."""
        while True:
            asked = time.monotonic()
            gevent.sleep(self.INTERVAL)
            lag = max(0.0, time.monotonic() - asked - self.INTERVAL)
            self._lags.append(lag)
            self._cpu_usage = self._meter.read()
            self._since_sample.append((self._cpu_usage, 1000 * lag))
            del self._since_sample[:-60]

    def since_last_sample(self) -> Health:
        """The worst of the seconds since this was asked last, and how many of them were bad."""
        seconds, self._since_sample = self._since_sample, []
        return Health(
            max((cpu for cpu, _ in seconds), default=self._cpu_usage),
            max((lag for _, lag in seconds), default=0.0),
            sum(cpu > self.BUSY_CPU or lag > self.BUSY_LAG_MS for cpu, lag in seconds),
        )

    def report(self) -> dict[str, float]:
        """CPU in percent of a core, memory in bytes, the longest lag of the last seconds."""
        return {
            "cpu_usage": self._cpu_usage,
            "memory_usage": resident_bytes(),
            "lag_ms": 1000 * max(self._lags, default=0.0),
        }
