"""The entries of the statistics: the numbers of one (name, method)."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import _cload

# The module, not its names: scripts may assign to its settings, which are read when they are needed.
from . import stats as settings
from ._failures import StatsBaseDict

if TYPE_CHECKING:
    from .stats import RequestStats


class StatsEntryDict(StatsBaseDict):
    last_request_timestamp: float | None
    start_time: float
    num_requests: int
    num_none_requests: int
    num_failures: int
    total_response_time: float
    max_response_time: float
    min_response_time: float | None
    total_content_length: int
    response_times: dict[int, int]
    num_reqs_per_sec: dict[int, int]
    num_fail_per_sec: dict[int, int]


_ENTRY_KEYS = tuple(StatsEntryDict.__annotations__)  # name and method first, which are the base's


# What cload's nodes send beside Locust's numbers, and the attributes it stands for. With it percentiles and phases that
# a master tells are those of all workers' requests.
_OWN_KEYS = {"cload_phases": "_phases", "cload_histogram": "_histogram"}


class CachedResponseTimes(NamedTuple):
    response_times: dict[int, int]
    num_requests: int
    num_none_requests: int


@dataclass(frozen=True)
class Phase:
    """What one phase of the requests of an entry took, in milliseconds."""

    count: int
    total: float
    max: float

    @property
    def average(self) -> float:
        return self.total / self.count if self.count else 0.0


# In the order in which they follow each other, and what they are called where people read it.
PHASES = {
    "dns": "DNS",
    "connect": "Connect",
    "tls": "TLS",
    "queue": "Queue",
    "first_byte": "First byte",
    "transfer": "Transfer",
}


class Counts(defaultdict[float, int]):
    """A copy of the counts of an entry, which the entry hears of when a script changes it."""

    def __init__(self, entry: StatsEntry, attribute: str) -> None:
        self._attribute = getattr(_cload.StatsEntry, attribute)
        self._entry = entry
        super().__init__(int, self._attribute.__get__(entry))

    def __setitem__(self, key: float, count: int) -> None:
        change = count - self.get(key, 0)
        super().__setitem__(key, count)
        if change:
            # What was counted since this copy was made stays.
            counts = self._attribute.__get__(self._entry)
            counts[key] += change
            self._attribute.__set__(self._entry, counts)

    def __delitem__(self, key: float) -> None:
        self[key] = 0
        super().__delitem__(key)

    def update(self, *counts: Any, **keywords: int) -> None:
        for key, count in dict(*counts, **keywords).items():
            self[key] = count

    def clear(self) -> None:
        super().clear()
        self._attribute.__set__(self._entry, {})

    def copy(self) -> defaultdict[float, int]:  # type: ignore[override]
        return defaultdict(int, self)

    __copy__ = copy  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return defaultdict, (int, dict(self))


Counts.__name__ = defaultdict.__name__  # what Locust's say they are


def _counts(attribute: str, doc: str) -> Any:
    def get(entry: StatsEntry) -> Counts:
        return Counts(entry, attribute)

    def replace(entry: StatsEntry, counts: Mapping[float, int]) -> None:
        getattr(_cload.StatsEntry, attribute).__set__(entry, counts)

    return property(get, replace, doc=doc)


class StatsEntry(_cload.StatsEntry):
    """The numbers of one (name, method), or of all requests."""

    __slots__ = ("__dict__", "__weakref__")

    stats: RequestStats

    response_times = _counts("response_times", "Requests by their rounded response time.")
    num_reqs_per_sec = _counts("num_reqs_per_sec", "Requests by second.")
    num_fail_per_sec = _counts("num_fail_per_sec", "Failures by second.")

    def log(self, response_time: float | None, content_length: int) -> None:
        """Counts a request in this entry only."""
        if not self._has_own_parts():
            self.num_requests += 1
            self._log_time_of_request(time.time())
            self._log_response_time(response_time)
            self.total_content_length += content_length
        else:
            super().log(response_time, content_length)

    def _log_time_of_request(self, current_time: float) -> None:
        self.num_reqs_per_sec[int(current_time)] += 1
        self.last_request_timestamp = current_time

    def _log_response_time(self, response_time: float | None) -> None:
        if response_time is None:
            self.num_none_requests += 1
            return
        self.total_response_time += response_time
        fastest = self.min_response_time
        self.min_response_time = response_time if fastest is None else min(fastest, response_time)
        self.max_response_time = max(self.max_response_time, response_time)
        self.response_times[settings.bucket_response_time(response_time)] += 1

    @classmethod
    def _has_own_parts(cls) -> bool:
        """Whether no script has replaced what log() is made of."""
        return cls._log_time_of_request is _LOG_TIME_OF_REQUEST and cls._log_response_time is _LOG_RESPONSE_TIME

    @classmethod
    def _counts_itself(cls) -> bool:
        """Whether no script has replaced what counts."""
        return cls._has_own_parts() and cls.log is _LOG and cls.log_error is _cload.StatsEntry.log_error

    @property
    def response_times_cache(self) -> OrderedDict[int, CachedResponseTimes] | None:
        """What the buckets were in recent seconds (a copy)."""
        if not self.use_response_times_cache:
            return None
        since, cache = self.__dict__.get("_assigned_cache", (0, OrderedDict()))
        known = ((second, CachedResponseTimes(times, count, 0)) for second, times, count in self._moments())
        return OrderedDict([*cache.items(), *((second, moment) for second, moment in known if second > since)])

    @response_times_cache.setter
    def response_times_cache(self, cache: Mapping[int, CachedResponseTimes] | None) -> None:
        self.use_response_times_cache = cache is not None
        if cache is not None:
            self.__dict__["_assigned_cache"] = int(time.time()), OrderedDict(cache)

    @property
    def phases(self) -> dict[str, Phase]:
        """What the phases of the requests took, by name (see PHASES), in the order they follow each other.

        On kept-alive connections the first three do not happen; each hop of a redirect counts.
        """
        sums = self._phases
        return {
            name: Phase(sums[3 * place], sums[3 * place + 1] / 1e6, sums[3 * place + 2] / 1e6)
            for place, name in enumerate(PHASES)
        }

    def phases_report(self) -> dict[str, dict[str, float]]:
        """The phases that happened, as reports have them; times in milliseconds."""
        return {
            name: {"count": phase.count, "average": phase.average, "max": phase.max}
            for name, phase in self.phases.items()
            if phase.count
        }

    def percentiles_report(self, percentiles: Iterable[float]) -> dict[str, float]:
        """Percentiles in milliseconds, true to 0.1 %, by their fraction."""
        return {str(fraction): self.get_exact_response_time_percentile(fraction) for fraction in percentiles}

    def get_current_response_time_percentile(self, percent: float) -> int | None:
        """Percentile of about the last CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW seconds; None: not known yet."""
        if not self.use_response_times_cache:
            raise ValueError("Current percentiles are only known to entries made with use_response_times_cache=True")
        current: int | None = self._recent_percentile(percent, int(settings.CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW))
        return current

    def serialize(self) -> StatsEntryDict:
        return {key: getattr(_cload.StatsEntry, key).__get__(self) for key in _ENTRY_KEYS}  # type: ignore[return-value]

    @classmethod
    def unserialize(cls, data: StatsEntryDict, stats: RequestStats) -> StatsEntry:
        entry = cls(stats, data["name"], data["method"])
        entry._set_numbers(data)
        return entry

    def _set_numbers(self, data: Mapping[str, Any]) -> None:
        """Those that `data` has, keyed as in a report."""
        for key in _ENTRY_KEYS[2:]:
            if key in data:
                setattr(self, key, data[key])
        for key, attribute in _OWN_KEYS.items():
            if key in data:
                setattr(self, attribute, data[key])

    def _own_report(self) -> dict[str, Any]:
        return {key: getattr(self, attribute) for key, attribute in _OWN_KEYS.items()}

    def _report_to_master(self) -> StatsEntryDict:
        """A stripped report that also has what only cload's nodes know; real Locust's master ignores it."""
        own = self._own_report()
        return self.get_stripped_report() | own  # type: ignore[return-value, operator]

    def _state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its numbers, and what scripts put on it. What it was in recent seconds is left out: copies begin anew."""
        return {**self.serialize(), **self._own_report()}, dict(self.__dict__)

    def __setstate__(self, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
        numbers, own = state
        self._set_numbers(numbers)
        self.__dict__.update(own)

    def __reduce__(self) -> Any:
        table = self.stats
        if table is not None and self in (table.total, table.entries.get((self.name, self.method))):
            # The numbers are in what the table becomes.
            return _entry_of, (table, None if self is table.total else (self.name, self.method))
        return type(self), (table, self.name, self.method, self.use_response_times_cache), self._state()

    def __copy__(self) -> StatsEntry:
        copied = type(self)(self.stats, self.name, self.method, self.use_response_times_cache)
        copied.__setstate__(self._state())
        return copied

    def _is_used(self) -> bool:
        return bool(self.num_requests or self.num_failures)

    def get_stripped_report(self) -> StatsEntryDict:
        """What happened since the last report."""
        report = self.serialize()
        self.reset()
        return report

    def to_string(self, current: bool = True) -> str:
        """The entry's row of the console table, with the rates of the last seconds or of the whole run."""
        row: str = self._request_row(settings.STATS_NAME_WIDTH, settings.STATS_TYPE_WIDTH, current)
        return row

    def __str__(self) -> str:
        return self.to_string()

    def percentile(self) -> str:
        """The entry's row of the percentile table."""
        if not self.num_requests:
            raise ValueError("There are no percentiles without requests")
        row: str = _cload.Stats._console_percentile_row(
            self, settings.STATS_NAME_WIDTH, settings.STATS_TYPE_WIDTH, settings.PERCENTILES_TO_REPORT
        )
        return row

    def to_dict(self, escape_string_values: bool = False) -> dict[str, int | float | str]:
        minimum = self.min_response_time
        return {
            "method": self.method,
            "name": self.name,
            "num_requests": self.num_requests,
            "num_failures": self.num_failures,
            "min_response_time": 0 if minimum is None else settings.proper_round(minimum),
            "max_response_time": settings.proper_round(self.max_response_time),
            "current_rps": self.current_rps,
            "current_fail_per_sec": self.current_fail_per_sec,
            "avg_response_time": self.avg_response_time,
            "median_response_time": self.median_response_time,
            "total_rps": self.total_rps,
            "total_fail_per_sec": self.total_fail_per_sec,
            **{
                f"response_time_percentile_{percentile}": self.get_response_time_percentile(percentile)
                for percentile in settings.PERCENTILES_TO_STATISTICS
            },
            "avg_content_length": self.avg_content_length,
        }


def _entry_of(stats: RequestStats, key: tuple[str, str] | None) -> StatsEntry:
    return stats.total if key is None else stats.entries[key]


_LOG = StatsEntry.log
_LOG_TIME_OF_REQUEST = StatsEntry._log_time_of_request
_LOG_RESPONSE_TIME = StatsEntry._log_response_time


class EntriesDict(MutableMapping[tuple[str, str], StatsEntry]):
    """The entries by (name, method), in order of first use. Subscribing makes what is missing."""

    def __init__(self, request_stats: RequestStats) -> None:
        self.request_stats = request_stats

    def __getitem__(self, key: tuple[str, str]) -> StatsEntry:
        name, method = key
        entry: StatsEntry = self.request_stats._entry(name, method, True)
        return entry

    def __setitem__(self, key: tuple[str, str], entry: StatsEntry) -> None:
        if key != (entry.name, entry.method):
            raise ValueError(f"the key {key!r} is not that of the entry {(entry.name, entry.method)!r}")
        self.request_stats._adopt(entry)

    def __delitem__(self, key: tuple[str, str]) -> None:
        entry = self._find(key)
        if entry is None:
            raise KeyError(key)
        self.request_stats._remove(entry)

    def _find(self, key: object) -> StatsEntry | None:
        if not isinstance(key, tuple) or len(key) != 2:
            return None
        entry: StatsEntry | None = self.request_stats._entry(*key, False)
        return entry

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not None

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        entry = self._find(key)
        return default if entry is None else entry

    def pop(self, key: tuple[str, str], *default: Any) -> Any:
        entry = self._find(key)
        if entry is None:
            if default:
                return default[0]
            raise KeyError(key)
        self.request_stats._remove(entry)
        return entry

    def setdefault(self, key: tuple[str, str], default: Any = None) -> StatsEntry:
        if default is not None and key not in self:
            self[key] = default
        return self[key]

    def copy(self) -> dict[tuple[str, str], StatsEntry]:
        return dict(self)

    __copy__ = copy

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.request_stats._keys())

    def __len__(self) -> int:
        count: int = self.request_stats._count()
        return count

    def __repr__(self) -> str:
        return repr(dict(self))
