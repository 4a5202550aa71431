"""What somebody finds in the morning whose load test ran where little worked: closed descriptors, no threads, no room
for files, a script that exits. What was measured is told, the status is Locust's, and what looks whole is whole."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from oracle import ENGINES, PATIENCE, Finished

BASE = """
import os, sys
from locust import User, constant, events, task
def end(user): user.environment.runner.quit()
class U(User):
    wait_time = constant(0.01)
    count = 0
    @task
    def t(self):
        self.environment.events.request.fire(
            request_type="GET", name="/a", response_time=1, response_length=1, exception=None, context={})
        U.count += 1
        if U.count >= 40: end(self)
"""
REPORTS = ["--csv", "x", "--html", "r.html", "--json-file", "j"]
EXIT = BASE + "def end(user): sys.exit(9)\n"
DESCRIPTORS = """
@events.test_start.add_listener
def look(**_):
    with open("descriptors", "w") as file:
        file.write(" ".join(os.readlink(f"/proc/self/fd/{number}") for number in range(3)))
"""
# As if the system had no room for another thread (ulimit -u).
NO_THREADS = """
import _thread
from gevent import monkey
def no(*_): raise RuntimeError("can't start new thread")
_thread.start_new_thread = no
monkey.saved["_thread"] = {**monkey.saved.get("_thread", {}), "start_new_thread": no}
ending = sys.modules.get("locust._ending")
if ending: ending._start_new_thread = no
"""
NO_FORK = "def no(*_): raise BlockingIOError(11, 'Resource temporarily unavailable')\nos.fork = no\n"
# As many put it into their scripts: neither `closed` nor `fileno()`.
TO_THE_LOG = """
import logging
class ToTheLog:
    def write(self, text): logging.getLogger("out").info(text.rstrip())
    def flush(self): pass
sys.stdout = ToTheLog()
"""
# The signal comes while a worker asks for its master.
ALARM = """
import os, signal
signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
signal.setitimer(signal.ITIMER_REAL, 1.5)
"""


@dataclass
class Case:
    """A script, arguments, what stands around the command (`{}`), and the status; Locust's if that is another one, -1
    where it is not asked."""

    code: str
    status: int
    args: list[str] = field(default_factory=list)
    around: str = "{}"
    locust: int | None = None


CASES = {
    "exit_in_task": Case(EXIT, 9, [*REPORTS, "-u", "20", "-r", "100"]),
    "exit_with_text": Case(BASE + "@events.quitting.add_listener\ndef f(**_): sys.exit('too slow')\n", 1, REPORTS),
    "closed": Case(BASE + DESCRIPTORS, 0, REPORTS, "{} <&- >&- 2>&-", -1),
    "closed_usage": Case(BASE, 2, ["--no-such-option"], "{} 2>&-", -1),
    "no_threads": Case(BASE + NO_THREADS, 0, locust=-1),
    "no_thread_for_names": Case(BASE + NO_THREADS, 2, ["--headful", "--web-host", "127.0.0.1"]),
    "no_fork": Case(BASE + NO_FORK, 1, ["--processes", "2"], locust=-1),
    "own_stdout": Case(BASE + TO_THE_LOG, 0, ["--json"]),
    "no_room": Case(BASE, 1, ["--html", "r.html", "--json-file", "j"], "ulimit -f 1; {}"),
    "not_ordinary": Case("class Odd(BaseException): pass\nraise Odd('odd')\n", 1),
    "worker_interrupted": Case(BASE + ALARM, 130, ["--worker", "--master-port", "1"], locust=-1),
    "import_interrupted": Case(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n", 130, locust=-signal.SIGINT
    ),
}
Runs = dict[tuple[str, str], tuple[Path, "Future[Finished]"]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All of them, four at a time."""
    pool = ThreadPoolExecutor(4)
    begun: Runs = {}

    def run(python: str, name: str, case: Case, folder: Path) -> Finished:
        args = ["-f", "locustfile.py", "--headless", "-t", "30", "--only-summary", *case.args]
        command = case.around.format(shlex.join([python, "-m", name, *args]))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LOCUST_")}
        done = subprocess.run(
            ["sh", "-c", "exec " + command if ";" not in command else command],
            cwd=folder,
            env={**environment, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    for name, case in CASES.items():
        for engine in ENGINES:
            if engine.python is not None and (engine.is_ours or case.locust != -1):
                folder = tmp_path_factory.mktemp(f"{name}_{engine.name}")
                (folder / "locustfile.py").write_text(case.code)
                begun[name, engine.name] = folder, pool.submit(run, engine.python, engine.name, case, folder)
    return begun


def ours(runs: Runs, name: str) -> tuple[Path, Finished]:
    folder, future = runs[name, "cload"]
    done = future.result()
    assert done.status == CASES[name].status, done.stderr
    return folder, done


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.locust != -1])
def test_status_is_that_of_locust(name: str, runs: Runs) -> None:
    """CLI-75, CLI-81, CLI-83, CLI-86."""
    if (name, "locust") not in runs:
        pytest.skip("there is no Locust to compare with")
    case = CASES[name]
    assert runs[name, "locust"][1].result().status == (case.status if case.locust is None else case.locust)


