"""How many connections there are: of one user, and of users that share a pool. The servers here count."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.event
import gevent.pool
from gevent.server import StreamServer
from geventhttpclient.client import HTTPClientPool
from kit import Kit, kind_of, until
from locust import FastHttpUser, HttpUser
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from urllib3 import PoolManager


class Counting:
    """Answers after 20 ms and keeps connections; says how many came, and how many requests there were at a time. It
    waits with the first answer until so many requests are `together`."""

    def __init__(self, together: int = 1, **tls: Any) -> None:
        self.together = together
        self.are_together = gevent.event.Event()
        self.connections = self.open = self.under_way = self.most = self.requests = 0
        self.paths: list[str] = []
        self.answered: list[float] = []
        self.server = StreamServer(("127.0.0.1", 0), self.serve, **tls)
        self.server.start()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_port}"

    def serve(self, sock: Any, address: Any) -> None:
        self.connections += 1
        self.open += 1
        stream = sock.makefile("rb")
        with contextlib.suppress(OSError):
            while line := stream.readline():
                while stream.readline() not in (b"\r\n", b""):
                    pass
                path = line.split()[1].decode()
                self.paths.append(path)
                self.requests += 1
                self.under_way += 1
                self.most = max(self.most, self.under_way)
                if self.most >= self.together:
                    self.are_together.set()
                self.are_together.wait(50)
                gevent.sleep(float(path[7:]) if path.startswith("/sleep/") else 0.02)
                self.answered.append(time.monotonic())
                if path == "/slow-body":
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
                    gevent.sleep(0.1)
                    sock.sendall(b"cd")
                elif path == "/redirect":
                    sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")
                elif path != "/never":
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                else:
                    stream.read()
                self.under_way -= 1
        self.open -= 1


@contextlib.contextmanager
def _counting(together: int = 1) -> Iterator[Counting]:
    server = Counting(together)
    try:
        yield server
    finally:
        server.server.stop(0)


def _all_at_once(sessions: list[Any], path: str = "/", each: int = 6) -> list[Any]:
    pool = gevent.pool.Pool()
    jobs = [pool.spawn(session.get, path) for _ in range(each) for session in sessions]
    pool.join(60)
    return [job.value.status_code if job.value is not None else repr(job.exception) for job in jobs]


def _user(cls: type, server: Counting, **settings: Any) -> Any:
    return type("Made", (cls,), {"host": server.url, **settings})(Environment())


def concurrency_limits_greenlets(kit: Kit) -> Any:
    """API-193, API-214: of a user's greenlets at most `concurrency` have a connection, others wait in line. The default
    is 10, that of a session alone is 1; waiting is part of the response time."""
    told = []
    for settings in ({}, {"concurrency": 3}, {"concurrency": 1}, {"concurrency": 25}):
        with _counting(settings.get("concurrency", 10)) as server:
            user = _user(FastHttpUser, server, **settings)
            statuses = _all_at_once([user.client], each=30)
            told.append([settings, set(statuses) == {200}, server.most, server.connections])
            # What is free again is used again.
            _all_at_once([user.client], each=2)
            told[-1].append(server.connections)
    with _counting() as server:
        environment = Environment()
        times: list[float] = []
        environment.events.request.add_listener(lambda response_time, **_: times.append(response_time / 1000))
        alone = FastHttpSession(server.url, environment.events.request, None)
        calls = gevent.spawn(_all_at_once, [alone], "/sleep/0.05", each=4)
        until(lambda: server.requests)
        # By now all four have begun.
        begun = time.monotonic()
        calls.join(60)
        waited = [answered - begun for answered in server.answered]
        told += [server.most, server.connections, [took > least for took, least in zip(times, waited, strict=True)]]
    return told


def concurrency_with_bodies_and_redirects(kit: Kit) -> Any:
    """API-193, API-195, API-204: a streamed body keeps its connection until it is read; a redirect needs one anew."""
    told = []
    with _counting() as server:
        client = _user(FastHttpUser, server, concurrency=1).client
        response = client.get("/slow-body", stream=True)
        waiting = gevent.spawn(client.get, "/after")
        gevent.sleep(0.05)
        told += [list(server.paths), response.content.decode() if response.content else None]
        waiting.join(60)
        told += [server.paths[-1], server.connections]
        told += [_all_at_once([client], "/redirect", each=3), server.paths[-6:].count("/there"), server.connections]
    return told


def concurrency_after_failures(kit: Kit) -> Any:
    """API-193, API-203: a call that fails, or is ended, gives its connection back to those that wait."""
    with _counting() as server:
        client = _user(FastHttpUser, server, concurrency=1, network_timeout=1).client
        jobs = [gevent.spawn(client.get, path) for path in ("/never", "/one", "/never", "/two")]
        gevent.joinall(jobs, 60)
        told = [[job.value.status_code, job.value.error is not None] for job in jobs[::2]]
        told += [job.value.status_code for job in jobs[1::2]]
        stuck = gevent.spawn(client.get, "/never")
        waiting = [gevent.spawn(client.get, "/three"), gevent.spawn(client.get, "/four")]
        gevent.sleep(0.02)
        waiting[0].kill()
        stuck.kill()
        waiting[1].join(60)
        return [*told, waiting[1].value.status_code, server.paths[-1], "/three" in server.paths]


def concurrency_of_an_unusual_kind(kit: Kit) -> Any:
    """API-193: fewer than none is refused."""
    environment = Environment()
    return [kind_of(FastHttpSession(kit.url, environment.events.request, None, concurrency=-1).get, "/")
            if kind_of(FastHttpSession, kit.url, environment.events.request, None, concurrency=-1) is None
            else "ValueError"]  # fmt: skip


def client_pool_is_shared(kit: Kit) -> Any:
    """API-193, API-194, API-16: users with one client_pool share its limit and its connections; its close() and its
    settings count; cookies stay each user's own."""
    told = []
    for most in (1, 4):
        with _counting(most) as server:
            pool = HTTPClientPool(concurrency=most)
            users = [_user(FastHttpUser, server, client_pool=pool, concurrency=7) for _ in range(6)]
            statuses = _all_at_once([user.client for user in users], each=2)
            told.append([set(statuses) == {200}, server.most, server.connections, server.open])
            told.append([users[0].client.client.clientpool is pool, users[0].client.client is users[1].client.client])
            # A user that goes leaves the connections to the others.
            del users[1:]
            _all_at_once([users[0].client], each=1)
            told.append(server.connections)
            pool.close()
            until(lambda server=server: server.open == 0)
            told.append([_all_at_once([users[0].client], each=1), server.connections - most])
    with _counting() as server:
        pool = HTTPClientPool(network_timeout=0.1, headers={"X-Pool": "1"})
        user = _user(FastHttpUser, server, client_pool=pool, network_timeout=50)
        begin = time.monotonic()
        told.append([user.client.get("/never").status_code, time.monotonic() - begin < 40])
    return told


