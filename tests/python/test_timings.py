"""The phases of a request, as the response tells them."""

from __future__ import annotations

import pytest
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry


def test_phases_of_a_new_and_of_a_kept_connection(target) -> None:
    session = HttpSession(target.url, None, None)
    first = session.get("/delay/30").timings
    assert first.connect is not None and first.tls is None
    assert 30 <= first.first_byte < first.total < 20000
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


@pytest.fixture(params=["alone", "heard"])
def environment(request: pytest.FixtureRequest) -> Environment:
    """With nobody else at events.request, which the engine then does not fire; and with a listener."""
    environment = Environment()
    environment.create_local_runner()
    if request.param == "heard":
        environment.events.request.add_listener(lambda **_: None)
    return environment


@pytest.mark.parametrize("session_class", [HttpSession, FastHttpSession])
def test_phases_of_calls_by_requests_own_code(environment: Environment, target, session_class: type) -> None:
    session = session_class(target.url, environment.events.request, None)
    first = session.post("/echo", data=iter([b"a", b"b"]), name="pieces").timings
    assert first.connect is not None and first.tls is None
    assert 0 < first.first_byte <= first.total and first.transfer >= 0 and first.queue >= 0
    kept = session.post("/echo", data=iter([b"a"]), name="pieces").timings
    assert (kept.dns, kept.connect, kept.tls) == (None, None, None)
    phases = environment.stats.get("pieces", "POST").phases
    assert (phases["connect"].count, phases["first_byte"].count, phases["transfer"].count) == (1, 2, 2)
    session.post("http://127.0.0.1:1/", data=iter([b"a"]), name="refused")
    assert environment.stats.get("refused", "POST").phases["first_byte"].count == 0


@pytest.mark.parametrize("session_class", [HttpSession, FastHttpSession])
def test_phases_add_up_per_name(environment: Environment, target, session_class: type) -> None:
    session = session_class(target.url, environment.events.request, None)
    for _ in range(3):
        session.get("/delay/20", name="slow")
    session.get("/redirect/2", name="hops")
    slow = environment.stats.get("slow", "GET").phases
    assert list(slow) == ["dns", "connect", "tls", "queue", "first_byte", "transfer"]
    assert (slow["connect"].count, slow["tls"].count, slow["first_byte"].count) == (1, 0, 3)
    assert slow["tls"].average == slow["tls"].max == 0
    assert 20 <= slow["first_byte"].average <= slow["first_byte"].max < 20000
    hops = environment.stats.get("hops", "GET").phases
    assert (hops["connect"].count, hops["first_byte"].count) == (0, 3), "each hop counts"
    total = environment.stats.total.phases
    assert total["first_byte"].count == 6 and total["first_byte"].max == slow["first_byte"].max
    assert set(environment.stats.get("slow", "GET").phases_report()) == {
        "dns", "connect", "queue", "first_byte", "transfer"
    }  # fmt: skip
    environment.stats.reset_all()
    assert environment.stats.total.phases_report() == {}


def test_a_response_that_is_reported_again_has_its_phases_once(environment: Environment, target) -> None:
    session = HttpSession(target.url, environment.events.request, None)
    response = session.get("/hello", name="a")
    for _ in range(2):
        environment.events.request.fire(
            request_type="FLOW", name="b", response_time=1, response_length=0, response=response, exception=None
        )
    assert environment.stats.total.phases["first_byte"].count == 1
    assert environment.stats.get("b", "FLOW").phases["first_byte"].count == 0


def test_phases_travel_to_the_master(environment: Environment, target) -> None:
    HttpSession(target.url, environment.events.request, None).get("/delay/20", name="slow")
    entry = environment.stats.get("slow", "GET")
    phases = entry.phases
    merged = RequestStats()
    for _ in range(2):
        merged.total.extend(StatsEntry.unserialize(entry.serialize() | {"cload_phases": entry._phases}, merged))
    assert merged.total.phases["first_byte"].count == 2
    assert merged.total.phases["first_byte"].max == phases["first_byte"].max
    assert merged.total.phases["first_byte"].total == pytest.approx(2 * phases["first_byte"].total)
    assert "cload_phases" in entry._report_to_master() and not entry.phases_report(), "a report zeroes the entry"
