"""How the load generator itself copes.

A process that is short of CPU time, or whose event loop is held up, measures itself and not only its target. The core
looks all the time (`locustcore/meter.h`) and marks the seconds in which that was so; here is what is told about it, and
on a master, what its workers told.
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import _cload
import gevent

from .util.process import resident_bytes

if TYPE_CHECKING:
    from .env import Environment
    from .runners import Runner

logger = logging.getLogger("locust.runners")

# Limits from which on a second is marked. They are read when a runner is made, and user code may assign to them.
DELAY_LIMIT_MS = 50.0  # the event loop looked at something so much later than it was due
BUSY_LIMIT = 0.9  # the share of a core that the process's main thread used or wanted
STARVED_LIMIT = 0.1  # the share of a second in which it wanted to run and was not let

# What workers put into their heartbeats.
WIRE_KEY = "cload_generator"

_REASONS = {_cload.LAG_DELAY: "delay", _cload.LAG_BUSY: "busy", _cload.LAG_STARVED: "starved"}
# Seconds that "now" looks back, and those between two warnings about one process.
_RECENT = 10
_WARNING_PAUSE = 60.0
# Ranges of marked seconds that are told where they are many.
_MOST_RANGES = 100
# How many finished seconds of each process, and of all together, are kept for those who read them now and then.
_LOG_SECONDS = 120
_LOG_LENGTH = 20_000
# What no range of a worker is longer than: a month.
_LONGEST_RANGE = 31 * 86400

_LEFT_OUT = ("left_out_requests", "left_out_failures")
_TEST_NUMBERS = (
    "seconds",
    "lagging_seconds",
    "delay_seconds",
    "busy_seconds",
    "starved_seconds",
    "cpu_average",
    "cpu_max",
    "starved_average",
    "starved_max",
    "lag_average_ms",
    "lag_max_ms",
    *_LEFT_OUT,
)
_CSV_COLUMNS = ("Timestamp", "Node", "CPU %", "Starved %", "Loop Delay ms", "Lagging")


class Second(NamedTuple):
    """What one second was like; more than one only where the loop was held up for so long."""

    first: int
    last: int
    cpu: float
    busy: float
    starved: float
    delay_ms: float
    lag: int

    @property
    def reasons(self) -> list[str]:
        """Why it is marked: "delay", "busy", "starved"."""
        return [text for bit, text in _REASONS.items() if self.lag & bit]


class Health(NamedTuple):
    """How a generator coped for a while."""

    cpu_usage: float
    lag_ms: float
    bad_seconds: int


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of ranges of whole seconds, ascending."""
    union: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if union and first <= union[-1][1] + 1:
            union[-1] = (union[-1][0], max(last, union[-1][1]))
        else:
            union.append((first, last))
    return union


