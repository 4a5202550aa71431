"""The command: locustfiles, output, exit statuses, shutdown. locust.main and locust.util.load_locustfile."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from locust.util.url import what_is_wrong
from oracle import ENGINES, LOCUSTFILE, Engine, Finished, side_by_side


def write(folder: Path, content: str = LOCUSTFILE, name: str = "locustfile.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


RUN = ["--headless", "-u", "2", "-r", "2", "-t", "1", "--only-summary"]


def test_headless_run(engine: Engine, tmp_path: Path) -> None:
    """CLI-13, CLI-81, CLI-97, CLI-98, CLI-100, EVT-28, EVT-29."""
    hooks = "init test_start spawning_complete test_stopping test_stop quitting quit"
    listeners = f"""
for hook in {hooks.split()!r}:
    def listen(hook=hook, **kw):
        print("EVENT", hook, *sorted(kw), *([kw["exit_code"]] if "exit_code" in kw else []), flush=True)
    getattr(events, hook).add_listener(listen)
"""
    write(tmp_path, LOCUSTFILE + listeners)
    done = engine.command(*RUN, cwd=tmp_path)
    assert done.status == 0
    seen = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("EVENT")]
    assert seen == [
        ["init", "environment", "runner", "web_ui"],
        ["test_start", "environment"],
        ["spawning_complete", "user_count"],
        ["test_stopping", "environment"],
        ["test_stop", "environment"],
        ["quitting", "environment"],
        ["quit", "exit_code", "0"],
    ]
    stamp = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] [^/. ]+/INFO/"
    for line in (
        r"locust\.main: Starting .*2\.47\.0.*",
        r"locust\.main: Run time limit set to 1 seconds",
        r"locust\.runners: Ramping to 2 users at a rate of 2\.00 per second",
        r'locust\.runners: All users spawned: \{"A": 2\} \(2 total users\)',
        r"locust\.main: --run-time limit reached, shutting down",
        r"locust\.main: Shutting down \(exit code 0\)",
    ):
        assert re.search(f"^{stamp}{line}$", done.stderr, re.MULTILINE), line
    assert done.stderr.count("Aggregated") == 2


# What is added to LOCUSTFILE and to the command line, and the status of that run.
EXITS: dict[str, tuple[str, list[str], int]] = {
    "CLI-82-request": (
        (
            "A.t = lambda s: 0\nA.tasks = [lambda s: events.request.fire("
            "request_type='T', name='n', response_time=1, response_length=0, exception=ValueError('x'))]\n"
        ),
        [],
        1,
    ),
    "CLI-82-task": ("def bad(user): raise ValueError('x')\nA.tasks = [bad]\n", [], 1),
    "CLI-48": ("def bad(user): raise ValueError('x')\nA.tasks = [bad]\n", ["--exit-code-on-error", "0"], 0),
    "CLI-83-listener": ("@events.test_start.add_listener\ndef bad(**_): raise ValueError('x')\n", [], 2),
    "CLI-84-init": ("@events.init.add_listener\ndef bad(**_): raise ValueError('x')\n", [], 1),
    "CLI-86": (
        "@events.quitting.add_listener\ndef decide(environment, **_): environment.process_exit_code = 42\n",
        [],
        42,
    ),
    "API-90": ("def stop(user): sys.exit(7)\nA.tasks = [stop]\n", [], 7),
    "API-91": ("def stop(user): raise KeyboardInterrupt\nA.tasks = [stop]\n", ["-u", "1"], 0),
    "API-26": ("def init(self, env): raise ValueError('x')\nA.__init__ = init\n", [], 2),
    "API-86": (
        "from locust.exception import StopTest\ndef init(self, env): raise StopTest('x')\nA.__init__ = init\n",
        [],
        0,
    ),
    "API-18": ("A.weight = 0\n", [], 1),
    "API-107": ("B = A\n", [], 1),
    "CLI-78": ("", ["NoSuchClass"], 1),
    "CLI-15": ("", ["--autoquit", "3"], 1),
    "CLI-24": ("", ["--master", "--worker"], 255),
    "CLI-73": ("", ["-f", "nothing.py"], 1),
    "CLI-73-name": ("", ["-f", "locustfile"], 1),
    "CLI-74": ("", ["-f", "-"], 1),
    "CLI-75": ("import no_such_module\n", [], 1),
    "CLI-75-syntax": ("def broken(:\n", [], 1),
    "CLI-77": ("del A\n", [], 1),
}


@pytest.fixture(scope="module")
def exits(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[Finished]]]:
    """Those of EXITS that were asked for, by the names of program and case. They sleep most of the time, so several run
    at once."""

    def run(engine: Engine, name: str) -> Finished:
        addition, args, _ = EXITS[name]
        folder = tmp_path_factory.mktemp("exit")
        write(folder, LOCUSTFILE + addition)
        return engine.command(*RUN, *args, cwd=folder)

    items = [item for item in request.session.items if item.path == Path(__file__) and hasattr(item, "callspec")]
    chosen = [
        (item.callspec.params["engine"], item.callspec.params["case"])
        for item in items
        if "case" in item.callspec.params
    ]
    with ThreadPoolExecutor(6) as pool:
        yield {(one.name, name): pool.submit(run, one, name) for one, name in chosen if one.python is not None}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", EXITS)
def test_exit_status(engine: Engine, exits: dict[tuple[str, str], Future[Finished]], case: str) -> None:
    done = exits[engine.name, case].result()
    assert done.status == EXITS[case][2], done.stderr
    if engine.is_ours:
        assert len(done.stderr.splitlines()) > 0
        assert "site-packages/cload" not in done.stderr


def test_import_errors_show_only_the_locustfile(tmp_path: Path) -> None:
    """CLI-75."""
    path = write(tmp_path, "def f():\n    return 1 / 0\nf()\n")
    lines = ENGINES[0].command(cwd=tmp_path).stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{path}", line 3, in <module>',
        f'  File "{path}", line 2, in f',
    ]
    assert lines[-1] == "ZeroDivisionError: division by zero"
    write(tmp_path, "def f(:\n")
    text = ENGINES[0].command(cwd=tmp_path).stderr
    assert "Traceback" not in text
    assert "SyntaxError" in text


def test_which_files_and_classes(engine: Engine, tmp_path: Path) -> None:
    """CLI-69, CLI-70, CLI-71, CLI-76, CLI-77, CLI-105, API-20, API-228."""
    write(
        tmp_path, "import helper\nfrom locust import User\nclass A(User): pass\nclass B(A): abstract = True\n", "d/a.py"
    )
    write(tmp_path, "from a import A\nfrom locust import User\nclass C(User): pass\n", "d/_c.py")
    write(tmp_path, "x = 1\n", "d/helper.py")
    write(tmp_path, "from locust import User\nclass A(User): pass\n", "other.py")
    write(tmp_path, "", "empty.py")
    (tmp_path / "nothing").mkdir()

    def listed(files: str) -> object:
        done = engine.command("-f", files, "--list", cwd=tmp_path)
        return done.stdout if done.status == 0 else done.status

    head = "Available Users:\n"
    expected = {
        "d/a.py, other.py": 1,
        "d/a.py,d/_c.py": head + "    A\n    C\n",
        "d": head + "    A\n",
        "nothing": 1,
        "empty.py": head,
    }
    assert dict(zip(expected, side_by_side(listed, expected), strict=True)) == expected
    if engine.is_ours:
        # Real Locust cannot be started as a module in a folder with a locust.py.
        write(tmp_path, "from locust import User\nclass D(User): pass\nE = D\n", "locust.py")
        assert listed("locust.py") == head + "    D\n    E\n"


def test_task_ratio(engine: Engine, tmp_path: Path) -> None:
    """CLI-46, CLI-106, CLI-107, API-226."""
    write(
        tmp_path,
        """
