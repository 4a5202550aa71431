"""A line of CSV for each request."""

from __future__ import annotations

import csv
import logging
import os
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from ..env import Environment

logger = logging.getLogger(__name__)

CSV_COLUMNS = (
    "timestamp",
    "request_type",
    "name",
    "response_time_ms",
    "response_length",
    "status_code",
    "exception",
)


class CsvRequestLogger:
    """Writes the requests of an environment to a file, with the names of the columns in its first line. Lines reach the
    file when ``flush_interval`` seconds went by since they last did, and at the end."""

    def __init__(self, filepath: str, *, flush_interval: int = 1) -> None:
        self.filepath = filepath
        self.flush_interval = flush_interval
        self._file: TextIO | None = None
        self._writer: Any = None
        self._flushed = 0.0

    def register(self, environment: Environment) -> None:
        """Opens the file and listens."""
        folder = os.path.dirname(self.filepath)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._file = open(self.filepath, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file)
        self._writer.writerow(CSV_COLUMNS)
        self._file.flush()
        self._flushed = time.monotonic()
        environment.events.request.add_listener(self._on_request)
        environment.events.quitting.add_listener(self._on_quitting)

    def close(self) -> None:
        """Writes what is left. May be called more than once."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _on_request(
        self,
        *,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int,
        exception: Any = None,
        response: Any = None,
        start_time: float | None = None,
        **_kwargs: Any,
    ) -> None:
        if self._file is None:
            return
        self._writer.writerow(
            (
                time.time() if start_time is None else start_time,
                request_type,
                name,
                "" if response_time is None else response_time,
                response_length,
                _status_code(response, exception),
                "" if exception is None else str(exception),
            )
        )
        now = time.monotonic()
        if now - self._flushed >= self.flush_interval:
            self._file.flush()
            self._flushed = now

    def _on_quitting(self, **_kwargs: Any) -> None:
        self.close()


def _status_code(response: Any, exception: Any) -> int:
    """0 where nothing answered."""
    for source in (response, getattr(exception, "response", None)):
        status = getattr(source, "status_code", None)
        if status is not None:
            try:
                return int(status)
            except (TypeError, ValueError):
                return 0
    return 0
