"""requests' own machinery on the engine's connections.

The C core does not do everything that a session can be asked for (uploads and downloads piece by piece, authentication
classes, hooks, prepared requests, ...). requests and urllib3 do the rest, with a socket of ours. So names, TLS,
kept-alive connections and time stamps are the session's, whatever way a request goes.
"""

from __future__ import annotations

import io
import os
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import requests.adapters
import urllib3.connection
import urllib3.connectionpool
from gevent.monkey import get_original
from locust.clients import LocustHttpAdapter
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from . import _failure
from ._call import tls_capsule
from ._session import has_own_connections

_BUFFER_SIZE = 16384
# As Wire.timings; the last two are when the last bytes arrived, and the response time.
Timings = tuple[int, int, int, int, int, int, int, int, int]
# The standard library's, which monkey patching makes one of greenlets.
_ThreadLocal: Any = get_original("_thread", "_local")


class Socket:
    """As much of a socket as http.client wants, on a connection of a session."""

    def __init__(self, wire: Any, timeout: float | None) -> None:
        self._wire = wire
        self._timeout = timeout
        self._reader_count = 0
        self._is_closed = False
        self.http_version = int(wire.http_version)
        self._timings: Timings | None = None

    @property
    def timings(self) -> Timings | None:
        """The times of the connection and of what went over it, also when it is closed."""
        return self._timings or self._wire.timings

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def sendall(self, data: Any, flags: int = 0) -> None:
        self._wire.sendall(data, self._timeout)

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        return int(self._wire.recv_into(memoryview(buffer)[:size] if size else buffer, self._timeout))

    def makefile(self, mode: str = "r", *_: Any, **__: Any) -> io.BufferedReader:
        self._reader_count += 1
        # As the standard library's sockets, of which SocketIO uses what this class has.
        return io.BufferedReader(socket.SocketIO(cast(socket.socket, self), "r"), _BUFFER_SIZE)

    def _decref_socketios(self) -> None:
        self._reader_count -= 1
        if self._is_closed:
            self.close()

    def shutdown(self, how: int) -> None:
        """Tells whoever reads that nothing comes any more."""
        self._leave(is_clean=False)

    def close(self) -> None:
        self._is_closed = True
        if self._reader_count <= 0:
            self._leave(is_clean=False)

    def give_back(self) -> None:
        """A whole response was read: the session may use the connection for what comes next."""
        self._is_closed = True
        self._leave(is_clean=True)

    def _leave(self, is_clean: bool) -> None:
        self._timings = self.timings
        self._wire.close(is_clean)


class _Connecting(urllib3.connection.HTTPConnection):
    """Opens connections of a session instead of sockets; `open_wire` is the session's method."""

    def __init__(self, *args: Any, open_wire: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open_wire = open_wire

    def connect(self) -> None:
        # A proxy that is reached over TLS is more than the session's connections can do.
        if self.proxy is not None and self.proxy.scheme != "http":
            super().connect()
            return
        opened = self._open()
        if opened is None:
            super().connect()
            return
        if isinstance(opened, tuple):
            self._fail(*opened)
        self.sock = Socket(opened, self.timeout)
        self._has_connected_to_proxy = self.proxy is not None
        if self.proxy is not None:
            self.proxy_is_verified = False

    def _open(self) -> Any:
        """A connection, or the reason why there is none, or None on a thread other than the engine's."""
        scheme, host, port = "http", self._dns_host, self.port
        proxy = None
        if self._tunnel_host is not None:
            host, port = self._tunnel_host, self._tunnel_port or 443
            assert self.proxy is not None
            proxy = self.proxy.url
        tls = None
        if isinstance(self, urllib3.connection.HTTPSConnection):
            scheme, tls = "https", self._tls()
            self.is_verified = self.cert_reqs not in ("CERT_NONE", ssl.CERT_NONE)
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return self._open_wire(f"{scheme}://{shown}:{port}/", tls, proxy or "", self.timeout)

    def _tls(self) -> Any:
        raise NotImplementedError

    def _fail(self, kind: str, number: int, text: str) -> None:
        """Raises what urllib3 raises for a connection that could not be made."""
        if kind == "DNS":
            unknown = _failure.resolve_error(number, text)
            raise NameResolutionError(self.host, self, unknown) from unknown
        if kind == "CONNECT_TIMEOUT":
            late = TimeoutError("timed out")
            if text.startswith("TLS handshake"):
                raise late
            message = f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
            raise ConnectTimeoutError(self, message) from late
        if kind == "TLS" and number:
            raise OSError(number, os.strerror(number))
        if kind in ("TLS", "TLS_UNTRUSTED"):
            raise _failure.tls_error(kind, text)
        if kind == "PROXY":
            refused = _failure.proxy_error(number, text)
            if not refused.errno:
                raise refused
            number = refused.errno
        cause = OSError(number, os.strerror(number)) if number else OSError(text)
        raise NewConnectionError(self, f"Failed to establish a new connection: {cause}") from cause

    def getresponse(self) -> Any:
        sock = self.sock
        response: Any = super().getresponse()
        if isinstance(sock, Socket) and sock.http_version == 20:
            # http.client only knows HTTP/1.1, in which such a stream is told to it.
            response.version, response.version_string = 20, "HTTP/2"
        response._cload_socket = sock  # knows when the last bytes came
        return response


# urllib3's names are those of the classes it replaces: they are in the texts of exceptions.
class HTTPConnection(_Connecting):
    pass


class HTTPSConnection(_Connecting, urllib3.connection.HTTPSConnection):
    def _tls(self) -> Any:
        is_checked = self.cert_reqs not in ("CERT_NONE", ssl.CERT_NONE)
        verify: Any = (self.ca_certs or self.ca_cert_dir or True) if is_checked else False
        cert: Any = (self.cert_file, self.key_file) if self.key_file else self.cert_file
        return tls_capsule(verify, cert)


class _Pooling(urllib3.connectionpool.HTTPConnectionPool):
    """A pool whose connections go back to the session when they are not in use."""

    def __init__(self, host: str, port: int | None = None, *, open_wire: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(host, port, **kwargs)
        self._open_wire = open_wire

    def _connection_class(self, own: Any, usual: Any) -> Any:
        """`usual` is urllib3's, or what somebody put in its place to record or play what is said."""
        return usual if has_own_connections() else partial(own, open_wire=self._open_wire)

    def _put_conn(self, conn: Any) -> None:
        sock = getattr(conn, "sock", None)
        if isinstance(sock, Socket):
            # http.client's own mark: a response that is not read to its end is still on the connection.
            unread = getattr(conn, "_HTTPConnection__response", None)
            if unread is None or unread.isclosed():
                sock.give_back()
            conn.close()
        super()._put_conn(conn)


class HTTPConnectionPool(_Pooling):
    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]
        return self._connection_class(HTTPConnection, urllib3.connectionpool.HTTPConnectionPool.ConnectionCls)


class HTTPSConnectionPool(_Pooling, urllib3.connectionpool.HTTPSConnectionPool):
    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]
        return self._connection_class(HTTPSConnection, urllib3.connectionpool.HTTPSConnectionPool.ConnectionCls)


