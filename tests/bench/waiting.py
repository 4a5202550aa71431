"""How much a million waiting users cost: memory, spawning, waking, stopping. Run by bench.py, also by hand:

python tests/bench/waiting.py [User|HttpUser] [USERS]
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from measure import table

if TYPE_CHECKING:
    from bench import Bench

_SCRIPT = """
import cload, gc, json, logging, sys, time
import gevent, _cload
from locust import HttpUser, User, constant, task
from locust.env import Environment

logging.disable()
kind, count = sys.argv[1], int(sys.argv[2])
rounds = 0
WAIT_S = 20

class Waiting(HttpUser if kind == "HttpUser" else User):
    host = "http://127.0.0.1:1"
    wait_time = constant(WAIT_S)
    @task
    def nothing(self):
        global rounds
        rounds += 1

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

environment = Environment(user_classes=[Waiting])
runner = environment.create_local_runner()
runner.start(10, 1000); gevent.sleep(0.3); runner.stop(); gc.collect()
before, rounds, wall, cpu = resident(), 0, time.perf_counter(), time.process_time()
runner.start(count, count)
runner.spawning_greenlet.join()
spawned = time.perf_counter() - wall, time.process_time() - cpu
while rounds < count: gevent.sleep(0.1)
gc.collect()
row = {"users": count, "bytes": (resident() - before) / count, "spawn_s": spawned[0], "spawn_cpu_s": spawned[1]}
cpu = time.process_time()
while rounds < 2 * count: gevent.sleep(0.5)
row["round_cpu_us"] = (time.process_time() - cpu) / (rounds - count) * 1e6
cpu = time.process_time()
runner.stop()
row["stop_cpu_s"] = time.process_time() - cpu
row["left"] = len(runner.user_greenlets)
print(json.dumps(row))
"""


def measure(kind: str, users: int) -> dict[str, Any]:
    """One process with so many users, which wait 20 s between tasks that do nothing."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, kind, str(users)], capture_output=True, text=True, timeout=600, check=True
    )
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def show(kind: str, row: dict[str, Any]) -> list[str]:
    """The cells of a table."""
    return [
        kind, f"{row['users']:,}", f"{row['bytes']:,.0f}", f"{row['spawn_cpu_s'] / row['users'] * 1e6:.1f}",
        f"{row['round_cpu_us']:.2f}", f"{row['stop_cpu_s'] / row['users'] * 1e6:.1f}",
    ]  # fmt: skip


HEADER = ["", "users", "bytes each", "µs to spawn", "µs per wait and task", "µs to stop"]


def waiting(bench: Bench) -> Any:
    """A million users that wait, and how cost grows with their number."""
    most = 100_000 if bench.options.quick else 1_000_000
    found = [(kind, measure(kind, users)) for kind in ("User", "HttpUser") for users in (most // 50, most)]
    table("Users that wait (CPU time)", HEADER, [show(kind, row) for kind, row in found])
    return found


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else "User"
    table("Users that wait", HEADER, [show(wanted, measure(wanted, int((sys.argv[2:] or ["1000000"])[0])))])
