"""HTTP/2 as a user of it meets it: real nginx, both kinds of users, the options, servers that only have HTTP/1.1."""

import shutil

import pytest
from certs import Certs
from engines import Engine
from servers import Nginx, Target, free_port
from test_nginx import ERRORS, NAMES, VISITOR


@pytest.fixture(autouse=True)
def _is_cload(engine: Engine) -> None:
    if not engine.is_cload:
        pytest.skip("Locust has no HTTP/2")


@pytest.mark.parametrize("port", ["tls_url", "h2c_url"])
def test_same_rules_as_http1(engine: Engine, nginx: Nginx, certs: Certs, port: str) -> None:
    """Cookies, redirects, encodings, ranges, empty bodies, failures and their texts."""
    lines = VISITOR.replace("wait_time =", "http2 = True\n    wait_time =").splitlines()
    lines.append(
        '        assert (part.http_version, part.raw.version, part.reason) == ("HTTP/2", 20, "Partial Content")'
    )
    lines.append('        assert all(hop.http_version == "HTTP/2" for hop in moved.history)')
    result = engine.load(
        engine.locustfile("\n".join(lines)),
        host=getattr(nginx, port),
        until=f"len(stats.entries) == {len(NAMES)} and stats.total.num_requests > 100",
        env={"AUTHORITY": str(certs.ca)},
    )
    assert result.names == NAMES, str(result)
    assert set(result.errors) == ERRORS, str(result)
    assert result.csv("exceptions") == [], str(result)
    assert result.code == 1


BROWSERS = """
import os
from urllib.request import urlopen

from gevent.pool import Pool
from locust import FastHttpUser, HttpUser, constant, events


class Many:
    wait_time = constant(0.02)

    def on_start(self):
        self.client.verify = os.environ["AUTHORITY"]

    def page(self):
        answers = Pool(50).map(lambda number: self.client.get("/hello", name="many"), range(50))
        assert [answer.text for answer in answers] == ["hello " * 100] * 50
        assert {answer.http_version for answer in answers} == {"HTTP/2"}
        body = bytes(range(256)) * 2000
        assert self.client.post("/hello", data=body, name="upload").status_code == 200


class Slow(Many, HttpUser):
    tasks = [Many.page]


class Fast(Many, FastHttpUser):
    tasks = [Many.page]


@events.test_stopping.add_listener
def count(**_):
    if status := os.environ.get("STATUS"):
        print("CONNECTIONS", urlopen(status).read().split()[2].decode())
"""


def test_one_connection_for_each_user(engine: Engine, nginx: Nginx, certs: Certs) -> None:
    """Fifty calls at once are fifty streams."""
    result = engine.load(
        engine.locustfile(BROWSERS),
        "--http2",
        host=nginx.tls_url,
        users=4,
        until="stats.total.num_requests > 500 and len(stats.entries) == 2",
        env={"AUTHORITY": str(certs.ca), "STATUS": nginx.url + "/status"},
    )
    assert result.code == 0, str(result)
    assert result.names == {("GET", "many"), ("POST", "upload")}
    assert result.rows["GET", "many"].requests >= 400, str(result)
    assert result.csv("exceptions") == [], str(result)
    # Those of the four users, and the one that asks.
    assert "CONNECTIONS 5\n" in result.stdout, str(result)


RARE = """
import io
import os
from hashlib import sha256

from locust import FastHttpUser, HttpUser, constant, task
from requests import Request
from requests.auth import AuthBase

TEXT = b"The quick brown fox jumps over the lazy dog.\\n" * 100


class Marked(AuthBase):
    def __call__(self, request):
        request.headers["x-mark"] = "1"
        return request


def done(user):
    user.environment.done = {*getattr(user.environment, "done", ()), type(user)}


class Rare(HttpUser):
    wait_time = constant(1)
    done = done

    def on_start(self):
        self.client.verify = os.environ["AUTHORITY"]

    def check(self, answer, status=200):
        assert (answer.status_code, answer.raw.version) == (status, 20), (answer.status_code, answer.raw.version)
        return answer

    @task
    def calls(self):
        client, hooked = self.client, []
        answer = self.check(client.get("/file.txt", stream=True, name="stream"))
        assert b"".join(answer.iter_content(700)) == TEXT
        self.check(client.get("/file.txt", stream=True, name="left")).close()
        pieces = (b"piece " * 100 for _ in range(500))
        assert len(self.check(client.post("/hello", data=pieces, name="generator")).content) == 600
        answer = self.check(client.post("/hello", files={"f": io.BytesIO(b"y" * 500_000)}, name="files"))
        assert answer.http_version == "HTTP/2"
        self.check(client.post("/hello", files={"f": io.BytesIO(b"y" * 3_000_000)}, name="too large"), 413)
        assert self.check(client.head("/file.txt", stream=True, name="head")).content == b""
        moved = self.check(client.get("/moved", stream=True, name="moved"))
        assert [hop.raw.version for hop in moved.history] == [20] and moved.text == "hello " * 100
        self.check(client.get("/empty", auth=Marked(), name="auth"), 204)
        self.check(client.get("/missing", hooks={"response": lambda r, **_: hooked.append(r)}, name="hook"), 404)
        assert len(hooked) == 1
        prepared = client.prepare_request(Request("GET", client.base_url + "/hello"))
        self.check(client.send(prepared))
        self.check(client.get("/hello", name="plain"))
        self.done()


class RareFast(FastHttpUser):
    wait_time = constant(1)
    insecure = True
    done = done

    @task
    def calls(self):
        answer = self.client.get("/file.txt", stream=True, name="fast", headers={"Accept-Encoding": "identity"})
        assert answer.http_version == "HTTP/2" and answer.stream.read() == TEXT
        self.done()
"""


