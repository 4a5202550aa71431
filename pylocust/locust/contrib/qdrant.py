"""Users of the vector database Qdrant, with its own client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qdrant_client import QdrantClient

from .. import User
from ._measured import fire_outcome, measured

if TYPE_CHECKING:
    from qdrant_client.models import VectorParams

    from ..env import Environment


class QdrantLocustClient:
    """One collection. Each call tells how it went: ``success``, ``response_time``, ``result`` or ``exception``."""

    def __init__(
        self, url: str, collection_name: str | None, api_key: str | None = None, timeout: int = 60, **kwargs: Any
    ) -> None:
        self.url = url
        self.collection_name: Any = collection_name
        self.api_key = api_key
        self.timeout = timeout
        self.client = QdrantClient(url=url, api_key=api_key, timeout=timeout, **kwargs)

    def close(self) -> None:
        """Closes the connection."""
        self.client.close()

    def create_collection(self, vectors_config: Any, **kwargs: Any) -> None:
        """Makes the collection where there is none."""
        if not self.client.collection_exists(collection_name=self.collection_name):
            self.client.create_collection(collection_name=self.collection_name, vectors_config=vectors_config, **kwargs)

    def upsert(self, points: Any) -> dict[str, Any]:
        """Puts points."""
        return measured(lambda: self.client.upsert(collection_name=self.collection_name, points=points))

    def search(
        self,
        query: Any,
        limit: int = 10,
        query_filter: Any = None,
        search_params: Any = None,
        with_payload: bool = True,
    ) -> dict[str, Any]:
        """Looks for the nearest points."""
        return measured(
            lambda: self.client.query_points(
                collection_name=self.collection_name,
                query=query,
                limit=limit,
                query_filter=query_filter,
                search_params=search_params,
                with_payload=with_payload,
            ),
            lambda result: not result.points,
        )

    def scroll(self, scroll_filter: Any = None, limit: int = 10, with_payload: bool = True) -> dict[str, Any]:
        """Reads points one page at a time; ``next_offset`` is where the next one begins."""
        outcome = measured(
            lambda: self.client.scroll(
                collection_name=self.collection_name,
                scroll_filter=scroll_filter,
                limit=limit,
                with_payload=with_payload,
            ),
            lambda page: not page[0],
        )
        if "result" in outcome:
            outcome["result"], outcome["next_offset"] = outcome["result"]
        return outcome

    def delete(self, points_selector: Any) -> dict[str, Any]:
        """Removes points."""
        return measured(
            lambda: self.client.delete(collection_name=self.collection_name, points_selector=points_selector)
        )


class QdrantUser(User):
    """Needs ``collection_name``; makes the collection where ``vectors_config`` is given."""

    abstract = True
    url: str = "http://localhost:6333"
    api_key: str | None = None
    collection_name: str | None = None
    timeout: int = 60
    vectors_config: VectorParams | None = None
    client_kwargs: dict[str, Any] | None = None
    collection_kwargs: dict[str, Any] | None = None

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if self.collection_name is None:
            raise ValueError("collection_name is missing")
        self.client_type = "qdrant"
        self.client = QdrantLocustClient(
            url=self.url,
            api_key=self.api_key,
            collection_name=self.collection_name,
            timeout=self.timeout,
            **(self.client_kwargs or {}),
        )
        if self.vectors_config is not None:
            self.client.create_collection(vectors_config=self.vectors_config, **(self.collection_kwargs or {}))

    @staticmethod
    def _fire_event(request_type: str, name: str, result: dict[str, Any]) -> None:
        fire_outcome(request_type, name, result)

    def _reported(self, name: str, result: dict[str, Any]) -> dict[str, Any]:
        self._fire_event(self.client_type, name, result)
        return result

    def upsert(self, points: Any) -> dict[str, Any]:
        """Puts points."""
        return self._reported("upsert", self.client.upsert(points))

    def search(
        self,
        query: Any,
        limit: int = 10,
        query_filter: Any = None,
        search_params: Any = None,
        with_payload: bool = True,
    ) -> dict[str, Any]:
        """Looks for the nearest points."""
        return self._reported("search", self.client.search(query, limit, query_filter, search_params, with_payload))

    def scroll(self, scroll_filter: Any = None, limit: int = 10, with_payload: bool = True) -> dict[str, Any]:
        """Reads points one page at a time."""
        return self._reported("scroll", self.client.scroll(scroll_filter, limit, with_payload))

    def delete(self, points_selector: Any) -> dict[str, Any]:
        """Removes points."""
        return self._reported("delete", self.client.delete(points_selector))

    def on_stop(self) -> None:
        """Closes the connection."""
        self.client.close()
