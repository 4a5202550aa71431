"""Calls of FastHttpUser that go through requests' code: those with an SSLContext of the script's own."""

from __future__ import annotations

import time
from typing import Any

from cload._call import dump_fast_json, encode_fast_form

from ._fast_errors import LocustBadStatusCode, failure_of_requests
from ._fast_headers import ACCEPT_ENCODING_LINE, Headers
from ._fast_pool import adapter_of
from ._fast_response import ErrorResponse, FastRequest, FastResponse, ResponseContextManager


def request_with_requests(
    session: Any,
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

    sender = _sender(session)
    limit = session._max_redirects if max_redirects is None else max_redirects
    sender.max_redirects = limit
    merged = Headers([ACCEPT_ENCODING_LINE, *session.client.default_headers.itermerged()])
    merged.update(headers or {})
    body = _body_with_type(data, json, merged)
    asked = session._build_url(url)
    start_ns = time.monotonic_ns()
    made, failure = None, None
    try:
        made = sender.request(
            method, asked, params=params, data=body, headers=dict(merged.itermerged()), stream=True,
            allow_redirects=allow_redirects and limit > 0,
            timeout=(session._options[1] or None, session._options[2] or None),
        )  # fmt: skip
        content = None if stream else made.content
    except OSError as error:
        made, failure = None, failure_of_requests(error, asked, limit, session._max_retries)
    for cookie in sender.cookies:
        session.cookiejar.set_cookie(cookie)
    start, milliseconds, timings = _transport.times_of(made, start_ns)
    response_class = ResponseContextManager if catch_response else ErrorResponse if made is None else FastResponse
    response: Any = response_class.__new__(response_class)
    response._is_fast = True
    response._base_url = ""
    length = 0
    if made is None:
        response.status_code, response.headers, response.history = 0, None, []
    else:
        if not any(session._valid_statuses[made.status_code : made.status_code + 1]):
            failure = LocustBadStatusCode(made.url, code=made.status_code)
            failure._of_call = response
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
    event, user = session.request_event, session.user
    response._adopt(
        method, name or session.request_name or url, event, user, context or {}, asked, milliseconds, length, start,
        catch_response, timings,
    )  # fmt: skip
    if not catch_response:
        response._report_request()
    return response


def _sender(session: Any) -> Any:
    """requests' session with this one's settings and cookies."""
    import requests
    import urllib3
    from cload._transport import SessionAdapter

    sender = session.__dict__.get("_requests_session")
    if sender is None:
        sender = session.__dict__["_requests_session"] = requests.Session()
        sender.headers.clear()
        sender.trust_env = False
        # Nobody asked for a check that could be advised here.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        sender.verify = not session._is_insecure
        if session._options[3] is not None:
            sender.proxies = {"http": session._options[3], "https": session._options[3]}
        sender.mount("http://", SessionAdapter(session))
        factory = session.__dict__.get("_ssl_context_factory")
        sender.mount("https://", SessionAdapter(session) if factory is None else _own_adapter(session, factory))
    sender.cookies = session.cookiejar.copy()
    return sender


def _own_adapter(session: Any, factory: Any) -> Any:
    shared = session.__dict__.get("_shared_pool")
    if shared is not None:
        return shared.adapter(factory, session._is_insecure)
    return adapter_of(factory, session._is_insecure, session._options[13])


def _body_with_type(data: Any, value: Any, headers: Headers) -> Any:
    """The body, its type among the headers, as the C session does it."""
    if not data and value is not None:
        headers.setdefault("Content-Type", "application/json")
        headers.setdefault("Accept", "application/json")
        return dump_fast_json(value)
    if not data:
        return None
    if isinstance(data, dict):
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
        return encode_fast_form(data)
    is_text = isinstance(data, str)
    headers.setdefault("Content-Type", "text/plain; charset=utf-8" if is_text else "application/octet-stream")
    return data.encode() if is_text else data
