"""What masters take from messages of workers, whatever a stranger put into them: values of other kinds would be found
only later, where statistics, logs and exceptions are shown. ValueError says what is wrong."""

from __future__ import annotations

import math
from typing import Any


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} has to be text, not {type(value).__name__}")
    return value


def _number(value: Any, what: str) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} has to be a number, not {value!r:.50}")
    return value


def _map(value: Any, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} has to be a map, not {type(value).__name__}")
    return value


def read_heartbeat(data: Any) -> tuple[str, float, int]:
    """State, CPU usage, memory usage."""
    data = _map(data, "a heartbeat")
    return (
        _text(data.get("state"), "state"),
        _number(data.get("current_cpu_usage"), "current_cpu_usage"),
        int(_number(data.get("current_memory_usage", 0), "current_memory_usage")),
    )


def read_user_counts(value: Any) -> dict[str, int]:
    """How many users of each class there are."""
    counts = _map(value, "user_classes_count")
    for name, count in counts.items():
        _text(name, "the name of a user class")
        if not isinstance(count, int) or count < 0:
            raise ValueError(f"the number of users of {name} cannot be {count!r:.50}")
    return dict(counts)


def read_exception(data: Any) -> tuple[str, str]:
    """Message and traceback."""
    data = _map(data, "an exception")
    return _text(data.get("msg"), "msg"), _text(data.get("traceback"), "traceback")


def check_logs(data: Any) -> dict[str, Any]:
    """The report itself: ``worker_id`` and ``logs``, lines of text."""
    data = _map(data, "a report of log lines")
    _text(data.get("worker_id"), "worker_id")
    lines = data.get("logs")
    if not isinstance(lines, list):
        raise ValueError(f"logs has to be a list, not {type(lines).__name__}")
    for line in lines:
        _text(line, "a log line")
    return data
