"""What this process uses of the machine."""

from __future__ import annotations

import resource
import sys
import time

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
