"""The command with the web application, as master and worker, and what the environment tells it: both programs do the
same. Each test runs them side by side."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from certs import make_certs
from oracle import ENGINES, LOCUSTFILE, PATIENCE, Engine, environment_with, needs_locust, side_by_side
from servers import free_port

pytestmark = needs_locust

SCENARIOS: dict[str, Callable[[Engine, Path], Any]] = {}


def scenario(function: Callable[[Engine, Path], Any]) -> Callable[[Engine, Path], Any]:
    """Of the same name as the test that is about what it returns."""
    SCENARIOS[function.__name__] = function
    return function


# A master says "All users spawned" where its workers report that in time, and something else after a second without.
PATIENT = {"LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP": str(PATIENCE)}
Outcomes = Callable[[str], tuple[Any, Any]]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    """What a scenario returns for each program. All that were asked for run at once: most of the time they sleep."""
    chosen = {item.name.removeprefix("test_") for item in request.session.items if item.fspath == request.node.fspath}

    def run(name: str, engine: Engine) -> Any:
        folder = tmp_path_factory.mktemp(engine.name)
        (folder / "locustfile.py").write_text(LOCUSTFILE)
        return SCENARIOS[name](engine, folder)

    with ThreadPoolExecutor(6) as pool:
        running = {name: [pool.submit(run, name, engine) for engine in ENGINES] for name in SCENARIOS if name in chosen}

        def outcome(name: str) -> tuple[Any, Any]:
            ours, theirs = (future.result() for future in running[name])
            return ours, theirs

        yield outcome
        pool.shutdown(cancel_futures=True)


def get(url: str) -> requests.Response:
    """The answer, as soon as somebody listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return requests.get(url, verify=False, timeout=PATIENCE, allow_redirects=False)
        except requests.exceptions.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


