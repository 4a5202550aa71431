"""What other servers were found to do that our own target does not, from a server that says it byte by byte."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from certs import Certs
from oracle import ENGINES, Engine
from scripted import CLOSE, ScriptedServer, Step

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

# Calls each of `calls`, [method, path, keywords], and tells the status and the failure that was recorded.
CALLS = """
import re
calls, host, kind, is_at_once = json.loads(sys.argv[1])
class U(getattr(locust, kind)):
    host = host
    network_timeout = 60
def heard(name, exception, **_):
    note(name, re.sub(r"port=\\d+", "port", repr(exception)))
user = U(Environment(user_classes=[U]))
user.environment.events.request.add_listener(heard)
def call(method, path, keywords):
    note(path, user.client.request(method, path, name=path, **keywords).status_code)
if is_at_once:
    gevent.joinall([gevent.spawn(call, *one) for one in calls], raise_error=True)
else:
    for one in calls: call(*one)
out(log)
"""


def told(
    engine: Engine,
    server: ScriptedServer,
    calls: list[tuple[str, str, dict[str, object]]],
    kind: str = "HttpUser",
    is_at_once: bool = False,
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in engine.snippet(CALLS, json.dumps([calls, server.url, kind, is_at_once])):
        path, _, what = line.partition(" ")
        found.setdefault(path, []).append(what)
    return found


def test_bodies_that_end_early(engine: Engine) -> None:
    """API-164, API-165: between chunks, in a chunk, and by silence, in urllib3's words; timeouts as given."""
    answers = {
        "/between": [CHUNKED + b"3\r\nabc\r\n", CLOSE],
        "/within": [CHUNKED + b"2\r\nok\r\n5\r\nabc", CLOSE],
        "/within-large": [CHUNKED + b"5000\r\n" + b"a" * 15000, CLOSE],
        "/late": [LENGTH + b"abc", 60.0],
        "/late-chunk": [CHUNKED + b"5\r\nabc", 60.0],
        "/late-head": [60.0],
    }
    with ScriptedServer(answers) as server:
        # Longer than the server may need for what it sends at all.
        late: dict[str, object] = {"timeout": 3}
        calls: list[tuple[str, str, dict[str, object]]] = [
            ("GET", path, late if "late" in path else {}) for path in answers
        ]
        found = told(engine, server, calls, is_at_once=True)
    pool = "HTTPConnectionPool(host='127.0.0.1', port): Read timed out."
    assert found["/between"] == ["ChunkedEncodingError(ProtocolError('Response ended prematurely'))", "0"]
    assert found["/within"][0].startswith("ChunkedEncodingError(ProtocolError('Connection broken: IncompleteRead(3 by")
    assert "2 more expected" in found["/within"][0]
    assert "IncompleteRead(4760 bytes read, 5480 more expected)" in found["/within-large"][0]
    assert found["/late"] == found["/late-chunk"] == [f'ReadTimeoutError("{pool}")', "0"]
    assert found["/late-head"] == [f'ReadTimeout(ReadTimeoutError("{pool} (read timeout=3)"))', "0"]


def test_chunks_without_their_last_line(engine: Engine) -> None:
    """API-164: servers that close right after the last chunk, or in its trailers, have said all."""
    answers = {
        "/last": [CHUNKED + b"2\r\nok\r\n0\r\n", CLOSE],
        "/trailer": [CHUNKED + b"2\r\nok\r\n0\r\nA: b\r\n", CLOSE],
    }
    with ScriptedServer(answers) as server:
        found = told(engine, server, [("GET", path, {}) for path in answers])
    assert found == {path: ["None", "200"] for path in answers}


def test_urls_of_fast_users(engine: Engine) -> None:
    """API-206: brackets, a lone '%' and escapes are sent as they are, and line ends (of URLs from files) not."""
    asked = {
        "/a?filter[x][]=1&y={z}": "/a?filter[x][]=1&y=%7Bz%7D",
        "/a?r=100%": "/a?r=100%",
        "/%2fb%2D?q=%c3%a9": "/%2fb-?q=%c3%a9",
        "/a?no=%escape&x=%2f": "/a?no=%25escape&x=%252f",
        "/li\tne\r\n": "/line",
    }
    with ScriptedServer({path.partition("?")[0]: [OK] for path in asked.values()}) as server:
        told(engine, server, [("GET", path, {}) for path in asked], "FastHttpUser")
        assert [request.split()[1].decode() for request in server.requests] == list(asked.values())


