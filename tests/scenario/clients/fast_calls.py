"""What FastHttpUser's client does, call by call. See test_clients.py."""

import re
import time
from http.cookiejar import CookieJar

from calls import PATHS, PORT, attempt, attempt_caught, echo, fail, show
from local_server import start_servers
from locust import FastHttpUser, constant, task
from locust.exception import ResponseError

OWN_PATHS = [
    "/status/205",
    "/status/299",
    "/status/300",
    "/status/305",
    "/status/301",
    "/redirect-to?url=ftp://a/b",
]


def describe(r):
    error = getattr(r, "error", None)
    return (
        r.status_code, r.ok, r.url, None if r.content is None else len(r.content), r.text[:30] if r.text else r.text,
        repr(error), str(error), r.encoding, [hop.status_code for hop in r.history] if r.status_code else None,
        None if r.headers is None else len(r.headers), type(r).__name__,
    )  # fmt: skip


def failing(function):
    try:
        return function()
    except Exception as error:
        return error


class Caller(FastHttpUser):
    wait_time = constant(100)
    network_timeout = 1.0
    default_headers = {"X-Default": "1"}  # noqa: RUF012

    def context(self):
        return {"user": 1}

    @task
    def everything(self):
        self.plain_calls()
        self.arguments()
        self.sessions()
        self.caught()
        self.responses()
        self.streams()
        self.rests()
        self.environment.runner.quit()

    def plain_calls(self):
        c = self.client
        for path in PATHS + OWN_PATHS:
            attempt(path, lambda path=path: describe(c.get(path)))
        attempt("refused", lambda: repr(c.get("http://127.0.0.1:1/x").error))
        attempt("dns", lambda: repr(c.get("http://nosuchhost.invalid/").error))
        attempt("timeout", lambda: repr(c.get("/delay/5000").error))
        attempt("timeout post", lambda: repr(c.post("/delay/5000").error))
        attempt("raise_for_status", lambda: c.get("/close").raise_for_status())
        attempt("raise404", lambda: c.get("/status/404").raise_for_status())
        attempt(
            "error parts", lambda: (lambda e: (e.url, e.code, e.text, e.kw_text, e.args))(c.get("/status/404").error)
        )
        attempt(
            "ok on failed", lambda: (lambda r: (r.ok, r.status_code, r.content, r.text, r.headers))(c.get("/close"))
        )
        attempt("bool failed", lambda: bool(c.get("/close")))
        attempt("bool 404", lambda: bool(c.get("/status/404")))
        attempt("bool chunked", lambda: bool(c.get("/chunked/10")))
        attempt("len", lambda: (len(c.get("/hello")), bool(c.get("/bytes/0"))))
        for url in [
            "ftp://a",
            "http:///x",
            "http://[::1",
            "http://a b/",
            "http://",
            " /hello",
            "/a b?c=d e",
            "/ünï?q=ö",
            "/%7Euser/%zz",
            "?x=1",
            "hello",
            "/a/../b",
            "/hello#frag",
            "//x/y",
            "/a\r\nb",
            f"http://127.0.0.1:{PORT}/hello",
            f"HTTP://127.0.0.1:{PORT}/hello",
        ]:
            attempt("url " + url, lambda url=url: (lambda r: (r.status_code, r.url, r.request.url))(c.get(url)))

    def arguments(self):
        c = self.client
        attempt("echo get", lambda: echo(c.get("/echo/1")))
        attempt("unsafe", lambda: echo(c.get("/echo/a b?c=d e|f")))
        attempt("dots", lambda: [echo(c.get(f"/echo/{path}")) for path in ("a/../b", "./c/.", "%2e%2e/d?e=/../f")])
        attempt("params", lambda: echo(c.get("/echo/1", params={"a": 1, "b": ["x", "y"], "c": None, "d": "ü &"})))
        attempt("params2", lambda: echo(c.get("/echo/1?z=1#frag", params=[("a", 1), ("a", 2)])))
        attempt("params str", lambda: echo(c.get("/echo/1", params="raw=1")))
        attempt("params empty", lambda: echo(c.get("/echo/1", params={})))
        attempt("params url", lambda: (lambda r: (r.url, r.request.url))(c.get("/echo/1", params={"a": 1})))
        attempt("unknown get", lambda: echo(c.get("/echo/1", timeout=3, verify=False)))
        attempt("unknown get params", lambda: echo(c.get("/echo/1", params={"a": 1}, foo="bar baz")))
        attempt("unknown post", lambda: echo(c.post("/echo/1", foo="bar")))
        attempt("unknown post dict", lambda: echo(c.post("/echo/1", {"a": 1}, foo="bar")))
        attempt("unknown post str", lambda: echo(c.post("/echo/1", "text", foo="bar")))
        attempt("unknown post json", lambda: echo(c.post("/echo/1", json={"a": 1}, foo="bar")))
        attempt("unknown put", lambda: echo(c.put("/echo/1", "text", foo="bar")))
        attempt("post none", lambda: echo(c.post("/echo/1")))
        attempt("post dict", lambda: echo(c.post("/echo/1", {"a": "1 2", "b": "ü"})))
        attempt("post dict list", lambda: echo(c.post("/echo/1", {"a": [1, 2]})))
        attempt("post str", lambda: echo(c.post("/echo/1", "strü")))
        attempt("post bytes", lambda: echo(c.post("/echo/1", b"bytes")))
        attempt("post json", lambda: echo(c.post("/echo/1", json={"a": [1, None, "ü"]})))
        attempt("post json ct", lambda: echo(c.post("/echo/1", json=1, headers={"content-type": "x/y", "accept": "z"})))
        attempt("post str ct", lambda: echo(c.post("/echo/1", "x", headers={"Content-Type": "x/y"})))
        attempt("post dict ct", lambda: echo(c.post("/echo/1", {"a": 1}, headers={"Content-Type": "x/y"})))
        attempt("post data+json", lambda: echo(c.post("/echo/1", data={"x": 1}, json={"a": 1})))
        attempt("post empty data+json", lambda: echo(c.post("/echo/1", data="", json={"a": 1})))
        attempt("post empty json", lambda: echo(c.post("/echo/1", json={})))
        attempt("post false json", lambda: echo(c.post("/echo/1", json=False)))
        attempt("post nan", lambda: echo(c.post("/echo/1", json={"a": float("nan")})))
        attempt("post set json", lambda: echo(c.post("/echo/1", json={1, 2})))
        attempt("positional", lambda: echo(c.post("/echo/1", None, {"a": 1})))
        attempt("put positional json", lambda: echo(c.put("/echo/1", None, {"a": 1})))
        attempt("get positional", lambda: echo(c.get("/echo/1", {"a": 1})))
        attempt("no url", lambda: c.get())
        attempt("put", lambda: echo(c.put("/echo/1", data="x")))
        attempt("patch", lambda: echo(c.patch("/echo/1", json=1)))
        attempt("delete", lambda: echo(c.delete("/echo/1")))
        attempt("delete data", lambda: echo(c.delete("/echo/1", data="x")))
        attempt("get json", lambda: echo(c.get("/echo/1", json={"x": 1})))
        attempt("options", lambda: echo(c.options("/echo/1")))
        attempt("head", lambda: (c.head("/echo/1").status_code, c.head("/redirect/1").status_code))
        attempt("request", lambda: echo(c.request("get", "/echo/1", name="lower")))
        attempt("request kw", lambda: echo(c.request(method="PURGE", url="/echo/1")))
        attempt(
            "request positional",
            lambda: echo(
                c.request(
                    "POST", "/echo/1", "NAME", "DATA", False, False, {"X-H": "1"}, ("u", "p"), None, True, {"c": 1}
                )
            ),
        )
        attempt(
            "headers", lambda: echo(c.get("/echo/1", headers={"X-A": "1", "User-Agent": "me", "Accept-Encoding": "x"}))
        )
        attempt("bad header", lambda: echo(c.get("/echo/1", headers={"X-A": "a\r\nb: c"})))
        attempt("int header", lambda: echo(c.get("/echo/1", headers={"X-A": 1})))
        attempt("latin header", lambda: echo(c.get("/echo/1", headers={"X-A": "é"})))
        odd_headers = {
            "two cases": {"x-a": "1", "X-A": "2"},
            "two cases of a default": {"accept-encoding": "x", "Accept-Encoding": "y"},
            "none": {"X-A": None, "User-Agent": None},
            "pairs": [("X-A", "1"), ("x-b", 2), ("x-a", "3")],
            "blank": {"X-A": " a\tb "},
            "no values": {"X-A": []},
            "true length": {"Content-Length": "0"},
        }
        for label, headers in odd_headers.items():
            attempt(f"headers {label}", lambda headers=headers: echo(c.get("/echo/1", headers=headers)))
            attempt(f"headers {label} post", lambda headers=headers: echo(c.post("/echo/1", headers=headers)))
        both = r'"X-A": "(\w)(?:, |", "X-A": ")(\w)"'
        several = {"X-A": ["a", "b"]}
        attempt("headers several values", lambda: re.findall(both, c.get("/echo/1", headers=several).text))
        for data in ([], (), set(), ["a", "b"], [("a", "1")], ("a",), {"a"}, range(2), {"a": 1}.keys()):
            attempt(f"data {data!r}", lambda data=data: echo(c.post("/echo/1", data=data)))
            # Locust leaves the half of a request on the connection.
            c.client.clientpool.close()
        attempt("data empty with json", lambda: echo(c.post("/echo/1", data=[], json=1)))

    def sessions(self):
        c = self.client
        attempt("auth", lambda: echo(c.get("/echo/1", auth=("u", "p:x"))))
        attempt("auth list", lambda: echo(c.get("/echo/1", auth=["u", b"p"])))
        attempt(
            "auth_header",
            lambda: (
                c.auth_header,
                setattr(c, "auth_header", "Bearer x"),
                echo(c.get("/echo/1")),
                c.auth_header,
                setattr(c, "auth_header", None),
            ),
        )
        attempt("set cookie", lambda: c.get("/cookies/set?a=b&c=d").status_code)
        attempt("cookie sent", lambda: echo(c.get("/echo/1")))
        attempt(
            "cookies",
            lambda: (
                sorted((k.name, k.value, k.path) for k in c.cookiejar),
                len(c.cookiejar),
                isinstance(c.cookiejar, CookieJar),
            ),
        )
        attempt(
            "cookie redirect",
            lambda: (
                c.get("/redirect/1").status_code,
                [h.request.headers.get("cookie") for h in c.get("/redirect/1").history],
            ),
        )
        attempt("cookies clear", lambda: (c.cookiejar.clear(), echo(c.get("/echo/1"))))
        attempt("cookies kw", lambda: echo(c.get("/echo/1", cookies={"k": "v"})))
        attempt(
            "no redirect",
            lambda: (lambda r: (r.status_code, r.headers["location"], r.history, r.ok))(
                c.get("/redirect/1", allow_redirects=False)
            ),
        )
        attempt(
            "redirect post",
            lambda: (lambda r: (r.status_code, r.request.method, r.url, [h.status_code for h in r.history]))(
                c.post("/redirect-to?url=/echo/1&status=303", json={"a": 1})
            ),
        )
        attempt("redirect post307", lambda: echo(c.post("/redirect-to?url=/echo/1&status=307", json={"a": 1})))
        attempt("redirect post302", lambda: echo(c.post("/redirect-to?url=/echo/1&status=302", json={"a": 1})))
        attempt("redirect put301", lambda: echo(c.put("/redirect-to?url=/echo/1&status=301", json={"a": 1})))
        attempt(
            "redirect max",
            lambda: (
                c.get("/redirect/3", max_redirects=2).status_code,
                c.get("/redirect/2", max_redirects=2).status_code,
                c.get("/redirect/3", max_redirects=0).status_code,
            ),
        )

    def caught(self):
        c = self.client
        attempt_caught(c, "caught nothing", lambda r: None)
        attempt_caught(c, "caught 404", lambda r: None, "/status/404")
        attempt_caught(c, "caught closed", lambda r: None, "/close")
        attempt_caught(
            c,
            "caught closed attrs",
            lambda r: (r.status_code, r.content, r.text, r.headers, r.ok, repr(r.error), type(r).__name__),
            "/close",
        )
        attempt_caught(c, "caught success", lambda r: r.success(), "/status/404")
        attempt_caught(c, "caught success closed", lambda r: r.success(), "/close")
        attempt_caught(c, "caught failure str", lambda r: r.failure("bad"))
        attempt_caught(c, "caught failure exc", lambda r: r.failure(ValueError("v")))
        attempt_caught(c, "caught failure none", lambda r: r.failure(None))
        attempt_caught(c, "caught failure dict", lambda r: r.failure({"a": 1}))
        attempt_caught(c, "caught both", lambda r: (r.failure("x"), r.success()))
        attempt_caught(c, "caught fail+exc", lambda r: (r.failure("x"), fail(KeyError(1))))
        attempt_caught(c, "caught exc", lambda r: fail(KeyError(1)))
        attempt_caught(c, "caught raise", lambda r: (r.failure("x"), r.raise_for_status()))
        attempt_caught(c, "caught raise 404", lambda r: r.raise_for_status(), "/status/404")
        attempt_caught(c, "caught raise 404 success", lambda r: (r.success(), r.raise_for_status()), "/status/404")

        attempt_caught(c, "caught ResponseError", lambda r: fail(ResponseError("resp")))
        attempt_caught(
            c, "caught meta", lambda r: r.request_meta.update(name="changed", request_type="X", response_time=5)
        )
        attempt_caught(
            c,
            "caught meta keys",
            lambda r: (sorted(r.request_meta), r.request_meta["exception"], type(r.request_meta["response"]).__name__),
            "/status/404",
        )
        attempt_caught(c, "caught types", lambda r: (type(r).__name__, [k.__name__ for k in type(r).__mro__[:2]]))
        attempt("caught, no block", lambda: c.get("/hello", catch_response=True).status_code)
        attempt("caught, judged before", lambda: c.get("/hello", catch_response=True).success())

        def block():
            with c.get("/hello") as r:
                return r.status_code

        attempt("block no cr", block)

        def block_raise():
            with c.get("/hello"):
                fail(KeyError(1))

        attempt("block raise", block_raise)
        attempt("success no cr", lambda: c.get("/hello").success())
        attempt("failure no cr", lambda: c.get("/hello").failure("x"))
        attempt("name", lambda: c.get("/hello", name="N", context={"c": 2}).status_code)
        attempt("empty name", lambda: c.get("/hello", name="").status_code)

        def rename():
            with c.rename_request("REN"):
                c.get("/hello")
                c.get("/hello", name="X")
            c.get("/hello")

        attempt("rename", rename)

    def responses(self):
        c = self.client
        r = c.get("/hello")
        attempt(
            "no such",
            lambda: [
                a for a in ("cookies", "reason", "raw", "is_redirect", "request_meta", "links", "next") if hasattr(r, a)
            ],
        )
        attempt(
            "attributes",
            lambda: (
                type(r.headers).__name__,
                r.headers["CONTENT-type"],
                r.headers.get("nope"),
                "content-TYPE" in r.headers,
                sorted(k for k, v in r.headers.items()),
                r.status,
                r.data,
                r.encoding,
                r.text,
                r.encoding,
                r.elapsed.total_seconds() > 0,
                type(r).__name__,
            ),
        )
        attempt(
            "request attr",
            lambda: (
                r.request.method,
                r.request.url,
                sorted(r.request.headers.iterlower()),
                r.request.body,
                type(r.request).__name__,
            ),
        )
        for label, kw in {
            "none": {},
            "json": {"json": {"a": 1}},
            "str": {"data": "s"},
            "bytes": {"data": b"s"},
            "dict": {"data": {"a": 1}},
            "own": {"data": "x", "headers": {"Content-Type": "a/b"}},
        }.items():
            attempt(
                "request body " + label,
                lambda kw=kw: (lambda q: (q.body, sorted(q.headers.iterlower())))(c.post("/echo/1", **kw).request),
            )
        attempt("bad json", lambda: r.json())

    @staticmethod
    def caught_stream(manager):
        with manager as response:
            size = len(b"".join(response.stream))
        return size, response.status_code

    def time_events(self):
        local, _ = start_servers()
        begin, times = time.monotonic(), []
        for line in self.client.iter_lines(f"{local}/events", name="events"):
            if line:
                times.append(time.monotonic() - begin)
        return len(times), times[1] - times[0] > 0.05, times[2] - times[1] > 0.05

    def streams(self):
        c = self.client
        r = c.get("/hello")
        attempt("iter_content", lambda: list(c.get("/bytes/30", stream=True).iter_content(10)))
        attempt("iter_content 2", lambda: list(r.iter_content(5)))
        attempt("stream", lambda: (lambda q: q.content)(c.get("/bytes/30", stream=True)))
        attempt(
            "stream read",
            lambda: (lambda q: (q.stream.read(5), q.read(2), q.status_code))(c.get("/hello", stream=True)),
        )
        attempt("stream chunked", lambda: (lambda q: q.content[:5])(c.get("/chunked/30", stream=True)))
        attempt("stream 404", lambda: (lambda q: (q.status_code, q.content))(c.get("/status/404", stream=True)))
        attempt("stream closed", lambda: (lambda q: (q.status_code, q.content))(c.get("/close", stream=True)))
        attempt("stream redirected", lambda: (lambda q: (q.content, len(q.history)))(c.get("/redirect/2", stream=True)))
        attempt("stream not redirected", lambda: c.get("/redirect/1", stream=True, allow_redirects=False).status_code)
        attempt("stream gzip", lambda: c.get("/gzip", stream=True).content)
        attempt("stream text", lambda: (lambda q: (q.text, q.encoding))(c.get("/hello", stream=True)))
        attempt("stream json", lambda: c.get("/echo/1", stream=True).json()["method"])
        attempt("stream large", lambda: len(c.get("/bytes/3000000", stream=True).content))
        attempt("stream lines", lambda: (lambda q: (q.readline(), q.readline()))(c.get("/login", stream=True)))
        attempt("stream 204", lambda: (lambda q: (q.status_code, q.content))(c.get("/status/204", stream=True)))
        attempt("stream head", lambda: (lambda q: (q.status_code, q.content))(c.head("/hello", stream=True)))
        attempt("stream posted", lambda: c.post("/echo/1", {"a": 1}, stream=True).json()["body"])
        attempt(
            "stream side by side", lambda: [len(q.content) for q in [c.get("/bytes/90000", stream=True) for _ in "ab"]]
        )
        attempt("stream left", lambda: (c.get("/bytes/5000000", stream=True).release(), c.get("/hello").status_code))
        attempt("stream caught", lambda: self.caught_stream(c.get("/bytes/90000", stream=True, catch_response=True)))
        attempt(
            "stream timeout", lambda: type(failing(lambda: c.get("/slow-body?ms=3000", stream=True).content)).__name__
        )
        attempt("stream events", self.time_events)
        attempt("iter_lines", lambda: list(c.iter_lines("/hello")))
        attempt("iter_lines 404", lambda: list(c.iter_lines("/status/404")))
        attempt(
            "set cookie header list",
            lambda: (lambda h: (h.getlist("set-cookie"), h.get("set-cookie")))(
                c.get("/cookies/set?p=1&q=2", allow_redirects=False).headers
            ),
        )
        attempt(
            "files",
            lambda: re.sub(
                r"[0-9a-f]{32}",
                "BOUNDARY",
                str(echo(c.post("/echo/1", files={"f": ("n.txt", b"abc"), "g": b"x"}, data={"k": "v"}))),
            ),
        )
        attempt(
            "agent",
            lambda: (
                type(c.client).__name__,
                c.client.max_redirects,
                c.client.max_retries,
                c.client.clientpool.close(),
                c.get("/hello").status_code,
            ),
        )
        attempt(
            "agent codes",
            lambda: (
                sorted(c.client.valid_response_codes),
                sorted(c.client.redirect_response_codes),
                dict(c.client.default_headers.items()),
            ),
        )

    def rests(self):
        """`show` after the block: the event belongs to it."""
        with self.rest("POST", "/echo/1", json={"a": 1}) as response:
            pass
        show("rest", response.js["method"], type(response).__name__)
        for label, path in {"rest no json": "/hello", "rest 404": "/status/404", "rest closed": "/close"}.items():
            with self.rest("GET", path) as response:
                pass
            show(label, response.js)
        with self.rest("GET", "/hello", headers={"content-type": "a/b"}) as response:
            assert response.status_code == 201, "not 201,"
        show("rest assertion")
        with self.rest("GET", "/hello"):
            fail(KeyError(1))
        show("rest error")
        with self.rest_("GET", "/hello?a=1") as response:
            pass
        show("rest_", response.status_code)
