"""Statistics of a run: Locust's interface over the core's table.

The numbers live in C. The objects here are views of them: reading an attribute asks the core, and the dictionaries that
attributes give (`response_times`, `num_reqs_per_sec`, ...) are copies.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import types
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import _cload

from ._failures import ErrorsDict as ErrorsDict
from ._failures import StatsBaseDict, StatsErrorDict
from ._failures import StatsError as StatsError
from ._generator import Generator
from ._history import History
from ._samples import stats_history as stats_history
from ._samples import update_stats_history as update_stats_history
from ._stats_console import get_error_report_summary as get_error_report_summary
from ._stats_console import get_own_summary as get_own_summary
from ._stats_console import get_percentile_stats_summary as get_percentile_stats_summary
from ._stats_console import get_stats_summary as get_stats_summary
from ._stats_console import print_error_report as print_error_report
from ._stats_console import print_lines as print_lines
from ._stats_console import print_percentile_stats as print_percentile_stats
from ._stats_console import print_stats as print_stats
from ._stats_console import print_stats_json as print_stats_json
from ._stats_console import save_stats_json as save_stats_json
from ._stats_console import stats_printer as stats_printer
from ._stats_csv import CSVWriter as CSVWriter
from ._stats_csv import StatsCSV as StatsCSV
from ._stats_csv import StatsCSVFileWriter as StatsCSVFileWriter
from .util.late import late_names
from .util.rounding import proper_round

if TYPE_CHECKING:
    from .event import Events

console_logger = logging.getLogger("locust.stats_logger")
logger = logging.getLogger(__name__)

# What user code may assign to.
STATS_NAME_WIDTH = 80
STATS_AUTORESIZE = True
STATS_TYPE_WIDTH = 8
CONSOLE_STATS_INTERVAL_SEC = 2
HISTORY_STATS_INTERVAL_SEC = 5
CSV_STATS_INTERVAL_SEC = 1
# Part of Locust's interface; here files are flushed whenever they were written, so that a kill loses one second.
CSV_STATS_FLUSH_INTERVAL_SEC = 5
CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW = 10
PERCENTILES_TO_REPORT = [0.50, 0.66, 0.75, 0.80, 0.90, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0]
PERCENTILES_TO_STATISTICS = [0.95, 0.99]
PERCENTILES_TO_CHART = [0.5, 0.95]


def resize_handler(signum: int, frame: types.FrameType | None) -> None:
    global STATS_NAME_WIDTH
    if STATS_AUTORESIZE:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            return
        STATS_NAME_WIDTH = max(0, min(80, columns - 80))


resize_handler(0, None)
try:
    signal.signal(signal.SIGWINCH, resize_handler)
except ValueError:
    logger.debug("Not on the main thread: tables will not follow the width of the terminal")


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


_ENTRY_KEYS = (
    "name",
    "method",
    "last_request_timestamp",
    "start_time",
    "num_requests",
    "num_none_requests",
    "num_failures",
    "total_response_time",
    "max_response_time",
    "min_response_time",
    "total_content_length",
    "response_times",
    "num_reqs_per_sec",
    "num_fail_per_sec",
)


# What cload's nodes send beside Locust's numbers, and the attributes it stands for. With it percentiles and phases that
# a master tells are those of all workers' requests.
_OWN_KEYS = {"cload_histogram": "_histogram", "cload_phases": "_phases"}


class StatsHolder(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def method(self) -> str: ...


S = TypeVar("S", bound=StatsHolder)


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


class RequestStatsAdditionError(Exception):
    pass


def bucket_response_time(response_time: int | float) -> int:
    """The bucket a response time is counted in: about two digits of it.

    May be replaced (`locust.stats.bucket_response_time = ...`) by another rule; it is then called for each request.
    """
    if response_time < 100:
        return round(response_time)
    digits = -1 if response_time < 1000 else -2 if response_time < 10000 else -3
    return int(round(response_time, digits))


_locust_rounding = bucket_response_time
_tables: weakref.WeakSet[RequestStats] = weakref.WeakSet()


def _tune(stats: RequestStats) -> None:
    """Tells a table which of the tunable values of this module differ from the core's."""
    rounding = None if bucket_response_time is _locust_rounding else bucket_response_time
    stats._tune(rounding, int(CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW))


