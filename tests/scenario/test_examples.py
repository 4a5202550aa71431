"""The example locustfiles, each against the server it is made for."""

import re
from collections.abc import Callable
from pathlib import Path

from certs import Certs
from engines import Engine, Result
from servers import Target

QUICKSTART = {("GET", "/"), ("GET", "/hello"), ("POST", "/products"), ("GET", "/products/[id]"), ("GET", "/search")}
LOGIN = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/account"),
    ("GET", "/cookies/set"),
    ("GET", "/cookies"),
    ("POST", "/login (wrong password)"),
    ("GET", "/logout"),
}
SHOP = {
    ("GET", "/products"),
    ("POST", "/products"),
    ("GET", "/products/[id]"),
    ("POST", "product"),
    ("POST", "order"),
    ("GET", "order check"),
    ("POST", "payment"),
    ("POST", "delivery"),
    ("POST", "/payments"),
    ("PATCH", "/payments/[id]"),
    ("POST", "/deliveries"),
    ("GET", "/deliveries/[id]"),
}
API = {
    ("GET", "/"),
    ("GET", "/articles"),
    ("HEAD", "/articles"),
    ("POST", "/articles"),
    ("PUT", "/articles/[id]"),
    ("PATCH", "/articles/[id]"),
    ("GET", "/articles/[missing]"),
    ("GET", "/broken"),
    ("POST", "/comments"),
    ("DELETE", "/comments/[id]"),
    ("GET", "/counter"),
    ("OPTIONS", "/echo"),
    ("GET", "/gzip"),
    ("GET", "/health"),
    ("GET", "/me"),
    ("GET", "/redirect"),
    ("GET", "/search"),
    ("POST", "/token"),
    ("GAUGE", "open connections"),
}
TLS = {
    ("POST", "/token"),
    ("GET", "/me"),
    ("GET", "/bytes/[n]"),
    ("POST", "/items"),
    ("GET", "/health (certificate checked)"),
}


def assert_clean(result: Result, names: set[tuple[str, str]]) -> None:
    """CLI-81: no failure, no exception, exit code 0."""
    assert result.names == names, str(result)
    assert not result.errors, str(result)
    assert result.csv("exceptions") == []
    assert all(row.requests > 0 and row.failures == 0 for row in result.rows.values())
    assert result.code == 0, str(result)


def test_quickstart(engine: Engine, examples: Path, target: Target) -> None:
    before = target.counters()["requests"]
    until = 'len(stats.entries) == 5 and stats.get("/products", "POST").num_requests == 20'
    result = engine.load(examples / "quickstart/locustfile.py", host=target.url, users=20, until=until)
    assert_clean(result, QUICKSTART)
    assert result.rows["POST", "/products"].requests == 20
    assert result.total is not None
    # What the server counted is what was reported; at the end a call of each user may have been cut off.
    assert 0 <= target.counters()["requests"] - 1 - before - result.total.requests <= 20


def test_login(engine: Engine, examples: Path, target: Target) -> None:
    # All but the last one, with which users leave.
    until = 'len(stats.entries) == 6 and stats.get("/login", "GET").num_requests == 20'
    result = engine.load(examples / "login/locustfile.py", host=target.url, users=20, until=until)
    assert_clean(result, LOGIN)
    for name in ("/login", "/logout"):
        assert result.rows["GET", name].requests == 20


def test_shop(engine: Engine, examples: Path, start_target: Callable[..., Target]) -> None:
    services = {name: start_target() for name in ("PRODUCT", "ORDER", "PAYMENT", "DELIVERY")}
    polls, made = 'stats.get("/deliveries/[id]", "GET")', 'stats.get("/deliveries", "POST")'
    result = engine.load(
        examples / "shop/locustfile.py",
        users=20,
        until=f"len(stats.entries) == {len(SHOP)} and {polls}.num_requests > {made}.num_requests + 20",
        env={f"{name}_SERVICE": server.url for name, server in services.items()},
    )
    assert_clean(result, SHOP)
    deliveries = result.rows["POST", "/deliveries"].requests
    assert result.rows["GET", "/deliveries/[id]"].requests > deliveries, "polled more than once"
    for server in services.values():
        assert server.counters()["requests"] > 1


def test_api(engine: Engine, examples: Path, target: Target) -> None:
    """CLI-82: one page fails, so the exit code is 1."""
    until = f"len(stats.entries) == {len(API)}"
    result = engine.load(examples / "api/locustfile.py", "--page-size", "3", host=target.url, users=40, until=until)
    assert result.names == API, str(result)
    assert set(result.errors) == {"GET /broken: HTTPError('503 Server Error: Service Unavailable for url: /broken')"}
    broken = result.rows["GET", "/broken"]
    assert broken.requests == broken.failures > 0
    assert all(row.failures == 0 for key, row in result.rows.items() if key != ("GET", "/broken"))
    assert result.csv("exceptions") == []
    assert "reading 3 articles at a time" in result.stderr
    assert re.search(r"\b\d+ slow requests", result.stderr)
    assert result.rows["POST", "/token"].requests == 1, "exactly one operator"
    assert result.code == 1


def test_api_with_tags(engine: Engine, examples: Path, target: Target) -> None:
    """API-44, API-45, API-47: only tagged tasks are left, and only readers have any."""
    result = engine.load(
        examples / "api/locustfile.py",
        "Reader",
        *("--tags", "read", "--exclude-tags", "search"),
        host=target.url,
        users=10,
        until="len(stats.entries) == 3",
    )
    assert_clean(result, {("GET", "/"), ("GET", "/articles"), ("GET", "/gzip")})


def test_tls_gateway(engine: Engine, examples: Path, tls_target: Target, certs: Certs) -> None:
    result = engine.load(
        examples / "tls_gateway/locustfile.py",
        host=tls_target.url,
        users=12,
        until=f"len(stats.entries) == {len(TLS)}",
        env={"GATEWAY_CERTIFICATE": str(certs.self_signed.cert)},
    )
    assert_clean(result, TLS)


def test_examples_list_their_classes(engine: Engine, examples: Path) -> None:
    """CLI-105"""
    result = engine.run("-f", examples / "api/locustfile.py", "--list")
    assert result.stdout.splitlines() == ["Available Users:", "    Reader", "    Author", "    Operator"]
    assert result.code == 0
