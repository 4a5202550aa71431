"""The CSV files of a run, whose rows the core writes."""

from __future__ import annotations

import csv
import io
import logging
import os
import shutil
import time
from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import _cload
import gevent

# The module, not its names: scripts may assign to its settings, which are read when they are needed.
from . import stats as settings
from ._generator import Generator

if TYPE_CHECKING:
    from .env import Environment

logger = logging.getLogger("locust.stats")


class CSVWriter(Protocol):
    @abstractmethod
    def writerow(self, columns: Iterable[str | int | float]) -> Any: ...


class StatsCSV:
    """Writes the statistics as rows of CSV."""

    def __init__(self, environment: Environment, percentiles_to_report: list[float]) -> None:
        self.environment = environment
        self.percentiles_to_report = percentiles_to_report
        self.percentiles_na = ["N/A"] * len(percentiles_to_report)
        self.requests_csv_columns = self._columns("requests")
        self.failures_columns = self._columns("failures")
        self.exceptions_columns = self._columns("exceptions")

    def _columns(self, file: str) -> list[str]:
        return next(csv.reader([_cload.Stats._csv_header(file, self.percentiles_to_report)]))

    def requests_csv(self, csv_writer: CSVWriter) -> None:
        csv_writer.writerow(self.requests_csv_columns)
        self._requests_data_rows(csv_writer)

    def _requests_data_rows(self, csv_writer: CSVWriter) -> None:
        _copy_rows(self.environment.stats._csv_requests(self.percentiles_to_report), csv_writer)

    def failures_csv(self, csv_writer: CSVWriter) -> None:
        csv_writer.writerow(self.failures_columns)
        self._failures_data_rows(csv_writer)

    def _failures_data_rows(self, csv_writer: CSVWriter) -> None:
        _copy_rows(self.environment.stats._csv_failures(), csv_writer)

    def exceptions_csv(self, csv_writer: CSVWriter) -> None:
        csv_writer.writerow(self.exceptions_columns)
        self._exceptions_data_rows(csv_writer)

    def _exceptions_data_rows(self, csv_writer: CSVWriter) -> None:
        runner = self.environment.runner
        if runner is not None:
            for exc in runner.exceptions.values():
                csv_writer.writerow([exc["count"], exc["msg"], exc["traceback"], ", ".join(exc["nodes"])])

    # Whether something could not be written at the last try.
    is_failing = False

    def close_files(self) -> None:
        pass


def _copy_rows(text: str, csv_writer: CSVWriter) -> None:
    for row in csv.reader(io.StringIO(text, newline="")):
        csv_writer.writerow(row)


