"""Users of PostgreSQL, with psycopg."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from .. import User, events


class PostgresClient:
    """One connection."""

    def __init__(self, conn_string: str) -> None:
        self.connection = psycopg.connect(conn_string)

    def execute_query(self, query: Any) -> None:
        """Runs a statement; where it fails, that is reported and the transaction is given up."""
        exception: Exception | None = None
        begin = time.perf_counter()
        try:
            self.connection.execute(query)
        except psycopg.Error as error:
            exception = error
        response_time = (time.perf_counter() - begin) * 1000
        if exception is not None and not self.connection.closed:
            self.connection.rollback()
        events.request.fire(
            request_type="postgres_success" if exception is None else "postgres_failure",
            name="execute_query",
            response_time=response_time,
            response_length=0,
            exception=exception,
        )

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()


class PostgresUser(User):
    """Needs ``conn_string``."""

    abstract = True
    conn_string: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.client = PostgresClient(conn_string=self.conn_string)

    def on_stop(self) -> None:
        """Closes the connection."""
        self.client.close()
