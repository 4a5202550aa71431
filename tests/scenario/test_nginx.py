"""Real nginx, plain and with TLS."""

from certs import Certs
from engines import Engine
from servers import Nginx

VISITOR = """
import os

from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        self.client.verify = os.environ.get("AUTHORITY", True)

    @task
    def pages(self):
        self.client.get("/")
        response = self.client.get("/hello")
        assert response.text == "hello " * 100
        assert response.headers["content-length"] == "600"
        response = self.client.get("/file.txt")
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.text == "The quick brown fox jumps over the lazy dog.\\n" * 100
        part = self.client.get("/file.txt", headers={"Range": "bytes=4-8", "Accept-Encoding": "identity"}, name="part")
        assert (part.status_code, part.content) == (206, b"quick")
        since = {"If-Modified-Since": response.headers["Last-Modified"]}
        assert self.client.get("/file.txt", headers=since, name="same").status_code == 304
        moved = self.client.get("/moved")
        assert [hop.status_code for hop in moved.history] == [302]
        assert moved.url.endswith("/hello")
        assert self.client.get("/empty").content == b""
        assert self.client.head("/hello").content == b""
        self.client.get("/missing")
        self.client.get("/broken")
"""

PAGES = ("/", "/hello", "/file.txt", "part", "same", "/moved", "/empty", "/missing", "/broken")
NAMES = {("HEAD", "/hello"), *(("GET", page) for page in PAGES)}
ERRORS = {
    "GET /missing: HTTPError('404 Client Error: Not Found for url: /missing')",
    "GET /broken: HTTPError('500 Server Error: Internal Server Error for url: /broken')",
}


def check(engine: Engine, url: str, certs: Certs) -> None:
    result = engine.load(
        engine.locustfile(VISITOR),
        host=url,
        users=5,
        until="len(stats.entries) == 10 and stats.total.num_requests > 600",
        env={"AUTHORITY": str(certs.ca)},
    )
    assert result.names == NAMES, str(result)
    assert set(result.errors) == ERRORS, str(result)
    assert result.csv("exceptions") == [], str(result)
    assert result.rows["GET", "/"].requests > 50
    assert result.code == 1


def test_http(engine: Engine, nginx: Nginx, certs: Certs) -> None:
    check(engine, nginx.url, certs)


def test_https(engine: Engine, nginx: Nginx, certs: Certs) -> None:
    check(engine, nginx.tls_url, certs)


def test_https_without_the_authority(engine: Engine, nginx: Nginx) -> None:
    result = engine.load(engine.locustfile(VISITOR), host=nginx.tls_url, users=2, until="stats.errors")
    assert result.code == 1
    assert any("SSLCertVerificationError" in error for error in result.errors), str(result)
