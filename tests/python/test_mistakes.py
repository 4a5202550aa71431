"""What somebody reads whose script or command line is wrong: one plain reason, none of our code, Locust's exit status.

The words are ours, so they are looked for on cload only; the status has to be Locust's, where that ends by itself.
"""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from oracle import ENGINES, Finished
from servers import Target

BASE = """
from locust import HttpUser, LoadTestShape, TaskSet, User, constant, events, task
class U(User):
    wait_time = constant(0.1)
    @task
    def t(self):
        pass
"""
RUN = ["--headless", "-u", "1", "-t", "1", "--only-summary"]


@dataclass
class Mistake:
    """Files, arguments, the status, and words that have to be there."""

    status: int
    words: str
    code: str = BASE
    args: list[str] = field(default_factory=lambda: list(RUN))
    files: dict[str, str | bytes] = field(default_factory=dict)
    # Locust's status where it is another one: a traceback, no end, or no complaint at all.
    locust: int | None = None


def shape(result: str) -> str:
    return BASE + f"class S(LoadTestShape):\n    def tick(self): {result}\n"


ALONE = ["--headless", "--only-summary"]
OUT_OF_TUPLE = "S returned {}. It has to return (users, users per second)"
MISTAKES = {
    # EVT-4, EVT-12
    "init": Mistake(
        1,
        "Uncaught exception in event handler:\nTraceback (most recent call last):\n  File",
        BASE + "@events.init.add_listener\ndef f(**_): raise ValueError('boom')\n",
    ),
    # EVT-15: with the place in the script, which no traceback shows
    "event": Mistake(
        2,
        "a response time must be a number of milliseconds, not 'x'\nThe event was fired by ",
        BASE + "        events.request.fire(request_type='T', name='n', response_time='x', response_length=1)\n"
        "        self.stop()\n",
    ),
    # API-26
    "constructor": Mistake(
        2,
        "Unhandled exception in greenlet (starting users):\nTraceback (most recent call last):\n  File",
        BASE + "    def __init__(self, e): raise ValueError('boom')\n",
    ),
    # API-149
    "tick": Mistake(
        2, "Unhandled exception in greenlet (following the load shape)", shape("raise ValueError('boom')"), ALONE
    ),
    "tick_text": Mistake(2, OUT_OF_TUPLE.format("'ab'"), shape("return 'ab'"), ALONE),
    "tick_number": Mistake(2, OUT_OF_TUPLE.format("5"), shape("return 5"), ALONE),
    "tick_nan": Mistake(2, OUT_OF_TUPLE.format("(nan, 1)"), shape("return float('nan'), 1"), ALONE),
    # API-78
    "wait_text": Mistake(
        1, "wait_time has to give a number of seconds, not 'x'", BASE + "    def wait_time(self): return 'x'\n"
    ),
    "wait_nan": Mistake(
        1,
        "wait_time has to give a number of seconds, not nan",
        BASE + "    def wait_time(self): return float('nan')\n",
        locust=-1,
    ),
    # API-46
    "set_in_itself": Mistake(
        2, "The task set T is among its own tasks", BASE + "class T(TaskSet): pass\nT.tasks = [T]\nU.tasks = [T]\n"
    ),
    "empty_set": Mistake(
        1,
        "U had no tasks left after filtering out task sets that have none",
        BASE + "class T(TaskSet): pass\nU.tasks = [T]\n",
    ),
    # CLI-9
    "weight": Mistake(
        2,
        "weight and fixed_count of U have to be numbers, not 'x' and 0",
        args=[*RUN, "--config-users", '{"user_class_name": "U", "weight": "x"}'],
    ),
    # CLI-5: more than a ramp will ever get to is a number like others
    "many": Mistake(0, "Ramping to 99999999999999999999 users", args=["--headless", "-u", "9" * 20, "-t", "1"]),
    # CLI-59, CLI-61
    "config": Mistake(2, "locust.conf is no text in UTF-8", files={"locust.conf": b"users = \xff\n"}, locust=1),
    "toml_table": Mistake(
        2, "[tool.locust.extra] is a table", files={"pyproject.toml": "[tool.locust.extra]\nx = 1\n"}, locust=1
    ),
    "toml_value": Mistake(
        2, "tool.locust has a value and is no table", files={"pyproject.toml": "[tool]\nlocust = 'x'\n"}, locust=0
    ),
    # CLI-59: as Windows' editors write it
    "mark": Mistake(
        0, "Ramping to 3 users", files={"locust.conf": "\ufeffusers = 3\n"}, args=["--headless", "-t1"], locust=2
    ),
    # CLI-66
    "dashes": Mistake(2, "argument -u/--users: expected one argument", args=["--headless", "-u", "--"], locust=-1),
    # CLI-69
    "comma": Mistake(1, "names no file, or has a comma too many", args=["-f", "locustfile.py,", *RUN]),
    # CLI-72: what comes with 404 is not run, even where it happens to be Python
    "url_404": Mistake(1, "404 Client Error", args=["-f", "TARGET/nope.py", *RUN]),
    # CLI-75
    "null": Mistake(1, "locustfile.py could not be imported", BASE + "\0"),
    # API-228: Python says what may have been meant
    "misspelled": Mistake(
        1,
        "AttributeError: type object 'U' has no attribute 'wait_tim'. Did you mean: 'wait_time'?",
        BASE + "U.wait_tim\n",
    ),
    # CLI-19, CLI-12
    "no_certificate": Mistake(
        2,
        "cannot serve TLS with the certificate no.pem (--tls-cert) and the key no.key",
        args=["--tls-cert", "no.pem", "--tls-key", "no.key", "-P", "0", "--web-host", "127.0.0.1"],
        locust=-1,
    ),
    # CLI-33, CLI-85
    "master_host": Mistake(
        255,
        "The master's address nowhere.invalid is unknown, see --master-host: Name or service not known",
        BASE + "import locust.runners\nlocust.runners.CONNECT_TIMEOUT = 0.1\nlocust.runners.CONNECT_RETRY_COUNT = 1\n",
        ["--worker", "--master-host", "nowhere.invalid"],
    ),
    "web_host": Mistake(2, "cannot listen on 300.1.2.3:8089: ", args=["--web-host", "300.1.2.3", "-P", "8089"]),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, target: Target) -> dict[tuple[str, str], Future[Finished]]:
    """All of them, four at a time."""
    pool = ThreadPoolExecutor(4)
    futures = {}
    for name, mistake in MISTAKES.items():
        for engine in ENGINES:
            if engine.python is None or (not engine.is_ours and mistake.locust == -1):
                continue
            folder = tmp_path_factory.mktemp(f"{name}_{engine.name}")
            (folder / "locustfile.py").write_text(mistake.code)
            for file, content in mistake.files.items():
                (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
            args = [arg.replace("TARGET", target.url) for arg in mistake.args]
            futures[name, engine.name] = pool.submit(
                engine.command, *args, cwd=folder, env={"HOME": str(folder)}, timeout=120
            )
    return futures


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, runs: dict[tuple[str, str], Future[Finished]]) -> None:
    """A reason in words of the user's own script, the right status, and no file of ours in a traceback."""
    mistake = MISTAKES[name]
    ours = runs[name, "cload"].result()
    assert ours.status == mistake.status, ours.stderr
    assert mistake.words in ours.stderr
    frames = re.findall(r'^  File "(.*?)"', ours.stderr, re.MULTILINE)
    if "No tasks defined" not in ours.stderr:
        assert all(Path(frame).name == "locustfile.py" for frame in frames), ours.stderr
    # Once for the task loop and once for who killed the user, as in Locust; all others once.
    assert ours.stderr.count("ValueError: ") + ours.stderr.count("TypeError: ") <= (2 if "wait" in name else 1)
    if (name, "locust") in runs:
        expected = mistake.status if mistake.locust is None else mistake.locust
        assert runs[name, "locust"].result().status == expected


NAMESAKES = ("requests", "urllib3", "flask", "werkzeug", "http", "email", "html", "queue", "token")


def test_files_called_like_modules(tmp_path: Path, target: Target) -> None:
    """API-228: neither a locustfile called requests.py, nor files beside it, take the place of what is still to be
    imported."""
    for name in NAMESAKES:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} of the wrong folder')\n")
    (tmp_path / "requests.py").write_text(
        "from locust import HttpUser, constant, task\nclass U(HttpUser):\n    wait_time = constant(0.1)\n"
        "    @task\n    def t(self):\n        self.client.get('/hello', stream=True)\n"
        "        self.environment.runner.quit()\n"
    )
    for engine in ENGINES:
        if engine.python is None:
            continue
        # -P: as the installed commands, which do not begin with the current folder.
        arguments = ["-f", "requests.py", "--headless", "-u", "1", "-t", "30", "--html", "report.html", "-H"]
        done = subprocess.run(
            [engine.python, "-P", "-m", engine.name, *arguments, target.url],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, "wrong folder" in done.stdout + done.stderr) == (0, False), done.stderr
        assert re.search(r"^GET +/hello +[1-9]", done.stderr, re.MULTILINE)
        assert (tmp_path / "report.html").stat().st_size > 10000
