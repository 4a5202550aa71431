"""All cores: one process beside --processes 2, with the same number of users in each that runs any, and wrk with one
and two threads beside both."""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contenders import peer
from engines import cload_command
from measure import CLIENT_CORE, SERVER_CORE, cpu_seconds, end, table
from servers import Target, free_port

LONGEST_WAIT = 60.0
SOURCE = """
import os

from locust import HttpUser, task

TARGETS = os.environ["TARGETS"].split()


class Visitor(HttpUser):
    host = TARGETS[0]

    def on_start(self):
        self.client.base_url = TARGETS[getattr(self.environment.runner, "worker_index", 0) % len(TARGETS)]

    @task
    def hello(self):
        self.client.get("/hello")
"""
# Each thread of wrk has a target of its own.
SPREAD = """
local count = 0
function setup(thread)
    local port = ports[count % #ports + 1]
    count = count + 1
    thread.addr = wrk.lookup("127.0.0.1", port)[1]
end
"""


@dataclass
class Setting:
    title: str
    users: int
    """In each process."""
    delay_ms: int = 0
    is_shared: bool = True
    """As many targets as processes, and as many cores as targets. Otherwise one target, and both cores for both."""


SETTINGS = {
    "shared": Setting("As many cores as processes, each of which shares one with a target of its own", 50),
    "delayed": Setting("The same, with targets that answer after 20 ms", 500, delay_ms=20),
    "both": Setting("One target, two cores: with one process nobody shares a core", 50, is_shared=False),
}


def cores(count: int) -> tuple[str, ...]:
    return ("taskset", "-c", ",".join(str(core) for core in (CLIENT_CORE, SERVER_CORE)[:count]))


def family(pid: int) -> list[int]:
    return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def cload(folder: Path, setting: Setting, count: int) -> list[str]:
    locustfile = folder / "locustfile.py"
    locustfile.write_text(SOURCE)
    fleet = ["--processes", str(count), "--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port())]
    return [
        *(*cload_command(), "-f", str(locustfile), "--headless", "-u", str(setting.users * count), "-r", "2000"),
        *("--only-summary", "--loglevel", "ERROR", *(fleet if count > 1 else [])),
    ]


def wrk(folder: Path, setting: Setting, count: int, targets: list[Target]) -> list[str]:
    script = folder / "spread.lua"
    script.write_text(f"local ports = {{{', '.join(str(target.port) for target in targets)}}}\n{SPREAD}")
    return [
        *(str(peer("wrk")), f"-t{count}", f"-c{setting.users * count}", "-d300s"),
        *("-s", str(script), targets[0].url + "/hello"),
    ]


def run_once(name: str, setting: Setting, count: int, seconds: float) -> dict[str, float]:
    """Requests are those that the targets counted, CPU time is that of all processes."""
    pinned = cores(count if setting.is_shared else 2)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets = [
            stack.enter_context(Target(delay_ms=setting.delay_ms, command_prefix=pinned))
            for _ in range(count if setting.is_shared else 1)
        ]
        command = cload(folder, setting, count) if name == "cload" else wrk(folder, setting, count, targets)
        process = subprocess.Popen(
            [*pinned, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TARGETS": " ".join(target.url for target in targets)},
        )
        try:
            deadline = time.monotonic() + LONGEST_WAIT
            while sum(target.counters()["open"] for target in targets) < setting.users * count + len(targets):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"{name} with {count} did not get under way")
                time.sleep(0.1)
            time.sleep(0.5)
            workers = family(process.pid)[1:]

            def look() -> tuple[float, ...]:
                requests = sum(target.counters()["requests"] for target in targets)
                servers = sum(cpu_seconds(target.process.pid) for target in targets if target.process)
                return requests, cpu_seconds(process.pid), sum(map(cpu_seconds, workers)), servers, time.monotonic()

            before = look()
            time.sleep(seconds)
            requests, own, others, servers, elapsed = (late - early for late, early in zip(look(), before, strict=True))
            return {
                "rate": requests / elapsed,
                "cpu_us": 1e6 * (own + others) / requests,
                "all_us": 1e6 * (own + others + servers) / requests,
                "master": own / elapsed if workers else 0.0,
            }
        finally:
            end(process)


def show(setting: Setting, found: dict[str, list[dict[str, float]]]) -> None:
    middle = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()
    }
    rows = []
    for name, one in middle.items():
        first = middle.get("wrk -t1" if name.startswith("wrk") else "one process")
        if first is None:
            continue
        rows.append(
            [
                name,
                f"{one['rate']:,.0f}",
                f"x {one['rate'] / first['rate']:.2f}",
                f"{one['cpu_us']:.2f}",
                f"x {first['cpu_us'] / one['cpu_us']:.2f}",
                f"{one['all_us']:.2f}",
                f"x {first['all_us'] / one['all_us']:.2f}",
                f"{100 * one['master']:.1f} %",
            ]
        )
    head = ["", "requests/s", "", "CPU us/request", "per CPU second", "with targets", "per CPU second", "master's CPU"]
    table(f"{setting.title} ({setting.users} users in each)", head, rows)


def processes(bench: Any) -> dict[str, dict[str, list[dict[str, float]]]]:
    """All in turns."""
    programs = [("one process", "cload", 1), ("--processes 2", "cload", 2)]
    if peer("wrk"):
        programs += [("wrk -t1", "wrk", 1), ("wrk -t2", "wrk", 2)]
    found: dict[str, dict[str, list[dict[str, float]]]] = {kind: {} for kind in SETTINGS}
    for _ in range(bench.options.rounds):
        for kind, setting in SETTINGS.items():
            for title, name, count in programs:
                try:
                    run = run_once(name, setting, count, bench.options.seconds)
                except RuntimeError as error:
                    print(error, file=sys.stderr)
                else:
                    found[kind].setdefault(title, []).append(run)
    for kind, setting in SETTINGS.items():
        show(setting, found[kind])
    return found
