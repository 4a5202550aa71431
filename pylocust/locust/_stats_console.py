"""The statistics on the console: tables now and then, those of the end, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import gevent

# Settings and functions are looked up there, where user code may have put its own.
from . import stats as settings

if TYPE_CHECKING:
    from .stats import RequestStats


def get_stats_summary(stats: RequestStats, current: bool = True) -> list[str]:
    """The lines of the request table."""
    table: str = stats._console_requests(settings.STATS_NAME_WIDTH, settings.STATS_TYPE_WIDTH, current)
    return table[:-1].split("\n")


def get_percentile_stats_summary(stats: RequestStats) -> list[str]:
    """The lines of the percentile table."""
    table: str = stats._console_percentiles(
        settings.STATS_NAME_WIDTH, settings.STATS_TYPE_WIDTH, settings.PERCENTILES_TO_REPORT
    )
    return table[:-1].split("\n")


def get_error_report_summary(stats: RequestStats) -> list[str]:
    """The lines of the error report."""
    table: str = stats._console_failures(settings.STATS_NAME_WIDTH)
    return table[:-1].split("\n")


def print_stats(stats: RequestStats, current: bool = True) -> None:
    for line in settings.get_stats_summary(stats, current):
        settings.console_logger.info(line)
    settings.console_logger.info("")


def print_percentile_stats(stats: RequestStats) -> None:
    for line in settings.get_percentile_stats_summary(stats):
        settings.console_logger.info(line)
    settings.console_logger.info("")


def get_own_summary(stats: RequestStats, percentiles: list[float], has_phases: bool) -> list[str]:
    """The lines of what Locust does not tell: percentiles true to 0.1 %, phases, how the generator coped."""
    tables = []
    if percentiles:
        tables.append(stats._console_exact(settings.STATS_NAME_WIDTH, settings.STATS_TYPE_WIDTH, percentiles))
    if has_phases:
        tables.append(stats._console_phases(settings.STATS_NAME_WIDTH, settings.STATS_TYPE_WIDTH))
    lines = [line for table in tables for line in table.split("\n")]
    return lines if stats._generator is None else [*lines, *stats._generator.summary()]


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        settings.console_logger.info(line)


def print_error_report(stats: RequestStats) -> None:
    if stats.errors:
        for line in settings.get_error_report_summary(stats):
            settings.console_logger.info(line)


def print_stats_json(stats: RequestStats) -> None:
    print(json.dumps(stats.serialize_stats(), indent=4))


def save_stats_json(stats: RequestStats, filename: str) -> None:
    with open(f"{filename}.json", "w") as file:
        json.dump(stats.serialize_stats(), file, indent=4)


def stats_printer(stats: RequestStats) -> Callable[[], None]:
    """What prints the request table now and then, to be run in a greenlet."""

    def stats_printer_func() -> None:
        while True:
            settings.print_stats(stats)
            warning = stats._generator.warning() if stats._generator is not None else None
            if warning:
                settings.console_logger.info(warning)
                settings.console_logger.info("")
            gevent.sleep(settings.CONSOLE_STATS_INTERVAL_SEC)

    return stats_printer_func
