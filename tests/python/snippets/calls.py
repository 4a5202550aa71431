"""Calls of both HTTP clients with unusual arguments, judged in unusual ways: what is reported and what is raised."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy, LWPCookieJar
from typing import Any

import gevent
import requests
from gevent.server import StreamServer
from kit import Kit, kind_of
from locust import FastHttpUser, HttpUser
from locust.env import Environment
from locust.exception import RescheduleTask, ResponseError, StopUser
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

CLIENTS = (HttpUser, FastHttpUser)


class Caller:
    """One user, whose calls are noted."""

    def __init__(self, kit: Kit, cls: type, **settings: Any) -> None:
        self.kit = kit
        environment = Environment()
        environment.create_local_runner()
        self.events: list[Any] = []
        environment.events.request.add_listener(self.on_request)
        self.user = type("Made", (cls,), {"host": kit.url, **settings})(environment)
        self.client = self.user.client

    def on_request(self, **keywords: Any) -> None:
        response, exception = keywords.get("response"), keywords.get("exception")
        self.events.append(
            [keywords["request_type"], self.plain(keywords["name"]), keywords["response_length"], keywords["context"],
             self.plain(repr(exception)), self.plain(keywords.get("url")), getattr(response, "status_code", None),
             sorted(keywords)]
        )  # fmt: skip

    def plain(self, text: Any) -> str:
        return re.sub(r"0x[0-9a-f]+", "0x", re.sub(r"_=\d+", "_=now", str(text).replace(self.kit.url, "HOST")))

    def tell(self, *calls: Callable[[Any], Any]) -> list[Any]:
        told: list[Any] = []
        for call in calls:
            self.events.clear()
            try:
                result = call(self.client)
            except BaseException as error:
                result = f"raised {type(error).__name__}"
            if isinstance(result, (requests.Response,)) or hasattr(result, "status_code"):
                result = ["response", result.status_code]
            told.append([result, *([each[:7] for each in self.events])])
        return told


def arguments(kit: Kit) -> Any:
    """API-153, 154, 155, 157, 195, 196, 197: names, positions and kinds of arguments."""
    told = []
    for cls in CLIENTS:
        caller = Caller(kit, cls)
        told.append(
            caller.tell(
                lambda c: c.request("GET", "/hello"),
                lambda c: c.request("get", "/hello", "positional"),
                lambda c: c.request(method="GET", url="/hello", name="keyword"),
                lambda c: c.request("GET", "/hello", name=""),
                lambda c: c.request("GET", "/hello", name=None),
                lambda c: c.get(url="/hello"),
                lambda c: c.get("/hello", name="n", context={"a": 1}),
                lambda c: c.get("/hello", context={}),
                lambda c: c.get(),
                lambda c: c.get("/hello", "more"),
                lambda c: c.post("/echo", "data"),
                lambda c: c.post("/echo", "data", {"json": 1}).json()["method"],
                lambda c: c.post("/echo", {"a": "1", "b": "2"}).status_code,
                lambda c: c.post("/echo", json={"a": None}).status_code,
                lambda c: c.post("/echo", json=[]).status_code,
                lambda c: c.put("/echo", "data"),
                lambda c: c.patch("/echo", data=b"\x00\xff"),
                lambda c: c.delete("/echo", "data"),
                lambda c: c.delete("/echo", data="x"),
                lambda c: c.head("/hello"),
                lambda c: c.options("/echo"),
                lambda c: c.get("/hello?a=1", params={"b": "2"}),
                lambda c: c.get("/hello", params={"b": ["2", "3"], "c": "ü &"}),
                lambda c: c.get("/hello", params="x=1"),
                lambda c: c.get("/hello", params=None),
                lambda c: c.get("/hello#part"),
                lambda c: c.get(kit.url + "/hello"),
                lambda c: c.get(kit.url.upper().replace("HTTP", "HTTP") + "/hello").status_code,
                lambda c: c.get("/hello", allow_redirects=False),
                lambda c: c.get("/redirect/2", allow_redirects=False),
                lambda c: c.get("/redirect/2"),
                lambda c: c.head("/redirect/1"),
                lambda c: c.head("/redirect/1", allow_redirects=True),
                lambda c: c.request("BREW", "/echo"),
                lambda c: c.get("/hello", headers={"X-A": "1", "Accept": "text/x"}),
                lambda c: c.get("/hello", headers=None),
                lambda c: c.get("/basic-auth/u/p", auth=("u", "p")).status_code,
                lambda c: c.get("/hello", catch_response=False),
                lambda c: c.get("/status/204"),
                lambda c: c.get("/status/304"),
                lambda c: c.get("/status/418"),
                lambda c: c.get("/status/599"),
            )
        )
    return told


def names(kit: Kit) -> Any:
    """API-155, 156: request_name and rename_request()."""
    told = []
    for cls in CLIENTS:
        caller = Caller(kit, cls)

        def renamed(client: Any) -> None:
            with client.rename_request("outer"):
                client.get("/hello")
                with client.rename_request("inner"):
                    client.get("/hello")
                client.get("/hello")
                client.get("/hello", name="explicit")

        def raising(client: Any) -> None:
            with client.rename_request("broken"):
                raise ValueError

        def by_hand(client: Any) -> None:
            client.request_name = "by hand"
            client.get("/hello")
            client.get("/status/404")
            client.request_name = None

        told.append(caller.tell(renamed, raising, lambda c: [c.request_name], by_hand, lambda c: c.get("/hello")))
    return told


def contexts(kit: Kit) -> Any:
    """API-34, 161: the user's context under that of the call; the keywords of the event."""
    told = []
    for cls in CLIENTS:
        caller = Caller(kit, cls, context=lambda self: {"a": "user", "b": "user"})
        told.append(caller.tell(lambda c: c.get("/hello"), lambda c: c.get("/hello", context={"a": "call", "c": 1})))
        told.append([sorted(event[7]) for event in caller.events])
    return told


