"""Failures as the exceptions that requests, urllib3 and Locust have for them."""

from __future__ import annotations

import errno
import functools
import http.client
import os
import re
import socket
import ssl
import urllib.parse
import zlib
from typing import Any

import requests.exceptions
import requests.utils
import urllib3.exceptions


def raise_not_catching(response: Any) -> None:
    from locust.exception import LocustError

    if response._is_catching:
        raise LocustError("success() and failure() belong into the with-block of a request with catch_response=True")
    raise LocustError(
        "a request can only be used in a with-block, and judged there, if it was made with catch_response=True"
    )


def failure_text(error: Any) -> str:
    """The text by which failures are told apart: without addresses of objects, which differ each time."""
    from locust.stats import StatsError

    return StatsError.parse_error(error)


@functools.cache
def _exceptions() -> Any:
    """Imported late: locust imports this package."""
    import locust.exception

    return locust.exception


def wrap_failure(reason: Any) -> Any:
    return _exceptions().CatchResponseError(reason)


def is_response_error(value: Any) -> bool:
    return isinstance(value, _exceptions().ResponseError)


class Peer:
    """Stands in urllib3's texts for the pool or connection that was used."""

    def __init__(self, url: str, kind: str) -> None:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        self.host = host if host.isascii() else requests.models.PreparedRequest._get_idna_encoded_host(host)
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.scheme = "HTTPS" if parts.scheme == "https" else "HTTP"
        self.target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.scheme}Connection{self.kind}(host={self.host!r}, port={self.port})"

    def __repr__(self) -> str:
        # Without an address, which would make each failure one of its own.
        return f"<{self}>"


# How texts of TLS begin that are of the time before the connection could be used; all but the first are libcurl's.
_HANDSHAKE = ("TLS handshake", "OpenSSL ", "error:")


def _max_retries(url: str, reason: Exception) -> urllib3.exceptions.MaxRetryError:
    pool: Any = Peer(url, "Pool")
    return urllib3.exceptions.MaxRetryError(pool, pool.target, reason)


def _proxy_retries(url: str, text: str, cause: OSError) -> urllib3.exceptions.MaxRetryError:
    """A proxy that gave no answer, as urllib3 tells of it: the scheme tells whose pool gave up."""
    proxy = re.match(r"cannot connect to proxy (.*):(\d+): ", text) if cause.errno else None
    if proxy is None:
        return _max_retries(url, urllib3.exceptions.ProxyError("Unable to connect to proxy", cause))
    host = f"[{proxy[1]}]" if ":" in proxy[1] else proxy[1]
    address = f"{urllib.parse.urlsplit(url).scheme}://{host}:{proxy[2]}/"
    peer: Any = Peer(address, "")
    new = urllib3.exceptions.NewConnectionError(
        peer, f"Failed to establish a new connection: [Errno {cause.errno}] {cause.strerror}"
    )
    broken = urllib3.exceptions.ProxyError("Unable to connect to proxy", new)
    if peer.scheme == "HTTPS":
        return _max_retries(url, broken)
    pool: Any = Peer(address, "Pool")
    return urllib3.exceptions.MaxRetryError(pool, urllib.parse.urldefrag(url).url, broken)


def resolve_error(number: int, text: str) -> socket.gaierror:
    """The resolver's answer, which stands behind the host in the text. libcurl tells only that it failed."""
    if number < 0:
        return socket.gaierror(number, text.rpartition(": ")[2])
    return socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _limit(timeout: Any, place: int) -> Any:
    """What requests shows of a call's `timeout`: as it was given, of two the one for this place."""
    return timeout[place] if isinstance(timeout, tuple) else timeout


def _disconnected() -> http.client.RemoteDisconnected:
    return http.client.RemoteDisconnected("Remote end closed connection without response")


def plain_cause(kind: str, number: int, text: str, status: int, url: str) -> Exception | None:
    """The innermost cause of a failed exchange, which is what is counted; None if these arguments do not tell it."""
    if kind == "DNS":
        return resolve_error(number, text)
    if kind == "PROXY":
        return proxy_error(number, text)
    if kind in ("TLS", "TLS_UNTRUSTED"):
        if number and kind == "TLS":
            return OSError(number, os.strerror(number))
        error = tls_error(kind, text)
        # urllib3 wraps what it meets itself: not between the handshake and the body.
        is_late = kind == "TLS" and not text.startswith(_HANDSHAKE)
        return error if is_late and not status else urllib3.exceptions.SSLError(error)
    # Python's ssl reads a reset as an end.
    is_end = kind == "RESET" and not status and url.startswith("https:") and not text.startswith("cannot connect")
    if kind == "CLOSED" or is_end:
        return _disconnected()
    if kind == "SEND" and url.startswith("https:"):
        return cut_request()
    if kind == "RESET" and not status:
        number = number or errno.ECONNRESET
    if number and (kind in ("REFUSED", "CONNECT", "SEND") or (kind == "RESET" and not status)):
        return OSError(number, os.strerror(number))
    return http.client.BadStatusLine(text) if kind == "BAD_STATUS_LINE" else None


