"""The phases of a request, as the response tells them."""

from __future__ import annotations

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession


def test_phases_of_a_new_and_of_a_kept_connection(target) -> None:
    session = HttpSession(target.url, None, None)
    first = session.get("/delay/30").timings
    assert first.connect is not None and first.tls is None
    assert 30 <= first.first_byte < first.total < 2000
    kept = session.get("/hello").timings
    assert (kept.dns, kept.connect, kept.tls) == (None, None, None)
    assert 0 <= kept.transfer <= kept.total


def test_phases_of_a_tls_connection(tls_target) -> None:
    session = HttpSession(tls_target.url, None, None)
    timings = session.get("/hello", verify=False).timings
    assert timings.tls is not None and 0 < timings.tls < timings.total


def test_phases_of_a_failure(target) -> None:
    timings = HttpSession(target.url, None, None).get("http://127.0.0.1:1/").timings
    assert timings.first_byte is None and timings.transfer is None and timings.total >= 0


def test_phases_with_fast_http(target) -> None:
    assert FastHttpSession(target.url, None, None).get("/delay/30").timings.first_byte >= 30
