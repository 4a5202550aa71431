"""What responses of both clients say, attribute by attribute, for answers of many kinds."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

from kit import Kit
from locust import FastHttpUser, HttpUser
from locust.env import Environment

PATHS = (
    "/", "/hello", "/echo/x", "/status/204", "/status/404", "/status/500", "/redirect/2", "/gzip", "/deflate",
    "/chunked/3", "/bytes/50", "/cookies/set?a=1", "/nothing-there", "http://127.0.0.1:1/",
)  # fmt: skip


def _said(kit: Kit, look: Any) -> Any:
    """What an attribute or a call gives, in a form that can be compared."""
    try:
        value = look()
    except Exception as error:
        return ["raises", type(error).__name__]
    if isinstance(value, (bytes, str)):
        text = value.decode("latin1") if isinstance(value, bytes) else value
        text = re.sub(r"0x[0-9a-f]+", "0x", text.replace(kit.url, "HOST"))
        return [type(value).__name__, len(value), text[:300] if "user-agent" not in text.lower() else "headers"]
    if isinstance(value, (int, float, type(None))):
        return value if not isinstance(value, float) else "float"
    if isinstance(value, (list, tuple, dict)):
        return [type(value).__name__, len(value)]
    return type(value).__name__


def _client(kit: Kit, cls: type) -> Any:
    return type("Made", (cls,), {"host": kit.url, "network_timeout": 5.0})(Environment()).client


def of_requests(kit: Kit) -> Any:
    """API-162 to 168, 172, 213: attributes and methods of requests' response."""
    told = []
    for path in PATHS:
        response = _client(kit, HttpUser).get(path)
        told.append([path, *(_said(kit, look) for look in (
            lambda r=response: r.status_code, lambda r=response: r.reason, lambda r=response: r.content,
            lambda r=response: r.text, lambda r=response: r.encoding, lambda r=response: r.url,
            lambda r=response: bool(r), lambda r=response: r.ok, lambda r=response: r.is_redirect,
            lambda r=response: r.is_permanent_redirect, lambda r=response: [each.status_code for each in r.history],
            lambda r=response: [each.url for each in r.history][-1:], lambda r=response: r.json(),
            lambda r=response: r.links, lambda r=response: r.next, lambda r=response: list(r.iter_content(10)),
            lambda r=response: b"".join(r.iter_content(7)), lambda r=response: list(r.iter_lines()),
            lambda r=response: list(r.iter_content(8, decode_unicode=True)), lambda r=response: list(r),
            lambda r=response: r.raise_for_status(), lambda r=response: str(r.error), lambda r=response: repr(r),
            lambda r=response: r.headers.get("CONTENT-type"), lambda r=response: r.headers["content-length"],
            lambda r=response: r.elapsed.total_seconds(), lambda r=response: r.request.method,
            lambda r=response: r.request.url, lambda r=response: r.request.body, lambda r=response: r.request.path_url,
            lambda r=response: dict(r.cookies), lambda r=response: r.raw.status, lambda r=response: r.raw.read(),
            lambda r=response: pickle.loads(pickle.dumps(r)).content, lambda r=response: r.close(),
            lambda r=response: r.apparent_encoding, lambda r=response: r.request_meta["response_length"],
            lambda r=response: r.nothing, lambda r=response: json.loads(r.text),
        ))])  # fmt: skip
    return told


def of_the_fast_client(kit: Kit) -> Any:
    """API-200 to 204, 209 to 213: attributes and methods of FastResponse."""
    told = []
    for path in PATHS:
        response = _client(kit, FastHttpUser).get(path)
        told.append([path, *(_said(kit, look) for look in (
            lambda r=response: r.status_code, lambda r=response: r.content, lambda r=response: r.text,
            lambda r=response: r.url, lambda r=response: r.ok, lambda r=response: r.json(),
            lambda r=response: r.raise_for_status(), lambda r=response: repr(getattr(r, "error", None)),
            lambda r=response: r.headers.get("CONTENT-type"), lambda r=response: r.headers["content-length"],
            lambda r=response: r.request.method, lambda r=response: r.request.url, lambda r=response: r.request.body,
            lambda r=response: r.cookies,
            lambda r=response: r.reason, lambda r=response: r.raw, lambda r=response: r.is_redirect,
            lambda r=response: r.success(), lambda r=response: r.failure("x"), lambda r=response: r.nothing,
            lambda r=response: r.encoding,
        ))])  # fmt: skip
    return told


def lines_of_the_fast_client(kit: Kit) -> Any:
    """API-212: iter_lines()."""
    client = _client(kit, FastHttpUser)
    told = []
    for path in ("/hello", "/", "/chunked/3", "/status/404", "http://127.0.0.1:1/"):
        told.append([path, _said(kit, lambda path=path: "|".join(client.iter_lines(path)))])
    told.append(_said(kit, lambda: "|".join(client.iter_lines("/echo/x", "POST", data="x"))[:20]))
    return told