class StatsCSVFileWriter(StatsCSV):
    """Writes the statistics to PREFIX_stats.csv, _stats_history.csv, _failures.csv and _exceptions.csv.

    Files of our own are beside them: _phases.csv, _generator.csv (appended to), and _percentiles.csv if percentiles
    were asked for.
    """

    requests_csv_filehandle: io.TextIOWrapper
    stats_history_csv_filehandle: io.TextIOWrapper
    failures_csv_filehandle: io.TextIOWrapper
    exceptions_csv_filehandle: io.TextIOWrapper
    _phases_file: io.TextIOWrapper
    _generator_file: io.TextIOWrapper
    _percentiles_file: io.TextIOWrapper

    def __init__(
        self,
        environment: Environment,
        percentiles_to_report: list[float],
        base_filepath: str,
        full_history: bool = False,
    ) -> None:
        super().__init__(environment, percentiles_to_report)
        self.base_filepath = base_filepath
        self.full_history = full_history
        self.stats_history_csv_columns = self._columns("history")

        options = getattr(environment, "parsed_options", None)
        self._exact_percentiles = list(getattr(options, "percentiles", None) or ())
        # Attribute, end of the name, columns.
        self._files = [
            ("requests_csv_filehandle", "_stats.csv", self.requests_csv_columns),
            ("stats_history_csv_filehandle", "_stats_history.csv", self.stats_history_csv_columns),
            ("failures_csv_filehandle", "_failures.csv", self.failures_columns),
            ("exceptions_csv_filehandle", "_exceptions.csv", self.exceptions_columns),
            ("_phases_file", "_phases.csv", self._columns("phases")),
            ("_generator_file", "_generator.csv", Generator.csv_columns()),
        ]
        if self._exact_percentiles:
            header = _cload.Stats._csv_header("exact", self._exact_percentiles)
            self._files.append(("_percentiles_file", "_percentiles.csv", next(csv.reader([header]))))
        for attribute, suffix, _ in self._files:
            setattr(self, attribute, self._open(suffix))
        self._data_starts: dict[io.TextIOWrapper, int] = {}

    def _open(self, suffix: str) -> io.TextIOWrapper:
        return open(self.base_filepath + suffix, "w+", encoding="utf-8", newline="")

    @property
    def _filehandles(self) -> tuple[io.TextIOWrapper, ...]:
        return tuple(getattr(self, attribute) for attribute, _, _ in self._files)

    def _restore(self) -> None:
        """Makes files anew that somebody removed or moved away, with what they held."""
        for attribute, suffix, _ in self._files:
            file: io.TextIOWrapper = getattr(self, attribute)
            path = self.base_filepath + suffix
            try:
                if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                    continue
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            copy = self._open(suffix)
            logger.warning("%s was removed during the test, and is made anew", path)
            file.flush()
            file.seek(0)
            shutil.copyfileobj(file, copy)
            if file in self._data_starts:
                self._data_starts[copy] = self._data_starts.pop(file)
            setattr(self, attribute, copy)
            file.close()

    def __call__(self) -> None:
        self.stats_writer()

    def stats_writer(self) -> None:
        """Keeps the files up to date, to be run in a greenlet."""
        # The process may live on for a while: other things have to end, too.
        while not self.requests_csv_filehandle.closed:
            self._write_round(time.time())
            gevent.sleep(settings.CSV_STATS_INTERVAL_SEC)

    def _write_headers(self) -> None:
        for attribute, _, columns in self._files:
            file: io.TextIOWrapper = getattr(self, attribute)
            if file in self._data_starts:
                continue
            # An earlier try may have left a part of it.
            file.seek(0)
            file.truncate()
            csv.writer(file).writerow(columns)
            self._data_starts[file] = file.tell()

    def _write_round(self, now: float | None = None) -> None:
        """The history gets rows for the time now, if it is one. A disk that is full, or gone, is told of once and tried
        again: it does not end the test."""
        try:
            self._restore()
            if len(self._data_starts) < len(self._files):
                self._write_headers()
            stats = self.environment.stats
            self._rewrite(self.requests_csv_filehandle, stats._csv_requests(self.percentiles_to_report))
            if now is not None:
                self.stats_history_csv_filehandle.write(self._history_rows(now))
            self._rewrite(self.failures_csv_filehandle, stats._csv_failures())
            rows = io.StringIO(newline="")
            self._exceptions_data_rows(csv.writer(rows))
            self._rewrite(self.exceptions_csv_filehandle, rows.getvalue())
            self._rewrite(self._phases_file, stats._csv_phases())
            if self._exact_percentiles:
                self._rewrite(self._percentiles_file, stats._csv_exact(self._exact_percentiles))
            if stats._generator is not None:
                self._generator_file.write(stats._generator.csv_rows())
            self.requests_flush()
            self.stats_history_flush()
            self.failures_flush()
            self.exceptions_flush()
            for own in self._filehandles[4:]:
                own.flush()
            self.is_failing = False
        except OSError as error:
            if not self.is_failing:
                logger.error("CSV files %s_*.csv could not be written: %s", self.base_filepath, error)
            self.is_failing = True

    def _rewrite(self, file: io.TextIOWrapper, rows: str) -> None:
        file.seek(self._data_starts[file])
        file.write(rows)
        file.truncate()

    def _history_rows(self, now: float) -> str:
        """The state of now: the aggregate's, or every entry's if full_history is set."""
        runner = self.environment.runner
        rows: str = self.environment.stats._csv_history(
            self.percentiles_to_report,
            self.full_history,
            int(settings.CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW),
            0 if runner is None else runner.user_count,
            now,
        )
        return rows

    def requests_flush(self) -> None:
        self.requests_csv_filehandle.flush()

    def stats_history_flush(self) -> None:
        self.stats_history_csv_filehandle.flush()

    def failures_flush(self) -> None:
        self.failures_csv_filehandle.flush()

    def exceptions_flush(self) -> None:
        self.exceptions_csv_filehandle.flush()

    def close_files(self) -> None:
        """Writes the final state, which is no interval's and so not in the history, and closes the files."""
        if all(file.closed for file in self._filehandles):
            return
        self._write_round()
        for file in self._filehandles:
            try:
                file.close()
            except OSError as error:
                self.is_failing = True
                logger.error("%s could not be closed: %s", file.name, error)

    def stats_history_file_name(self) -> str:
        return self.base_filepath + "_stats_history.csv"
