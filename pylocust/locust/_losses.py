"""What is missing in a master's totals: what workers that died had measured since their last reports."""

from __future__ import annotations

import logging
import time
from typing import Any

from . import runners

logger = logging.getLogger("locust.runners")


class Losses:
    """Follows what workers have reported and still hold, to tell what goes with one that dies."""

    def __init__(self) -> None:
        # By worker: when it was last heard of, and how many requests it had not reported by then, if it said so.
        self._heard: dict[str, tuple[float, int | None]] = {}
        # By worker: when it last reported, and how many requests a second it made until then.
        self._reports: dict[str, tuple[float, float]] = {}
        self._began = 0.0
        # By worker: for how many seconds requests are missing, and about how many.
        self.lost: dict[str, tuple[float, float]] = {}

    def begin(self) -> None:
        """A test began."""
        self._reports = {}
        self._began = time.monotonic()
        self.lost = {}

    def hear(self, client_id: str, pending: Any) -> None:
        """A heartbeat came. ``pending``: requests since the last report; of nodes that are not ours, nothing."""
        self._heard[client_id] = (time.monotonic(), pending if isinstance(pending, int) else None)

    def report(self, client_id: str, requests: int) -> None:
        """A report of so many requests came."""
        now = time.monotonic()
        before, _ = self._reports.get(client_id, (max(self._began, now - runners.WORKER_REPORT_INTERVAL), 0.0))
        self._reports[client_id] = (now, requests / max(now - before, 0.1))
        if client_id in self._heard:
            self._heard[client_id] = (self._heard[client_id][0], None)  # what it held then is in the totals now

    def is_back(self, client_id: str) -> None:
        """A worker that was thought dead will report."""
        self.lost.pop(client_id, None)

    def note(self, client_id: str) -> None:
        """A worker is not there any more."""
        held, seconds, rate = self._held(client_id)
        if not rate:
            # It died in its first second: it was about as fast as the others are.
            others = [self._held(other)[2] for other in self._heard if other != client_id]
            rate = sum(others) / max(1, len(others))
            held = rate * seconds
        # It lived until some moment between its last heartbeat and the next one.
        after = runners.HEARTBEAT_INTERVAL / 2
        self.lost[client_id] = (seconds + after, held + rate * after)
        logger.warning(
            "What %s measured after its last report is not in the totals: %.1f s, about %d requests",
            client_id,
            *self.lost[client_id],
        )

    def _held(self, client_id: str) -> tuple[float, float, float]:
        """Requests that a worker had not reported when it was heard of last, for how long, and its rate."""
        heard, pending = self._heard.get(client_id, (self._began, None))
        reported, rate = self._reports.get(client_id, (self._began, 0.0))
        seconds = max(0.0, heard - reported)
        if pending is None:
            return rate * seconds, seconds, rate
        return pending, seconds, pending / seconds if seconds > runners.HEARTBEAT_INTERVAL / 2 else rate

    def say(self) -> None:
        """Tells at the end what the totals lack."""
        if self.lost:
            logger.warning(
                "The totals lack what %d workers measured after their last reports: about %d requests",
                len(self.lost),
                sum(requests for _, requests in self.lost.values()),
            )
