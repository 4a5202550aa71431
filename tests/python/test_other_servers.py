"""What other servers were found to do that our own target does not, from a server that says it byte by byte."""

from __future__ import annotations

import json

from oracle import Engine
from scripted import CLOSE, ScriptedServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

# Calls each of `calls`, [method, path, keywords], and tells the status and the failure that was recorded.
CALLS = """
import re
calls, host, kind = json.loads(sys.argv[1])
class U(getattr(locust, kind)):
    host = host
    network_timeout = 5
def heard(name, exception, **_):
    note(name, re.sub(r"port=\\d+", "port", repr(exception)))
user = U(Environment(user_classes=[U]))
user.environment.events.request.add_listener(heard)
for method, path, keywords in calls:
    note(path, user.client.request(method, path, name=path, **keywords).status_code)
out(log)
"""


def told(
    engine: Engine, server: ScriptedServer, calls: list[tuple[str, str, dict[str, object]]], kind: str = "HttpUser"
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in engine.snippet(CALLS, json.dumps([calls, server.url, kind])):
        path, _, what = line.partition(" ")
        found.setdefault(path, []).append(what)
    return found


def test_bodies_that_end_early(engine: Engine) -> None:
    """API-164, API-165: between chunks, in a chunk, and by silence, in the words of urllib3."""
    answers = {
        "/between": [CHUNKED + b"3\r\nabc\r\n", CLOSE],
        "/within": [CHUNKED + b"5\r\nabc", CLOSE],
        "/late": [LENGTH + b"abc", 2.0],
        "/late-chunk": [CHUNKED + b"5\r\nabc", 2.0],
        "/late-head": [2.0],
    }
    with ScriptedServer(answers) as server:
        late: dict[str, object] = {"timeout": 0.3}
        found = told(engine, server, [("GET", path, late if "late" in path else {}) for path in answers])
    pool = "HTTPConnectionPool(host='127.0.0.1', port): Read timed out."
    assert found["/between"] == ["ChunkedEncodingError(ProtocolError('Response ended prematurely'))", "0"]
    assert found["/within"][0].startswith("ChunkedEncodingError(ProtocolError('Connection broken: IncompleteRead(3 by")
    assert "2 more expected" in found["/within"][0]
    assert found["/late"] == found["/late-chunk"] == [f'ReadTimeoutError("{pool}")', "0"]
    assert found["/late-head"] == [f'ReadTimeout(ReadTimeoutError("{pool} (read timeout=0.3)"))', "0"]


def test_chunks_without_their_last_line(engine: Engine) -> None:
    """API-164: servers that close right after the last chunk, or in its trailers, have said all."""
    answers = {
        "/last": [CHUNKED + b"2\r\nok\r\n0\r\n", CLOSE],
        "/trailer": [CHUNKED + b"2\r\nok\r\n0\r\nA: b\r\n", CLOSE],
    }
    with ScriptedServer(answers) as server:
        found = told(engine, server, [("GET", path, {}) for path in answers])
    assert found == {path: ["None", "200"] for path in answers}


def test_redirects_that_lose_the_body_say_so(engine: Engine) -> None:
    """API-172: as from urllib3, a method that may have a body comes with a length, right behind the host."""
    moved = b"HTTP/1.1 301 Moved\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer({"/from": [moved], "/to": [OK]}) as server:
        methods = ("PUT", "PATCH", "PURGE", "DELETE", "OPTIONS", "POST")
        told(engine, server, [(method, "/from", {"data": "body"}) for method in methods])
        second = {request.split()[0]: request.split(b"\r\n") for request in server.requests if b" /to " in request}
    for method in (b"PUT", b"PATCH", b"PURGE"):
        assert second[method][2] == b"Content-Length: 0"
    for method in (b"DELETE", b"OPTIONS", b"GET"):
        assert not any(line.lower().startswith(b"content-length") for line in second[method])
