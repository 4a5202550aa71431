"""Keys that steer a running test, where stdin is a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import gevent
from cload._region import is_in_front

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
            is_usable = os.isatty(self._fd) and is_in_front(self._fd)
        except (OSError, ValueError, AttributeError) as error:
            raise InitError("stdin is closed") from error
        if not is_usable:
            raise InitError("stdin is no terminal that belongs to this process")
        self._before: list[Any] | None = None
        self._begin()

    def _begin(self) -> None:
        self._before = termios.tcgetattr(self._fd)
        # Keys that were pressed meanwhile count.
        tty.setcbreak(self._fd, termios.TCSADRAIN)

    def pause(self) -> None:
        """Puts the terminal back to how it was, until the next poll(). In the background it is a shell's, which has
        put it back, and would stop this process for touching it."""
        before, self._before = self._before, None
        if before is not None and is_in_front(self._fd):
            termios.tcsetattr(self._fd, termios.TCSADRAIN, before)

    def cleanup(self) -> None:
        """Puts the terminal back to how it was."""
        try:
            self.pause()
        except (OSError, termios.error):
            logging.debug("The terminal is gone")

    def poll(self) -> str | None:
        """A key that was pressed, if any."""
        if not is_in_front(self._fd):
            return None
        try:
            if self._before is None:
                self._begin()
            ready, _, _ = select.select([self._fd], [], [], 0)
            if not ready:
                return None
            key = os.read(self._fd, 1)
        except (OSError, termios.error) as error:
            raise EOFError from error
        if not key:
            raise EOFError
        return key.decode("utf-8", "replace")


class WindowsKeyPoller:
    """Keys of the console."""

    def __init__(self) -> None:
        if not sys.stdin.isatty():
            raise InitError("stdin is no console")

    def pause(self) -> None:
        """The console needs none."""

    def cleanup(self) -> None:
        """The console needs none."""

    def poll(self) -> str | None:
        """A key that was pressed, if any."""
        return msvcrt.getwch() if msvcrt.kbhit() else None  # type: ignore[attr-defined]


def get_poller() -> UnixKeyPoller | WindowsKeyPoller:
    """The right poller for this system; ``InitError`` without a terminal."""
    return WindowsKeyPoller() if os.name == "nt" else UnixKeyPoller()


class KeyListener:
    """Calls what belongs to each key that is pressed, in the greenlet that calls this."""

    def __init__(self, key_to_func_map: dict[str, Callable[[], Any]]) -> None:
        self._actions = key_to_func_map
        self._poller: UnixKeyPoller | WindowsKeyPoller | None = None

    @property
    def is_listening(self) -> bool:
        return self._poller is not None

    def __call__(self) -> None:
        try:
            self._poller = get_poller()
        except InitError as reason:
            logging.debug("No keys are read: %s", reason)
            return
        try:
            while True:
                key = self._poller.poll()
                if key is None:
                    gevent.sleep(0.2)
                elif key in self._actions:
                    self._actions[key]()
        except EOFError:
            logging.debug("No more keys are read: stdin has ended")
        finally:
            self.close()

    def pause(self) -> None:
        """Gives the terminal back until this process is in front of it again."""
        if self._poller is not None:
            self._poller.pause()

    def close(self) -> None:
        """Gives the terminal back."""
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cleanup()


def input_listener(key_to_func_map: dict[str, Callable[[], Any]]) -> KeyListener:
    """What to run in a greenlet of its own, so that keys are heard."""
    return KeyListener(key_to_func_map)