def pool_manager_is_shared(kit: Kit) -> Any:
    """API-170, API-152: with block=True at most maxsize connections are there for all users; without it as many as are
    needed, of which maxsize are kept."""
    told = []
    for most, kept, settings in (
        (1, 1, {"maxsize": 1, "block": True}),
        (3, 3, {"maxsize": 3, "block": True}),
        (5, 3, {"maxsize": 3}),
        (5, 5, {}),
    ):
        with _counting(most) as server:
            manager = PoolManager(**settings)
            users = [_user(HttpUser, server, pool_manager=manager) for _ in range(5)]
            statuses = _all_at_once([user.client for user in users], each=1)
            until(lambda server=server, kept=kept: server.open == kept)
            told.append([set(statuses) == {200}, server.most, server.connections])
            for user in users:
                user.client.get("/again")
            told.append(server.connections)
            # Streamed bodies have theirs until they are read; a pool with other settings is urllib3's own.
            session = HttpSession(server.url, users[0].environment.events.request, None, pool_manager=manager)
            streamed = session.get("/slow-body", stream=True)
            told.append([streamed.content.decode(), session.get("/last").text])
    with _counting() as server:
        manager = PoolManager(maxsize=1, block=True, headers={"X-Own": "1"}, timeout=3)
        users = [_user(HttpUser, server, pool_manager=manager) for _ in range(3)]
        told.append([_all_at_once([user.client for user in users], each=1), server.most, server.connections])
    return told


def own_contexts(kit: Kit) -> Any:
    """API-193, API-194: how a ssl_context_factory is called, and what `insecure` makes of the context it gives; it
    limits connections too."""
    with tempfile.TemporaryDirectory() as folder:
        pair = [f"{folder}/cert.pem", f"{folder}/key.pem"]
        subject = ["-subj", "/CN=other", "-addext", "subjectAltName=DNS:other", "-days", "2"]
        files = ["-out", pair[0], "-keyout", pair[1]]
        new_key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        subprocess.run([*new_key, *subject, *files], check=True, capture_output=True)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*pair)
        server = Counting(ssl_context=context)
    told = []

    def called(*args: Any, **kwargs: Any) -> Any:
        kit.note(args, sorted(kwargs))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def no_arguments() -> Any:
        return ssl._create_unverified_context()

    environment = Environment()
    for factory in (called, no_arguments, ssl.create_default_context, ssl._create_unverified_context, None):
        for insecure in (True, False):
            event = environment.events.request
            client = FastHttpSession(server.url, event, None, insecure, None, factory, concurrency=2)
            response = client.get("/")
            told.append([response.status_code, type(getattr(response, "error", None)).__name__])
            if response.ok and response.status_code:
                before = server.connections
                told[-1] += [_all_at_once([client], each=5), server.connections - before]
    pool = HTTPClientPool(concurrency=1, insecure=True, ssl_context_factory=no_arguments)
    clients = [FastHttpSession(server.url, environment.events.request, None, client_pool=pool) for _ in range(3)]
    before = server.connections
    told += [_all_at_once(clients, each=1), server.connections - before, kit.log]
    strict = FastHttpSession(server.url, environment.events.request, None, client_pool=HTTPClientPool())
    told.append(type(strict.get("/").error).__name__)
    server.server.stop(0)
    return told
