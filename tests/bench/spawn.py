"""How long it takes to start 20,000 users, to stop them, and to start them again."""

import json
import os
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from measure import CLIENT_CORE, pinned, table

if TYPE_CHECKING:
    from bench import Bench

USERS = 20_000
_SCRIPT = """
import sys
if sys.argv[1] == "cload":
    import cload
import json, logging, time
import gevent
from locust import User, constant, task
from locust.env import Environment

logging.disable()
count = int(sys.argv[2])

class Waiting(User):
    wait_time = constant(3600)
    @task
    def nothing(self):
        pass

runner = Environment(user_classes=[Waiting]).create_local_runner()
row = {}
for name in ("spawn", "again"):
    begin, cpu = time.perf_counter(), time.process_time()
    runner.start(count, count)
    runner.spawning_greenlet.join()
    row[name], row[name + "_cpu"] = time.perf_counter() - begin, time.process_time() - cpu
    gevent.sleep(1)
    begin = time.perf_counter()
    runner.stop()
    row["stop"] = time.perf_counter() - begin
    row["left"] = len(runner.user_greenlets)
print(json.dumps(row))
"""


def measure(name: str) -> dict[str, float]:
    python = os.environ["LOCUST_ORACLE"] if name == "locust" else sys.executable
    command = [*pinned(CLIENT_CORE), python, "-c", _SCRIPT, name, str(USERS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    row: dict[str, float] = json.loads(done.stdout)
    return row


def spawn(bench: "Bench") -> Any:
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(bench.options.rounds):
        for name in ("locust", "cload"):
            if bench.contender(f"{name} HttpUser"):
                found.setdefault(name, []).append(measure(name))
    keys = ("spawn", "spawn_cpu", "again", "again_cpu", "stop")
    rows = [
        [name, *(f"{statistics.median(run[key] for run in runs):.3f}" for key in keys)] for name, runs in found.items()
    ]
    head = ["seconds", "to spawn", "CPU", "again", "CPU", "to stop"]
    table(f"{USERS:,} users spawned, stopped and spawned again", head, rows)
    return found
