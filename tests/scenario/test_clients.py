"""HttpUser and FastHttpUser, call by call, on cload and on real Locust: the same events, results and errors.

But for the calls listed here."""

import json
import re
from pathlib import Path

import pytest
from engines import Engine
from servers import Target

CLIENTS = Path(__file__).parent / "clients"

# What differs on purpose: why, with the row of the compatibility table, and the calls.
PARSER = "API-202: our parser's own words for what is no HTTP, and what it lets pass"
BODY = "API-202: an answer that breaks off is no answer: status 0, no content"
URLS = "API-205: a URL that makes no sense is a ValueError that says why"
DIFFERENT = {
    "http_calls": {
        "texts of other parsers, the same exception": ["/bad-chunk"],
        "stricter about the framing": ["/close-head", "/bad-length", "/two-lengths"],
        "a header line without a colon is left out, what follows it is not": ["/bad-header"],
        "102 is no final answer": ["/1xx"],
    },
    "rare_calls": {
        "there a copy lacks an attribute": [
            "attributes: pickled common", "attributes: copied common", "attributes: pickled rare",
            "attributes: copied rare", "adapters: adapter pickled",
        ],
    },
    "fast_calls": {
        PARSER: ["/close-head", "/garbage", "/bad-chunk", "/bad-length", "/two-lengths", "/bad-header", "/bare-lf"],
        BODY: ["/close-body/100", "/reset-body", "/cut-chunk", "/bad-gzip"],
        URLS: [
            "/redirect-to?url=ftp://a/b", "url ftp://a", "url http:///x", "url http://[::1", "url http://a b/",
            "url http://", "url  /hello", "url hello", "url //x/y",
        ],
        "API-210: breaks as it does there, and says why": ["bool failed", "bool chunked"],
        "lines come as they are sent": ["stream events"],
        "one line for several values": ["headers several values"],
        "API-204: the limit that was in force": ["redirect max"],
    },
}  # fmt: skip


def comparable(line: str) -> str:
    """Without our own words (API-188), the time (API-191) and the places of modules in tracebacks (API-190)."""
    line = re.sub(r"Could not parse response as JSON\.|The body is no JSON:", "(no JSON)", line)
    line = re.sub(r"_=\d+", "_=MS", line)
    return re.sub(r"[^ ]*/locust/user/users\.py:\d+", "users.py", line)


def calls_of(engine: Engine, name: str, target: Target) -> dict[str, list[object]]:
    result = engine.load(
        CLIENTS / f"{name}.py",
        host=target.url,
        users=1,
        run_time="100s",
        env={"TARGET_PORT": str(target.port), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    calls: dict[str, list[object]] = {}
    for line in result.stdout.splitlines():
        if line.startswith("CALL "):
            label, *seen = json.loads(comparable(line.removeprefix("CALL ")))
            assert label not in calls, label
            calls[label] = seen
    assert len(calls) > 100, str(result)
    return calls


@pytest.mark.parametrize("name", ["http_calls", "rare_calls", "fast_calls"])
def test_calls_are_as_with_locust(engine: Engine, locust: Engine, target: Target, name: str) -> None:
    """API-161 to API-192 (http_calls), API-152, API-172 (rare_calls); API-173 to API-215 (fast_calls)."""
    expected = calls_of(locust, name, target)
    calls = calls_of(engine, name, target)
    assert list(calls) == list(expected)
    differing = {label: (calls[label], expected[label]) for label in expected if calls[label] != expected[label]}
    allowed = {label for labels in DIFFERENT[name].values() for label in labels}
    surprising = {label: pair for label, pair in differing.items() if label not in allowed}
    assert not surprising, json.dumps(surprising, indent=1, ensure_ascii=False)
    assert allowed - set(differing) == set(), "these are the same by now"
