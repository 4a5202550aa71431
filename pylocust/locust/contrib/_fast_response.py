"""What FastHttpUser gets: responses, the requests they answer, and bodies that are read piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import _cload
from cload._response import elapsed
from requests.utils import get_encoding_from_headers

from ..exception import LocustError
from ._fast_errors import LocustBadStatusCode, body_failure, failure_of
from ._fast_headers import Headers

_PIECE_SIZE = 16384
# Of bodies that are encoded here: only their length is among the headers of a FastRequest.
_ENCODED_TYPES = ("text/plain; charset=utf-8", "application/x-www-form-urlencoded; charset=utf-8")


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

    # What follows is there for cookie jars and others who think that it is a request of urllib's.
    data = body
    full_url = property(lambda self: self.url)
    type = property(lambda self: urlsplit(self.url).scheme)
    host = property(lambda self: urlsplit(self.url).netloc)
    original_host = origin_req_host = property(lambda self: urlsplit(self.url).hostname)
    unverifiable = False

    @property
    def selector(self) -> str:
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def unredirected_hdrs(self) -> dict[str, Any]:
        return {}

    def get_full_url(self) -> str:
        return self.url

    def get_host(self) -> str:
        return str(self.host)

    def get_type(self) -> str:
        return str(self.type)

    def get_origin_req_host(self) -> str:
        return str(self.origin_req_host)

    def is_unverifiable(self) -> bool:
        return self.unverifiable

    def get_method(self) -> str:
        return self.method

    def has_header(self, header_name: str) -> bool:
        return header_name in self.headers

    def get_header(self, header_name: str, default: Any = None) -> Any:
        return self.headers.get(header_name, default)

    def add_header(self, key: str, val: str) -> None:
        self.headers.add(key, val)

    def add_unredirected_header(self, key: str, val: str) -> None:
        self.headers.add(key, val)

    def remove_header(self, header_name: str) -> None:
        self.headers.discard(header_name)

    def header_items(self) -> list[tuple[str, Any]]:
        return list(self.headers.items())


def _pieces(response: Any) -> Iterator[bytes]:
    """What comes of the body of a response that was made with stream=True."""
    made = response.__dict__.get("_made")
    if made is not None:
        yield from made.iter_content(4096)
    elif response._is_stream and response._stream is not None:
        while piece := response._stream.read(_PIECE_SIZE):
            if isinstance(piece, tuple):
                raise body_failure(*piece)
            yield piece
        response._stream.close()
    elif response._is_stream and response._content:
        yield response._content


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
            return self._bad_status() if failure is None else failure_of(self, failure)
        if name == "headers":
            return None if failure is not None else Headers(self._core_headers())
        if name == "history":
            history: list[Any] = [] if failure is not None else self._core_take_history()
            for place, hop in enumerate(history):
                hop.history = history[:place]
            return history
        if name == "elapsed":
            return elapsed(self)
        if name == "request":
            return self._build_request(failure)
        raise AttributeError(name)

    def _bad_status(self) -> LocustBadStatusCode:
        error = LocustBadStatusCode(self.url, code=self.status_code)
        error._of_call = self
        return error

    def _listened(self) -> FastResponse:
        """What listeners of events.request are given."""
        return self

    def _conversation(self) -> str:
        """What went over the wire."""
        sent = (self._core_sent_head() or b"").decode("latin1")
        body = self.request.body
        shown = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
        return (
            f"REQUEST: {self.url}\n{sent}{shown}\n\nRESPONSE: HTTP/1.1 {self.status_code}\n"
            f"{self.headers}\n\n{(self.content or b'').decode(errors='replace')}"
        )

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

    @request_meta.setter
    def request_meta(self, meta: dict[str, Any]) -> None:
        self._meta = meta

    def raise_for_status(self) -> None:
        """Raise what went wrong, unless success() was called."""
        if isinstance(self._manual, Exception):
            raise self._manual
        if self._manual is None:
            super().raise_for_status()

    def _listened(self) -> FastResponse:
        plain: FastResponse | None = self.__dict__.get("_listened_to")
        if plain is None:
            plain = self.__dict__["_listened_to"] = self._plain()
        return plain

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
