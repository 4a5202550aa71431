"""Log set-up, and the note that something failed where nobody was waiting for it."""

from __future__ import annotations

import logging
import os
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TextIO
from weakref import WeakSet

import gevent

# What user code may assign to.
HOSTNAME = socket.gethostname().partition(".")[0]

# Whether any greenlet or event listener of this process died of an exception; decides the exit status.
unhandled_greenlet_exception = False


class LogReader(logging.Handler):
    """Keeps the last lines, for the web application."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: deque[str] = deque(maxlen=500)

    def emit(self, record: logging.LogRecord) -> None:
        self.logs.append(self.format(record))


# Whether a line could not be written, for instance because the disk is full; decides the exit status, too.
lost_lines = False


def _file_handler(path: str) -> logging.Handler:
    # Takes 10 ms to import.
    from logging.handlers import WatchedFileHandler

    class LogFile(WatchedFileHandler):
        """Says once that a line could not be written. A file that was removed, or moved away, is made anew."""

        def handleError(self, record: logging.LogRecord) -> None:
            global lost_lines
            if not lost_lines:
                lost_lines = True
                print(f"The log {self.baseFilename} could not be written: {sys.exc_info()[1]}", file=sys.stderr)

        def reopenIfNeeded(self) -> None:
            try:
                super().reopenIfNeeded()
            except FileNotFoundError:
                os.makedirs(os.path.dirname(self.baseFilename), exist_ok=True)
                super().reopenIfNeeded()

    return LogFile(path)


class _Console(logging.StreamHandler[TextIO]):
    """Remembers that a line could not be written. A pipe whose reader had enough is no loss."""

    def handleError(self, record: logging.LogRecord) -> None:
        global lost_lines
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not isinstance(error, BrokenPipeError):
            lost_lines = True


def _configure(name: str | None, level: str, handlers: Iterable[logging.Handler]) -> None:
    logger = logging.getLogger(name)
    for old in list(logger.handlers):
        logger.removeHandler(old)
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(level)
    if name is not None:
        logger.propagate = False


def setup_logging(loglevel: str, logfile: str | None = None) -> None:
    """Log lines go to stderr or to ``logfile``; the statistics tables always go to stderr, without the prefix."""
    level = loglevel.upper()
    lines: logging.Handler
    if logfile:
        folder = os.path.dirname(logfile)
        if folder:
            os.makedirs(folder, exist_ok=True)
        lines = _file_handler(logfile)
    else:
        lines = _Console()
    tables = _Console()
    reader = LogReader()
    reader.name = "log_reader"
    formatter = logging.Formatter(f"[%(asctime)s] {HOSTNAME}/%(levelname)s/%(name)s: %(message)s")
    for handler in (lines, reader):
        handler.setFormatter(formatter)
    tables.setFormatter(logging.Formatter("%(message)s"))
    _configure(None, level, (lines, reader))
    _configure("locust", level, (lines, reader))
    _configure("locust.stats_logger", "INFO", (tables, reader))


def get_logs() -> list[str]:
    """The last lines that were logged; empty without ``setup_logging``."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogReader):
            return list(handler.logs)
    return []


# Whose frames tell a user nothing: this package, ours beside it, and gevent's start of a greenlet.
_INNER = (
    os.path.join(os.path.dirname(os.path.abspath(__file__)), ""),
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cload", ""),
    "src/gevent/",
)


def is_inner(filename: str) -> bool:
    """Whether this is a file of ours, or the start of a greenlet."""
    return filename.startswith(_INNER)


def user_traceback(error: BaseException) -> TracebackType | None:
    """The traceback from the first frame on that is not ours; None if there is none, and the words say all."""
    trace = error.__traceback__
    while trace is not None and is_inner(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def user_exc_info(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """For ``exc_info=``: with the user's part of the traceback; all of it at the level DEBUG."""
    is_all_wanted = logging.getLogger().isEnabledFor(logging.DEBUG)
    return type(error), error, error.__traceback__ if is_all_wanted else user_traceback(error)


def user_exception(error: BaseException) -> str:
    """The same as text."""
    return "".join(traceback.format_exception(*user_exc_info(error))).rstrip()


# Greenlets whose exceptions are logged, so that gevent need not print them too.
_logged: WeakSet[Any] = WeakSet()


def log_only(greenlet: Any) -> None:
    """Keeps gevent from printing the exception that a greenlet may die of: whoever calls this logs it."""
    hub = gevent.get_hub()
    if not hasattr(hub, "_locust_print"):
        hub._locust_print = hub.print_exception
        hub.print_exception = _print_exception
    _logged.add(greenlet)


def _print_exception(context: Any, kind: Any, value: Any, trace: Any) -> None:
    if not isinstance(context, gevent.Greenlet) or context not in _logged:
        gevent.get_hub()._locust_print(context, kind, value, trace)


def greenlet_exception_logger(logger: logging.Logger, level: int = logging.CRITICAL) -> Callable[[Any], None]:
    """A callback for ``Greenlet.link_exception`` that logs, and remembers, that the greenlet died."""

    def report(greenlet: Any) -> None:
        global unhandled_greenlet_exception
        unhandled_greenlet_exception = True
        if greenlet.exc_info[0] is SystemExit:
            logger.log(min(logging.INFO, level), "sys.exit(%s) called (DEBUG shows where)", greenlet.exc_info[1])
            logger.debug("Unhandled exception in greenlet: %s", greenlet, exc_info=greenlet.exc_info)
        else:
            exc_info = user_exc_info(greenlet.exception)
            logger.log(level, "Unhandled exception in greenlet: %s", greenlet, exc_info=exc_info)

    return report