def requests_of(folder: Path) -> int:
    """As each report has them: all the same."""
    with open(folder / "x_stats.csv", newline="") as file:
        (total,) = (int(row["Request Count"]) for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    ((row),) = json.loads((folder / "j.json").read_text())
    assert row["num_requests"] == total
    assert (folder / "r.html").stat().st_size > 10000
    return total


def test_exit_in_a_task_tells_what_was_measured(runs: Runs) -> None:
    """CLI-81: with the status of sys.exit(), from whichever of many users comes first. Locust tells nothing."""
    folder, done = ours(runs, "exit_in_task")
    assert requests_of(folder) >= 40
    assert "Traceback" not in done.stderr


def test_exit_in_a_listener_tells_what_was_measured(runs: Runs) -> None:
    """CLI-81, EVT-30: the verdict of a `quitting` listener costs no report, and its text is said once."""
    folder, done = ours(runs, "exit_with_text")
    assert requests_of(folder) > 0
    assert done.stderr.count("too slow") == 1


def test_closed_descriptors(runs: Runs) -> None:
    """CLI-97: no socket gets the number of one that is meant for people; everything is in the files."""
    folder, _ = ours(runs, "closed")
    assert requests_of(folder) > 0
    assert (folder / "descriptors").read_text() == "/dev/null /dev/null /dev/null"
    ours(runs, "closed_usage")


def test_no_more_threads_and_processes(runs: Runs) -> None:
    """CLI-7, CLI-12, CLI-32: a run ends without the threads that watch its end; a web application and workers that
    cannot be started are told of."""
    _, done = ours(runs, "no_threads")
    assert "Aggregated" in done.stderr and "Traceback" not in done.stderr
    _, done = ours(runs, "no_thread_for_names")
    assert "can't start new thread: see ulimit -u" in done.stderr and "Traceback" not in done.stderr
    _, done = ours(runs, "no_fork")
    assert "Worker process 1 of 2 could not be started: Resource temporarily unavailable. See ulimit -u" in done.stderr
    assert "Traceback" not in done.stderr


def test_standard_output_of_a_script(runs: Runs) -> None:
    """CLI-41: an object with a write() and little else."""
    _, done = ours(runs, "own_stdout")
    assert '"num_requests": ' in done.stderr and "Traceback" not in done.stderr


def test_half_a_report_is_none(runs: Runs) -> None:
    """CLI-40, CLI-42: where there is no room nothing is left that looks like one, and numbers go to standard error."""
    folder, done = ours(runs, "no_room")
    assert [path.name for path in folder.iterdir()] == ["locustfile.py"]
    assert "The HTML report was not written: r.html: [Errno 27] File too large" in done.stderr
    assert "could not be written to j.json" in done.stderr and '"num_requests": ' in done.stderr


def test_worker_without_a_master_is_interrupted(runs: Runs) -> None:
    """DST-45: Ctrl-C ends it as before any test; it was not done with its work."""
    _, done = ours(runs, "worker_interrupted")
    assert "Traceback" not in done.stderr and done.stderr.count("Interrupted") == 1


def test_import_that_does_not_end_or_ends_oddly(runs: Runs) -> None:
    """CLI-75: Ctrl-C tells where the script was; of other exceptions only its own lines are shown."""
    folder, done = ours(runs, "import_interrupted")
    assert done.stderr == f"Interrupted while the locustfile was imported, at {folder}/locustfile.py:2\n"
    _, done = ours(runs, "not_ordinary")
    assert done.stderr.count("  File ") == 1 and "Odd: odd" in done.stderr