from locust import User, TaskSet, task
class A(User):
    weight = 3
    @task(3)
    def ok(self): pass
    @task
    class Sub(TaskSet):
        @task(2)
        def s1(self): pass
        @task
        def s2(self): pass
    @task
    def last(self): pass
class B(User):
    @task
    def b(self): pass
class C(User):
    fixed_count = 2
    @task
    def c(self): pass
""",
    )
    done = engine.command("--show-task-ratio", "-u", "10", cwd=tmp_path)
    assert done.status == 0
    assert [line.rstrip() for line in done.stdout.splitlines()] == [
        "",
        " Task ratio per User class",
        "-" * 80,
        " 60.0       A",
        "   60.0       ok",
        "   20.0       Sub",
        "     66.7       s1",
        "     33.3       s2",
        "   20.0       last",
        " 20.0       B",
        "   100.0      b",
        " 20.0       C",
        "   100.0      c",
        "",
        " Total task ratio",
        "-" * 80,
        " 60.0       A",
        "   36.0       ok",
        "   12.0       Sub",
        "     8.0        s1",
        "     4.0        s2",
        "   12.0       last",
        " 20.0       B",
        "   20.0       b",
        " 20.0       C",
        "   20.0       c",
    ]
    shown = json.loads(engine.command("--show-task-ratio-json", "A", cwd=tmp_path).stdout)
    leaf = {"s1": {"ratio": 2 / 3}, "s2": {"ratio": 1 / 3}}
    assert shown["per_class"]["A"]["tasks"]["Sub"] == {"ratio": 0.2, "tasks": leaf}
    assert sorted(shown) == ["per_class", "total"]


def test_signals(engine: Engine, tmp_path: Path) -> None:
    """CLI-89, CLI-90, EVT-30."""
    hooks = """