class _StatsModule(types.ModuleType):
    """This module, but it hears when the core must know of an assignment."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("bucket_response_time", "CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW"):
            for stats in list(_tables):
                _tune(stats)


sys.modules[__name__].__class__ = _StatsModule


def get_readable_percentiles(percentile_list: list[float]) -> list[str]:
    """Labels such as "50%" and "99.9%"."""
    percents = (100 * percentile for percentile in percentile_list)
    return [f"{int(percent) if float(percent).is_integer() else round(percent, 6)}%" for percent in percents]


def calculate_response_time_percentile(response_times: dict[int, int], num_requests: int, percent: float) -> int:
    """The largest bucket that has at most `percent` (0.0 to 1.0) of all requests below it; 0 if there is none."""
    allowed = int(num_requests * percent)
    below = num_requests
    for bucket in sorted(response_times, reverse=True):
        below -= response_times[bucket]
        if below <= allowed:
            return bucket
    return 0


def diff_response_time_dicts(latest: dict[int, int], old: dict[int, int]) -> dict[int, int]:
    """What was added to `old` since, without buckets that did not change."""
    changes = ((bucket, count - old.get(bucket, 0)) for bucket, count in latest.items())
    return {bucket: change for bucket, change in changes if change}


def avg(values: list[float | int]) -> float:
    return sum(values, 0.0) / max(len(values), 1)


class StatsEntry(_cload.StatsEntry):
    """The numbers of one (name, method), or of all requests."""

    __slots__ = ("__dict__", "__weakref__")

    stats: RequestStats

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
        current: int | None = self._recent_percentile(percent, int(CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW))
        return current

    def serialize(self) -> StatsEntryDict:
        return {key: getattr(self, key) for key in _ENTRY_KEYS}  # type: ignore[return-value]

    @classmethod
    def unserialize(cls, data: StatsEntryDict, stats: RequestStats) -> StatsEntry:
        entry = cls(stats, data["name"], data["method"])
        for key in _ENTRY_KEYS[2:]:
            if key in data:
                setattr(entry, key, data[key])  # type: ignore[literal-required]
        for key, attribute in _OWN_KEYS.items():
            if key in data:
                setattr(entry, attribute, data[key])  # type: ignore[literal-required]
        return entry

    def _report_to_master(self) -> StatsEntryDict:
        """A stripped report that also has what only cload's nodes know; real Locust's master ignores it."""
        own = {key: getattr(self, attribute) for key, attribute in _OWN_KEYS.items()}
        return self.get_stripped_report() | own  # type: ignore[return-value, operator]

    def _is_used(self) -> bool:
        return bool(self.num_requests or self.num_failures)

    def get_stripped_report(self) -> StatsEntryDict:
        """What happened since the last report."""
        report = self.serialize()
        self.reset()
        return report

    def to_string(self, current: bool = True) -> str:
        """The entry's row of the console table, with the rates of the last seconds or of the whole run."""
        row: str = self._request_row(STATS_NAME_WIDTH, STATS_TYPE_WIDTH, current)
        return row

    def __str__(self) -> str:
        return self.to_string()

    def percentile(self) -> str:
        """The entry's row of the percentile table."""
        if not self.num_requests:
            raise ValueError("There are no percentiles without requests")
        row: str = _cload.Stats._console_percentile_row(self, STATS_NAME_WIDTH, STATS_TYPE_WIDTH, PERCENTILES_TO_REPORT)
        return row

    def to_dict(self, escape_string_values: bool = False) -> dict[str, int | float | str]:
        minimum = self.min_response_time
        return {
            "method": self.method,
            "name": self.name,
            "num_requests": self.num_requests,
            "num_failures": self.num_failures,
            "min_response_time": 0 if minimum is None else proper_round(minimum),
            "max_response_time": proper_round(self.max_response_time),
            "current_rps": self.current_rps,
            "current_fail_per_sec": self.current_fail_per_sec,
            "avg_response_time": self.avg_response_time,
            "median_response_time": self.median_response_time,
            "total_rps": self.total_rps,
            "total_fail_per_sec": self.total_fail_per_sec,
            **{
                f"response_time_percentile_{percentile}": self.get_response_time_percentile(percentile)
                for percentile in PERCENTILES_TO_STATISTICS
            },
            "avg_content_length": self.avg_content_length,
        }


