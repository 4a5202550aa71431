"""The clients of HttpUser and FastHttpUser: each snippet gives the same on cload as on real Locust."""

from __future__ import annotations

import json
from typing import Any

import pytest
from oracle import ENGINES, Engine, both
from servers import Target

_PREAMBLE = """
import re
from locust import FastHttpUser
from locust.contrib.fasthttp import FastHttpSession
from locust.event import Events
def show(value):
    value = value.replace(URL, "URL") if isinstance(value, str) else value
    return re.sub(r"0x[0-9a-f]+", "0x", value) if isinstance(value, str) else value
class Plain(HttpUser):
    host = URL
class Fast(FastHttpUser):
    host = URL
    network_timeout = connection_timeout = 60
environment = Environment(user_classes=[Plain, Fast], events=Events())
seen = []
@environment.events.request.add_listener
def keep(request_type, name, response_time, response_length, exception, context, url, response, **more):
    kind = type(exception).__name__ if exception is not None else None
    seen.append([request_type, show(name), response_length, kind, context, show(str(url))])
def records():
    rows, seen[:] = seen[:], []
    return rows
def raised(function, *args, **kwargs):
    try:
        return [None, function(*args, **kwargs).status_code]
    except Exception as error:
        return [type(error).__name__, isinstance(error, LocustError)]
def raised_in(response, function=None):
    try:
        with response as entered:
            if function: function(entered)
        return None
    except Exception as error:
        return type(error).__name__
user = USER(environment)
client = user.client
"""


def _lines(value: Any) -> list[str]:
    """For a readable difference."""
    return json.dumps(value, indent=1, sort_keys=True).splitlines()


def compare(target: Target, user: str, code: str) -> Any:
    """What `code` gives to out(), which has to be the same on both; `user` is Plain or Fast."""
    whole = f"URL = {target.url!r}\n{_PREAMBLE.replace('USER(', user + '(')}\n{code}"
    ours, theirs = both(lambda engine: engine.snippet(whole))
    assert _lines(ours) == _lines(theirs)
    return ours


def test_addresses_and_names(target: Target) -> None:
    """API-153, API-154, API-155, API-156, API-157, API-158."""
    code = """
client.get("/hello?a=1"); client.get("/echo", params={"b": 2}); client.get(URL + "/hello")
client.get("/hello", name="n"); client.get(URL.upper() + "/hello")
client.request("get", "/hello"); client.post("/echo", {"a": 1}, {"json": 2}); client.post("/echo", json={})
client.put("/echo", "x"); client.patch("/echo", "x"); client.delete("/echo"); client.options("/echo")
client.head("/redirect/1"); client.get("/redirect/2"); client.get("/redirect/2", allow_redirects=False)
client.request_name = "attribute"
client.get("/hello")
with client.rename_request("block"):
    client.get("/hello"); client.get("/hello", name="own")
client.get("/hello")
out([records(), raised(client.get, "/hello", {"a": 1}), client.request_name])
"""
    rows, positional, name = compare(target, "Plain", code)
    assert [row[1] for row in rows[-4:]] == ["attribute", "block", "own", "/hello"]
    assert positional == ["TypeError", False]
    assert name is None


def test_credentials_of_the_host(target: Target) -> None:
    """API-152, API-215."""
    code = """
found = []
for kind in (Plain, Fast):
    class With(kind):
        host = URL.replace("//", "//user:se%63ret@")
    client = With(environment).client
    found.append([client.get("/basic-auth").status_code, show(client.base_url)])
out([found, records()])
"""
    assert compare(target, "Plain", code)[0] == [[200, "URL"], [200, "URL"]]


def test_event_keywords(target: Target) -> None:
    """API-159, API-160, API-161, API-168."""
    code = """
environment.events.request.add_listener(lambda **k: log.append(
    [sorted(k), type(k["response_time"]).__name__, type(k["response"]).__name__, k["start_time"] > 1e9]))
class Lasting(Plain):
    def context(self): return {"a": 1, "b": 1}
client = Lasting(environment).client
response = client.get("/gzip", context={"b": 2})
client.get("/bytes/1000", stream=True); client.get("/chunked/1000", stream=True)
begin = time.time(); client.get("/delay/100"); took = time.time() - begin
import requests
out([records(), log, isinstance(response, requests.Response), sorted(response.request_meta), took >= 0.1])
"""
    rows = compare(target, "Plain", code)[0]
    assert rows[0][4] == {"a": 1, "b": 2}
    assert [row[2] for row in rows[1:3]] == [1000, 0]


