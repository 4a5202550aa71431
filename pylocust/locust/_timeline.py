"""What happened when, for the charts of the web application: samples of several tests, and marks between them.

Locust's history (`stats.history`) has a few numbers every five seconds and forgets them when a test begins. Here are
also how response times were spread, failures by reason and how the generator coped. Old samples are merged, so that
what is kept, sent and drawn stays small however long a test runs.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import gevent

from . import stats
from ._generator import Watch
from .runners import STATE_CLEANUP, STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING, MasterRunner

if TYPE_CHECKING:
    from .env import Environment

INTERVAL_S = 2.0
_LOOKS = 4
# Samples that stay as they were taken, and how many all of them may become before old ones are merged.
FRESH_SAMPLES = 600
MAX_SAMPLES = 1800
MAX_MARKS = 200
# Failures are told apart by so many reasons; what comes after that is shown as one.
MAX_REASONS = 9
OTHER_REASONS = "other reasons"

_ACTIVE = (STATE_SPAWNING, STATE_RUNNING, STATE_CLEANUP, STATE_STOPPING)


class Sample(NamedTuple):
    """The state at a moment, and what was counted since the sample before it."""

    time: float
    # The number of seconds that the sample covers.
    span: float
    run: int
    users: int
    rps: float
    failures_per_s: float
    percentiles: tuple[int | None, ...]
    # Requests by bands of their response time (lib/stats/histogram.h): the first band, then counts.
    heat: tuple[int, ...]
    # Occurrences by reason: number of the reason, occurrences, and so on.
    reasons: tuple[int, ...]
    # Percent of a core, of the busiest node; lateness of this process's loop in ms.
    cpu: float
    lag_ms: float
    # Seconds in which a node measured itself rather than the server.
    bad_seconds: int


# The order in which a sample's values are sent.
COLUMNS = Sample._fields


def merged(one: Sample, other: Sample) -> Sample:
    """Two neighbours as one: of rates the mean, of times and of what tells of trouble the worst."""
    span = one.span + other.span
    part = one.span / span if span else 0.5
    return Sample(
        other.time,
        round(span, 3),
        other.run,
        other.users,
        round(one.rps * part + other.rps * (1 - part), 3),
        round(one.failures_per_s * part + other.failures_per_s * (1 - part), 3),
        tuple(
            max((ms for ms in pair if ms is not None), default=None)
            for pair in itertools.zip_longest(one.percentiles, other.percentiles)
        ),
        _joined_bands(one.heat, other.heat),
        _joined_reasons(one.reasons, other.reasons),
        max(one.cpu, other.cpu),
        max(one.lag_ms, other.lag_ms),
        one.bad_seconds + other.bad_seconds,
    )


def _joined_bands(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    if not one or not other:
        return one or other
    first = min(one[0], other[0])
    counts = [0] * (max(one[0] + len(one), other[0] + len(other)) - 1 - first)
    for start, *own in (one, other):
        for band, count in enumerate(own, start - first):
            counts[band] += count
    return (first, *counts)


def _joined_reasons(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    counts = dict(zip(one[::2], one[1::2], strict=True))
    for reason, count in zip(other[::2], other[1::2], strict=True):
        counts[reason] = counts.get(reason, 0) + count
    return tuple(itertools.chain.from_iterable(sorted(counts.items())))


def _joined(samples: list[Sample], longest: float) -> list[Sample]:
    """With neighbours of the same test merged as long as they tell of so many seconds at most."""
    kept: list[Sample] = []
    for sample in samples:
        if kept and kept[-1].run == sample.run and kept[-1].span + sample.span <= longest:
            kept[-1] = merged(kept[-1], sample)
        else:
            kept.append(sample)
    return kept


def _seconds(samples: list[Sample]) -> float:
    return sum(sample.span for sample in samples)


def thinned(samples: list[Sample]) -> list[Sample]:
    """Merges old neighbours of the same test, the coarser the longer all of it took."""
    old, fresh = samples[:-FRESH_SAMPLES], samples[-FRESH_SAMPLES:]
    kept = _joined(old, 2 * _seconds(samples) / FRESH_SAMPLES)
    # Many short tests: the oldest go.
    return (kept + fresh)[-MAX_SAMPLES + 1 :]


def condensed(samples: list[Sample], most: int) -> list[Sample]:
    """Merges neighbours everywhere until there are so many at most; of many short tests, the latest."""
    if len(samples) <= most:
        return samples
    return _joined(samples, 2 * _seconds(samples) / most)[-most:]


def reason_of(text: str) -> str:
    """What failures have in common that only differ in the address that was asked for."""
    return re.sub(r" for url: [^\s'\"]+", "", text)[:200]


class Timeline:
    """Takes samples while a test runs."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._watch = Watch(environment)
        # Changes when samples that were given out are no longer what they were.
        self.generation = 0
        self.run_count = 0
        self.marks: list[dict[str, Any]] = []
        self.reasons: list[str] = []
        self._texts: dict[str, int] = {}
        # As they are sent, which takes a fifth of the memory of the objects.
        self._json: list[str] = []
        self._bands: list[int] = []
        self._failures: dict[str, int] = {}
        self._failure_count = 0
        self._last_time = 0.0
        self._latest = self._turned_back = 0.0
        self._target_users: int | None = None
        self._missing: set[str] = set()
        self._is_going_on = False
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.test_stop.add_listener(self._on_test_stop)
        environment.events.reset_stats.add_listener(self._on_reset)

    def _now(self) -> float:
        """The time, which goes on also after a clock was turned back: charts have one time axis."""
        now = time.time() + self._turned_back
        if now < self._latest:
            self._turned_back += self._latest - now
            now = self._latest
        self._latest = now
        return now

    # Marks

    def mark(self, text: str, kind: str) -> None:
        """Remembers that something happened now: ``kind`` is start, stop, change or trouble."""
        self.marks.append({"time": round(self._now(), 3), "text": text, "kind": kind})
        del self.marks[:-MAX_MARKS]

    def _on_test_start(self, **_: Any) -> None:
        self._target_users = None
        self._forget_counts()
        self._last_time = self._now()
        if self._is_going_on:
            self._is_going_on = False
            runner = self.environment.runner
            if runner is not None:
                # What was counted before is in samples.
                self._new_bands(runner.stats.total)
                self._new_reasons(runner.stats)
            self.mark("the master was started again", "trouble")
            return
        self.run_count += 1
        self.mark(f"test {self.run_count}", "start")

    def _on_test_stop(self, **_: Any) -> None:
        if self.run_count and self._last_time:
            self.sample()
            self.mark("stopped", "stop")
            self._last_time = 0.0

    def _on_reset(self, **_: Any) -> None:
        self._forget_counts()
        self.mark("statistics reset", "change")

    def _forget_counts(self) -> None:
        self._bands = []
        self._failures = {}
        self._failure_count = 0

    # Samples

    def run(self) -> None:
        """Takes samples for as long as its greenlet lives."""
        while True:
            # What lasts for less than a sample is marked, too.
            for _ in range(_LOOKS):
                gevent.sleep(INTERVAL_S / _LOOKS)
                self._look_around()
            runner = self.environment.runner
            if runner is not None and runner.state in _ACTIVE:
                self.sample()

    def _look_around(self) -> None:
        runner = self.environment.runner
        if runner is not None:
            self._look_at_workers()
            if runner.state in _ACTIVE:
                self._look_at_users(runner.target_user_count)

    def _look_at_users(self, users: int) -> None:
        if users != self._target_users:
            if self._target_users is not None:
                self.mark(f"{users} users", "change")
            self._target_users = users

    def _look_at_workers(self) -> None:
        runner = self.environment.runner
        if not isinstance(runner, MasterRunner):
            return
        clients: Any = runner.clients  # type: ignore[attr-defined,unused-ignore]
        missing = {node.id for node in clients.values() if node.state == STATE_MISSING}
        for worker in sorted(missing - self._missing):
            self.mark(f"lost {worker}", "trouble")
        for worker in sorted((self._missing - missing) & {node.id for node in clients.values()}):
            self.mark(f"{worker} is back", "change")
        self._missing = missing

    def sample(self) -> None:
        """Takes a sample now."""
        runner = self.environment.runner
        if runner is None:
            return
        now = self._now()
        total = runner.stats.total
        health = self._watch.since_last()
        cpu = health.cpu_usage
        if isinstance(runner, MasterRunner):
            clients: Any = runner.clients  # type: ignore[attr-defined,unused-ignore]
            # Real Locust's workers tell it of themselves every few seconds only.
            cpu = max(cpu, *(node.cpu_usage for node in clients.values())) if clients else cpu
        span = now - self._last_time if self._last_time else INTERVAL_S
        self._last_time = now
        self._add(
            Sample(
                round(now, 2),
                round(span, 2),
                self.run_count,
                runner.user_count,
                round(total.current_rps, 3),
                round(total.current_fail_per_sec, 3),
                tuple(total.get_current_response_time_percentile(part) for part in stats.PERCENTILES_TO_CHART),
                self._new_bands(total),
                self._new_reasons(runner.stats),
                round(cpu, 1),
                round(health.lag_ms, 1),
                health.bad_seconds,
            )
        )

    def _new_bands(self, total: stats.StatsEntry) -> tuple[int, ...]:
        before, bands = self._bands, total._bands()
        self._bands = bands
        if sum(bands) < sum(before):
            before = []  # zeroed by somebody
        changes = [max(0, now - old) for now, old in itertools.zip_longest(bands, before, fillvalue=0)]
        while changes and changes[-1] == 0:
            changes.pop()
        first = next((band for band, change in enumerate(changes) if change), 0)
        return (first, *changes[first:]) if changes else ()

    def _new_reasons(self, numbers: stats.RequestStats) -> tuple[int, ...]:
        count = numbers.num_failures
        if count == self._failure_count:
            return ()
        self._failure_count = count
        before, counts = self._failures, numbers._failure_counts()
        self._failures = counts
        changes: dict[int, int] = {}
        for text, occurrences in counts.items():
            change = occurrences - before.get(text, 0)
            if change < 0:
                change = occurrences
            if change:
                reason = self._number_of(text)
                changes[reason] = changes.get(reason, 0) + change
        return tuple(itertools.chain.from_iterable(sorted(changes.items())))

    def _number_of(self, text: str) -> int:
        number = self._texts.get(text)
        if number is None:
            reason = reason_of(text)
            if reason not in self.reasons and len(self.reasons) <= MAX_REASONS:
                self.reasons.append(reason if len(self.reasons) < MAX_REASONS else OTHER_REASONS)
            number = self.reasons.index(reason) if reason in self.reasons else MAX_REASONS
            if len(self._texts) < 10_000:
                self._texts[text] = number
        return number

    def _add(self, sample: Sample) -> None:
        self._json.append(_as_json(sample))
        if len(self._json) > MAX_SAMPLES:
            self._json = [_as_json(one) for one in thinned(self.samples())]
            self.generation += 1

    def __len__(self) -> int:
        return len(self._json)

    def samples(self, since: int = 0) -> list[Sample]:
        """The samples from number ``since`` on."""
        return [_made_of(json.loads(text)) for text in self._json[since:]]

    # Kept with the state of a master, for another process that goes on with its test

    def kept(self, since: int) -> dict[str, Any]:
        """What there is, of samples those from number ``since`` on, as plain values."""
        return {
            "run": self.run_count,
            "first": since,
            "samples": self.samples(since),
            "marks": self.marks,
            "reasons": self.reasons,
        }

    def go_on(self, kept: dict[str, Any]) -> None:
        """Begins with what another process kept. The next test that starts is the one it was in."""
        self._json = [_as_json(_made_of(values)) for values in kept["samples"]]
        self.marks = list(kept["marks"])
        self.reasons = list(kept["reasons"])
        self.run_count = kept["run"]
        self.generation += 1
        self._is_going_on = True

    def to_report(self) -> dict[str, Any]:
        """The last test, merged to as many samples as a page has room for, in the form that to_json() has."""
        own = [sample for sample in self.samples() if sample.run == self.run_count]
        begin = own[0].time - own[0].span - 1 if own else 0.0
        return {
            "generation": 0,
            "first": 0,
            "columns": COLUMNS,
            "percentiles": stats.PERCENTILES_TO_CHART,
            "reasons": self.reasons,
            "marks": [mark for mark in self.marks if mark["time"] >= begin and mark["kind"] != "start"],
            "samples": condensed(own, FRESH_SAMPLES),
        }

    def to_json(self, generation: int, since: int) -> str:
        """All samples from number ``since`` on, or all, if the reader knows those of another generation."""
        if generation != self.generation or not 0 <= since <= len(self._json):
            since = 0
        head = json.dumps(
            {
                "generation": self.generation,
                "first": since,
                "columns": COLUMNS,
                "percentiles": stats.PERCENTILES_TO_CHART,
                "reasons": self.reasons,
                "marks": self.marks,
            }
        )
        return f'{head[:-1]}, "samples": [{",".join(self._json[since:])}]}}\n'


def _made_of(values: Iterable[Any]) -> Sample:
    return Sample._make(tuple(value) if isinstance(value, list) else value for value in values)


def _as_json(sample: Sample) -> str:
    return json.dumps(sample, separators=(",", ":"))
