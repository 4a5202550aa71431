"""The greenlets of a runner's users: their group, and the wait until they are over."""

from __future__ import annotations

import time
from typing import Any

import _cload
import gevent
from gevent.pool import Group


class UserGroup(Group):
    """A gevent Group that has one link for all users."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._link = self._discard

    def add(self, greenlet: Any) -> None:
        if type(greenlet) is not _cload.UserGreenlet:
            super().add(greenlet)
            return
        greenlet.rawlink(self._link)
        greenlets = self.greenlets
        if not greenlets:
            self._empty_event.clear()
        greenlets.add(greenlet)

    def _discard(self, greenlet: Any) -> None:
        greenlets = self.greenlets
        greenlets.discard(greenlet)
        if self.dying:
            self.dying.discard(greenlet)
        if not greenlets:
            self._empty_event.set()


def join_users(group: Group, greenlets: list[Any], timeout: float | None) -> list[Any]:
    """Waits until the greenlets are over, and the group has been told; returns those that are not in time."""
    deadline = None if timeout is None else time.monotonic() + timeout
    # Most end in the order in which they were told to: when the last one is over, few are left to wait for.
    for greenlet in reversed(greenlets):
        if not greenlet.dead:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            greenlet.join(left)
    late = [greenlet for greenlet in greenlets if not greenlet.dead]
    over = set(greenlets).difference(late) if late else greenlets
    while not group.greenlets.isdisjoint(over):
        gevent.sleep(0)
    return late
