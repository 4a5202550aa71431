"""A long run at full rate in which names, failures, exceptions and cookies never end: does memory?"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contenders import locust_like
from engines import cload_command
from measure import CLIENT_CORE, SERVER_CORE, cpu_seconds, end, pinned, rss_mb, table
from servers import Target

if TYPE_CHECKING:
    from bench import Bench

USERS = 200
SETTLED_S = 300
"""The first minutes, in which the tables and histories fill."""
STEP_S = 10
SHOWN_S = 60


def soak(bench: "Bench") -> Any:
    minutes = bench.options.soak_minutes
    seen: list[dict[str, float]] = []
    with Target(command_prefix=tuple(pinned(SERVER_CORE))) as target, tempfile.TemporaryDirectory() as folder:
        command = locust_like([*cload_command(), "--csv", f"{folder}/run", "--skip-log"], "endless.py")
        run = [*pinned(CLIENT_CORE), *command(target.url, USERS, 60 * minutes + 30)]
        counts = Path(folder) / "counts"
        with (Path(folder) / "output").open("w") as output:
            process = subprocess.Popen(
                run, stdout=output, stderr=output, env=os.environ | {"ENDLESS_COUNTS": str(counts)}
            )
        begin = time.monotonic()
        try:
            while (elapsed := time.monotonic() - begin) < 60 * minutes and process.poll() is None:
                time.sleep(min(STEP_S - elapsed % STEP_S, 60 * minutes - elapsed))
                row = {"s": time.monotonic() - begin, "requests": target.counters()["requests"]}
                row |= {"rss_mb": rss_mb(process.pid), "cpu_s": cpu_seconds(process.pid)}
                if counts.exists():
                    row |= json.loads(counts.read_text())
                seen.append(row)
                if len(seen) % (SHOWN_S // STEP_S) == 0:
                    print(json.dumps(row), flush=True)
        finally:
            end(process)
    rows = [
        [
            f"{row['s'] / 60:.0f}",
            f"{row['requests'] / 1e6:.2f}",
            f"{row['rss_mb']:.1f}",
            f"{row.get('heap_mb', 0):.1f}",
            f"{row.get('python_blocks', 0):,.0f}",
            f"{row.get('python_objects', 0):,.0f}",
            f"{row['cpu_s']:.0f}",
        ]
        for row in seen[SHOWN_S // STEP_S - 1 :: SHOWN_S // STEP_S]
    ]
    settled = settled_row(seen, minutes)
    table(
        f"Memory in a run of {minutes} minutes: {grown_percent(seen, minutes):+.2f} % since minute"
        f" {settled['s'] / 60:.0f}",
        ["minute", "million requests", "RSS MB", "heap in use MB", "Python's blocks", "gc's objects", "CPU s"],
        rows,
    )
    return {"minutes": minutes, "seen": seen, "grown_percent": grown_percent(seen, minutes)}


def settled_row(seen: list[dict[str, float]], minutes: float) -> dict[str, float]:
    """What was seen when the first minutes were over."""
    return next((row for row in seen if row["s"] >= min(SETTLED_S, 60 * minutes / 2)), seen[-1])


def grown_percent(seen: list[dict[str, float]], minutes: float) -> float:
    return (seen[-1]["rss_mb"] / settled_row(seen, minutes)["rss_mb"] - 1) * 100
