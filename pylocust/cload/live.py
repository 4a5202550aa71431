"""The live screen of a headless test, where standard output is a terminal.

A library that draws such screens (rich) was measured: 55 ms of CPU to import and 5 ms for each drawing, in which no
user runs. These lines take 0.3 ms, once a second; if they ever take longer, they are drawn less often.
"""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import gevent
from locust import stats as locust_stats
from locust._generator import Watch
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPED, MasterRunner

from ._region import Redirection, Region, is_in_front

# Seconds between two drawings, and between two looks at the size of the terminal.
_INTERVAL = 1.0
_GLANCE = 0.25
# So many times as long as a drawing took, the next one has to wait: 0.7 % of a core at most.
_REST = 150
# Samples that are kept: as many as the widest line shows.
_SAMPLES = 120
_SMALLEST = (40, 8)

_KEYS = "w W s S: 1 or 10 users more or fewer   Ctrl-C: end the test"
_STATES = {STATE_INIT: "waiting", STATE_SPAWNING: "starting users", STATE_RUNNING: "running", STATE_STOPPED: "stopped"}


@dataclass(frozen=True)
class Style:
    """What a terminal can show."""

    has_colors: bool
    bars: str
    filled: str
    empty: str
    ellipsis: str

    @classmethod
    def of(cls, can_encode: Callable[[str], bool]) -> Style:
        """``NO_COLOR`` is respected, and so is an encoding without these characters."""
        has_colors = not os.environ.get("NO_COLOR")
        rich = cls(has_colors, "▁▂▃▄▅▆▇█", "━", "─", "…")
        if can_encode(rich.bars + rich.filled + rich.empty + rich.ellipsis):
            return rich
        return cls(has_colors, "_.-=+*%#", "=", "-", "~")

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colors and text else text


_BOLD, _DIM, _RED, _GREEN, _YELLOW, _BLUE = "1", "2", "31", "32", "33", "36"


@dataclass
class Slow:
    """One of the slowest names."""

    method: str
    name: str
    requests: int
    failures: int
    rate: float
    times: tuple[float, float, float]


@dataclass
class Snapshot:
    """What a drawing shows. Columns of numbers have one for each drawing, the latest last."""

    title: str = ""
    state: str = ""
    elapsed: float = 0.0
    left: float | None = None
    requests: int = 0
    failures: int = 0
    users: int = 0
    wanted_users: int = 0
    rates: Sequence[float] = ()
    failure_rates: Sequence[float] = ()
    user_counts: Sequence[float] = ()
    # By percentile.
    times: dict[float, Sequence[float]] = field(default_factory=dict)
    slowest_ms: float = 0.0
    generator: str = ""
    is_late: bool = False
    slow: list[Slow] = field(default_factory=list)
    has_keys: bool = False


# --- text ---


