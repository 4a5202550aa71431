"""HTTP/3 as a user of it meets it: a libcurl that has it (pycurl brings one), a server that speaks it (aioquic)."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certs import Certs
from engines import Engine, Result
from http3 import Http3Server, libcurl_folder
from servers import Target, free_port

Load = Callable[..., Result]


@pytest.fixture(scope="module")
def server(certs: Certs) -> Iterator[Http3Server]:
    pytest.importorskip("aioquic")
    with Http3Server(certs) as running:
        yield running


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = libcurl_folder(tmp_path_factory.mktemp("libcurl"))
    if folder is None:
        pytest.skip("no wheel of pycurl, thus no libcurl with HTTP/3")
    return folder


@pytest.fixture
def load(engine: Engine, library: Path, server: Http3Server, certs: Certs) -> Load:
    if not engine.is_cload:
        pytest.skip("Locust has no HTTP/3")

    def run(source: str, *args: str, host: str = "", users: int = 1, env: dict[str, str] | None = None) -> Result:
        env = {"LD_LIBRARY_PATH": str(library), "AUTHORITY": str(certs.ca), **(env or {})}
        file = engine.locustfile(source)
        return engine.load(file, *args, host=host or server.url, users=users, run_time="100s", env=env)

    return run


# Each page ends the run when all users have done what they had to.
HEAD = """
import io
import os
import socket
import time

import requests
from gevent import Timeout
from gevent.pool import Pool
from locust import FastHttpUser, HttpUser, constant, task

done = []


class Base:
    abstract = True
    wait_time = constant(60)

    def on_start(self):
        self.client.verify = os.environ["AUTHORITY"]

    def number(self):
        return self.client.get("/connection", name="number").json()["number"]

    def finish(self):
        print(type(self).__name__, "DONE", flush=True)
        done.append(self)
        if len(done) == self.environment.runner.target_user_count:
            self.environment.runner.quit()


def check(answer, status=200, version="HTTP/3"):
    assert (answer.status_code, answer.http_version) == (status, version), (answer.status_code, answer.http_version)
    return answer
"""

CALLS = (
    HEAD
    + """
class Both(Base):
    abstract = True

    def calls(self):
        client = self.client
        text = check(client.get("/hello")).text
        assert text == "hello " * 100, text
        for method in ("get", "post", "put", "patch", "delete", "options"):
            told = check(getattr(client, method)("/echo", name=method)).json()
            assert told["headers"][":method"] == method.upper() and told["length"] == 0, told
        assert check(client.head("/echo", name="head")).content == b""
        for size in (1, 300_000):
            assert check(client.post("/echo", data=b"u" * size, name="body")).json()["length"] == size
        assert check(client.post("/echo", json={"a": 1}, name="json")).json()["body"].replace(" ", "") == '{"a":1}'
        headers = check(client.get("/echo", headers={"X-Own": "1", "X-Empty": ""}, name="headers")).json()["headers"]
        assert (headers["x-own"], headers["x-empty"]) == ("1", ""), headers
        assert "host" not in headers and "connection" not in headers, headers
        moved = check(client.get("/redirect"))
        assert [check(hop, 302).status_code for hop in moved.history] == [302]
        assert moved.json()["headers"]["cookie"] == "seen=redirect", moved.text
        assert check(client.get("/basic", auth=("user", "pass"))).text == "welcome"
        assert check(client.get("/gzip")).text == "hello " * 100
        assert check(client.get("/bytes/1000000")).content == b"x" * 1_000_000
        assert check(client.get("/status/204", name="empty"), 204).content == b""
        assert check(client.get("/early-hints")).text == "after the hint"
        assert check(client.get("/trailers")).text == "before the trailer"
        assert len(check(client.get("/big-header/40000")).headers["x-big"]) == 40_000
        check(client.get("/missing"), 404)
        check(client.get("/status/500", name="broken"), 500)
        assert self.number() == self.number()


