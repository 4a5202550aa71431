"""A long run at full rate in which names, failures, exceptions and cookies never end: does memory?"""

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
STEP_S = 60


def soak(bench: "Bench") -> Any:
    minutes = bench.options.soak_minutes
    seen: list[dict[str, float]] = []
    with Target(command_prefix=tuple(pinned(SERVER_CORE))) as target, tempfile.TemporaryDirectory() as folder:
        command = locust_like([*cload_command(), "--csv", f"{folder}/run", "--skip-log"], "endless.py")
        run = [*pinned(CLIENT_CORE), *command(target.url, USERS, 60 * minutes + 30)]
        with (Path(folder) / "output").open("w") as output:
            process = subprocess.Popen(run, stdout=output, stderr=output)
        begin = time.monotonic()
        try:
            while (elapsed := time.monotonic() - begin) < 60 * minutes and process.poll() is None:
                time.sleep(min(STEP_S, 60 * minutes - elapsed))
                row = {"s": time.monotonic() - begin, "requests": target.counters()["requests"]}
                seen.append({**row, "rss_mb": rss_mb(process.pid), "cpu_s": cpu_seconds(process.pid)})
        finally:
            end(process)
    settled = next((row for row in seen if row["s"] >= min(SETTLED_S, 60 * minutes / 2)), seen[-1])
    rows = [
        [f"{row['s'] / 60:.0f}", f"{row['requests'] / 1e6:.2f}", f"{row['rss_mb']:.1f}", f"{row['cpu_s']:.0f}"]
        for row in seen
    ]
    grown = (seen[-1]["rss_mb"] / settled["rss_mb"] - 1) * 100
    table(
        f"Memory in a run of {minutes} minutes: {grown:+.2f} % since minute {settled['s'] / 60:.0f}",
        ["minute", "million requests", "RSS MB", "CPU s"],
        rows,
    )
    return seen
