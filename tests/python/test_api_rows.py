"""Rows of the compatibility lists that no other file is about: each snippet gives the same on cload and real Locust."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from oracle import PATIENCE, Engine, both
from servers import Target, free_port, wait_for_port


def compare(code: str) -> Any:
    """What `code` gives to out(), which has to be the same on both."""
    whole = "from locust.event import Events\nfrom locust import User, task\n" + code
    ours, theirs = both(lambda engine: engine.snippet(whole))
    assert ours == theirs
    return ours


def test_exceptions() -> None:
    """API-98, API-99, API-102, API-103."""
    code = """
import locust.exception as e
names = [n for n in dir(e) if isinstance(getattr(e, n), type) and issubclass(getattr(e, n), Exception)]
error = e.RPCReceiveError("a", addr="b")
class Waitless(User):
    wait_time = None
    @task
    def nothing(self): pass
kinds = []
try:
    TaskSet(Waitless(Environment())).wait_time()
except Exception as raised:
    kinds.append(type(raised).__name__)
out([{n: getattr(e, n).__mro__[1].__name__ for n in names}, e.InterruptTaskSet().reschedule,
     e.InterruptTaskSet(reschedule=False).reschedule, error.addr, kinds])
"""
    assert compare(code)[1:] == [True, False, "b", ["MissingWaitTimeError"]]


def test_hooks_of_users() -> None:
    """API-28, API-52, API-77, API-96: on_start, on_stop, own wait_time, get_next_task, execute_task."""
    code = """
class Own(TaskSet):
    rounds = 0
    def get_next_task(self):
        note("next")
        return Own.work
    def execute_task(self, task):
        note("execute", task.__name__)
        super().execute_task(task)
    def wait_time(self):
        note("wait")
        return 0
    @task
    def work(self):
        self.rounds += 1
        if self.rounds == 2: raise StopUser
class Caller(User):
    tasks = [Own]
    def on_start(self): note("start")
    def on_stop(self):
        note("stop")
        raise ValueError("in on_stop")
from locust import log as locust_log
environment = run(Caller)
out([log, [str(e["msg"]) for e in environment.runner.exceptions.values()], locust_log.unhandled_greenlet_exception])
"""
    steps = ["start", "next", "execute work", "wait", "next", "execute work", "stop"]
    assert compare(code)[0] == steps


def test_warnings() -> None:
    """API-37, API-40."""
    code = """
import warnings
messages = []
class Keep(logging.Handler):
    def emit(self, record): messages.append(record.levelname)
logging.getLogger().addHandler(Keep())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    class Old(User):
        task_set = TaskSet
        @task
        def on_start(self): pass
    try: Old(Environment())
    except Exception: pass
out([[w.category.__name__ for w in caught if w.category is DeprecationWarning][:1], messages[:1]])
"""
    assert compare(code) == [["DeprecationWarning"], ["WARNING"]]


def test_environment() -> None:
    """API-109, API-110, API-111, API-115, API-116, API-117, API-118, API-119."""
    code = """
from locust.dispatch import UsersDispatcher
made = []
class Dispatcher(UsersDispatcher):
    def __init__(self, worker_nodes, user_classes):
        made.append([len(worker_nodes), [c.__name__ for c in user_classes]])
        super().__init__(worker_nodes, user_classes)
class Caller(User):
    @tag("a")
    @task
    def a(self): note("a"); time.sleep(0.05)
    @tag("b")
    @task
    def b(self): note("b"); time.sleep(0.05)
    def on_stop(self): note("stop")
environment = run(Caller, tags=["a"], exclude_tags=["c"], locustfile="f.py", profile="p", dispatcher_class=Dispatcher)
fresh = Environment()
class Failing(User):
    @task
    def fail(self): raise ValueError("once")
    def on_stop(self): note("never")
strict = run(Failing, catch_exceptions=False)
out([sorted(set(log)), environment.locustfile, environment.profile, environment.tags, environment.exclude_tags, made,
     fresh.events is not Environment().events, isinstance(fresh.events, Events), fresh.parsed_options,
     [getattr(fresh, n) for n in ("parsed_locustfiles", "available_user_classes", "available_shape_classes",
                                  "available_user_tasks", "profile", "tags", "locustfile")],
     strict.runner.user_count, fresh.catch_exceptions])
"""
    assert "a" in compare(code)[0]


def test_runners_of_a_fleet() -> None:
    """API-122, API-123, API-142, API-151, EVT-17, EVT-18, EVT-19, EVT-21, EVT-34: master and worker in one process."""
    code = """
import locust.runners
locust.runners.WORKER_REPORT_INTERVAL = 0.2
class Caller(User):
    wait_time = constant(0.1)
    @task
    def call(self): self.environment.events.request.fire(
        request_type="X", name="n", response_time=1, response_length=2, exception=None)
