"""Starting and stopping users over and over leaves nothing behind."""

import json
import subprocess
import sys

from servers import Target

SCRIPT = """
import cload, sys, os, gc, json, gevent, _cload, logging, random
from locust import FastHttpUser, HttpUser, SequentialTaskSet, TaskSet, User, task, constant
from locust.env import Environment
from locust.exception import StopUser
URL=sys.argv[1]; logging.disable()
def rss():
    return int(open("/proc/self/statm").read().split()[1])*4//1024
class U(HttpUser):
    host=URL; wait_time=constant(0.01)
    @task
    def a(self): self.client.get("/hello")
    @task
    def b(self): self.client.get("/redirect/3"); self.client.get("/cookies/set?a=b")
    @task
    def c(self):
        with self.client.get("/status/500", catch_response=True, name="c") as r:
            r.failure("no %d" % random.randrange(100))
    @task
    def d(self): raise ValueError(1)
    @task
    def e(self):
        with gevent.Timeout(0.01, False): self.client.get("/delay/50")
    @task
    def f(self): self.client.get("/delay/100")
    @task(1)
    class N(TaskSet):
        @task
        def x(self): self.client.get("/hello"); self.interrupt()
    @task
    def g(self):
        if random.random()<.02: raise StopUser()
class F(FastHttpUser):
    host=URL; wait_time=constant(0.01)
    @task
    def a(self): self.client.get("/hello")
    @task
    def s(self):
        with self.client.get("/chunked/3000", stream=True, catch_response=True): pass
class S(HttpUser):
    host=URL; wait_time=constant(0.01)
    @task
    class Q(SequentialTaskSet):
        def on_start(self): self.client.get("/hello")
        @task
        def x(self): self.client.get("/hello")
        @task
        def y(self): self.interrupt()
class B(HttpUser):
    "Its greenlet ends with an exception, as in Locust."
    host=URL; wait_time=constant(0.01)
    def on_start(self): self.client.get("/hello"); raise ValueError("on_start")
    @task
    def a(self): pass
class G(HttpUser):
    host=URL; wait_time=constant(0.01)
    @task
    def a(self):
        many=[gevent.spawn(self.client.get,"/hello") for _ in range(3)]
        if random.random()<.5: gevent.joinall(many)
    @task
    def b(self): gevent.spawn_later(0.2, self.client.get, "/delay/50")
class L(User):
    def run(self):
        while True: gevent.sleep(0.01)
gevent.get_hub().exception_stream=None
KINDS={"U","F","S","B","G","L","N","Q","DefaultTaskSet","UserGreenlet","HttpSession","FastHttpSession",
    "ResponseContextManager"}
rows=[]
env=Environment(user_classes=[U,F,S,B,G,L]); runner=env.create_local_runner()
for cycle in range(4):
    runner.start(300,10000)
    while env.stats.total.num_requests < 2000: gevent.sleep(0.02)
    runner.stop()
    env.stats.clear_all(); runner.exceptions.clear()
    # What users spawned goes on for a while.
    for _ in range(300):
        gevent.sleep(0.1); gc.collect()
        left=sum(type(o).__name__ in KINDS for o in gc.get_objects())
        if not left and not _cload.waiting_count(): break
    rows.append([rss(), len(os.listdir("/proc/self/fd")), _cload.waiting_count(), left])
print(json.dumps(rows))
"""


def test_cycles_of_users_leave_nothing_behind(target: Target) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, target.url], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    (first_mb, first_fds, *_), (last_mb, last_fds, waiting, objects) = rows[1], rows[-1]
    assert last_mb - first_mb < 10, rows
    assert last_fds == first_fds, rows
    assert (waiting, objects) == (0, 0), rows


MANY = """
import cload, gc, json, logging, sys, gevent, _cload
from locust import HttpUser, User, constant, task
from locust.env import Environment
logging.disable()
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
class Plain(User):
    wait_time = constant(1000)
    @task
    def t(self): pass
class Http(HttpUser):
    host = "http://127.0.0.1:1"
    wait_time = constant(1000)
    @task
    def t(self): pass
def start(runner, count):
    runner.start(count, count)
    runner.spawning_greenlet.join()
    gevent.sleep(0.1)
def kinds():
    names = [type(thing).__name__ for thing in gc.get_objects()]
    return {name: names.count(name) for name in ("Plain", "Http", "UserGreenlet", "HttpSession", "DefaultTaskSet")}
"""


def _many(script: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", MANY + script], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_twenty_thousand_users_come_and_go() -> None:
    """Nothing is left of them, and the memory they had serves the next ones."""
    script = """
environment = Environment(user_classes=[Plain, Http])
runner = environment.create_local_runner()
rows = []
for cycle in range(6):
    start(runner, 20000)
    assert runner.user_count == 20000
    runner.stop()
    for _ in range(100):
        gevent.sleep(0.1)
        gc.collect()
        if not any(kinds().values()): break
    rows.append([rss() >> 10, _cload.waiting_count(), sum(kinds().values())])
print(json.dumps(rows))
"""
    rows = _many(script)
    assert isinstance(rows, list)
    assert [row[1:] for row in rows] == [[0, 0]] * 6
    assert rows[-1][0] - rows[2][0] < 3000, f"KB after each cycle: {rows}"


def test_a_waiting_user_is_small() -> None:
    """Measured: 720 bytes a User, 1,500 an HttpUser without a connection."""
    script = """
rows = []
for kind in (Plain, Http):
    runner = Environment(user_classes=[kind]).create_local_runner()
    start(runner, 10)
    before = rss()
    start(runner, 50000)
    rows.append((rss() - before) / 50000)
    runner.stop()
    gc.collect()
print(json.dumps(rows))
"""
    plain, http = _many(script)  # type: ignore[misc]
    assert plain < 1000
    assert http < 2000
