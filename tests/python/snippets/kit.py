"""What the functions of this folder share. Each gets a fresh `Kit`; what it returns is compared with real Locust."""

from __future__ import annotations

import logging
import time
from typing import Any

import gevent
from locust import User
from locust.env import Environment


class Kit:
    """Notes what happens in one function."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.log: list[str] = []

    def note(self, *words: object) -> None:
        self.log.append(" ".join(str(word) for word in words))

    def environment(self, *classes: type[User], **options: Any) -> Environment:
        """One that notes the exceptions of its users and the texts of failures."""
        environment = Environment(user_classes=list(classes), **options)

        def on_error(user_instance: Any, exception: Exception, **_: Any) -> None:
            self.note("user_error", type(user_instance).__name__, repr(exception))

        environment.events.user_error.add_listener(on_error)
        return environment

    def run(self, *classes: type[User], seconds: float = 60, users: int = 0, **options: Any) -> Environment:
        """A test that ends when no user is left, or after so many seconds."""
        environment = self.environment(*classes, **options)
        runner = environment.create_local_runner()
        runner.start(users or len(classes), 100)
        # The first users are there when the ramp is over.
        runner.spawning_greenlet.join()
        with gevent.Timeout(seconds, False):
            while runner.user_count:
                gevent.sleep(0.01)
        runner.quit()
        return environment


def until(condition: Any, seconds: float = 60) -> None:
    """However long it takes on a busy machine."""
    with gevent.Timeout(seconds):
        while not condition():
            gevent.sleep(0.01)


class Stalls:
    """Counts in a with-block the seconds in which this process did not get its turn."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def _watch(self) -> None:
        while True:
            due = time.monotonic() + 0.005
            gevent.sleep(0.005)
            self.seconds += max(0.0, time.monotonic() - due)

    def __enter__(self) -> Stalls:
        self._watcher = gevent.spawn(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.kill()


class Records(logging.Handler):
    """Keeps what is logged in a with-block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record)

    def __enter__(self) -> Records:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


def kind_of(function: Any, *args: Any, **kwargs: Any) -> str | None:
    """The class of what a call raises."""
    try:
        function(*args, **kwargs)
    except BaseException as error:
        return type(error).__name__
    return None
