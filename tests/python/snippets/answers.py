"""What responses of both clients say, attribute by attribute, for answers of many kinds."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Sequence
from functools import partial
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


def _looks(kit: Kit, cls: type, looks: Sequence[Callable[[Any], Any]]) -> list[Any]:
    told = []
    for path in PATHS:
        response = _client(kit, cls).get(path)
        told.append([path, *(_said(kit, partial(look, response)) for look in looks)])
    return told


def of_requests(kit: Kit) -> Any:
    """API-162 to 168, 172, 213: attributes and methods of requests' response."""
    return _looks(kit, HttpUser, (
        lambda r: r.status_code, lambda r: r.reason, lambda r: r.content,
        lambda r: r.text, lambda r: r.encoding, lambda r: r.url,
        lambda r: bool(r), lambda r: r.ok, lambda r: r.is_redirect,
        lambda r: r.is_permanent_redirect, lambda r: [each.status_code for each in r.history],
        lambda r: [each.url for each in r.history][-1:], lambda r: r.json(),
        lambda r: r.links, lambda r: r.next, lambda r: list(r.iter_content(10)),
        lambda r: b"".join(r.iter_content(7)), lambda r: list(r.iter_lines()),
        lambda r: list(r.iter_content(8, decode_unicode=True)), lambda r: list(r),
        lambda r: r.raise_for_status(), lambda r: str(r.error), lambda r: repr(r),
        lambda r: r.headers.get("CONTENT-type"), lambda r: r.headers["content-length"],
        lambda r: r.elapsed.total_seconds(), lambda r: r.request.method,
        lambda r: r.request.url, lambda r: r.request.body, lambda r: r.request.path_url,
        lambda r: dict(r.cookies), lambda r: r.raw.status, lambda r: r.raw.read(),
        lambda r: pickle.loads(pickle.dumps(r)).content, lambda r: r.close(),
        lambda r: r.apparent_encoding, lambda r: r.request_meta["response_length"],
        lambda r: r.nothing, lambda r: json.loads(r.text),
    ))  # fmt: skip


def of_the_fast_client(kit: Kit) -> Any:
    """API-200 to 204, 209 to 213: attributes and methods of FastResponse."""
    return _looks(kit, FastHttpUser, (
        lambda r: r.status_code, lambda r: r.content, lambda r: r.text,
        lambda r: r.url, lambda r: r.ok, lambda r: r.json(),
        lambda r: r.raise_for_status(), lambda r: repr(getattr(r, "error", None)),
        lambda r: r.headers.get("CONTENT-type"), lambda r: r.headers["content-length"],
        lambda r: r.request.method, lambda r: r.request.url, lambda r: r.request.body,
        lambda r: r.cookies,
        lambda r: r.reason, lambda r: r.raw, lambda r: r.is_redirect,
        lambda r: r.success(), lambda r: r.failure("x"), lambda r: r.nothing,
        lambda r: r.encoding,
    ))  # fmt: skip


def lines_of_the_fast_client(kit: Kit) -> Any:
    """API-212: iter_lines()."""
    client = _client(kit, FastHttpUser)
    told = []
    for path in ("/hello", "/", "/chunked/3", "/status/404", "http://127.0.0.1:1/"):
        told.append([path, _said(kit, lambda path=path: "|".join(client.iter_lines(path)))])
    told.append(_said(kit, lambda: "|".join(client.iter_lines("/echo/x", "POST", data="x"))[:20]))
    return told
