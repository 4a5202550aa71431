"""What is used beside the engine: debuggers, other interpreters and processes, users that are not HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from oracle import ENGINES, PATIENCE, Engine
from servers import Target, free_port, wait_for_port


def test_breakpoint_in_a_task(engine: Engine, target: Target, tmp_path: Path) -> None:
    """A debugger reads from standard input; tracebacks in the log show the script's lines, and here only those."""
    assert engine.python is not None
    (tmp_path / "f.py").write_text(
        "from locust import HttpUser, task, constant\n"
        "from locust.exception import StopUser\n"
        "class Caller(HttpUser):\n"
        "    wait_time = constant(0)\n"
        "    rounds = 0\n"
        "    @task\n"
        "    def call(self):\n"
        "        self.rounds += 1\n"
        "        if self.rounds == 2:\n"
        "            self.environment.runner.quit()\n"
        "            raise StopUser\n"
        "        answer = self.client.get('/hello')\n"
        "        breakpoint()\n"
        "        helper(answer)\n"
        "def helper(answer):\n"
        "    raise ValueError('mine')\n"
    )
    done = subprocess.run(
        [engine.python, "-X", "dev", "-m", engine.name, "-f", "f.py", "--headless", "-t", "1m", "-H", target.url],
        cwd=tmp_path,
        input="p answer.status_code + 2000\np type(self).__name__\nnext\nup\nc\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "(Pdb) 2200\n(Pdb) 'Caller'\n" in done.stdout, done.stdout + done.stderr
    assert "-> helper(answer)" in done.stdout
    traceback = done.stderr.partition("Traceback (most recent call last):\n")[2].partition("ValueError: mine")[0]
    places = re.findall(r'File "(.*)", line (\d+), in (\w+)', traceback)
    assert [place[1:] for place in places][-2:] == [("14", "call"), ("16", "helper")], done.stderr
    if engine.is_ours:
        assert len(places) == 2


def test_users_that_are_not_http_go_on_at_full_load(target: Target, tmp_path: Path) -> None:
    """Blocking calls, threads and greenlets of other users have their turns, and so has the web UI."""
    (tmp_path / "f.py").write_text(
        "import sqlite3, threading, time\n"
        "import gevent\n"
        "from gevent.event import Event\n"
        "from locust import HttpUser, User, constant, task\n"
        "class Full(HttpUser):\n"
        "    wait_time = constant(0)\n"
        "    @task\n"
        "    def call(self): self.client.get('/hello')\n"
        "class Own(User):\n"
        "    abstract = True\n"
        "    fixed_count = 2\n"
        "    wait_time = constant(0.01)\n"
        "    @task\n"
        "    def call(self):\n"
        "        with self.environment.events.request.measure('own', type(self).__name__): self.work()\n"
        "class Sleeper(Own):\n"
        "    def work(self): time.sleep(0.02)\n"
        "class Threaded(Own):\n"
        "    def work(self):\n"
        "        done = Event()\n"
        "        threading.Thread(target=done.set).start()\n"
        "        done.wait()\n"
        "class Pooled(Own):\n"
        "    def work(self):\n"
        "        query = lambda: sqlite3.connect(':memory:').execute('select 1').fetchall()\n"
        "        gevent.get_hub().threadpool.apply(query)\n"
    )
    port = free_port()
    process = ENGINES[0].start(
        *("-f", "f.py", "--web-host", "127.0.0.1", "--web-port", str(port), "--autostart", "--autoquit", "0"),
        *("-u", "66", "-r", "1000", "-t", "2m", "-H", target.url),
        cwd=tmp_path,
    )
    try:
        wait_for_port(port, process)
        deadline, has_gone_on = time.monotonic() + 30, False
        while not has_gone_on and time.monotonic() < deadline:
            time.sleep(0.5)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/requests", timeout=PATIENCE) as response:
                rows = {row["name"]: row["num_requests"] for row in json.load(response)["stats"]}
            has_gone_on = all(rows.get(name, 0) > 5 for name in ("/hello", "Sleeper", "Threaded", "Pooled"))
    finally:
        stdout, stderr = ENGINES[0].interrupt(process)
    assert has_gone_on, (rows, stdout, stderr)


def test_other_interpreters_are_refused() -> None:
    code = (
        "try: import _interpreters as interpreters\n"  # Python 3.13, which gives the exception back
        "except ImportError: import _xxsubinterpreters as interpreters\n"
        "import cload\n"
        "other = interpreters.create()\n"
        "try: print(interpreters.run_string(other, 'import cload'))\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert "main interpreter of a process only" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["spawn", "fork"])
def test_child_processes(kind: str, target: Target, tmp_path: Path) -> None:
    """Children of multiprocessing import the same package and run users of their own."""
    (tmp_path / "parent.py").write_text(
        "import cload, multiprocessing, sys\n"
        "import locust\n"
        "def work(queue, url):\n"
        "    import gevent, locust\n"
        "    from locust.env import Environment\n"
        "    class Caller(locust.HttpUser):\n"
        "        host = url\n"
        "        wait_time = locust.constant(0.01)\n"
        "        @locust.task\n"
        "        def call(self): self.client.get('/hello')\n"
        "    environment = Environment(user_classes=[Caller])\n"
        "    runner = environment.create_local_runner()\n"
        "    runner.start(1, 1)\n"
        "    while environment.stats.total.num_requests < 3: gevent.sleep(0.01)\n"
        "    runner.quit()\n"
        "    queue.put([locust.__file__, environment.stats.total.num_failures])\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({kind!r})\n"
        "    queue = context.Queue()\n"
        "    child = context.Process(target=work, args=(queue, sys.argv[1]))\n"
        "    child.start()\n"
        "    print(queue.get(timeout=100) == [locust.__file__, 0])\n"
        "    child.join(100)\n"
        "    print(child.exitcode)\n"
    )
    command = [sys.executable, "parent.py", target.url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout == "True\n0\n", done.stderr


def test_modules_are_loaded_again() -> None:
    """importlib.reload() of either package, and code given by -c and on standard input."""
    code = (
        "import importlib, cload, locust\n"
        "before = locust.HttpUser\n"
        "importlib.reload(cload)\n"
        "importlib.reload(locust)\n"
        "class Caller(locust.HttpUser): pass\n"
        "print(locust.HttpUser is before, cload.HttpUser is before)\n"
    )
    for start, text in ((["-c", code], ""), (["-"], code)):
        done = subprocess.run(
            [sys.executable, *start], input=text, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.stdout == "True True\n", done.stderr


def test_import_in_a_thread() -> None:
    """The thread has its name, and ends without a KeyError of `threading`."""
    code = (
        "import threading\n"
        "def work():\n"
        "    import cload\n"
        "    from locust import HttpUser\n"
        "    print(HttpUser.__name__, threading.current_thread().name)\n"
        "thread = threading.Thread(target=work, name='own')\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout == "HttpUser own\n", done.stderr
    assert "Traceback" not in done.stderr


def test_threads_that_run_before() -> None:
    """As in notebooks, whose own threads run when the standard library becomes cooperative: real Locust hangs."""
    code = (
        "import threading, time\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "names, go = [], []\n"
        "def look():\n"
        "    while not go: sleep(0.01)\n"
        "    names.append(threading.current_thread().name)\n"
        "sleep = time.sleep\n"
        "looking = threading.Thread(target=look, name='own', daemon=True)\n"
        "looking.start()\n"
        "import cload\n"
        "from locust import HttpUser\n"
        "go.append(1)\n"
        "while not names: sleep(0.01)\n"
        "print(HttpUser.__name__, names[0], threading.current_thread().name, flush=True)\n"
        "import os; os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout == "HttpUser own MainThread\n", done.stderr