def transport_error(response: Any) -> tuple[Exception, Exception]:
    """The exception that requests raises for a failed exchange, and the innermost cause, which is what is counted."""
    kind, number, text, url, status, timeout = response._core_failure()
    peer: Any = Peer(url, "")
    pool: Any = Peer(url, "Pool")
    request = response.request
    exceptions = requests.exceptions
    cause = plain_cause(kind, number, text, status, url)
    if kind in ("REFUSED", "CONNECT") and cause is not None:
        new = urllib3.exceptions.NewConnectionError(
            peer, f"Failed to establish a new connection: [Errno {number}] {os.strerror(number)}"
        )
        return exceptions.ConnectionError(_max_retries(url, new), request=request), cause
    if kind == "DNS" and cause is not None:
        failed = urllib3.exceptions.NameResolutionError(peer.host, peer, cause)  # type: ignore[arg-type]
        return exceptions.ConnectionError(_max_retries(url, failed), request=request), cause
    if kind == "CONNECT_TIMEOUT" and not text.startswith(_HANDSHAKE):
        message = f"Connection to {peer.host} timed out. (connect timeout={_limit(timeout, 0)})"
        late = urllib3.exceptions.ConnectTimeoutError(peer, message)
        return exceptions.ConnectTimeout(_max_retries(url, late), request=request), late
    if kind == "READ_TIMEOUT" and status:
        silent = urllib3.exceptions.ReadTimeoutError(pool, "", "Read timed out.")
        return exceptions.ConnectionError(silent, request=request), silent
    if kind in ("CONNECT_TIMEOUT", "READ_TIMEOUT"):
        message = f"Read timed out. (read timeout={_limit(timeout, 1)})"
        return _twice(exceptions.ReadTimeout(urllib3.exceptions.ReadTimeoutError(pool, "", message), request=request))
    if isinstance(cause, OSError) and kind == "PROXY" and not isinstance(cause, ConnectionResetError):
        return exceptions.ProxyError(_proxy_retries(url, text, cause), request=request), cause
    if isinstance(cause, (urllib3.exceptions.SSLError, ssl.SSLError)):
        met = cause if isinstance(cause, urllib3.exceptions.SSLError) else urllib3.exceptions.SSLError(cause)
        return exceptions.SSLError(met if status else _max_retries(url, met), request=request), cause
    if kind in ("INCOMPLETE", "BAD_CHUNK") or (kind == "RESET" and status):
        if kind == "INCOMPLETE" and "announced" not in text:
            cut = urllib3.exceptions.ProtocolError("Response ended prematurely")
            return _twice(exceptions.ChunkedEncodingError(cut, request=request))
        broken = _body_error(kind, number, text)
        broken_body = urllib3.exceptions.ProtocolError(f"Connection broken: {broken!r}", broken)
        return _twice(exceptions.ChunkedEncodingError(broken_body, request=request))
    if kind == "DECODE":
        encoding = next((v for k, v in response._core_headers() if k.lower() == "content-encoding"), "")
        message = f"Received response with content-encoding: {encoding}, but failed to decode it."
        why = zlib.error(text) if text.startswith("Error ") else ValueError(text)
        return _twice(exceptions.ContentDecodingError(urllib3.exceptions.DecodeError(message, why), request=request))
    if kind == "TOO_MANY_REDIRECTS":
        return _twice(exceptions.TooManyRedirects(f"Exceeded {first_number(text, 30)} redirects.", request=request))
    if cause is None:
        cause = OSError(number, text) if number else http.client.HTTPException(text)
    aborted = urllib3.exceptions.ProtocolError("Connection aborted.", cause)
    return exceptions.ConnectionError(aborted, request=request), cause


def proxy_error(number: int, text: str) -> OSError:
    """The error of a proxy, with an errno if there is no connection to it. Texts with a capital are libcurl's."""
    if number < 0 or text.startswith("Could not resolve proxy"):
        return resolve_error(number, text)
    if number and text.startswith(("cannot connect to proxy", "Failed to connect to ")):
        return OSError(number, os.strerror(number))
    if text == "Proxy CONNECT aborted":
        return _disconnected()
    if text.endswith("Connection reset by peer"):
        return OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    answered = re.search(r"tunnel failed, response (\d+)", text)
    if answered is None:
        return OSError(text)
    status = int(answered[1])
    return OSError(f"Tunnel connection failed: {status} {http.client.responses.get(status, '')}".rstrip())


