"""Keys that steer a running test, where stdin is a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import gevent

if os.name == "nt":
    import msvcrt
else:
    import select
    import termios
    import tty


class InitError(Exception):
    """There is no terminal to read keys from."""


class UnixKeyPoller:
    """Keys of the terminal this process is in front of. While it lives, keys are read one by one and not echoed."""

    def __init__(self) -> None:
        try:
            self._fd = sys.stdin.fileno()
            # A process in the background would be stopped for touching the terminal.
            in_front = os.isatty(self._fd) and os.tcgetpgrp(self._fd) == os.getpgrp()
        except (OSError, ValueError, AttributeError) as error:
            raise InitError("stdin is closed") from error
        if not in_front:
            raise InitError("stdin is no terminal that belongs to this process")
        self._before: list[Any] = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)

    def cleanup(self) -> None:
        """Puts the terminal back to how it was."""
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def poll(self) -> str | None:
        """A key that was pressed, if any."""
        ready, _, _ = select.select([self._fd], [], [], 0)
        if not ready:
            return None
        key = os.read(self._fd, 1)
        if not key:
            raise EOFError
        return key.decode("utf-8", "replace")


class WindowsKeyPoller:
    """Keys of the console."""

    def __init__(self) -> None:
        if not sys.stdin.isatty():
            raise InitError("stdin is no console")

    def cleanup(self) -> None:
        """The console needs none."""

    def poll(self) -> str | None:
        """A key that was pressed, if any."""
        return msvcrt.getwch() if msvcrt.kbhit() else None  # type: ignore[attr-defined]


def get_poller() -> UnixKeyPoller | WindowsKeyPoller:
    """The right poller for this system; ``InitError`` without a terminal."""
    return WindowsKeyPoller() if os.name == "nt" else UnixKeyPoller()


def input_listener(key_to_func_map: dict[str, Callable[[], Any]]) -> Callable[[], None]:
    """A function for a greenlet of its own: calls what belongs to each key that is pressed."""

    def listen() -> None:
        try:
            poller = get_poller()
        except InitError as reason:
            logging.debug("No keys are read: %s", reason)
            return
        try:
            while True:
                key = poller.poll()
                if key is None:
                    gevent.sleep(0.2)
                elif key in key_to_func_map:
                    key_to_func_map[key]()
        except EOFError:
            logging.debug("No more keys are read: stdin has ended")
        finally:
            poller.cleanup()

    return listen