def test_failures(target: Target) -> None:
    """API-162, API-163, API-164, API-165, API-166, API-167."""
    code = """
@environment.events.request.add_listener
def text(exception, **_): log.append(show(repr(exception)))
client.get("/status/404"); client.get("/status/404", name="n"); client.get("/status/399"); client.get("/status/503")
refused = client.get("http://127.0.0.1:1/")
late = client.get("/delay/1000", timeout=0.1)
nowhere = client.get("http://no-such-name.invalid/")
client.get("/redirect-loop")
parts = [[r.status_code, r.content, r.text, dict(r.headers), type(r.error).__name__] for r in (refused, late, nowhere)]
def ok(): return refused.ok
log[5] = re.sub(r"port=\\d+", "", log[5])
out([parts, raised(ok), raised(refused.raise_for_status),
     [raised(client.get, bad) for bad in ("ftp://x/", "no-slash", "http://")], [row[:4] for row in records()], log])
"""
    found = compare(target, "Plain", code)
    assert found[-1][1] == "HTTPError('404 Client Error: Not Found for url: n')"
    assert found[-1][4] == "ConnectionRefusedError(111, 'Connection refused')"


def test_plain_responses_do_not_judge(target: Target) -> None:
    """API-169."""
    code = """
import requests
response = requests.get(URL + "/hello")
out([raised(response.success), raised(response.failure, "no")])
"""
    assert compare(target, "Plain", code) == [["LocustError", True], ["LocustError", True]]


def test_pool_manager(target: Target) -> None:
    """API-16, API-170, API-171: one pool for all users."""
    code = """
from urllib3 import PoolManager
class Shared(Plain):
    pool_manager = PoolManager(maxsize=1, block=True)
users = [Shared(environment) for _ in range(3)]
begin = time.monotonic()
jobs = [gevent.spawn(user.client.get, "/delay/100") for user in users]
gevent.joinall(jobs)
took = time.monotonic() - begin
is_one = users[0].pool_manager is users[1].pool_manager
class Loose(Plain):
    pool_manager = PoolManager(maxsize=1)
loose = Loose(environment).client.get("/hello").status_code
out([[job.value.status_code for job in jobs], is_one, Plain.pool_manager is None, took >= 0.29, loose])
"""
    before = target.counters()["connections"]
    assert compare(target, "Plain", code) == [[200, 200, 200], True, True, True, 200]
    assert target.counters()["connections"] - before <= 6  # two for each, and the counter's


def test_requests_features(target: Target) -> None:
    """API-172."""
    code = """
client.cookies.set("a", "1")
answers = [client.get("/cookies", cookies={"b": "2"}).text]
client.get("/cookies/set?c=3")
answers.append(sorted(client.cookies.get_dict().items()))
answers.append(client.get("/basic-auth", auth=("user", "secret")).status_code)
answers.append(client.get("/basic-auth", auth=lambda r: r).status_code)
client.get("/hello", hooks={"response": lambda r, *a, **k: log.append(r.status_code)})
answers.append("filename" in client.post("/echo", files={"f": ("n", b"x")}).json()["body"])
answers.append(client.get("http://x.invalid/hello", proxies={"http": URL}).status_code)
answers.append([r.status_code for r in client.get("/redirect/2").history])
answers.append(client.get("/hello", timeout=(1, 2)).elapsed.total_seconds() > 0)
answers.append(client.trust_env)
out([answers, log, [row[:4] for row in records()]])
"""
    compare(target, "Plain", code)


