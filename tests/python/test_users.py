"""The life of a user: locust.user.users, and what the runner does with it."""

from __future__ import annotations

import pytest
from oracle import ENGINES, Engine, needs_locust


def test_class_attributes(engine: Engine) -> None:
    """API-2, API-17, API-18, API-19, API-25, API-33, API-34, API-35, API-36."""
    code = """
class U(User):
    @task
    def t(self): pass
def local():
    class Hidden(User): pass
    return Hidden
user = U(Environment())
out([U.host, U.weight, U.fixed_count, U.min_wait, U.max_wait, U.wait_function, U.json(), U.fullname(),
     local().fullname(), user.context(), user.greenlet, U.wait_time(None), HttpUser.abstract, HttpUser.pool_manager])
"""
    json = {"host": None, "weight": 1, "fixed_count": 0, "tasks": ["t"]}
    expected = [None, 1, 0, None, None, None, json, "__main__.U", "__main__.local.Hidden", {}, None, 0, True, None]
    assert engine.snippet(code) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("raise ValueError('x')", ["start", "user_error U ValueError('x')"], id="API-81"),
        pytest.param("raise StopUser()", ["start", "stop"], id="API-82-user"),
        pytest.param("raise StopTest()", ["start", "stop"], id="API-82-test"),
        pytest.param("raise RescheduleTask()", ["start", "user_error U RescheduleTask()"], id="API-83"),
    ],
)
def test_exception_in_on_start(engine: Engine, body: str, expected: list[str]) -> None:
    code = f"""
class U(User):
    def on_start(self):
        note("start")
        {body}
    def on_stop(self): note("stop")
    @task
    def t(self): note("task")
environment = run(U, seconds=0.1)
out(log)
"""
    assert engine.snippet(code) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("raise StopUser()", ["task", "stop"], id="API-84"),
        pytest.param("raise StopTest()", ["task", "stop"], id="API-85"),
        pytest.param("raise RescheduleTask()", ["task", "waits", "task", "waits", "task", "stop"], id="API-87"),
        pytest.param("raise RescheduleTaskImmediately()", ["task", "task", "task", "stop"], id="API-88"),
        pytest.param(
            "raise KeyError('k')",
            ["task", "user_error DefaultTaskSet KeyError('k')", "waits"] * 2 + ["task", "stop"],
            id="API-89",
        ),
    ],
)
def test_exception_in_a_task(engine: Engine, body: str, expected: list[str]) -> None:
    code = f"""
class U(User):
    def wait_time(self):
        note("waits")
        return 0.01
    def on_stop(self): note("stop")
    @task
    def t(self):
        note("task")
        if log.count("task") == 3: raise StopUser()
        {body}
run(U, seconds=0.2)
out(log)
"""
    assert engine.snippet(code) == expected


def test_uncaught_exceptions(engine: Engine) -> None:
    """API-89 (catch_exceptions=False), API-61."""
    code = """
class U(User):
    wait_time = constant(0)
    def on_stop(self): note("stop")
    @task
    def t(self): raise KeyError("k")
environment = run(U, seconds=0.1, catch_exceptions=False)
out(log)
"""
    assert engine.snippet(code) == ["user_error DefaultTaskSet KeyError('k')"]


def test_exceptions_are_counted(engine: Engine) -> None:
    """API-144, EVT-16."""
    code = """
class U(User):
    wait_time = constant(0.01)
    @task
    def t(self):
        note("task")
        if log.count("task") == 4: raise StopUser()
        raise KeyError(log.count("task"))
runner = run(U, seconds=0.2).runner
row, = runner.exceptions.values()
out([row["count"], row["msg"], sorted(row["nodes"]), "in t\\n" in row["traceback"], sorted(row)])
"""
    assert engine.snippet(code) == [3, "1", ["local"], True, ["count", "msg", "nodes", "traceback"]]