def width_of(text: str) -> int:
    """The columns that a text fills."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def fitted(text: str, width: int, style: Style) -> str:
    """The text in exactly so many columns, without characters that would move the cursor."""
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    if width_of(text) > width:
        while text and width_of(text) > width - 1:
            text = text[:-1]
        text += style.ellipsis if width > 0 else ""
    return text + " " * (width - width_of(text))


def whole(number: float) -> str:
    return f"{number:,.0f}"


def rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def milliseconds(number: float) -> str:
    if number >= 100_000:
        return f"{number / 1000:,.0f} s"
    return f"{number:,.0f} ms" if number >= 100 else f"{number:.1f} ms" if number >= 10 else f"{number:.2f} ms"


def clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def sparkline(values: Sequence[float], width: int, style: Style) -> str:
    """The last values as bars, the highest of them at full height."""
    shown = list(values)[-width:] if width > 0 else []
    top = max(shown, default=0)
    last = len(style.bars) - 1
    heights = (round(last * value / top) if top > 0 else 0 for value in shown)
    return "".join(style.bars[max(0, height)] for height in heights).ljust(max(width, 0))


# --- the lines ---


def render(snapshot: Snapshot, columns: int, rows: int, style: Style) -> list[str]:
    """The screen, in less than ``columns`` and in less than ``rows``, so that some lines of the log are seen, too."""
    width = columns - 1
    if columns < _SMALLEST[0] or rows < _SMALLEST[1]:
        text = f"{rate(_last(snapshot.rates))}/s {whole(snapshot.users)} users {whole(snapshot.failures)} failed"
        return [fitted(text, width, style)]
    lines = [_headline(snapshot, width, style)]
    if snapshot.left is not None:
        lines.append(_progress(snapshot, width, style))
    lines += _charts(snapshot, width, style)
    room = rows - len(lines) - 3 - max(2, rows // 6)
    if room > 0 and snapshot.slow:
        lines += ["", *_slow_table(snapshot.slow[:room], width, style)]
    if snapshot.has_keys and len(lines) < rows - 4:
        lines.append(style.paint(fitted(_KEYS, width, style), _DIM))
    return lines[: rows - 1]


def _last(values: Sequence[float]) -> float:
    return values[-1] if values else 0.0


def _headline(snapshot: Snapshot, width: int, style: Style) -> str:
    time_text = clock(snapshot.elapsed)
    if snapshot.left is not None:
        time_text += f", {clock(snapshot.left)} left"
    right = f"{snapshot.state} {time_text}"
    left = fitted(snapshot.title, max(0, width - len(right) - 1), style)
    return style.paint(left, _BOLD) + " " + style.paint(right, _GREEN if snapshot.state == "running" else _YELLOW)


def _progress(snapshot: Snapshot, width: int, style: Style) -> str:
    assert snapshot.left is not None
    whole_time = snapshot.elapsed + snapshot.left
    share = min(1.0, snapshot.elapsed / whole_time) if whole_time > 0 else 1.0
    label = f" {100 * share:3.0f} %"
    done = round(share * (width - len(label)))
    rest = width - len(label) - done
    return style.paint(style.filled * done, _GREEN) + style.paint(style.empty * rest, _DIM) + label


def _charts(snapshot: Snapshot, width: int, style: Style) -> list[str]:
    share = snapshot.failures / snapshot.requests if snapshot.requests else 0.0
    failed = f"{whole(snapshot.failures)} ({100 * share:.{2 if share < 0.1 else 1}f} %)"
    users = f"of {whole(snapshot.wanted_users)}" if snapshot.wanted_users != snapshot.users else ""
    rows = [
        ("Requests", rate(_last(snapshot.rates)) + "/s", snapshot.rates, whole(snapshot.requests) + " in all", _GREEN),
        ("Failures", rate(_last(snapshot.failure_rates)) + "/s", snapshot.failure_rates, failed, _RED),
    ]
    for place, (percentile, values) in enumerate(snapshot.times.items()):
        label = locust_stats.get_readable_percentiles([percentile])[0]
        slowest = f"slowest {milliseconds(snapshot.slowest_ms)}" if place == len(snapshot.times) - 1 else ""
        rows.append((f"{label} time", milliseconds(_last(values)), values, slowest, _BLUE))
    rows.append(("Users", whole(snapshot.users), snapshot.user_counts, users, _YELLOW))
    beside = max(len(note) for _, _, _, note, _ in rows)
    spark = width - 10 - 13 - 2 - beside
    lines = []
    for label, value, values, note, color in rows:
        if label == "Failures" and snapshot.failures == 0:
            color = _DIM
        chart = style.paint(sparkline(values, min(spark, _SAMPLES), style), color) + "  " if spark >= 8 else ""
        text = fitted(f"{label:<10}{value:>11}", 21, style) + "  "
        left = width - 23 - (min(spark, _SAMPLES) + 2 if spark >= 8 else 0)
        lines.append(text + chart + fitted(note, max(0, left), style))
    if snapshot.generator:
        text = fitted(f"Generator {snapshot.generator}", width, style)
        lines.append(style.paint(text, _YELLOW) if snapshot.is_late else text)
    return lines


def _slow_table(slow: list[Slow], width: int, style: Style) -> list[str]:
    numbers = [("requests", 11), ("failed", 9), ("per s", 9), ("50%", 10), ("95%", 10), ("slowest", 10)]
    # What matters least goes first where there is no room.
    for unneeded in ("per s", "slowest", "requests", "50%"):
        if width - sum(size for _, size in numbers) >= 24:
            break
        numbers = [column for column in numbers if column[0] != unneeded]
    name_width = width - sum(size for _, size in numbers)
    titles = "".join(title.rjust(size) for title, size in numbers)
    lines = [style.paint(fitted("Slowest names", name_width, style) + titles, _BOLD)]
    for one in slow:
        values = {
            "requests": whole(one.requests),
            "failed": whole(one.failures),
            "per s": rate(one.rate),
            "50%": milliseconds(one.times[0]),
            "95%": milliseconds(one.times[1]),
            "slowest": milliseconds(one.times[2]),
        }
        line = fitted(f"{one.method} {one.name}", name_width, style)
        for title, size in numbers:
            text = values[title].rjust(size)
            line += style.paint(text, _RED) if title == "failed" and one.failures else text
        lines.append(line)
    return lines


# --- the numbers ---


class Sampler:
    """Takes a snapshot of an environment now and then."""

    def __init__(self, environment: Any, title: str, run_time: float | None) -> None:
        self._environment = environment
        self._title = title
        self._run_time = run_time
        self._watch = Watch(environment)
        self._began: float | None = None
        self._at = time.monotonic()
        self._counts = (0, 0)
        self._slots: dict[int, int] = {}
        self._rates: deque[float] = deque(maxlen=_SAMPLES)
        self._failure_rates: deque[float] = deque(maxlen=_SAMPLES)
        self._user_counts: deque[float] = deque(maxlen=_SAMPLES)
        self._times: dict[float, deque[float]] = {}
        self._slowest: list[Any] = []
        self._ranked_again = 0.0

    def state(self) -> str:
        """The runner's state."""
        return str(self._environment.runner.state)

    def take(self, room: int) -> Snapshot:
        """A snapshot of the present state, with at most ``room`` of the slowest names."""
        runner = self._environment.runner
        total = runner.stats.total
        now = time.monotonic()
        if self._began is None and runner.state != STATE_INIT:
            self._began = now
        elapsed = 0.0 if self._began is None else now - self._began
        is_master = isinstance(runner, MasterRunner)
        self._count(total, now, is_master)
        self._user_counts.append(runner.user_count)
        report = self._watch.report()
        generator, is_late = self._generator(report, runner if is_master else None)
        return Snapshot(
            title=self._title,
            state=_STATES.get(runner.state, runner.state),
            elapsed=elapsed,
            left=None if self._run_time is None else max(0.0, self._run_time - elapsed),
            requests=total.num_requests,
            failures=total.num_failures,
            users=runner.user_count,
            wanted_users=runner.target_user_count,
            rates=self._rates,
            failure_rates=self._failure_rates,
            user_counts=self._user_counts,
            times=dict(self._times),
            slowest_ms=total.max_response_time,
            generator=generator,
            is_late=is_late,
            slow=self._slow(runner.stats, now, room),
        )

    def _count(self, total: Any, now: float, is_master: bool) -> None:
        counts = (total.num_requests, total.num_failures)
        passed = now - self._at
        if is_master:
            # Reports come every few seconds; differences would be nothing, nothing, and much.
            self._rates.append(total.current_rps)
            self._failure_rates.append(total.current_fail_per_sec)
        elif passed > 0:
            # After a reset, all there is is new.
            before = self._counts if counts[0] >= self._counts[0] else (0, 0)
            self._rates.append((counts[0] - before[0]) / passed)
            self._failure_rates.append(max(0, counts[1] - before[1]) / passed)
        self._counts, self._at = counts, now
        self._add_times(total)

    def _add_times(self, total: Any) -> None:
        flat = total._histogram
        slots = dict(zip(flat[::2], flat[1::2], strict=True))
        before = self._slots if sum(self._slots.values()) <= sum(slots.values()) else {}
        fresh: list[int] = []
        for slot, count in slots.items():
            added = count - before.get(slot, 0)
            if added > 0:
                fresh += (slot, added)
        self._slots = slots
        recent = locust_stats.StatsEntry(self._environment.stats, "", "")
        recent._histogram = fresh
        # It is kept within these.
        recent.min_response_time, recent.max_response_time = 0.0, total.max_response_time
        for percentile in locust_stats.PERCENTILES_TO_CHART:
            values = self._times.setdefault(percentile, deque(maxlen=_SAMPLES))
            if fresh:
                values.append(recent.get_exact_response_time_percentile(percentile))
            else:
                # Nothing was answered in this second.
                values.append(_last(values) if isinstance(self._environment.runner, MasterRunner) else 0.0)

    def _generator(self, report: dict[str, Any], master: Any) -> tuple[str, bool]:
        lag = report["lag_ms"]
        text = f"{report['cpu_usage']:.0f} % CPU, {report['memory_usage'] / 2**20:,.0f} MiB, late by {lag:.0f} ms"
        is_late = report["is_lagging"]
        if master is not None:
            nodes = list(master.clients.values())
            missing = [node for node in nodes if node.state == "missing"]
            busiest = max((node.cpu_usage for node in nodes), default=0)
            text += f"; {len(nodes) - len(missing)} workers, the busiest {busiest:.0f} % CPU"
            if missing:
                text += f", {len(missing)} missing"
            is_late = is_late or bool(missing) or any(node["is_lagging"] for node in master.generator.workers.values())
        return text, is_late

    def _slow(self, stats: Any, now: float, room: int) -> list[Slow]:
        """The names with the highest 95 % percentiles. With thousands of names they are sorted anew less often."""
        if now >= self._ranked_again:
            before = time.thread_time()
            entries = [entry for entry in stats.entries.values() if entry.num_requests]
            entries.sort(key=lambda entry: entry.get_exact_response_time_percentile(0.95), reverse=True)
            self._slowest = entries[:50]
            self._ranked_again = now + _REST * (time.thread_time() - before)
        return [
            Slow(
                entry.method,
                entry.name,
                entry.num_requests,
                entry.num_failures,
                entry.current_rps,
                (
                    entry.get_exact_response_time_percentile(0.5),
                    entry.get_exact_response_time_percentile(0.95),
                    entry.max_response_time,
                ),
            )
            for entry in self._slowest[:room]
            if entry.num_requests
        ]


