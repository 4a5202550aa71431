"""Truth with half a core: a process that never sleeps shares the generator's core.

What a request took is asked of the kernel: `wire_times` looks at packets on the loopback device, so that neither the
server's nor the generator's lateness hides in the comparison. Reported times are of the same seconds.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certs import Certs
from engines import cload_command
from measure import CLIENT_CORE, HERE, SERVER_CORE, end, pinned, table
from servers import ROOT, Target, free_port, wait_for_port

if TYPE_CHECKING:
    from bench import Bench

WIRE_TIMES = ROOT / "build" / "tests" / "bench" / "wire_times"
USERS = 400


@dataclass
class Way:
    """A way to ask. `server` is a key of servers()."""

    server: str = "http"
    path: str = "/hello"
    users: int = USERS
    way: str = "get"
    arguments: tuple[str, ...] = ()


WAYS = {
    "GET": Way(),
    "FastHttpUser": Way(way="fast"),
    "catch_response": Way(way="block"),
    "stream=True": Way(way="stream", path="/bytes/100000", users=100),
    "1 MB": Way(path="/bytes/1000000", users=20),
    "files=": Way(way="files", users=20),
    "hooks=": Way(way="hook", users=20),
    "Connection: close": Way(way="close", users=50),
    "HTTPS": Way(server="https", users=200),
    "HTTPS, 1 MB": Way(server="https", path="/bytes/1000000", users=10),
    "HTTPS, Connection: close": Way(server="https", way="close", users=20),
    "HTTP/2": Way(server="h2c", users=200, arguments=("--http2",)),
    "HTTP/2 and TLS": Way(server="h2", users=100, arguments=("--http2",)),
    "HTTP/2, files=": Way(server="h2c", way="files", users=20, arguments=("--http2",)),
}
"""As many users as half a core and a late server's core can serve, so that what waits is the answer."""

FRONT_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    upstream target {{ server 127.0.0.1:{target_port}; keepalive 1000; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{h2c_port} http2 backlog=4096;
        listen 127.0.0.1:{h2_port} ssl http2 backlog=4096;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://target;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


@contextmanager
def servers(target: Target, certs: Certs) -> Iterator[dict[str, str]]:
    """URLs of servers that answer after 20 ms, by what they speak; nginx speaks HTTP/2 before the target."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = certs.server
        h2c_port, h2_port = free_port(), free_port()
        config = folder / "nginx.conf"
        config.write_text(
            FRONT_CONFIG.format(
                folder=folder,
                target_port=target.port,
                h2c_port=h2c_port,
                h2_port=h2_port,
                cert=pair.cert,
                key=pair.key,
            )
        )
        command = [*pinned(SERVER_CORE), "nginx", "-p", name, "-e", str(folder / "error.log"), "-c", str(config)]
        environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        front = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(h2c_port, front)
            with Target(pair=pair, delay_ms=20, command_prefix=tuple(pinned(SERVER_CORE))) as tls_target:
                yield {
                    "http": target.url,
                    "https": tls_target.url,
                    "h2c": f"http://127.0.0.1:{h2c_port}",
                    "h2": f"https://127.0.0.1:{h2_port}",
                }
        finally:
            end(front)


@contextmanager
def spinner() -> Iterator[None]:
    process = subprocess.Popen([*pinned(CLIENT_CORE), sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        end(process)


def run(url: str, seconds: float, way: Way) -> dict[str, Any] | None:
    """Median and 99 % as reported and on the wire, once all users are there; how many seconds were marked."""
    port = url.rsplit(":", 1)[1]
    command = [*cload_command(), "-f", str(HERE / "locustfiles" / "get_ways.py"), "--headless", "--only-summary"]
    # In two seconds, so that handshakes are over when the statistics begin.
    command += ["-u", str(way.users), "-r", str(way.users / 2), "-t", f"{int(seconds) + 4}s", "--reset-stats"]
    command += ["--host", url, "--percentiles", "0.5,0.99", *way.arguments]
    environment = {**os.environ, "WAY": way.way, "PATH_TO_GET": way.path}
    generator = subprocess.Popen([*pinned(CLIENT_CORE), *command], stderr=subprocess.PIPE, text=True, env=environment)
    watchdog = threading.Timer(seconds + 60, generator.kill)
    watchdog.start()
    wire, text = None, ""
    try:
        assert generator.stderr is not None
        for line in generator.stderr:
            text += line
            if "Resetting stats" in line:
                watch = [*pinned(SERVER_CORE), str(WIRE_TIMES), port, str(int(seconds) + 60)]
                watch += ["connections"] if way.way == "close" else []
                wire = subprocess.Popen(watch, stdout=subprocess.PIPE, text=True)
            if "limit reached" in line and wire is not None:
                wire.terminate()
        generator.wait()
        seen = wire.communicate(timeout=60)[0].split() if wire is not None else []
    finally:
        watchdog.cancel()
        end(generator)
    reported = re.search(r"true to 0\.1 %.*?^ +Aggregated +([\d.]+) +([\d.]+)", text, re.MULTILINE | re.DOTALL)
    marked = re.search(r"lagged in (\d+) of (\d+) seconds", text)
    if reported is None or len(seen) != 3:
        print(f"no result:\n{text}", file=sys.stderr)
        return None
    return {
        "reported": [float(reported[1]), float(reported[2])],
        "wire": [float(seen[1]), float(seen[2])],
        "marked": int(marked[1]) if marked else 0,
    }


def half(bench: "Bench") -> Any:
    found: dict[str, list[dict[str, Any]]] = {"core alone": [], "half a core": []}
    with bench.delayed_target() as target:
        for _ in range(bench.options.rounds):
            for name, runs in found.items():
                if name == "half a core":
                    with spinner():
                        result = run(target.url, bench.options.seconds, Way())
                else:
                    result = run(target.url, bench.options.seconds, Way())
                if result is not None:
                    runs.append(result)
    show(f"{USERS} users, server answers after 20 ms: reported, and on the wire", found)
    return found


def ways(bench: "Bench") -> Any:
    found: dict[str, list[dict[str, Any]]] = {}
    with bench.delayed_target() as target, servers(target, bench.certs) as urls:
        for _ in range(bench.options.rounds):
            for name, way in WAYS.items():
                with spinner():
                    result = run(urls[way.server], bench.options.seconds, way)
                if result is not None:
                    found.setdefault(name, []).append(result)
    show("Half a core, server answers after 20 ms: reported, and on the wire", found)
    return found


def show(title: str, found: dict[str, list[dict[str, Any]]]) -> None:
    rows = []
    for name, runs in found.items():
        for result in runs:
            shares = [mine / wire - 1 for mine, wire in zip(result["reported"], result["wire"], strict=True)]
            rows.append(
                [
                    name,
                    *(f"{ms:.2f}" for ms in (*result["reported"], *result["wire"])),
                    *(f"{share:+.1%}" for share in shares),
                    str(result["marked"]),
                ]
            )
    table(
        title,
        ["", "median ms", "99% ms", "wire median", "wire 99%", "median off", "99% off", "marked s"],
        rows,
    )
