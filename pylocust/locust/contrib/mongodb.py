"""Users of MongoDB, with pymongo."""

from __future__ import annotations

import time
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from .. import User, events


class MongoDBClient(MongoClient):  # type: ignore[type-arg]
    """A connection to one database."""

    def __init__(self, conn_string: str, db_name: str) -> None:
        super().__init__(conn_string)
        self.db = self[db_name]

    def execute_query(self, collection_name: str, query: Any) -> list[Any] | None:
        """All documents found; None, and a failure, where the query fails."""
        found = None
        exception = None
        begin = time.perf_counter()
        try:
            found = list(self.db[collection_name].find(query))
        except PyMongoError as error:
            exception = error
        events.request.fire(
            request_type="MONGODB",
            name="QUERY",
            response_time=(time.perf_counter() - begin) * 1000,
            response_length=0,
            exception=exception,
        )
        return found


class MongoDBUser(User):
    """Needs ``conn_string`` and ``db_name``."""

    abstract = True
    conn_string: str
    db_name: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.client = MongoDBClient(conn_string=self.conn_string, db_name=self.db_name)

    def on_stop(self) -> None:
        """Closes the connection."""
        self.client.close()