def test_stop_without_timeout(engine: Engine) -> None:
    """API-93, API-95: a task is cut, its finally runs, then on_stop; on_start is cut, too."""
    code = """
class U(User):
    wait_time = constant(0)
    def on_stop(self):
        gevent.sleep(0.2)
        note("stop")
    @task
    def t(self):
        try:
            note("begin")
            gevent.sleep(30)
            note("end")
        finally:
            note("finally")
class S(User):
    def on_start(self):
        gevent.sleep(30)
        note("started")
    def on_stop(self): note("S stop")
    @task
    def t(self): note("S task")
run(U, S)
out([log.index("finally") < log.index("stop"), sorted(log)])
"""
    assert engine.snippet(code) == [True, ["S stop", "begin", "finally", "stop"]]


def test_stop_with_timeout(engine: Engine) -> None:
    """API-94, API-95, API-114."""
    code = """
from gevent.event import Event
stopping = Event()
class Waiting(User):
    wait_time = constant(30)
    def on_stop(self):
        note("waiting stop")
        stopping.set()
    @task
    def t(self): pass
class Quick(User):
    wait_time = constant(0)
    def on_stop(self): note("quick stop")
    @task
    def t(self):
        stopping.wait()
        gevent.sleep(0.1)
        note("quick end")
class Slow(User):
    def on_stop(self): note("slow stop")
    @task
    def t(self):
        gevent.sleep(30)
        note("slow end")
class Starting(User):
    def on_start(self):
        stopping.wait()
        gevent.sleep(0.3)
        note("started")
    def on_stop(self): note("starting stop")
    @task
    def t(self): note("starting task")
begin = time.time()
environment = run(Waiting, Quick, Slow, Starting, stop_timeout=1.5, seconds=0.3)
out([log, 1.7 < time.time() - begin < 25, environment.runner.user_count])
"""
    order = ["waiting stop", "quick end", "quick stop", "started", "starting stop", "slow stop"]
    assert engine.snippet(code) == [order, True, 0]


def test_kill_during_the_wait_after_a_failure(engine: Engine) -> None:
    """API-62, API-60, API-63."""
    code = """
class U(User):
    wait_time = constant(30)
    def on_stop(self): note("user stop")
    @task
    class Outer(TaskSet):
        def on_stop(self):
            note("outer stop")
            raise ValueError("ignored")
        @task
        class Inner(TaskSet):
            def on_stop(self): note("inner stop")
            @task
            def t(self): raise KeyError("k")
run(U)
out(log)
"""
    assert engine.snippet(code) == ["user_error Inner KeyError('k')", "outer stop", "user stop"]


def test_exception_in_a_sets_on_start(engine: Engine) -> None:
    """API-59."""
    code = """
class U(User):
    def wait_time(self):
        note("waits")
        if len(log) > 3: raise StopUser()
        return 0
    @task
    class Inner(TaskSet):
        def on_start(self): raise KeyError("k")
run(U)
out(log)
"""
    code = code.replace('raise KeyError("k")', 'raise KeyError("k")\n        @task\n        def t(self): pass')
    assert engine.snippet(code)[:4] == ["user_error DefaultTaskSet KeyError('k')", "waits"] * 2


def test_broken_wait_time_kills_silently(engine: Engine) -> None:
    """API-24, API-78."""
    code = """
class U(User):
    wait_time = 5
    def on_stop(self): note("stop")
    @task
    def t(self): note("task")
environment = run(U, seconds=0.1)
out([log[0], [line.split("(")[0] for line in log[1:]]])
"""
    assert engine.snippet(code) == ["task", ["user_error DefaultTaskSet TypeError"]]


