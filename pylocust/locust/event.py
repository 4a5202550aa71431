"""Event hooks: lists of listeners that are called with keyword arguments."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from . import log
from .exception import CONTROL_EXCEPTIONS
from .util.late import late_names

Listener = TypeVar("Listener", bound=Callable[..., Any])


def _place(error: BaseException) -> str:
    """Where an event with a wrong value was fired; nothing if the traceback shows code of the listener's."""
    frame = None if log.user_traceback(error) else sys._getframe()
    while frame is not None and log.is_inner(frame.f_code.co_filename):
        frame = frame.f_back
    return f"\nThe event was fired by {frame.f_code.co_filename}, line {frame.f_lineno}" if frame else ""


class EventHook:
    """One event. Listeners take keywords, and ``**kwargs`` for what later versions may add."""

    # The engine reads it at every request.
    __slots__ = ("__dict__", "__weakref__", "_handlers")

    def __init__(self) -> None:
        self._handlers: list[Callable[..., Any]] = []

    def add_listener(self, handler: Listener) -> Listener:
        """Appends a listener and returns it, so this is also a decorator."""
        self._handlers.append(handler)
        return handler

    def remove_listener(self, handler: Callable[..., Any]) -> None:
        """Removes the first registration of a listener; ``ValueError`` if there is none."""
        self._handlers.remove(handler)

    def fire(self, *, reverse: bool = False, **kwargs: Any) -> None:
        """Calls every listener that is registered now. A failing one is logged and does not stop the others, unless it
        raised one of the exceptions that steer a user."""
        listeners = list(self._handlers)
        if reverse:
            listeners.reverse()
        for listener in listeners:
            try:
                listener(**kwargs)
            except CONTROL_EXCEPTIONS:
                raise
            except Exception as error:
                log.unhandled_greenlet_exception = True
                logging.error("Uncaught exception in event handler:\n%s%s", log.user_exception(error), _place(error))

    @contextmanager
    def measure(
        self, request_type: str, name: str, response_length: int = 0, context: dict[str, Any] | None = None
    ) -> Generator[dict[str, Any]]:
        """Times a block and fires the event at its end. The block gets the event's keywords as a dictionary it may
        change; an exception in the block becomes the event's ``exception`` and is swallowed."""
        keywords: dict[str, Any] = {
            "request_type": request_type,
            "name": name,
            "response_length": response_length,
            "context": context or {},
            "exception": None,
            "start_time": time.time(),
        }
        begin = time.perf_counter()
        try:
            yield keywords
        except Exception as error:
            keywords["exception"] = error
        finally:
            keywords["response_time"] = 1000 * (time.perf_counter() - begin)
            self.fire(**keywords)


class DeprecatedEventHook(EventHook):
    """A hook that still works, but tells whoever registers with it to move on."""

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def add_listener(self, handler: Listener) -> Listener:
        logging.warning(self.message)
        return super().add_listener(handler)


class Events:
    """The hooks of one environment. Each annotation of the class is a hook."""

    # One finished request. request_type, name, response_time (ms), response_length, exception, context, start_time,
    # response, url
    request: EventHook
    # An exception that a task or on_start let through. user_instance, exception, tb
    user_error: EventHook
    # A worker is about to report; put own values into data. client_id, data
    report_to_master: EventHook
    # The master got a worker's report. client_id, data
    worker_report: EventHook
    # A worker announced itself. client_id
    worker_connect: EventHook
    # A ramp, up or down, has ended. user_count
    spawning_complete: EventHook
    # Shutting down; environment.process_exit_code may still be set. environment
    quitting: EventHook
    # The last thing before the process ends. exit_code
    quit: EventHook
    # Runner and web application exist, nothing has started. environment, runner, web_ui
    init: EventHook
    # A parser for all options is being built; may happen many times. parser
    init_command_line_parser: EventHook
    # A test begins, before the first user. environment
    test_start: EventHook
    # A test is about to stop, users still run. environment
    test_stopping: EventHook
    # All users have ended. environment
    test_stop: EventHook
    # Somebody asked in the web application for a reset, which follows.
    reset_stats: EventHook
    # This process uses too much of its core. environment, cpu_usage (percent)
    cpu_warning: EventHook
    # Master: a worker's heartbeat is about to be answered. client_id, timestamp
    heartbeat_sent: EventHook
    # Worker: the master answered. client_id, timestamp
    heartbeat_received: EventHook
    # Every CPU_MONITOR_INTERVAL seconds. environment, cpu_usage (percent), memory_usage (bytes)
    usage_monitor: EventHook

    def __init__(self) -> None:
        declared = {key: value for key, value in vars(type(self)).items() if isinstance(value, str)}
        for name, kind in {**declared, **self.__annotations__}.items():
            if kind == "EventHook":
                setattr(self, name, EventHook())


__getattr__ = late_names(
    __name__,
    InterruptTaskSet="exception",
    RescheduleTask="exception",
    RescheduleTaskImmediately="exception",
    StopTest="exception",
    StopUser="exception",
)
