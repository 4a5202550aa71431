"""`self.client` of a FastHttpUser.

Common calls never come here: the C type does them from their arguments on. `_request_general` is where everything
rarer is said again in plain terms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import _cload
from cload import _client  # noqa: F401 - registers itself with the C types

from ..user import User
from ..util import renaming
from ._fast_agent import LocustUserAgent, status_table
from ._fast_headers import ACCEPT_ENCODING_LINE, Headers, basic_auth, checked, header_pairs
from ._fast_pool import checked_concurrency, shared_pool
from ._fast_response import ErrorResponse, FastResponse, ResponseContextManager
from ._fast_with_requests import request_with_requests

_USER_AGENT = "python/gevent-http-client-2.6.1"
_absolute_url = re.compile(r"https?://", re.IGNORECASE)
_options_cache: dict[Any, tuple[Any, ...]] = {}
_tls_capsules: dict[bool, Any] = {}
_PLAIN_KEYWORDS = (
    "name", "data", "headers", "params", "context", "catch_response", "allow_redirects", "json",
    "max_redirects", "max_retries",
)  # fmt: skip


def _tls(is_insecure: bool) -> Any:
    """The platform's authorities, or no check at all."""
    if is_insecure not in _tls_capsules:
        _tls_capsules[is_insecure] = _cload.make_tls(is_insecure, None, None, None, None)
    return _tls_capsules[is_insecure]


