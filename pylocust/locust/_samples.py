"""What takes the samples of `stats.history` while a test runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent

# Settings and functions are looked up there, where user code may have put its own.
from . import stats as settings
from .util.date import format_utc_timestamp
from .util.rounding import proper_round

if TYPE_CHECKING:
    from .runners import Runner


def update_stats_history(runner: Runner, timestamp: str | None = None) -> None:
    """Adds a sample to the history that charts are drawn from."""
    stats = runner.stats
    total = stats.total
    now = timestamp or format_utc_timestamp(time.time())
    sample: dict[str, Any] = {
        f"response_time_percentile_{percentile}": [now, total.get_current_response_time_percentile(percentile) or 0]
        for percentile in settings.PERCENTILES_TO_CHART
    }
    sample["current_rps"] = [now, total.current_rps]
    sample["current_fail_per_sec"] = [now, total.current_fail_per_sec]
    sample["total_avg_response_time"] = [now, proper_round(total.avg_response_time, digits=2)]
    sample["user_count"] = [now, runner.user_count or 0]
    sample["time"] = now
    stats._history.add(sample)


def stats_history(runner: Runner) -> None:
    """Takes samples while a test runs, to be run in a greenlet."""
    while runner.stats.total.use_response_times_cache:
        if runner.state not in ("ready", "stopped"):
            settings.update_stats_history(runner)
        gevent.sleep(settings.HISTORY_STATS_INTERVAL_SEC)