_RULES = """
get = client.get
def two(function, *words):
    def call(entered):
        for word in words: function(entered, word)
    return call
def success(entered, *_): entered.success()
def failure(entered, word="no"): entered.failure(word)
def both(entered): entered.failure("no"); entered.success()
def both_back(entered): entered.success(); entered.failure("no")
def response_error(entered): raise ResponseError("raised")
def value_error(entered): raise ValueError("raised")
def failure_and_error(entered): entered.failure("mine"); raise ValueError("raised")
def success_and_error(entered): entered.success(); raise ValueError("raised")
def exception(entered): entered.failure(KeyError("mine"))
def none(entered): entered.failure(None)
def edit(entered): entered.request_meta["name"] = "edited"; entered.request_meta["response_time"] = 5.0
def replace(entered): entered.request_meta = {**entered.request_meta, "name": "replaced"}
def spoil(entered): entered.request_meta = 5
def spoil_and_fail(entered): entered.request_meta = None; entered.failure("no")
steps = []
@environment.events.request.add_listener
def text(name, exception, **_): log.append([show(name), show(str(exception))[:120]])
for path in ("/hello", "/status/404"):
    for function in (None, success, failure, both, both_back, response_error, value_error, failure_and_error,
                     success_and_error, exception, none, edit, replace, spoil, spoil_and_fail):
        steps.append([path, raised_in(get(path, catch_response=True), function), [row[:4] for row in records()]])
steps.append(raised_in(get("http://127.0.0.1:1/", catch_response=True, name="refused"), success))
steps.append(raised_in(get("http://127.0.0.1:1/", catch_response=True, name="refused")))
steps.append([row[:2] for row in records()])
get("/hello", catch_response=True)
early = get("/hello", catch_response=True)
steps += [len(records()), raised(early.success), raised(early.failure, "no")]
steps += [raised_in(get("/hello")), raised(get("/hello").success), raised(get("/hello").failure, "no"), records()]
"""


def test_catch_response(target: Target) -> None:
    """API-173, API-174, API-175, API-176, API-177, API-178, API-179, API-180, API-181, API-182, API-183, API-184,
    API-185, API-100, API-101: the rules, on HttpUser."""
    steps, log = compare(target, "Plain", _RULES + "out([steps, log])")
    assert steps[0] == ["/hello", None, [["GET", "/hello", 14, None]]]
    assert steps[6] == ["/hello", "ValueError", []]
    assert ["edited", "None"] in log


def test_catch_response_fast(target: Target) -> None:
    """API-173 to API-185 on FastHttpUser. API-184: a block around a plain response is no error."""
    steps, _ = compare(target, "Fast", _RULES + "out([steps, [row[:1] for row in log]])")
    assert steps[-4] is None


_REST = """
def rest(method, path, body=None, **kwargs):
    try:
        with user.rest(method, path, **kwargs) as response:
            log.append([path, response.js if not isinstance(response.js, dict) else sorted(response.js)])
            if body: body(response)
    except Exception as error:
        log.append(repr(error))
def wrong(response): assert response.js["method"] == "PUT"
def told(response): assert response.js["method"] == "PUT", "told"
def key(response): response.js["missing"]
def again(response): raise RescheduleTask
def own(response): response.failure("own")
rest("GET", "/echo"); rest("POST", "/echo", json={"a": 1}); rest("GET", "/hello"); rest("GET", "/status/404")
rest("GET", "/status/204"); rest("GET", "http://127.0.0.1:1/", name="refused")
for body in (wrong, told, key, again, own): rest("GET", "/echo", body, name=body.__name__)
with user.rest("GET", "/echo") as r: headers = r.js["headers"]
own_headers = {"accept": "text/x", "Content-Type": "text/y"}
with user.rest("GET", "/echo", headers=own_headers) as r: own_headers = r.js["headers"]
with user.rest_("GET", "/echo?q=1") as r: log.append(re.sub(r"\\d{13}", "NOW", r.js["query"]))
with user.rest_("GET", "/echo", name="named") as r: pass
names = ("Accept", "accept", "Content-Type")
out([log, [row[:4] for row in records()], [headers.get(n) for n in names], [own_headers.get(n) for n in names],
     TYPE.__name__])
"""


