"""Rounding that takes halves up."""

from __future__ import annotations


def proper_round(val: int | float, digits: int = 0) -> int | float:
    """Like ``round``, but 0.5 becomes 1 and 2.5 becomes 3: a value is nudged by less than its last written digit."""
    number = float(val)
    nudge = 10 ** -(len(str(number)) + 1)
    return round(number + nudge, digits)
