"""What a target can do wrong: each case is a row with a failure that names it, and the run goes on to the next.

All cases are calls of one user in one run; the last call of that run has to work."""

import json
import re
import socket
import threading

import pytest
from engines import Engine, Result
from servers import Target, free_port

LOCUSTFILE = """
import json
import os
import time

from locust import HttpUser, constant, task

CASES = json.loads(os.environ["CASES"])


class Explorer(HttpUser):
    wait_time = constant(1)

    @task
    def explore(self):
        for name, url, timeout in CASES:
            self.client.get(url, name=name, timeout=timeout)
            if name.startswith("closes"):
                time.sleep(0.1)
        self.client.get("/hello", name="the last one")
        self.environment.runner.quit()
"""

# Name, URL ({plain} and {tls} are the target's ports, {closed} one where nobody listens), seconds, the failure's text.
# The texts are those of Locust where requests has a name for the case; `|` parts what cload tells more exactly.
FAILING = [
    ("closed before the answer", "/close", 30, r"RemoteDisconnected|Connection aborted"),
    ("closed in the body", "/close-body/1000", 30, r"IncompleteRead\(500 bytes read, 500 more expected\)"),
    ("reset before the answer", "/reset", 30, r"ConnectionResetError\(104, 'Connection reset by peer'\)"),
    ("reset in the body", "/reset-body", 30, r"ChunkedEncodingError.*ConnectionResetError"),
    ("not HTTP", "/garbage", 30, r"BadStatusLine"),
    ("endless header", "/endless-header", 30, r"got more than 100 headers|header too large|HeaderTooLarge"),
    ("endless header line", "/endless-line", 30, r"LineTooLong|header too large|HeaderTooLarge"),
    ("bad chunk size", "/bad-chunk", 30, r"ChunkedEncodingError.*(InvalidChunkLength|malformed chunk)"),
    ("closed in a chunk", "/cut-chunk", 30, r"ChunkedEncodingError.*IncompleteRead"),
    ("two lengths", "/two-lengths", 30, r"InvalidHeader.*Content-Length|BadHeader|malformed header"),
    ("not gzip", "/bad-gzip", 30, r"ContentDecodingError"),
    ("redirects in a circle", "/redirect-loop", 30, r"TooManyRedirects\('Exceeded 30 redirects.'\)"),
    ("redirects too often", "/redirect/40", 30, r"TooManyRedirects\('Exceeded 30 redirects.'\)"),
    ("redirect to a closed port", "/redirect-to?url=http://127.0.0.1:{closed}/", 30, r"ConnectionRefusedError"),
    ("no answer in time", "/hang", 0.3, r"ReadTimeout|read timed out|Read timed out"),
    ("body stops", "/hang?after=100", 0.3, r"Read timed out|read timed out"),
    ("refused port", "http://127.0.0.1:{closed}/", 30, r"ConnectionRefusedError\(111, 'Connection refused'\)"),
    ("unknown host", "http://no-such-host.invalid/", 30, r"NameResolutionError|gaierror"),
    (
        "untrusted certificate",
        "https://127.0.0.1:{tls}/hello",
        30,
        r"SSLError.*(CERTIFICATE_VERIFY_FAILED|not trusted).*self.signed",
    ),
    ("TLS to a plain port", "https://127.0.0.1:{plain}/hello", 30, r"SSLError"),
    ("plain to a TLS port", "http://127.0.0.1:{tls}/hello", 30, r"."),
    ("404", "/status/404", 30, r"HTTPError\('404 Client Error: Not Found for url: 404'\)"),
    ("503", "/status/503", 30, r"HTTPError\('503 Server Error: Service Unavailable for url: 503'\)"),
]
# Odd, but an answer.
WORKING = [
    ("body up to the end", "/no-length", 30),
    ("HTTP/1.0", "/http10", 30),
    ("bare line feeds", "/bare-lf", 30),
    ("no reason phrase", "/no-reason", 30),
    ("closes without a word", "/keepalive-close", 30),
    ("after the close", "/hello", 30),
    ("closes a little later", "/keepalive-close/30", 30),
    ("after the later close", "/slow-body?pieces=3&ms=20", 30),
    ("byte by byte", "/drip?ms=1", 30),
    ("silent for less than the timeout", "/slow-body?pieces=6&ms=400", 2),
    ("long header", "/big-header/30000", 30),
    ("no content", "/status/204", 30),
    ("not modified", "/status/304", 30),
    ("trailer", "/chunked/5000?trailer=1", 30),
    ("gzip", "/gzip", 30),
    ("redirects", "/redirect/5", 30),
]


