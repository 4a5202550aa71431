"""What HttpUser's client does by way of requests' own code. See test_clients.py."""

import copy
import io
import os
import pickle
import tempfile
import time
from http.cookiejar import DefaultCookiePolicy

import calls
import gevent
import requests
from calls import echo, fail
from local_server import start_servers, state
from locust import HttpUser, constant, task
from locust.clients import HttpSession
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth, HTTPProxyAuth

LOCAL, PROXY, GROUP = "", "", ""


def attempt(label, call):
    calls.attempt(f"{GROUP}: {label}", call)


def failing(function):
    """The class and text of what it raises."""
    try:
        return function()
    except Exception as error:
        return type(error).__module__, type(error).__name__, str(error)


class Caller(HttpUser):
    wait_time = constant(100)

    @task
    def everything(self):
        global LOCAL, PROXY, GROUP
        LOCAL, PROXY = start_servers()
        for part in (
            self.streams, self.broken_streams, self.uploads, self.auth, self.hooks, self.prepared,
            self.proxies_and_environment, self.cookies, self.attributes, self.sessions, self.errors, self.adapters,
        ):  # fmt: skip
            GROUP = part.__name__
            part()
        self.environment.runner.quit()

    def streams(self):
        c = self.client

        def get(path, **kw):
            return c.get(path, stream=True, **kw)

        attempt("content", lambda: get("/bytes/1000").content[:20])
        attempt("iter_content", lambda: [len(piece) for piece in get("/bytes/1000").iter_content(300)])
        attempt("iter_content 1", lambda: len(list(get("/hello").iter_content())))
        attempt("iter_content none", lambda: [len(p) for p in get("/bytes/100").iter_content(None)])
        attempt("iter_content chunked", lambda: [len(p) for p in get("/chunked/1000").iter_content(300)])
        attempt("iter_content text", lambda: list(get("/hello").iter_content(5, decode_unicode=True)))
        attempt("iter_lines", lambda: list(get(f"{LOCAL}/events").iter_lines()))
        attempt("iter_lines text", lambda: list(get("/hello").iter_lines(decode_unicode=True)))
        attempt("iter_lines delimiter", lambda: list(get("/hello").iter_lines(chunk_size=3, delimiter=b"o")))
        attempt("iterated", lambda: [len(piece) for piece in get("/bytes/300")])
        attempt("gzip", lambda: get("/gzip").content[:20])
        attempt("gzip raw", lambda: get("/gzip").raw.read()[:2])
        attempt("gzip raw decoded", lambda: get("/gzip").raw.read(decode_content=True)[:20])
        attempt("raw", lambda: self.look_at_raw(get("/bytes/100")))
        attempt("raw plain", lambda: self.look_at_raw(c.get("/bytes/100")))
        attempt("raw stream", lambda: [len(piece) for piece in get("/chunked/1000").raw.stream(400)])
        attempt("consumed", lambda: self.consume_twice(get("/hello")))
        attempt("no length", lambda: get("/no-length").content)
        attempt("http10", lambda: get("/http10").content)
        attempt("closing", lambda: (get(f"{LOCAL}/closing").content, get(f"{LOCAL}/closing").text))
        attempt("head", lambda: (lambda r: (r.content, r.headers["content-length"]))(c.head("/hello", stream=True)))
        attempt("204", lambda: get("/status/204").content)
        attempt("304", lambda: get("/status/304").content)
        attempt("404", lambda: failing(get("/status/404").raise_for_status))
        attempt("redirects", lambda: self.look_at_history(get("/redirect/2")))
        attempt("too many", lambda: failing(get("/redirect/40").raise_for_status))
        attempt("no redirect", lambda: get("/redirect/1", allow_redirects=False).next.url)
        attempt("named", lambda: get("/hello", name="N", context={"a": 1}).status_code)
        attempt("closed early", self.close_early)
        attempt("left open", lambda: (get("/bytes/5000000").status_code, c.get("/hello").text))
        attempt("events come", self.time_events)
        attempt("caught", lambda: self.catch(get("/status/404", catch_response=True), None))
        attempt("caught failure", lambda: self.catch(get("/hello", catch_response=True), "no"))
        attempt("several at once", self.stream_side_by_side)
        attempt("session stream", self.stream_by_attribute)
        attempt("with", lambda: fail_in_block(get("/hello")))

    @staticmethod
    def look_at_raw(response):
        raw = response.raw
        seen = [raw.status, raw.reason, raw.version, dict(raw.headers), raw.closed, raw._original_response.isclosed()]
        return seen, raw.read(10), raw.tell(), raw.read()[:5], response.content, raw.closed

    @staticmethod
    def consume_twice(response):
        first = list(response.iter_content(100))
        return first, failing(lambda: list(response.iter_content(100))), failing(lambda: response.content)

    @staticmethod
    def look_at_history(response):
        hops = [
            (hop.status_code, hop.url, hop.request.method, hop.is_redirect, len(hop.content))
            for hop in response.history
        ]
        return response.content, hops, response.url, response.history[1].history[0].url

    def close_early(self):
        response = self.client.get(f"{LOCAL}/infinite", stream=True)
        taken = len(next(response.iter_content(1000)))
        during = state["infinite"]
        response.close()
        for _ in range(100):
            if state["infinite"] == "gone":
                break
            gevent.sleep(0.02)
        return taken, during, state["infinite"], self.client.get("/hello").status_code

    def time_events(self):
        begin, times = time.monotonic(), []
        for line in self.client.get(f"{LOCAL}/events", stream=True).iter_lines(chunk_size=1):
            if line:
                times.append(time.monotonic() - begin)
        return len(times), times[1] - times[0] > 0.05, times[2] - times[1] > 0.05

    def catch(self, manager, failure):
        with manager as response:
            if failure:
                response.failure(failure)
        return response.status_code, type(response).__name__

    def stream_side_by_side(self):
        responses = [self.client.get("/bytes/200000", stream=True, name=f"n{n}") for n in range(3)]
        return [len(b"".join(response.iter_content(50000))) for response in responses]

    def stream_by_attribute(self):
        self.client.stream = True
        try:
            response = self.client.get("/bytes/50")
            return response._content_consumed, len(response.content), response._content_consumed
        finally:
            self.client.stream = False

    def broken_streams(self):
        c = self.client
        for path in ("/close-body/100", "/reset-body", "/cut-chunk", "/bad-chunk", "/bad-gzip"):
            attempt("content " + path, lambda path=path: c.get(path, stream=True).content)
            attempt("pieces " + path, lambda path=path: list(c.get(path, stream=True).iter_content(10)))
        for path in ("/close", "/reset", "/garbage"):
            attempt("head " + path, lambda path=path: repr(c.get(path, stream=True).error))
        attempt("late", lambda: repr(c.get("/delay/1000", stream=True, timeout=0.1).error))
        attempt("late tuple", lambda: repr(c.get("/delay/1000", stream=True, timeout=(1, 0.1)).error))
        attempt("late body", lambda: c.get("/slow-body?ms=400", stream=True, timeout=0.1).content)
        attempt("refused", lambda: repr(c.get("http://127.0.0.1:1/x", stream=True).error))
        attempt("unknown host", lambda: repr(c.get("http://nosuchhost.invalid/", stream=True).error))

    def uploads(self):
        c, target = self.client, f"{LOCAL}/upload"

        def pieces():
            state["pieces"] = 0
            for piece in (b"one", b"", b"three"):
                state["pieces"] += 1
                yield piece

        attempt("generator", lambda: c.post(target, data=pieces()).text)
        attempt("generator stays open", lambda: (c.post(target, data=pieces()).text, c.get("/hello").text))
        attempt("text generator", lambda: echo(c.post("/echo/1", data=iter(["\u00fc", "b"]))))
        attempt("empty generator", lambda: echo(c.post("/echo/1", data=iter([]))))
        attempt("file", lambda: echo(c.post("/echo/1", data=io.BytesIO(b"content"))))
        attempt("file from its middle", lambda: self.upload_rest())
        attempt("real file", lambda: self.upload_file())
        attempt("large file", lambda: c.put(target, data=io.BytesIO(b"x" * 3_000_000)).text)
        attempt("bytearray", lambda: echo(c.post("/echo/1", data=bytearray(b"raw"))))
        attempt("memoryview", lambda: failing(lambda: echo(c.post("/echo/1", data=memoryview(b"raw")))))
        attempt("files", lambda: self.form(files={"f": ("n.txt", b"abc")}))
        attempt("files typed", lambda: self.form(files={"f": ("n.txt", io.BytesIO(b"abc"), "text/x", {"X-Y": "z"})}))
        attempt("files and data", lambda: self.form(files=[("f", b"1"), ("f", ("b", "2"))], data={"a": ["x", "y"]}))
        attempt("files empty", lambda: self.form(files={}, data={"a": 1}))
        attempt("files and json", lambda: self.form(files={"f": b"1"}, json={"a": 1}))
        attempt("redirected", lambda: echo(c.post("/redirect-to?url=/echo/1&status=307", data=io.BytesIO(b"again"))))
        attempt(
            "cannot rewind",
            lambda: failing(c.post("/redirect-to?url=/echo/1&status=307", data=iter([b"a"])).raise_for_status),
        )
        attempt(
            "generator raises", lambda: failing(lambda: c.post("/echo/1", data=(fail(KeyError("own")) for _ in "a")))
        )
        attempt("after it", lambda: c.get("/hello").text)

    def upload_rest(self):
        file = io.BytesIO(b"0123456789")
        file.seek(6)
        return echo(self.client.post("/echo/1", data=file))

    def upload_file(self):
        with tempfile.TemporaryFile() as file:
            file.write(b"from disk")
            file.seek(0)
            return echo(self.client.put("/echo/1", data=file))

    def form(self, **kw):
        response = self.client.post("/echo/1", **kw)
        body, kind = response.request.body, response.request.headers.get("Content-Type", "")
        mark = kind.partition("boundary=")[2]
        text = body.decode() if isinstance(body, bytes) else str(body)
        sent = response.json()["body"]
        return text.replace(mark, "MARK") if mark else text, kind.replace(mark, "MARK") if mark else kind, sent == text

    def auth(self):
        c = self.client

        class Token(AuthBase):
            def __call__(self, request):
                request.headers["X-Token"] = request.url.rpartition("/")[2]
                return request

        digest = HTTPDigestAuth("u", "secret")
        attempt("basic", lambda: c.get("/basic-auth", auth=HTTPBasicAuth("user", "secret"), stream=True).status_code)
        attempt(
            "digest",
            lambda: (lambda r: (r.text, [h.status_code for h in r.history]))(c.get(f"{LOCAL}/digest", auth=digest)),
        )
        attempt("digest again", lambda: (lambda r: (r.text, len(r.history)))(c.get(f"{LOCAL}/digest", auth=digest)))
        attempt("digest body", lambda: c.post(f"{LOCAL}/digest", data=b"body", auth=HTTPDigestAuth("u", "secret")).text)
        attempt("digest wrong", lambda: c.get(f"{LOCAL}/digest", auth=HTTPDigestAuth("u", "x")).status_code)
        attempt("class", lambda: echo(c.get("/echo/1", auth=Token())))
        attempt("proxy auth", lambda: echo(c.get("/echo/1", auth=HTTPProxyAuth("a", "b"))))
        attempt(
            "session class", lambda: (setattr(c, "auth", Token()), echo(c.get("/echo/2")), setattr(c, "auth", None))
        )
        attempt("in the URL", lambda: c.get(f"{LOCAL.replace('//', '//me:p%40ss@')}/x").headers["x-auth"])
        attempt(
            "in the URL, streamed",
            lambda: c.get(f"{LOCAL.replace('//', '//me:p%40ss@')}/x", stream=True).headers["x-auth"],
        )
        attempt("three", lambda: failing(lambda: c.get("/hello", auth=("a", "b", "c")).status_code))
        attempt("a string", lambda: failing(lambda: c.get("/hello", auth="token").status_code))
        attempt("numbers", lambda: failing(lambda: echo(c.get("/echo/1", auth=(1, 2)))))
        attempt("empty", lambda: echo(c.get("/echo/1", auth=())))

    def hooks(self):
        c, seen = self.client, []

        def keep(response, *args, **kw):
            seen.append((response.status_code, type(response).__name__, sorted(kw)))

        def replace(response, *args, **kw):
            response.headers["X-Hook"] = "replaced"
            return response

        attempt("one", lambda: (c.get("/redirect/1", hooks={"response": keep}).status_code, seen[:], seen.clear()))
        attempt("list", lambda: c.get("/hello", hooks={"response": [keep, replace]}).headers["x-hook"])
        attempt(
            "raises", lambda: failing(lambda: c.get("/hello", hooks={"response": lambda r, **k: fail(KeyError("h"))}))
        )
        attempt(
            "http error",
            lambda: repr(c.get("/status/404", hooks={"response": lambda r, **k: r.raise_for_status()}).error),
        )
        attempt("session's", lambda: (c.hooks["response"].append(keep), c.get("/hello").status_code, len(seen)))
        attempt("session's gone", lambda: (c.hooks["response"].clear(), c.get("/hello").status_code))
        attempt("none", lambda: c.get("/hello", hooks=None).status_code)

    def prepared(self):
        c = self.client

        def make(method, url, **kw):
            return c.prepare_request(requests.Request(method, url, **kw))

        def send(prepared, **kw):
            response = c.send(prepared, **kw)
            return type(response).__name__, response.status_code, response.text[:60]

        c.headers["X-Session"] = "s"
        attempt("sent", lambda: send(make("GET", f"{self.host}/hello")))
        attempt(
            "headers", lambda: dict(make("POST", f"{self.host}/x", json={"a": 1}, headers={"accept": None}).headers)
        )
        attempt("relative", lambda: failing(lambda: make("GET", "/hello")))
        attempt("body", lambda: send(make("POST", f"{self.host}/echo/1", data={"a": "b"})))
        attempt("changed", lambda: self.send_changed(make("POST", f"{self.host}/echo/1", data=b"x")))
        attempt(
            "options",
            lambda: send(make("GET", f"{self.host}/redirect/1"), allow_redirects=False, timeout=3, stream=True),
        )
        attempt("refused", lambda: failing(lambda: send(make("GET", "http://127.0.0.1:1/"))))
        attempt("late", lambda: failing(lambda: send(make("GET", f"{self.host}/delay/1000"), timeout=0.1)))
        attempt("next", lambda: self.follow_by_hand(c.get("/redirect/2", allow_redirects=False)))
        attempt("settings", lambda: c.merge_environment_settings(self.host, {}, None, None, None))
        attempt("no request", lambda: failing(lambda: c.send(requests.Request("GET", self.host))))
        del c.headers["X-Session"]

    def send_changed(self, prepared):
        prepared.body, prepared.headers["X-More"] = b"changed!", "1"
        prepared.headers["Content-Length"] = "8"
        return echo(self.client.send(prepared))

    def follow_by_hand(self, response):
        seen = []
        while response.next is not None:
            seen.append(response.next.url)
            response = self.client.send(response.next, allow_redirects=False)
        return seen, response.text

    def proxies_and_environment(self):
        c = self.client
        dead = {"http": "http://127.0.0.1:1", "https": "http://127.0.0.1:1"}
        attempt("proxy", lambda: c.get("http://far.invalid/x?y=1", proxies={"http": PROXY}).text)
        attempt("proxy streamed", lambda: c.get("http://far.invalid/x", proxies={"http": PROXY}, stream=True).text)
        known = PROXY.replace("//", "//u:p@")
        attempt("proxy auth", lambda: c.get("http://far.invalid/x", proxies={"http": known}, stream=True).text)
        attempt("proxy for one host", lambda: c.get("/hello", proxies={"http://other": PROXY}, stream=True).text)
        attempt("dead proxy", lambda: repr(c.get("/hello", proxies=dead, stream=True).error))
        attempt(
            "tunnel refused", lambda: repr(c.get("https://far.invalid/", proxies={"https": PROXY}, stream=True).error)
        )
        attempt("tunnel to nowhere", lambda: repr(c.get("https://far.invalid/", proxies=dead, stream=True).error))
        attempt("dead proxy, common", lambda: type(c.get("/hello", proxies=dead).error).__name__)
        attempt("tunnel refused, common", lambda: repr(c.get("https://far.invalid/", proxies={"https": PROXY}).error))
        attempt(
            "refused proxy auth",
            lambda: c.get("http://far.invalid/x", proxies={"http": PROXY.replace("//", "//refuse:me@")}).status_code,
        )
        attempt("malformed", lambda: repr(c.get("/hello", proxies={"http": "http:///"}, stream=True).error))
        attempt(
            "session's", lambda: (c.proxies.update(http=PROXY), c.get("http://far.invalid/z").text, c.proxies.clear())
        )
        with tempfile.NamedTemporaryFile("w", suffix="netrc") as netrc:
            netrc.write("machine 127.0.0.1\nlogin net\npassword rc\n")
            netrc.flush()
            os.environ["NETRC"] = netrc.name
            attempt("netrc off", lambda: c.get(f"{LOCAL}/x").headers["x-auth"])
            c.trust_env = True
            attempt("netrc", lambda: c.get(f"{LOCAL}/x").headers["x-auth"])
            attempt("netrc and auth", lambda: c.get(f"{LOCAL}/x", auth=("a", "b")).headers["x-auth"])
            os.environ["http_proxy"] = PROXY
            attempt("environment's proxy", lambda: c.get("http://far.invalid/e", auth=("a", "b")).text)
            os.environ["no_proxy"] = "127.0.0.1"
            attempt("environment's exception", lambda: c.get("/hello").text)
            del os.environ["http_proxy"], os.environ["no_proxy"], os.environ["NETRC"]
            c.trust_env = False

    def cookies(self):
        c = self.client
        jar = c.cookies
        attempt("rare sets", lambda: (c.get(f"{LOCAL}/set?a=1", stream=True).text, c.get(f"{LOCAL}/x").text))
        attempt("common sets", lambda: (c.get(f"{LOCAL}/set?b=2").text, c.get(f"{LOCAL}/x", stream=True).text))
        attempt(
            "of the response",
            lambda: (lambda r: (r.cookies.get_dict(), type(r.cookies).__name__))(
                c.get(f"{LOCAL}/set?c=3", stream=True)
            ),
        )
        attempt(
            "path",
            lambda: (
                c.get(f"{LOCAL}/set?d=4;%20Path=/deep").text,
                c.get(f"{LOCAL}/deep/x").text,
                c.get(f"{LOCAL}/x").text,
            ),
        )
        attempt("expiry", lambda: (c.get(f"{LOCAL}/set?a=;%20Max-Age=0").text, c.get(f"{LOCAL}/x", stream=True).text))
        attempt(
            "written", lambda: (jar.set("w", "5", domain="127.0.0.1", path="/"), c.get(f"{LOCAL}/x", stream=True).text)
        )
        attempt(
            "item",
            lambda: (jar.__setitem__("i", "6"), c.get(f"{LOCAL}/x").text, jar["i"], "i" in jar, jar.get("none", 1)),
        )
        attempt(
            "listed",
            lambda: (
                sorted(jar.keys()),
                sorted(jar.values()),
                sorted(jar.items()),
                jar.list_domains(),
                jar.list_paths(),
            ),
        )
        attempt(
            "of a path", lambda: (jar.get_dict(path="/deep"), jar.get_dict(domain="127.0.0.1"), jar.multiple_domains())
        )
        attempt(
            "for one call",
            lambda: (
                c.get(f"{LOCAL}/x", cookies={"once": "7"}).text,
                c.get(f"{LOCAL}/x", cookies={"once": "7"}, stream=True).text,
            ),
        )
        attempt(
            "jar for one call",
            lambda: c.get(f"{LOCAL}/x", cookies=requests.cookies.cookiejar_from_dict({"j": "8"})).text,
        )
        attempt("not kept", lambda: ("once" in jar, "j" in jar))
        attempt("removed", lambda: (jar.pop("w"), jar.clear("127.0.0.1", "/deep"), sorted(jar.keys())))
        attempt(
            "missing",
            lambda: (failing(lambda: jar["zz"]), failing(lambda: jar.pop("zz")), failing(lambda: jar.clear("zz"))),
        )
        attempt(
            "conflict", lambda: (jar.set("k", "1", path="/a"), jar.set("k", "2", path="/b"), failing(lambda: jar["k"]))
        )
        attempt(
            "copied",
            lambda: (
                lambda other: (type(other).__name__, sorted(other.keys()), other.set("new", "1") and "new" in jar)
            )(jar.copy()),
        )
        attempt("pickled", lambda: sorted(pickle.loads(pickle.dumps(jar)).keys()))
        attempt(
            "assigned",
            lambda: (
                setattr(c, "cookies", requests.cookies.cookiejar_from_dict({"fresh": "9"})),
                c.get(f"{LOCAL}/x").text,
                c.get(f"{LOCAL}/x", stream=True).text,
            ),
        )
        attempt("policy", self.use_policy)
        attempt("cleared", lambda: (c.cookies.clear(), c.get(f"{LOCAL}/x").text, len(c.cookies)))
        attempt(
            "cookies and redirect", lambda: (c.get("/cookies/set?r=1", stream=True).status_code, c.cookies.get_dict())
        )
        attempt("session cookies", lambda: (c.cookies.clear_session_cookies(), len(c.cookies)))

    def use_policy(self):
        c = self.client
        c.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        streamed = c.get(f"{LOCAL}/set?p=1", stream=True).status_code
        plain = c.get(f"{LOCAL}/set?q=1").status_code
        seen = sorted(c.cookies.keys())
        c.cookies.set_policy(DefaultCookiePolicy())
        return streamed, plain, seen

    def attributes(self):
        c = self.client
        for label, kw in {"common": {}, "rare": {"stream": True}}.items():
            attempt(f"links {label}", lambda kw=kw: self.describe(c.get(f"{LOCAL}/links", **kw)))
            attempt(f"history {label}", lambda kw=kw: self.look_at_history(c.get("/redirect/2", **kw)))
            attempt(
                f"next {label}", lambda kw=kw: self.describe_next(c.get("/redirect/1", allow_redirects=False, **kw))
            )
            attempt(
                f"errors {label}",
                lambda kw=kw: [
                    failing(c.get(path, **kw).raise_for_status)
                    for path in ("/status/404", "/status/503", "/no-reason", "/hello")
                ],
            )
            attempt(f"json {label}", lambda kw=kw: self.json_errors(c.get("/hello", **kw), c.get("/status/204", **kw)))
            attempt(
                f"pickled {label}", lambda kw=kw: self.describe(pickle.loads(pickle.dumps(c.get("/redirect/1", **kw))))
            )
            attempt(f"copied {label}", lambda kw=kw: self.describe(copy.copy(c.get("/hello", **kw))))
            attempt(
                f"request {label}",
                lambda kw=kw: self.describe_request(
                    c.post("/echo/1?q=1", data={"a": "\u00fc"}, cookies={"k": "v"}, headers={"X-A": "1"}, **kw)
                ),
            )
            attempt(f"failed {label}", lambda kw=kw: self.describe_failed(c.get("/close", **kw)))
            attempt(f"changed {label}", lambda kw=kw: self.change(c.get("/hello", **kw)))
            attempt(
                f"lines {label}",
                lambda kw=kw: (
                    list(c.get("/hello", **kw).iter_lines(delimiter=b",")),
                    list(c.get("/hello", **kw).iter_lines()),
                ),
            )

    @staticmethod
    def describe(r):
        return (
            r.status_code, r.ok, bool(r), r.reason, r.encoding, r.apparent_encoding, r.links, r.text, r.content, r.url,
            r.is_redirect, r.is_permanent_redirect, r.next is None, len(r.history), dict(r.cookies),
            [line for line in r.headers.items() if line[0] != "Date"], type(r.elapsed).__name__,
            type(r.request).__name__, r.request.method, type(r.headers).__name__,
        )  # fmt: skip

    @staticmethod
    def describe_next(r):
        made = r.next
        return type(made).__name__, made.method, made.url, dict(made.headers), made.body, r.status_code, r.is_redirect

    @staticmethod
    def json_errors(text, empty):
        kinds = []
        for response in (text, empty):
            try:
                response.json()
            except ValueError as error:
                kinds.append((type(error).__name__, type(error).__module__, str(error), error.doc, error.pos))
        return kinds

    @staticmethod
    def describe_request(r):
        q = r.request
        return (
            q.method, q.url, q.path_url, list(q.headers.items()), q.body, sorted(q.hooks), q.hooks["response"],
            type(q.headers).__name__, type(q.copy()).__name__, repr(q), sorted(r.json()["headers"]),
        )  # fmt: skip

    @staticmethod
    def describe_failed(r):
        return (
            r.status_code, r.content, r.text, dict(r.headers), r.url, r.reason, r.encoding, r.history, r.raw, r.next,
            failing(lambda: r.ok), failing(r.raise_for_status), failing(r.json), r.request.url,
            r.request.method, r.elapsed.total_seconds() == 0, dict(r.cookies), repr(r), failing(lambda: bool(r)),
            failing(lambda: list(r.iter_content(1))), type(r.error).__name__, r.is_redirect, r.links,
        )  # fmt: skip

    @staticmethod
    def change(r):
        r.status_code, r.reason, r.url, r.encoding = 500, "Mine", "http://own/", "utf-16"
        r.headers["X-New"] = "1"
        r.own = 2
        return failing(r.raise_for_status), r.headers["x-new"], r.own, r.text[:3], r.ok, sorted(vars(r)) != []

    def sessions(self):
        c = self.client
        events = self.environment.events.request

        class Sending(HttpSession):
            def send(self, request, **kw):
                request.headers["X-Send"] = "own"
                return super().send(request, **kw)

        class Preparing(HttpSession):
            def prepare_request(self, request):
                request.headers = {**(request.headers or {}), "X-Prepare": "own"}
                return super().prepare_request(request)

        class Asking(HttpSession):
            def request(self, method, url, name=None, **kw):
                return super().request(method, url, name="asked", **kw)

        class Rebuilding(HttpSession):
            def rebuild_auth(self, prepared, response):
                prepared.headers["X-Hop"] = str(response.status_code)

        for kind in (Sending, Preparing, Asking, Rebuilding):
            attempt(
                kind.__name__, lambda kind=kind: echo(kind(self.host, events, self).get("/redirect-to?url=/echo/1"))
            )
        attempt(
            "is one",
            lambda: (isinstance(c, requests.Session), isinstance(c.headers, requests.structures.CaseInsensitiveDict)),
        )
        attempt("with", lambda: self.in_a_block(HttpSession(self.host, events, self)))
        attempt("closed", lambda: (c.close(), c.get("/hello").status_code, c.get("/hello", stream=True).status_code))
        attempt("plain session", lambda: requests.get(f"{self.host}/hello", timeout=5).text)
        attempt("headers copied", lambda: type(copy.deepcopy(c.headers)).__name__)
        attempt(
            "many headers", lambda: c.get(f"{LOCAL}/headers", headers={f"X-Many-{n}": str(n) for n in range(90)}).text
        )
        attempt(
            "many headers, rarely",
            lambda: c.get(f"{LOCAL}/headers", headers={f"X-Many-{n}": str(n) for n in range(90)}, stream=True).text,
        )
        attempt("many cookies", lambda: len(c.get(f"{LOCAL}/x", cookies={f"k{n}": str(n) for n in range(200)}).text))

    @staticmethod
    def in_a_block(session):
        with session as inner:
            return inner.get("/hello").text

    def errors(self):
        c = self.client
        calls = {
            "timeout text": {"timeout": "x"}, "timeout triple": {"timeout": (1, 2, 3)}, "timeout zero": {"timeout": 0},
            "timeout negative": {"timeout": -1}, "timeout none": {"timeout": (None, None)},
            "verify nowhere": {"verify": "/no/such/file", "stream": True}, "cert nowhere": {"cert": "/no/such/file"},
            "header value": {"headers": {"X-A": 1}}, "header break": {"headers": {"X-A": "a\r\nb"}},
            "header name": {"headers": {"X A\n": "a"}}, "header blank": {"headers": {"X-A": " a"}},
            "json": {"json": object()}, "json nan": {"json": float("nan")}, "data number": {"data": 1},
            "params number": {"params": 1}, "cookies list": {"cookies": [1]}, "files number": {"files": {"f": 1}},
            "unknown": {"unknown": 1}, "hooks": {"hooks": {"other": fail}},
        }  # fmt: skip
        for label, kw in calls.items():
            url = "https://127.0.0.1:1/" if label in ("verify nowhere", "cert nowhere") else "/hello"
            attempt(label, lambda kw=kw, url=url: failing(lambda: c.get(url, **kw).status_code))
        for url in ("ftp://a/", "http://", "http://*bad/", "http://a:port/", "mailto:x", "http://[::1", "http://.a/"):
            attempt(f"streamed {url}", lambda url=url: failing(lambda: repr(c.get(url, stream=True).error)[:120]))

    def adapters(self):
        """The last: from the first mount on everything goes through it."""
        c = self.client
        attempt("types", lambda: [isinstance(a, HTTPAdapter) for a in c.adapters.values()])
        attempt(
            "get_adapter",
            lambda: (isinstance(c.get_adapter(self.host), HTTPAdapter), c.get_adapter(self.host).max_retries.total),
        )
        attempt("no adapter", lambda: failing(lambda: c.get_adapter("ftp://x")))
        attempt(
            "adapter's send",
            lambda: c.get_adapter(self.host).send(requests.Request("GET", f"{self.host}/hello").prepare()).status_code,
        )
        attempt(
            "adapter pickled", lambda: isinstance(pickle.loads(pickle.dumps(c.get_adapter(self.host))), HTTPAdapter)
        )

        class Adding(HTTPAdapter):
            def send(self, request, **kw):
                request.headers["X-Adapter"] = "own"
                return super().send(request, **kw)

        class Faking(BaseAdapter):
            def send(self, request, **kw):
                response = requests.Response()
                response.status_code, response.url, response.request = 299, request.url, request
                response._content = b"made up"
                return response

            def close(self):
                pass

        attempt("mounted", lambda: (c.mount("http://127.0.0.1", Adding()), echo(c.get("/echo/1")), list(c.adapters)))
        attempt(
            "retries",
            lambda: (
                c.mount("http://127.0.0.1:1", HTTPAdapter(max_retries=2)),
                repr(c.get("http://127.0.0.1:1/").error),
            ),
        )
        attempt(
            "made up",
            lambda: (
                c.mount("made://", Faking()),
                c.adapters["made://"].send(requests.Request("GET", "made://x").prepare()).text,
            ),
        )
        attempt("unmounted", lambda: (c.adapters.pop("http://127.0.0.1") is not None, c.get("/hello").text))


def fail_in_block(response):
    with response:
        pass
