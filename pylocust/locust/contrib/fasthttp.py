"""FastHttpUser: the same C engine as HttpUser, with the names, defaults and failures of Locust's geventhttpclient user.

Common calls never come here: the C type does them from their arguments on. `_request_general` is where everything
rarer is said again in plain terms; what is to be streamed, or needs an SSLContext of the script's own, goes through
requests.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, ValuesView
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import _cload
from cload import _client
from requests.utils import get_encoding_from_headers

from ..exception import LocustError, StopTest
from ..user import User
from ..user.users import RestMixin, chosen_http_version
from ..util.deprecation import FastHttpLocust

__all__ = [
    "ConnectionError",
    "ErrorResponse",
    "FastHttpLocust",
    "FastHttpSession",
    "FastHttpUser",
    "FastRequest",
    "FastResponse",
    "HTTPConnectionClosed",
    "HTTPParseError",
    "LocustBadStatusCode",
    "LocustUserAgent",
    "ResponseContextManager",
    "RestResponseContextManager",
    "RetriesExceeded",
]

_USER_AGENT = "python/gevent-http-client-2.6.1"
_ACCEPT_ENCODING_LINE = ("Accept-Encoding", "gzip, deflate, br")
_STATUS_LIMIT = 1024
_PIECE_SIZE = 16384
# Of bodies that are encoded here: only their length is among the headers of a FastRequest.
_ENCODED_TYPES = ("text/plain; charset=utf-8", "application/x-www-form-urlencoded; charset=utf-8")


# --- errors ---


class ConnectionError(Exception):
    """Something went wrong with a URL; further arguments and keywords tell what."""

    def __init__(self, url: Any, *args: Any, **details: Any) -> None:
        super().__init__(url, *args)
        self.url = url
        self.__dict__.update(details)
        first = str(args[0]) if args else ""
        self.kw_text = ", ".join(f"{name}={value}" for name, value in details.items())
        more = [f"{first}: {args[1:]}" if isinstance(args[0], str) else ""] if len(args) > 1 else [first]
        self.text = ", ".join(part for part in (*more, self.kw_text) if part)

    def __str__(self) -> str:
        return f"URL {self.url}: {self.text}" if self.text else f"URL {self.url}"

    def __repr__(self) -> str:
        shown = super().__repr__()
        return f"{shown[:-1]}, {self.kw_text})" if self.kw_text else shown


class RetriesExceeded(ConnectionError):
    """No answer in time, or redirected too often."""


class UnsupportedRedirectSchemeError(ConnectionError):
    """A redirect to a URL that cannot be used."""


class LocustBadStatusCode(ConnectionError):
    """A status that counts as a failure. Its repr leaves out the URL, so that equal ones are one row."""

    code: int

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kw_text})"


class HTTPParseError(Exception):
    """What came is not HTTP."""


class HTTPConnectionClosed(HTTPParseError):
    """The target closed the connection before it answered."""


FAILURE_EXCEPTIONS = (ConnectionError, OSError, HTTPParseError, zlib.error)


def _failure(response: Any, failure: tuple[str, int, str, str, int]) -> Exception:
    """The exception for a call that brought no usable answer."""
    kind, number, text, url, status = failure
    if kind in ("REFUSED", "CONNECT", "SEND", "RESET") and number and (kind != "RESET" or status):
        return OSError(number, os.strerror(number))
    if kind == "DNS":
        return _client.resolve_error(text)
    if kind in ("CONNECT_TIMEOUT", "READ_TIMEOUT"):
        return RetriesExceeded(response.url, response._max_retries, original=TimeoutError("timed out"))
    if kind in ("CLOSED", "RESET"):
        return HTTPConnectionClosed("connection closed.")
    if kind == "INCOMPLETE":
        return HTTPParseError("Incomplete response.")
    if kind == "TOO_MANY_REDIRECTS":
        limit = _client._first_number(text, 30)
        return RetriesExceeded(response.url, f"Redirection limit reached ({limit})")
    if kind == "BAD_REDIRECT":
        return UnsupportedRedirectSchemeError(url, text)
    if kind in ("TLS", "TLS_UNTRUSTED"):
        return _client.tls_error(kind, text)
    if kind == "DECODE":
        return zlib.error(text)
    if kind == "PROXY":
        return OSError(text)
    return HTTPParseError(f"malformed status line: {text.strip()}" if kind == "BAD_STATUS_LINE" else text)


# --- headers ---


class Headers(dict[str, Any]):
    """Header lines by name, in any case. A name with several lines has a list of values; items() gives each line."""

    def __init__(self, headers: Any = None, **more: Any) -> None:
        super().__init__()
        for source in (headers, more):
            for name, value in _lines(source):
                self.add(name, value)

    def __getitem__(self, name: str) -> Any:
        values = [value for _, value in super().__getitem__(name.lower())]
        return values[0] if len(values) == 1 else values

    def __setitem__(self, name: str, value: Any) -> None:
        values = value if isinstance(value, (list, tuple)) else [value]
        super().__setitem__(name.lower(), [(name, item) for item in values])
        self._changed()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())
        self._changed()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def __len__(self) -> int:
        return sum(map(len, super().values()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return False
        return sorted((n.lower(), v) for n, v in self.items()) == sorted((n.lower(), v) for n, v in _lines(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.compatible_dict()})"

    def __str__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.items())

    def _changed(self) -> None:
        """Told after each change."""

    def add(self, name: str, value: Any) -> None:
        """Append a line, whatever is there already."""
        for item in value if isinstance(value, (list, tuple)) else [value]:
            super().setdefault(name.lower(), []).append((name, item))
        self._changed()

    def extend(self, *args: Any, **more: Any) -> None:
        """Append the lines of another mapping or of pairs."""
        for source in (*args, more):
            for name, value in _lines(source):
                self.add(name, value)

    def update(self, *args: Any, **more: Any) -> None:
        """Replace the values of all names that the other has."""
        for source in (*args, more):
            merged: dict[str, tuple[str, list[Any]]] = {}
            for name, value in _lines(source):
                merged.setdefault(name.lower(), (name, []))[1].append(value)
            for name, values in merged.values():
                self[name] = values[0] if len(values) == 1 else values

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - it is what get() does

    def pop(self, name: str, *default: Any) -> Any:
        if name not in self and default:
            return default[0]
        value = self[name]
        del self[name]
        return value

    def discard(self, name: str) -> None:
        """Remove a name that need not be there."""
        self.pop(name, None)

    def setdefault(self, name: str, default: Any = "") -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        for lines in super().values():
            yield from lines

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        return ValuesView(self)

    def getlist(self, name: str) -> list[Any]:
        """All values of a name."""
        return [value for _, value in super().get(name.lower(), [])]

    getheaders = getallmatchingheaders = getlist

    def get_all(self, name: str, failobj: Any = None) -> Any:
        return self.getlist(name) or failobj

    def itermerged(self) -> Iterator[tuple[str, str]]:
        """Each name once, its values joined by commas."""
        for lines in super().values():
            yield lines[0][0], ", ".join(str(value) for _, value in lines)

    def iterlower(self) -> Iterator[tuple[str, Any]]:
        for name, value in self.items():
            yield name.lower(), value

    def compatible_dict(self) -> dict[str, str]:
        return dict(self.itermerged())

    def copy(self) -> Headers:
        return Headers(self)

    def __reduce__(self) -> Any:
        return Headers, (list(self.items()),)


def _lines(source: Any) -> list[tuple[str, Any]]:
    if source is None:
        return []
    if isinstance(source, Headers):
        return list(source.items())
    if isinstance(source, Mapping):
        return list(source.items())
    return list(source)


class _DefaultHeaders(Headers):
    """Default headers of a session, which learns of changes."""

    def __init__(self, session: Any, pairs: list[tuple[bytes, bytes]]) -> None:
        self._session: Any = None
        lines = [(name.decode("latin1"), value.decode("latin1")) for name, value in pairs]
        super().__init__([line for line in lines if line != _ACCEPT_ENCODING_LINE])
        self._session = session

    def _changed(self) -> None:
        if self._session is not None:
            self._session._set_headers(_header_pairs(dict([_ACCEPT_ENCODING_LINE, *self.itermerged()])))


def _header_pairs(headers: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(_latin(name), _latin(value)) for name, value in _checked(headers).items()]


def _latin(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin1")


def _checked(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they can be sent; ValueError for what would break the request."""
    plain: dict[str, Any] = {}
    for name, value in headers.items():
        text = value.decode("latin1") if isinstance(value, bytes) else str(value)
        if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name):
            raise ValueError(f"invalid header field name {name!r}")
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", text):
            raise ValueError(f"invalid value for header field {name!r}: {value!r}")
        plain[name] = text if text.isascii() else text.encode("latin1")
    return plain