class Visitor(Both, HttpUser):
    @task
    def all(self):
        self.calls()
        answer = check(self.client.get("/hello", name="details"))
        assert (answer.raw.version, answer.reason) == (30, "OK"), (answer.raw.version, answer.reason)
        self.client.get("/basic", auth=("user", "pass"), name="phases")
        # What requests' own code sends speaks HTTP/1.1, to the same port.
        answer = self.client.post("/echo/files", files={"f": io.BytesIO(b"y" * 10_000)}, name="files")
        check(answer, version="HTTP/1.1")
        self.finish()


class Fast(Both, FastHttpUser):
    @task
    def all(self):
        self.calls()
        self.finish()
"""
)


def test_calls(load: Load) -> None:
    """Methods, bodies, cookies, redirects, encodings, statuses."""
    result = load(CALLS, "--phases", users=2, env={"LOCUST_HTTP3": "true"})
    assert {"Visitor DONE", "Fast DONE"} <= set(result.stdout.splitlines()), str(result)
    assert result.csv("exceptions") == [], str(result)
    assert set(result.errors) == {
        "GET /missing: HTTPError('404 Client Error: Not Found for url: /missing')",
        "GET broken: HTTPError('500 Server Error: Internal Server Error for url: broken')",
        "GET /missing: LocustBadStatusCode(code=404)",
        "GET broken: LocustBadStatusCode(code=500)",
    }, str(result)
    assert result.code == 1
    phases = {row["Name"]: row for row in result.csv("phases")}
    assert float(phases["/hello"]["TLS Count"]) == 2, phases["/hello"]
    assert float(phases["phases"]["TLS Count"]) == 0, phases["phases"]


MISBEHAVIOUR = (
    HEAD
    + """
PAGES = ("reset", "reset-body", "short", "no-head", "garbage", "close")


class Both(Base):
    abstract = True
    http3 = True

    def calls(self):
        for page in PAGES:
            for _ in range(2):
                assert self.client.get("/" + page).status_code == 0
                # All is well again, on this connection or another one.
                check(self.client.get("/hello"))


class Visitor(Both, HttpUser):
    @task
    def all(self):
        self.calls()
        for page, kind in (("reset", requests.ConnectionError), ("short", requests.exceptions.ChunkedEncodingError)):
            assert type(self.client.get("/" + page, name="kind").error) is kind
        self.client.get("/slow/60000", timeout=(30, 0.15))
        self.client.verify = True
        error = self.client.get("/hello", name="untrusted").error
        assert "certificate verify failed: unable to get local issuer certificate" in str(error), error
        self.finish()


class Impatient(FastHttpUser):
    abstract = True
    http3 = True
    network_timeout = 0.15


class Fast(Both, FastHttpUser):
    @task
    def all(self):
        self.calls()
        Impatient.host = self.host
        client = Impatient(self.environment).client
        client.verify = self.client.verify
        client.get("/slow/60000")
        self.finish()
"""
)


def test_server_that_misbehaves(load: Load) -> None:
    """Exceptions are those of HTTP/1.1; their texts have no numbers that make each its own."""
    result = load(MISBEHAVIOUR, users=2)
    assert {"Visitor DONE", "Fast DONE"} <= set(result.stdout.splitlines()), str(result)
    assert result.csv("exceptions") == [], str(result)
    errors = {
        text: count for text, count in result.errors.items() if not text.startswith(("GET kind", "GET untrusted"))
    }
    reset = "HTTP/3 stream reset by server (error 0x102 INTERNAL_ERROR)"
    broken = "ChunkedEncodingError(ProtocolError('Connection broken: {0}', {0}))"
    gone = "RemoteDisconnected('Remote end closed connection without response')"
    assert errors == {
        f"GET /reset: HTTPException('{reset}')": 2,
        f"GET /reset: HTTPParseError('{reset}')": 2,
        f"GET /reset-body: {broken.format('IncompleteRead(4 bytes read, 996 more expected)')}": 2,
        "GET /reset-body: HTTPParseError('Incomplete response.')": 2,
        f"GET /short: {broken.format('IncompleteRead(5 bytes read, 995 more expected)')}": 2,
        "GET /short: HTTPParseError('Incomplete response.')": 2,
        **{f"GET /{page}: {gone}": 2 for page in ("no-head", "garbage", "close")},
        **{f"GET /{page}: HTTPConnectionClosed('connection closed.')": 2 for page in ("no-head", "garbage", "close")},
        next(text for text in errors if "Read timed out. (read timeout=0.15)" in text): 1,
        next(text for text in errors if "RetriesExceeded" in text and text.startswith("GET /slow/60000: ")): 1,
    }, str(result)


STREAMS = (
    HEAD
    + """
