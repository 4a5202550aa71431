"""What each kind of call costs that a locustfile usually makes: headers, forms, JSON, with-blocks, ..."""

import os
import re
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from contenders import locust_like
from engines import cload_command, oracle_command
from measure import CLIENT_CORE, SERVER_CORE, pinned, table
from servers import Target

if TYPE_CHECKING:
    from bench import Bench

KINDS = (
    "get", "status", "text", "json answer", "headers=", "params=", "json=", "form", "catch_response", "name=",
    "cookies", "gzip", "redirect", "404", "failure()", "raise_for_status",
    "refused", "new connection", "stream=",
)  # fmt: skip
CLIENTS = {
    "cload HttpUser": "http",
    "cload FastHttpUser": "fast",
    "locust HttpUser": "http",
    "locust FastHttpUser": "fast",
}


def cost(name: str, kind: str, target: Target, seconds: float) -> float | None:
    """CPU time of one call in microseconds, as the process itself reads it."""
    command = cload_command() if name.startswith("cload") else oracle_command()
    users = 20
    done = subprocess.run(
        [*pinned(CLIENT_CORE), *locust_like(command, "calls.py")(target.url + "/hello", users, seconds + 30)],
        env={**os.environ, "CALL": kind, "CLIENT": CLIENTS[name], "MEASURED_SECONDS": str(seconds)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    found = re.search(r"^COST ([0-9.]+)", done.stdout, re.MULTILINE)
    if found is None:
        print(f"{name} did not measure {kind}:\n{done.stdout[-500:]}{done.stderr[-1000:]}", file=sys.stderr)
    return float(found[1]) if found else None


def calls(bench: "Bench") -> Any:
    names = [name for name in CLIENTS if bench.contender(name)]
    samples: dict[str, dict[str, list[float]]] = {}
    with Target(command_prefix=tuple(pinned(SERVER_CORE))) as target:
        for _ in range(bench.options.rounds):
            for kind in KINDS:
                for name in names:
                    made = cost(name, kind, target, bench.options.seconds)
                    if made is not None:
                        samples.setdefault(kind, {}).setdefault(name, []).append(made)
    rows = [
        [kind, *(f"{statistics.median(by_name[name]):.1f}" if name in by_name else "" for name in names)]
        for kind, by_name in samples.items()
    ]
    table("CPU us per call, by kind of call", ["", *names], rows)
    return samples
