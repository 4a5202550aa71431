"""Metrics for Prometheus: their forms, read by its own client's parsers, and how they are served."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask_login import UserMixin
from locust import User, _prometheus, argument_parser, task
from locust.env import Environment
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from servers import free_port

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
parse_openmetrics: Callable[[str], Any] = openmetrics_parser.text_string_to_metric_families


class Buyer(User):
    @task
    def nothing(self) -> None:
        """Never runs."""


@pytest.fixture
def environment() -> Iterator[Environment]:
    environment = Environment(user_classes=[Buyer])
    environment.create_local_runner()
    stats = environment.stats
    stats.log_request("GET", 'a "quoted" \\ name\nin two lines ä', 100, 10)
    stats.log_request("GET", "/b", 2500, 10)
    stats.log_request("SQL", "/b", None, -5)
    stats.log_error("GET", "/b", ValueError("x" * 1000))
    yield environment
    environment.runner.quit()


def read(text: bytes, parse: Callable[[str], Any] = parse_text) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by the sample's name and the values of its labels, each family and series once."""
    samples: dict[str, dict[tuple[str, ...], float]] = {}
    families = list(parse(text.decode()))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.type in ("counter", "gauge", "histogram", "summary"), family
        assert family.documentation
        for sample in family.samples:
            key = tuple(sample.labels.values())
            assert key not in samples.setdefault(sample.name, {}), sample
            samples[sample.name][key] = sample.value
    return samples


def test_both_formats_tell_the_same(environment: Environment) -> None:
    plain, plain_type = _prometheus.exposition(environment.runner)
    strict, strict_type = _prometheus.exposition(environment.runner, OPENMETRICS)
    assert (plain_type, strict_type) == (_prometheus.TEXT, _prometheus.OPENMETRICS)
    samples, strict_samples = read(plain), read(strict, parse_openmetrics)
    varying = ("cload_generator_cpu_cores", "cload_generator_starved_ratio", "cload_generator_delay_seconds")
    for name in samples:
        assert name in varying or name.startswith("locust_requests_median") or samples[name] == strict_samples[name]
    odd = ("GET", 'a "quoted" \\ name\nin two lines ä')
    assert samples["cload_requests_total"] == {odd: 1, ("GET", "/b"): 1, ("SQL", "/b"): 1}
    assert samples["cload_failures_total"][("GET", "/b")] == 1
    assert samples["cload_response_bytes_total"][("SQL", "/b")] == 0
    buckets = samples["cload_response_time_seconds_bucket"]
    assert [buckets[(*odd, bound)] for bound in ("0.05", "0.1", "+Inf")] == [0, 1, 1]
    assert samples["cload_response_time_seconds_count"][("SQL", "/b")] == 0
    assert samples["cload_response_time_seconds_sum"][("GET", "/b")] == 2.5
    assert samples["cload_state"][("ready",)] == 1 == sum(samples["cload_state"].values())
    assert samples["cload_users"] == {("Buyer",): 0}
    assert samples["locust_requests_num_requests"][("", "Aggregated")] == 3
    assert samples["locust_errors"][("GET", "/b", "ValueError('" + "x" * 288 + "... (1)")] == 1


def test_a_worker_leaves_requests_to_its_master(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_prometheus, "WorkerRunner", type(environment.runner))
    samples = read(_prometheus.exposition(environment.runner)[0])
    assert "cload_state" in samples and "cload_requests_total" not in samples


def test_reset_begins_counters_anew(environment: Environment) -> None:
    environment.stats.reset_all()
    samples = read(_prometheus.exposition(environment.runner)[0])
    assert set(samples["cload_requests_total"].values()) == {0}
    assert samples["cload_response_time_seconds_bucket"][("GET", "/b", "+Inf")] == 0


def test_names_are_bounded(environment: Environment) -> None:
    for number in range(1200):
        environment.stats.log_request("GET", f"/{number}", 1, 1)
    for names, rows in ((None, 1001), ("7", 8), ("5000", 1203), ("x", 1001), ("9" * 99, 1001)):
        lines = _prometheus.exposition(environment.runner, names=names)[0].decode().splitlines()
        counts = [int(line.rpartition(" ")[2]) for line in lines if line.startswith("cload_requests_total")]
        assert (len(counts), sum(counts)) == (rows, 1203)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/html", False),
        (OPENMETRICS, True),
        ("application/openmetrics-text; version=1.0.0; q=0.4, text/plain; q=0.5", False),
        ("application/openmetrics-text;q=nonsense", False),
    ],
)
def test_openmetrics_is_asked_for(accept: str, expected: bool) -> None:
    assert _prometheus.wants_openmetrics(accept) is expected


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not there (Debian: apt install prometheus)")
def test_promtool_finds_nothing_wrong(environment: Environment) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=_prometheus.exposition(environment.runner)[0],
        capture_output=True,
        timeout=120,
        check=False,
    )
    # Names of Locust's exporter are what they are.
    told = [line for line in done.stderr.decode().splitlines() if not line.startswith("locust_")]
    assert done.returncode in (0, 3) and told == [], done