def judging(kit: Kit) -> Any:
    """API-173 to 185: what a with-block decides."""
    told = []
    for cls in CLIENTS:
        caller = Caller(kit, cls)

        def block(path: str, *steps: Any, **arguments: Any) -> Any:
            def call(client: Any) -> Any:
                with client.get(path, catch_response=True, **arguments) as response:
                    for step in steps:
                        if isinstance(step, BaseException):
                            raise step
                        step(response)
                return "left"

            return call

        def fails(reason: Any) -> Any:
            return lambda response: response.failure(reason)

        def succeeds(response: Any) -> None:
            response.success()

        def sets(**meta: Any) -> Any:
            return lambda response: response.request_meta.update(meta)

        calls = [block(path) for path in ("/hello", "/status/404", "/status/302", "http://127.0.0.1:1/")]
        calls += [block(path, succeeds) for path in ("/hello", "/status/500", "http://127.0.0.1:1/")]
        calls += [
            block("/hello", fails(reason))
            for reason in ("text", "", None, 5, {"a": 1}, ValueError("v"), ValueError, [])
        ]
        calls += [block("/status/404", fails("x"), succeeds), block("/hello", succeeds, fails("x"))]
        calls += [block("/hello", fails("one"), fails("two")), block("/hello", lambda r: r.failure(exc="named"))]
        for error in (
            ValueError("e"),
            ResponseError("r"),
            StopUser(),
            RescheduleTask(),
            KeyError(),
            AssertionError("a"),
        ):
            calls += [
                block("/hello", error),
                block("/hello", fails("kept"), error),
                block("/status/404", succeeds, error),
            ]
        calls += [block("/hello", sets(name="edited")), block("/hello", sets(request_type="X", response_length=3))]
        calls += [block("/status/404", sets(name="edited")), block("/hello", sets(context={"own": 1}), fails("x"))]
        calls += [block("/hello", sets(exception=KeyError("meta"))), block("/hello", sets(extra=1), name="named")]
        marked = sets(exception=KeyError("meta"))
        calls += [
            block(path, marked, *more) for path in ("/status/404", "http://127.0.0.1:1/") for more in ((), (succeeds,))
        ]
        calls += [block("/hello", marked, more) for more in (succeeds, fails("x"), ValueError("e"), ResponseError("r"))]
        calls += [block("/hello", marked, sets(exception=None)), block("/status/404", sets(exception=None))]
        calls.append(lambda c: c.get("/hello", catch_response=True))
        calls.append(lambda c: c.get("/hello", catch_response=True).success())
        calls.append(lambda c: c.get("/hello", catch_response=True).failure("x"))
        calls.append(lambda c: c.get("/hello").success())
        calls.append(lambda c: c.get("/hello").failure("x"))

        def plain_block(client: Any) -> Any:
            with client.get("/hello") as response:
                return response.status_code

        calls.append(plain_block)
        told.append(caller.tell(*calls))
    return told


