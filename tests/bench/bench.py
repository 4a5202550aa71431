"""Compares load generators on one machine: see README.md beside this file."""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from certs import make_certs  # noqa: E402
from engines import Result, cload_command, oracle_command, parse_tables  # noqa: E402
from servers import BUILD, ROOT, Nginx, Target  # noqa: E402

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


def locust_like(command: Sequence[str], locustfile: str) -> Callable[[str, int, float], list[str]]:
    def build(url: str, users: int, seconds: float) -> list[str]:
        host = re.sub(r"(://[^/]+)/.*", r"\1", url)
        path = HERE / "locustfiles" / locustfile
        arguments = ["-f", str(path), "--headless", "--only-summary", "-u", str(users), "-r", str(max(users, 100))]
        return [*command, *arguments, "-t", f"{int(seconds)}s", "--host", host]

    return build


def c_program(path: Path, authority: Path) -> Callable[[str, int, float], list[str]]:
    return lambda url, users, seconds: [str(path), url, str(users), str(int(seconds)), str(authority)]


def contenders(authority: Path) -> list[Contender]:
    """Everything that is installed here."""
    found = []
    if shutil.which("wrk"):
        found.append(
            Contender("wrk", lambda url, users, seconds: ["wrk", "-t1", f"-c{users}", f"-d{int(seconds)}s", url])
        )
    if "LOCUST_ORACLE" in os.environ:
        found.append(Contender("locust HttpUser", locust_like(oracle_command(), "get.py"), is_locust_like=True))
        found.append(
            Contender("locust FastHttpUser", locust_like(oracle_command(), "get_fast.py"), is_locust_like=True)
        )
    if shutil.which("k6"):
        found.append(
            Contender(
                "k6",
                lambda url, users, seconds: [
                    *(
                        "k6",
                        "run",
                        "--quiet",
                        "-e",
                        f"URL={url}",
                        "-e",
                        f"USERS={users}",
                        "-e",
                        f"SECONDS={int(seconds)}",
                    ),
                    str(HERE / "k6.js"),
                ],
            )
        )
    if goose := os.environ.get("GOOSE_BIN"):
        found.append(
            Contender(
                "goose",
                lambda url, users, seconds: [
                    *(goose, "--host", url.rpartition("/")[0], "-u", str(users), "-r", str(users)),
                    *("-t", f"{int(seconds)}s"),
                ],
            )
        )
    if Path(cload_command()[0]).exists():
        found.append(Contender("cload HttpUser", locust_like(cload_command(), "get.py"), is_locust_like=True))
        found.append(Contender("cload FastHttpUser", locust_like(cload_command(), "get_fast.py"), is_locust_like=True))
    for name, program in (("cload C task", "bench_task"), ("cload C sessions", "bench_session")):
        path = BUILD / "tests/bench" / program
        if path.exists():
            found.append(Contender(name, c_program(path, authority)))
    return found


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
            env={**os.environ, **contender.env, "PATH_TO_GET": "/hello", "PYTHONWARNINGS": "ignore"},
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


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.certs = make_certs(folder / "certs")
        self.contenders = [c for c in contenders(self.certs.ca) if not options.contender or c.name in options.contender]
        self.results: dict[str, Any] = {}

    def contender(self, name: str) -> Contender | None:
        return next((contender for contender in self.contenders if contender.name == name), None)

    def nginx(self) -> Nginx:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        return Nginx(folder, self.certs, tuple(pinned(SERVER_CORE)))

    def rates(self, title: str, url: Callable[[Nginx], str], users: int = 100) -> dict[str, list[Sample]]:
        samples: dict[str, list[Sample]] = {contender.name: [] for contender in self.contenders}
        with self.nginx() as nginx:
            for _ in range(self.options.rounds):
                for contender in self.contenders:
                    try:
                        samples[contender.name].append(
                            run_once(contender, nginx, url(nginx), users, self.options.seconds)
                        )
                    except RuntimeError as error:
                        print(error, file=sys.stderr)
        samples = {name: runs for name, runs in samples.items() if runs}
        peers = [name for name in ("wrk", "locust HttpUser", "locust FastHttpUser", "k6", "goose") if name in samples]
        rows = []
        for name, runs in samples.items():
            rate = median_of(runs, "rate")
            failures = sum(run.failures or 0 for run in runs)
            rows.append(
                [
                    name + (f" ({failures} failures)" if failures else ""),
                    f"{rate:,.0f}",
                    f"{min(run.rate for run in runs):,.0f}-{max(run.rate for run in runs):,.0f}",
                    f"{median_of(runs, 'cpu_us'):.1f}",
                    f"{median_of(runs, 'client_busy'):.0%}",
                    f"{median_of(runs, 'server_busy'):.0%}",
                    f"{median_of(runs, 'rss_mb'):.0f}",
                    *(f"{rate / median_of(samples[peer], 'rate'):.2f}" for peer in peers),
                    *(f"{median_of(samples[peer], 'cpu_us') / median_of(runs, 'cpu_us'):.2f}" for peer in peers[:1]),
                ]
            )
        header = ["", "req/s", "range", "CPU us/req", "client", "nginx", "RSS MB", *(f"x {peer}" for peer in peers)]
        header += [f"x {peer} per CPU s" for peer in peers[:1]]
        table(f"{title}, {users} users, keep-alive GET of 600 bytes, one core each", header, rows)
        return samples

    def http(self) -> Any:
        return self.rates("HTTP", lambda nginx: nginx.url + "/hello")

    def https(self) -> Any:
        return self.rates("HTTPS", lambda nginx: nginx.tls_url + "/hello")

    def users(self) -> Any:
        """CPU per request while the number of users grows."""
        names = [
            c for c in ("locust HttpUser", "cload HttpUser", "cload C task", "cload C sessions") if self.contender(c)
        ]
        counts = [10, 100, 1000, 5000]
        samples: dict[str, dict[int, list[Sample]]] = {name: {} for name in names}
        for _ in range(self.options.rounds):
            for count in counts:
                for name in names:
                    if name == "locust HttpUser" and count > 1000:
                        continue
                    contender = self.contender(name)
                    assert contender is not None
                    # A server of its own, for connections of the run before may still be counted.
                    with self.nginx() as nginx:
                        try:
                            sample = run_once(contender, nginx, nginx.url + "/hello", count, self.options.seconds)
                        except RuntimeError as error:
                            print(error, file=sys.stderr)
                            continue
                    samples[name].setdefault(count, []).append(sample)
        rows = []
        for name, by_count in samples.items():
            for count, runs in by_count.items():
                first = median_of(by_count[min(by_count)], "cpu_us")
                cpu = median_of(runs, "cpu_us")
                rows.append(
                    [
                        f"{name}, {count:,} users",
                        f"{median_of(runs, 'rate'):,.0f}",
                        f"{cpu:.1f}",
                        f"{cpu / first:.2f}",
                        f"{median_of(runs, 'rss_mb'):.0f}",
                    ]
                )
        table("CPU per request by number of users", ["", "req/s", "CPU us/req", "x fewest users", "RSS MB"], rows)
        return samples

    def memory(self) -> Any:
        """Resident memory of a user that waits with an open connection."""
        found: dict[str, list[float]] = {}
        engines = [("cload HttpUser", cload_command()), ("locust HttpUser", None)]
        few, many = 100, 5100
        for name, command in engines:
            if self.contender(name) is None:
                continue
            waiting = Contender(name, locust_like(command or oracle_command(), "wait.py"))
            for _ in range(self.options.rounds):
                sizes = []
                for users in (few, many):
                    with self.nginx() as nginx:
                        sizes.append(self.waiting_rss(waiting, nginx, users))
                found.setdefault(name, []).append((sizes[1] - sizes[0]) * 1024 / (many - few))
        rows = [[name, f"{statistics.median(sizes):.1f}"] for name, sizes in found.items()]
        table(f"Memory of a waiting user with an open connection ({many - few:,} users)", ["", "KB"], rows)
        return found

    def waiting_rss(self, contender: Contender, nginx: Nginx, users: int) -> float:
        command = [*pinned(CLIENT_CORE), *contender.command(nginx.url + "/hello", users, 90)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while nginx.status()[1] < users and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.2)
            time.sleep(1)
            return rss_mb(process.pid)
        finally:
            end(process)

    def truth(self) -> Any:
        """What is reported where the server answers after exactly 20 ms."""
        found: dict[str, list[tuple[float, float]]] = {}
        with self.delayed_target() as target:
            for _ in range(self.options.rounds):
                for contender in self.contenders:
                    reported = self.reported_times(contender, target.url + "/hello", 400)
                    if reported is not None:
                        found.setdefault(contender.name, []).append(reported)
        rows = [
            [name, f"{statistics.median(r[0] for r in runs):.1f}", f"{statistics.median(r[1] for r in runs):.1f}"]
            for name, runs in found.items()
        ]
        table("Reported response times, 400 users, server answers after 20 ms", ["", "median ms", "99% ms"], rows)
        return found

    def delayed_target(self) -> Target:
        return Target(delay_ms=20, command_prefix=tuple(pinned(SERVER_CORE)))

    def reported_times(self, contender: Contender, url: str, users: int) -> tuple[float, float] | None:
        seconds = self.options.seconds + 2
        if contender.name == "wrk":
            command = ["wrk", "-t1", f"-c{users}", f"-d{int(seconds)}s", "--latency", url]
        elif contender.is_locust_like:
            command = contender.command(url, users, seconds)
        else:
            return None
        done = subprocess.run([*pinned(CLIENT_CORE), *command], capture_output=True, text=True, timeout=seconds + 60)
        if contender.name == "wrk":
            times = dict(re.findall(r"^ +(50|99)%\s+([\d.]+)ms", done.stdout, re.MULTILINE))
            return (float(times["50"]), float(times["99"])) if len(times) == 2 else None
        match = re.search(r"^ +Aggregated +(\d+) +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +(\d+)", done.stderr, re.MULTILINE)
        return (float(match[1]), float(match[2])) if match else None

    def loop(self) -> Any:
        """Iterations of a task that does nothing."""
        found: dict[str, list[float]] = {}
        for _ in range(self.options.rounds):
            for name, command in (("locust", oracle_command), ("cload", cload_command)):
                if self.contender(f"{name} HttpUser") is None:
                    continue
                path = HERE / "locustfiles/empty.py"
                arguments = ["-f", str(path), "--headless", "--only-summary", "-u", "10", "-r", "10"]
                done = subprocess.run(
                    [*pinned(CLIENT_CORE), *command(), *arguments, "-t", f"{int(self.options.seconds)}s"],
                    capture_output=True,
                    text=True,
                    timeout=self.options.seconds + 60,
                )
                if match := re.search(r"iterations per second: (\d+)", done.stdout):
                    found.setdefault(name, []).append(float(match[1]))
        rows = [[name, f"{statistics.median(rates):,.0f}"] for name, rates in found.items()]
        table("Empty task loop, 10 users", ["", "iterations/s"], rows)
        return found

    def start(self) -> Any:
        """Seconds to print the version, and to the first request."""
        found: dict[str, dict[str, list[float]]] = {}
        for _ in range(max(self.options.rounds, 3)):
            for name, command in (("locust", oracle_command), ("cload", cload_command)):
                if self.contender(f"{name} HttpUser") is None:
                    continue
                times = found.setdefault(name, {"version": [], "first request": []})
                begin = time.monotonic()
                subprocess.run([*command(), "--version"], capture_output=True, timeout=60, check=True)
                times["version"].append(time.monotonic() - begin)
                with self.nginx() as nginx:
                    already = nginx.status()[1]
                    run = locust_like(command(), "get.py")(nginx.url + "/hello", 1, 20)
                    begin = time.monotonic()
                    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    polls = 1
                    while nginx.status()[1] - already <= polls and time.monotonic() - begin < 20:
                        polls += 1
                        time.sleep(0.005)
                    times["first request"].append(time.monotonic() - begin)
                    end(process)
        rows = [
            [name, *(f"{statistics.median(times[what]):.2f}" for what in ("version", "first request"))]
            for name, times in found.items()
        ]
        table("Seconds to start", ["", "--version", "first request"], rows)
        return found


PARTS = ["http", "https", "users", "memory", "truth", "loop", "start"]


def machine() -> dict[str, Any]:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 2 s: to see that it works")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="these parts only")
    parser.add_argument("--contender", action="append", help="this one only, e.g. 'cload HttpUser'; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; medians are shown (3)")
    parser.add_argument("--seconds", type=float, default=5, help="measured per run (5)")
    parser.add_argument("--json", type=Path, help="file for the raw numbers (tests/bench/results/TIME.json)")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 2
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}; {options.rounds} x {options.seconds:g} s")
    if (os.cpu_count() or 1) < 2:
        print("one core only: client and server share it, the figures say little", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        missing = {"wrk", "k6", "cload HttpUser"} - {contender.name for contender in bench.contenders}
        if missing and not options.contender:
            print(f"not here: {', '.join(sorted(missing))}")
        results = {part: getattr(bench, part)() for part in options.only}
    path = options.json or HERE / "results" / f"{about['time'].replace(':', '').removesuffix('+0000')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": about, "results": results}, indent=2, default=asdict) + "\n")
    print(f"\nraw numbers: {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