class Visitor(Base, HttpUser):
    def within(self, seconds, call, path, body):
        if body is None:
            return call(path, name="beside")
        with Timeout(seconds, False):
            return call(path, data=body, name="left")

    @task
    def all(self):
        client, number = self.client, self.number()
        answers = Pool(10).map(lambda _: check(client.get("/connection", name="at once")), range(10))
        assert {answer.json()["number"] for answer in answers} == {number}
        for _ in range(8):
            # Half of them are given up while the others are under way; what comes for them later is for nobody.
            pages = [("/drip/3", 60), ("/slow/900", 0.03)] * 5
            answers = Pool(10).map(lambda call: client.get(call[0], timeout=call[1], name=call[0]), pages)
            assert [answer.status_code for answer in answers] == [200, 0] * 5
        assert self.number() == number
        # A call that is given up before all of its body went leaves the others alone, too.
        for round in range(12):
            calls = [(client.get, "/slow/40", None)] * 3 + [(client.post, "/echo", b"b" * 60_000)] * 6
            answers = Pool(9).map(lambda call: self.within(0.002 * round, *call), calls)
            assert [answer.status_code for answer in answers[:3]] == [200] * 3
        for body in (b"", b"b" * 300_000):
            with Timeout(0.02, False):
                client.post("/slow/900", data=body, name="given up")
                raise AssertionError
        # The server closes the connection while it is idle.
        for method in ("post", "get"):
            number = client.get("/goodbye", name="goodbye").text
            time.sleep(0.4)
            assert check(getattr(client, method)("/echo", name="after"))
        self.finish()
"""
)


def test_streams_of_one_connection(load: Load) -> None:
    """Ten at once are ten streams; those that are given up do no harm, and calls of a closed connection go again."""
    result = load(STREAMS, "--http3")
    assert "Visitor DONE" in result.stdout, str(result)
    assert result.csv("exceptions") == [], str(result)
    assert set(result.errors) == {next(text for text in result.errors if "ReadTimeout" in text)}, str(result)
    assert result.rows["GET", "/slow/900"].failures == 40
    assert ("POST", "given up") not in result.rows


PIECES = (
    HEAD
    + """
class Visitor(Base, HttpUser):
    @task
    def all(self):
        client, number = self.client, self.number()
        # The body comes when somebody else has asked for it.
        begin = time.monotonic()
        answer = check(client.get("/held/5", stream=True))
        time.sleep(0.1)
        until_release = time.monotonic() - begin
        check(client.get("/release"))
        assert b"".join(answer.iter_content(700)) == b"." * 5_000
        assert time.monotonic() - begin > until_release + 0.15
        print("RELEASED", until_release * 1000, flush=True)
        # Nobody reads for a while, and what others ask for comes meanwhile.
        answer = check(client.get("/bytes/3000000", stream=True, name="large"))
        assert check(client.get("/hello")).text == "hello " * 100
        time.sleep(0.1)
        assert sum(map(len, answer.iter_content(100_000))) == 3_000_000
        assert b"".join(check(client.get("/gzip", stream=True)).iter_content(50)) == b"hello " * 100
        check(client.get("/bytes/3000000", stream=True, name="left")).close()
        assert check(client.get("/status/204", stream=True, name="empty"), 204).content == b""
        moved = check(client.get("/redirect", stream=True))
        assert len(moved.history) == 1 and b"seen=redirect" in moved.content
        answer = check(client.get("/reset-body", stream=True))
        try:
            answer.content
            raise AssertionError
        except requests.exceptions.ChunkedEncodingError:
            pass
        assert self.number() == number
        # Freed with the session, half read.
        self.kept = client.get("/bytes/3000000", stream=True, name="kept")
        self.finish()