for hook in ("quitting", "test_stopping", "test_stop", "quit"):
    getattr(events, hook).add_listener(lambda hook=hook, **_: print(hook, flush=True))
A.on_stop = lambda self: print("on_stop", flush=True)
events.spawning_complete.add_listener(lambda **_: print("ready", flush=True))
"""
    write(tmp_path, LOCUSTFILE + hooks)
    for number in (signal.SIGINT, signal.SIGTERM):
        process = engine.start("--headless", "--only-summary", cwd=tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        stdout, stderr = engine.interrupt(process, number)
        assert stdout.split() == ["quitting", "test_stopping", "on_stop", "test_stop", "quit"]
        assert process.returncode == 0, stderr
        assert stderr.count("Aggregated") == 2
        assert ("SIGTERM" in stderr) == (number == signal.SIGTERM)


def test_shape(engine: Engine, tmp_path: Path) -> None:
    """CLI-80, API-146, API-148, API-149."""
    shape = """
from locust import LoadTestShape
class S(LoadTestShape):
    def tick(self):
        if self.get_run_time() < 1.5: return (2, 2)
        FAIL
"""
    endings = {0: "return None", 2: "raise ValueError('tick')"}

    def run(status: int) -> Finished:
        folder = tmp_path / str(status)
        write(folder, LOCUSTFILE + shape.replace("FAIL", endings[status]))
        return engine.command("--headless", "-u", "5", "--only-summary", cwd=folder)

    for status, done in zip(endings, side_by_side(run, endings), strict=True):
        assert done.status == status, done.stderr
        assert done.stderr.count("/WARNING/") == 2
        assert '{"A": 2}' in done.stderr


def test_files_and_json(engine: Engine, tmp_path: Path) -> None:
    """CLI-35, CLI-41, CLI-42, CLI-45."""
    write(tmp_path)
    files = [*RUN, "--csv", "out/run", "--logfile", "logs/x.log", "--json-file", "out/x.json"]
    done, printed = side_by_side(lambda args: engine.command(*args, cwd=tmp_path), [files, [*RUN, "--json"]])
    assert done.status == 0, done.stderr
    names = ["run_exceptions.csv", "run_failures.csv", "run_stats.csv", "run_stats_history.csv", "x.json.json"]
    own = {"run_phases.csv", "run_generator.csv"}
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert sorted(found - own if engine.name == "cload" else found) == names
    assert "Ramping to 2 users" in (tmp_path / "logs" / "x.log").read_text()
    assert "Ramping" not in done.stderr
    shown = json.loads(printed.stdout)
    assert [entry["name"] for entry in shown] == ["n"]


def test_tags_and_classes(engine: Engine, tmp_path: Path) -> None:
    """CLI-34, CLI-50, CLI-53, API-47."""
    write(
        tmp_path,
        LOCUSTFILE
        + """