def _basic_auth(user: Any, password: Any) -> str:
    return "Basic " + base64.b64encode(_latin(user) + b":" + _latin(password)).decode("ascii")


# --- responses ---


class FastRequest:
    """What was sent: url, method, headers, body."""

    def __init__(self, url: str, method: str = "GET", headers: Headers | None = None, payload: Any = None) -> None:
        self.url = url
        self.method = method
        self.headers = Headers() if headers is None else headers
        self.payload = payload

    @property
    def body(self) -> Any:
        """What was sent as the body, or None."""
        return self.payload

    data = body
    full_url = property(lambda self: self.url)

    def get_full_url(self) -> str:
        return self.url

    def get_method(self) -> str:
        return self.method

    def has_header(self, name: str) -> bool:
        return name in self.headers

    def get_header(self, name: str, default: Any = None) -> Any:
        return self.headers.get(name, default)


def _pieces(response: Any) -> Iterator[bytes]:
    """What comes of the body of a response that was made with stream=True."""
    made = response.__dict__.get("_made")
    if made is not None:
        yield from made.iter_content(4096)
    elif response._is_stream and response._stream is not None:
        while piece := response._stream.read(_PIECE_SIZE):
            if isinstance(piece, tuple):
                raise _body_failure(*piece)
            yield piece
        response._stream.close()
    elif response._is_stream and response._content:
        yield response._content