def _make_options(settings: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the core takes, from what FastHttpSession.__init__() was given."""
    (
        insecure, connection_timeout, network_timeout, proxy_host, proxy_port, proxy_user, proxy_password, headers,
        max_redirects, max_retries, codes, is_general, http_version, concurrency,
    ) = settings  # fmt: skip
    proxy = None
    if proxy_host is not None:
        if proxy_port is None:
            raise ValueError("proxy_host needs a proxy_port")
        login = f"{proxy_user or ''}:{proxy_password or ''}@" if proxy_user or proxy_password else ""
        proxy = f"http://{login}{proxy_host}:{proxy_port}"
    merged = Headers({"User-Agent": _USER_AGENT})
    merged.update(dict(headers))
    merged.setdefault(*ACCEPT_ENCODING_LINE)
    return (
        _tls(bool(insecure)), connection_timeout or 0.0, network_timeout or 0.0, proxy, http_version,
        header_pairs(dict(merged.itermerged())), max(0, int(max_redirects)), max(0, int(max_retries)),
        status_table(codes), FastResponse, ErrorResponse, ResponseContextManager, is_general,
        checked_concurrency(concurrency),
    )  # fmt: skip


class FastHttpSession(_cload.FastHttpSession):
    """HTTP client of FastHttpUser: one browser with its cookies and connections.

    `insecure`: certificates are not checked. `client_pool`: its connections are shared by all sessions that are given
    it, and what it says about them (concurrency, timeouts, TLS, proxy) counts. `ssl_context_factory`: called once, for
    HTTPS. Further keywords: max_redirects, max_retries, headers, connection_timeout, network_timeout, concurrency
    (connections to one server; calls beyond it wait), proxy_host, proxy_port, proxy_user, proxy_password, http_version
    (1, 2, 3: the highest that is spoken).
    """

    request_name: str | None
    rename_request = renaming.rename_request

    def __init__(
        self,
        base_url: str | None,
        request_event: Any,
        user: User | None,
        insecure: bool = True,
        client_pool: Any = None,
        ssl_context_factory: Callable[..., Any] | None = None,
        *,
        max_redirects: int = 3,
        max_retries: int = 3,
        headers: Mapping[str, Any] | None = None,
        connection_timeout: float = 5.0,
        network_timeout: float = 5.0,
        concurrency: int = 1,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_user: str | None = None,
        proxy_password: str | None = None,
        http_version: int = 1,
        **_others: Any,
    ) -> None:
        auth = None
        if base_url is None:
            base_url = ""
        elif "@" in base_url:
            base_url, auth = _without_credentials(base_url)
        shared = None
        if client_pool is not None:
            shared = shared_pool(client_pool)
            given = shared.settings
            insecure, ssl_context_factory = given.get("insecure", False), given.get("ssl_context_factory")
            connection_timeout = given.get("connection_timeout", 5.0)
            network_timeout = given.get("network_timeout", 5.0)
            concurrency = shared.concurrency
            proxy_host, proxy_port = given.get("proxy_host"), given.get("proxy_port")
            proxy_user, proxy_password = given.get("proxy_user"), given.get("proxy_password")
            headers = {**(given.get("headers") or {}), **(headers or {})}
        settings = (
            insecure, connection_timeout, network_timeout, proxy_host, proxy_port, proxy_user, proxy_password,
            tuple(headers.items()) if headers else (), max_redirects, max_retries,
            LocustUserAgent.valid_response_codes, ssl_context_factory is not None, http_version, concurrency,
        )  # fmt: skip
        options = _options_cache.get(settings)
        if options is None:
            options = _options_cache[settings] = _make_options(settings)
        self._setup(base_url, request_event, user, auth, options, None if shared is None else shared.connections)
        if shared is not None:
            self._client_pool, self._shared_pool = client_pool, shared
        if ssl_context_factory is not None:
            self._ssl_context_factory = ssl_context_factory

    @property
    def client(self) -> LocustUserAgent:
        """The settings of this session."""
        agent: LocustUserAgent | None = self.__dict__.get("_agent")
        if agent is None:
            agent = self.__dict__["_agent"] = LocustUserAgent(self)
        return agent

    def iter_lines(self, url: str, method: str = "GET", **kwargs: Any) -> Generator[str]:
        """The lines of an answer, as they arrive."""
        response = self.request(method, url, stream=True, **kwargs)
        response.raise_for_status()
        rest = ""
        for chunk in response.iter_content():
            rest += chunk if isinstance(chunk, str) else chunk.decode(errors="replace")
            *lines, rest = rest.split("\n")
            yield from lines
        if rest:
            yield rest

    def _build_url(self, path: str) -> str:
        return path if _absolute_url.match(path) else f"{self.base_url}{path}"

    def _request_by_keywords(
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Any = None,
        catch_response: bool = False,
        stream: bool = False,
        headers: Any = None,
        auth: Any = None,
        json: Any = None,
        allow_redirects: bool = True,
        context: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """request() with more than two positional arguments, or with those given by name."""
        given = {"name": name, "data": data, "headers": headers, "auth": auth, "json": json, "context": context}
        kwargs |= {keyword: value for keyword, value in given.items() if value is not None}
        return super().request(
            str(method),
            url,
            catch_response=catch_response,
            stream=stream,
            allow_redirects=allow_redirects,
            **kwargs,
        )

    # What Python calls it when it complains of arguments.
    _request_by_keywords.__qualname__ = "FastHttpSession.request"

    def _request_general(self, method: str, url: Any, kwargs: dict[str, Any]) -> Any:
        """A call with something in it that C does not know."""
        if not isinstance(url, str):
            raise TypeError(f"the URL must be a str, not {type(url).__name__}")
        plain = {name: kwargs.pop(name) for name in _PLAIN_KEYWORDS if kwargs.get(name) is not None}
        for name in _PLAIN_KEYWORDS:
            kwargs.pop(name, None)
        is_streaming = bool(kwargs.pop("stream", False))
        files, log = kwargs.pop("files", None), kwargs.pop("debug_stream", None)
        auth = kwargs.pop("auth", None)
        headers = checked(plain.pop("headers", None) or {})
        if auth:
            headers["Authorization"] = basic_auth(auth[0], auth[1])
        data = plain.pop("data", None)
        if data or (data is not None and plain.get("json") is None):
            plain.pop("json", None)
            plain["data"] = data
        self._add_unknown(method, plain, kwargs)
        if files:
            _encode_files(plain, headers, files)
        elif plain.get("data"):
            plain["data"] = _plain_body(plain["data"])
        else:
            plain.pop("data", None)
        if headers:
            plain["headers"] = headers
        url = str(url)
        plain["stream"] = is_streaming
        send = self._request_with_requests if self._is_own_tls(url) else self._request_plain
        response = send(str(method), url, **plain)
        if log is not None:
            log.write(response._conversation() + "\n\n")
        return response

    @staticmethod
    def _add_unknown(method: str, plain: dict[str, Any], unknown: dict[str, Any]) -> None:
        """Unknown keywords are form fields of a POST, and part of the query for other methods."""
        if not unknown:
            return
        place = "data" if method.upper() == "POST" else "params"
        if place == "data" and plain.get("json") is not None:
            return
        if plain.get(place) is None:
            plain[place] = unknown
        elif isinstance(plain[place], dict):
            plain[place] = {**plain[place], **unknown}

    @property
    def _is_insecure(self) -> bool:
        return self._options[0] is _tls(True)

    def _is_own_tls(self, url: str) -> bool:
        return "_ssl_context_factory" in self.__dict__ and self._build_url(url).lower().startswith("https:")

    def _request_with_requests(self, method: str, url: str, **plain: Any) -> Any:
        """A call with an SSLContext of the script's own, or on a thread in which the engine is not."""
        return request_with_requests(self, method, url, **plain)


def _without_credentials(base_url: str) -> tuple[str, bytes | None]:
    """The URL without user and password, and the header they stand for."""
    parts = urlsplit(base_url)
    if not parts.username or not parts.password:
        return base_url, None
    plain = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, parts.fragment))
    return plain, basic_auth(unquote(parts.username), unquote(parts.password)).encode("latin1")


def _encode_files(plain: dict[str, Any], headers: dict[str, Any], files: Any) -> None:
    from requests.models import RequestEncodingMixin

    body, content_type = RequestEncodingMixin._encode_files(files, plain.get("data") or {})
    plain["data"] = body
    for name in [name for name in headers if name.lower() == "content-type"]:
        del headers[name]
    headers["Content-Type"] = content_type


def _plain_body(data: Any) -> Any:
    """str, bytes or dict; files and iterators are read. Collections are none of these, as with Locust."""
    if isinstance(data, str):
        return str(data)
    if isinstance(data, dict):
        return dict(data)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    pieces = [data.read()] if hasattr(data, "read") or hasattr(data, "__len__") else list(data)
    return b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)