@pytest.mark.parametrize("user", ["Plain", "Fast"])
def test_raise_for_status(target: Target, user: str) -> None:
    """API-166, API-230: it honours success() and failure()."""
    code = """
def judged(path, function):
    with client.get(path, catch_response=True) as response:
        function(response)
        inside = raised(response.raise_for_status)[0]
    return [inside, raised(response.raise_for_status)[0]]
def nothing(response): pass
def success(response): response.success()
def failure(response): response.failure("no")
def error(response): response.failure(KeyError("no"))
paths = ("/hello", "/status/404", "http://127.0.0.1:1/")
out([[judged(path, function) for function in (nothing, success, failure, error)] for path in paths])
"""
    compare(target, user, code)


def test_rest(target: Target) -> None:
    """API-186, API-187, API-188, API-189, API-190, API-191, API-192."""
    code = "from locust.clients import RestResponseContextManager as TYPE\n" + _REST
    found = compare(target, "Plain", code)
    assert found[2] == ["application/json", None, "application/json"]


def test_rest_fast(target: Target) -> None:
    """API-186 to API-192 on FastHttpUser."""
    compare(target, "Fast", "from locust.contrib.fasthttp import RestResponseContextManager as TYPE\n" + _REST)


def test_fast_attributes(target: Target) -> None:
    """API-193, API-194."""
    code = """
names = ("network_timeout connection_timeout max_redirects max_retries insecure default_headers concurrency proxy_host"
         " proxy_port client_pool ssl_context_factory abstract").split()
client.get("/hello"); client.client.clientpool.close() if hasattr(client.client, "clientpool") else None
client.get("/hello")
own = FastHttpSession(base_url=URL, request_event=environment.events.request, user=None, insecure=False)
own.get("/hello", name="own")
out([{n: getattr(FastHttpUser, n) for n in names}, show(client.base_url), client.request_name, client.auth_header,
     hasattr(client, "cookiejar"), [row[:4] for row in records()]])
"""
    compare(target, "Fast", code)


def test_fast_requests(target: Target) -> None:
    """API-195, API-196, API-197, API-198, API-206, API-207, API-208."""
    code = """
answers = []
def echo(response):
    data = response.json()
    headers = {n.lower(): v for n, v in data["headers"].items() if n not in ("Host", "User-Agent", "Connection")}
    answers.append([data["method"], data["query"], headers, data["body"]])
echo(client.get("/echo?a=1#x")); echo(client.get("/echo", params={"b": "2 3"})); echo(client.get("/echo", verify=False))
echo(client.post("/echo", {"a": "1"})); echo(client.post("/echo", "text")); echo(client.post("/echo", b"bytes"))
echo(client.post("/echo", json={"a": [1, None]})); echo(client.post("/echo", data="d", json={"a": 1}))
echo(client.put("/echo", "x")); echo(client.patch("/echo", "x"))
for method in ("DELETE", "OPTIONS"):
    # Whether there is a Content-Length of nothing is left to the client.
    answers.append(client.request(method, "/echo").json()["method"])
    seen.pop()
echo(client.get("/echo", headers={"X-A": "1", "accept": "x/y"})); echo(client.get("/echo", auth=("user", "secret")))
echo(client.get(URL + "/echo"))
answers.append([client.head("/redirect/1").status_code, client.get("/redirect/2").url.replace(URL, "URL")])
answers.append([client.get("/redirect/1", allow_redirects=False).status_code])
agent = client.get("/echo", name="agent").json()["headers"]["User-Agent"]
out([answers, records(), agent.partition("/")[0]])
"""
    compare(target, "Fast", code)


def test_fast_failures(target: Target) -> None:
    """API-199, API-200, API-201, API-202, API-203, API-204, API-205."""
    code = """
@environment.events.request.add_listener
def text(name, exception, response, **_):
    log.append([show(repr(exception)), name == "/bad-gzip" or type(response).__name__])
codes = [client.get(f"/status/{code}").status_code for code in (204, 208, 226, 304, 404, 500)]
body = client.get("/status/404").text
refused = client.get("http://127.0.0.1:1/")
class Hasty(Fast):
    network_timeout = 0.2
Hasty(environment).client.get("/delay/1500")
client.get("/redirect-loop"); client.get("/bad-gzip")
out([codes, body, [refused.status_code, refused.content, refused.text, refused.headers, refused.ok],
     raised(client.get, "//hello"), [row[:2] + row[3:4] for row in records()], log])
"""
    assert compare(target, "Fast", code)[2] == [0, None, None, None, True]


