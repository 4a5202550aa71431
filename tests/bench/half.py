"""Truth with half a core: a process that never sleeps shares the generator's core.

What a request took is asked of the kernel: `wire_times` looks at packets on the loopback device, so that neither the
server's nor the generator's lateness hides in the comparison. Reported times are of the same seconds.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engines import cload_command
from measure import CLIENT_CORE, HERE, SERVER_CORE, end, pinned, table
from servers import ROOT

if TYPE_CHECKING:
    from bench import Bench

WIRE_TIMES = ROOT / "build" / "tests" / "bench" / "wire_times"
USERS = 400


@contextmanager
def spinner() -> Iterator[None]:
    process = subprocess.Popen([*pinned(CLIENT_CORE), sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        end(process)


def run(url: str, seconds: float) -> dict[str, Any] | None:
    """Median and 99 % as reported and on the wire, once all users are there; how many seconds were marked."""
    port = url.rsplit(":", 1)[1]
    command = [*cload_command(), "-f", str(HERE / "locustfiles" / "get.py"), "--headless", "--only-summary"]
    command += ["-u", str(USERS), "-r", str(USERS), "-t", f"{int(seconds) + 2}s", "--reset-stats", "--host", url]
    command += ["--percentiles", "0.5,0.99"]
    generator = subprocess.Popen([*pinned(CLIENT_CORE), *command], stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(seconds + 60, generator.kill)
    watchdog.start()
    wire, text = None, ""
    try:
        assert generator.stderr is not None
        for line in generator.stderr:
            text += line
            if "Resetting stats" in line:
                watch = [*pinned(SERVER_CORE), str(WIRE_TIMES), port, str(int(seconds) + 60)]
                wire = subprocess.Popen(watch, stdout=subprocess.PIPE, text=True)
            if "limit reached" in line and wire is not None:
                wire.terminate()
        generator.wait()
        seen = wire.communicate(timeout=60)[0].split() if wire is not None else []
    finally:
        watchdog.cancel()
        end(generator)
    reported = re.search(r"true to 0\.1 %.*?^ +Aggregated +([\d.]+) +([\d.]+)", text, re.MULTILINE | re.DOTALL)
    marked = re.search(r"lagged in (\d+) of (\d+) seconds", text)
    if reported is None or len(seen) != 3:
        print(f"no result:\n{text}", file=sys.stderr)
        return None
    return {
        "reported": [float(reported[1]), float(reported[2])],
        "wire": [float(seen[1]), float(seen[2])],
        "marked": int(marked[1]) if marked else 0,
    }


def half(bench: "Bench") -> Any:
    found: dict[str, list[dict[str, Any]]] = {"core alone": [], "half a core": []}
    with bench.delayed_target() as target:
        for _ in range(bench.options.rounds):
            for name, runs in found.items():
                if name == "half a core":
                    with spinner():
                        result = run(target.url, bench.options.seconds)
                else:
                    result = run(target.url, bench.options.seconds)
                if result is not None:
                    runs.append(result)
    rows = []
    for name, runs in found.items():
        for result in runs:
            shares = [mine / wire - 1 for mine, wire in zip(result["reported"], result["wire"], strict=True)]
            rows.append(
                [
                    name,
                    *(f"{ms:.2f}" for ms in (*result["reported"], *result["wire"])),
                    *(f"{share:+.1%}" for share in shares),
                    str(result["marked"]),
                ]
            )
    table(
        f"{USERS} users, server answers after 20 ms: reported, and on the wire",
        ["", "median ms", "99% ms", "wire median", "wire 99%", "median off", "99% off", "marked s"],
        rows,
    )
    return found