# They are found here, wherever they are made.
for _each in (
    *(StatsBaseDict, StatsErrorDict, StatsError, CSVWriter, StatsCSV, StatsCSVFileWriter),
    *(update_stats_history, stats_history),
    *(get_stats_summary, get_percentile_stats_summary, get_error_report_summary, print_stats, print_percentile_stats),
    *(print_error_report, print_stats_json, save_stats_json, stats_printer),
):
    _each.__module__ = __name__


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

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.request_stats._keys())

    def __len__(self) -> int:
        count: int = self.request_stats._count()
        return count

    def __repr__(self) -> str:
        return repr(dict(self))


class RequestStats(_cload.Stats):
    """The statistics of a run; users find them as `self.environment.stats`."""

    _entry_type = StatsEntry

    total: StatsEntry
    # How whoever measured this copes; None: nobody says.
    _generator: Generator | None = None

    def __init__(self, use_response_times_cache: bool = True) -> None:
        self._entries = EntriesDict(self)
        self._errors = ErrorsDict(self)
        self._history = History()
        _tune(self)
        _tables.add(self)

    @property
    def entries(self) -> EntriesDict:
        return self._entries

    @entries.setter
    def entries(self, entries: Mapping[tuple[str, str], StatsEntry]) -> None:
        replacement = dict(entries)
        self._entries.clear()
        self._entries.update(replacement)

    @property
    def errors(self) -> ErrorsDict:
        return self._errors

    @errors.setter
    def errors(self, errors: Mapping[str, StatsError]) -> None:
        replacement = dict(errors)
        if errors is self._errors:
            return
        self._errors.clear()
        self._errors.update(replacement)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The samples that charts are drawn from. Who asks for the list makes it cost 1.1 KB a sample."""
        return self._history.as_list()

    @history.setter
    def history(self, samples: list[dict[str, Any]]) -> None:
        self._history.replace(samples)

    @property
    def use_response_times_cache(self) -> bool:
        keeps: bool = self.total.use_response_times_cache
        return keeps

    @property
    def num_requests(self) -> int:
        count: int = self.total.num_requests
        return count

    @property
    def num_none_requests(self) -> int:
        count: int = self.total.num_none_requests
        return count

    @property
    def num_failures(self) -> int:
        count: int = self.total.num_failures
        return count

    @property
    def last_request_timestamp(self) -> float | None:
        last: float | None = self.total.last_request_timestamp
        return last

    @property
    def start_time(self) -> float:
        start: float = self.total.start_time
        return start

    def log_error(self, method: str, name: str, error: Exception | str | None) -> None:
        text = StatsError.parse_error(error)
        if self._log_failure(method, name, text) and not isinstance(error, str):
            # As the table has them, whatever they are.
            self._keep_exception("" if method is None else str(method), str(name), text, error)

    def _keep_exception(self, method: str, name: str, text: str, exception: Exception | None) -> None:
        """Told of the first failure of a kind; by the core, too."""
        self._errors._keep(method, name, text, exception)

    def get(self, name: str, method: str) -> StatsEntry:
        """The entry, made if missing."""
        return self._entries[(name, method)]

    def reset_all(self) -> None:
        """Zeroes all entries but keeps their rows."""
        self._errors._let_go_of_all()
        self._reset()
        self._history = History()

    def clear_all(self) -> None:
        """Drops all entries and errors."""
        self._errors._let_go_of_all()
        self._clear()
        self._history = History()

    def serialize_stats(self) -> list[StatsEntryDict]:
        """Reports of all entries in use, which are zeroed by that."""
        return [entry.get_stripped_report() for entry in self._entries.values() if entry._is_used()]

    def _is_full(self) -> bool:
        """Whether requests with names that are not there yet are counted together."""
        return self._count() >= _cload.STATS_NAMES

    def json_rows(self, percentiles: Iterable[float] = ()) -> list[dict[str, Any]]:
        """What serialize_stats() gives, and beside Locust's keys what only we know; zeroes the entries as that does."""
        percentiles = list(percentiles)
        test = None if self._generator is None else self._generator.test()
        rows = []
        for entry in self._entries.values():
            if not entry._is_used():
                continue
            own: dict[str, Any] = {"phases": entry.phases_report()}
            if percentiles:
                own["percentiles"] = entry.percentiles_report(percentiles)
            if test is not None:
                own["generator"] = Generator.json_report(test, entry.num_reqs_per_sec)
            rows.append(entry.get_stripped_report() | own)
        return rows

    def serialize_errors(self) -> dict[str, StatsErrorDict]:
        return {key: error.serialize() for key, error in self._errors.items()}


