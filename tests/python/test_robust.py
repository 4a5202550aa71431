"""Scripts that are odd rather than wrong: whatever they do, the others go on, and the test ends."""

from __future__ import annotations

import json

import pytest
from oracle import Engine
from play import OURS, play
from servers import Target


def test_recursion_in_a_task(target: Target) -> None:
    """In Python code, and through calls of C; deep stacks wait for answers like any other."""
    code = """
    def down(n): return down(n + 1)
    def deep(client, n):
        if n == 0: return client.get("/hello").status_code
        return max([n], key=lambda n: deep(client, n - 1))
    class U(Base):
        @task
        def t(self):
            def call(n): self.client.get("/hello"); return call(n + 1)
            note(outcome(down, 0), outcome(call, 0))
            down(0)
    sys.setrecursionlimit(400)
    environment = run(U, ready=lambda: len(log) > 5, users=3)
    sys.setrecursionlimit(100000)
    note(deep(U(environment).client, 1500), outcome(U(environment).client.get, "/hello"))
    out([sorted(set(log)), counts(environment)])
    """
    seen, counts = play(target, code)
    assert {"1500 200", "RecursionError RecursionError"} <= set(seen)
    assert any(line.startswith("user_error DefaultTaskSet RecursionError") for line in seen)
    assert counts == [True, 0]


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_deep_json(target: Target, base: str) -> None:
    """Nested 100,000 times, read and written: an exception for the task, as with requests, and no row for what was not
    sent."""
    code = f"""
    from locust import FastHttpUser
    from gevent.pywsgi import WSGIServer
    def answer(environ, start):
        start("200 OK", [("Content-Type", "application/json")])
        return [b"[" * 100000 + b"]" * 100000]
    server = WSGIServer(("127.0.0.1", 0), answer, log=None)
    server.start()
    class U({base}):
        host = f"http://127.0.0.1:{{server.server_port}}"
        @task
        def t(self): pass
    environment = Environment(user_classes=[U])
    environment.create_local_runner()
    client = U(environment).client
    response = client.get("/")
    deep = []
    for _ in range(100000): deep = [deep]
    results = [outcome(response.json), outcome(client.post, "/", json=deep), len(response.content)]
    while deep: deep = deep[0]
    out([results, environment.stats.total.num_requests])
    """
    assert play(target, code) == [["RecursionError", "RecursionError", 200000], 1]


def test_attributes_are_deleted_and_replaced(target: Target) -> None:
    """Of users, sets and sessions, all that they have: tasks fail and are counted, and the test ends in time."""
    code = """
    random.seed(5)
    values = [None, 1, "x", [], {}, object()]
    def spoil(thing, how):
        names = [name for name in dir(thing) if name not in ("__class__", "spoiled")]
        try:
            if how: delattr(thing, random.choice(names))
            else: setattr(thing, random.choice(names), random.choice(values))
        except Exception: pass
    class Inner(TaskSet):
        @task
        def t(self): spoil(self, random.random() < .5); self.client.get("/hello")
        @task
        def leave(self): self.interrupt()
    class U(Base):
        tasks = [Inner]
        @task
        def of_user(self): spoil(self, random.random() < .5); self.client.get("/hello")
        @task
        def of_session(self): spoil(self.client, random.random() < .5); self.client.get("/hello")
    class Honest(Base):
        @task
        def t(self): self.client.get("/hello", name="honest"); note("ok")
    logging.disable()
    with gevent.Timeout(100):
        environment = run(
            U, U, U, Honest, seconds=1, ready=lambda: log.count("ok") > 100, users=80, stop_timeout=0.2)
    assert not environment.runner.user_greenlets
    out([log.count("ok") > 100, _cload.waiting_count()])
    """
    assert play(target, code.replace("U, U, U, Honest", "U, Honest")) == [True, 0]


def test_a_test_ends_whatever_users_lost() -> None:
    """Locust hangs or leaves users behind, depending on the attribute."""
    code = """
found = {}
for attribute in ("_greenlet", "_group", "_state", "_taskset_instance"):
    log.clear()
    class U(User):
        wait_time = constant(0.01)
        @task
        def t(self):
            setattr(self, attribute, None)
            note("ran")
    with gevent.Timeout(100):
        environment = run(U, users=3, ready=lambda: len(log) > 3)
    found[attribute] = [len(log) > 3, len(environment.runner.user_greenlets)]
out(found)
"""
    names = ("_greenlet", "_group", "_state", "_taskset_instance")
    assert OURS.snippet(code) == {name: [True, 0] for name in names}


