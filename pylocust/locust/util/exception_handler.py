"""Trying again."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

logger = logging.getLogger(__name__)


def retry(
    delays: Sequence[float] = (1, 3, 5), exception: type[BaseException] | tuple[type[BaseException], ...] = Exception
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Calls the function again after each delay while it raises ``exception``; the last failure goes to the caller."""

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            for attempt, delay in enumerate(delays, start=1):
                try:
                    return function(*args, **kwargs)
                except exception as error:
                    logger.exception(error)
                    logger.info("Attempt %d failed; trying again in %ds", attempt, delay)
                    time.sleep(delay)
            return function(*args, **kwargs)

        return wrapper

    return decorator
