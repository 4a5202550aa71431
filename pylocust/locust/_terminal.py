"""The terminal of a run: a live screen, the keys that steer the test, and how both leave it."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent

# Where user code may have put its own input_listener().
from . import main
from .input_events import KeyListener
from .runners import STATE_SPAWNING

if TYPE_CHECKING:
    from .runners import Runner

logger = logging.getLogger("locust.main")


class Terminal:
    """What a run draws there, and what it hears from there; nothing of both until it is asked for."""

    def __init__(self) -> None:
        self.screen: Any = None
        self._keys: KeyListener | None = None
        self._suspending: Any = None

    def listen(self, runner: Runner, web_url: str | None) -> Callable[[], Any]:
        """Has keys change the number of users, and open the web application. Returns what is to run in a greenlet."""

        def change(by: int) -> Callable[[], None]:
            def apply() -> None:
                if runner.state == STATE_SPAWNING:
                    logger.warning("Already spawning users: their number cannot be changed now")
                else:
                    runner.start(max(0, runner.user_count + by), 100)

            return apply

        keys: dict[str, Callable[[], Any]] = {"w": change(1), "W": change(10), "s": change(-1), "S": change(-10)}
        if web_url:
            page = web_url.replace("//0.0.0.0", "//localhost")
            keys["\n"] = lambda: webbrowser.open_new_tab(page)
        listener: Callable[[], Any] = main.input_listener(keys)
        if isinstance(listener, KeyListener):
            self._keys = listener
        # However the process ends, the terminal is to be as it was.
        atexit.register(self.leave)
        if signal.getsignal(signal.SIGQUIT) == signal.SIG_DFL:
            signal.signal(signal.SIGQUIT, self._on_quit)
        if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
            self._suspending = gevent.signal_handler(signal.SIGTSTP, self._suspend)
        return listener

    def has_keys(self) -> bool:
        """Keys that are pressed arrive here."""
        return self._keys is not None and self._keys.is_listening

    def leave(self) -> None:
        """Puts the terminal back to how it was."""
        self.close_screen()
        if self._keys is not None:
            self._keys.close()

    def close_screen(self) -> None:
        """Ends the live screen, so that tables can follow."""
        if self.screen is not None:
            self.screen.close()

    def _on_quit(self, number: int, _frame: Any) -> None:
        """Ctrl-\\, the emergency exit: not even that leaves a terminal without echo and cursor."""
        self.leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _suspend(self) -> None:
        """Ctrl-Z: the shell gets a terminal in order. When the process goes on, what draws and reads keys does so by
        itself, once it is in front."""
        if self.screen is not None:
            self.screen.hide()
        if self._keys is not None:
            self._keys.pause()
        # Back to what the system does, as that depends on whether there is a shell that could have it go on.
        self._suspending.cancel()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        self._suspending = gevent.signal_handler(signal.SIGTSTP, self._suspend)
