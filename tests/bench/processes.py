"""All cores: one process beside --processes 2, with the same number of users in each that runs any."""

import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from engines import cload_command
from measure import cpu_seconds, end, table
from servers import Target, free_port

USERS_EACH = 50
LONGEST_WAIT = 60.0
SOURCE = """
from locust import HttpUser, task

class Visitor(HttpUser):
    @task
    def hello(self):
        self.client.get("/hello")
"""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def run_once(processes: int, seconds: float) -> dict[str, float]:
    """Requests are those that the server counted, CPU time is that of all processes."""
    with tempfile.TemporaryDirectory() as folder, Target() as target:
        locustfile = Path(folder) / "locustfile.py"
        locustfile.write_text(SOURCE)
        users = USERS_EACH * processes
        port = str(free_port())
        fleet = ["--processes", str(processes), "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
        master = subprocess.Popen(
            [
                *(*cload_command(), "-f", str(locustfile), "--headless", "-u", str(users), "-r", "1000"),
                *("--host", target.url, "--only-summary", "--loglevel", "ERROR"),
                *(fleet if processes > 1 else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + LONGEST_WAIT
            while target.counters()["open"] < users and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(1)
            workers = children(master.pid) if processes > 1 else []

            def look() -> tuple[float, ...]:
                own, others = cpu_seconds(master.pid), sum(map(cpu_seconds, workers))
                return target.counters()["requests"], own, others, time.monotonic()

            before = look()
            time.sleep(seconds)
            requests, own, others, elapsed = (late - early for late, early in zip(look(), before, strict=True))
            return {
                "rate": requests / elapsed,
                "cpu_us": 1e6 * (own + others) / requests,
                "master": own / elapsed if workers else 0.0,
            }
        finally:
            end(master)


def processes(bench: Any) -> dict[str, list[dict[str, float]]]:
    """One process and two in turns."""
    found: dict[str, list[dict[str, float]]] = {"one process": [], "--processes 2": []}
    for _ in range(bench.options.rounds):
        for count, runs in zip((1, 2), found.values(), strict=True):
            runs.append(run_once(count, bench.options.seconds))
    middle = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()
    }
    first = middle["one process"]
    rows = [
        [
            name,
            f"{one['rate']:,.0f}",
            f"x {one['rate'] / first['rate']:.2f}",
            f"{one['cpu_us']:.2f}",
            f"x {first['cpu_us'] / one['cpu_us']:.2f}",
            f"{100 * one['master']:.1f} %",
        ]
        for name, one in middle.items()
    ]
    head = ["", "requests/s", "", "CPU us/request", "requests per CPU second", "master's CPU"]
    table(f"All cores, {USERS_EACH} users in each process that runs users", head, rows)
    return found