def tls_error(kind: str, text: str) -> ssl.SSLError:
    """As Python's ssl names it, with the reason OpenSSL gave."""
    if kind == "TLS_UNTRUSTED":
        untrusted = re.fullmatch(r"certificate of (.*) not trusted: (.*?) \(give a CA .*", text)
        if untrusted:
            host, text = untrusted.groups()
            if text.endswith(" mismatch"):
                text = f"{text[0].upper()}{text[1:]}, certificate is not valid for '{host.removesuffix('.')}'."
        # libcurl's words, its own and those around OpenSSL's
        other = re.match(r"SSL: no alternative certificate subject name matches target host name '(.*)'", text)
        if other:
            what = "IP address" if re.fullmatch(r"[0-9.]+|.*:.*", other[1]) else "Hostname"
            text = f"{what} mismatch, certificate is not valid for '{other[1]}'."
        text = re.sub(r"^SSL certificate (?:problem|OpenSSL verify result): (.*?)(?: \(\d+\))?$", r"\1", text)
        return ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {text}")
    # "TLS handshake failed: REASON (hint)", libcurl's "...error:CODE:LIBRARY:FUNCTION:REASON", or the reason alone.
    around = r"^TLS handshake failed: | \(does the server .*$|^.*error:[0-9A-F]+:[^:]*:[^:]*:|, errno .*$"
    reason = re.sub(around, "", text)
    if reason == "connection closed by the server" or "SSL_ERROR_SYSCALL" in reason:
        return ssl.SSLZeroReturnError(int(ssl.SSL_ERROR_ZERO_RETURN), "TLS/SSL connection has been closed (EOF)")
    if reason == "unknown reason":
        return ssl.SSLError(1, "[SSL] unknown error")
    return ssl.SSLError(1, f"[SSL: {reason.upper().replace(' ', '_')}] {reason}")


def cut_request() -> ssl.SSLEOFError:
    """What Python's ssl says of a connection that ends while a request is sent on it."""
    return ssl.SSLEOFError(int(ssl.SSL_ERROR_EOF), "EOF occurred in violation of protocol")


def _twice(error: Exception) -> tuple[Exception, Exception]:
    """For failures of which requests' exception itself is counted, and not a cause inside of it."""
    return error, error


def raise_bad_redirect(text: str, location: str) -> None:
    """Raises, for a redirect to an unusable URL, the exception that a call of that URL would raise."""
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", location)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        url = requests.utils.requote_uri(location)
        raise requests.exceptions.InvalidSchema(f"No connection adapters were found for {url!r}")
    raise requests.exceptions.InvalidURL(text)


def _body_error(kind: str, number: int, text: str) -> Exception:
    if kind == "RESET":
        return OSError(number or errno.ECONNRESET, os.strerror(number or errno.ECONNRESET))
    if kind == "INCOMPLETE":
        got, missing = map(int, re.findall(r"\d+", text)[:2])
        if " of a chunk" in text:
            # urllib3 knows only of the piece that requests asked for.
            whole, size = got + missing, requests.models.CONTENT_CHUNK_SIZE
            got %= size
            missing = min(size, whole - (whole - missing) // size * size) - got
        return urllib3.exceptions.IncompleteRead(got, missing)
    return http.client.HTTPException(text)


def first_number(text: str, default: int) -> int:
    match = re.search(r"\d+", text)
    return int(match[0]) if match else default


def outcome_exception(response: Any, name: str) -> Exception | None:
    """The exception that counts for a response: its transport failure, or its status; None when all is well."""
    failure = response._core_failure()
    if failure is not None:
        kind, number, text, url, status, _ = failure
        return plain_cause(kind, number, text, status, url) or transport_error(response)[1]
    failed: Exception | None = response.error
    if failed is None:
        try:
            response.raise_for_status()
        except requests.exceptions.RequestException as error:
            failed = error
    if failed is None:
        return None
    if isinstance(failed, requests.exceptions.HTTPError) and response.url:
        failed.args = tuple(arg.replace(response.url, name) if isinstance(arg, str) else arg for arg in failed.args)
        return failed
    return innermost(failed)


def innermost(error: Exception) -> Exception:
    """The cause inside of requests' ConnectionError, so that equal causes are counted as one."""
    seen: Any = error
    # Of a connection that could not be made, which urllib3 takes for one of its timeouts, the cause is told.
    late = (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError)
    while isinstance(seen, (requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError)) and not isinstance(
        seen, late
    ):
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, Exception):
            inner = next((arg for arg in reversed(seen.args) if isinstance(arg, Exception)), None)
        if inner is None:
            inner = seen.__cause__ or seen.__context__
        if not isinstance(inner, Exception) or inner is seen:
            break
        seen = inner
    return seen if isinstance(seen, Exception) else error
