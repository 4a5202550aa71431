"""What other servers were found to do that our own target does not, from a server that says it byte by byte."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib

from oracle import ENGINES, Engine
from scripted import CLOSE, ScriptedServer, Step

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


def test_codings_that_do_not_decode(engine: Engine) -> None:
    """API-164, API-202: in zlib's words; a body that was cut short is whole enough for urllib3 only."""
    packed, deflated = gzip.compress(b"hello " * 100), zlib.compress(b"hello " * 100)
    bodies = {
        "/cut": ("gzip", packed[:-10]),
        "/cut-deflate": ("deflate", deflated[:-6]),
        "/behind": ("gzip", packed + b"more"),
        "/sum": ("gzip", packed[:-8] + bytes(8)),
        "/none": ("gzip", b"no gzip"),
    }
    answers: dict[str, list[Step]] = {
        path: [f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body]
        for path, (coding, body) in bodies.items()
    }
    with ScriptedServer(answers) as server:
        calls: list[tuple[str, str, dict[str, object]]] = [("GET", path, {}) for path in answers]
        fast = {path: what[0] for path, what in told(engine, server, calls, "FastHttpUser").items()}
        slow = {path: what[0] for path, what in told(engine, server, calls).items()}
    begin, cut = "error('Error -3 while decompressing data: incorrect", "incomplete or truncated stream')"
    assert fast["/cut"] == fast["/cut-deflate"] == f"error('Error -5 while decompressing data: {cut}"
    assert (fast["/sum"], fast["/none"]) == (f"{begin} data check')", f"{begin} header check')")
    assert fast["/behind"] == slow["/behind"] == slow["/cut"] == slow["/cut-deflate"] == "None"
    for path in ("/sum", "/none"):
        what = "Received response with content-encoding: gzip, but failed to decode it."
        assert slow[path] == f"ContentDecodingError(DecodeError('{what}', {fast[path]}))"


def test_who_asks_for_the_end_of_a_connection_does_not_use_it_again() -> None:
    """The server of the JDK closes behind such a request without saying so; a POST could come in between."""
    with ScriptedServer({"/closes": [OK, 0.05, CLOSE], "/stays": [OK]}) as server:
        close = {"headers": {"Connection": "Close"}}
        found = told(ENGINES[0], server, [("GET", "/closes", close), ("POST", "/stays", {}), ("POST", "/stays", {})])
    assert found == {"/closes": ["None", "200"], "/stays": ["None", "200"] * 2}
    assert server.connections == 2


def frames(data: bytes) -> list[tuple[int, int, bytes]]:
    """Type, flags and payload of the frames of HTTP/2 in `data`."""
    found = []
    while len(data) >= 9:
        size = int.from_bytes(data[:3])
        found.append((data[3], data[4], data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def test_long_bodies_wait_for_the_window_of_http2() -> None:
    """Go resets streams that exceed a window it has not told of yet; what is short goes with the head."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    bodies: list[list[int]] = []

    def serve(listener: socket.socket) -> None:
        for window_update in (b"\0\0\4\x08\0\0\0\0\1" + (40000).to_bytes(4), b""):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(0.5)
                data, sizes = b"", []
                for reply in (
                    b"\0\0\6\4\0\0\0\0\0\0\4" + (1000).to_bytes(4) + window_update,
                    b"\0\0\1\1\5\0\0\0\1\x88",
                ):
                    try:
                        while True:
                            data += connection.recv(65536)
                            if sum(len(body) for kind, _, body in frames(data[len(preface) :]) if kind == 0) >= 30000:
                                break
                    except TimeoutError:
                        pass
                    sizes.append(sum(len(body) for kind, _, body in frames(data[len(preface) :]) if kind == 0))
                    connection.sendall(reply)
                bodies.append(sizes)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        seen = ENGINES[0].snippet(
            "class U(HttpUser):\n host = sys.argv[1]; http2 = True\n"
            "for size in (30000, 900):\n"
            " note(U(Environment(user_classes=[U])).client.post('/', data=b'x' * size).status_code)\n"
            "out(log)",
            host,
        )
    assert seen == ["200", "200"]
    assert bodies == [[0, 30000], [900, 900]]


def test_silence_in_a_body_through_code_of_requests(engine: Engine) -> None:
    """API-165: calls that `requests` makes itself, here for its environment, fail in the same words."""
    with ScriptedServer({"/late": [LENGTH + b"abc", 2.0]}) as server:
        found = engine.snippet(
            "class U(HttpUser): host = sys.argv[1]\n"
            "user = U(Environment(user_classes=[U])); user.client.trust_env = True\n"
            "user.environment.events.request.add_listener(lambda exception, **_: note(type(exception).__name__))\n"
            "user.client.get('/late', timeout=0.3); out(log)",
            server.url,
        )
    assert found == ["ReadTimeoutError"]
