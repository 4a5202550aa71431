"""What FastHttpUser's settings do: retries, pools, TLS, proxies, streams; how long its responses live."""

from engines import Engine
from servers import Target, free_port

LOCUSTFILE = """
import gc
import os
import ssl
import time
import weakref

import gevent.pool
from locust import FastHttpUser, constant, events, task
from locust.contrib.fasthttp import FastHttpSession

TLS = os.environ["TLS_TARGET"]
seen = []


@events.request.add_listener
def on_request(response_time, exception, **_):
    seen.append((response_time, repr(exception)))


class SharedPool:
    client_args = {"concurrency": 2}


class Impatient(FastHttpUser):
    abstract = True
    network_timeout = 0.3
    max_retries = 2


class Caller(FastHttpUser):
    wait_time = constant(100)
    default_headers = {"X-Default": "yes"}

    def session(self, host=None, **settings):
        return FastHttpSession(host or self.host, self.environment.events.request, None, **settings)

    def check_retries(self):
        Impatient.host = self.host
        client = Impatient(self.environment).client
        for method, tries in (("GET", 3), ("POST", 1)):
            before = self.count()
            client.request(method, "/delay/60000")
            assert seen[-1][0] > 280 * tries and "/delay/60000', " in seen[-1][1], seen
            assert "original=timed out)" in seen[-1][1], seen
            assert self.count() - before == tries + 1, (method, seen)

    def count(self):
        return self.client.get("/counter").json()["requests"]

    def check_pool(self):
        client = self.session(client_pool=SharedPool())
        begin = time.monotonic()
        calls = gevent.pool.Pool()
        for _ in range(6):
            calls.spawn(client.get, "/delay/100")
        calls.join()
        assert 0.28 < time.monotonic() - begin

    def check_settings(self):
        client = self.session("http://a:b%40c@" + self.host.removeprefix("http://"), headers={"X-Y": "z"})
        assert client.base_url == self.host
        client.client.default_headers["X-D"] = "1"
        headers = client.get("/echo").json()["headers"]
        assert (headers["X-Y"], headers["X-D"], headers["Authorization"]) == ("z", "1", "Basic YTpiQGM=")
        assert (client.client.max_redirects, client.client.max_retries) == (3, 3)
        client.client.valid_response_codes = frozenset([404])
        assert client.get("/status/404").error is None
        assert repr(client.get("/hello").error) == "LocustBadStatusCode(code=200)"

    def check_tls(self):
        assert self.session(TLS).get("/hello").ok
        assert self.session(TLS).get("/hello", stream=True).text.startswith("Hello")
        for stream in (False, True):
            refused = self.session(TLS, insecure=False).get("/hello", stream=stream)
            assert isinstance(refused.error, ssl.SSLCertVerificationError), refused.error
        made = self.session(TLS, ssl_context_factory=ssl._create_unverified_context).get("/hello")
        assert made.text.startswith("Hello")
        made = self.session(TLS, ssl_context_factory=ssl.create_default_context).get("/hello")
        assert isinstance(made.error, ssl.SSLCertVerificationError), made.error

    def check_proxy(self):
        client = self.session(
            "http://nowhere.invalid", proxy_host="127.0.0.1", proxy_port=int(self.host.rpartition(":")[2])
        )
        assert client.get("/hello").status_code == 200

    def check_streams(self):
        lines = self.client.iter_lines("/slow-body?pieces=3&ms=20")
        assert next(lines)[:3] == "xxx"
        with self.client.get("/hello", catch_response=True, stream=True) as response:
            assert list(response.iter_content(5)) == ["Hello", ", wor", "ld!\\n"]
            assert response.request_meta["response"].status_code == 200

    def check_lifetime(self):
        watched = []
        for _ in range(50):
            response = self.client.get("/redirect/1")
            assert response.text and response.request and response.history and response.headers
            watched.append(weakref.ref(response))
            with self.client.get("/status/404", catch_response=True) as caught:
                assert caught.request_meta["exception"]
            watched.append(weakref.ref(caught))
            self.client.get(f"http://127.0.0.1:{os.environ['CLOSED']}/")
        del response, caught
        gc.collect()
        # The statistics keep the exception of the first failure of a kind, and it its response.
        assert len([ref for ref in watched if ref() is not None]) == 1
        self.environment.stats.errors.clear()
        gc.collect()
        assert [ref for ref in watched if ref() is not None] == []
        gc.disable()
        response = weakref.ref(self.client.get("/hello"))
        assert response() is None
        gc.enable()

    @task
    def everything(self):
        for name in ("retries", "pool", "settings", "tls", "proxy", "streams", "lifetime"):
            getattr(self, "check_" + name)()
            print(name, flush=True)
        self.environment.runner.quit()
"""


def test_settings(engine: Engine, target: Target, tls_target: Target) -> None:
    """API-193, API-194, API-202, API-203, API-212, API-215."""
    result = engine.load(
        engine.locustfile(LOCUSTFILE),
        host=target.url,
        users=1,
        run_time="100s",
        env={"TLS_TARGET": tls_target.url, "CLOSED": str(free_port())},
    )
    assert result.stdout.split() == ["retries", "pool", "settings", "tls", "proxy", "streams", "lifetime"], str(result)