from locust import tag
class B(A):
    @tag("x")
    @task
    def u(self):
        events.request.fire(request_type="T", name="u", response_time=5, response_length=1)
""",
    )
    done = engine.command(*RUN, "B", "-T", "x", cwd=tmp_path)
    assert '{"B": 2}' in done.stderr
    table = done.stderr.split("Response time percentiles")[0]
    assert [line.split()[1] for line in table.splitlines() if line.startswith("T ")] == ["u"]


def test_pytest_style(engine: Engine, tmp_path: Path) -> None:
    """API-229: in a project with options for pytest, too."""
    write(tmp_path, "[pytest]\naddopts = -ra -v --tb=short\n", "pytest.ini")
    write(
        tmp_path,
        "def test_a(session):\n    session.get('/x')\n"
        "def test_b(fastsession):\n    fastsession.get('/y').raise_for_status()\n"
        "import time, gevent\n"
        "from locust import events\n"
        "names = set()\n"
        "@events.init.add_listener\n"
        "def on_init(environment, **_):\n"
        "    @events.request.add_listener\n"
        "    def on_request(name, **_):\n"
        "        names.add(name)\n"
        "        time.sleep(0.05)\n"
        "        if len(names) == 2: gevent.spawn(environment.runner.quit)\n",
    )
    lines = [[*RUN, "-t", "60", "-H", "http://127.0.0.1:9"], ["--list"]]
    done, listed = side_by_side(lambda line: engine.command(*line, cwd=tmp_path), lines)
    assert '{"test_a": 1, "test_b": 1}' in done.stderr
    if engine.is_ours:
        # Real Locust's users do not survive a refused connection.
        assert done.status == 1
        assert {line.split()[1] for line in done.stderr.splitlines() if line.startswith("GET ")} == {"/x", "/y"}
    assert listed.stdout == "Available Users:\n    test_a\n    test_b\n"


def test_host_without_scheme_is_explained(tmp_path: Path) -> None:
    write(
        tmp_path,
        "from locust import HttpUser, task\nclass A(HttpUser):\n    @task\n    def t(self): self.client.get('/')\n",
    )
    done = ENGINES[0].command(*RUN, "-H", "localhost:1", cwd=tmp_path)
    assert "'localhost:1': without http:// or https://" in done.stderr


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("http://[::1", "IPv6 URL. A host is like https://"),
        ("http://a:99999", "Port out of range"),
        ("http://a:b", "A host is like"),
        ("https:///x", "no name of a host"),
        ("http://a b", "a blank"),
        ("ftp://a", "without http://"),
        ("HTTPS://a_b:443/c?d", None),
        ("http://[fe80::1%25eth0]:80", None),
    ],
)
def test_what_is_wrong_with_a_host(host: str, words: str | None) -> None:
    """CLI-4"""
    wrong = what_is_wrong(host)
    assert wrong is None if words is None else words in str(wrong)


def test_run_time_begins_with_the_test(tmp_path: Path) -> None:
    """Locust counts the import of the locustfile too, and ends this test at once."""
    write(
        tmp_path, "import time\nend = time.perf_counter() + 1.5\nwhile time.perf_counter() < end: pass\n" + LOCUSTFILE
    )
    done = ENGINES[0].command(*RUN, cwd=tmp_path)
    moments = {
        word: datetime.strptime(line[1:24], "%Y-%m-%d %H:%M:%S,%f")
        for line in done.stderr.splitlines()
        for word in ("Run time limit", "limit reached")
        if word in line
    }
    assert (moments["limit reached"] - moments["Run time limit"]).total_seconds() >= 0.99


def test_end_waits_for_its_thread_to_begin() -> None:
    """A process that ends before a thread it started got its first turn crashes in Python's finalization."""
    code = """
from locust import _ending
begin, begun = _ending._start_new_thread, []
def late(function, args):
    def run():
        _ending._thread_sleep(0.2)
        begun.append(1)
        function(*args)
    return begin(run, ())
_ending._start_new_thread = late
_ending.watch_end(None)
out(begun)
"""
    assert ENGINES[0].snippet(code) == [1]