@pytest.fixture(scope="module")
def result(engine: Engine, target: Target, tls_target: Target) -> Result:
    ports = {"plain": target.port, "tls": tls_target.port, "closed": free_port()}
    cases = [(name, url.format(**ports), timeout) for name, url, timeout, *_ in [*FAILING, *WORKING]]
    return engine.load(
        engine.locustfile(LOCUSTFILE),
        host=target.url,
        users=1,
        run_time="100s",
        env={"CASES": json.dumps(cases)},
    )


@pytest.mark.parametrize(("name", "text"), [(case[0], case[3]) for case in FAILING], ids=[case[0] for case in FAILING])
def test_failure_is_named(result: Result, name: str, text: str) -> None:
    row = result.rows.get(("GET", name))
    assert row is not None, str(result)
    assert (row.requests, row.failures) == (1, 1)
    errors = [error for error in result.errors if error.startswith(f"GET {name}: ")]
    assert len(errors) == 1, result.errors
    assert re.search(text, errors[0].removeprefix(f"GET {name}: ")), errors[0]


@pytest.mark.parametrize("name", [case[0] for case in WORKING])
def test_odd_answer_is_taken(result: Result, name: str) -> None:
    row = result.rows.get(("GET", name))
    assert row is not None, str(result)
    assert (row.requests, row.failures) == (1, 0), result.errors


def test_the_run_goes_on(result: Result) -> None:
    """CLI-82: failures make the exit code 1."""
    assert result.rows["GET", "the last one"].requests == 1
    assert result.rows["GET", "the last one"].failures == 0
    assert result.total is not None
    assert result.total.requests == len(FAILING) + len(WORKING) + 1
    assert result.total.failures == len(FAILING)
    assert result.code == 1


def test_failures_are_in_the_csv_file(engine: Engine, result: Result) -> None:
    """REP-28, REP-30: the final state is written, which Locust leaves out."""
    if not engine.is_cload:
        pytest.skip("Locust's files lack the last second")
    assert {(row["Method"], row["Name"]) for row in result.csv("failures")} == {("GET", case[0]) for case in FAILING}


REFUSED = """
from locust import FastHttpUser, HttpUser, constant, task


class Caller:
    wait_time = constant(60)

    def calls(self):
        for _ in range(3):
            assert self.client.get("/bad", name="bad").status_code == 400
            assert self.client.post("/", data=b"x", name="next").status_code == 200
        self.environment.runner.quit()


class Slow(Caller, HttpUser):
    tasks = [Caller.calls]


class Fast(Caller, FastHttpUser):
    tasks = [Caller.calls]
"""


@pytest.mark.parametrize("kind", ["Slow", "Fast"])
def test_server_that_refuses_and_leaves(engine: Engine, kind: str) -> None:
    """Node.js answers what it does not understand with 400 and closes without having said so; the next call, which may
    not be sent twice, goes to a new connection."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                # The answer and the end of the connection come in one segment.
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                while request := client.recv(65536):
                    status = b"400 Bad Request" if b" /bad " in request else b"200 OK"
                    client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")
                    if b" /bad " in request:
                        break
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        result = engine.load(engine.locustfile(REFUSED), kind, host=url, users=1, run_time="100s")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)
    assert result.csv("exceptions") == [], str(result)
    assert result.rows["POST", "next"].requests == 3 and result.rows["POST", "next"].failures == 0, str(result)
