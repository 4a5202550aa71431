"""For ``--processes``: workers as children of this process."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import _cload
import gevent

from ._exits import stop_with_error
from .user.users import HttpUser, User
from .util.cores import usable_cores

logger = logging.getLogger("locust.main")

# Options for what only the parent does, with the values that turn it off in the children.
_PARENTS_OPTIONS = {
    "run_time": None,
    "autostart": None,
    "csv_prefix": None,
    "stats_history_enabled": False,
    "html_file": None,
    "print_stats": None,
    "prometheus_port": None,
}
_DEFAULT_PORT = 5557
# Seconds that children may take to end after their master has told them to.
_CHILDREN_GRACE = 10.0


def _fork() -> int:
    for stream in (sys.stdout, sys.stderr):
        # None if it was closed; scripts also put objects without flush() there.
        if hasattr(stream, "flush"):
            stream.flush()
    pid = os.fork()
    if pid == 0:
        # The child must not react to what the parent's loop watches.
        gevent.reinit()
        atexit._clear()
        from .rpc import zmqrpc

        atexit.register(_cload.end_rpc)
        assert zmqrpc is not None
    return pid


class Children:
    """The workers this process started."""

    def __init__(self) -> None:
        self.running: list[int] = []
        self.highest_status = 0
        self.is_killing = False

    def reap(self) -> None:
        """Notes who has ended."""
        for pid in list(self.running):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, 0
            if ended:
                self.running.remove(pid)
                code = os.waitstatus_to_exitcode(status)
                if code > 1:
                    logger.error("Worker process %d ended with status %d", pid, code)
                elif code < 0 and code != -signal.SIGINT and not self.is_killing:
                    why = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
                    logger.error("Worker process %d was ended by signal %d%s", pid, -code, why)
                self.highest_status = max(self.highest_status, 128 - code if code < 0 else code)

    def watch(self) -> None:
        """Logs workers that end before their time, as soon as they do."""
        while self.running:
            self.reap()
            gevent.sleep(0.2)

    def wait(self, seconds: float | None = None) -> None:
        """Waits until all have ended, or for so many seconds."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self.running and (deadline is None or time.monotonic() < deadline):
            self.reap()
            if self.running:
                gevent.sleep(0.02)

    def kill(self) -> None:
        """Kills all of them at once."""
        self.is_killing = True
        for pid in self.running:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def finish(self) -> None:
        """Gives them time to end, and then ends them; at once on Ctrl-C."""
        try:
            self.wait(_CHILDREN_GRACE)
            for pid in self.running:
                logger.error("Worker process %d did not end in %d s and is killed", pid, _CHILDREN_GRACE)
        except KeyboardInterrupt:
            logger.debug("Interrupted while workers end")
        self.kill()
        self.wait(1)


def _share_memory(user_classes: Sequence[type[User]]) -> None:
    """Loads what all workers need, and keeps the collector off it, so that forked processes share its memory."""
    if any(issubclass(user_class, HttpUser) for user_class in user_classes):
        importlib.import_module(".clients", __package__)
    gc.collect()
    gc.freeze()


def fork_workers(options: argparse.Namespace, user_classes: Sequence[type[User]]) -> Children | None:
    """Starts the workers. Returns None in each of them, and the workers in the parent that is their master; a parent of
    ``--worker`` processes waits for them and exits."""
    count = options.processes
    if count < -1:
        stop_with_error(f"--processes {count} makes no sense: 1 or more, or -1 for one per core")
    if options.master:
        stop_with_error("--processes is the master already; --master is for a master without workers of its own")
    if sys.platform == "win32":
        stop_with_error("--processes needs fork(), which this system does not have")
    if count == -1:
        count = usable_cores()
    children = Children()
    parent = os.getpid()
    _share_memory(user_classes)
    for number in range(count):
        try:
            pid = _fork()
        except OSError as error:
            children.kill()
            stop_with_error(
                f"Worker process {number + 1} of {count} could not be started: {error.strerror}. See ulimit -u"
            )
        if pid == 0:
            _become_worker(options)
            gevent.spawn(_end_with, parent)
            return None
        logging.debug("Started child worker with pid #%d", pid)
        children.running.append(pid)
    options.processes = count
    if options.worker:
        if options.prometheus_port is not None:
            logger.warning("--prometheus-port is for one process: with --worker --processes nothing is served there")
        _wait_for(children)
    options.master = True
    options.expect_workers = count
    atexit.register(children.finish)
    gevent.spawn(children.watch)
    return children


def _become_worker(options: argparse.Namespace) -> None:
    if not options.worker:
        options.worker = True
        if options.master_port == _DEFAULT_PORT:
            options.master_port = options.master_bind_port
    for name, value in _PARENTS_OPTIONS.items():
        setattr(options, name, value)


def _end_with(parent: int) -> None:
    """A parent that was killed hard could not tell its children to end."""
    while os.getppid() == parent:
        gevent.sleep(1)
    logger.error("The process that started this worker (%d) is gone", parent)
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for(children: Children) -> NoReturn:
    interrupts = 0

    def on_interrupt(*_args: Any) -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            children.kill()
            os._exit(1)

    def on_terminate(*_args: Any) -> None:
        for pid in children.running:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGINT, on_interrupt)
    signal.signal(signal.SIGTERM, on_terminate)
    children.wait()
    sys.exit(children.highest_status)
