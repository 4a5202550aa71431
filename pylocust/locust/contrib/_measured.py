"""What the users of vector databases share: a call that never raises, and tells how it went."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .. import events


def measured(call: Callable[[], Any]) -> dict[str, Any]:
    """``success``, ``response_time`` in milliseconds, ``result``, and ``exception`` where there was one."""
    begin = time.perf_counter()
    outcome: dict[str, Any] = {"success": True}
    try:
        outcome["result"] = call()
    except Exception as error:
        outcome = {"success": False, "exception": error, "result": None}
    outcome["response_time"] = (time.perf_counter() - begin) * 1000
    return outcome


def fire_outcome(request_type: str, name: str, outcome: dict[str, Any]) -> None:
    """One request event for such a call."""
    events.request.fire(
        request_type=request_type,
        name=name,
        response_time=outcome.get("response_time", 0),
        response_length=0,
        exception=outcome.get("exception"),
    )
