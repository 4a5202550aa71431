"""One kind of call, over and over; says at the end what a call costs. CALL names it, CLIENT is http or fast.

The cost is CPU time of this process, read by itself, without start, ramp and end; with CALLGRIND_WINDOW, the library
that tells callgrind, what it counts is of the same seconds."""

import ctypes
import os
import time

import gevent
from locust import FastHttpUser, HttpUser, events, task

SECONDS = float(os.environ.get("MEASURED_SECONDS", "3"))
HEADERS = {"X-Request-Id": "0123456789", "Accept": "application/json", "X-Tenant": "blue"}
FORM = {"name": "somebody", "password": "secret", "remember": "yes"}
ORDER = {"items": [{"id": 1, "count": 2}, {"id": 7, "count": 1}], "note": None, "total": 12.5}


def judged(client):
    with client.get("/hello", catch_response=True) as response:
        if response.status_code != 200:
            response.failure("bad")


def failed(client):
    with client.get("/hello", catch_response=True) as response:
        response.failure("bad")


def raised(client):
    client.get("/status/500").raise_for_status()


def named(client):
    named.number += 1
    client.get(f"/echo/{named.number}", name="/echo/[id]")


named.number = 0

CALLS = {
    "get": lambda client: client.get("/hello"),
    "status": lambda client: client.get("/hello").status_code,
    "text": lambda client: client.get("/hello").text,
    "json answer": lambda client: client.get("/echo/1").json(),
    "headers=": lambda client: client.get("/hello", headers=HEADERS),
    "params=": lambda client: client.get("/hello", params={"page": 2, "q": "a b"}),
    "json=": lambda client: client.post("/hello", json=ORDER),
    "form": lambda client: client.post("/hello", data=FORM),
    "catch_response": judged,
    "name=": named,
    "gzip": lambda client: client.get("/gzip"),
    "redirect": lambda client: client.get("/redirect/1"),
    "404": lambda client: client.get("/status/404"),
    "failure()": failed,
    "raise_for_status": raised,
    "refused": lambda client: client.get("http://127.0.0.1:1/"),
    "new connection": lambda client: client.get("/hello", headers={"Connection": "close"}),
    "stream=": lambda client: client.get("/hello", stream=True).content,
}


KIND = os.environ["CALL"]
CALL = CALLS["get" if KIND == "cookies" else KIND]


def log_in(user):
    if KIND == "cookies":
        for name in ("session", "tracking", "language"):
            user.client.get(f"/cookies/set?{name}=0123456789abcdef", name="login")


class Plain(HttpUser):
    abstract = os.environ["CLIENT"] != "http"
    on_start = log_in

    @task
    def go(self):
        CALL(self.client)


class Fast(FastHttpUser):
    abstract = os.environ["CLIENT"] != "fast"
    on_start = log_in

    @task
    def go(self):
        CALL(self.client)


@events.test_start.add_listener
def measure(environment, **_):
    gevent.spawn(take, environment)


def take(environment):
    gevent.sleep(0.5)
    total = environment.stats.total
    window = ctypes.CDLL(os.environ["CALLGRIND_WINDOW"]) if "CALLGRIND_WINDOW" in os.environ else None
    count, cpu = total.num_requests, time.process_time()
    if window:
        window.window_begin()
    gevent.sleep(SECONDS)
    if window:
        window.window_end()
    count, cpu = total.num_requests - count, time.process_time() - cpu
    print(f"COST {cpu / max(count, 1) * 1e6:.2f} {count}", flush=True)
    environment.runner.quit()
