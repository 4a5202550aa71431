"""Users of the vector database Milvus, with its own client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import grpc.experimental.gevent as grpc_gevent

from .. import User, events
from ._measured import fire_outcome, measured

# Before pymilvus opens a channel: grpc's own threads would stop all other users.
grpc_gevent.init_gevent()

from pymilvus import CollectionSchema, MilvusClient  # noqa: E402
from pymilvus.milvus_client import IndexParams  # noqa: E402

if TYPE_CHECKING:
    from ..env import Environment


_OUTPUT_FIELDS = ["id"]


def _is_empty(rows: Any) -> bool:
    return not any(len(row) for row in rows)


class BaseClient(ABC):
    """What a MilvusUser needs of its client."""

    @abstractmethod
    def close(self) -> None:
        """Closes the connection."""

    @abstractmethod
    def create_collection(self, schema: Any, index_params: Any, **kwargs: Any) -> None:
        """Makes the collection."""

    @abstractmethod
    def insert(self, data: Any) -> dict[str, Any]:
        """Adds entities."""

    @abstractmethod
    def upsert(self, data: Any) -> dict[str, Any]:
        """Adds or replaces entities."""

    @abstractmethod
    def search(
        self,
        data: Any,
        anns_field: str,
        limit: int,
        filter: str = "",
        search_params: Any = None,
        output_fields: Any = None,
        calculate_recall: bool = False,
        ground_truth: Any = None,
    ) -> dict[str, Any]:
        """Looks for the nearest entities."""

    @abstractmethod
    def hybrid_search(self, reqs: Any, ranker: Any, limit: int, output_fields: Any = None) -> dict[str, Any]:
        """Several searches whose results are ranked together."""

    @abstractmethod
    def query(self, filter: str, output_fields: Any = None) -> dict[str, Any]:
        """Finds entities by a condition."""

    @abstractmethod
    def delete(self, filter: str) -> dict[str, Any]:
        """Removes entities by a condition."""


class MilvusV2Client(BaseClient):
    """One collection, through pymilvus' MilvusClient."""

    def __init__(
        self,
        uri: str,
        collection_name: str,
        token: str = "root:Milvus",
        db_name: str = "default",
        timeout: int = 60,
    ) -> None:
        self.uri = uri
        self.collection_name = collection_name
        self.token = token
        self.db_name = db_name
        self.timeout = timeout
        self.client = MilvusClient(uri=uri, token=token, db_name=db_name, timeout=timeout)

    def close(self) -> None:
        self.client.close()

    def create_collection(self, schema: Any, index_params: Any, **kwargs: Any) -> None:
        self.client.create_collection(
            collection_name=self.collection_name, schema=schema, index_params=index_params, **kwargs
        )

    def insert(self, data: Any) -> dict[str, Any]:
        return measured(lambda: self.client.insert(collection_name=self.collection_name, data=data))

    def upsert(self, data: Any) -> dict[str, Any]:
        return measured(lambda: self.client.upsert(collection_name=self.collection_name, data=data))

    def search(
        self,
        data: Any,
        anns_field: str,
        limit: int,
        filter: str = "",
        search_params: Any = None,
        output_fields: Any = None,
        calculate_recall: bool = False,
        ground_truth: Any = None,
    ) -> dict[str, Any]:
        outcome = measured(
            lambda: self.client.search(
                collection_name=self.collection_name,
                data=data,
                anns_field=anns_field,
                filter=filter,
                limit=limit,
                search_params=search_params,
                output_fields=_OUTPUT_FIELDS if output_fields is None else output_fields,
            ),
            _is_empty,
        )
        if outcome["success"] and calculate_recall and ground_truth is not None:
            outcome["recall"] = self.get_recall(outcome["result"], ground_truth, limit)
        return outcome

    def hybrid_search(self, reqs: Any, ranker: Any, limit: int, output_fields: Any = None) -> dict[str, Any]:
        return measured(
            lambda: self.client.hybrid_search(
                collection_name=self.collection_name,
                reqs=reqs,
                ranker=ranker,
                limit=limit,
                output_fields=_OUTPUT_FIELDS if output_fields is None else output_fields,
                timeout=self.timeout,
            ),
            _is_empty,
        )

    @staticmethod
    def get_recall(search_results: Any, ground_truth: Any, limit: int | None = None) -> float:
        """The part of the true neighbours, of which there must be ``limit``, that the first query found; 0.0 where that
        cannot be said."""
        try:
            hits = search_results[0] if isinstance(search_results[0], list) else search_results
            found = {hit.get("id") for hit in hits}
            true = set(ground_truth[: len(hits) if limit is None else limit])
            return len(found & true) / len(true) if len(ground_truth) >= (limit or 0) else 0.0
        except (AttributeError, IndexError, KeyError, TypeError, ZeroDivisionError):
            return 0.0

    def query(self, filter: str, output_fields: Any = None) -> dict[str, Any]:
        fields = _OUTPUT_FIELDS if output_fields is None else output_fields
        return measured(
            lambda: self.client.query(collection_name=self.collection_name, filter=filter, output_fields=fields),
            lambda result: not result,
        )

    def delete(self, filter: str) -> dict[str, Any]:
        return measured(lambda: self.client.delete(collection_name=self.collection_name, filter=filter))


