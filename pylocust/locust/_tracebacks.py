"""Tracebacks as text. A script that fails does so at the same few places over and over, each of which is formatted
once: Python's own way reads and parses the source lines anew every time."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import Any

# The code objects are kept with the text: the ids in the keys would be used again if they were freed.
_texts: dict[tuple[Any, ...], tuple[str, list[Any]]] = {}
_MOST = 200
# For these Python also suggests similar names from the frames, or writes lines of other kinds: no text is kept.
_TALKATIVE = (NameError, AttributeError, ImportError, SyntaxError, BaseExceptionGroup)


def format_trace(trace: TracebackType | None) -> str:
    """The lines of `traceback.format_tb()`, joined."""
    first, codes = trace, []
    key: list[Any] = [getattr(sys, "tracebacklimit", None)]
    while trace is not None:
        code = trace.tb_frame.f_code
        codes.append(code)
        key += (id(code), trace.tb_lasti, trace.tb_lineno)
        trace = trace.tb_next
    place = tuple(key)
    known = _texts.get(place)
    if known is None:
        if len(_texts) >= _MOST:
            _texts.clear()
        known = _texts[place] = ("".join(traceback.format_tb(first)), codes)
    return known[0]


def format_error(error: BaseException) -> str:
    """The lines of `traceback.format_exception()`, joined."""
    context = None if error.__suppress_context__ else error.__context__
    if error.__cause__ is not None or context is not None or isinstance(error, _TALKATIVE):
        return "".join(traceback.format_exception(error))
    words = "".join(traceback.format_exception_only(error))
    if error.__traceback__ is None:
        return words
    return f"Traceback (most recent call last):\n{format_trace(error.__traceback__)}{words}"
