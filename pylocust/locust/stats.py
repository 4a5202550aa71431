"""Statistics of a run: Locust's interface over the core's table.

The numbers live in C. The objects here are views of them: reading an attribute asks the core. The dictionaries that
attributes give (`response_times`, `num_reqs_per_sec`, ...) are copies. What is changed in them is changed in the core.
"""

from __future__ import annotations

import copy
import logging
import os
import signal
import sys
import time
import types
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import _cload

from ._entries import PHASES as PHASES
from ._entries import CachedResponseTimes as CachedResponseTimes
from ._entries import EntriesDict as EntriesDict
from ._entries import Phase as Phase
from ._entries import StatsEntry as StatsEntry
from ._entries import StatsEntryDict as StatsEntryDict
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
from .util.rounding import proper_round as proper_round

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


class StatsHolder(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def method(self) -> str: ...


S = TypeVar("S", bound=StatsHolder)


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


# They are found here, wherever they are made.
for _each in (
    *(CachedResponseTimes, EntriesDict, Phase, StatsEntry, StatsEntryDict),
    *(StatsBaseDict, StatsErrorDict, StatsError, CSVWriter, StatsCSV, StatsCSVFileWriter),
    *(update_stats_history, stats_history),
    *(get_stats_summary, get_percentile_stats_summary, get_error_report_summary, print_stats, print_percentile_stats),
    *(print_error_report, print_stats_json, save_stats_json, stats_printer),
):
    _each.__module__ = __name__


def _empty_table(kind: type[RequestStats], use_response_times_cache: bool) -> RequestStats:
    table = kind.__new__(kind, use_response_times_cache)
    RequestStats.__init__(table, use_response_times_cache)
    return table


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
        if self._entry_type.log_error is not _cload.StatsEntry.log_error:
            self.total.log_error(error)
            self.entries[(name, method)].log_error(error)
            now = time.time()
            is_new = StatsError.create_key(method, name, error) not in self._errors
            self._add_failure(method, name, text, 1, now, now, False)
        else:
            is_new = self._log_failure(method, name, text)
        if is_new and not isinstance(error, str):
            # As the table has them, whatever they are.
            self._keep_exception("" if method is None else str(method), str(name), text, error)

    def _keep_exception(self, method: str, name: str, text: str, exception: Exception | None) -> None:
        """Told of the first failure of a kind; by the core, too."""
        self._errors._keep(method, name, text, exception)

    def _counts_itself(self) -> bool:
        """Whether the core may count without calling what a script may have put here (asked when a class changed)."""
        own, cls = vars(self), type(self)
        is_replaced = "log_request" in own or "log_error" in own or cls.log_error is not _log_error
        return not is_replaced and cls.log_request is _cload.Stats.log_request and self._entry_type._counts_itself()

    def _log_by_entries(self, method: str, name: str, response_time: float | None, content_length: int) -> None:
        """log_request() where the core may not count by itself."""
        self.total.log(response_time, content_length)
        self.entries[(name, method)].log(response_time, content_length)

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

    def _take_report(
        self, node_id: str, number: int, until: float, users: Mapping[str, int], user_count: int
    ) -> bytes | None:
        """The frame of a report to the master, straight from the core, which zeroes what it tells; None where scripts
        have put something of their own in place of what the dictionaries of a report are made of."""
        errors = self._errors
        if errors._is_looked_at or any(getattr(owner, name) != own for owner, name, own in _REPORT_PARTS):
            return None
        frame = _cload.take_report(self, node_id, number, until, users, user_count)
        errors._let_go_of_all()
        return frame

    def __reduce__(self) -> Any:
        """Copies, deep or not, have the numbers of this moment."""
        state = {
            "total": self.total._state(),
            "entries": [(entry.name, entry.method, entry._state()) for entry in self._entries.values()],
            "errors": [(key, copy.copy(error), error._is_remote) for key, error in self._errors.items()],
            "history": self._history.since(0),
            "own": {name: value for name, value in self.__dict__.items() if name not in _PARTS},
        }
        return _empty_table, (type(self), self.use_response_times_cache), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.total.__setstate__(state["total"])
        for name, method, numbers in state["entries"]:
            self.get(name, method).__setstate__(numbers)
        for key, error, is_remote in state["errors"]:
            error._is_remote = is_remote
            self._errors[key] = error
        self._history.extend(state["history"])
        self.__dict__.update(state["own"])


_PARTS = ("_entries", "_errors", "_generator", "_history")
# What the dictionaries of a report are made of.
_REPORT_PARTS = [
    (owner, name, getattr(owner, name))
    for owner, names in (
        (StatsEntry, ("get_stripped_report", "serialize", "reset", "num_requests", "_report_to_master", "_is_used")),
        (StatsError, ("serialize", "parse_error", "create_key")),
        (RequestStats, ("entries", "errors", "serialize_errors")),
    )
    for name in names
]


_log_error = RequestStats.log_error


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