first = Environment(user_classes=[Caller])
master = first.create_master_runner("127.0.0.1", 0)
port = master.server.port
second = Environment(user_classes=[Caller])
def once(text):
    if text not in log: note(text)
first.events.worker_connect.add_listener(lambda client_id, **_: once("connect"))
def reported(client_id, data, **_):
    once("report " + " ".join(sorted(set(data) - {"cload_report", "cload_until"})))
first.events.worker_report.add_listener(reported)
second.events.report_to_master.add_listener(lambda client_id, data, **_: (once("to master"), data.update(extra=1)))
second.events.heartbeat_received.add_listener(lambda client_id, timestamp, **_: once("heartbeat"))
second.events.test_start.add_listener(lambda environment, **_: note("test_start"))
worker = second.create_worker_runner("127.0.0.1", port)
until(lambda: master.clients.ready and worker.connected and "heartbeat" in log)
ids = list(master.clients)
node = master.clients[ids[0]]
counts = [len(master.clients.ready), master.worker_count, ids == [worker.client_id],
          master.get_worker_index(worker.client_id), worker.worker_index, node.state, worker.connected]
for _ in range(2):
    master.start(2, 10)
    until(lambda: master.spawning_completed and master.clients.running and worker.user_count == 2)
    node = master.clients[ids[0]]
    until(lambda: node.user_count == 2)
    counts += [node.user_count, dict(master.reported_user_classes_count), master.spawning_completed, master.spawn_rate,
               len(master.clients.running), worker.user_count]
    before = first.stats.total.num_requests
    until(lambda: first.stats.total.num_requests > before + 3)
    master.stop()
    until(lambda: master.clients.ready)
try:
    worker.start(1, 1)
except NotImplementedError:
    counts.append("worker does not start")
total = first.stats.total.num_requests
master.quit()
out([counts, sorted(log), total > 3, first.stats.entries.keys() == {("n", "X")}, port > 0])
"""
    found = compare(code)
    assert found[1].count("test_start") == 2
    assert found[2:] == [True, True, True]


def test_statistics_idioms() -> None:
    """API-219, API-220."""
    code = """
import locust.stats as s
from locust.stats import RequestStats, StatsEntry, StatsError
names = ("RequestStats StatsEntry StatsError StatsCSV StatsCSVFileWriter stats_printer stats_history print_stats"
         " print_percentile_stats print_error_report get_stats_summary get_percentile_stats_summary"
         " get_error_report_summary sort_stats calculate_response_time_percentile print_stats_json"
         " CONSOLE_STATS_INTERVAL_SEC HISTORY_STATS_INTERVAL_SEC CSV_STATS_INTERVAL_SEC"
         " CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW PERCENTILES_TO_REPORT PERCENTILES_TO_STATISTICS"
         " PERCENTILES_TO_CHART").split()
environment = Environment()
for time_ms, error in ((10, None), (20, None), (30, ValueError("x"))):
    environment.events.request.fire(
        request_type="GET", name="/a", response_time=time_ms, response_length=5, exception=error, context={})
stats = environment.stats
out([[n for n in names if not hasattr(s, n)], stats.total.fail_ratio, stats.total.avg_response_time,
     stats.total.get_response_time_percentile(0.95), stats.get("/a", "GET").num_requests,
     stats.entries[("/a", "GET")].num_failures, len(stats.errors), stats.num_requests, stats.num_failures,
     stats.get("new", "GET").num_requests, ("new", "GET") in stats.entries, stats.history,
     [e.occurrences for e in stats.errors.values()]])
"""
    assert compare(code)[0] == []


def test_usage_monitor() -> None:
    """EVT-22, EVT-23."""
    code = """
import locust.runners as r
r.CPU_MONITOR_INTERVAL = 0.2
r.CPU_WARNING_THRESHOLD = -1
environment = Environment()
environment.events.usage_monitor.add_listener(
    lambda environment, cpu_usage, memory_usage, **_: note("usage", cpu_usage >= 0, memory_usage > 1e6))
environment.events.cpu_warning.add_listener(lambda environment, cpu_usage, **_: note("warning", cpu_usage >= 0))
runner = environment.create_local_runner()
until(lambda: len(set(log)) == 2 and runner.current_memory_usage and runner.cpu_warning_emitted)
out([sorted(set(log)), runner.current_memory_usage > 1e6, runner.cpu_warning_emitted])
"""
    assert compare(code)[0] == ["usage True True", "warning True"]


def test_shape_skips_to_now() -> None:
    """API-7, API-151: the shape's answers reach the dispatcher, each tuple once."""
    code = """
class Caller(User):
    wait_time = constant(1)
    @task
    def nothing(self): pass
class Steps(LoadTestShape):
    def tick(self):
        note(self.get_current_user_count())
        return [(1, 5), (1, 5), (3, 5), None][min(len(log) - 1, 3)]
environment = Environment(user_classes=[Caller], shape_class=Steps())
environment.events.spawning_complete.add_listener(lambda user_count, **_: counts.append(user_count))
counts = []
runner = environment.create_local_runner()
environment.shape_class.runner = runner
runner.start_shape()
runner.shape_greenlet.join()
out([log, counts, runner.state])
"""
    compare(code)


