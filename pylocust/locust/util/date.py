"""Moments and durations as text."""

from __future__ import annotations

from datetime import UTC, datetime


def format_utc_timestamp(unix_timestamp: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return f"{datetime.fromtimestamp(int(unix_timestamp), UTC):%Y-%m-%dT%H:%M:%SZ}"


def format_safe_timestamp(unix_timestamp: float) -> str:
    """Local time to the minute, fit for a file name."""
    return f"{datetime.fromtimestamp(int(unix_timestamp)):%Y-%m-%d-%Hh%M}"


def format_duration(start_time: float, end_time: float) -> str:
    """The time between two Unix times in words: "1 hour, 2 minutes and 3 seconds"."""
    left = int(end_time - start_time)
    words = []
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count > 0:
            words.append(f"{count} {unit}" + ("" if count == 1 else "s"))
    if not words:
        return "0 seconds"
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
