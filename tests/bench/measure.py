"""How one run of a load generator is measured: from outside, for everybody alike."""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from engines import Result, parse_tables  # noqa: E402
from servers import Nginx  # noqa: E402

CLIENT_CORE, SERVER_CORE = 0, 1
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Sample:
    """What one run showed in its measured window."""

    rate: float
    cpu_us: float
    """CPU time of the client per request."""
    client_busy: float
    """Of one core."""
    server_busy: float
    rss_mb: float
    failures: int | None = None


@dataclass
class Contender:
    name: str
    command: Callable[[str, int, float], list[str]]
    """From URL (with the path), users and seconds that it should run at least."""
    env: dict[str, str] = field(default_factory=dict)
    is_locust_like: bool = False


def pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 else []


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mb(pid: int) -> float:
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def end(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_once(contender: Contender, nginx: Nginx, url: str, users: int, seconds: float, limit: float = 60) -> Sample:
    """Starts the contender, waits until all its connections are in use, and measures from outside: requests as nginx
    counts them, CPU time and memory as the kernel does. So all are measured alike, without their start and ramp."""
    command = [*pinned(CLIENT_CORE), *contender.command(url, users, limit + seconds)]
    begin_requests = nginx.status()[1]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **contender.env, "PATH_TO_GET": "/" + url.split("/", 3)[3], "PYTHONWARNINGS": "ignore"},
        )
        try:
            deadline = time.monotonic() + limit
            while True:
                connections, requests = nginx.status()
                if connections > users * 0.95 and requests - begin_requests > 2 * users:
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise RuntimeError(f"{contender.name} did not get under way:\n{output.read()[-2000:]}")
                time.sleep(0.1)
            time.sleep(1)
            assert nginx.process is not None
            before = nginx.status()[1], cpu_seconds(process.pid), cpu_seconds(nginx.process.pid), time.monotonic()
            time.sleep(seconds)
            after = nginx.status()[1], cpu_seconds(process.pid), cpu_seconds(nginx.process.pid), time.monotonic()
            memory = rss_mb(process.pid)
        finally:
            end(process)
        count, client_cpu, server_cpu, elapsed = (late - early for late, early in zip(after, before, strict=True))
        sample = Sample(
            rate=count / elapsed,
            cpu_us=client_cpu / max(count, 1) * 1e6,
            client_busy=client_cpu / elapsed,
            server_busy=server_cpu / elapsed,
            rss_mb=memory,
        )
        if contender.is_locust_like:
            output.seek(0)
            result = Result(0, "", "", 0, Path())
            parse_tables(output.read(), result)
            sample.failures = result.total.failures if result.total else None
        return sample


def median_of(samples: list[Sample], name: str) -> float:
    return float(statistics.median(getattr(sample, name) for sample in samples))


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header, ["-" * width for width in widths], *rows]:
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))
    sys.stdout.flush()
