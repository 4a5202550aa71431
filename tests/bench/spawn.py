"""How long it takes to start 20,000 users of each kind, to stop them, and to start them again."""

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
from locust import FastHttpUser, HttpUser, User, constant, task
from locust.env import Environment

logging.disable()
count = int(sys.argv[2])

class Waiting({"User": User, "HttpUser": HttpUser, "FastHttpUser": FastHttpUser}[sys.argv[3]]):
    host = "http://127.0.0.1:1"
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
    begin, cpu = time.perf_counter(), time.process_time()
    runner.stop()
    row["stop"], row["stop_cpu"] = time.perf_counter() - begin, time.process_time() - cpu
    row["left"] = len(runner.user_greenlets)
print(json.dumps(row))
"""


KINDS = ("User", "HttpUser", "FastHttpUser")


def measure(name: str, kind: str) -> dict[str, float]:
    python = os.environ["LOCUST_ORACLE"] if name == "locust" else sys.executable
    command = [*pinned(CLIENT_CORE), python, "-c", _SCRIPT, name, str(USERS), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    row: dict[str, float] = json.loads(done.stdout)
    return row


def spawn(bench: "Bench") -> Any:
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(bench.options.rounds):
        for kind in KINDS[:1] if bench.options.quick else KINDS:
            for name in ("locust", "cload"):
                if bench.contender(f"{name} HttpUser"):
                    found.setdefault(f"{name} {kind}", []).append(measure(name, kind))
    keys = ("spawn", "spawn_cpu", "again", "again_cpu", "stop", "stop_cpu")
    rows = [
        [name, *(f"{statistics.median(run[key] for run in runs):.3f}" for key in keys)] for name, runs in found.items()
    ]
    head = ["seconds", "to spawn", "CPU", "again", "CPU", "to stop", "CPU"]
    table(f"{USERS:,} users spawned, stopped and spawned again", head, rows)
    return found
