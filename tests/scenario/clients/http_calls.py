"""What HttpUser's client does, call by call. See test_clients.py."""

import pickle

from calls import PATHS, PORT, attempt, attempt_caught, echo, fail, show
from locust import HttpUser, constant, task
from locust.exception import ResponseError


def describe(r):
    error = getattr(r, "error", None)
    return (
        r.status_code, r.reason, r.ok if r.status_code else None, r.url, None if r.content is None else len(r.content),
        r.text[:30] if r.text else r.text, type(error).__name__, str(error), r.encoding,
        [hop.status_code for hop in r.history], [hop.url for hop in r.history], r.is_redirect, len(r.headers),
    )  # fmt: skip


class Caller(HttpUser):
    wait_time = constant(100)

    def context(self):
        return {"user": 1}

    @task
    def everything(self):
        self.plain_calls()
        self.arguments()
        self.sessions()
        self.caught()
        self.responses()
        self.rests()
        self.environment.runner.quit()

    def plain_calls(self):
        c = self.client
        for path in PATHS:
            attempt(path, lambda path=path: describe(c.get(path)))
        attempt("refused", lambda: repr(c.get("http://127.0.0.1:1/x").error))
        attempt("dns", lambda: repr(c.get("http://nosuchhost.invalid/").error))
        attempt("timeout", lambda: repr(c.get("/delay/2000", timeout=0.2).error))
        attempt("timeout2", lambda: repr(c.get("/delay/2000", timeout=(3, 0.2)).error))
        attempt("raise_for_status", lambda: c.get("/close").raise_for_status())
        attempt("ok on failed", lambda: c.get("/close").ok)
        attempt("raise404", lambda: c.get("/status/404").raise_for_status())
        for u in [
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
            f"http://127.0.0.1:{PORT}/hello",
            f"HTTP://127.0.0.1:{PORT}/hello",
        ]:
            attempt(
                "url " + u, lambda u=u: (lambda r: (r.status_code, r.url, r.request.url, r.request.path_url))(c.get(u))
            )

    def arguments(self):
        c = self.client
        attempt("echo get", lambda: echo(c.get("/echo/1")))
        attempt("echo params", lambda: echo(c.get("/echo/1", params={"a": 1, "b": ["x", "y"], "c": None, "d": "ü &"})))
        attempt("echo params2", lambda: echo(c.get("/echo/1?z=1", params=[("a", 1), ("a", 2)])))
        attempt("echo params str", lambda: echo(c.get("/echo/1", params="raw=1")))
        attempt("post none", lambda: echo(c.post("/echo/1")))
        attempt("post dict", lambda: echo(c.post("/echo/1", {"a": "1 2", "b": "ü"})))
        attempt("post str", lambda: echo(c.post("/echo/1", "strü")))
        attempt("post bytes", lambda: echo(c.post("/echo/1", b"bytes")))
        attempt("post json", lambda: echo(c.post("/echo/1", json={"a": [1, None, "ü"]})))
        attempt("post data+json", lambda: echo(c.post("/echo/1", data={"x": 1}, json={"a": 1})))
        attempt("post empty json", lambda: echo(c.post("/echo/1", json={})))
        attempt("post nan", lambda: echo(c.post("/echo/1", json={"a": float("nan")})))
        attempt("post list", lambda: echo(c.post("/echo/1", data=[("a", 1), ("a", 2)])))
        attempt("put", lambda: echo(c.put("/echo/1", data="x")))
        attempt("patch", lambda: echo(c.patch("/echo/1", json=1)))
        attempt("delete", lambda: echo(c.delete("/echo/1")))
        attempt("options", lambda: echo(c.options("/echo/1")))
        attempt("head", lambda: (c.head("/echo/1").status_code, c.head("/redirect/1").status_code))
        attempt("request", lambda: echo(c.request("get", "/echo/1", name="lower")))
        attempt("request kw", lambda: echo(c.request(method="PURGE", url="/echo/1")))
        attempt("positional params", lambda: c.get("/echo/1", {"a": 1}))
        attempt("headers", lambda: echo(c.get("/echo/1", headers={"X-A": "1", "User-Agent": "me", "Accept": None})))
        attempt("bad header", lambda: echo(c.get("/echo/1", headers={"X-A": "a\r\nb: c"})))
        attempt("int header", lambda: echo(c.get("/echo/1", headers={"X-A": 1})))
        attempt("headers two cases", lambda: echo(c.get("/echo/1", headers={"x-a": "1", "X-A": "2"})))
        attempt("header of length", lambda: echo(c.get("/echo/1", headers={"Content-Length": "0"})))

    def sessions(self):
        c = self.client
        attempt("auth", lambda: echo(c.get("/echo/1", auth=("u", "p:x"))))
        attempt("cookies kw", lambda: echo(c.get("/echo/1", cookies={"k": "v"})))
        attempt("set cookie", lambda: c.get("/cookies/set?a=b&c=d").status_code)
        attempt("cookie sent", lambda: echo(c.get("/echo/1")))
        attempt(
            "cookies",
            lambda: (
                sorted(c.cookies.get_dict().items()),
                c.cookies.get("a"),
                c.cookies["a"],
                len(c.cookies),
                [(k.name, k.value, k.domain, k.path, k.secure) for k in c.cookies],
            ),
        )
        attempt("cookie write", lambda: (c.cookies.set("own", "1"), echo(c.get("/echo/1"))))
        attempt("cookie update", lambda: (c.cookies.update({"own2": "2"}), echo(c.get("/echo/1"))))
        attempt("cookie both", lambda: echo(c.get("/echo/1", cookies={"a": "over", "n": "new"})))
        attempt("cookie del", lambda: (c.cookies.pop("own"), c.cookies.__delitem__("own2"), echo(c.get("/echo/1"))))
        attempt("cookies clear", lambda: (c.cookies.clear(), echo(c.get("/echo/1"))))
        attempt("session headers", lambda: (c.headers.update({"X-S": "s"}), echo(c.get("/echo/1"))))
        attempt(
            "session headers2",
            lambda: (
                c.headers.__setitem__("Authorization", "Bearer t"),
                echo(c.post("/echo/1", json={}, headers={"x-s": "lower"})),
            ),
        )
        attempt(
            "session headers3",
            lambda: (c.headers.pop("X-S"), c.headers.pop("authorization"), echo(c.get("/echo/1")), dict(c.headers)),
        )
        attempt(
            "session auth", lambda: (setattr(c, "auth", ("a", "b")), echo(c.get("/echo/1")), setattr(c, "auth", None))
        )
        attempt(
            "session params",
            lambda: (c.params.update({"s": 1}), echo(c.get("/echo/1", params={"t": 2})), c.params.clear()),
        )
        attempt(
            "no redirect",
            lambda: (lambda r: (r.status_code, r.headers["location"], r.is_redirect, r.next.url))(
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
        # catch_response

    def caught(self):
        c = self.client
        attempt_caught(c, "caught nothing", lambda r: None)
        attempt_caught(c, "caught 404", lambda r: None, "/status/404")
        attempt_caught(c, "caught closed", lambda r: None, "/close")
        attempt_caught(c, "caught success", lambda r: r.success(), "/status/404")
        attempt_caught(c, "caught success closed", lambda r: r.success(), "/close")
        attempt_caught(c, "caught failure str", lambda r: r.failure("bad"))
        attempt_caught(c, "caught failure exc", lambda r: r.failure(ValueError("v")))
        attempt_caught(c, "caught failure none", lambda r: r.failure(None))
        attempt_caught(c, "caught failure dict", lambda r: r.failure({"a": 1}))
        attempt_caught(c, "caught both", lambda r: (r.failure("x"), r.success()))
        attempt_caught(c, "caught fail+exc", lambda r: (r.failure("x"), fail(KeyError(1))))
        attempt_caught(c, "caught exc", lambda r: fail(KeyError(1)))
        attempt_caught(c, "caught ResponseError", lambda r: fail(ResponseError("resp")))
        attempt_caught(
            c, "caught meta", lambda r: r.request_meta.update(name="changed", request_type="X", response_time=5)
        )
        attempt("caught, no block", lambda: c.get("/hello", catch_response=True).status_code)
        attempt("caught, judged before", lambda: c.get("/hello", catch_response=True).success())
        attempt("block no cr", lambda: c.get("/hello").__enter__())
        attempt("success no cr", lambda: c.get("/hello").success())
        attempt("failure no cr", lambda: c.get("/hello").failure("x"))
        attempt("name", lambda: c.get("/hello", name="N", context={"c": 2}).status_code)
        attempt("empty name", lambda: c.get("/hello", name="").status_code)

        def ren():
            with c.rename_request("REN"):
                c.get("/hello")
                c.get("/hello", name="X")
            c.get("/hello")

        attempt("rename", ren)
        attempt("meta", lambda: sorted(c.get("/hello").request_meta))

    def responses(self):
        c = self.client
        r = c.get("/hello")
        attempt(
            "repr",
            lambda: (
                repr(r),
                bool(r),
                r.links,
                r.apparent_encoding,
                list(r.iter_content(5)),
                list(r.iter_lines()),
                r.is_permanent_redirect,
                type(r).__name__,
                type(r).__mro__[-2].__name__,
                r.cookies.get_dict(),
                r.elapsed.total_seconds() > 0,
                r.raw.status,
                r.connection is None,
            ),
        )
        attempt("request attr", lambda: (r.request.method, r.request.url, dict(r.request.headers), r.request.body))
        attempt(
            "pickle", lambda: (lambda q: (q.status_code, q.text, q.url, dict(q.headers)))(pickle.loads(pickle.dumps(r)))
        )
        attempt("bad json", lambda: r.json())
        attempt("stream", lambda: (lambda q: b"".join(q.iter_content(10)))(c.get("/bytes/30", stream=True)))
        attempt("files", lambda: c.post("/echo/1", files={"f": ("n.txt", b"abc")}).status_code)
        attempt("generator", lambda: echo(c.post("/echo/1", data=iter([b"a", b"b"]))))
        attempt("hooks", lambda: c.get("/hello", hooks={"response": lambda q, *a, **k: setattr(q, "hooked", 1)}).hooked)
        attempt(
            "verify attr",
            lambda: (
                c.verify,
                c.cert,
                c.proxies,
                c.stream,
                c.trust_env,
                c.max_redirects,
                c.auth,
                c.hooks,
                list(c.adapters),
            ),
        )
        attempt(
            "callable auth",
            lambda: echo(c.get("/echo/1", auth=lambda rq: (rq.headers.__setitem__("X-Auth", "y"), rq)[1])),
        )
        attempt(
            "max_redirects",
            lambda: (setattr(c, "max_redirects", 2), c.get("/redirect/3").status_code, setattr(c, "max_redirects", 30)),
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
