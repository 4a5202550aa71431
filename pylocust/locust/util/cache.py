"""Results that are kept for a while."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any


def memoize(timeout: float, dynamic_timeout: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keeps a function's last result for ``timeout`` seconds, whatever the arguments. ``dynamic_timeout``: doubles that
    time whenever the function takes longer than it. The wrapper has ``clear_cache()``."""

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        lifetime = timeout
        kept: tuple[float, Any] | None = None

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal kept, lifetime
            called = time.time()
            if kept is None or called - kept[0] > lifetime:
                result = function(*args, **kwargs)
                kept = (time.time(), result)
                if dynamic_timeout and kept[0] - called > lifetime:
                    lifetime *= 2
                return result
            return kept[1]

        def clear_cache() -> None:
            nonlocal kept
            kept = None

        wrapper.clear_cache = clear_cache  # type: ignore[attr-defined]
        return wrapper

    return decorator