def test_stop_of_a_user(engine: Engine) -> None:
    """API-31, API-32."""
    code = """
from gevent.event import Event
from gevent.pool import Group
begun, go = [], Event()
class U(User):
    wait_time = constant(30)
    def on_stop(self): note("stop", self.name)
    @task
    def t(self):
        begun.append(self)
        if self.name == "busy": go.wait()
def make(name):
    user = U(Environment())
    user.name = name
    return user
group = Group()
waiting, busy, fresh, forced = [make(n) for n in ("waiting", "busy", "fresh", "busy")]
greenlets = [u.start(group) for u in (waiting, busy, forced)]
until(lambda: len(begun) == 3)
rest(0.05)
same = greenlets[0].args[0] is waiting
late = fresh.start(group)
results = [fresh.stop(), waiting.stop(), busy.stop(), forced.stop(force=True)]
try:
    busy.stop()
except Exception as error:
    results.append(type(error).__name__)
go.set()
group.join()
out([results, same, sorted(log), late.dead])
"""
    stops = ["stop busy", "stop busy", "stop waiting"]
    assert engine.snippet(code) == [[True, True, False, True, "Exception"], True, stops, True]


def test_wait_in_a_task_ends_at_a_graceful_stop(engine: Engine) -> None:
    """API-30."""
    code = """
class U(User):
    wait_time = constant(30)
    def on_stop(self): note("stop")
    @task
    def t(self):
        note("begin")
        self.wait()
        note("after")
run(U, stop_timeout=60, seconds=0.2)
out(log)
"""
    assert engine.snippet(code) == ["begin", "stop"]


QUIT_IN_A_TASK = """
class U(User):
    wait_time = constant(1)
    def on_stop(self): note("stop")
    @task
    def t(self):
        gevent.sleep(0.05)
        self.environment.runner.quit()
        note("returned")
class V(User):
    wait_time = constant(30)
    def on_stop(self): note("other stop")
    @task
    def t(self): pass
environment = Environment(user_classes=CLASSES)
runner = environment.create_local_runner()
environment.events.test_stop.add_listener(lambda **_: note("test stop"))
runner.start(len(CLASSES), len(CLASSES))
with gevent.Timeout(60):
    runner.greenlet.join()
gevent.sleep(0.1)
out([sorted(log), runner.state, runner.user_count])
"""


def test_quit_called_by_the_only_user(engine: Engine) -> None:
    """API-92."""
    result = engine.snippet(QUIT_IN_A_TASK.replace("CLASSES", "[U]"))
    assert result[1:] == ["stopped", 0]
    assert {"stop", "test stop"} <= set(result[0])


def test_quit_called_by_one_of_several_users() -> None:
    """API-92: that user ends in the middle of quit(), as with real Locust, which hangs then."""
    result = ENGINES[0].snippet(QUIT_IN_A_TASK.replace("CLASSES", "[U, V]"))
    assert result == [["other stop", "stop", "test stop"], "stopped", 0]


def test_order_of_spawning(engine: Engine) -> None:
    """API-80: all users of a step are made before the first one runs."""
    code = """
class U(User):
    wait_time = constant(1)
    def __init__(self, environment):
        super().__init__(environment)
        note("made")
    def on_start(self): note("start")
    @task
    def t(self): pass
environment = Environment(user_classes=[U])
environment.events.spawning_complete.add_listener(lambda **_: note("complete"))
runner = environment.create_local_runner()
runner.start(3, 3)
rest(0.2)
runner.quit()
out(log)
"""
    assert engine.snippet(code) == ["made"] * 3 + ["complete"] + ["start"] * 3


def test_constructor_that_fails(engine: Engine) -> None:
    """API-26, API-27, API-86."""
    code = """
logging.disable()
from locust import log as locust_log
def result(init):
    class U(User):
        __init__ = init
        @task
        def t(self): pass
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    locust_log.unhandled_greenlet_exception = False
    runner.start(2, 2)
    rest(0.2)
    return [runner.state, runner.user_count, locust_log.unhandled_greenlet_exception]
def raises(self, environment): raise ValueError("x")
def forgets(self, environment): pass
def stops(self, environment): raise StopTest("no host")
out([result(raises), result(forgets), result(stops)])
"""
    assert engine.snippet(code) == [["spawning", 0, True], ["spawning", 0, True], ["stopped", 0, False]]


