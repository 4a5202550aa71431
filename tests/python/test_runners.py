"""locust.env, locust.runners and locust.shape, in one process."""

from __future__ import annotations

from locust.env import Environment
from oracle import Engine


def test_constants(engine: Engine) -> None:
    """API-129, API-130, API-131, API-120, API-107, API-114."""
    code = """
import locust.runners as r
names = [n for n in dir(r) if n.isupper() and (n.startswith("STATE_") or isinstance(getattr(r, n), (int, float)))]
environment = Environment()
out([{n: getattr(r, n) for n in names if n not in ("TYPE_CHECKING", "MAX_EXCEPTIONS")},
     issubclass(r.LocalRunner, r.Runner), issubclass(r.MasterRunner, r.DistributedRunner),
     issubclass(r.WorkerRunner, r.DistributedRunner), r.WorkerRunner.worker_index, environment.stop_timeout,
     environment.user_classes, environment.process_exit_code, environment.worker_logs, environment.catch_exceptions])
"""
    constants = {
        "CONNECT_RETRY_COUNT": 60,
        "CONNECT_TIMEOUT": 5,
        "CPU_MONITOR_INTERVAL": 10.0,
        "CPU_WARNING_THRESHOLD": 90,
        "FALLBACK_INTERVAL": 5,
        "HEARTBEAT_DEAD_INTERNAL": -60,
        "HEARTBEAT_INTERVAL": 1,
        "HEARTBEAT_LIVENESS": 3,
        "MASTER_HEARTBEAT_TIMEOUT": 60,
        "STATE_CLEANUP": "cleanup",
        "STATE_INIT": "ready",
        "STATE_MISSING": "missing",
        "STATE_RUNNING": "running",
        "STATE_SPAWNING": "spawning",
        "STATE_STOPPED": "stopped",
        "STATE_STOPPING": "stopping",
        "WORKER_LOG_REPORT_INTERVAL": 10,
        "WORKER_REPORT_INTERVAL": 3.0,
    }
    assert engine.snippet(code) == [constants, True, True, True, -1, 0.0, [], None, {}, True]


def test_environment_checks(engine: Engine) -> None:
    """API-18, API-19, API-105, API-107, API-108, API-128."""
    code = """
class A(User):
    weight = 0
class B(User):
    weight = 0
    fixed_count = 1
class C(User):
    weight = 0.5
def kind(**options):
    try:
        environment = Environment(**options)
        return sorted(environment.user_classes_by_name)
    except Exception as error:
        return type(error).__name__
class Shape(LoadTestShape):
    def tick(self): return None
environment = Environment()
environment.create_local_runner()
try:
    environment.create_local_runner()
except RunnerAlreadyExistsError:
    note("exists")
out([kind(user_classes=[A, B, C]), kind(user_classes=[A]), kind(user_classes=[C, type("C", (User,), {})]),
     kind(shape_class=Shape), kind(shape_class=Shape()), log])
"""
    assert engine.snippet(code) == [["B", "C"], "ValueError", "ValueError", "ValueError", [], ["exists"]]


def test_states_and_counts(engine: Engine) -> None:
    """API-132, API-133, API-134, API-135, API-136, API-137, API-112, API-113."""
    code = """
class U(User):
    wait_time = constant(30)
    host = "http://own"
    @task
    def t(self):
        events.request.fire(request_type="T", name="n", response_time=1, response_length=0)
class V(U):
    pass
environment = Environment(user_classes=[U, V], events=events, host="http://given", reset_stats=True)
environment.events.test_start.add_listener(lambda **_: note("test_start"))
runner = environment.create_local_runner()
states = [runner.state]
runner.start(4, 4)
states.append(runner.state)
until(lambda: runner.state == "running" and environment.stats.num_requests == 4)
states.append(runner.state)
facts = [runner.user_classes_count, runner.target_user_classes_count, runner.target_user_count, U.host,
         runner.worker_index, runner.worker_count, bool(runner.client_id), environment.stats.num_requests]
runner.start(1, 100)
until(lambda: runner.user_count == 1)
facts.append(runner.user_count)
runner.stop()
states.append(runner.state)
facts += [runner.user_count, runner.final_user_classes_count == {"U": 1, "V": 0} or runner.final_user_classes_count]
runner.stop()
runner.start(2, 2)
until(lambda: runner.user_count == 2)
facts += [runner.user_count, log]
runner.quit()
out([states, facts])
"""
    states, facts = engine.snippet(code)
    assert states == ["ready", "ready", "running", "stopped"]
    assert facts[:9] == [{"U": 2, "V": 2}, {"U": 2, "V": 2}, 4, "http://given", 0, 1, True, 4, 1]
    assert sum(facts[10].values()) == 1 if isinstance(facts[10], dict) else facts[10]
    assert facts[11:] == [2, ["test_start", "test_start"]]


def test_stop_before_start(engine: Engine) -> None:
    """API-136."""
    code = """
environment = Environment(user_classes=[])
environment.events.test_stopping.add_listener(lambda **_: note("stopping"))
environment.events.test_stop.add_listener(lambda **_: note("stop"))
runner = environment.create_local_runner()
runner.stop()
runner.stop()
out([log, runner.state])
"""
    assert engine.snippet(code) == [["stopping", "stop"], "stopped"]