def test_fast_responses(target: Target) -> None:
    """API-209, API-210, API-211, API-212, API-213."""
    code = """
response = client.get("/redirect/1")
parts = [response.status_code, response.ok, response.encoding, response.text, bool(response), len(response.history),
         type(response.elapsed).__name__, response.headers["content-type"], response.request.method,
         [hasattr(response, name) for name in ("cookies", "reason", "raw", "is_redirect", "json", "raise_for_status")]]
pieces = [type(piece).__name__ for piece in client.get("/bytes/3000", stream=True).iter_content(1024)]
lines = [line for line in client.iter_lines("/login")]
try:
    client.get("/hello").json()
except ValueError as error:
    kind = type(error).__name__
bad = raised(client.get("/status/404").raise_for_status)
out([parts, pieces, lines[:2], kind, bad])
"""
    compare(target, "Fast", code)


def test_fast_concurrency(target: Target) -> None:
    """API-214."""
    code = """
jobs = [gevent.spawn(client.get, "/delay/700", name=str(n)) for n in range(10)]
begin = time.time()
gevent.joinall(jobs)
# One after the other they take 7.
out([[job.value.status_code for job in jobs], sorted(row[1] for row in records()), time.time() - begin < 6])
"""
    compare(target, "Fast", code)


def ours(target: Target, code: str) -> Any:
    """What cload alone gives to out()."""
    return ENGINES[0].snippet(f"URL = {target.url!r}\n{_PREAMBLE.replace('USER(', 'Plain(')}\n{code}")


def test_urllib3_queue(engine: Engine) -> None:
    """API-13."""
    code = """
from locust.clients import HttpSession
import urllib3, urllib3.connectionpool
out(urllib3.connectionpool.ConnectionPool.QueueCls.__module__.split(".")[0])
"""
    assert engine.snippet(code) == "gevent"
    assert engine.snippet("os.environ['LOCUST_SKIP_URLLIB3_PATCH'] = '1'\n" + code) in ("queue", "gevent")


def test_streams_hold_little(target: Target) -> None:
    """Neither a long download nor a long upload is held in memory; both go over the user's kept-alive connection."""
    code = """
import resource
def peak_mib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
client.get("/hello")
before, total = peak_mib(), 0
for piece in client.get("/bytes/200000000", stream=True).iter_content(65536):
    total += len(piece)
def pieces():
    for _ in range(120):
        yield b"x" * 500_000
status = client.post("/hello", data=pieces()).status_code
reused = client.get("/hello").raw is not None
out([total, status, peak_mib() - before < 40, reused])
"""
    before = target.counters()["connections"]
    assert ours(target, code) == [200_000_000, 200, True, True]
    assert target.counters()["connections"] - before <= 3  # the counter's own two, and the user's


