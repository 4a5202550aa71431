"""Attributes of a response, as requests has them, from what the core received."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import requests
import requests.cookies
import requests.hooks
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from ._failure import transport_error
from ._raw import Original, build_raw


def _headers(response: Any) -> CaseInsensitiveDict[Any]:
    if response._core_failure() is not None:
        return CaseInsensitiveDict()
    headers: CaseInsensitiveDict[Any] = CaseInsensitiveDict()
    for name, value in response._core_headers():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _request(response: Any) -> PreparedRequest:
    prepared = PreparedRequest()
    head = response._core_sent_head() or b""
    lines = head.decode("latin1").split("\r\n")
    prepared.method = response._core_method()
    failure = response._core_failure()
    prepared.url = failure[3] if failure else response.url
    prepared.headers = CaseInsensitiveDict(
        line.partition(": ")[::2] for line in lines[1:] if line and not line.startswith("Host: ")
    )
    # Only these statuses send the body on.
    prepared.body = response._sent_body if all(hop.status_code in (307, 308) for hop in response.history) else None
    prepared.hooks = requests.hooks.default_hooks()
    prepared._cookies = requests.cookies.RequestsCookieJar()
    return prepared


def elapsed(response: Any) -> timedelta:
    timings = response.timings
    if timings is None or response._core_failure() is not None:
        return timedelta(0)
    return timedelta(milliseconds=timings.total if timings.first_byte is None else timings.first_byte)


def decode_text(response: Any) -> str:
    """`text` where the encoding is not one of the usual."""
    return str(requests.Response.text.fget(response))  # type: ignore[attr-defined]


def decode_json(response: Any, **kwargs: Any) -> Any:
    return requests.Response.json(response, **kwargs)


def build_attribute(response: Any, name: str) -> Any:
    """An attribute of requests.Response, from what the core received."""
    if name == "headers":
        return _headers(response)
    if name == "encoding":
        return get_encoding_from_headers(response.headers) if response.headers else None
    if name == "history":
        if response._core_failure() is not None:
            return []
        history = response._core_take_history()
        for place, hop in enumerate(history):
            hop.history = history[:place]
        return history
    if name == "cookies":
        jar = requests.cookies.RequestsCookieJar()
        raw = type("Raw", (), {"_original_response": Original(response._core_headers())})
        requests.cookies.extract_cookies_to_jar(jar, response.request, raw)
        return jar
    if name == "elapsed":
        return elapsed(response)
    if name == "request":
        return _request(response)
    if name == "raw":
        return build_raw(response)
    if name == "error":
        return transport_error(response)[0]
    if name == "connection":
        return _connection(response)
    if name == "_next":
        if not response.is_redirect:
            return None
        return next(requests.Session().resolve_redirects(response, response.request, yield_requests=True), None)
    raise AttributeError(name)


def _connection(response: Any) -> requests.adapters.BaseAdapter:
    """The adapter with which the request could be sent once more."""
    client = getattr(response._user, "client", None)
    if isinstance(client, requests.Session):
        return client.get_adapter(response.url)
    from ._transport import SessionAdapter

    return SessionAdapter()
