"""What the things cost that tasks do besides requests: CPU time of one iteration, beside real Locust's."""

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from measure import CLIENT_CORE, pinned, table

if TYPE_CHECKING:
    from bench import Bench

_BEGIN = """
import sys
if sys.argv[1] == "cload":
    import cload
import logging, os, time
import gevent
from locust import (SequentialTaskSet, TaskSet, User, between, constant, constant_pacing, constant_throughput, events,
                    task)
from locust.env import Environment
from locust.exception import RescheduleTask

logging.basicConfig(stream=open(os.devnull, "w"), level=logging.INFO, format="%(asctime)s %(levelname)s: %(message)s")
count, done, begin = int(sys.argv[2]), 0, 0.0
env = Environment()

def tick():
    global done, begin
    done += 1
    if done == 300:
        begin = time.process_time()
    elif done == 300 + count:
        print((time.process_time() - begin) / count * 1e6, flush=True)
        os._exit(0)

def fire(name):
    tick()
    env.events.request.fire(request_type="own", name=name, response_time=1.5, response_length=10, response=None,
                            context={}, exception=None, start_time=0.0, url="u")

class U(User):
    wait_time = constant(0)
    @task
    def only(self): tick()
"""
_END = """
env.user_classes = [U]
runner = env.create_local_runner()
runner.start(50, 50)
gevent.sleep(60)
"""
_NESTED = """
class Inner(TaskSet):
    {}
    @task
    def one(self):
        tick()
        self.interrupt()
U.tasks = [Inner]
"""
KINDS = {
    "an empty task": "",
    "`constant()`": "U.wait_time = constant(1e-7)",
    "`between()`": "U.wait_time = between(1e-7, 2e-7)",
    "`constant_pacing()`": "U.wait_time = constant_pacing(1e-7)",
    "`constant_throughput()`": "U.wait_time = constant_throughput(1e7)",
    "a `wait_time` of its own": "U.wait_time = lambda self: 1e-7",
    "one of six tasks": "U.tasks = U.tasks * 6",
    "entering and leaving a set": _NESTED.format(""),
    "the same, with `on_start` and `on_stop`": _NESTED.format("def on_start(self): pass\n    def on_stop(self): pass"),
    "a task of a `SequentialTaskSet`": "class S(SequentialTaskSet):\n    a = b = U.only\nU.tasks = [S]",
    "`events.request.fire()`": "U.only = lambda self: fire('n')\nU.tasks = [U.only]",
    "the same, 10,000 names": "U.only = lambda self: fire('n%d' % (done % 10000))\nU.tasks = [U.only]",
    "the same, a listener with `**kwargs`": (
        "env.events.request.add_listener(lambda name, **kwargs: None)\n"
        "U.only = lambda self: fire('n')\nU.tasks = [U.only]"
    ),
    "`events.request.measure()`": (
        "def only(self):\n    tick()\n    with env.events.request.measure('own', 'n'): pass\nU.tasks = [only]"
    ),
    "an exception": "def only(self):\n    tick()\n    raise ValueError('no')\nU.tasks = [only]",
    "`raise RescheduleTask()`": "def only(self):\n    tick()\n    raise RescheduleTask()\nU.tasks = [only]",
    "`time.sleep()`": "def only(self):\n    tick()\n    time.sleep(1e-7)\nU.tasks = [only]",
    "`gevent.spawn().join()`": "def only(self):\n    tick()\n    gevent.spawn(int).join()\nU.tasks = [only]",
}


def measure(engine: str, kind: str, count: int) -> float:
    python = os.environ["LOCUST_ORACLE"] if engine == "locust" else sys.executable
    command = [*pinned(CLIENT_CORE), python, "-c", _BEGIN + KINDS[kind] + _END, engine, str(count)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120, check=True
    )
    return float(done.stdout)


def tasks(bench: "Bench") -> Any:
    engines = [name for name in ("cload", "locust") if bench.contender(f"{name} HttpUser")]
    found: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for _ in range(bench.options.rounds):
        for kind, row in found.items():
            for engine in engines:
                count = 500 if bench.options.quick else 2_000 if kind == "an exception" else 20_000
                row[engine] = min(measure(engine, kind, count), row.get(engine, float("inf")))
    rows = [[kind, *(f"{row[engine]:.2f}" for engine in engines)] for kind, row in found.items()]
    table("What one iteration of a task costs, CPU us", ["", *engines], rows)
    return found