@pytest.mark.parametrize("user", ["Plain", "Fast"])
def test_arguments_that_go_together_or_not(target: Target, user: str) -> None:
    """A body or a URL that is requests' work stays so beside auth=; what is given twice is told in Python's words."""
    code = """
import io, requests
def told(function, *args, **kwargs):
    try:
        return function(*args, **kwargs).status_code
    except TypeError as error:
        return str(error)
log = []
for auth in (None, ("name", "word")):
    for body in (iter([b"ab", b"c"]), io.BytesIO(b"def")):
        if hasattr(client, "adapters") or hasattr(body, "read"):
            response = client.post("/echo", data=body, auth=auth)
            log.append([response.status_code, response.text.split()[-1], "Authorization" in response.text])
log.append(raised(client.get, 7.5, auth=("name", "word")))
if hasattr(client, "adapters"):
    answer = client.get(URL.replace("//", "//other:one@") + "/echo", auth=("name", "word"))
    log.append(answer.request.headers["Authorization"])
for verb, args, kwargs in (
    ("get", (), {}), ("get", ("/echo",), {"url": "/"}), ("get", ("/echo",), {"method": "PUT"}),
    ("post", ("/echo", {}), {"data": None}), ("post", ("/echo", None, 1), {"json": 1}),
    ("put", ("/echo", {}), {"data": 1}), ("patch", ("/echo", "a", "b"), {}), ("delete", ("/echo",), {"data": {}}),
    ("request", (), {}), ("request", ("GET",), {}), ("request", (), {"url": "/"}), ("request", (), {"method": "GET"}),
    ("request", ("GET", "/echo"), {"url": "/"}), ("request", ("GET", "/echo"), {"method": "PUT"}),
    ("request", ("GET", "/echo", "n"), {"name": "m"}), ("request", ("GET", "/echo", *range(12)), {}),
    ("request", ("GET",), {"url": "/echo"}), ("request", (), {"method": "GET", "url": "/echo"}),
):
    log.append(told(getattr(client, verb), *args, **kwargs))
out(log)
"""
    compare(target, user, code)


def test_streams_of_requests(target: Target) -> None:
    """stream=True of HttpUser is the engine's, down to the pieces, to `raw` and to how a body breaks off."""
    code = """
import hashlib
def get(path, **kwargs): return client.get(path, stream=True, **kwargs)
def text(value): return repr(value) if len(repr(value)) < 100 else hashlib.md5(repr(value).encode()).hexdigest()
def tried(function, path):
    try: return text(function(get(path)))
    except Exception as error: return [type(error).__name__, str(error)[:60].split("object at")[0]]
def both(answer): return [len(answer.content), len(answer.content), answer.raw.read(), answer.raw.closed]
def partly(answer):
    next(answer.iter_content(100), None)
    answer.close()
    return answer.raw.closed
ways = [lambda a: a.status_code, lambda a: a.content, lambda a: a.text, lambda a: [len(p) for p in a.iter_content(700)],
        lambda a: [len(line) for line in a.iter_lines()],
        lambda a: a.raw.read(), lambda a: a.raw.read(10), both, partly,
        lambda a: [[hop.status_code, hop.content] for hop in a.history], lambda a: a.raw.headers.get("content-length")]
paths = ["/hello", "/bytes/3000", "/bytes/200000", "/chunked/3000", "/chunked/200000", "/gzip", "/redirect/2",
         "/status/404", "/status/204", "/no-length", "/close-body/10", "/reset-body", "/bad-chunk", "/cut-chunk",
         "/bad-gzip", "/reset"]
seen = [[path, [tried(way, path) for way in ways]] for path in paths]
seen.append([sorted(get("/echo/7").json()), text(client.head("/hello", stream=True).raw.read())])
seen.append(tried(lambda a: get("/slow-body?ms=5000", timeout=0.2).content, "/hello"))
with get("/chunked/5000", catch_response=True) as answer:
    if sum(map(len, answer.iter_content(512))) != 5000: answer.failure("wrong")
out([seen, [row[:4] for row in records()]])
"""
    assert compare(target, "Plain", code)


def test_streams_over_tls(tls_target: Target) -> None:
    code = """
import urllib3
urllib3.disable_warnings()
client.verify = False
client.get("/hello")
response = client.get("/chunked/5000", stream=True)
pieces = [len(piece) for piece in response.iter_content(2000)]
sent = client.post("/echo", data=iter([b"a" * 40000, b"b"])).json()["body"]
client.verify = True
untrusted = client.get("/hello", stream=True)
common = client.get("/hello")
out([pieces, len(sent), repr(untrusted.error)[:60] == repr(common.error)[:60], type(untrusted.error).__name__])
"""
    assert ours(tls_target, code) == [[1000] * 5, 40001, True, "SSLError"]


