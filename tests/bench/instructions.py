"""Instructions of our process from one call to the next, which tell small differences that times do not."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calls import CLIENTS, KINDS
from contenders import locust_like
from engines import cload_command
from measure import table
from servers import BUILD, Target

if TYPE_CHECKING:
    from bench import Bench

WINDOW = BUILD / "tests/bench/libcallgrind_window.so"
USERS = 50
SECONDS = 2.0


def count(kind: str, client: str, target: Target) -> float | None:
    """Per call, the kernel's not included; with the task loop, the locustfile's lines and the statistics."""
    with tempfile.TemporaryDirectory() as folder:
        run = locust_like(cload_command(), "calls.py")(target.url + "/hello", USERS, 60)
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
        env = {"CALL": kind, "CLIENT": client, "MEASURED_SECONDS": str(SECONDS), "CALLGRIND_WINDOW": str(WINDOW)}
        done = subprocess.run([*valgrind, *run], env={**os.environ, **env}, capture_output=True, text=True, timeout=400)
        calls = re.search(r"^COST \S+ (\d+)", done.stdout, re.MULTILINE)
        dump = Path(folder) / "out.1"
        total = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(), re.MULTILINE) if dump.exists() else None
        if calls is None or total is None:
            print(f"{kind} was not counted:\n{done.stdout[-500:]}{done.stderr[-1000:]}", file=sys.stderr)
            return None
        return int(total[1]) / max(int(calls[1]), 1)


def instructions(bench: "Bench") -> Any:
    if shutil.which("valgrind") is None or not WINDOW.exists():
        print("instructions are not counted: valgrind and its headers are missing", file=sys.stderr)
        return {}
    names = [name for name in CLIENTS if name.startswith("cload") and bench.contender(name)]
    kinds = KINDS[:1] if bench.options.quick else KINDS
    found: dict[str, dict[str, float | None]] = {}
    with Target() as target:
        for kind in kinds:
            found[kind] = {name: count(kind, CLIENTS[name], target) for name in names}
    rows = [[kind, *(f"{made:,.0f}" if made else "" for made in row.values())] for kind, row in found.items()]
    table("Instructions per call, by kind of call", ["", *names], rows)
    return found