def _length(ranges: list[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def describe(test: dict[str, Any]) -> str:
    """A line about a test, from what Generator.test() gives."""
    text = (
        f"CPU {test['cpu_average']:.0f} % on average, {test['cpu_max']:.0f} % at most;"
        f" event loop late by {test['lag_average_ms']:.1f} ms on average, {test['lag_max_ms']:.0f} ms at most"
    )
    if test["starved_max"] >= 1:
        text += f"; waited for a core {test['starved_average']:.0f} % of the time, {test['starved_max']:.0f} % at most"
    return text


class Generator:
    """A runner's view of its own process; on a master also of its workers'."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._recent: deque[Second] = deque(maxlen=_RECENT)
        self._position = 0
        self._numbers: dict[str, Any] = {}
        self._marks: list[tuple[int, int]] = []
        self._warned: dict[str, float] = {}
        self._is_testing = False
        # By worker: what it told last, and the last of its seconds that the CSV file has.
        self.workers: dict[str, dict[str, Any]] = {}
        self._csv_seconds: dict[str, int] = {}
        # Finished seconds of this process ("") and of workers, and how many there were in all.
        self._log: deque[tuple[str, Second]] = deque(maxlen=_LOG_LENGTH)
        self._logged = 0
        self._csv_position = 0
        try:
            self._meter: _cload.Meter | None = _cload.Meter(DELAY_LIMIT_MS, BUSY_LIMIT, STARVED_LIMIT)
        except RuntimeError:
            # Users run in another thread than this runner: there is no event loop of theirs here.
            self._meter = None

    # The course of a test

    def begin(self) -> None:
        """A test begins, or its statistics are reset."""
        self._take()
        self.workers.clear()
        self._warned.clear()
        self._recent.clear()
        self._is_testing = True
        if self._meter is not None:
            self._meter.begin(self._runner.stats if self._is_excluding() else None)

    def _is_excluding(self) -> bool:
        return bool(getattr(self._runner.environment.parsed_options, "exclude_lagging", False))

    def end(self) -> None:
        """The users are gone: what was held back is counted, or not."""
        self._is_testing = False
        if self._meter is not None:
            self._meter.end()

    def close(self) -> None:
        """Ends the measuring; what is known stays."""
        if self._meter is not None:
            self.end()
            self._take()
            self._meter.close()
            self._meter = None

    def watch(self) -> NoReturn:
        """Looks once a second for as long as its greenlet lives, and warns."""
        while True:
            gevent.sleep(1)
            self._take()
            self._look_at("", "This process", list(self._recent))

    def _take(self) -> None:
        """What the meter has that is new."""
        if self._meter is None:
            return
        self._position, seconds = self._meter.seconds(self._position)
        for values in seconds:
            second = Second(*values)
            self._recent.append(second)
            self._note("", second)
        self._numbers = self._meter.numbers()
        self._marks = self._meter.marks(_MOST_RANGES)

    def _look_at(self, node: str, who: str, recent: list[Second]) -> None:
        """Warns about a process now and then while it lags; of too little CPU alone its runner warns, as in Locust."""
        lagging = [second for second in recent if second.lag]
        if not self._is_testing or len(recent) < _RECENT or all(second.reasons == ["busy"] for second in lagging):
            return
        now = time.monotonic()
        if now - self._warned.get(node, -_WARNING_PAUSE) < _WARNING_PAUSE:
            return
        self._warned[node] = now
        logger.warning(
            "%s lagged in %d of %d seconds (CPU %.0f %%, waited for a core %.0f %% of the time, event loop late by"
            " %.0f ms): times measured now may be too long. Use more processes (--processes) or machines, or leave"
            " such seconds out (--exclude-lagging)",
            who,
            len(lagging),
            len(recent),
            100 * max(second.cpu for second in recent),
            100 * max(second.starved for second in recent),
            max(second.delay_ms for second in recent),
        )

    def _note(self, node: str, second: Second) -> None:
        self._log.append((node, second))
        self._logged += 1
        if len(self._log) > _LOG_SECONDS * (1 + len(self.workers)):
            self._log.popleft()

    def seconds_since(self, position: int) -> tuple[int, list[tuple[str, Second]]]:
        """Finished seconds and their nodes ("" is this process) since a position, and the next one; it starts at 0."""
        self._take()
        new = min(self._logged - position, len(self._log))
        return self._logged, list(itertools.islice(self._log, len(self._log) - new, None))

    # Workers

    def wire_report(self) -> dict[str, Any]:
        """What a worker tells its master."""
        self._take()
        return self.report() | {"test": self._own_test(), "seconds": [list(second) for second in self._recent]}

    def hear(self, worker: str, report: Any) -> None:
        """Takes what a worker told; anything that is no report is passed over."""
        try:
            seconds = [Second(*values) for values in report["seconds"]]
            test = {name: report["test"][name] + 0 for name in _TEST_NUMBERS}
            lagging = [(int(first), int(last)) for first, last in report["test"]["lagging"]]
            if not all(0 <= first <= last < first + _LONGEST_RANGE for first, last in lagging):
                return
            told = {name: report[name] + 0 for name in ("cpu_usage", "memory_usage", "lag_ms", "starved")}
            self.workers[worker] = {
                **told,
                "is_lagging": bool(report["is_lagging"]),
                "reasons": [str(reason) for reason in report["reasons"]],
                "test": {**test, "lagging": lagging},
            }
        except (KeyError, TypeError, ValueError):
            return
        for second in seconds:
            if second.first > self._csv_seconds.get(worker, 0):
                self._csv_seconds[worker] = second.first
                self._note(worker, second)
        self._look_at(worker, f"Worker {worker}", seconds)

    # What is told

    def report(self) -> dict[str, Any]:
        """How this process copes now. Percent, milliseconds, bytes."""
        self._take()
        last = self._recent[-1] if self._recent else Second(0, 0, 0.0, 0.0, 0.0, 0.0, 0)
        return {
            "cpu_usage": 100 * last.cpu,
            "memory_usage": resident_bytes(),
            "lag_ms": max((second.delay_ms for second in self._recent), default=0.0),
            "starved": 100 * last.starved,
            "is_lagging": bool(last.lag),
            "reasons": last.reasons,
        }

    def _own_test(self) -> dict[str, Any]:
        numbers = self._numbers
        requests, failures = self._runner.stats._left_out()
        return {
            **{name: numbers.get(name, 0) for name in ("seconds", "lagging_seconds")},
            **{f"{reason}_seconds": numbers.get(f"{reason}_seconds", 0) for reason in _REASONS.values()},
            **{
                name: 100 * numbers.get(name, 0.0)
                for name in ("cpu_average", "cpu_max", "starved_average", "starved_max")
            },
            "lag_average_ms": numbers.get("delay_average_ms", 0.0),
            "lag_max_ms": numbers.get("delay_max_ms", 0.0),
            "left_out_requests": requests,
            "left_out_failures": failures,
            "lagging": self._marks,
        }

    def test(self) -> dict[str, Any]:
        """The test as a whole: on a master that of its workers, in which a second counts that was marked anywhere."""
        self._take()
        tests = [report["test"] for report in self.workers.values()]
        if not tests:
            return self._own_test()
        lagging = _merged([(first, last) for test in tests for first, last in test["lagging"]])
        seconds = max(test["seconds"] for test in tests)
        longest = max(test["lagging_seconds"] for test in tests)
        weight = sum(test["seconds"] for test in tests) or 1
        return {
            "seconds": seconds,
            "lagging_seconds": max(longest, min(seconds, _length(lagging))),
            **{
                name: max(test[name] for test in tests)
                for name in ("delay_seconds", "busy_seconds", "starved_seconds", "cpu_max", "starved_max", "lag_max_ms")
            },
            **{
                name: sum(test[name] * test["seconds"] for test in tests) / weight
                for name in ("cpu_average", "starved_average", "lag_average_ms")
            },
            **{name: sum(test[name] for test in tests) for name in _LEFT_OUT},
            "lagging": lagging[-_MOST_RANGES:],
            "lagging_workers": {
                worker: report["test"]["lagging_seconds"]
                for worker, report in sorted(self.workers.items())
                if report["test"]["lagging_seconds"]
            },
        }

    @staticmethod
    def json_report(test: dict[str, Any], requests_per_second: dict[int, int]) -> dict[str, Any]:
        """What a row of the JSON says of the test, and how many of its requests were made in marked seconds."""
        names = ("seconds", "lagging_seconds", "cpu_max", "starved_max", "lag_max_ms", *_LEFT_OUT)
        marked = {second for first, last in test["lagging"] for second in range(first, last + 1)}
        lagging = sum(count for second, count in requests_per_second.items() if second in marked)
        report = {name: test[name] for name in names} | {"lagging_requests": lagging}
        return report | {name: test[name] for name in ("lagging_workers",) if name in test}

    def summary(self) -> Iterator[str]:
        """Lines about the test for people."""
        test = self.test()
        if not test["seconds"]:
            return
        yield f"Generator: {describe(test)}"
        if test["lagging_seconds"]:
            reasons = ", ".join(
                f"{reason} {test[f'{reason}_seconds']}" for reason in _REASONS.values() if test[f"{reason}_seconds"]
            )
            yield (
                f"The generator lagged in {test['lagging_seconds']} of {test['seconds']} seconds ({reasons}):"
                " rates are what it could send, times measured then may be too long"
            )
            for worker, report in sorted(self.workers.items()):
                own = report["test"]
                if own["lagging_seconds"]:
                    yield f"  {worker}: {own['lagging_seconds']} of {own['seconds']} seconds; {describe(own)}"
        if test["left_out_requests"] or self._is_excluding():
            yield (
                f"Left out of the statistics (--exclude-lagging): {test['left_out_requests']} requests,"
                f" {test['left_out_failures']} failures"
            )

    def warning(self) -> str | None:
        """A line for people about who lags right now; None: nobody does."""
        self._take()
        reports = {worker: report for worker, report in self.workers.items() if report["is_lagging"]}
        if self._recent and self._recent[-1].lag and not self.workers:
            reports[""] = self.report()
        if not reports:
            return None
        return "The generator lags: " + "; ".join(
            f"{worker}{' ' if worker else ''}{'+'.join(report['reasons'])}"
            f" (CPU {report['cpu_usage']:.0f} %, event loop late by {report['lag_ms']:.0f} ms)"
            for worker, report in sorted(reports.items())
        )

    # CSV

    @staticmethod
    def csv_columns() -> list[str]:
        """The columns of PREFIX_generator.csv."""
        return list(_CSV_COLUMNS)

    def csv_rows(self) -> str:
        """Rows of seconds that no earlier call gave."""
        self._take()
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        self._csv_position, seconds = self.seconds_since(self._csv_position)
        for node, second in seconds:
            writer.writerow(
                (
                    second.first,
                    node or "local",
                    f"{100 * second.cpu:.1f}",
                    f"{100 * second.starved:.1f}",
                    f"{second.delay_ms:.3f}",
                    "+".join(second.reasons),
                )
            )
        return text.getvalue()


class Watch:
    """For somebody who looks now and then: what was since the last time, whatever runner there is."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._generator: Generator | None = None
        self._position = 0

    def report(self) -> dict[str, Any]:
        """How the generator copes now."""
        runner = self._environment.runner
        idle = {"cpu_usage": 0.0, "memory_usage": resident_bytes(), "lag_ms": 0.0, "is_lagging": False}
        return idle if runner is None else runner.generator.report()

    def since_last(self) -> Health:
        """The worst of the seconds since this was asked last, on whatever node, and how many of them were marked."""
        runner = self._environment.runner
        if runner is None:
            return Health(0.0, 0.0, 0)
        if runner.generator is not self._generator:
            self._generator, self._position = runner.generator, 0
        self._position, seconds = runner.generator.seconds_since(self._position)
        return Health(
            max((100 * second.cpu for _, second in seconds), default=0.0),
            max((second.delay_ms for _, second in seconds), default=0.0),
            len({second.first for _, second in seconds if second.lag}),
        )