def rest_calls(kit: Kit) -> Any:
    """API-186 to 191: rest() and rest_()."""
    told = []
    for cls in CLIENTS:
        caller = Caller(kit, cls)
        user = caller.user

        def rest(method: str, path: str, check: Any = None, user: Any = user, **arguments: Any) -> Any:
            def call(client: Any) -> Any:
                with user.rest(method, path, **arguments) as response:
                    shown = response.js
                    if check is not None:
                        check(response)
                return type(shown).__name__

            return call

        def asserts(text: str | None) -> Any:
            def check(response: Any) -> None:
                if text is None:
                    assert response.js is not response.js
                assert response.js == 5, text

            return check

        def breaks(error: BaseException) -> Any:
            def check(response: Any) -> None:
                raise error

            return check

        def sent(name: str) -> Any:
            return lambda response: kit.note(response.js["headers"].get(name))

        calls = [rest("GET", "/echo", sent("Accept")), rest("GET", "/echo", sent("Content-Type"))]
        calls += [
            rest("POST", "/echo", sent("Content-Type"), json={"a": 1}),
            rest("POST", "/echo", sent("Content-Type"), data="x"),
        ]
        calls += [rest("GET", "/echo", sent("Accept"), headers={"Accept": "text/own"})]
        calls += [rest("GET", "/echo", sent("Accept"), headers={"accept": "text/own"}), rest("GET", "/hello")]
        calls += [rest("GET", "/status/404"), rest("GET", "/status/204"), rest("GET", "http://127.0.0.1:1/")]
        calls += [rest("GET", "/echo", asserts(text)) for text in ("words", "with comma,", "", None)]
        calls += [rest("GET", "/echo", lambda r: r.failure("mine")), rest("GET", "/status/404", lambda r: r.success())]
        calls += [rest("GET", "/echo", breaks(error)) for error in (RescheduleTask(), StopUser(), ResponseError("r"))]
        calls += [rest("GET", "/echo", breaks(KeyboardInterrupt())), rest("GET", "/echo", name="named")]

        def underscore(client: Any, user: Any = user) -> Any:
            with user.rest_("GET", "/echo") as response:
                return type(response.js).__name__

        def underscore_more(client: Any, user: Any = user, caller: Caller = caller) -> Any:
            with user.rest_("GET", "/echo?a=1", name="n") as response:
                return caller.plain(response.js.get("path", ""))

        rows = caller.tell(*calls, underscore, underscore_more)
        for row in rows:
            for event in row[1:]:
                # Words and paths are each side's own.
                event[4] = re.sub(r"(?s)'(The body is no JSON|Could not parse|\w+: \w* ?at ).*", "...", event[4])[:60]
                event[2] = bool(event[2])
        told.append(rows)
    return [told, kit.log]