def _body_failure(kind: str, number: int) -> Exception:
    """Why a body broke off."""
    if kind == "RESET":
        return OSError(number, os.strerror(number)) if number else HTTPConnectionClosed("connection closed.")
    if kind == "READ_TIMEOUT":
        return TimeoutError("timed out")
    if kind == "DECODE":
        return zlib.error("content encoding could not be decoded")
    return HTTPParseError("Incomplete response." if kind == "INCOMPLETE" else "malformed chunk")


class _Body:
    """A body that is read piece by piece."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._rest = b""
        self._source: Iterator[bytes] | None = _pieces(response)

    def read(self, size: int | None = None) -> bytes:
        while self._source is not None and (size is None or len(self._rest) < size):
            piece = next(self._source, None)
            if piece is None:
                self._source = None
            else:
                self._rest += piece
        size = len(self._rest) if size is None else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def read_some(self, size: int) -> bytes:
        """What there is, up to `size`; waits only if there is nothing."""
        if not self._rest and self._source is not None:
            self._rest = next(self._source, b"")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def readline(self, sep: bytes = b"\r\n") -> bytes:
        while sep not in self._rest and self._source is not None:
            piece = next(self._source, None)
            if piece is None:
                self._source = None
            else:
                self._rest += piece
        end = self._rest.find(sep)
        return self.read(end + len(sep) if end >= 0 else 0)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(4096):
            yield piece


class FastResponse(_cload.FastResponse):
    """An answer. `url` is that of the request, after redirects; `headers` and `content` are None where none came."""

    status_code: int
    url: str
    headers: Any
    history: list[Any]
    elapsed: timedelta | None
    request: FastRequest
    encoding: Any
    error: Exception | None
    _content: bytes | None

    @property
    def ok(self) -> bool:
        """Whether the status is below 400; so it is 0, when there was no answer."""
        return self.status_code < 400

    @property
    def content(self) -> bytes | None:
        """The decoded body."""
        if self._content is None and self.headers is not None and ("_made" in self.__dict__ or self._is_stream):
            self._content = self.stream.read()
        return self._content

    @property
    def data(self) -> bytes | None:
        return self.content

    def _decode_text(self) -> str | None:
        """`text` where the encoding is not one of the usual, or there is no body."""
        content = self.content
        if content is None:
            return None
        if self.encoding is None:
            self.encoding = get_encoding_from_headers(self.headers)
        if not self.encoding:
            from charset_normalizer import detect

            self.encoding = detect(content)["encoding"]
        return None if self.encoding is None else str(content, str(self.encoding), errors="replace")

    def _decode_json(self) -> Any:
        return json.loads(self.text)  # type: ignore[arg-type]

    def raise_for_status(self) -> None:
        """Raise what went wrong, if anything did."""
        if self.error is not None:
            raise self.error

    @property
    def status(self) -> str:
        return str(self.status_code)

    @property
    def stream(self) -> _Body:
        """The body as a file, for requests with stream=True."""
        body: _Body | None = self.__dict__.get("_body")
        if body is None:
            body = self.__dict__["_body"] = _Body(self)
        return body

    def read(self, n: int | None = None) -> bytes:
        return self.stream.read(n)

    def readline(self) -> bytes:
        return self.stream.readline()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def iter_content(self, chunk_size: int = 1024, decode_content: bool = True) -> Iterator[str | bytes]:
        """The body of a streamed request in pieces: str where a piece is UTF-8."""
        if not self.status_code:
            raise LocustError("there is no content: the request failed")
        while chunk := self.stream.read_some(chunk_size):
            try:
                yield chunk.decode() if decode_content else chunk
            except UnicodeDecodeError:
                yield chunk

    def __len__(self) -> int:
        """The length that the headers declare."""
        if self.headers is None:
            raise AttributeError("the request failed: there is no response that has a length")
        length = self.headers.get("content-length")
        if not isinstance(length, str):
            raise TypeError("the response declares no length")
        return int(length)

    def info(self) -> Any:
        return self.headers

    def isclosed(self) -> bool:
        return True

    def release(self) -> None:
        """Let go of a streamed body."""
        for body in (self.__dict__.get("_made"), self._stream):
            if body is not None:
                body.close()

    def _build_attribute(self, name: str) -> Any:
        """What the C type asks for when it is first looked at."""
        failure = self._core_failure()
        if name == "error":
            return LocustBadStatusCode(self.url, code=self.status_code) if failure is None else _failure(self, failure)
        if name == "headers":
            return None if failure is not None else Headers(self._core_headers())
        if name == "history":
            history: list[Any] = [] if failure is not None else self._core_take_history()
            for place, hop in enumerate(history):
                hop.history = history[:place]
            return history
        if name == "elapsed":
            return _client._elapsed(self)
        if name == "request":
            return self._build_request(failure)
        raise AttributeError(name)

    def _build_request(self, failure: Any) -> FastRequest:
        lines = (self._core_sent_head() or b"").decode("latin1").split("\r\n")
        pairs = [(name, value) for name, colon, value in (line.partition(": ") for line in lines[1:]) if colon]
        headers = Headers([(name, value) for name, value in pairs if name != "Host"])
        if headers.get("Content-Type") not in _ENCODED_TYPES:
            headers.discard("Content-Length")
        method = self._core_method() or ""
        body = self._sent_body if method not in ("GET", "HEAD") or not self.history else None
        return FastRequest(self.url, method, headers, body)


class ErrorResponse(FastResponse):
    """Stands for an answer that never came: status_code 0, content, text and headers None, `error` the reason."""


class ResponseContextManager(FastResponse):
    """The response of a call with catch_response=True: success() and failure() decide, in a with-block."""

    @property
    def request_meta(self) -> dict[str, Any]:
        """What events.request will be given; may be edited in the block."""
        meta: dict[str, Any] = self._meta
        return meta

    def raise_for_status(self) -> None:
        """Raise what went wrong, unless success() was called."""
        if isinstance(self._manual, Exception):
            raise self._manual
        if self._manual is None:
            super().raise_for_status()

    def _plain(self) -> FastResponse:
        """The response without its with-block, for listeners."""
        plain_class = FastResponse if self.status_code else ErrorResponse
        plain = plain_class.__new__(plain_class)
        plain._show(self)
        if "_made" in self.__dict__:
            plain.__dict__["_made"] = self.__dict__["_made"]
        if "_made" in self.__dict__ or self._is_stream:
            plain.__dict__["_body"] = self.stream
        return plain


class RestResponseContextManager(ResponseContextManager):
    """The response of FastHttpUser.rest(): `js` is the parsed body, or None."""

    js: Any


# --- the session ---


class _ClientPool:
    """The connections of one session."""

    def __init__(self, session: FastHttpSession) -> None:
        self._session = session

    def close(self) -> None:
        """Close the connections; the next request makes a new one."""
        self._session._close_idle()


class LocustUserAgent:
    """What `client.client` is: the settings of a session. Changes take effect with the next request."""

    response_type = FastResponse
    request_type = FastRequest
    valid_response_codes: frozenset[int] = frozenset(
        [*range(200, 209), 226, *range(301, 305), 307, 308]
    )  # read when a session is made
    redirect_response_codes: frozenset[int] = frozenset([301, 302, 303, 307, 308])

    def __init__(self, session: FastHttpSession) -> None:
        self._session = session
        self.clientpool: Any = _ClientPool(session)
        self.default_headers = _DefaultHeaders(session, session._options[5])

    @property
    def cookiejar(self) -> Any:
        return self._session.cookiejar

    @property
    def max_redirects(self) -> int:
        limit: int = self._session._max_redirects
        return limit

    @max_redirects.setter
    def max_redirects(self, limit: int) -> None:
        self._session._max_redirects = max(0, int(limit))

    @property
    def max_retries(self) -> int:
        limit: int = self._session._max_retries
        return limit

    @max_retries.setter
    def max_retries(self, limit: int) -> None:
        self._session._max_retries = max(0, int(limit))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "valid_response_codes":
            self._session._valid_statuses = _status_table(value)

    def close(self) -> None:
        self._session._close_idle()


def _status_table(codes: Any) -> bytes:
    return bytes(status in codes for status in range(_STATUS_LIMIT))


_absolute_url = re.compile(r"https?://", re.IGNORECASE)
_options_cache: dict[Any, tuple[Any, ...]] = {}
_pool_slots: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
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


def _make_options(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the core takes, from what FastHttpSession.__init__() puts together."""
    (
        insecure, connection_timeout, network_timeout, proxy, headers, max_redirects, max_retries, codes, is_general,
        http_version,
    ) = arguments  # fmt: skip
    merged = Headers({"User-Agent": _USER_AGENT})
    merged.update(dict(headers))
    merged.setdefault(*_ACCEPT_ENCODING_LINE)
    return (
        _tls(insecure), connection_timeout or 0.0, network_timeout or 0.0, proxy, http_version,
        _header_pairs(dict(merged.itermerged())), max_redirects, max_retries, _status_table(codes),
        FastResponse, ErrorResponse, ResponseContextManager, is_general,
    )  # fmt: skip


