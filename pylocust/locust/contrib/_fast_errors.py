"""How a call of FastHttpUser fails: the exceptions, and which of them a failure of the core is."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import zlib
from typing import Any

from cload import _failure


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
    """A status that counts as a failure. Its repr leaves out the URL, so that equal ones are one row.

    Of a call: `response` is what came, `request` what was sent, `http_log` both as they went over the wire.
    """

    code: int
    _of_call: Any = None

    @property
    def response(self) -> Any:
        if self._of_call is None:
            raise AttributeError("response")
        return self._of_call._listened()

    @property
    def request(self) -> Any:
        return self.response.request

    @property
    def http_log(self) -> str:
        return str(self.response._conversation())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kw_text})"


class HTTPParseError(Exception):
    """What came is not HTTP."""


class HTTPConnectionClosed(HTTPParseError):
    """The target closed the connection before it answered."""


FAILURE_EXCEPTIONS = (ConnectionError, OSError, HTTPParseError, zlib.error)


def failure_of(response: Any, failure: tuple[str, int, str, str, int, Any]) -> Exception:
    """The exception for a call that brought no usable answer."""
    kind, number, text, url, status, _ = failure
    if kind == "SEND" and url.startswith("https:"):
        return _failure.cut_request()
    if kind in ("REFUSED", "CONNECT", "SEND", "RESET", "TLS") and number and (kind != "RESET" or status):
        return OSError(number, os.strerror(number))
    if kind == "DNS":
        return _failure.resolve_error(number, text)
    if kind == "READ_TIMEOUT" and status:
        return _late(kind, text, url)
    if kind in ("CONNECT_TIMEOUT", "READ_TIMEOUT"):
        return RetriesExceeded(response.url, response._max_retries, original=_late(kind, text, url))
    if kind in ("CLOSED", "RESET"):
        return HTTPConnectionClosed("connection closed.")
    if kind == "INCOMPLETE":
        return HTTPParseError("Incomplete response.")
    if kind == "TOO_MANY_REDIRECTS":
        limit = _failure.first_number(text, 30)
        return RetriesExceeded(response.url, f"Redirection limit reached ({limit})")
    if kind == "BAD_REDIRECT":
        return UnsupportedRedirectSchemeError(url, text)
    if kind in ("TLS", "TLS_UNTRUSTED"):
        return _failure.tls_error(kind, text)
    if kind == "DECODE":
        return zlib.error(text)
    if kind == "PROXY":
        return OSError(text)
    return HTTPParseError(f"malformed status line: {text.strip()}" if kind == "BAD_STATUS_LINE" else text)


def _late(kind: str, text: str, url: str) -> TimeoutError:
    """As the socket that waited says it, Python's own or its ssl's."""
    if kind == "CONNECT_TIMEOUT":
        return TimeoutError("The handshake operation timed out" if text.startswith("TLS handshake") else "timed out")
    return TimeoutError("The read operation timed out" if url.startswith("https:") else "timed out")


def body_failure(kind: str, number: int) -> Exception:
    """Why a body broke off."""
    if kind == "RESET":
        return OSError(number, os.strerror(number)) if number else HTTPConnectionClosed("connection closed.")
    if kind == "READ_TIMEOUT":
        return TimeoutError("timed out")
    if kind == "DECODE":
        return zlib.error("content encoding could not be decoded")
    return HTTPParseError("Incomplete response." if kind == "INCOMPLETE" else "malformed chunk")


def failure_of_requests(error: Exception, url: str, redirects: int, retries: int) -> Exception:
    import requests
    import urllib3.exceptions

    if isinstance(error, requests.exceptions.TooManyRedirects):
        return RetriesExceeded(url, f"Redirection limit reached ({redirects})")
    if isinstance(error, requests.exceptions.Timeout):
        return RetriesExceeded(url, retries, original=_late("READ_TIMEOUT", "", url))
    inner = _failure.innermost(error)
    if isinstance(inner, http.client.RemoteDisconnected):
        return HTTPConnectionClosed("connection closed.")
    if isinstance(inner, urllib3.exceptions.ReadTimeoutError):
        return _late("READ_TIMEOUT", "", url)
    if isinstance(inner, requests.exceptions.ChunkedEncodingError):
        return HTTPParseError("Incomplete response.")
    if isinstance(inner, (socket.gaierror, ssl.SSLError, OSError)):
        return inner
    return HTTPParseError(str(inner))
