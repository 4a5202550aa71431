"""What a master does about workers that report more than it can take."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from . import runners
from ._distributed import NUMBER_KEY
from .runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING

if TYPE_CHECKING:
    from ._fleet import Fleet

logger = logging.getLogger("locust.runners")

# Seconds without a moment in which all was taken, from which on it is said, and between two signs of life to workers
# whose heartbeats are among what waits: Locust's end after a minute without one.
_TOO_LONG = 5.0
_SIGN_PAUSE = 5.0
# Reports that a worker may leave out before it is said.
_MISSED_REPORTS = 4


class Backlog:
    """Follows whether a master keeps up with its workers' reports. Those of ours report less often while it does not,
    which the core works out (`rpc/pace.h`); whatever happens, what was measured is in a later report."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # Seconds that workers of ours let pass between two reports; 0: as always.
        self.pause = 0.0
        # By worker: when it reported last, and up to when that had all it measured, by its own clock.
        self._reported: dict[str, tuple[float, float]] = {}
        self._signed = 0.0
        self.is_slow = False

    @property
    def behind(self) -> float:
        """For how many seconds something has always been waiting to be taken."""
        # Servers that programs and tests bring do not know.
        return getattr(self._fleet.server, "behind", 0.0)

    @property
    def age(self) -> float:
        """How old the numbers of a worker with users may be, in seconds: the time since the report that is longest
        ago."""
        now = time.monotonic()
        return now - min((reported for reported, _ in self._of_users()), default=now)

    def _of_users(self) -> list[tuple[float, float]]:
        """What is known of workers with users."""
        nodes = (node for node in self._fleet.clients.all if node.user_count and node.state != STATE_MISSING)
        return [self._reported[node.id] for node in nodes if node.id in self._reported]

    def note_report(self, client_id: str, until: float | None) -> None:
        """A report was taken; ``until``: up to when it has all that was measured, if it tells that."""
        # One without requests has waited for as long as this process is behind, at most.
        self._reported[client_id] = (time.monotonic(), until or time.time() - self.behind)
        note = getattr(self._fleet.server, "note_report", None)
        if note is not None:
            note()

    def look(self) -> None:
        """To be called about once a second."""
        fleet = self._fleet
        fleet.stats._set_whole(min((until for _, until in self._of_users()), default=0.0))
        own = sum(client_id in fleet._taken for client_id in fleet.clients)
        pause = getattr(fleet.server, "pause", None)
        self.pause = 0.0 if pause is None else pause(own, len(fleet.clients) - own)
        behind = self.behind
        interval = runners.WORKER_REPORT_INTERVAL
        self._say(self.pause > interval or behind > _TOO_LONG or self.age > _MISSED_REPORTS * interval + _TOO_LONG)
        now = time.monotonic()
        if behind > _TOO_LONG and now - self._signed > _SIGN_PAUSE:
            self._signed = now
            for client_id in list(fleet.clients):
                taken = fleet._taken.get(client_id)
                fleet._send("heartbeat", {NUMBER_KEY: taken.last} if taken else None, client_id)

    def _say(self, is_slow: bool) -> None:
        if is_slow == self.is_slow or (is_slow and self._fleet.state not in (STATE_SPAWNING, STATE_RUNNING)):
            return
        self.is_slow = is_slow
        if is_slow:
            logger.warning(
                "This master, or the network to it, cannot take its workers' reports as fast as they come: its numbers"
                " are up to %.0f s old for now. Nothing is lost: cload's workers report less often, and the totals"
                " are complete at the end. Fewer names, fewer workers or a faster core make it keep up",
                max(self.pause, self.age),
            )
        else:
            logger.info("This master keeps up with its workers' reports again")

    def report(self) -> dict[str, Any]:
        """For the web application."""
        return {"is_slow": self.is_slow, "age": round(self.age, 1), "pause": round(self.pause, 1)}