def test_users_that_interrupt_at_once_do_not_starve_the_others() -> None:
    """API-58, where real Locust hangs."""
    code = """
class U(User):
    wait_time = constant(0)
    @task
    class Inner(TaskSet):
        @task
        def t(self): self.interrupt()
class V(User):
    wait_time = constant(0.05)
    @task
    def t(self): note("other")
run(U, V, seconds=0.3, ready=lambda: len(log) > 2)
out(len(log) > 2)
"""
    assert ENGINES[0].snippet(code) is True


def test_greenlet_that_a_task_runs_in(engine: Engine) -> None:
    """API-31, API-33: gevent.getcurrent() in a task has what scripts take from a gevent.Greenlet, and is
    the user's own for good once somebody asked for it."""
    code = """
import greenlet, threading
kept = []
class U(User):
    wait_time = constant(0.05)
    ran = 0
    def on_start(self):
        kept.append(gevent.getcurrent())
        kept[-1].link(lambda _: note("linked"))
        self.ident = gevent.getcurrent().minimal_ident
    @task
    def t(self):
        self.ran += 1
        mine = gevent.getcurrent()
        note(mine.minimal_ident == self.ident, mine.name == f"Greenlet-{self.ident}", mine.ready(), mine.exception,
             mine.args[0] is self, mine.kwargs, mine.value, mine.exc_info, hasattr(mine, "nothing"))
        if self.ran == 2:
            self.stop(force=True)
class V(User):
    wait_time = constant(30)
    @task
    def t(self):
        idents.append(gevent.getcurrent().minimal_ident)
idents = []
known, numbers = {}, {
    "thread": threading.get_ident, "name": lambda: threading.current_thread().name,
    "greenlet": lambda: id(gevent.getcurrent()), "hash": lambda: hash(greenlet.getcurrent())}
class Numbered(User):
    wait_time = constant(0.02)
    @task
    def t(self):
        gevent.sleep(0.01 * random.random())
        mine = numbers[self.kind]()
        note("same", known.setdefault(self, mine) == mine)
environment = Environment(user_classes=[U])
runner = environment.create_local_runner()
runner.start(1, 100)
while not kept: gevent.sleep(0.01)
kept[0].join(10)
note(len(kept), kept[0].ready(), kept[0].successful(), kept[0].dead, bool(kept[0]))
run(V, users=5)
counts = []
for kind in numbers:
    known.clear()
    run(type("Named", (Numbered,), {"kind": kind}), users=10)
    counts.append(len(set(known.values())))
gevent.sleep(0.05)
counts.append(len(threading._active))
out([sorted(set(log)), log.count("linked"), len(set(idents)), counts])
"""
    own = "True True False None True {} None None False"
    seen = sorted([own, "linked", "1 True True True False", "same True"])
    assert engine.snippet(code) == [seen, 1, 5, [*[10] * 4, 1]]


def test_what_the_greenlet_of_a_user_refuses(engine: Engine) -> None:
    """API-33: as gevent.Greenlet does."""
    code = """
class U(User):
    wait_time = constant(30)
    @task
    def t(self): pass
runner = Environment(user_classes=[U]).create_local_runner()
runner.start(1, 10)
while not runner.user_count: gevent.sleep(0.01)
greenlet = next(iter(runner.user_greenlets))
def tell(function, *args, **kwargs):
    try: note(function(*args, **kwargs))
    except Exception as error: note(type(error).__name__)
for name, value in (("name", "own"), ("spawn_tree_locals", {"a": 1})):
    tell(delattr, greenlet, name)
    setattr(greenlet, name, value)
    note(getattr(greenlet, name))
    tell(delattr, greenlet, name)
note(greenlet.spawn_tree_locals)
tell(setattr, greenlet, "spawn_tree_locals", 5)
tell(greenlet.join, foo=1)
tell(greenlet.join, 1, 2)
tell(greenlet.join, 0.01, timeout=0.01)
tell(greenlet.join, "x")
tell(greenlet.join, timeout=0.01)
tell(greenlet.get, foo=1)
tell(greenlet.kill, foo=1)
runner.quit()
out(log)
"""
    wrong = ["TypeError"]
    assert engine.snippet(code) == [
        "AttributeError", "own", "None", "None", "{'a': 1}", "None", "None", *wrong * 5, "None", *wrong * 2
    ]  # fmt: skip