class Fast(Base, FastHttpUser):
    @task
    def all(self):
        answer = check(self.client.get("/drip/5", stream=True, name="fast"))
        assert answer.stream.read() == b"." * 5_000
        self.finish()
"""
)


def test_bodies_in_pieces(load: Load) -> None:
    """`stream=True` gives the answer when its head is there; who does not read holds up nobody."""
    result = load(PIECES, "--http3", users=2)
    assert {"Visitor DONE", "Fast DONE"} <= set(result.stdout.splitlines()), str(result)
    assert result.csv("exceptions") == [], str(result)
    assert result.errors == {}, str(result)
    (released,) = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("RELEASED")]
    assert result.rows["GET", "/held/5"].max < float(released), "the time until its head"
    assert result.rows["GET", "large"].requests == 1
    assert result.code == 0


OTHERS = (
    HEAD
    + """
hole = socket.socket()
hole.bind(("127.0.0.1", 0))
hole.listen()
also = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
also.bind(hole.getsockname())


class Both(Base):
    abstract = True

    def calls(self, **limits):
        for _ in range(3):
            check(self.client.get("/hello"), version="HTTP/1.1")
        self.client.get(os.environ["NOBODY"], name="nobody")
        begin = time.monotonic()
        url = f"https://127.0.0.1:{hole.getsockname()[1]}/"
        answers = Pool(5).map(lambda _: self.client.get(url, name="hole", **limits), range(5))
        assert {answer.status_code for answer in answers} == {0}
        assert 0.3 <= time.monotonic() - begin < 30
        self.finish()


class Visitor(Both, HttpUser):
    @task
    def all(self):
        self.calls(timeout=(0.3, 60))


class Fast(Both, FastHttpUser):
    connection_timeout = 0.3

    @task
    def all(self):
        self.calls()
"""
)


def test_servers_without_it(load: Load, start_target: Callable[..., Target], certs: Certs) -> None:
    """HTTP/1.1 with one warning; nobody there; a port that takes everything and says nothing."""
    target = start_target(certs.server)
    nobody = f"https://127.0.0.1:{free_port()}/"
    result = load(OTHERS, "--http3", host=target.url, users=2, env={"NOBODY": nobody})
    assert {"Visitor DONE", "Fast DONE"} <= set(result.stdout.splitlines()), str(result)
    assert result.csv("exceptions") == [], str(result)
    assert result.stderr.count(f"{target.url} does not speak HTTP/3: an older version is used there") == 1, str(result)
    assert result.stderr.count("does not speak") == 1, str(result)
    refused = "GET nobody: ConnectionRefusedError(111, 'Connection refused')"
    assert result.errors[refused] == 2, str(result)
    late = [text for text in result.errors if text != refused]
    assert len(late) == 2 and any("connect timeout=0.3)" in text for text in late), late
    assert any("RetriesExceeded" in text for text in late), late


OLD = """
#include <curl/curl.h>

curl_version_info_data *
curl_version_info(CURLversion age)
{
    static curl_version_info_data old = {
        .age = CURLVERSION_NOW, .version = "8.4.0", .version_num = 0x080400, .features = CURL_VERSION_HTTP3};
    return &old;
}
"""


def test_libcurl_that_is_too_old(engine: Engine, tmp_path: Path) -> None:
    """Those before 8.5.0 touch what they freed when calls are given up."""
    compiler = shutil.which("cc")
    if not engine.is_cload or compiler is None:
        pytest.skip("no compiler, or not cload")
    source, old = tmp_path / "old.c", tmp_path / "old.so"
    source.write_text(OLD)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", old, source], check=True, timeout=120)
    result = engine.load(engine.locustfile(CALLS), "--http3", host="https://127.0.0.1:1", env={"LD_PRELOAD": str(old)})
    assert result.code == 1, str(result)
    assert (
        "libcurl 8.4.0 is too old for HTTP/3, it may crash: let the dynamic linker find one from 8.5.0" in result.stderr
    )
    assert "Traceback" not in result.stderr