def test_stream_that_is_cut(target: Target) -> None:
    """A greenlet that is killed while it reads, a reader whose connection is closed by another, a foreign thread."""
    code = """
import _cload, threading
def read():
    for piece in client.get("/slow-body?ms=20000", stream=True).iter_content(1):
        seen.append(piece)
reader = gevent.spawn(read)
until(lambda: seen)
reader.kill()
killed = [len(seen) > 0, reader.dead, _cload.waiting_count()]
response = client.get("/slow-body?ms=20000", stream=True)
gevent.spawn_later(0.1, response.raw._original_response.fp.raw._sock.shutdown, 2)
try:
    list(response.iter_content(100)); cut = None
except Exception as error:
    cut = type(error).__name__
from gevent import get_hub
def other():
    made = HttpSession(URL, None, None)
    return [made.get("/hello").status_code, made.get("/hello", stream=True).text, client.get("/hello").status_code,
            client.get("/bytes/10", stream=True).text]
from locust.clients import HttpSession
client.get("/hello", stream=True).content
foreign = get_hub().threadpool.apply(other)
held = client.get("/bytes/100000", stream=True)
get_hub().threadpool.apply(lambda box: box.clear(), ([held],)) ; del held
after = client.get("/hello").status_code
out([killed, cut, foreign, after, _cload.waiting_count()])
"""
    assert ours(target, code) == [
        [True, True, 0],
        "ChunkedEncodingError",
        [200, "Hello, world!\n", 200, "xxxxxxxxxx"],
        200,
        0,
    ]


def test_many_headers(target: Target) -> None:
    code = """
headers = {f"X-Many-{n}": str(n) for n in range(400)}
common = client.get("/echo", headers=headers).json()["headers"]
rare = client.get("/echo", headers=headers, stream=True).json()["headers"]
with_json = client.post("/echo", json={}, headers=headers, auth=("a", "b"), cookies={f"k{n}": "1" for n in range(300)})
fast = Fast(environment).client.post("/echo", json={}, headers=headers).json()["headers"]
sent = with_json.json()["headers"]
out([[all(seen[n] == headers[n] for n in headers) for seen in (common, rare, sent, fast)], sent["Authorization"],
     len(sent["Cookie"].split(";")), sent["Content-Type"], fast["Accept"]])
"""
    expected = [[True] * 4, "Basic YTpi", 300, "application/json", "application/json"]
    assert ours(target, code) == expected


def test_queries_and_forms_are_as_requests_makes_them(target: Target) -> None:
    """What the engine encodes itself, and what it leaves to requests."""
    code = """
import enum, requests
class Word(str, enum.Enum):
    ONE = "one"
values = ["", "a b", "\\u00fc/\\u20ac?&=#+~*'()", b"\\xff raw", 0, -12, 10**30, 1.5, float("inf"), True, None,
          [], ["a", None, 2], ("t", b"u"), {"s"}, Word.ONE, "\\x00\\n"]
dicts = [{"k": value} for value in values] + [{"a": 1, "b c": [1, 2], 3: "x", b"y": "z", None: 1}, {}]
urls = ["/echo", "/echo?z=1", "/echo?", "/echo#frag", "/echo?q#frag"]
def outcome(function):
    try:
        return function()
    except Exception as error:
        return type(error).__name__
different = []
for params in dicts:
    for url in urls:
        wanted = outcome(lambda: requests.Request("GET", URL + url, params=params).prepare().url)
        made = outcome(lambda: client.get(url, params=params).request.url)
        if made != wanted:
            different.append([repr(params), url, made, wanted])
    wanted = outcome(lambda: requests.Request("POST", URL + "/echo", data=params).prepare())
    made = outcome(lambda: client.post("/echo", data=params).request)
    if [getattr(made, "body", made), getattr(made, "headers", {}).get("Content-Type")] != \\
            [getattr(wanted, "body", wanted), getattr(wanted, "headers", {}).get("Content-Type")]:
        different.append([repr(params), made.body, wanted.body])
out([different, client.get("/echo", params={"a": "1 2"}).json()["query"],
     client.post("/echo", {"a": ["1", "2"]}).json()["body"]])
"""
    assert ours(target, code) == [[], "a=1+2", "a=1&a=2"]