def test_hosts_as_dns_knows_them(engine: Engine) -> None:
    """API-172: names in other scripts are told, and have their cookies, as DNS knows them; a last dot is not sent."""
    plain, other = "http://xn--bcher-kva.test/", "http://B\u00fccher.test/"
    with ScriptedServer({plain: [OK.replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\n", 1)], "/": [OK]}) as server:
        found = engine.snippet(
            "class U(HttpUser): host = ''\n"
            "client = U(Environment(user_classes=[U])).client\n"
            "for url in sys.argv[2:4]: note(client.get(url, proxies={'http': sys.argv[1]}).url)\n"
            "note(client.get(sys.argv[4]).status_code)\n"
            "out(log)",
            server.url,
            other,
            plain,
            server.url.replace("127.0.0.1", "localhost.") + "/",
        )
    assert found == [plain, plain, "200"]
    assert [b"Cookie: a=b" in request for request in server.requests] == [False, True, False]
    assert b"\r\nHost: localhost:" in server.requests[2]


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


def test_servers_that_close_without_a_word() -> None:
    """API-164: uWSGI and Erlang's httpd do so behind each response; a POST meets that once, not over and over."""
    with ScriptedServer({"/": [OK, 0.002, CLOSE]}) as server:
        found = told(ENGINES[0], server, [("POST", "/", {})] * 30)
    assert found["/"].count("200") >= 26
    with ScriptedServer({"/": [OK]}) as server:
        told(ENGINES[0], server, [("POST", "/", {})] * 30)
    assert server.connections == 1


def test_proxies_that_are_none(engine: Engine) -> None:
    """API-165, API-172: a name that is unknown, nobody there, an end instead of an answer to CONNECT."""
    target = "https://127.0.0.1:9"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = f"https://127.0.0.1:{listener.getsockname()[1]}"
    with ScriptedServer({"127.0.0.1:9": [CLOSE]}) as server:
        proxies = {"unknown": "http://nowhere.invalid:80", "refused": gone, "closed": server.url}
        calls: list[tuple[str, str, dict[str, object]]] = [
            ("GET", f"{target}/{name}", {"proxies": {"https": proxy}}) for name, proxy in proxies.items()
        ]
        found = told(engine, server, calls)
    assert found[f"{target}/unknown"] == ["gaierror(-2, 'Name or service not known')", "0"]
    assert found[f"{target}/refused"] == ["ConnectionRefusedError(111, 'Connection refused')", "0"]
    ended = "RemoteDisconnected('Remote end closed connection without response')"
    assert found[f"{target}/closed"] == [ended, "0"]


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
        for size, window_update in ((30000, b"\0\0\4\x08\0\0\0\0\1" + (40000).to_bytes(4)), (900, b"")):
            connection, _ = listener.accept()
            with connection:
                data, sizes = b"", []

                def sent() -> dict[int, int]:
                    """Bytes by the kind of frame: 0 is the body, 1 the head."""
                    found: dict[int, int] = {}
                    for kind, _, content in frames(data[len(preface) :]):  # noqa: B023
                        found[kind] = found.get(kind, 0) + len(content)
                    return found

                for least, reply in (
                    (0 if window_update else size, b"\0\0\6\4\0\0\0\0\0\0\4" + (1000).to_bytes(4) + window_update),
                    (size, b"\0\0\1\1\5\0\0\0\1\x88"),
                ):
                    while 1 not in sent() or sent().get(0, 0) < least:
                        connection.settimeout(60)
                        data += connection.recv(65536)
                    # More than that does not come.
                    connection.settimeout(0.3)
                    with contextlib.suppress(TimeoutError):
                        data += connection.recv(65536)
                    sizes.append(sent().get(0, 0))
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


def test_large_heads(engine: Engine) -> None:
    """API-164, API-165: http.client takes lines of 64 KB, and geventhttpclient any."""
    rest = b"\r\nContent-Length: 2\r\n\r\nok"
    answers: dict[str, list[Step]] = {
        "/line": [b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 300_000 + rest],
        "/lines": [b"HTTP/1.1 200 OK\r\n" + b"\r\n".join(b"X-%d: a" % i for i in range(1000)) + rest],
        "/reason": [b"HTTP/1.1 200 " + b"a" * 70_000 + rest],
        "/interim": [b"HTTP/1.1 100 Continue\r\n\r\n" * 300 + b"HTTP/1.1 200 OK" + rest],
    }
    calls: list[tuple[str, str, dict[str, object]]] = [("GET", path, {}) for path in answers]
    with ScriptedServer(answers) as server:
        fast = told(engine, server, calls, "FastHttpUser")
        plain = told(engine, server, calls)
    assert fast == {path: ["None", "200"] for path in answers}
    assert [plain[path][1] for path in answers] == ["0", "0", "0", "200"]


def test_silence_in_a_body_through_code_of_requests(engine: Engine) -> None:
    """API-165: calls that `requests` makes itself, here for its environment, fail in the same words."""
    with ScriptedServer({"/late": [LENGTH + b"abc", 60.0]}) as server:
        found = engine.snippet(
            "class U(HttpUser): host = sys.argv[1]\n"
            "user = U(Environment(user_classes=[U])); user.client.trust_env = True\n"
            "user.environment.events.request.add_listener(lambda exception, **_: note(type(exception).__name__))\n"
            "user.client.get('/late', timeout=1.2); out(log)",
            server.url,
        )
    assert found == ["ReadTimeoutError"]


# Calls of both users, [name, URL, keywords of HttpUser], the words of what was recorded, and what was raised.
TLS_CALLS = """
import re
def heard(name, exception, **_):
    shown = f"{type(exception).__name__} {exception}"
    note(name, re.sub(r" \\(_ssl.c:\\d+\\)|, port=\\d+", "", shown))
for kind in (HttpUser, locust.FastHttpUser):
    class U(kind):
        host = ""
        network_timeout = connection_timeout = 0.4
    user = U(Environment(user_classes=[U]))
    user.environment.events.request.add_listener(heard)
    for name, url, keywords in json.loads(sys.argv[1]):
        if kind is HttpUser:
            try:
                response = user.client.get(url, name=name, **{"timeout": 0.4, "verify": False, **keywords})
                note(name, type(response.error).__name__, response.text)
            except Exception as error:
                note(name, "raised", type(error).__name__)
        elif not keywords:
            user.client.get(url, name=name)
out(log)
"""


@contextmanager
def peers(serve: dict[str, Callable[[socket.socket], object]]) -> Iterator[dict[str, str]]:
    """URLs of servers that do with each connection what is told; those whose function takes long end with the test."""

    def accept(listener: socket.socket, function: Callable[[socket.socket], object]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection, function), daemon=True).start()

    def one(connection: socket.socket, function: Callable[[socket.socket], object]) -> None:
        with connection:
            connection.settimeout(5)
            with suppress(OSError):
                function(connection)

    with ExitStack() as stack:
        urls = {}
        for name, function in serve.items():
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=accept, args=(listener, function), daemon=True).start()
            urls[name] = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        yield urls


def said(engine: Engine, calls: list[tuple[str, str, dict[str, object]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in engine.snippet(TLS_CALLS, json.dumps(calls)):
        name, _, what = line.partition(" ")
        found.setdefault(name, []).append(what.rstrip())
    return found


def hello(connection: socket.socket, answer: bytes = b"") -> None:
    connection.recv(65536)
    connection.sendall(answer)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def test_words_of_failures_under_tls(engine: Engine, certs: Certs) -> None:
    """API-164, API-165, API-203: those of Python's ssl, in the class that each phase makes of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.server.cert, certs.server.key)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.deprecated_call():
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.load_cert_chain(certs.server.cert, certs.server.key)

    def behind(answer: bytes, raw: bytes) -> Callable[[socket.socket], object]:
        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(65536)
                if answer:
                    tls.sendall(answer)
                if raw:
                    with socket.socket(fileno=tls.detach()) as under:
                        under.sendall(raw)
                        time.sleep(0.2)
                elif not answer:
                    reset(tls)
                else:
                    time.sleep(1)

        return serve

    serve: dict[str, Callable[[socket.socket], object]] = {
        "alert": lambda connection: hello(connection, b"\x15\x03\x03\0\2\2\x28"),
        "old": lambda connection: old.wrap_socket(connection, server_side=True),
        "plain": lambda connection: hello(connection, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "gone": hello,
        "reset": lambda connection: (hello(connection), reset(connection)),
        "silent": lambda connection: (hello(connection), time.sleep(1)),
        "garbage": behind(b"", b"\x17\3\3\0\x20" + bytes(32)),
        "broken-body": behind(LENGTH + b"abc", b"\x15\3\3\0\2\2\x28"),
        "reset-behind": behind(b"", b""),
        "late-body": behind(LENGTH + b"abc", b""),
    }
    with peers(serve) as urls:
        found = said(engine, [(name, url, {}) for name, url in urls.items()])
    refused = "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure"
    pool = "HTTPSConnectionPool(host='127.0.0.1'): Read timed out."
    ended = "Remote end closed connection without response"
    closed = "TLS/SSL connection has been closed (EOF)"
    # What is counted, and the class that the response holds, of HttpUser; then what is counted of FastHttpUser.
    assert found["alert"] == [f"SSLError {refused}", "SSLError", f"SSLError {refused}"]
    assert found["old"][0] == "SSLError [SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version"
    assert found["plain"][::2] == ["SSLError [SSL: WRONG_VERSION_NUMBER] wrong version number"] * 2
    assert found["gone"] == [f"SSLError {closed}", "SSLError", f"SSLZeroReturnError {closed}"]
    assert found["reset"][0] == found["reset"][2] == "ConnectionResetError [Errno 104] Connection reset by peer"
    assert found["reset"][1] == "ConnectionError"
    assert found["silent"][:2] == [f"ReadTimeout {pool} (read timeout=0.4)", "ReadTimeout"]
    assert found["silent"][2].endswith("original=The handshake operation timed out")
    assert (
        found["garbage"][0] == "SSLError [SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed or bad record mac"
    )
    assert found["broken-body"][:2] == ["SSLError [SSL: BAD_RECORD_TYPE] bad record type", "SSLError"]
    assert found["reset-behind"][:2] == [f"RemoteDisconnected {ended}", "ConnectionError"]
    assert found["late-body"][2] == "TimeoutError The read operation timed out"


def test_uploads_that_are_cut_under_tls(engine: Engine, certs: Certs) -> None:
    """API-165, API-202: who still sends is told of an end that breaks the protocol, as when a server refuses a size."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.server.cert, certs.server.key)

    def cut(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(65536)
            reset(tls)

    with peers({"cut": cut}) as urls:
        found = engine.snippet(
            "def heard(exception, **_): note(type(exception).__name__, str(exception).partition(' (_ssl')[0])\n"
            "for kind in (HttpUser, locust.FastHttpUser):\n"
            " class U(kind): host = sys.argv[1]\n"
            " user = U(Environment(user_classes=[U]))\n"
            " user.environment.events.request.add_listener(heard)\n"
            " user.client.verify = False\n"
            " note(type(user.client.post('', data=bytes(30_000_000)).error).__name__)\n"
            "out(log)",
            urls["cut"],
        )
    ended = "SSLEOFError EOF occurred in violation of protocol"
    assert found == [ended, "SSLError", ended, "SSLEOFError"]


def test_what_is_checked_of_certificates(engine: Engine, certs: Certs) -> None:
    """API-164, API-171, API-172: names in the right place, unusable files, an empty `verify`."""
    contexts = []
    for pair in (certs.server, certs.other_name, certs.common_name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        contexts.append(context)

    def answer(context: ssl.SSLContext) -> Callable[[socket.socket], object]:
        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(65536)
                tls.sendall(OK)

        return serve

    with peers({"own": answer(contexts[0]), "other": answer(contexts[1]), "common": answer(contexts[2])}) as urls:
        named = {name: url.replace("127.0.0.1", "localhost") for name, url in urls.items()}
        ca = {"verify": str(certs.ca)}
        found = said(
            engine,
            [
                ("other", named["other"], ca),
                ("common", named["common"], ca),
                ("empty", urls["own"], {"verify": ""}),
                ("no-ca", urls["own"], {"verify": str(certs.ca.with_name("server.ext"))}),
                ("no-cert", urls["own"], {"cert": str(certs.ca.with_name("server.ext"))}),
                ("missing", urls["own"], {"verify": "missing.pem"}),
            ],
        )
    mismatch = "Hostname mismatch, certificate is not valid for 'localhost'."
    for name in ("other", "common"):
        assert found[name][0] == f"SSLError [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {mismatch}"
    assert found["empty"] == ["NoneType None", "NoneType ok"]
    for name in ("no-ca", "no-cert"):
        assert found[name][0].startswith("SSLError ") and found[name][1] == "SSLError"
    assert found["missing"] == ["raised OSError"]
