"""Every row of the compatibility lists (API, events, command line, web UI, reports, fleets) is named by a test of it.

A row is named as `API-12`, `API-12 to 15` or `API-12, 15`, in a docstring, a comment or the id of a parameter.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LISTS = {"API": 237, "EVT": 35, "CLI": 114, "WEB": 75, "REP": 54, "DST": 76}
_NAMED = re.compile(r"\b([A-Z]{3})-(\d+)((?:\s*(?:,|and|to)\s*(?:[A-Z]{3}-)?\d+\b)*)")
_MORE = re.compile(r"(,|and|to)\s*(?:([A-Z]{3})-)?(\d+)\b")


def named_rows(text: str) -> set[str]:
    """The ids that a text names."""
    found = set()
    for first in _NAMED.finditer(text):
        kind, last = first[1], int(first[2])
        found.add(f"{kind}-{last}")
        for more in _MORE.finditer(first[3]):
            number = int(more[3])
            begin = last + 1 if more[1] == "to" and more[2] in (None, kind) else number
            kind = more[2] or kind
            found.update(f"{kind}-{each}" for each in range(begin, number + 1))
            last = number
    return found


def test_ids_are_read() -> None:
    text = "API-1, API-2, 5 to 7 and EVT-3; API-9 to API-11 (CLI-4). API-20"
    assert named_rows(text) == {
        *(f"API-{number}" for number in (1, 2, 5, 6, 7, 9, 10, 11, 20)), "EVT-3", "CLI-4",
    }  # fmt: skip


@pytest.mark.parametrize("kind", LISTS)
def test_every_row_has_a_test(kind: str) -> None:
    files = [path for suffix in ("py", "c") for path in TESTS.rglob(f"*.{suffix}") if path != Path(__file__)]
    named = set().union(*(named_rows(path.read_text()) for path in files))
    assert [f"{kind}-{number}" for number in range(1, LISTS[kind] + 1) if f"{kind}-{number}" not in named] == []
