"""Making the standard library cooperative."""

from __future__ import annotations

import _thread
import importlib
import importlib._bootstrap as import_system
import threading
from typing import Any

import _cload
import gevent.thread
from gevent import monkey


class _ActiveThreads(dict[int, threading.Thread]):
    """What ``threading`` knows its threads by. From gevent's patches on that is the number of a greenlet, which a
    thread that ran before has not told; it is found by its own."""

    def __init__(self, known: dict[int, threading.Thread], earlier: dict[int, threading.Thread]) -> None:
        super().__init__(known)
        self._earlier = earlier
        self._own_number = monkey.get_original("_thread", "get_ident")

    def __missing__(self, number: int) -> threading.Thread:
        thread = self._earlier.get(self._own_number())
        if thread is None or number != threading.get_ident():
            raise KeyError(number)
        return thread


def patch_standard_library() -> None:
    """gevent's patches, also where threads run already, as in notebooks: there gevent leaves the locks of modules that
    are being imported to an owner that is none any more, so that the next import in one of them would never end, and
    forgets which thread is which."""
    before = threading.get_ident()
    active = threading._active  # type: ignore[attr-defined]
    earlier = {number: thread for number, thread in active.items() if number != before}
    monkey.patch_all()
    now = threading.get_ident()
    if before in active:
        # Not the main thread, of which gevent takes care.
        active[now] = active.pop(before)
    for reference in list(import_system._module_locks.values()):  # type: ignore[attr-defined]
        lock = reference()
        if lock is not None and lock.owner == before:
            lock.owner = now
    if earlier:
        threading._active = _ActiveThreads(active, earlier)  # type: ignore[attr-defined]
    # A user that waits gives its greenlet to others, unless it was asked which it is: some tell users apart by that.
    module: Any
    for module in (gevent, importlib.import_module("greenlet")):
        module.getcurrent = _cload.getcurrent
    for module in (threading, _thread, gevent.thread):
        module.get_ident = _cload.get_ident