def web_client(environment: Environment, **options: Any) -> tuple[Any, Any]:
    web_ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True, **options)
    return web_ui, web_ui.app.test_client()


def test_the_web_application_serves_them(environment: Environment) -> None:
    _, client = web_client(environment, web_base_path="/load")
    assert client.get("/metrics").status_code == 404
    answer = client.get("/load/metrics?names=1", headers={"Accept": OPENMETRICS})
    assert answer.headers["Content-Type"] == _prometheus.OPENMETRICS
    assert len(read(answer.data, parse_openmetrics)["cload_requests_total"]) == 2
    assert client.post("/load/metrics").status_code == 405
    environment.runner, runner = None, environment.runner
    assert client.get("/load/metrics").status_code == 503
    environment.runner = runner


def test_a_route_of_the_script_wins(environment: Environment) -> None:
    web_ui, client = web_client(environment)

    @web_ui.app.route("/metrics")
    def metrics() -> str:
        from flask import request

        return f"their own, {request.endpoint}\n"

    assert client.get("/metrics").data == b"their own, metrics\n"


def test_a_login_is_for_metrics_too(environment: Environment) -> None:
    web_ui, client = web_client(environment, web_login=True)
    web_ui.app.config["SECRET_KEY"] = "for tests"
    web_ui.login_manager.user_loader(lambda _: None)
    answer = client.get("/metrics")
    assert (answer.status_code, b"--prometheus-port" in answer.data) == (401, True)

    # What Prometheus sends with `authorization:` in its configuration.
    @web_ui.login_manager.request_loader
    def load(request: Any) -> UserMixin | None:
        return UserMixin() if request.headers.get("Authorization") == "Bearer right" else None

    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    answer = client.get("/metrics", headers={"Authorization": "Bearer right"})
    assert answer.status_code == 200 and b"cload_requests_total" in answer.data


def test_a_master_tells_of_its_workers() -> None:
    environment = Environment(user_classes=[Buyer], parsed_options=argument_parser.parse_options([]))
    master: Any = environment.create_master_runner("127.0.0.1", free_port())
    try:
        for name, state in (("w1", "running"), ("w2", "missing")):
            node = SimpleNamespace(id=name, state=state, user_count=3, user_classes_count={"Buyer": 3})
            master.clients[name] = node
        samples = read(_prometheus.exposition(master)[0])
    finally:
        master.clients.clear()
        master.quit()
    assert samples["cload_workers"] == {("ready",): 0, ("spawning",): 0, ("running",): 1, ("missing",): 1}
    assert samples["locust_worker_detail"] == {("w1", "running"): 3, ("w2", "missing"): 3}


SCRIPT = """
import urllib.error
import urllib.request
from locust import User, constant, task

class U(User):
    wait_time = constant(0.1)
    @task
    def count(self):
        self.environment.events.request.fire(request_type="T", name="n", response_time=5, response_length=1)
        port = self.environment.parsed_options.prometheus_port
        for path in "/", "/metrics":
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                    print(answer.status, answer.headers["Content-Type"])
                    print(answer.read().decode())
            except urllib.error.HTTPError as error:
                print(error.code, error.read().decode())
        self.environment.runner.quit()
"""


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    (folder / "locustfile.py").write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, "-m", "cload", "--headless", "--only-summary", "--web-host", "127.0.0.1", *args],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_port_of_its_own_without_a_web_ui(tmp_path: Path) -> None:
    port = free_port()
    done = run(tmp_path, "--prometheus-port", str(port))
    assert done.returncode == 0, done
    assert f"http://127.0.0.1:{port}/metrics" in done.stderr
    assert "404 The metrics are at /metrics" in done.stdout
    assert f"200 {_prometheus.TEXT}" in done.stdout
    assert 'cload_requests_total{method="T",name="n"} 1' in done.stdout


@pytest.mark.parametrize("port", ["taken", "99999"])
def test_a_port_that_cannot_be_had(port: str, tmp_path: Path, environment: Environment) -> None:
    logging.disable(logging.INFO)
    server = _prometheus.MetricsServer(environment, "127.0.0.1", 0)
    logging.disable(logging.NOTSET)
    done = run(tmp_path, f"--prometheus-port={server.port if port == 'taken' else port}")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done
    assert "Metrics cannot be served on 127.0.0.1:" in done.stderr and "--prometheus-port" in done.stderr
