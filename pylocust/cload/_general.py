"""Calls that only requests' own code can do."""

from __future__ import annotations

import re
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


def request_general(session: Any, method: str, url: Any, kwargs: dict[str, Any]) -> Any:
    """A call with something that only requests can do: its own code sends it, and it is reported like any other."""
    from . import _transport

    name = kwargs.pop("name", None)
    is_catching = bool(kwargs.pop("catch_response", False))
    context = kwargs.pop("context", None) or {}
    start, start_ns = time.time(), time.monotonic_ns()
    timings = None
    failure: Exception | None = None
    try:
        made = requests.Session.request(session, method, absolute_url(session, url), **kwargs)
        timings = _transport.timings_of(made)
    except (
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidURL,
    ):
        raise
    except requests.exceptions.RequestException as error:
        failure = error
        made = requests.Response()
        made.status_code = 0
        made._content = None
        made._content_consumed = True
        made.request = error.request or requests.Request(method, absolute_url(session, url)).prepare()  # type: ignore
    milliseconds = _transport.milliseconds_since(start_ns, timings)
    length = int(made.headers.get("content-length") or 0) if kwargs.get("stream") else len(made.content or b"")
    response = session._response_class.__new__(session._response_class)
    for key, value in made.__dict__.items():
        setattr(response, key, value)
    response.error = failure
    first = ((made.history and made.history[0]) or made).request
    if not name:
        name = session.request_name or first.path_url
    response._adopt(
        method, name, session.request_event, session.user, context, first.url, milliseconds, length, start,
        is_catching, timings,
    )  # fmt: skip
    if not is_catching:
        response._report_request()
    return response
