"""Compares load generators on one machine: see README.md beside this file."""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import calls
import fleet
import growth
import half
import http2
import instructions
import processes
import soak
import spawn
import targets
import tasks
import waiting
from certs import make_certs
from contenders import PEERS, contenders, locust_like
from engines import cload_command, oracle_command
from measure import CLIENT_CORE, HERE, SERVER_CORE, Contender, Sample, end, median_of, pinned, rss_mb, run_once, table
from servers import ROOT, Nginx, Target


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.certs = make_certs(folder / "certs")
        self.contenders = [c for c in contenders(self.certs.ca) if not options.contender or c.name in options.contender]
        self.bodies = []
        for power in range(5):
            body = folder / f"body-{1000 * 10**power}"
            body.write_bytes(bytes(range(32, 127)) * (1000 * 10**power // 95) + b"." * (1000 * 10**power % 95))
            self.bodies.append(body)

    def contender(self, name: str) -> Contender | None:
        return next((contender for contender in self.contenders if contender.name == name), None)

    def nginx(self) -> Nginx:
        """A server of its own, with files of 1 KB to 10 MB besides the usual pages."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "www").mkdir()
        for body in self.bodies:
            (folder / "www" / body.name).hardlink_to(body)
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
        peers = [name for name in PEERS if name in samples]
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

    def memory(self) -> Any:
        """Resident memory of a user that waits with an open connection."""
        found: dict[str, list[float]] = {}
        few, many = 100, 5100
        for name, option, url in (
            ("cload HttpUser", "", "url"),
            ("cload HttpUser", "", "tls_url"),
            ("cload HttpUser", "--http2", "h2c_url"),
            ("cload HttpUser", "--http2", "tls_url"),
            ("locust HttpUser", "", "url"),
            ("locust HttpUser", "", "tls_url"),
        ):
            if self.contender(name) is None:
                continue
            command = cload_command() if name.startswith("cload") else oracle_command()
            waiting = Contender(name, locust_like([*command, *option.split()], "wait.py"))
            title = f"{name} {option} {'HTTPS' if url == 'tls_url' else 'HTTP'}".replace("  ", " ")
            for _ in range(self.options.rounds):
                sizes = []
                for users in (few, many):
                    with self.nginx() as nginx:
                        sizes.append(self.waiting_rss(waiting, nginx, getattr(nginx, url), users))
                found.setdefault(title, []).append((sizes[1] - sizes[0]) * 1024 / (many - few))
        rows = [[name, f"{statistics.median(sizes):.1f}"] for name, sizes in found.items()]
        table(f"Memory of a waiting user with an open connection ({many - few:,} users)", ["", "KB"], rows)
        return found

    def waiting_rss(self, contender: Contender, nginx: Nginx, url: str, users: int) -> float:
        command = [*pinned(CLIENT_CORE), *contender.command(url + "/hello", users, 90)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while nginx.status()[1] < users and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.2)
            # What connecting needed is given back when no connection was made for a second.
            time.sleep(3)
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


@dataclass(frozen=True)
class Part:
    run: Callable[[Bench], Any]
    peers: tuple[str, ...] = ()
    """Names of contenders that are not ours."""


TOOLS = {"h2load", "valgrind"}
"""Programs that parts need besides contenders."""
BOTH_LOCUSTS = ("locust HttpUser", "locust FastHttpUser")
PARTS = {
    "http": Part(Bench.http, PEERS),
    "https": Part(Bench.https, PEERS),
    "http2": Part(http2.http2, ("h2load",)),
    "users": Part(growth.users, ("wrk", "locust HttpUser")),
    "names": Part(growth.names, ("locust HttpUser",)),
    "bodies": Part(growth.bodies, ("wrk", *BOTH_LOCUSTS)),
    "calls": Part(calls.calls, BOTH_LOCUSTS),
    "instructions": Part(instructions.instructions, ("valgrind",)),
    "headers": Part(growth.headers, ("wrk", "locust HttpUser")),
    "cookies": Part(growth.cookies, ("wrk", "locust HttpUser")),
    "memory": Part(Bench.memory, ("locust HttpUser",)),
    "spawn": Part(spawn.spawn, ("locust HttpUser",)),
    "waiting": Part(waiting.waiting),
    "tasks": Part(tasks.tasks, ("locust HttpUser",)),
    "truth": Part(Bench.truth, ("wrk", *BOTH_LOCUSTS)),
    "half": Part(half.half),
    "ways": Part(half.ways),
    "loop": Part(Bench.loop, ("locust HttpUser",)),
    "start": Part(Bench.start, ("locust HttpUser",)),
    "fleet": Part(fleet.fleet, ("locust HttpUser",)),
    "processes": Part(processes.processes),
    "soak": Part(soak.soak),
}


def programs(options: argparse.Namespace) -> list[str]:
    """Other projects' load generators that this run needs."""
    names = {name for part in options.only for name in PARTS[part].peers}
    if options.contender:
        names &= {*options.contender, *TOOLS}
    return sorted({name.partition(" ")[0] for name in names})


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
    usual = [part for part in PARTS if part not in ("instructions", "soak")]
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=usual, help="these parts only")
    parser.add_argument("--soak-minutes", type=int, default=60, help="of the part soak, which runs only if named (60)")
    parser.add_argument("--contender", action="append", help="this one only, e.g. 'cload HttpUser'; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; medians are shown (3)")
    parser.add_argument("--seconds", type=float, default=5, help="measured per run (5)")
    parser.add_argument("--json", type=Path, help="file for the raw numbers (tests/bench/results/TIME.json)")
    parser.add_argument("--list-peers", action="store_true", help="print which others this needs, and leave")
    options = parser.parse_args()
    if options.list_peers:
        print(*programs(options), sep="\n")
        return 0
    if options.quick:
        options.rounds, options.seconds = 1, 2
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}; {options.rounds} x {options.seconds:g} s")
    if (os.cpu_count() or 1) < 2:
        print("one core only: client and server share it, the figures say little", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        wanted = {"cload HttpUser", *(name for part in options.only for name in PARTS[part].peers)} - TOOLS
        missing = wanted - {contender.name for contender in bench.contenders}
        if missing and not options.contender:
            print(f"not here: {', '.join(sorted(missing))}")
        results = {part: PARTS[part].run(bench) for part in options.only}
    targets.show(results)
    path = options.json or HERE / "results" / f"{about['time'].replace(':', '').removesuffix('+0000')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": about, "results": results}, indent=2, default=asdict) + "\n")
    print(f"\nraw numbers: {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