def settings(kit: Kit) -> Any:
    """API-152, 154, 172, 206: attributes of a session that hold for all of its calls."""
    told: list[Any] = []
    caller = Caller(kit, HttpUser)
    client = caller.client
    client.headers["X-Mine"] = "1"
    client.headers.update({"Accept": "text/own"})
    client.params = {"always": "1"}
    client.auth = ("u", "p")
    seen = client.get("/echo", params={"b": "2"}).json()
    told += [seen["headers"].get("X-Mine"), seen["headers"].get("Accept"), seen["headers"].get("Authorization")]
    told += [caller.events[-1][1], client.get("/echo", headers={"X-Mine": None}).json()["headers"].get("X-Mine")]
    client.auth, client.params = None, {}
    told += [client.get("/echo", auth=HTTPBasicAuth("a", "b")).json()["headers"].get("Authorization"), client.trust_env]
    told += [client.max_redirects, client.verify, client.cert, client.stream, dict(client.proxies), client.hooks]
    client.max_redirects = 1
    told.append(caller.tell(lambda c: c.get("/redirect/1"), lambda c: c.get("/redirect/2")))
    mounted: list[str] = []

    class Noting(HTTPAdapter):
        def send(self, request: Any, **keywords: Any) -> Any:
            mounted.append(request.method)
            return super().send(request, **keywords)

    client.mount(kit.url, Noting())
    told.append(caller.tell(lambda c: c.get("/hello"), lambda c: c.get("/status/404")))
    told += [mounted, kind_of(client.get, "/hello", timeout="x"), kind_of(client.get, "/hello", odd=1)]
    fast = Caller(kit, FastHttpUser, default_headers={"X-Mine": "1"}, max_redirects=1)
    told.append(fast.client.get("/echo").json()["headers"].get("X-Mine"))
    told.append(fast.tell(lambda c: c.get("/redirect/1"), lambda c: c.get("/redirect/2")))
    told.append(fast.tell(lambda c: c.get("/echo", timeout=3, verify=False), lambda c: c.post("/echo", own="field")))
    return told


def greenlets_at_once(kit: Kit) -> Any:
    """API-214: several greenlets of one user, each with its own answer and its own row."""
    told = []
    for cls in CLIENTS:
        caller = Caller(kit, cls)
        jobs = [
            gevent.spawn(caller.client.get, f"/status/{status}", name=str(status)) for status in (200, 404, 500, 201)
        ]
        gevent.joinall(jobs, 10)
        told.append([job.value.status_code for job in jobs])
        told.append(sorted([event[1], event[6], event[4]] for event in caller.events))
    return told


def borrowed(kit: Kit) -> Any:
    """API-153, 158, 172: cookies= and a method in small letters, when a redirect sends them again after others ran."""
    caller, other = Caller(kit, HttpUser), Caller(kit, HttpUser)
    told: list[Any] = []

    def disturb(count: int) -> None:
        for i in range(count):
            other.client.get("/echo/other", headers={f"X-{i}-{k}": "y" * 40 for k in range(30)})

    for cookies in ({"few": "1"}, {f"k{i}": f"{i}" * 40 for i in range(60)}):
        beside = gevent.spawn(disturb, 20)
        told.extend(
            [method, url, echo["method"], echo["body"], echo["headers"].get("Cookie")]
            for method in ("get", "Post")
            for url in ("/redirect-to?url=/echo/1", "/redirect-to?url=/echo/1&status=307", "/echo/1")
            for echo in [caller.client.request(method, url, cookies=cookies, data="d").json()]
        )
        beside.join()
    response = caller.client.request("head", "/hello")
    told.append([response.status_code, response.text, response.request.method])
    return told


