"""Prints one line for each call: its label, the events it made, what it returned or raised.

Imported by the locustfiles of this folder, under cload and under Locust."""

import json
import os
import re

from locust import events
from locust.exception import LocustError

PORT = os.environ["TARGET_PORT"]
PATHS = [
    "/hello",
    "/status/404",
    "/status/500",
    "/close",
    "/close-head",
    "/close-body/100",
    "/reset",
    "/reset-body",
    "/garbage",
    "/bad-chunk",
    "/cut-chunk",
    "/bad-length",
    "/two-lengths",
    "/bad-header",
    "/redirect/3",
    "/redirect/40",
    "/redirect-loop",
    "/gzip",
    "/deflate",
    "/br",
    "/bad-gzip",
    "/no-length",
    "/http10",
    "/bare-lf",
    "/no-reason",
    "/1xx",
    "/status/204",
    "/status/304",
    "/chunked/1000",
    "/bytes/100000",
    "/slow-body?ms=10",
]
happened = []


@events.request.add_listener
def on_request(
    request_type, name, response_time, response_length, response, context, exception, start_time, url, **more
):
    assert response_time >= 0
    assert start_time > 1e9
    assert not more
    happened.append(
        (request_type, name, response_length, repr(exception), str(exception), context, url, type(response).__name__)
    )


def plain(text):
    """Without places in memory and numbers of ports, but for the one nobody listens at."""
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    return re.sub(r"(127\.0\.0\.1(?:'?, port=|:))\d{4,}", r"\1PORT", text)


def show(label, *parts):
    text = plain(" ".join(map(str, parts)))
    print("CALL", json.dumps([label, text, [plain(str(event)) for event in happened]]), flush=True)
    happened.clear()


def attempt(label, call):
    try:
        show(label, call())
    except BaseException as error:
        show(label, "raised", type(error).__name__, "" if isinstance(error, LocustError) else str(error)[:200])


def echo(response):
    """What the target received: method, path, query, headers but Host, body."""
    seen = response.json()
    headers = {name.lower(): value for name, value in seen["headers"].items() if name.lower() != "host"}
    return seen["method"], seen["path"], seen["query"], sorted(headers.items()), seen["body"]


def attempt_caught(client, label, judge, url="/hello"):
    """A call with catch_response=True; `judge` gets the response in the with-block."""

    def call():
        with client.get(url, catch_response=True) as response:
            seen = judge(response)
        return seen

    attempt(label, call)


def fail(error):
    raise error
