"""How a master bears many workers: players.c plays them, each with so many request names in a report every 3 s."""

import json
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from engines import cload_command, oracle_command
from measure import end, rss_mb, table
from servers import BUILD, free_port

WORKERS = 2000
NAMES = 100
LONGEST_WAIT = 60.0
SOURCE = """
from locust import HttpUser, task

class Visitor(HttpUser):
    @task
    def nothing(self):
        pass
"""


class Master:
    """A master with its web application."""

    def __init__(self, command: list[str], folder: Path) -> None:
        (folder / "locustfile.py").write_text(SOURCE)
        self.port, self.web_port = free_port(), free_port()
        self.process = subprocess.Popen(
            [
                *(*command, "-f", str(folder / "locustfile.py"), "--master", "--host", "http://127.0.0.1"),
                *("--master-bind-host", "127.0.0.1", "--master-bind-port", str(self.port)),
                *("--web-host", "127.0.0.1", "--web-port", str(self.web_port), "--loglevel", "ERROR"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, path: str, data: bytes | None = None) -> tuple[float, bytes]:
        """Seconds, and the answer."""
        begin = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}", data, timeout=20) as answer:
            return time.monotonic() - begin, answer.read()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("/stats/requests")[1])
        return found

    def wait_for(self, workers: int) -> int:
        """How many workers are there, at last."""
        deadline = time.monotonic() + LONGEST_WAIT
        count = 0
        while count < workers and time.monotonic() < deadline:
            try:
                count = len(self.state()["workers"])
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                count = 0
            time.sleep(0.3)
        return count

    def settle(self) -> int:
        """All requests, once no more are added."""
        before, now = -1, total_requests(self.state())
        while now != before:
            time.sleep(5)  # answers are kept for a while
            before, now = now, total_requests(self.state())
        return now

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100


def total_requests(state: dict[str, Any]) -> int:
    return next((int(row["num_requests"]) for row in state["stats"] if row["name"] == "Aggregated"), 0)


def run_once(command: list[str], is_plain: bool, seconds: float) -> dict[str, float]:
    """A master with all its workers for so long."""
    with tempfile.TemporaryDirectory() as folder:
        master = Master(command, Path(folder))
        players = None
        try:
            master.wait_for(0)
            time.sleep(2)
            players = subprocess.Popen(
                [str(BUILD / "tests/bench/players"), str(master.port), str(WORKERS), str(NAMES)] + ["plain"] * is_plain,
                stdout=subprocess.PIPE,
                text=True,
            )
            connected = master.wait_for(WORKERS)
            master.ask("/swarm", f"user_count={WORKERS}&spawn_rate={WORKERS}".encode())
            time.sleep(5)
            begin, cpu, counted = time.monotonic(), master.cpu_seconds(), total_requests(master.state())
            answers = []
            while time.monotonic() - begin < seconds:
                answers.append(master.ask("/stats/requests")[0])
                time.sleep(0.2)
            # 30 requests of each name in each report.
            taken = (total_requests(master.state()) - counted) / (30 * NAMES)
            span = time.monotonic() - begin
            cpu = master.cpu_seconds() - cpu
            memory = rss_mb(master.process.pid)
            players.send_signal(signal.SIGTERM)
            assert players.stdout is not None
            sent = int(players.stdout.readline().split()[0])
            return {
                "workers": connected,
                "cpu": cpu / span,
                "cpu_ms": 1000 * cpu / max(taken, 1),
                "answer_ms": 1000 * statistics.median(answers),
                "slowest_ms": 1000 * max(answers),
                "reports_per_s": taken / span,
                "lost": sent - master.settle() / (30 * NAMES),
                "memory_mb": memory,
            }
        finally:
            for process in (players, master.process):
                if process is not None:
                    end(process)


def fleet(bench: Any) -> dict[str, list[dict[str, float]]]:
    """Many workers under one master, ours and Locust's in turns."""
    found: dict[str, list[dict[str, float]]] = {"cload": [], "locust": []}
    oracle = oracle_command()
    for _ in range(min(bench.options.rounds, 2)):
        for name, command in (("cload", cload_command()), ("locust", oracle)):
            if command is not None:
                try:
                    found[name].append(run_once(command, name == "locust", max(bench.options.seconds, 10)))
                except (OSError, TimeoutError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
                    print(f"{name}: its master does not answer any more: {error}")
    rows = [
        [name, *(f"{statistics.median(run[key] for run in runs):.1f}" for key in runs[0])]
        for name, runs in found.items()
        if runs
    ]
    rate = f"reports/s of {WORKERS / 3:.0f}"
    head = ["", "workers", "cores", "CPU ms/report", "answer ms", "slowest ms", rate, "reports lost", "memory MB"]
    table(f"A master of {WORKERS} workers with {NAMES} names each", head, rows)
    return found