def test_messages(engine: Engine) -> None:
    """API-140, API-141."""
    code = """
logging.disable()
environment = Environment()
runner = environment.create_local_runner()
def listener(environment, msg, **_): note(msg.type, msg.data, msg.node_id, environment is environment)
runner.register_message("m", listener)
runner.send_message("m", {"a": 1})
runner.send_message("unknown", 1)
def bad(environment, msg): raise KeyError("k")
runner.register_message("bad", bad, concurrent=True)
for attempt in (lambda: runner.register_message("m", listener), lambda: runner.send_message("bad")):
    try:
        attempt()
    except Exception as error:
        note(type(error).__name__)
out(log)
"""
    assert engine.snippet(code) == ["m {'a': 1} local True", "Exception", "KeyError"]


def test_direct_spawning(engine: Engine) -> None:
    """API-138, API-139."""
    code = """
class U(User):
    wait_time = constant(0)
    @task
    def t(self):
        gevent.sleep(0.1)
        raise StopUser()
class V(User):
    wait_time = constant(30)
    @task
    def t(self): pass
environment = Environment(user_classes=[U, V])
runner = environment.create_local_runner()
users = runner.spawn_users({"U": 2}, wait=True)
facts = [[type(u).__name__ for u in users], runner.user_count, runner.state]
runner.spawn_users({"V": 3})
until(lambda: runner.user_count == 3)
runner.stop_users({"V": 2})
facts.append(runner.user_classes_count)
runner.quit()
out(facts)
"""
    assert engine.snippet(code) == [["U", "U"], 0, "spawning", {"U": 0, "V": 1}]


def test_wait_needs_a_rate(engine: Engine) -> None:
    """API-134."""
    code = """
logging.disable()
class U(User):
    @task
    def t(self): pass
environment = Environment(user_classes=[U])
runner = environment.create_local_runner()
runner.start(5, 1, wait=True)
gevent.sleep(0.1)
out([runner.user_count, runner.state])
"""
    assert engine.snippet(code) == [0, "ready"]


def test_shape(engine: Engine) -> None:
    """API-145, API-146, API-147."""
    code = """
class U(User):
    wait_time = constant(30)
    @task
    def t(self): pass
class V(U):
    pass
class Shape(LoadTestShape):
    ticks = iter([(2, 10, [U]), (2, 10, [U]), (3, 10, [V]), None])
    def tick(self):
        # The time of a tick: each comes a second after the one before, or later.
        note(self.get_current_user_count(), min(len(log), round(self.get_run_time() + 0.4)))
        return next(self.ticks)
class Base(LoadTestShape):
    abstract = True
starts = []
environment = Environment(user_classes=[U, V], shape_class=Shape())
runner = environment.create_local_runner()
original = runner.start
runner.start = lambda **kw: (starts.append(kw["user_count"]), original(**kw))
runner.start_shape()
until(lambda: runner.user_count == 3)
counts = runner.user_classes_count
until(lambda: runner.state == "stopped" and runner.shape_greenlet is None)
try:
    LoadTestShape()
except TypeError:
    note("abstract")
out([starts, counts, runner.user_count, runner.state, runner.shape_greenlet, log, Base.abstract, Shape.abstract,
     Shape.use_common_options])
"""
    ticks = ["0 0", "2 1", "2 2", "3 3", "abstract"]
    assert engine.snippet(code) == [[2, 3], {"U": 2, "V": 1}, 0, "stopped", None, ticks, True, False, False]


def test_logs_of_workers_are_bounded() -> None:
    """DST-20: each worker that is started anew has a name of its own, and 500 lines."""
    environment = Environment(user_classes=[])
    for number in range(1500):
        environment.update_worker_logs({"worker_id": "stays", "logs": [str(number)]})
        environment.update_worker_logs({"worker_id": f"worker {number}", "logs": ["a"]})
    assert len(environment.worker_logs) == 1000
    assert environment.worker_logs["stays"] == ["1499"] and "worker 1499" in environment.worker_logs


def test_changing_classes(engine: Engine) -> None:
    """API-125, API-126, API-127."""
    code = """
class U(User):
    weight = 5
    @task(3)
    def a(self): pass
    @task
    def b(self): pass
    @task
    class Inner(TaskSet):
        @task(2)
        def c(self): pass
environment = Environment(user_classes=[U], available_user_classes={"U": U}, available_user_tasks={"U": U.tasks})
names = lambda: [t.__name__ for t in U.tasks]
environment.update_user_class({"user_class_name": "U", "tasks": ["a"], "host": "http://h"})
facts = [names(), U.host]
environment.update_user_class({"user_class_name": "U", "tasks": ["a", "b", "Inner"]})
facts.append(names())
try:
    environment.update_user_class({"user_class_name": "nope"})
except KeyError:
    facts.append("KeyError")
environment.update_worker_logs({"worker_id": "w", "logs": ["x"]})
environment.update_worker_logs({"logs": ["x"]})
environment.assign_equal_weights()
out([*facts, environment.worker_logs, sorted(names()), U.weight])
"""
    expected = [
        ["a", "a", "a"],
        "http://h",
        ["a", "a", "a", "b", "Inner"],
        "KeyError",
        {"w": ["x"]},
        ["a", "b", "c"],
        1,
    ]
    assert engine.snippet(code) == expected
