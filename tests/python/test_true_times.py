"""Response times of a real server of known delays, 0.2 ms to 2 s, told by a generator whose event loop is held up again
and again: they are what passed between the packets, whatever way the script asks. The server says by the machine's
clock when it got and when it answered a request, so neither its lateness nor that of the machine counts."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from certs import Certs
from oracle import ENGINES, ROOT

OURS = ENGINES[0]
HELD_UP_MS = 12

SCRIPT = (
    """
import json, os, time
import gevent
from locust import FastHttpUser, HttpUser, constant, events
PLAIN, SECURE = (f"http{s}://127.0.0.1:{port}" for s, port in zip(("", "s"), os.environ["PORTS"].split()))
DELAYS = ["0.2", "1", "5", "20", "100", "500", "2000"]
ROWS = []
def burn(ms=HELD_UP_MS):
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end:
        pass
def sign(request):
    burn()
    return request
def ask(user):
    user.turn += 1
    # The longest once each, so that the short ones get their number.
    delay = DELAYS[-user.turn if user.turn < 3 else user.turn % 5]
    user.get("/" + delay)
class Asking:
    wait_time = constant(0)
    tasks = [ask]
    def on_start(self):
        self.client.verify = False
        self.turn = 0
class Get(Asking, HttpUser):
    host = PLAIN
    def get(self, path):
        return self.client.get(path, name="get")
class Fast(Asking, FastHttpUser):
    host = PLAIN
    def get(self, path):
        return self.client.get(path, name="fast")
class Close(Asking, HttpUser):
    host = PLAIN
    def get(self, path):
        return self.client.get(path, headers={"Connection": "close"}, name="close")
class Files(Asking, HttpUser):
    host = PLAIN
    def get(self, path):
        return self.client.post(path, files={"file": ("a.txt", b"hello")}, name="files")
class Auth(Asking, HttpUser):
    host = PLAIN
    def get(self, path):
        return self.client.get(path, auth=sign, name="auth")
class Secure(Asking, HttpUser):
    host = SECURE
    def get(self, path):
        return self.client.get(path, name="tls")
class SecureFiles(Asking, HttpUser):
    host = SECURE
    def get(self, path):
        return self.client.post(path, files={"file": ("a.txt", b"hello")}, name="tls files")
@events.request.add_listener
def on_request(name, response_time, start_time, response, **_):
    ROWS.append([name, response_time, start_time, *map(int, response.headers["X-Times"].split())])
@events.test_start.add_listener
def on_start(**_):
    def hold_up():
        burn(150)  # a meter looks twenty times a second, and marks what is 50 ms late
        while True:
            gevent.sleep(0.006)
            burn()
    gevent.spawn(hold_up)
@events.quitting.add_listener
def on_quitting(**_):
    with open("rows.json", "w") as file:
        json.dump(ROWS, file)
"""
).replace("HELD_UP_MS", str(HELD_UP_MS))


@pytest.fixture
def ports(certs: Certs) -> Iterator[str]:
    pair = certs.server
    command = [sys.executable, str(ROOT / "tests/support/timed_server.py"), str(pair.cert), str(pair.key)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()
        server.wait(timeout=10)


def test_delays_are_told_as_the_packets_had_them(tmp_path: Path, ports: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """EVT-15: response_time is the wire's, and start_time + response_time is when the answer came."""
    (tmp_path / "locustfile.py").write_text(SCRIPT)
    monkeypatch.setenv("PORTS", ports)
    run = ["--headless", "-u", "7", "-r", "100", "-t", "4s", "--only-summary", "--json-file", "out"]
    done = OURS.command(*run, cwd=tmp_path, timeout=60)
    assert done.status == 0, done.stderr
    late: dict[str, list[float]] = defaultdict(list)
    off: dict[str, list[float]] = defaultdict(list)
    for name, ms, start_s, arrived_ns, answered_ns in json.loads((tmp_path / "rows.json").read_text()):
        late[name].append(start_s * 1e3 + ms - answered_ns / 1e6)
        if arrived_ns:
            off[name].append(ms - (answered_ns - arrived_ns) / 1e6)
    assert set(late) == {"get", "fast", "close", "files", "auth", "tls", "tls files"}
    assert set(off) == {"get", "fast", "close", "files", "auth"}
    # A loop that is held up for 12 of 18 ms would show in half of them, auth's 12 ms in all.
    for name, values in late.items():
        assert statistics.median(values) < 1, f"{name}: told as arrived {values} ms after they were sent"
    for name, values in off.items():
        assert statistics.median(values) < 1, f"{name}: off by {values} ms"
        assert min(values) > -0.5, f"{name}: told as shorter than the server took: {values}"
    rows = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())}
    assert rows["auth"]["phases"]["queue"]["average"] >= HELD_UP_MS, "what auth took is seen, as our own"
    assert rows["get"]["generator"]["lagging_seconds"] > 0
    for row in rows.values():
        # One hop each, so that the sum of the phases without our own is the response time.
        phases = {name: phase["average"] * phase["count"] for name, phase in row["phases"].items() if name != "queue"}
        assert sum(phases.values()) == pytest.approx(row["total_response_time"], rel=0.001)
