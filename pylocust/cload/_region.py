"""Lines at the bottom of a terminal that are drawn again and again, while all other output scrolls above them.

Between two drawings the cursor rests at the beginning of the first of these lines. So whatever happens next (another
process writes, the window becomes narrower and the terminal breaks lines anew, the process is killed) goes on from
there, and clearing "from the cursor to the end" removes the lines, however many rows they fill by then.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from gevent import monkey

# Threads write, too; and a greenlet that writes may be interrupted by a signal handler that does.
_RLock: Any = monkey.get_original("threading", "RLock")
# gevent's own would let others run, and draw.
_select: Any = monkey.get_original("select", "select")

# "Synchronized output" keeps terminals that know it from showing a half-drawn region; others ignore it.
_BEGIN = "\x1b[?2026h\x1b[?25l"
_END = "\x1b[?2026l"
# Lines that are too long after all do not break, so that their number stays what it is.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_CLEAR = "\r\x1b[J"
_SHOW_CURSOR = "\x1b[?25h"

# Seconds between two drawings when output above comes in a flood.
_FLOOD_PAUSE = 0.02
# Characters that are held back while the terminal takes none (Ctrl-S): longer than that, and the writer has to wait.
_MOST_HELD_BACK = 1 << 20


def is_in_front(descriptor: int) -> bool:
    """Whether the terminal is this process's to use, which it is not while a shell has it in the background."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        # Not the terminal that controls this process: nobody moves it to the background.
        return True


def _opened_anew(terminal: int) -> int:
    """A descriptor of its own that does not wait, so nobody else finds the terminal changed; the same one where there
    can be none."""
    try:
        return os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return terminal


class Region:
    """The lines, on the terminal that ``output`` is."""

    def __init__(self, output: TextIO) -> None:
        self._descriptor = output.fileno()
        # The terminal may be stopped (Ctrl-S) between a look whether it takes text and the writing.
        self._hasty = _opened_anew(self._descriptor)
        self._unsent = b""
        self._encoding = output.encoding or "utf-8"
        self._lines = ""
        self._held_back = ""
        self._is_drawn = False
        self._drawn_at = 0.0
        # After a fork, the lines are the parent's.
        self._pid = os.getpid()
        self._is_open = True
        self._lock = _RLock()

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            size = os.get_terminal_size(self._descriptor)
        except OSError:
            return 80, 24
        return size.columns or 80, size.lines or 24

    def can_encode(self, text: str) -> bool:
        """Whether the terminal's encoding has these characters."""
        try:
            text.encode(self._encoding)
        except (UnicodeError, LookupError):
            return False
        return True

    def draw(self, lines: list[str]) -> None:
        """Shows these lines, which must fit into the width, in place of the former ones."""
        up = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        self._lines = "\r\n".join(lines) + "\r" + up
        with self._lock:
            if self._is_usable() and self._takes_text():
                self._put(self._draw_below(self._take_held_back()))

    def refresh(self) -> None:
        """Draws the lines again if output in a flood has cleared them."""
        with self._lock:
            if self._lines and not self._is_drawn and self._is_usable() and self._takes_text():
                self._put(self._draw_below(self._take_held_back()))

    def above(self, text: str) -> None:
        """Writes whole lines where the region was, and the region below."""
        with self._lock:
            text = self._held_back + text
            self._held_back = ""
            if self._is_usable() and not self._takes_text() and len(text) < _MOST_HELD_BACK:
                self._held_back = text
                return
            if not self._is_usable() or len(text) >= _MOST_HELD_BACK:
                self._put_all((_CLEAR if self._is_drawn and self._is_usable() else "") + text)
                self._is_drawn = self._is_drawn and not self._is_usable()
            elif not self._lines:
                self._put(text)
            elif time.monotonic() - self._drawn_at < _FLOOD_PAUSE:
                self._put((_CLEAR if self._is_drawn else "") + text)
                self._is_drawn = False
            else:
                self._put(self._draw_below(text))

    def hide(self) -> None:
        """Removes the lines until the next draw()."""
        with self._lock:
            if self._pid != os.getpid():
                return
            held_back = self._take_held_back()
            if self._lines or held_back or self._unsent:
                self._put_all((_CLEAR if self._is_drawn else "") + _SHOW_CURSOR + held_back)
            self._is_drawn = False
            self._lines = ""

    def close(self) -> None:
        """Removes the region for good. The terminal is then as if it had never been there."""
        try:
            self.hide()
        except OSError:
            # The terminal is gone, and the lines with it.
            self._is_drawn = False
        if self._is_open and self._hasty != self._descriptor:
            os.close(self._hasty)
        self._is_open = False

    def _is_usable(self) -> bool:
        return self._is_open and self._pid == os.getpid() and is_in_front(self._descriptor)

    def _takes_text(self) -> bool:
        self._send(self._hasty)
        return not self._unsent and bool(_select([], [self._hasty], [], 0)[1])

    def _take_held_back(self) -> str:
        text, self._held_back = self._held_back, ""
        return text

    def _draw_below(self, text: str) -> str:
        self._is_drawn = True
        self._drawn_at = time.monotonic()
        return _BEGIN + _CLEAR + text + _NO_WRAP + self._lines + _WRAP + _END

    def _put(self, text: str) -> None:
        """Writes what the terminal takes; the rest comes first the next time."""
        self._unsent += text.encode(self._encoding, "replace")
        self._send(self._hasty)

    def _put_all(self, text: str) -> None:
        if self._pid != os.getpid():
            # The rest is the parent's to write.
            self._unsent = b""
        self._unsent += text.encode(self._encoding, "replace")
        self._send(self._descriptor)

    def _send(self, descriptor: int) -> None:
        data, self._unsent = self._unsent, b""
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            self._unsent = data + self._unsent


class LinesAbove(io.TextIOBase):
    """Stands for stdout or stderr while there is a region on the same terminal: passes on whole lines."""

    def __init__(self, region: Region, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self._region = region
        self._rest = ""

    def write(self, text: str) -> int:
        lines, newline, rest = (self._rest + text).rpartition("\n")
        # Of what overwrites itself, the last counts.
        self._rest = rest.rpartition("\r")[2] if rest and not rest.endswith("\r") else rest
        if newline:
            self._region.above(lines + newline)
        return len(text)

    def end(self) -> None:
        """Writes what is left without an end of line."""
        if self._rest:
            self._region.above(self._rest)
            self._rest = ""

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.stream.fileno()

    def flush(self) -> None:
        """Does nothing, since whole lines are written at once."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    for logger in [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler):
                yield handler


class Redirection:
    """Has what goes to the region's terminal through stdout, stderr and log handlers appear above the region."""

    def __init__(self, region: Region, output: TextIO) -> None:
        terminal = os.fstat(output.fileno()).st_rdev
        self._stands: list[LinesAbove] = []
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            try:
                if not stream.isatty() or os.fstat(stream.fileno()).st_rdev != terminal:
                    continue
            except (AttributeError, OSError, ValueError):
                continue
            stream.flush()
            stand = LinesAbove(region, stream)
            self._stands.append(stand)
            setattr(sys, name, stand)
        self._exchange({id(stand.stream): stand for stand in self._stands})

    @staticmethod
    def _exchange(streams: dict[int, Any]) -> None:
        for handler in _stream_handlers():
            other = streams.get(id(handler.stream))
            if other is not None:
                handler.setStream(other)

    def end(self) -> None:
        """Ends the redirection."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream in self._stands:
                setattr(sys, name, stream.stream)
        self._exchange({id(stand): stand.stream for stand in self._stands})
        for stand in self._stands:
            try:
                stand.end()
            except OSError:
                continue
