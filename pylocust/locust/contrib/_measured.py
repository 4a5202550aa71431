"""What the users of vector databases share: a call that never raises, and tells how it went."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .. import events


def measured(call: Callable[[], Any], is_empty: Callable[[Any], bool] | None = None) -> dict[str, Any]:
    """``success``, ``response_time`` in milliseconds, and ``result`` or ``exception``. Where ``is_empty`` is given, a
    result may be ``empty``, which is no success."""
    begin = time.perf_counter()
    try:
        result = call()
    except Exception as error:
        return {"success": False, "response_time": (time.perf_counter() - begin) * 1000, "exception": error}
    outcome = {"success": True, "response_time": (time.perf_counter() - begin) * 1000}
    if is_empty is not None:
        outcome["empty"] = is_empty(result)
        outcome["success"] = not outcome["empty"]
    outcome["result"] = result
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
