"""Making the standard library cooperative."""

from __future__ import annotations

import importlib._bootstrap as import_system
import threading

from gevent import monkey


def patch_standard_library() -> None:
    """gevent's patches, also where threads run already, as in notebooks: there gevent leaves the locks of modules that
    are being imported to an owner that is none any more, so that the next import in one of them would never end."""
    before = threading.get_ident()
    monkey.patch_all()
    now = threading.get_ident()
    for reference in list(import_system._module_locks.values()):  # type: ignore[attr-defined]
        lock = reference()
        if lock is not None and lock.owner == before:
            lock.owner = now