@needs_locust
def test_clients_of_many_users() -> None:
    """API-17, API-33: each user has a client of its own by what its class, its instance and the module say at that
    time, whoever of the class was made before it."""
    code = """
import locust.contrib.fasthttp as fast, locust.user.users as users
from locust import FastHttpUser
from locust.clients import HttpSession
environment = Environment()
seen = []
def see(*made):
    for user in made:
        client = user.client
        row = [type(client).__name__, client.base_url, client.user is user,
               client.request_event is user.environment.events.request]
        if isinstance(user, HttpUser):
            row += [client.trust_env, client.verify, dict(client.cookies), "X" in client.headers,
                    client.auth and vars(client.auth)]
        else:
            row += [len(client.cookiejar), client.auth_header]
        seen.append(row)
    clients = [user.client for user in made]
    seen.append(len({id(client) for client in clients}) == len(clients))
class Plain(HttpUser):
    host = "http://a"
    @task
    def t(self): pass
class Fast(FastHttpUser):
    host = "http://a"
    @task
    def t(self): pass
for kind in (Plain, Fast):
    first, second = kind(environment), kind(environment)
    if kind is Plain:
        first.client.headers["X"] = "1"
        first.client.cookies.set("c", "1")
        first.client.verify = False
    see(first, second, kind(environment), kind(Environment()))
    kind.host = "http://b"
    see(kind(environment), kind(environment))
    kind.host = "http://user:word@c"
    see(*[kind(environment) for _ in range(3)])
    class Numbered(kind):
        count = 0
        @property
        def host(self):
            Numbered.count += 1
            return f"http://host-{min(Numbered.count, 9)}"
    class Given(kind):
        def __init__(self, *args, **kwargs):
            self.host = kwargs.pop("to")
            super().__init__(*args, **kwargs)
            self.more = 1
    class Beside:
        def __init__(self, *args):
            self.beside = args
    class Mixed(kind, Beside): pass
    class Late(kind):
        client = "none"
    numbered = [Numbered(environment).client.base_url for _ in range(2)]
    seen.append(len(set(numbered)))
    see(Given(environment, to="http://x"), Given(environment=environment, to="http://y"))
    seen.append([Mixed(environment).beside, Mixed(environment).beside, Late(environment).client.base_url])
    kind.host = None
    try:
        kind(environment)
    except Exception as error:
        seen.append(type(error).__name__)
    kind.host = "http://d"
    module, name = (users, "HttpSession") if kind is Plain else (fast, "FastHttpSession")
    former = getattr(module, name)
    see(kind(environment))
    setattr(module, name, type("Other", (former,), {}))
    see(kind(environment), kind(environment))
    setattr(module, name, former)
    see(kind(environment), kind(environment))
fast.LocustUserAgent.valid_response_codes = frozenset([200])
Fast.insecure, Fast.default_headers = False, {"A": "1"}
see(Fast(environment), Fast(environment))
for wrong in ((), (environment, 1)):
    try:
        Plain(*wrong)
    except TypeError:
        seen.append("TypeError")
user = User(Environment())
seen.append([hasattr(user, "client"), hasattr(Plain(environment), "client")])
user.client = 5
seen.append(user.client)
del user.client
seen.append(hasattr(user, "client"))
out(json.loads(json.dumps(seen, default=repr)))
"""
    assert ENGINES[0].snippet(code) == ENGINES[1].snippet(code)


