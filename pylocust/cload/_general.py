"""Calls that only requests' own code can do."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

import _cload
import requests
import requests.exceptions

from ._call import url_text


def request_by_keywords(session: Any, kwargs: dict[str, Any]) -> Any:
    method = kwargs.pop("method")
    url = kwargs.pop("url")
    return _cload.HttpSession.request(session, str(method), url, **kwargs)


def absolute_url(session: Any, url: Any) -> str:
    url = url_text(url)
    return url if re.match("https?://", url, re.IGNORECASE) else f"{session.base_url}{url}"


def send_safely(session: Any, method: str, url: str, kwargs: dict[str, Any]) -> requests.Response:
    """requests' own call; what keeps it from being answered is the response's `error`."""
    try:
        return requests.Session.request(session, method, url, **kwargs)
    except (
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidURL,
    ):
        raise
    except requests.exceptions.RequestException as error:
        failed: requests.Response = sys.modules["locust.clients"].LocustResponse()
        failed.error = error  # type: ignore[attr-defined]
        failed.status_code = 0
        failed._content = None
        failed._content_consumed = True
        failed.request = error.request or requests.Request(method, url).prepare()  # type: ignore[assignment]
        return failed


def request_general(session: Any, method: str, url: Any, kwargs: dict[str, Any]) -> Any:
    """A call with something that only requests can do: its own code sends it, and it is reported like any other."""
    from . import _transport

    name = kwargs.pop("name", None)
    is_catching = bool(kwargs.pop("catch_response", False))
    context = kwargs.pop("context", None) or {}
    start_ns = time.monotonic_ns()
    made = session._send_request_safe_mode(method, absolute_url(session, url), **{"data": None, "json": None, **kwargs})
    failure: Exception | None = getattr(made, "error", None)
    start, milliseconds, timings = _transport.times_of(made if failure is None else None, start_ns)
    length = int(made.headers.get("content-length") or 0) if kwargs.get("stream") else len(made.content or b"")
    response = session._response_class.__new__(session._response_class)
    for key, value in made.__dict__.items():
        setattr(response, key, value)
    response.error = failure
    first = ((made.history and made.history[0]) or made).request
    if not name:
        name = session.request_name or first.path_url
    if not isinstance(name, str):
        name = str(name)
    response._adopt(
        method, name, session.request_event, session.user, context, first.url, milliseconds, length, start,
        is_catching, timings,
    )  # fmt: skip
    if not is_catching:
        response._report_request()
    return response