class MilvusUser(User):
    """A user of one collection, which is made where a schema is given."""

    abstract = True

    def __init__(
        self,
        environment: Environment,
        uri: str = "http://localhost:19530",
        token: str = "root:Milvus",
        collection_name: str = "test_collection",
        db_name: str = "default",
        timeout: int = 60,
        schema: CollectionSchema | None = None,
        index_params: IndexParams | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(environment)
        if uri is None or collection_name is None:
            raise ValueError("a MilvusUser needs uri and collection_name")
        self.client_type = "milvus"
        self.client = MilvusV2Client(uri, collection_name, token=token, db_name=db_name, timeout=timeout)
        if schema is not None:
            self.client.create_collection(schema=schema, index_params=index_params, **kwargs)

    @staticmethod
    def _fire_event(request_type: str, name: str, result: dict[str, Any]) -> None:
        fire_outcome(request_type, name, result)

    @staticmethod
    def _fire_recall_event(request_type: str, name: str, result: dict[str, Any]) -> None:
        events.request.fire(
            request_type=request_type,
            name=name,
            response_time=int(result.get("recall", 0) * 100),
            response_length=result.get("retrieved_count", 0),
            exception=result.get("exception"),
        )

    def _reported(self, name: str, result: dict[str, Any]) -> dict[str, Any]:
        self._fire_event(self.client_type, name, result)
        return result

    def insert(self, data: Any) -> dict[str, Any]:
        """Adds entities."""
        return self._reported("insert", self.client.insert(data))

    def upsert(self, data: Any) -> dict[str, Any]:
        """Adds or replaces entities."""
        return self._reported("upsert", self.client.upsert(data))

    def search(
        self,
        data: Any,
        anns_field: str,
        limit: int,
        filter: str = "",
        search_params: Any = None,
        output_fields: Any = None,
        calculate_recall: bool = False,
        ground_truth: Any = None,
    ) -> dict[str, Any]:
        """Looks for the nearest entities; ``calculate_recall`` adds an event with the recall in percent as its time."""
        result = self.client.search(
            data,
            anns_field,
            limit,
            filter=filter,
            search_params=search_params,
            output_fields=output_fields,
            calculate_recall=calculate_recall,
            ground_truth=ground_truth,
        )
        self._fire_event(self.client_type, "search", result)
        if "recall" in result:
            self._fire_recall_event(self.client_type, "recall", result)
        return result

    def hybrid_search(self, reqs: Any, ranker: Any, limit: int, output_fields: Any = None) -> dict[str, Any]:
        """Several searches whose results are ranked together."""
        return self._reported("hybrid_search", self.client.hybrid_search(reqs, ranker, limit, output_fields))

    def query(self, filter: str, output_fields: Any = None) -> dict[str, Any]:
        """Finds entities by a condition."""
        return self._reported("query", self.client.query(filter, output_fields))

    def delete(self, filter: str) -> dict[str, Any]:
        """Removes entities by a condition."""
        return self._reported("delete", self.client.delete(filter))

    def on_stop(self) -> None:
        """Closes the connection."""
        self.client.close()
