"""Connections that sessions of FastHttpUser share: a HTTPClientPool of geventhttpclient, done by the engine."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import _cload
import certifi
from requests.adapters import HTTPAdapter


class SharedPool:
    """What stands for a HTTPClientPool: its limit, its settings and its connections."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.concurrency = checked_concurrency(settings.get("concurrency", 1))
        self.connections = _cload.make_conn_pool(self.concurrency, self.concurrency)
        self._adapter: HTTPAdapter | None = None

    def adapter(self, factory: Callable[..., ssl.SSLContext], is_insecure: bool) -> HTTPAdapter:
        """For HTTPS with an SSLContext of the script's own."""
        if self._adapter is None:
            self._adapter = adapter_of(factory, is_insecure, self.concurrency)
        return self._adapter

    def close(self) -> None:
        """Close the connections that are not in use."""
        _cload.close_conn_pool(self.connections)
        if self._adapter is not None:
            self._adapter.close()


_pools: WeakKeyDictionary[Any, SharedPool] = WeakKeyDictionary()


def shared_pool(client_pool: Any) -> SharedPool:
    """The one for all sessions that are given this HTTPClientPool."""
    pool = _pools.get(client_pool)
    if pool is None:
        pool = _pools[client_pool] = SharedPool(dict(getattr(client_pool, "client_args", None) or {}))
    clients = getattr(client_pool, "clients", None)
    if isinstance(clients, dict):
        # Its close() closes what is in there; no URL has this place.
        clients["", None] = pool
    return pool


def checked_concurrency(most: Any) -> int:
    if int(most) < 1:
        raise ValueError(f"concurrency, the number of connections, must be 1 or more, not {most}")
    return int(most)


def adapter_of(factory: Callable[..., ssl.SSLContext], is_insecure: bool, concurrency: int) -> HTTPAdapter:
    """An adapter of requests for which the factory's context, made as geventhttpclient makes it, decides what is
    checked."""
    try:
        context = factory(cafile=certifi.where())
    except TypeError:
        context = factory()
        context.load_verify_locations(cafile=certifi.where())
    context.check_hostname = not is_insecure
    if not is_insecure:
        context.verify_mode = ssl.CERT_REQUIRED

    class ContextAdapter(HTTPAdapter):
        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            place, _ = super().build_connection_pool_key_attributes(request, verify, cert)
            return place, {"ssl_context": context}

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            """The context has done it."""

    return ContextAdapter(pool_maxsize=concurrency, pool_block=True)