def _open_wire(session: weakref.ref[Any], *args: Any) -> Any:
    """The session's method; None if it is gone."""
    alive = session()
    return None if alive is None else alive._open_wire(*args)


class SessionAdapter(LocustHttpAdapter):
    """The adapter that sessions have from the start."""

    def __init__(self, session: Any = None, **kwargs: Any) -> None:
        # Of a copy that was pickled no session is known: it makes connections as every HTTPAdapter does.
        # Weakly: urllib3 keeps its idle connections, and so what they know, for as long as the pool that has them.
        self._session = None if session is None else weakref.ref(session)
        self._own = _ThreadLocal()
        super(LocustHttpAdapter, self).__init__(**kwargs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._session = None
        self._own = _ThreadLocal()
        super().__setstate__(state)

    # gevent's sockets belong to the thread that opened them, so each thread of the operating system has its own pools.
    @property
    def poolmanager(self) -> Any:
        if not hasattr(self._own, "poolmanager"):
            self.init_poolmanager(self._pool_connections, self._pool_maxsize, block=self._pool_block)
        return self._own.poolmanager

    @poolmanager.setter
    def poolmanager(self, manager: Any) -> None:
        self._own.poolmanager = manager

    @property
    def proxy_manager(self) -> Any:
        if not hasattr(self._own, "proxy_manager"):
            self._own.proxy_manager = {}
        return self._own.proxy_manager

    @proxy_manager.setter
    def proxy_manager(self, managers: Any) -> None:
        self._own.proxy_manager = managers

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super(LocustHttpAdapter, self).init_poolmanager(*args, **kwargs)
        self._use_session(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            self._use_session(manager)
        return manager

    def _use_session(self, manager: Any) -> None:
        if self._session is not None:
            open_wire = partial(_open_wire, self._session)
            manager.pool_classes_by_scheme = {
                "http": partial(HTTPConnectionPool, open_wire=open_wire),
                "https": partial(HTTPSConnectionPool, open_wire=open_wire),
            }


def timings_of(response: requests.Response) -> Timings | None:
    """The times of the last hop of a response; None: not known."""
    sock = getattr(response.raw, "_cload_socket", None)
    return sock.timings if isinstance(sock, Socket) else None


def times_of(made: requests.Response | None, start_ns: int) -> tuple[float, float, Timings | None]:
    """When a call began (as listeners understand it), its response time in ms, and the times of its last hop.

    Of a call that failed (None), or went over somebody else's connection, the time is that since start_ns.
    """
    hops = [] if made is None else [timings_of(hop) for hop in (*made.history, made)]
    known = [hop for hop in hops if hop and hop[-2]]
    now, now_ns = time.time(), time.monotonic_ns()
    if not known or len(known) < len(hops):
        return now - (now_ns - start_ns) / 1e9, (now_ns - start_ns) / 1e6, hops[-1] if hops else None
    taken_ns = sum(hop[-1] for hop in known)
    # What requests' own code did before it wanted a connection is ours as well.
    last_began_ns = start_ns if len(known) == 1 else known[-2][-2]
    last = (last_began_ns, *known[-1][1:])
    return now - (now_ns - known[-1][-2] + taken_ns) / 1e9, taken_ns / 1e6, last