@pytest.mark.parametrize("port", ["tls_url", "h2c_url"])
def test_rare_calls(engine: Engine, nginx: Nginx, certs: Certs, port: str) -> None:
    """What requests' own code does goes over the same HTTP/2 connection as all the rest."""
    result = engine.load(
        engine.locustfile(RARE),
        "--http2",
        host=getattr(nginx, port),
        users=2,
        until="len(getattr(environment, 'done', ())) == 2",
        env={"AUTHORITY": str(certs.ca)},
    )
    assert result.csv("exceptions") == [], str(result)
    failed = {name for _, name in result.names if result.rows[_, name].failures}
    assert failed == {"too large", "hook"}, str(result)


def test_server_that_says_goodbye(engine: Engine, nginx: Nginx, certs: Certs) -> None:
    """GOAWAY after every 20 requests: what the server did not look at goes to the next connection."""
    result = engine.load(
        engine.locustfile(BROWSERS),
        "--http2",
        host=nginx.brief_url,
        users=2,
        until="stats.total.num_requests > 200",
        env={"AUTHORITY": str(certs.ca)},
    )
    assert result.code == 0, str(result)
    assert result.rows["GET", "many"].requests >= 100, str(result)
    assert result.csv("exceptions") == [], str(result)


WHICH = """
from locust import FastHttpUser, HttpUser, constant, events, task
from locust.runners import MasterRunner, WorkerRunner

asked = set()


@events.init.add_listener
def listen(environment, **_):
    if isinstance(environment.runner, MasterRunner):
        environment.runner.register_message("asked", lambda environment, **_: environment.runner.quit())


class Asked(HttpUser):
    wait_time = constant(0.1)

    @task
    def ask(self):
        print(type(self).__name__, self.client.get("/hello").http_version, flush=True)
        asked.add(type(self))
        runner = self.environment.runner
        if len(asked) == 3 and isinstance(runner, WorkerRunner):
            runner.send_message("asked")
        elif len(asked) == 3:
            runner.quit()


class Unwilling(Asked):
    http2 = False


class Fast(FastHttpUser):
    wait_time = constant(0.1)
    http2 = True
    ask = task(Asked.ask)
"""


def test_where_it_is_said(engine: Engine, nginx: Nginx, target: Target) -> None:
    """The class before the options, options also from the environment; HTTP/1.1 where the server has nothing else."""
    file = engine.locustfile(WHICH)
    port = str(free_port())
    ports = ["--master-bind-port", port, "--master-port", port]
    shown = {}
    for key, args, env, url in (
        ("none", [], {}, nginx.h2c_url),
        ("option", ["--http2"], {}, nginx.h2c_url),
        ("environment", [], {"LOCUST_HTTP2": "true"}, nginx.h2c_url),
        ("old server", ["--http2"], {}, target.url),
        ("processes", ["--http2", "--processes", "1", *ports], {}, nginx.h2c_url),
    ):
        result = engine.load(file, *args, host=url, users=3, run_time="100s", env=env)
        shown[key] = set(result.stdout.splitlines())
        if key in ("option", "old server"):
            assert result.code == (1 if key == "option" else 0), str(result)
        told = result.stderr.count(f"{url} does not speak HTTP/2: an older version is used there")
        assert told == (key == "old server"), str(result)
        # A master that a message ends has the last reports of its workers.
        assert "last report" not in result.stderr, str(result)
    with_option = {"Asked HTTP/2", "Fast HTTP/2"}
    assert {line for line in shown["none"] if "HTTP/2" in line} == {"Fast HTTP/2"}
    assert with_option < shown["option"], shown
    assert not any(line == "Unwilling HTTP/2" for line in shown["option"]), shown
    assert with_option < shown["environment"], shown
    assert with_option < shown["processes"], shown
    assert shown["old server"] == {"Asked HTTP/1.1", "Unwilling HTTP/1.1", "Fast HTTP/1.1"}


def test_http3_that_is_missing(engine: Engine, nginx: Nginx) -> None:
    """Where libcurl has it, there is nothing to be explained."""
    curl = shutil.which("curl")
    for args, source in ((["--http3"], WHICH), ([], WHICH.replace("http2 = True", "http3 = True"))):
        result = engine.load(engine.locustfile(source), *args, host=nginx.tls_url, run_time="1s")
        if "without HTTP/3" not in result.stderr:
            pytest.skip(f"this libcurl has HTTP/3 ({curl})")
        assert result.code == 1, str(result)
        assert "let the dynamic linker find one from 8.5.0 on that has it" in result.stderr
        assert "Traceback" not in result.stderr
