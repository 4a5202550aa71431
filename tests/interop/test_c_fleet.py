"""Workers and masters written in C (examples/c), with each other, with ours and with real Locust."""

import contextlib
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from engines import Engine, Result, interrupt_after, parse_tables
from fleets import HOOKS, MARK, USERS, Fleet, wait_for_words
from servers import BUILD, Target, free_port

# Classes without tasks: the workers have them.
SOURCE = (
    """
from locust import HttpUser, constant, events

class Visitor(HttpUser):
    wait_time = constant(0.05)

class Guest(Visitor):
    pass
"""
    + HOOKS
)


def c_program(fleet: Fleet, *args: str, secret: str | None = None) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [BUILD / "examples" / "c" / args[0], *args[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin"} | ({"LOCUST_MASTER_SECRET": secret} if secret else {}),
    )
    fleet.processes.append(process)
    return process


def c_worker(fleet: Fleet, secret: str | None = None) -> "subprocess.Popen[str]":
    return c_program(fleet, "worker", "--master-port", str(fleet.port), secret=secret)


def check_counts(result: Result, target: Target, before: int) -> None:
    assert result.total is not None, str(result)
    assert result.names == {("GET", "/hello"), ("GET", "/missing")}, str(result)
    sent = target.counters()["requests"] - before - 1
    assert result.total.requests == sum(row.requests for row in result.rows.values())
    assert result.total.requests > 50 and 0 <= sent - result.total.requests <= 9, f"{sent} arrived, {result}"
    missing = result.rows["GET", "/missing"]
    assert missing.failures == missing.requests == result.total.failures > 0
    assert sum(count for text, count in result.errors.items() if text.startswith("GET ")) == missing.requests


@pytest.mark.parametrize("kind", ["cload", "locust"])
def test_c_workers_under_a_master(
    fleet: Fleet,
    engine: Engine,
    locust: Engine,
    target: Target,
    kind: str,
) -> None:
    """DST-1 to DST-38: users, statistics, exceptions, messages of any data, a quit and its exit status."""
    before = target.counters()["requests"]
    master = engine if kind == "cload" else locust
    locustfile = master.locustfile(SOURCE)
    workers = [c_worker(fleet) for _ in range(2)]
    until = "getattr(environment, 'pongs', 0) == 2 and stats.total.num_requests > 100 and stats.total.num_failures and "
    until += "sum(row['count'] for row in runner.exceptions.values()) > 10"
    result = fleet.master(master, locustfile, "--expect-workers", "2", "--host", target.url, "-u", "8", until=until)
    assert result.code == 0, str(result)
    check_counts(result, target, before)
    assert "(8 total users)" in result.stderr
    exceptions = result.csv("exceptions")
    assert [row["Message"] for row in exceptions] == ["invalid URL"]
    assert int(exceptions[0]["Count"]) > 10
    assert result.stdout.count("pong {1: [None, b'x']}") == 2, result.stdout
    for worker in workers:
        ended = fleet.end(worker)
        assert ended.code == 1, f"requests failed: {ended}"
        assert "message ping" in ended.stdout


def metrics(port: int, *wanted: str) -> str:
    """What /metrics tells, once each of these expressions is found in it."""
    text = ""
    deadline = time.monotonic() + 90
    while not all(re.search(one, text, re.MULTILINE) for one in wanted):
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
        with contextlib.suppress(OSError):
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
    return text


def test_a_c_master(fleet: Fleet, engine: Engine, locust: Engine, target: Target) -> None:
    """One worker of each kind under it; what Prometheus reads of a master and a worker."""
    before = target.counters()["requests"]
    locustfile = engine.locustfile(USERS)
    ports = [free_port(), free_port()]
    workers = [
        c_program(fleet, "worker", "--master-port", str(fleet.port), "--metrics-port", str(ports[0])),
        fleet.worker(engine, locustfile),
        fleet.worker(locust, locustfile),
    ]
    master = c_program(fleet, *f"master -p {fleet.port} -w 3 -u 9 -r 100 -m {ports[1]} {target.url}".split())
    metrics(
        ports[1],
        r'^cload_users\{user_class="Guest"\} 5$',
        r'^cload_users\{user_class="Visitor"\} 4$',
        r'^cload_workers\{state="running"\} 3$',
        r'^locust_requests_num_requests\{method="",name="Aggregated"\} [2-9]\d\d$',
    )
    metrics(ports[0], r'^cload_state\{state="running"\} 1$', r"^cload_generator_cpu_cores \S")
    master.terminate()
    stdout, stderr = master.communicate(timeout=120)
    result = Result(master.returncode, stdout, stderr, 0, Path("none"))
    parse_tables(stdout, result)
    assert result.code == 1, str(result)
    check_counts(result, target, before)
    assert "all users spawned: 9" in stderr and "by design" in stdout, str(result)
    for worker in workers:
        assert fleet.end(worker).code in (0, 1)


def test_a_c_worker_stops_and_starts_again(fleet: Fleet, engine: Engine, target: Target) -> None:
    """DST-28, DST-31: stop, another test, and a master that tells it to connect anew."""
    source = (
        SOURCE
        + """
import gevent

@events.test_start.add_listener
def on_start(environment, **_):
    gevent.spawn(again, environment)

rounds = []
def again(environment):
    runner, stats = environment.runner, environment.stats
    rounds.append(1)
    while stats.total.num_requests < 30 or runner.user_count < 5 - len(rounds):
        gevent.sleep(0.05)
    if len(rounds) == 2:
        runner.quit()
    else:
        runner.send_message("reconnect")
        gevent.sleep(0.5)
        runner.stop()
        while runner.worker_count < 1:
            gevent.sleep(0.05)
        print("rows", stats.total.num_requests > 0, flush=True)
        runner.start(3, 100)
"""
    )
    worker = c_worker(fleet)
    result = fleet.master(
        engine, engine.locustfile(source), "--expect-workers", "1", "--host", target.url, "-u", "4", run_time="600s"
    )
    assert result.code == 0 and "rows True" in result.stdout, str(result)
    assert "(4 total users)" in result.stderr and "(3 total users)" in result.stderr, str(result)
    ended = fleet.end(worker)
    assert ended.code == 1 and "connect anew" in ended.stderr, str(ended)


def test_a_c_worker_and_sigterm(fleet: Fleet, engine: Engine, target: Target) -> None:
    """DST-22: it reports once more and takes leave."""
    before = target.counters()["requests"]
    worker = c_worker(fleet)
    locustfile = engine.locustfile(SOURCE + MARK)

    def terminate(process: "subprocess.Popen[str]") -> None:
        interrupt_after(Path(f"{locustfile}.enough"), signal.SIGTERM)(worker)

    args = ("--expect-workers", "1", "--host", target.url, "-u", "4")
    result = fleet.master(engine, locustfile, *args, during=terminate, run_time="600s")
    check_counts(result, target, before)
    assert "The last worker quit" in result.stderr, str(result)
    assert fleet.end(worker).code == 1


def test_secrets_of_c_programs(fleet: Fleet, target: Target) -> None:
    """Who does not know the secret is refused, and both ends say so."""
    master = c_program(
        fleet, *f"master -p {fleet.port} -w 1 -u 2 -r 100 -t 1 {target.url}".split(), secret="open sesame"
    )
    wrong = c_worker(fleet, secret="open barley")
    none = c_worker(fleet)
    wait_for_words(wrong, "its secret is another one")
    wait_for_words(none, "secret")
    right = c_worker(fleet, secret="open sesame")
    stderr = master.communicate(timeout=120)[1]
    assert "(index 0) reported as ready. 1 workers connected" in stderr and "encrypted and with a secret" in stderr
    assert "refused" in stderr, stderr
    assert fleet.end(right).code == 1
