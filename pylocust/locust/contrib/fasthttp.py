"""FastHttpUser: the C engine of HttpUser, with names, defaults and failures of the geventhttpclient user in Locust."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from typing import Any

import _cload

from ..exception import CatchResponseError as CatchResponseError
from ..exception import LocustError as LocustError
from ..exception import ResponseError as ResponseError
from ..exception import StopTest
from ..user import User
from ..user.users import RestMixin, chosen_http_version
from ..util.deprecation import FastHttpLocust
from ._fast_agent import LocustUserAgent
from ._fast_errors import (
    FAILURE_EXCEPTIONS,
    ConnectionError,
    HTTPConnectionClosed,
    HTTPParseError,
    LocustBadStatusCode,
    RetriesExceeded,
    UnsupportedRedirectSchemeError,
)
from ._fast_headers import Headers
from ._fast_response import (
    ErrorResponse,
    FastRequest,
    FastResponse,
    ResponseContextManager,
    RestResponseContextManager,
)
from ._fast_session import FastHttpSession

__all__ = [
    "FAILURE_EXCEPTIONS",
    "ConnectionError",
    "ErrorResponse",
    "FastHttpLocust",
    "FastHttpSession",
    "FastHttpUser",
    "FastRequest",
    "FastResponse",
    "HTTPConnectionClosed",
    "HTTPParseError",
    "Headers",
    "LocustBadStatusCode",
    "LocustUserAgent",
    "ResponseContextManager",
    "RestResponseContextManager",
    "RetriesExceeded",
    "UnsupportedRedirectSchemeError",
]

absolute_http_url_regexp = re.compile(r"^https?://", re.IGNORECASE)


def insecure_ssl_context_factory() -> ssl.SSLContext:
    """A context that checks nothing."""
    return ssl._create_unverified_context()


# Tracebacks and pickles say where scripts find them.
for _each in __all__:
    if isinstance(vars().get(_each), type) and vars()[_each].__module__.startswith(f"{__package__}._fast_"):
        vars()[_each].__module__ = __name__


class FastHttpUser(User, _cload.ClientUser, RestMixin[RestResponseContextManager]):
    """A user with a fast HTTP client: ``self.client``, a session that keeps cookies and connections.

    The class attributes are read when a user is made.
    """

    abstract = True
    # Seconds: the longest silence while an answer is awaited; to connect.
    network_timeout: float = 60.0
    connection_timeout: float = 60.0
    max_redirects: int = 30
    # How often a request that ran into a timeout is tried again (not POST and PATCH).
    max_retries: int = 0
    # Whether certificates are not checked.
    insecure: bool = True
    # Sent with every request.
    default_headers: dict[str, str] | None = None
    # Connections of one user to one server; calls beyond it wait.
    concurrency: int = 10
    proxy_host: str | None = None
    proxy_port: int | None = None
    # A HTTPClientPool of geventhttpclient, whose connections and settings are those of all users that share it.
    client_pool: Any = None
    # Whether HTTP/2 or HTTP/3 is spoken with servers that can; None: what the options --http2 and --http3 say.
    http2: bool | None = None
    http3: bool | None = None
    # Makes the SSLContext for HTTPS.
    ssl_context_factory: Callable[..., Any] | None = None

    def _make_client(self) -> Any:
        if self.host is None:
            raise StopTest(
                f"{type(self).__name__} has no host to go to: set its attribute host, or use the option --host"
            )
        return FastHttpSession(
            self.host,
            self.environment.events.request,
            self,
            self.insecure,
            self.client_pool,
            self.ssl_context_factory,
            max_redirects=self.max_redirects,
            max_retries=self.max_retries,
            headers=self.default_headers,
            connection_timeout=self.connection_timeout,
            network_timeout=self.network_timeout,
            concurrency=self.concurrency,
            proxy_host=self.proxy_host,
            proxy_port=self.proxy_port,
            http_version=chosen_http_version(self),
        )


_cload.set_client_source(
    FastHttpUser,
    globals(),
    "FastHttpSession",
    (
        "host", "network_timeout", "connection_timeout", "max_redirects", "max_retries", "insecure", "default_headers",
        "concurrency", "proxy_host", "proxy_port", "client_pool", "http2", "http3", "ssl_context_factory",
    ),
    LocustUserAgent,
)  # fmt: skip