def test_texts_are_as_requests_reads_them(target: Target) -> None:
    """`text`, `json()` and `encoding` by content type, before and after the script changes them."""
    code = """
import requests
from gevent.pywsgi import WSGIServer
from urllib.parse import unquote_to_bytes
def application(environ, start):
    kind, _, body = environ["QUERY_STRING"].partition("&")
    kind = unquote_to_bytes(kind).decode("latin1")
    start("200 OK", [("Content-Type", one) for one in kind.split("|") if one])
    return [unquote_to_bytes(body)]
server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
server.start()
kinds = ["", "text/html", "text/plain; charset=utf-8", "TEXT/PLAIN; CHARSET=UTF-8", 'text/x;charset="utf-8"',
         "text/x; charset=", "application/json", "application/json; charset=iso-8859-1", "application/vnd.api+json",
         "text/x; charset=nonsense", "text/x; a=b; charset = 'ISO-8859-1' ; c", "x/context; charset",
         "text/a|text/b; charset=utf-8", "text/x; charset=utf-16"]
bodies = ["", "%7B%22a%22%3A%22%C3%BC%22%7D", "caf%E9", "%EF%BB%BF1", "nope"]
def describe(response):
    def attempt(function):
        try:
            return function()
        except Exception as error:
            return [type(error).__name__, str(error)]
    def changed():
        response.encoding = "utf-16-le" if len(response.content) % 2 == 0 else "latin-1"
        return response.text
    return [response.encoding, attempt(lambda: response.text), attempt(response.json),
            attempt(lambda: response.json(parse_int=str)), attempt(changed), attempt(response.json)]
different = []
for kind in kinds:
    for body in bodies:
        url = f"http://127.0.0.1:{server.server_port}/?{kind}&{body}"
        made, wanted = describe(client.get(url)), describe(requests.get(url))
        if made != wanted:
            different.append([kind, body, made, wanted])
out(different)
"""
    assert ours(target, code) == []


def test_users_with_streams_leave_nothing(target: Target) -> None:
    """Neither sessions nor connections outlive users that left bodies unread or were stopped in the middle of one."""
    code = """
import gc
def pieces():
    yield b"a"; yield b"b"
def left(user): user.kept = user.client.get("/bytes/300000", stream=True)
def begun(user):
    for piece in user.client.get("/bytes/300000", stream=True).iter_content(1000):
        break
def whole(user): user.client.get("/chunked/90000", stream=True).content
def slow(user): user.client.get("/slow-body?ms=2000", stream=True).content
def sent(user): user.client.post("/echo", data=pieces())
for kind in (Plain, Fast):
    kind.tasks, kind.wait_time = [left, begun, whole, slow, sent], constant(0.001)
descriptors = []
for _ in range(3):
    run(Plain, Fast, users=20, seconds=0.5)
    gc.collect()
    descriptors.append(len(os.listdir("/proc/self/fd")))
names = ("Wire", "Stream", "HttpSession", "FastHttpSession", "ResponseContextManager", "FastResponse")
del user, client, environment
gc.collect()
kept = [type(found).__name__ for found in gc.get_objects() if type(found).__name__ in names]
out([kept, descriptors[2] - descriptors[0]])
"""
    kept, more = ours(target, code)
    assert kept == []
    assert more <= 2


def test_http_client_prints_what_is_said(target: Target) -> None:
    """API-172: `HTTPConnection.debuglevel`, the way to look at what HttpUser sends; it is set, and taken back, between
    calls of one session."""
    compare(
        target,
        "Plain",
        """
import contextlib, http.client, io
def said(function, *args, **kwargs):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        function(*args, **kwargs)
    return [re.sub(r"'Host: [^']*|Host: [0-9.:]+", "HOST", line) for line in printed.getvalue().splitlines()]
before = said(client.get, "/hello")
http.client.HTTPConnection.debuglevel = 1
during = said(client.get, "/hello"), said(client.post, "/echo/1", json={"a": 1})
http.client.HTTPConnection.debuglevel = 0
after = said(client.get, "/hello")
assert during[0] and during[1] and not before and not after
out([during, records()])
""",
    )