def setup_distributed_stats_event_listeners(events: Events, stats: RequestStats) -> None:
    """Makes workers put their statistics into reports, and masters take them out."""

    def on_report_to_master(client_id: str, data: dict[str, Any]) -> None:
        data["stats"] = [entry._report_to_master() for entry in stats.entries.values() if entry._is_used()]
        data["stats_total"] = stats.total._report_to_master()
        data["errors"] = stats.serialize_errors()
        stats.errors.clear()

    def on_worker_report(client_id: str, data: dict[str, Any]) -> None:
        for row in data["stats"]:
            stats.get(row["name"], row["method"]).extend(StatsEntry.unserialize(row, stats))
        for error in data["errors"].values():
            now = time.time()
            stats._add_failure(
                error["method"],
                error["name"],
                error["error"],
                error["occurrences"],
                error.get("first_seen") or now,
                error.get("last_seen") or now,
                True,
            )
        stats.total.extend(StatsEntry.unserialize(data["stats_total"], stats))

    events.report_to_master.add_listener(on_report_to_master)
    events.worker_report.add_listener(on_worker_report)


def sort_stats(stats: Mapping[Any, S]) -> list[S]:
    return [stats[key] for key in sorted(stats.keys())]


def _is_valid_percentile(parameter: Any) -> bool:
    try:
        return 0 < float(parameter) < 1
    except (TypeError, ValueError):
        return False


def validate_stats_configuration() -> None:
    """Ends the process where user code has set a percentile that cannot be shown."""
    if len(PERCENTILES_TO_CHART) > 6:
        sys.stderr.write("There should be a maximum of 6 parameters in locust.stats.PERCENTILES_TO_CHART\n")
        sys.exit(1)
    for setting, percentiles in (
        ("PERCENTILES_TO_CHART", PERCENTILES_TO_CHART),
        ("PERCENTILES_TO_STATISTICS", PERCENTILES_TO_STATISTICS),
    ):
        for percentile in percentiles:
            if not _is_valid_percentile(percentile):
                sys.stderr.write(
                    f"Values of locust.stats.{setting} need to be floats with 0 < percentile < 1, such as 0.95,"
                    f" unlike {percentile!r}\n"
                )
                sys.exit(1)


__getattr__ = late_names(
    __name__,
    CatchResponseError="exception",
    format_utc_timestamp="util.date",
)
