"""`response.raw`: urllib3's response, on what the core received, or on what is still to come with stream=True."""

from __future__ import annotations

import http.client
import io
import os
from typing import Any, cast

from urllib3.response import HTTPResponse

from ._failure import Peer

_BUFFER_SIZE = 65536


class _Message:
    """Header lines as http.client's message shows them to the cookie jar."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def get_all(self, name: str, default: Any = None) -> Any:
        values = [value for key, value in self._pairs if key.lower() == name.lower()]
        return values or default


class Original:
    """http.client's response, after its end."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.msg = _Message(pairs)

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        """Does nothing: the response is closed already."""


class _Arriving(io.RawIOBase):
    """The bytes of a body as they come."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read(len(buffer))
        if isinstance(piece, tuple):
            kind, number = piece
            if kind == "READ_TIMEOUT":
                raise TimeoutError("timed out")
            if number:
                raise OSError(number, os.strerror(number))
            return 0  # a body that ends too early: http.client and urllib3 say so themselves
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()

    # Scripts go down to the socket to end a download from another greenlet.
    @property
    def _sock(self) -> _Arriving:
        return self

    def shutdown(self, how: int) -> None:
        self._stream.close()


class _Opened:
    """What http.client takes for a socket."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def makefile(self, *_: Any) -> Any:
        return self._file


def _original(response: Any, pairs: list[tuple[str, str]], file: Any, is_in_chunks: bool) -> http.client.HTTPResponse:
    """http.client's response, as it is when it has read the head."""
    made = http.client.HTTPResponse(cast(Any, _Opened(file)), method=response._core_method())
    fields: Any = made
    fields.msg = fields.headers = _Message(pairs)
    fields.status = fields.code = response.status_code
    fields.reason = response.reason
    fields.will_close = True
    fields.chunked = is_in_chunks
    fields.chunk_left = None
    fields.length = None
    if not is_in_chunks:
        announced = next((value for name, value in pairs if name.lower() == "content-length"), "")
        fields.length = int(announced) if announced.isdecimal() else None
    if response._core_method() == "HEAD" or response.status_code in (204, 304) or response.status_code < 200:
        fields.length = 0
    return made


def build_raw(response: Any) -> HTTPResponse | None:
    """urllib3's response. It was read to its end, unless stream=True was given and nobody has read the body yet."""
    wire_info = response._core_wire()
    if wire_info is None:
        return None
    version, body_size = wire_info
    pairs = response._core_headers()
    is_open = response._is_stream and not response._content_consumed
    body: Any = io.BytesIO()
    original: Any = Original(pairs)
    if is_open:
        received, is_in_chunks = response._core_body()
        stream = response._stream
        file = io.BytesIO(received) if stream is None else io.BufferedReader(_Arriving(stream), _BUFFER_SIZE)
        body = original = _original(response, pairs, file, is_in_chunks)
    raw = HTTPResponse(
        body,
        pool=cast(Any, Peer(response.url, "Pool")) if is_open else None,
        headers=pairs,
        status=response.status_code,
        version=version,
        version_string=response.http_version,
        reason=response.reason,
        preload_content=False,
        decode_content=False,
        original_response=original,
        enforce_content_length=is_open,
        request_method=response._core_method(),
    )
    if not is_open:
        raw._fp_bytes_read = body_size
        raw.close()
    return raw