def after_redirects(kit: Kit) -> Any:
    """API-155, 158, 161, 163, 164, 172: what is told of a call that was led elsewhere, and of one that led nowhere."""
    caller = Caller(kit, HttpUser)

    def looks_first(client: Any) -> Any:
        with client.get("/redirect-to?url=/status/404", catch_response=True) as response:
            return [caller.plain(hop.url) for hop in response.history]

    told = caller.tell(
        looks_first,
        lambda c: c.get("/redirect-to?url=/status/404"),
        lambda c: c.get("/redirect-to?url=/hello", data="once").request.body,
        lambda c: c.post("/redirect-to?url=/echo/1&status=307", data="kept").request.body,
        lambda c: [hop.request.body for hop in c.post("/redirect-to?url=/redirect/1", data="first").history],
        lambda c: c.get("/redirect-to?url=myapp://callback?code=1"),
        lambda c: c.get("/redirect-to?url=mailto:somebody"),
    )
    try:
        caller.client.get("/redirect-to?url=myapp://callback")
    except requests.exceptions.InvalidSchema as error:
        told.append(str(error))
    return told


def folded(kit: Kit) -> Any:
    """API-168, 172: a header in two lines is one value without a line break, so that it can be sent again."""

    def answer(sock: Any, address: Any) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nX-Folded: one\x85\r\n two\r\nContent-Length: 0\r\n\r\n")

    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    client = Caller(kit, HttpUser).client
    value = client.get(f"http://127.0.0.1:{server.server_port}/").headers["X-Folded"]
    server.stop()
    return [value, client.get("/echo/1", headers={"X-Back": value}).json()["headers"]["X-Back"]]


def what_wins(kit: Kit) -> Any:
    """API-152, 172: auth above a header of the same name; headers that the libraries below requests care for."""
    client = Caller(kit, HttpUser).client

    def sent(**settings: Any) -> Any:
        headers = client.get("/echo/1", **settings).json()["headers"]
        agent = headers.pop("User-Agent", None)
        return [agent and agent.partition("/")[0], {k: v for k, v in headers.items() if k != "Host"}]

    told = [
        sent(auth=("a", "b"), headers={"authorization": "mine", "X": "1"}),
        sent(headers={"User-Agent": None}),
        sent(headers={"Accept-Encoding": None, "user-agent": "mine"}),
        sent(headers={"Transfer-Encoding": "chunked"}),
    ]
    client.auth = ("c", "d")
    told.append(sent(headers={"Authorization": "mine"}))
    client.auth = None
    client.headers = {"Only": "1"}
    told.append(sent())
    client.headers.clear()
    told.append(sent(headers={"Accept-Encoding": "gzip"}))
    return told


def other_letters(kit: Kit) -> Any:
    """API-155, 172: cookies that are not ASCII, set by the script and sent again; names that are no text."""
    caller = Caller(kit, HttpUser)
    client = caller.client
    client.cookies.set("é", "ü")
    client.cookies.set("path", "1", path="/echo")
    told: list[Any] = [client.cookies.get_dict(), client.get("/echo/1").json()["headers"].get("Cookie")]
    del client.cookies["é"]
    told.append([client.cookies.get_dict(), client.get("/echo/1", cookies={"ä": "ö"}).json()["headers"].get("Cookie")])
    caller.events.clear()
    for name in (5, 0, ("t", 1), b"by", False):
        client.get("/hello", name=name)
        client.get("/hello", name=name, hooks={"response": lambda response, **_: None})
    return [*told, [event[1] for event in caller.events]]


def jars(kit: Kit) -> Any:
    """API-172: cookie jars that a script brings along: with a policy, with methods of their own, shared by two."""
    told: list[Any] = []
    one, two = Caller(kit, HttpUser).client, Caller(kit, HttpUser).client
    one.cookies = requests.cookies.RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    one.get("/cookies/set?a=1")
    told.append([len(one.cookies), one.get("/echo/1").json()["headers"].get("Cookie")])
    one.cookies = LWPCookieJar()
    one.get("/cookies/set?b=2")
    told.append([type(one.cookies).__name__, [cookie.name for cookie in one.cookies]])
    three = Caller(kit, HttpUser).client
    two.cookies = three.cookies
    three.get("/cookies/set?c=3")
    told.append([two.get("/echo/1").json()["headers"].get("Cookie"), two.cookies is three.cookies])
    return told
