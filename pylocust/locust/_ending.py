"""How a run of the command is told to end, and what its end waits for.

Python raises KeyboardInterrupt wherever it happens to be: in a user's task whose ``except:`` swallows it, in a
finalizer, which cannot raise, in the greenlet that spawns users. Here a signal always arrives in the greenlet that runs
the command. And an end that takes long says what it waits for.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import sysconfig
import traceback
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import cload as _cload_package
import gevent
from gevent import monkey

if TYPE_CHECKING:
    from .runners import Runner

logger = logging.getLogger("locust.main")

# Seconds in which code that lets nobody else run may do so, before an interrupt is raised right in it.
_PATIENCE_S = 1.0
# Seconds after which an end, and the stop of a test, says what it waits for; and between two times of saying so.
FIRST_WORD_S = 10.0
_NEXT_WORD_S = 30.0
_MOST_PLACES = 5
# Folders of libraries: a file in them is no script.
_FOLDERS = tuple(
    os.path.join(folder, "")
    for folder in (
        os.path.dirname(__file__),
        os.path.dirname(_cload_package.__file__),
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)

_start_new_thread = monkey.get_original("_thread", "start_new_thread")
_allocate_lock = monkey.get_original("_thread", "allocate_lock")
_thread_number = monkey.get_original("_thread", "get_ident")
_thread_sleep = monkey.get_original("time", "sleep")


def _start_thread(function: Callable[..., None], *args: object) -> None:
    """Returns when the thread runs: Python crashes if it ends between the start of a thread and its first step.

    Where the system has no room for another thread there is none. These only help; a run ends without them."""
    begun = _allocate_lock()
    begun.acquire()

    def run() -> None:
        begun.release()
        function(*args)

    try:
        _start_new_thread(run, ())
    except RuntimeError:
        return
    begun.acquire()


class Terminated(BaseException):
    """Somebody wants the process to end: SIGTERM, or the terminal is gone."""


class Signals:
    """Has signals end a run in the greenlet that makes this, by an exception: KeyboardInterrupt or Terminated."""

    def __init__(self, on_emergency: Callable[[], None]) -> None:
        """``on_emergency`` is called before a third Ctrl-C ends the process on the spot."""
        self._main = gevent.getcurrent()
        self._hub = gevent.get_hub()
        self._on_emergency = on_emergency
        self._interrupts = 0
        self._is_told = True
        self._is_insisting = False
        self._is_terminated = False
        self._is_ending = False

    def install(self) -> None:
        """Takes over the signals. One that is ignored, as under nohup, stays ignored."""
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_interrupt)
        gevent.signal_handler(signal.SIGTERM, self._on_terminate, "SIGTERM")
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
            # The terminal is gone: what was measured is to be on disk.
            gevent.signal_handler(signal.SIGHUP, self._on_terminate, "SIGHUP")

    def _on_interrupt(self, number: int, _frame: FrameType | None) -> None:
        if self._is_insisting:
            self._is_insisting = False
        else:
            self._interrupts += 1
            if self._interrupts > 2:
                self._on_emergency()
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            if self._is_told and gevent.getcurrent() is not self._main:
                self._is_told = False
                self._hub.loop.run_callback(self._tell_interrupt)
                _start_thread(self._insist, self._interrupts)
                return
            self._is_told = False
        if not self._is_told:
            # In the greenlet that runs the command, or in code that lets nobody else run.
            self._is_told = True
            raise KeyboardInterrupt

    def _tell_interrupt(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._main.throw(KeyboardInterrupt())

    def _insist(self, number: int) -> None:
        # A thread of its own, as nothing else runs beside code that does not let go.
        _thread_sleep(_PATIENCE_S)
        if not self._is_told and self._interrupts == number:
            self._is_insisting = True
            os.kill(os.getpid(), signal.SIGINT)

    def begin_end(self) -> None:
        """Notes that the end has begun: further signals that ask for it change nothing."""
        self._is_ending = True

    def is_terminating(self) -> bool:
        """Whether a SystemExit came because of SIGTERM, for which a script may have a handler of its own that exits.
        From here on nothing is raised any more."""
        self.begin_end()
        # The handlers of a signal are called one after the other; those after the one that exits have yet to be.
        gevent.sleep(0)
        return self._is_terminated

    def _on_terminate(self, name: str) -> None:
        # Some send it twice: to the process and to its group.
        if self._is_terminated:
            return
        self._is_terminated = True
        logger.info("Got %s signal", name)
        if not self._is_ending:
            self._hub.loop.run_callback(self._tell_terminate)

    def _tell_terminate(self) -> None:
        if not self._is_ending:
            self._main.throw(Terminated())


class _Ending:
    """What is known of the end of this process."""

    is_watched = False


def watch_end(runner: Runner) -> None:
    """Starts to log now and then, for as long as the process lives, what its end still waits for."""
    if _Ending.is_watched:
        return
    _Ending.is_watched = True
    hub, main = gevent.get_hub(), gevent.getcurrent()
    thread = _thread_number()
    words = 0

    def say() -> None:
        nonlocal words
        words += 1
        logger.warning("The end still waits: %s. Ctrl-C, once more, ends it at once", waited_for(runner, main))

    def watch() -> None:
        pause = FIRST_WORD_S
        while True:
            _thread_sleep(pause)
            pause = _NEXT_WORD_S
            before = words
            hub.loop.run_callback_threadsafe(say)
            _thread_sleep(_PATIENCE_S)
            if words == before:
                # The hub does not get a turn.
                place = _place(sys._current_frames().get(thread))
                text = f"cload: the end still waits for {place}, which lets nobody else run\n"
                os.write(2, text.encode(errors="replace"))

    _start_thread(watch)


def watch_stop(runner: Runner) -> gevent.Greenlet[..., Any]:
    """A greenlet that says now and then, until it is killed, what the stop of a test waits for."""
    caller = gevent.getcurrent()

    def watch() -> None:
        pause = FIRST_WORD_S
        while True:
            gevent.sleep(pause)
            pause = _NEXT_WORD_S
            if not _Ending.is_watched:
                logger.warning("The stop of the test still waits: %s", waited_for(runner, caller))

    return gevent.spawn(watch)


def waited_for(runner: Runner, waiting: Any) -> str:
    """Where the users are that have not ended, and the greenlet that waits for them."""
    places: Counter[str] = Counter()
    for greenlet, user in runner._running_users():
        # Without a greenlet of its own it is between two tasks.
        carrier = getattr(greenlet, "carrier", greenlet)
        places[f"{type(user).__name__} at {_place(getattr(carrier, 'gr_frame', None))}"] += 1
    texts = [f"{count} {place}" for place, count in places.most_common(_MOST_PLACES)]
    if len(places) > _MOST_PLACES:
        texts.append(f"users at {len(places) - _MOST_PLACES} other places")
    own = _place(getattr(waiting, "gr_frame", None))
    return f"users that have not ended, {', '.join(texts)}; {own}" if texts else own


def _place(frame: FrameType | None) -> str:
    """The innermost place in a script, or else in our own code, or else the innermost of all."""
    if frame is None:
        return "no code"
    frames = list(traceback.walk_stack(frame))
    own = _FOLDERS[0]
    scripts = (one for one in frames if not _file_of(one).startswith((*_FOLDERS, "<frozen")))
    found, line = next(scripts, None) or next((one for one in frames if _file_of(one).startswith(own)), frames[0])
    return f"{os.path.basename(found.f_code.co_filename)}:{line} ({found.f_code.co_name})"


def _file_of(place: tuple[FrameType, int]) -> str:
    return place[0].f_code.co_filename