ODD_WAIT_TIMES = {
    "-1": "many",
    "float('-inf')": "many",
    "1e-320": "many",
    "False": "many",
    "1e300": "one",
    "float('inf')": "one",
    "10**400": "error",
    "'1'": "error",
    "[]": "error",
    "None": "error",
    "__import__('decimal').Decimal('0.001')": "many",
    "__import__('fractions').Fraction(1, 1000)": "many",
}


def test_odd_wait_times(engine: Engine) -> None:
    code = """
logging.disable()
sys.stderr = open(os.devnull, "w")
found = {}
for text in json.loads(sys.argv[1]):
    log.clear()
    value = eval(text)
    class U(User):
        def wait_time(self): return value
        def on_stop(self): note("stop")
        @task
        def t(self): log.append("task")
    with gevent.Timeout(100):
        environment = run(U, seconds=0.1)
    count = log.count("task")
    found[text] = ["many" if count > 1 else "one" if "stop" in log else "error", len(environment.runner.user_greenlets)]
out(found)
"""
    found = engine.snippet(code, json.dumps(list(ODD_WAIT_TIMES)))
    assert found == {text: [rounds, 0] for text, rounds in ODD_WAIT_TIMES.items()}


def test_users_that_come_back_from_the_dead(target: Target) -> None:
    """A finalizer makes requests and keeps its user, whose client goes on; so do finalizers at the very end."""
    code = """
    kept = []
    class Temporary(Base):
        def __del__(self):
            note("last words", outcome(self.client.get, "/hello"))
            kept.append(self)
        @task
        def t(self): pass
    class U(Base):
        @task
        def t(self):
            made = Temporary(self.environment)
            made.client.get("/hello")
            made.me = made
            del made
            gc.collect()
            while kept: note("back", outcome(kept.pop().client.get, "/hello"))
    environment = run(U, ready=lambda: {"back 200", "last words 200"} <= set(log), users=3)
    U(environment).me = Temporary(environment)
    # The test's end may interrupt either.
    seen = set(log) - {"back GreenletExit", "last words GreenletExit"}
    out([sorted(seen), environment.stats.total.num_failures])
    """
    assert play(target, code) == [["back 200", "last words 200"], 0]


def test_exceptions_thrown_into_any_state(target: Target) -> None:
    """gevent.Timeout around calls, waits and whole sets; throw() with all kinds of exceptions: no user is lost that was
    not killed, and nothing waits for ever."""
    code = """
    random.seed(7)
    class Odd(Exception): pass
    class U(Base):
        def on_start(self): self.client.get("/delay/5")
        def on_stop(self):
            with gevent.Timeout(0.01, False): self.client.get("/delay/20")
            note("stopped")
        @task
        def timeouts(self):
            for path in ("/delay/3", "/hello", "/slow-body", "/redirect/3"):
                with gevent.Timeout(random.random() * 0.006, False): self.client.get(path)
                with gevent.Timeout(random.random() * 0.002, False): gevent.sleep(0.001)
        @task
        def catches(self):
            try: self.client.get("/delay/20")
            except Odd: note("caught")
        @task
        def stream(self):
            with gevent.Timeout(0.01, False), self.client.get("/drip", stream=True) as response: response.text
    logging.disable()
    sys.stderr = open(os.devnull, "w")
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(50, 1000)
    end = time.monotonic() + 2
    killed = 0
    while time.monotonic() < end or log.count("stopped") <= 20 or "caught" not in log:
        gevent.sleep(0.002)
        living = list(runner.user_greenlets)
        victim = random.choice(living)
        how = random.choice([Odd, Odd("x"), gevent.Timeout(), gevent.GreenletExit, KeyError])
        if random.random() < .5: victim.throw(how)
        else: victim.kill(how, block=False)
        if len(living) < 25: runner.spawn_users({"U": 25})
    with gevent.Timeout(60): runner.quit()
    del living, victim
    gc.collect()
    left = sum(type(thing).__name__ in ("U", "UserGreenlet") for thing in gc.get_objects())
    out([log.count("stopped") > 20, "caught" in log, len(runner.user_greenlets), _cload.waiting_count(), left])
    """
    assert play(target, code) == [True, True, 0, 0, 0]
