"""Spans of time as people write them."""

from __future__ import annotations

import re

_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_timespan(time_str: str) -> int:
    """Seconds of "20", "20s", "3m", "2h", "1h20m", "3h30m10s"; ``ValueError`` for anything else."""
    if time_str and re.fullmatch(r"\d+", time_str):
        return int(time_str)
    match = _SPAN.fullmatch(time_str) if time_str else None
    if match is None:
        raise ValueError("Invalid time span format. Valid formats: 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds
