"""Servers in the process of the locustfile itself, for what the target does not do."""

import hashlib
import re

import gevent
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer

state = {"infinite": "not asked", "pieces": 0}


def digest(words):
    return hashlib.md5(":".join(words).encode()).hexdigest()


def application(environ, start):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/digest":
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', environ.get("HTTP_AUTHORIZATION", "")))
        if given:
            secret, place = (
                digest([given["username"], "r", "secret"]),
                digest([environ["REQUEST_METHOD"], given["uri"]]),
            )
            if given["response"] == digest([secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], place]):
                start("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "digest=done")])
                return [environ["REQUEST_METHOD"].encode(), environ["wsgi.input"].read()]
        start("401 Unauthorized", [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5')])
        return [b"who?"]
    if path == "/events":
        start("200 OK", [("Content-Type", "text/event-stream; charset=utf-8")])
        return events()
    if path == "/infinite":
        start("200 OK", [("Content-Type", "application/octet-stream")])
        return infinite()
    if path == "/infinite-state":
        start("200 OK", [("Content-Type", "text/plain")])
        return [state["infinite"].encode()]
    if path == "/upload":
        read, sizes = environ["wsgi.input"].read, []
        while piece := read(3):
            sizes.append(len(piece))
        start("200 OK", [("Content-Type", "text/plain")])
        kind = environ.get("HTTP_TRANSFER_ENCODING") or environ.get("CONTENT_LENGTH")
        return [f"{sum(sizes)} {kind} {state['pieces']}".encode()]
    if path == "/set":
        lines = query.replace("%20", " ").split("&")
        start("200 OK", [("Content-Type", "text/plain"), *(("Set-Cookie", line) for line in lines)])
        return [environ.get("HTTP_COOKIE", "").encode()]
    if path == "/links":
        link = '<https://x/?page=2>; rel="next", <https://x/?page=9>; rel=last'
        start("200 OK", [("Content-Type", "text/html; charset=iso-8859-15"), ("Link", link)])
        return ["caf\u00e9 \u20ac".encode("iso-8859-15")]
    if path == "/headers":
        start("200 OK", [("Content-Type", "text/plain")])
        return [str(sum(name.startswith("HTTP_X_MANY") for name in environ)).encode()]
    if path == "/closing":
        start("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
        return [b"bye"]
    start("200 OK", [("Content-Type", "text/plain"), ("X-Auth", environ.get("HTTP_AUTHORIZATION", "none"))])
    return [f"{path}?{query} {environ.get('HTTP_COOKIE', '')}".encode()]


def events():
    for number in range(3):
        yield f"data: {number}\n\n".encode()
        gevent.sleep(0.1)


def infinite():
    state["infinite"] = "sending"
    try:
        while True:
            yield b"x" * 10000
            gevent.sleep(0.001)
    finally:
        state["infinite"] = "gone"


def proxy(socket, _address):
    """Forwards one request, or makes a tunnel."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = socket.recv(65536)
        if not piece:
            return
        data += piece
    head = data.decode("latin1")
    method, url = head.split(" ", 2)[:2]
    if b"refuse:me" in data or "cmVmdXNlOm1l" in head:
        socket.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return
    if method == "CONNECT":
        socket.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        return
    told = re.search(r"Proxy-Authorization: (.*)\r", head)
    body = f"{method} {url} {told[1] if told else ''}".encode()
    socket.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def start_servers():
    """Their URLs: of the application, and of the proxy."""
    server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
    server.start()
    forwarder = StreamServer(("127.0.0.1", 0), proxy)
    forwarder.start()
    return f"http://127.0.0.1:{server.server_port}", f"http://127.0.0.1:{forwarder.server_port}"