# --- the life of the screen ---


def is_wanted(output: TextIO | None = None) -> bool:
    """Whether standard output is a terminal that can show the screen, and nobody asked for plain tables."""
    output = output or sys.stdout
    if os.environ.get("CLOAD_PLAIN", "0") not in ("", "0") or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    try:
        return output.isatty() and is_in_front(output.fileno())
    except (AttributeError, OSError, ValueError):
        return False


class LiveScreen:
    """Draws the state of a test until it is closed. Other output scrolls above."""

    def __init__(
        self,
        environment: Any,
        title: str,
        run_time: float | None,
        has_keys: Callable[[], bool],
    ) -> None:
        """``run_time``: seconds from the first user to the end, if that is known."""
        self._region = Region(sys.stdout)
        self._style = Style.of(self._region.can_encode)
        self._sampler = Sampler(environment, title, run_time)
        self._has_keys = has_keys
        self._redirection = Redirection(self._region, sys.stdout)
        self._snapshot = Snapshot()
        self._size = (0, 0)
        self._drawing: Any = gevent.spawn(self._run)

    def close(self) -> None:
        """Leaves the terminal as it was found. May be called twice."""
        drawing, self._drawing = self._drawing, None
        if drawing is None:
            return
        drawing.kill(block=False)
        self._region.close()
        self._redirection.end()

    def hide(self) -> None:
        """Removes the screen until the next drawing."""
        self._region.hide()

    def _run(self) -> None:
        next_drawing = 0.0
        state = ""
        while True:
            begin = time.monotonic()
            try:
                if begin >= next_drawing or state != self._sampler.state():
                    state = self._sampler.state()
                    before = time.thread_time()
                    self._snapshot = self._sampler.take(self._region.size()[1])
                    self._snapshot.has_keys = self._has_keys()
                    self._draw()
                    next_drawing = begin + max(_INTERVAL, _REST * (time.thread_time() - before))
                elif self._size != self._region.size():
                    self._draw()
                else:
                    self._region.refresh()
            except OSError:
                # The terminal is gone; the test is not.
                return
            gevent.sleep(_GLANCE)

    def _draw(self) -> None:
        self._size = self._region.size()
        self._region.draw(render(self._snapshot, *self._size, self._style))