class FastHttpSession(_cload.FastHttpSession):
    """HTTP client of FastHttpUser: one browser with its cookies and connections.

    `insecure`: certificates are not checked. `client_pool`: its concurrency is a limit for all sessions that share it.
    `ssl_context_factory`: called once, for HTTPS. Further keywords: max_redirects, max_retries, headers,
    connection_timeout, network_timeout, proxy_host, proxy_port, proxy_user, proxy_password, http_version (1, 2, 3: the
    highest that is spoken).
    """

    request_name: str | None

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
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_user: str | None = None,
        proxy_password: str | None = None,
        http_version: int = 1,
        **_others: Any,
    ) -> None:
        base_url, auth = _without_credentials(base_url or "")
        proxy = None
        if proxy_host is not None:
            if proxy_port is None:
                raise ValueError("proxy_host needs a proxy_port")
            login = f"{proxy_user or ''}:{proxy_password or ''}@" if proxy_user or proxy_password else ""
            proxy = f"http://{login}{proxy_host}:{proxy_port}"
        arguments: tuple[Any, ...] = (
            bool(insecure), connection_timeout, network_timeout, proxy, tuple((headers or {}).items()),
            max(0, int(max_redirects)), max(0, int(max_retries)), LocustUserAgent.valid_response_codes,
            client_pool is not None or ssl_context_factory is not None, http_version,
        )  # fmt: skip
        options = _options_cache.get(arguments)
        if options is None:
            options = _options_cache[arguments] = _make_options(arguments)
        self._setup(base_url, request_event, user, auth, options)
        if client_pool is not None:
            self._client_pool = client_pool
        if ssl_context_factory is not None:
            self._ssl_context_factory = ssl_context_factory

    @property
    def client(self) -> LocustUserAgent:
        """The settings of this session."""
        agent: LocustUserAgent | None = self.__dict__.get("_agent")
        if agent is None:
            agent = self.__dict__["_agent"] = LocustUserAgent(self)
        return agent

    @contextmanager
    def rename_request(self, name: str) -> Generator[None]:
        """Group the requests of a with-block under one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

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
        headers = _checked(plain.pop("headers", None) or {})
        if auth:
            headers["Authorization"] = _basic_auth(auth[0], auth[1])
        data = plain.pop("data", None)
        if data or (data is not None and plain.get("json") is None):
            plain.pop("json", None)
            plain["data"] = data
        self._add_unknown(method, plain, kwargs)
        if files:
            _encode_files(plain, headers, files)
        elif plain.get("data"):
            plain["data"] = _plain_body(plain["data"])
        if headers:
            plain["headers"] = headers
        url = str(url)
        plain["stream"] = is_streaming
        send = self._request_with_requests if self._is_own_tls(url) else self._request_plain
        pool = self.__dict__.get("_client_pool")
        if pool is None:
            response = send(str(method), url, **plain)
        else:
            with _slots_of(pool, self._build_url(url)):
                response = send(str(method), url, **plain)
        if log is not None:
            log.write(_conversation(response) + "\n\n")
        return response

    @staticmethod
    def _add_unknown(method: str, plain: dict[str, Any], unknown: dict[str, Any]) -> None:
        """Keywords nobody knows are form fields of a POST, and part of the query of everything else."""
        if not unknown:
            return
        place = "data" if method.upper() == "POST" else "params"
        if place == "data" and plain.get("json") is not None:
            return
        if plain.get(place) is None:
            plain[place] = unknown
        elif isinstance(plain[place], dict):
            plain[place] = {**plain[place], **unknown}

    def _is_own_tls(self, url: str) -> bool:
        return "_ssl_context_factory" in self.__dict__ and self._build_url(url).lower().startswith("https:")

    def _request_with_requests(
        self,
        method: str,
        url: str,
        *,
        name: str | None = None,
        data: Any = None,
        json: Any = None,
        headers: dict[str, Any] | None = None,
        params: Any = None,
        context: dict[str, Any] | None = None,
        catch_response: bool = False,
        allow_redirects: bool = True,
        max_redirects: int | None = None,
        max_retries: int | None = None,
        stream: bool = False,
    ) -> Any:
        """A call for which the script brings its own SSLContext, or on a thread in which the engine is not."""
        from cload import _transport

        sender = self._sender()
        limit = self._max_redirects if max_redirects is None else max_redirects
        sender.max_redirects = limit
        merged = Headers([_ACCEPT_ENCODING_LINE, *self.client.default_headers.itermerged()])
        merged.update(headers or {})
        body = _body_with_type(data, json, merged)
        asked = self._build_url(url)
        start, start_ns = time.time(), time.monotonic_ns()
        made, failure, end_ns = None, None, 0
        try:
            made = sender.request(
                method, asked, params=params, data=body, headers=dict(merged.itermerged()), stream=True,
                allow_redirects=allow_redirects and limit > 0,
                timeout=(self._options[1] or None, self._options[2] or None),
            )  # fmt: skip
            content = None if stream else made.content
            end_ns = _transport.end_ns(made)
        except OSError as error:
            made, failure = None, _failure_of_requests(error, asked, limit, self._max_retries)
        for cookie in sender.cookies:
            self.cookiejar.set_cookie(cookie)
        milliseconds = ((end_ns or time.monotonic_ns()) - start_ns) / 1e6
        response_class = ResponseContextManager if catch_response else ErrorResponse if made is None else FastResponse
        response: Any = response_class.__new__(response_class)
        response._is_fast = True
        response._base_url = ""
        length = 0
        if made is None:
            response.status_code, response.headers, response.history = 0, None, []
        else:
            if made.status_code >= _STATUS_LIMIT or not self._valid_statuses[made.status_code]:
                failure = LocustBadStatusCode(made.url, code=made.status_code)
            response.status_code, response.history, response.elapsed = made.status_code, made.history, made.elapsed
            response.headers = Headers(made.raw.headers.items())
            declared = response.headers.get("content-length")
            length = int(declared) if stream and isinstance(declared, str) else len(content or b"")
            if made.history:
                response.url = made.url
            if stream:
                response.__dict__["_made"] = made
            else:
                response._content = content
        response.error = failure
        response.request = FastRequest(asked if made is None else made.url, method, merged, body)
        event, user = self.request_event, self.user
        response._adopt(
            method, name or self.request_name or url, event, user, context or {}, asked, milliseconds, length, start,
            catch_response,
        )  # fmt: skip
        if not catch_response:
            response._report_request()
        return response

    def _sender(self) -> Any:
        """requests' session with this one's settings and cookies."""
        import requests
        import urllib3
        from cload._transport import SessionAdapter

        sender = self.__dict__.get("_requests_session")
        if sender is None:
            sender = self.__dict__["_requests_session"] = requests.Session()
            sender.headers.clear()
            sender.trust_env = False
            # Nobody asked for a check that could be advised here.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            sender.verify = self._options[0] is not _tls(True)
            if self._options[3] is not None:
                sender.proxies = {"http": self._options[3], "https": self._options[3]}
            sender.mount("http://", SessionAdapter(self))
            factory = self.__dict__.get("_ssl_context_factory")
            sender.mount("https://", SessionAdapter(self) if factory is None else _adapter_of(factory()))
        sender.cookies = self.cookiejar.copy()
        return sender


def _adapter_of(context: ssl.SSLContext) -> Any:
    """An adapter of requests for which the context alone decides what is checked."""
    from requests.adapters import HTTPAdapter

    class ContextAdapter(HTTPAdapter):
        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            place, _ = super().build_connection_pool_key_attributes(request, verify, cert)
            return place, {"ssl_context": context}

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            """The context has done it."""

    return ContextAdapter()


def _without_credentials(base_url: str) -> tuple[str, bytes | None]:
    """The URL without user and password, and the header they stand for."""
    if "@" not in base_url:
        return base_url, None
    parts = urlsplit(base_url)
    if not parts.username or not parts.password:
        return base_url, None
    plain = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, parts.fragment))
    return plain, _basic_auth(unquote(parts.username), unquote(parts.password)).encode("latin1")


def _encode_files(plain: dict[str, Any], headers: dict[str, Any], files: Any) -> None:
    from requests.models import RequestEncodingMixin

    body, content_type = RequestEncodingMixin._encode_files(files, plain.get("data") or {})
    plain["data"] = body
    for name in [name for name in headers if name.lower() == "content-type"]:
        del headers[name]
    headers["Content-Type"] = content_type


def _plain_body(data: Any) -> Any:
    """str, bytes or dict; files and iterables are read."""
    if isinstance(data, str):
        return str(data)
    if isinstance(data, dict):
        return dict(data)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    pieces = [data.read()] if hasattr(data, "read") else list(data)
    return b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)


def _body_with_type(data: Any, value: Any, headers: Headers) -> Any:
    """The body, its type among the headers, as the C session does it."""
    if not data and value is not None:
        headers.setdefault("Content-Type", "application/json")
        headers.setdefault("Accept", "application/json")
        return _client.dump_fast_json(value)
    if not data:
        return None
    if isinstance(data, dict):
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
        return _client.encode_fast_form(data)
    is_text = isinstance(data, str)
    headers.setdefault("Content-Type", "text/plain; charset=utf-8" if is_text else "application/octet-stream")
    return data.encode() if is_text else data


def _failure_of_requests(error: Exception, url: str, redirects: int, retries: int) -> Exception:
    import requests

    if isinstance(error, requests.exceptions.TooManyRedirects):
        return RetriesExceeded(url, f"Redirection limit reached ({redirects})")
    if isinstance(error, requests.exceptions.Timeout):
        return RetriesExceeded(url, retries, original=TimeoutError("timed out"))
    inner = _client.innermost(error)
    if isinstance(inner, http.client.RemoteDisconnected):
        return HTTPConnectionClosed("connection closed.")
    if isinstance(inner, (socket.gaierror, ssl.SSLError, OSError)):
        return inner
    return HTTPParseError(str(inner))


def _slots_of(pool: Any, url: str) -> Any:
    """The semaphore that stands for a shared pool's connections to one host."""
    from gevent.lock import BoundedSemaphore

    slots = _pool_slots.setdefault(pool, {})
    place = urlsplit(url).netloc
    if place not in slots:
        slots[place] = BoundedSemaphore(int(getattr(pool, "client_args", {}).get("concurrency", 1)))
    return slots[place]


def _conversation(response: Any) -> str:
    """What went over the wire, for debug_stream."""
    sent = (response._core_sent_head() or b"").decode("latin1")
    body = response.request.body
    shown = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    return (
        f"REQUEST: {response.url}\n{sent}{shown}\n\nRESPONSE: HTTP/1.1 {response.status_code}\n"
        f"{response.headers}\n\n{(response.content or b'').decode(errors='replace')}"
    )


class FastHttpUser(User, RestMixin[RestResponseContextManager]):
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
    # Connections of one user that geventhttpclient would allow.
    concurrency: int = 10
    proxy_host: str | None = None
    proxy_port: int | None = None
    # A geventhttpclient pool whose concurrency is to hold for all users that share it.
    client_pool: Any = None
    # Whether HTTP/2 or HTTP/3 is spoken with servers that can; None: what the options --http2 and --http3 say.
    http2: bool | None = None
    http3: bool | None = None
    # Makes the SSLContext for HTTPS.
    ssl_context_factory: Callable[..., Any] | None = None

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        if self.host is None:
            raise StopTest(
                f"{type(self).__name__} has no host to go to: set its attribute host, or use the option --host"
            )
        self.client = FastHttpSession(
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