class Running:
    """The command, and what it says."""

    def __init__(self, engine: Engine, folder: Path, *args: str, env: dict[str, str] | None = None) -> None:
        assert engine.python is not None
        self.is_ours = engine.is_ours
        self.log = folder / f"log{len(list(folder.iterdir()))}"
        with open(self.log, "w") as file:
            self.process = subprocess.Popen(
                [engine.python, "-m", engine.name, *args],
                cwd=folder,
                env=environment_with(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def expect(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while (match := re.search(pattern, self.log.read_text())) is None:
            assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        return match

    def finish(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None and number:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE / 4 if number and not self.is_ours else PATIENCE)
        except subprocess.TimeoutExpired:
            # Real Locust loses a Ctrl-C that comes while a finalizer runs.
            if self.is_ours or not number:
                raise
            self.process.send_signal(number)
            return self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()


ENDS_WHEN_ASKED = (
    LOCUSTFILE
    + """
@events.test_stop.add_listener
def wait(**_):
    import gevent
    while not os.path.exists("asked"): gevent.sleep(0.1)
"""
)


def web_options(engine: Engine, folder: Path, scheme: str, *args: str) -> Any:
    (folder / "locustfile.py").write_text(ENDS_WHEN_ASKED)
    port = free_port()
    shared = ["-P", str(port), "--web-base-path", "/base", "--autostart", "-t", "1", "--autoquit", "1"]
    one = Running(engine, folder, *shared, *args)
    shown = one.expect("Starting web interface at (.*)")[1].replace(str(port), "PORT").partition(",")[0]
    one.expect("All users spawned")
    paths = ("/base/", "/base/stats/requests", "/")
    answers = [get(f"{scheme}://127.0.0.1:{port}{path}").status_code for path in paths]
    (folder / "asked").touch()
    status = one.finish(0)
    return shown, answers, status, re.findall(r"(?:INFO|ERROR)/(\S+): --", one.log.read_text())


@scenario
def web_options_plain(engine: Engine, folder: Path) -> Any:
    # A certificate without its key is none.
    return web_options(
        engine, folder, "http", "--web-host", "*", "--web-host-display-name", "shown", "--tls-cert", "no.pem"
    )


@scenario
def web_options_tls(engine: Engine, folder: Path) -> Any:
    pair = make_certs(folder).server
    tls = ["--tls-cert", str(pair.cert), "--tls-key", str(pair.key)]
    return web_options(engine, folder, "https", "--web-host", "127.0.0.1", *tls)


ENDED = ([200, 200, 404], 0, ["locust.main", "locust.main"])


def test_web_options_plain(outcomes: Outcomes) -> None:
    """CLI-10, CLI-11, CLI-14, CLI-15, CLI-23: where it listens, what it prints, when it ends."""
    ours, theirs = outcomes("web_options_plain")
    assert ours == theirs == ("shown", *ENDED)


def test_an_address_of_ipv6_can_be_opened(tmp_path: Path) -> None:
    """CLI-10: what is printed, and opened with Enter, is a URL."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    port = free_port()
    one = Running(ENGINES[0], tmp_path, "--web-host", "::1", "-P", str(port))
    one.expect(rf"web interface at http://\[::1\]:{port}\b")
    one.finish()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_web_options_tls(outcomes: Outcomes) -> None:
    """CLI-19."""
    ours, theirs = outcomes("web_options_tls")
    assert ours == theirs == ("https://127.0.0.1:PORT/base", *ENDED)


@scenario
def login_own_pages_and_tables(engine: Engine, folder: Path) -> Any:
    pages = folder / "pages"
    pages.mkdir()
    for name in ("index.html", "auth.html"):
        (pages / name).write_text(f"own {name}")
    port = free_port()
    text = LOCUSTFILE + "@events.init.add_listener\ndef key(environment, web_ui, **_): web_ui.app.secret_key = 'x'\n"
    (folder / "locustfile.py").write_text(text)
    address = ["--web-host", "127.0.0.1", "-P", str(port), "--build-path", str(pages)]
    one = Running(engine, folder, *address, "--web-login")
    one.expect("Starting web interface")
    answer = get(f"http://127.0.0.1:{port}/")
    seen: list[Any] = [answer.status_code, answer.headers.get("Location", "").partition("?")[0]]
    one.finish()
    other = Running(engine, folder, *address, "--class-picker", "--print-stats", "--autostart", "-t", "1")
    other.expect("limit reached")
    other.expect("Aggregated(.|\n)*Aggregated")
    seen.append(get(f"http://127.0.0.1:{port}/").text)
    seen.append(other.finish())
    return seen


def test_login_own_pages_and_tables(outcomes: Outcomes) -> None:
    """CLI-18, CLI-20, CLI-21, CLI-37."""

    ours, theirs = outcomes("login_own_pages_and_tables")
    assert ours == theirs
    assert ours[2:] == ["own index.html", 0]


@scenario
def wrong_addresses(engine: Engine, folder: Path) -> Any:
    with socket.socket() as busy:
        busy.bind(("0.0.0.0", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        lines = (
            ["-P", port],
            ["--web-base-path", "x"],
            ["--master", "--headless", "--master-bind-port", port],
            ["--master", "--headless", "--master-bind-host", "300.1.1.1"],
        )
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda line: engine.command(*line, cwd=folder), lines))
    if engine.is_ours:
        assert [one.stderr for one in done if "Traceback" in one.stderr] == []
    return [one.status for one in done]


def test_wrong_addresses(outcomes: Outcomes) -> None:
    """CLI-12, CLI-23, CLI-25, CLI-26."""
    ours, theirs = outcomes("wrong_addresses")
    assert ours == theirs == [2, 1, 1, 1]


FLEET = (
    LOCUSTFILE
    + """
import locust.runners
# Seconds: no worker is given up on a busy machine.
locust.runners.HEARTBEAT_LIVENESS = 120
@events.init.add_listener
def show(environment, runner, **_):
    options = environment.parsed_options
    names = "run_time autostart csv_prefix stats_history_enabled html_file print_stats host num_users".split()
    # In one piece: several processes write to one file.
    os.write(1, f"ROLE {type(runner).__name__} { {name: getattr(options, name) for name in names} }\\n".encode())
@events.test_start.add_listener
def host(environment, runner=None, **_):
    os.write(1, f"HOST {type(environment.runner).__name__} {environment.host}\\n".encode())
"""
)


def roles(text: str) -> list[str]:
    return sorted(set(re.findall(r"^(?:ROLE|HOST) .*", text, re.MULTILINE)))


def left_of(children: list[str]) -> list[str]:
    """Those processes that do not end. (Who ended them need not have waited for it.)"""
    deadline = time.monotonic() + 60
    while left := [child for child in children if Path(f"/proc/{child}").exists()]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


@scenario
def processes(engine: Engine, folder: Path) -> Any:
    (folder / "locustfile.py").write_text(FLEET)
    args = [
        "--headless",
        "--processes",
        "2",
        "-u",
        "4",
        "-r",
        "4",
        "-t",
        "4",
        "--master-bind-port",
        str(free_port()),
    ]
    args += ["--csv", "c", "--csv-full-history", "--html", "r.html", "--host", "http://h", "--master-port"]
    args.append(args[args.index("--master-bind-port") + 1])
    one = Running(engine, folder, *args)
    one.expect("Sending spawn jobs")
    children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
    status = one.finish(0)
    text = one.log.read_text()
    left = left_of(children)
    files = sorted(path.name for path in folder.iterdir() if path.name.startswith(("c_", "r.")))
    own = ("c_phases.csv", "c_generator.csv")
    return (
        roles(text),
        status,
        len(children),
        left,
        [name for name in files if name not in own],
        re.findall(".*/(?:ERROR|CRITICAL)/.*", text),
    )


def test_processes(outcomes: Outcomes) -> None:
    """CLI-32, CLI-88, CLI-92: what children are told, what they report, that all end, and the status."""

    ours, theirs = outcomes("processes")
    # Real Locust's writer of files fails now and then on a busy machine, and says so.
    assert ours[:5] == theirs[:5]
    assert ours[1:4] == (0, 2, []) and ours[5] == []


@scenario
def workers(engine: Engine, folder: Path) -> Any:
    port = str(free_port())
    (folder / "locustfile.py").write_text(
        FLEET + "A.tasks = [lambda user: events.request.fire(request_type='T', name='n', response_time=1,"
        " response_length=0, exception=ValueError('x'))]\n"
    )
    master = Running(
        engine, folder, "--master", "--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
        "-u", "1", "-t", "5m", "--expect-workers", "1",
    )  # fmt: skip
    worker = Running(
        engine, folder, "--worker", "--master-host", "127.0.0.1", "--master-port", port,
        "-t", "1", "--autostart", "--host", "http://mine", "-u", "50",
    )  # fmt: skip
    worker.expect("HOST WorkerRunner")
    # A table with failures.
    master.expect(r"\nT +n +\d+ +[1-9]")
    status = master.finish()
    own = worker.finish(0)
    limited = "limit" in worker.log.read_text()
    return status, own in (0, 1), limited, roles(worker.log.read_text()), "Aggregated" in worker.log.read_text()


def test_workers(outcomes: Outcomes) -> None:
    """CLI-31, CLI-33, CLI-87, CLI-92: a worker is told by its master, and ends with it; its status is its own."""

    ours, theirs = outcomes("workers")
    assert ours == theirs
    assert ours[:3] == (1, True, False)


@scenario
def workers_wait(engine: Engine, folder: Path) -> Any:
    port = str(free_port())
    web = ["--web-host", "127.0.0.1", "-P", str(free_port())]
    master = Running(engine, folder, "--master", "--autostart", "-t", "1", "--master-bind-port", port, *web)
    wait = {"LOCUST_WORKER_ADDITIONAL_WAIT_BEFORE_READY_AFTER_STOP": "4"}
    worker = Running(engine, folder, "--worker", "--master-port", port, env=wait)
    lines = master.expect(r"\[(\S+ [\d:]+),.*stopping test(?:.|\n)*\[(\S+ [\d:]+),.*reported as ready")
    stopped, ready = map(datetime.fromisoformat, lines.groups())
    return (ready - stopped).total_seconds() >= 3, master.finish(), worker.finish(0)


def test_workers_wait(outcomes: Outcomes) -> None:
    """CLI-55: before a worker says that it is ready again."""
    ours, theirs = outcomes("workers_wait")
    assert ours == theirs == (True, 0, 0)


def test_parent_of_workers(tmp_path: Path) -> None:
    """CLI-88, CLI-91: the highest status of its children; the second Ctrl-C ends them hard."""
    (tmp_path / "locustfile.py").write_text(
        LOCUSTFILE + "os.register_at_fork(after_in_child=lambda: print('UP', flush=True))\n"
    )
    one = Running(ENGINES[0], tmp_path, "--worker", "--processes", "2", "--master-port", str(free_port()))
    one.expect("UP(.|\n)*UP")
    children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
    one.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert one.process.poll() is None
    assert one.finish(signal.SIGINT) == 1
    assert left_of(children) == []
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE + "os.register_at_fork(after_in_child=lambda: os._exit(3))\n")
    status = Running(ENGINES[0], tmp_path, "--worker", "--processes", "3", "--master-port", str(free_port())).finish(0)
    assert status == 3
    # A master whose workers cannot come does not wait for them (Locust's does, for ever).
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port()))
    two = Running(ENGINES[0], tmp_path, "--headless", "--processes", "2", *bind)
    assert two.finish(0) == 1
    assert "ended with status 3" in two.log.read_text() and "before the test began" in two.log.read_text()


SHOW_FILES = (
    LOCUSTFILE
    + """
@events.init.add_listener
def show(**_):
    import resource
    print("FILES", resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
    raise SystemExit(0)
"""
)


@scenario
def open_files(engine: Engine, folder: Path) -> Any:
    (folder / "locustfile.py").write_text(SHOW_FILES)
    seen = []
    for limit in ("-Sn 256", "-n 512"):
        line = f"ulimit {limit} && exec '{engine.python}' -m {engine.name} --headless"
        if limit == "-n 512" and os.geteuid() == 0:
            # root may raise every limit, unless it is not the same root any more
            line = (
                f"ulimit {limit} && exec setpriv --bounding-set -sys_resource --inh-caps -sys_resource"
                + line.partition("exec")[2]
            )
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment_with({}), capture_output=True, text=True
        )
        seen.append([re.findall(r"FILES \d+", done.stdout), "WARNING" in done.stderr])
    return seen


def test_open_files(outcomes: Outcomes) -> None:
    """CLI-96: raised where that is allowed, and a warning where it is not."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 10_000:
        pytest.skip("this process may not open 10000 files")

    ours, theirs = outcomes("open_files")
    assert ours == theirs
    assert ours == [[["FILES 10000"], False], [["FILES 512"], True]]


@scenario
def reset_at_the_end_of_each_ramp(engine: Engine, folder: Path) -> Any:
    (folder / "locustfile.py").write_text(
        LOCUSTFILE
        + """
import gevent
@events.test_start.add_listener
def again(environment, **_): gevent.spawn_later(1.5, environment.runner.start, 4, 100)
"""
    )
    done = engine.command("--headless", "--only-summary", "-u", "2", "-r", "9", "-t", "5", "--reset-stats", cwd=folder)
    return done.stderr.count("Resetting stats"), done.status


def test_reset_at_the_end_of_each_ramp(outcomes: Outcomes) -> None:
    """CLI-39."""

    ours, theirs = outcomes("reset_at_the_end_of_each_ramp")
    assert ours == (2, 0)
    # On a busy machine it is late with the second ramp.
    assert theirs in ((1, 0), (2, 0))


@scenario
def report_is_written_or_not(engine: Engine, folder: Path) -> Any:
    args = ["--headless", "--only-summary", "-u", "1"]
    stopped = Running(engine, folder, *args, "--html", "int.html")
    ended = Running(engine, folder, *args, "--html", "term.html")
    missing = Running(engine, folder, *args, "-t", "1", "--html", "locustfile.py/x.html")
    for one in (stopped, ended):
        one.expect("All users spawned")
    statuses = [stopped.finish(), ended.finish(signal.SIGTERM), missing.finish(0)]
    return statuses, (folder / "int.html").exists(), (folder / "term.html").exists()


def test_report_is_written_or_not(outcomes: Outcomes) -> None:
    """CLI-40, CLI-90: not after SIGTERM. CLI-15: what cannot be written is told, and the status tells it, too."""

    ours, theirs = outcomes("report_is_written_or_not")
    assert ours == theirs == ([0, 0, 1], True, False)


def test_wait_for_reports() -> None:
    """CLI-54: seconds, or a multiple of the interval of reports."""
    theirs = """
import locust.runners
from locust.runners import MasterRunner
def seconds():
    return MasterRunner._wait_for_workers_report_after_ramp_up(None)
"""
    ours = "from locust.runners import MasterRunner\nseconds = MasterRunner._wait_for_workers_report_after_ramp_up\n"
    rest = """
import sys
if sys.argv[1] != "none":
    os.environ["LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP"] = sys.argv[1]
out(seconds())
"""
    expected = {"none": 1.0, "2.5": 2.5, "3 * WORKER_REPORT_INTERVAL": 9.0}
    for engine, code in zip(ENGINES, (ours, theirs), strict=True):
        found = side_by_side(functools.partial(engine.snippet, "import os\n" + code + rest), expected)
        assert found == list(expected.values())


def test_nobody_patches(tmp_path: Path) -> None:
    """CLI-56."""
    code = "import os; os.environ['LOCUST_SKIP_MONKEY_PATCH'] = '1'; import {}; from gevent import monkey; "
    code += "print(monkey.is_module_patched('socket'))"
    for engine, name in zip(ENGINES, ("cload", "locust"), strict=True):
        assert engine.python is not None
        done = subprocess.run(
            [engine.python, "-c", code.format(name)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment_with({}),
        )
        assert done.stdout == "False\n", done.stderr


def test_signals_to_a_fleet(tmp_path: Path) -> None:
    """CLI-89, CLI-90, CLI-92: the files hold what the table says, all processes end, and the log is clean."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)

    def run(number: signal.Signals) -> None:
        folder = tmp_path / number.name
        folder.mkdir()
        args = [
            "--headless",
            "--only-summary",
            "-u",
            "2",
            "-r",
            "2",
            "--processes",
            "2",
            "--csv",
            "c",
            "--html",
            "r.html",
        ]
        args += ["-f", "../locustfile.py", "--master-bind-port", str(free_port())]
        one = Running(ENGINES[0], folder, *args, env=PATIENT)
        one.expect("All users spawned")
        time.sleep(1)
        children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
        assert one.finish(number) == 0
        text = one.log.read_text()
        assert "Traceback" not in text
        assert (folder / "r.html").exists() == (number == signal.SIGINT)
        shown = re.search(r"^T +n +(\d+)", text, re.MULTILINE)
        assert shown and int(shown[1]) > 0
        assert f"T,n,{shown[1]}," in (folder / "c_stats.csv").read_text()
        assert left_of(children) == []

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))


SHARED = """
import sys
from locust import HttpUser, constant, events, task

class Visitor(HttpUser):
    host = "http://127.0.0.1:1"
    wait_time = constant(1)

    @task
    def refused(self):
        self.client.get("/")

before = set()
os.register_at_fork(before=lambda: before.update(sys.modules))

@events.request.add_listener
def show(**_):
    print("LATE", sorted(set(sys.modules) - before), flush=True)
"""


def test_workers_that_end_early(tmp_path: Path) -> None:
    """CLI-32, CLI-88, CLI-91: who was killed is told at once, the others go on; what workers need is loaded before they
    are forked; of two Ctrl-C to all processes nobody shows a traceback."""
    (tmp_path / "locustfile.py").write_text("import os\n" + SHARED)
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port()))
    one = Running(ENGINES[0], tmp_path, "--headless", "-u", "2", "--processes", "2", *bind, env=PATIENT)
    one.expect("All users spawned")
    assert one.expect("LATE (.*)")[1] == "[]"
    first, second = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGKILL)
    one.expect(f"Worker process {first} was ended by signal 9")
    assert one.process.poll() is None and Path(f"/proc/{second}").exists()
    for _ in range(2):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(second), signal.SIGINT)
        one.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    # That of the second one is one's own, unless the test was over before.
    assert one.finish(0) in (0, 1, 130, -signal.SIGINT)
    text = one.log.read_text()
    assert "Traceback" not in text
    assert left_of([second]) == []
