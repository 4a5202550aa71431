"""Names of requests, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def rename_request(self: Any, name: str) -> Iterator[None]:
    """Group the requests of a with-block under one name."""
    self.request_name = name
    try:
        yield
    finally:
        self.request_name = None
