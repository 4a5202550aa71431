"""Fleets of real processes: our own, and mixed with real Locust in both directions."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from engines import Engine, Result, interrupt_after
from fleets import MARK, SOURCE, Fleet
from servers import Target


def check(result: Result, target: Target, before: int, workers: list[Result], slack: int = 0) -> None:
    """Counts, names and percentiles add up, and nothing that was measured is lost."""
    assert result.code == 0, str(result)
    assert result.names == {("GET", "/hello"), ("GET", "/missing")}, str(result)
    sent = target.counters()["requests"] - before - 1
    total = result.total
    assert total is not None and total.requests == sum(row.requests for row in result.rows.values())
    assert total.requests > 100
    # Requests that a stopping user had under way are seen by the target only.
    assert 0 <= sent - total.requests <= 8 + slack, f"{sent} arrived, {total.requests} reported"
    missing = result.rows["GET", "/missing"]
    assert missing.failures == missing.requests == total.failures
    assert sum(result.errors.values()) == missing.requests
    assert "HTTPError('404 Client Error: Not Found for url: /missing')" in next(iter(result.errors))
    rows = {row["Name"]: row for row in result.csv("stats")}
    for row in rows.values():
        assert float(row["50%"]) <= float(row["95%"]) <= float(row["100%"])
        assert float(row["100%"]) == pytest.approx(float(row["Max Response Time"]), rel=0.1, abs=1)
    assert rows["Aggregated"]["Request Count"] == str(total.requests)
    exceptions = result.csv("exceptions")
    assert [row["Message"] for row in exceptions] == ["by design"]
    assert exceptions[0]["Nodes"]
    for worker in workers:
        assert worker.code in (0, 1), str(worker)


def test_two_workers(fleet: Fleet, engine: Engine, target: Target) -> None:
    """DST-13, DST-14 to DST-29, DST-34 to DST-36, CLI-4, CLI-74; one of them gets the locustfile from the master."""
    before = target.counters()["requests"]
    locustfile = engine.locustfile(SOURCE)
    workers = [fleet.worker(engine, name) for name in (locustfile, "-")]
    until = "getattr(environment, 'pongs', 0) == 2 and runner.exceptions and stats.total.num_requests > 150"
    result = fleet.master(engine, locustfile, "--expect-workers", "2", "--host", target.url, "-u", "8", until=until)
    check(result, target, before, [fleet.end(process) for process in workers])
    assert "(8 total users)" in result.stderr
    pongs = sorted(line for line in result.stdout.splitlines() if line.startswith("pong"))
    assert pongs == [f"pong {{'index': {index}, 'got': {{1: [None, b'x']}}}}" for index in range(2)], result.stdout


def test_processes(fleet: Fleet, engine: Engine, target: Target) -> None:
    """CLI-32, CLI-88: code outside of classes runs once, the workers go with the master."""
    source = SOURCE + "\nprint('loaded', flush=True)\n"
    result = engine.load(
        engine.locustfile(source),
        *("--processes", "2", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(fleet.port)),
        *("--master-port", str(fleet.port), "--exit-code-on-error", "0"),
        host=target.url,
        users=4,
        until="stats.total.num_requests > 60",
    )
    assert result.code == 0, str(result)
    assert result.total is not None and result.total.requests > 50
    assert result.stdout.count("loaded") == 1
    assert "2 workers connected" in result.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--processes", "-2"), 1),
        (("--processes", "2", "--master"), 1),
        (("--master", "--worker"), 255),
        (("--master", "--expect-workers", "5", "--expect-workers-max-wait", "1"), 1),
    ],
)
def test_what_ends_at_once(fleet: Fleet, engine: Engine, args: tuple[str, ...], code: int) -> None:
    """CLI-24, CLI-28, CLI-32, CLI-85."""
    result = engine.run("-f", engine.locustfile(SOURCE), "--headless", "--master-bind-port", str(fleet.port), *args)
    assert result.code == code, str(result)


def test_a_dash_without_worker(engine: Engine) -> None:
    """CLI-74."""
    assert engine.run("-f", "-").code == 1


def test_a_busy_port(fleet: Fleet, engine: Engine, target: Target) -> None:
    """CLI-36."""
    result = engine.run(
        "-f", engine.locustfile(SOURCE), "--headless", "--master", "--master-bind-port", str(target.port)
    )
    assert result.code == 1, str(result)


def test_ctrl_c_on_the_master(fleet: Fleet, engine: Engine, target: Target) -> None:
    """CLI-89, CLI-92."""
    locustfile = engine.locustfile(SOURCE + MARK)
    worker = fleet.worker(engine, locustfile)
    during = interrupt_after(Path(f"{locustfile}.enough"))
    result = fleet.master(engine, locustfile, "--host", target.url, "-u", "2", during=during, run_time="600s")
    assert result.code == 0, str(result)
    assert result.total is not None and result.total.requests > 10
    assert fleet.end(worker).code in (0, 1)


def test_sigterm_on_a_worker(fleet: Fleet, engine: Engine, target: Target) -> None:
    """DST-22, DST-57: it reports, quits, and the other one takes over."""
    before = target.counters()["requests"]
    locustfile = engine.locustfile(SOURCE + MARK)
    workers = [fleet.worker(engine, locustfile) for _ in range(2)]

    def terminate(process: "subprocess.Popen[str]") -> None:
        interrupt_after(Path(f"{locustfile}.enough"), signal.SIGTERM)(workers[0])

    # Over when the other one has all the users, and has had them for a while.
    until = "environment.ramps == 2 and stats.total.num_requests > environment.requests_then + 100"
    result = fleet.master(
        engine, locustfile, "--expect-workers", "2", "--host", target.url, "-u", "8", during=terminate, until=until
    )
    ended = [fleet.end(process) for process in workers]
    check(result, target, before, ended, slack=8)
    assert result.stderr.count("(8 total users)") == 2, str(result)


def test_boomer_under_our_master(fleet: Fleet, engine: Engine) -> None:
    """DST-4 to DST-7, DST-14, DST-18: what boomer, the worker in Go, says and how."""
    program = Path(__file__).parents[1] / "support" / "boomer.py"
    boomers: list[subprocess.Popen[str]] = []

    def join(process: "subprocess.Popen[str]") -> None:
        fleet.wait_for_master()
        for _ in range(2):
            boomers.append(
                subprocess.Popen([sys.executable, program, str(fleet.port), "20"], stdout=subprocess.PIPE, text=True)
            )
            fleet.processes.append(boomers[-1])

    # It connects once only, so the master has to be there.
    result = fleet.master(
        engine,
        engine.locustfile(SOURCE),
        "--expect-workers",
        "2",
        "--host",
        "http://x",
        "-u",
        "6",
        during=join,
        until="stats.total.num_requests > 100",
    )
    assert result.code == 0, str(result)
    assert "(6 total users)" in result.stderr and result.stderr.count("quit. 0 workers ready") == 2, str(result)
    heard = "".join(boomer.communicate(timeout=120)[0] for boomer in boomers)
    assert heard.count("heard ping {1: [None, b'x']}") == 2, heard
    reported = sum(int(line.split()[1]) for line in heard.splitlines() if line.startswith("reported"))
    assert result.total is not None and result.total.requests == reported > 100, str(result)
    assert (result.total.min, result.total.max, result.total.median) == (7, 7, 7)
    assert result.errors == {"GET /missing: 404 from boomer": reported // 4}
