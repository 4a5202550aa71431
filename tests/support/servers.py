"""Servers to run tests against: our own target and real nginx. Each is a context manager that ends what it began."""

import fcntl
import functools
import http.client
import json
import os
import random
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from certs import Certs, Pair

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CLOAD_BUILD", ROOT / "build"))


@functools.cache
def _ports() -> tuple[int, list[int]]:
    """A file whose byte N the process locks that has been given port N; and ports, in an order of its own, that the
    system gives to nobody who asks for any: neither a connection nor a server of another test gets one of them."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [port for port in range(10000, 65536) if not first <= port <= last]
    random.SystemRandom().shuffle(ports)
    path = Path(tempfile.gettempdir()) / f"cload-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), ports


def free_port() -> int:
    """A TCP port nobody listens on now, and nobody but who got it here will while this process lives. Where a test
    needs a refused connection, this is one."""
    locks, ports = _ports()
    while ports:
        port = ports.pop()
        try:
            fcntl.lockf(locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            continue
        return port
    raise RuntimeError("this process has had every port there is")


def wait_for_port(port: int, process: subprocess.Popen[Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 10).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Server:
    process: subprocess.Popen[Any] | None = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Target(Server):
    """tests/support/target.c on a port of its own."""

    def __init__(
        self,
        pair: Pair | None = None,
        client_ca: Path | None = None,
        delay_ms: int = 0,
        command_prefix: tuple[str, ...] = (),
    ) -> None:
        command = [*command_prefix, str(BUILD / "tests/support/target"), "--port", "0", "--delay-ms", str(delay_ms)]
        if pair is not None:
            command += ["--cert", str(pair.cert), "--key", str(pair.key)]
        if client_ca is not None:
            command += ["--client-ca", str(client_ca)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"{command} did not start")
        self.port = int(self.url.rpartition(":")[2])

    def counters(self) -> dict[str, int]:
        """`requests` (this one included), `connections` so far and those still `open`; not for TLS."""
        with urllib.request.urlopen(self.url + "/counter", timeout=60) as response:
            counters: dict[str, int] = json.load(response)
            return counters


NGINX_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 65536;
events {{
    worker_connections 30000;
    multi_accept on;
}}
http {{
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_min_length 1000;
    gzip_types text/plain;
    server {{
        listen 127.0.0.1:{port} backlog=65535;
        listen 127.0.0.1:{tls_port} ssl http2 backlog=65535;
        listen 127.0.0.1:{h2c_port} http2 backlog=65535;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_session_cache shared:tls:10m;
        root {folder}/www;
        location = /status {{ stub_status; }}
        location = /hello {{ return 200 "{hello}"; }}
        location = /missing {{ return 404; }}
        location = /broken {{ return 500; }}
        location = /moved {{ return 302 /hello; }}
        location = /empty {{ return 204; }}
    }}
    server {{
        listen 127.0.0.1:{brief_port} ssl http2;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        keepalive_requests 20;
        location = /hello {{ return 200 "{hello}"; }}
    }}
}}
"""


class Nginx(Server):
    """Real nginx, one process, with ports for HTTP/1.1 (`url`), HTTPS by HTTP/1.1 and 2 (`tls_url`), HTTP/2 without TLS
    (`h2c_url`), and one that ends each HTTP/2 connection after 20 requests (`brief_url`). /hello answers 600 bytes,
    /file.txt is a file that is compressed for clients that take that, /missing and /broken fail."""

    def __init__(self, folder: Path, certs: Certs, command_prefix: tuple[str, ...] = ()) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tls_url = f"https://127.0.0.1:{self.tls_port}"
        h2c_port, brief_port = free_port(), free_port()
        self.h2c_url, self.brief_url = f"http://127.0.0.1:{h2c_port}", f"https://127.0.0.1:{brief_port}"
        self.ca = certs.ca
        www = folder / "www"
        www.mkdir(parents=True, exist_ok=True)
        (www / "index.html").write_text("<!doctype html><title>nginx</title><p>It answers.\n")
        (www / "file.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 100)
        config = folder / "nginx.conf"
        config.write_text(
            NGINX_CONFIG.format(
                folder=folder,
                port=self.port,
                tls_port=self.tls_port,
                h2c_port=h2c_port,
                brief_port=brief_port,
                cert=certs.server.cert,
                key=certs.server.key,
                hello="hello " * 100,
            )
        )
        command = [*command_prefix, "nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
        environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        for port in (self.port, self.tls_port, h2c_port, brief_port):
            wait_for_port(port, self.process)

    def status(self) -> tuple[int, int]:
        """Connections open now and requests so far, those for this page left out and included."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/status")
        numbers = re.findall(r"\d+", connection.getresponse().read().decode())
        connection.close()
        return int(numbers[0]) - 1, int(numbers[3])