def test_thousands_are_stopped_and_started_again() -> None:
    """API-93 to API-95: whatever users are in the middle of, nobody is left, on_stop ran once for each, and memory does
    not grow."""
    code = """
import gc
from locust import TaskSet
counts = {"stop": 0, "set": 0, "task": 0}
class Waits(User):
    wait_time = constant(60)
    @task
    def t(self): counts["task"] += 1
class Stops(Waits):
    def on_stop(self): counts["stop"] += 1
class Sleeps(User):
    @task
    def t(self): gevent.sleep(60)
class Nested(User):
    wait_time = constant(60)
    @task
    class Inner(TaskSet):
        def on_stop(self): counts["set"] += 1
        @task
        def t(self): counts["task"] += 1
class Own(User):
    def run(self): gevent.sleep(60)
class Stopping(Waits):
    def stop(self, force=False): return super().stop(force=True)
kinds = [Waits, Stops, Sleeps, Nested, Own, Stopping]
environment = Environment(user_classes=kinds)
runner = environment.create_local_runner()
def resident():
    with open("/proc/self/statm") as file: return int(file.read().split()[1]) * 4096
rows, sizes = [], []
for turn in range(10):
    environment.stop_timeout = 0.2 if turn % 3 == 2 else 0
    counts.update(stop=0, set=0, task=0)
    runner.start(1200, 1200)
    runner.spawning_greenlet.join()
    while counts["task"] < 800: gevent.sleep(0.05)
    if turn == 5:
        runner.stop_users({"Stops": 100})
        rows.append([counts["stop"], runner.user_count, runner.user_classes_count["Stops"]])
    runner.stop()
    rows.append([runner.user_count, counts["stop"], counts["set"], counts["task"]])
    gevent.sleep(0)  # who waited for the last one goes on before that one is let go of
    gc.collect()
    sizes.append(resident())
users = [found for found in gc.get_objects() if isinstance(found, User)]
out([rows, len(users), sizes[-1] - sizes[3] < 2_000_000])
"""
    rows, left, is_flat = ENGINES[0].snippet(code)
    assert rows.pop(5) == [100, 1100, 100]
    assert rows == [[0, 200, 200, 800]] * 10
    assert left == 0
    assert is_flat


def test_ended_users_need_no_collector() -> None:
    """What an ended user's parts hold of one another does not keep them; what somebody else has of them stays whole."""
    code = """
import gc
from locust import FastHttpUser
class Plain(HttpUser):
    host = "http://a"
    wait_time = constant(60)
    @task
    def t(self): pass
class Ends(Plain):
    @task
    def t(self): raise StopUser()
class Fast(FastHttpUser):
    host = "http://a"
    wait_time = constant(60)
    @task
    def t(self): pass
class Watched(Plain):
    def __del__(self): log.append(self.client.base_url)
gc.collect()
gc.disable()
found = []
for kind in (Plain, Ends, Fast, Watched):
    environment = Environment(user_classes=[kind])
    runner = environment.create_local_runner()
    runner.start(20, 20)
    runner.spawning_greenlet.join()
    held = list(runner.user_greenlets)[3].args[0] if kind is not Ends else None
    client = list(runner.user_greenlets)[4].args[0].client if kind is not Ends else None
    rest(0.1)
    runner.stop()
    gevent.sleep(0)  # who waited for the last one goes on before that one is let go of
    alive = [each for each in gc.get_objects() if type(each) is kind]
    found.append([len(alive), held is None or [held.client.base_url, held._taskset_instance.user is held,
                                               held.greenlet.dead, client.user.client is client]])
    del held, client, alive
gc.enable()
gc.collect()
out([found, len(log)])
"""
    whole = ["http://a", True, True, True]
    found, finalized = ENGINES[0].snippet(code)
    assert found == [[2, whole], [0, True], [2, whole], [20, whole]]
    assert finalized == 20