def test_hooks_around_the_end(engine: Engine, tmp_path: Path) -> None:
    """EVT-10, EVT-12, EVT-27: init comes with the runner, quitting decides the exit code; a bad listener ends it."""
    file = tmp_path / "f.py"
    file.write_text(
        "from locust import User, task, constant, events\n"
        "import os\n"
        "@events.init.add_listener\n"
        "def init(environment, runner, web_ui, **_):\n"
        "    print('init', type(runner).__name__, web_ui, flush=True)\n"
        "    if 'BAD' in os.environ: raise ValueError('no')\n"
        "@events.quitting.add_listener\n"
        "def first(environment, **_): print('first'); environment.process_exit_code = 5\n"
        "@events.quitting.add_listener\n"
        "def second(environment, **_): print('second')\n"
        "class Caller(User):\n"
        "    wait_time = constant(1)\n"
        "    @task\n"
        "    def nothing(self): pass\n"
    )
    done = engine.command("-f", str(file), "--headless", "-t", "1s", cwd=tmp_path)
    assert done.status == 5
    assert done.stdout.split()[:5] == ["init", "LocalRunner", "None", "second", "first"]
    bad = engine.command("-f", str(file), "--headless", "-t", "1s", cwd=tmp_path, env={"BAD": "1"})
    assert bad.status == 1


def test_web_session_that_never_ran(engine: Engine, tmp_path: Path) -> None:
    """EVT-31, API-124."""
    file = tmp_path / "f.py"
    file.write_text(
        "from locust import User, task, events\n"
        "def listen(name):\n"
        "    getattr(events, name).add_listener(lambda **_: print(name, flush=True))\n"
        "for name in ('init', 'test_start', 'quitting', 'test_stopping', 'test_stop', 'quit'): listen(name)\n"
        "class Caller(User):\n"
        "    @task\n"
        "    def nothing(self): pass\n"
    )
    port = free_port()
    process = engine.start("-f", str(file), "--web-host", "127.0.0.1", "--web-port", str(port), cwd=tmp_path)
    wait_for_port(port, process)
    urllib.request.urlopen(f"http://127.0.0.1:{port}/tasks", timeout=PATIENCE).close()
    stdout, stderr = engine.interrupt(process)
    names = stdout.split()
    assert [name for name in names if name.islower()] == ["init", "quitting", "test_stopping", "test_stop", "quit"], (
        stderr
    )


def test_reset_of_statistics(engine: Engine, tmp_path: Path) -> None:
    """EVT-24."""
    file = tmp_path / "f.py"
    file.write_text(
        "from locust import User, task, events\n"
        "@events.reset_stats.add_listener\n"
        "def reset(**kwargs): print('reset', kwargs, flush=True)\n"
        "class Caller(User):\n"
        "    @task\n"
        "    def nothing(self): pass\n"
    )
    port = free_port()
    process = engine.start("-f", str(file), "--web-host", "127.0.0.1", "--web-port", str(port), cwd=tmp_path)
    try:
        wait_for_port(port, process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/reset", b"", timeout=PATIENCE) as response:
            assert response.read() == b"ok"
    finally:
        stdout, stderr = engine.interrupt(process)
    assert stdout.startswith("reset {}"), stderr


def test_playwright_variable(engine: Engine) -> None:
    """API-14."""
    assert engine.python is not None
    first = "import cload\n" if engine.is_ours else ""
    code = "import sys\nsys.modules['trio'] = None\n" + first + "import locust\nprint('went on')"
    done = subprocess.run(
        [engine.python, "-c", code],
        env={**os.environ, "LOCUST_PLAYWRIGHT": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2


def test_pytest_plugin(engine: Engine, target: Target, tmp_path: Path) -> None:
    """API-230: the fixtures under plain pytest."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_session(session):\n"
        "    assert session.get('/hello').text == 'Hello, world!\\n'\n"
        "    with pytest.raises(Exception): session.get('/status/404').raise_for_status()\n"
        "    with session.get('/status/404', catch_response=True) as response: response.success()\n"
        "    response.raise_for_status()\n"
        "def test_fast(fastsession):\n"
        "    assert fastsession.get('/hello').status_code == 200\n"
        "    with pytest.raises(Exception): fastsession.get('/status/404').raise_for_status()\n"
    )
    assert engine.python is not None
    plugin = ["-p", "cload.pytest_plugin"] if engine.python == sys.executable else []
    done = subprocess.run(
        [engine.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, "--host", target.url, "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout
