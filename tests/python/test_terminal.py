"""Terminals, signals, and places that cannot be written to: what was measured is on disk or on the screen."""

from __future__ import annotations

import codecs
import csv
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oracle import ENGINES, LOCUSTFILE, PATIENCE, Engine, environment_with, side_by_side
from processes_in_terminals import ProcessInTerminal
from servers import free_port

QUIET = ["--headless", "--only-summary"]
RUN = [*QUIET, "-u", "2", "-r", "2", "-t", "1"]


class Terminal(ProcessInTerminal):
    """A command, and the text it wrote."""

    def __init__(self, engine: Engine, folder: Path, *args: str, env: dict[str, str] | None = None) -> None:
        assert engine.python is not None
        self.is_ours = engine.is_ours
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        super().__init__(
            [engine.python, "-m", engine.name, *args], folder, environment_with(env or {}), columns=200, rows=24
        )

    def read(self) -> bool:
        data = self.take(PATIENCE)
        assert data is not None, self.text
        self.text += self._decoder.decode(data)
        return bool(data)

    def expect(self, pattern: str) -> None:
        """Reads until this has appeared, and drops all up to there."""
        deadline = time.monotonic() + PATIENCE
        while (match := re.search(pattern, self.text)) is None:
            assert time.monotonic() < deadline, f"{pattern} did not come: {self.text[-1000:]}"
            assert self.read(), f"{pattern} did not come: {self.text}"
        self.text = self.text[match.end() :]

    def wait_for_keys(self) -> None:
        """Until single keys are read, and not lines."""
        deadline = time.monotonic() + PATIENCE
        while termios.tcgetattr(self.descriptor)[3] & termios.ICANON:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def interrupt(self) -> int:
        """Ctrl-C; the status."""
        self.type("\x03")
        if not self.is_ours and not select.select([self.descriptor], [], [], PATIENCE / 4)[0]:
            # Real Locust loses one that comes while a finalizer runs.
            self.type("\x03")
        return self.finish()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    opened: list[Terminal] = []

    def start(engine: Engine, *args: str, env: dict[str, str] | None = None) -> Terminal:
        opened.append(Terminal(engine, tmp_path, *args, env=env))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_keys(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    """CLI-94."""
    one = terminal(engine, *QUIET, "-u", "1")
    one.expect(r'All users spawned: \{"A": 1\}')
    one.wait_for_keys()
    for key, users in (("w", 2), ("W", 12), ("s", 11), ("S", 1), ("S", 0), ("w", 1)):
        one.type(key)
        one.expect(rf"Ramping to {users} users at a rate of 100.00 per second")
        one.expect(rf'All users spawned: \{{"A": {users}\}}')
    assert one.interrupt() == 0
    assert "Shutting down (exit code 0)" in one.text


def test_keys_during_a_ramp(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    """CLI-94."""
    one = terminal(engine, *QUIET, "-u", "100", "-r", "1")
    one.expect("Ramping to 100 users")
    one.wait_for_keys()
    for key in "wWsS":
        one.type(key)
        one.expect("/WARNING/")
    assert one.interrupt() == 0


def test_enter_opens_the_browser(engine: Engine, terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """CLI-94."""
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" >> "$(dirname "$0")/opened"\n')
    browser.chmod(0o755)
    url = f"http://127.0.0.1:{free_port()}"
    one = terminal(engine, "--web-host", "127.0.0.1", "-P", url.rpartition(":")[2], env={"BROWSER": f"{browser} %s"})
    one.expect(f"web interface at {url}")
    one.wait_for_keys()
    one.type("\n")
    deadline = time.monotonic() + PATIENCE
    opened = tmp_path / "opened"
    while not (opened.exists() and opened.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert opened.read_text() == url + "\n"
    assert one.interrupt() == 0


ENDS: dict[str, tuple[str, Callable[[Terminal], None]]] = {
    "interrupted": ("", lambda one: one.type("\x03")),
    "terminated": ("", lambda one: os.kill(one.pid, signal.SIGTERM)),
    "exit-in-a-task": ("A.tasks = [lambda user: __import__('sys').exit(7)]\n", lambda one: None),
}


@pytest.mark.parametrize("end", ENDS)
def test_terminal_is_as_before(end: str, terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """CLI-95: however the process ends."""
    addition, stop = ENDS[end]
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE + addition)
    one = terminal(ENGINES[0], *QUIET)
    one.expect("All users spawned")
    if not addition:
        deadline = time.monotonic() + PATIENCE
        while termios.tcgetattr(one.descriptor)[3] & termios.ECHO:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    stop(one)
    one.finish()
    assert termios.tcgetattr(one.descriptor) == one.before


def test_tables_follow_the_width(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    """CLI-93, CLI-101."""
    one = terminal(engine, "--headless", "--print-stats", env={"CLOAD_PLAIN": "1"})
    one.expect("All users spawned")
    one.resize(100, 24)
    one.expect(r"Type     Name {14}# reqs ")
    assert one.interrupt() == 0


def test_closed_terminal(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """A test whose window is closed has its results on disk."""
    one = terminal(ENGINES[0], *QUIET, "--csv", "out", "--json-file", "j")
    one.expect("All users spawned")
    wait_for(lambda: "T,n," in (tmp_path / "out_stats.csv").read_text())
    os.kill(one.pid, signal.SIGHUP)
    one.finish()
    assert one.status == 0
    assert "Got SIGHUP" in one.text
    (entry,) = json.loads((tmp_path / "j.json").read_text())
    with open(tmp_path / "out_stats.csv", newline="") as file:
        row = next(csv.DictReader(file))
    assert int(row["Request Count"]) == entry["num_requests"] > 0


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def shells(folder: Path, *lines: str) -> list[subprocess.CompletedProcess[str]]:
    """Lines of bash, all at once; `cload` in them is the command."""
    (folder / "locustfile.py").write_text(LOCUSTFILE)

    def run(line: str) -> subprocess.CompletedProcess[str]:
        command = f"cload() {{ '{sys.executable}' -m cload \"$@\"; }}; set -o pipefail; {line}"
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment_with({}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return side_by_side(run, lines)


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    (done,) = shells(folder, line)
    return done


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--csv", "/dev/null/x"], "CSV files /dev/null/x_*.csv cannot be written"),
        (["--logfile", "/dev/null/x"], "log cannot be written to /dev/null/x"),
        (["--logfile", "/"], "log cannot be written to /"),
    ],
)
def test_what_cannot_be_written_is_said_first(tmp_path: Path, args: list[str], message: str) -> None:
    """CLI-35, CLI-45."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    done = ENGINES[0].command(*RUN, *args, cwd=tmp_path)
    assert done.status == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Ramping" not in done.stderr


def test_full_disk(tmp_path: Path) -> None:
    """CLI-35, CLI-42, CLI-45: /dev/full is a disk without space. The test goes on, and tells the numbers."""
    for name in ("c_stats.csv", "c_failures.csv", "j.json", "log"):
        (tmp_path / name).symlink_to("/dev/full")
    run = f"cload {' '.join(RUN)}"
    commands = [f"{run} --csv c", f"{run} --json-file j", f"{run} --logfile log", f"{run} --json > /dev/full"]
    tables, entries, log, printed, mute = shells(tmp_path, *commands, f"{run} 2> /dev/full")
    assert {done.returncode for done in (tables, entries, log, printed, mute)} == {1}
    assert tables.stderr.count("CSV files c_*.csv could not be written") == 1
    assert re.search(r"^T +n +[1-9]", tables.stderr, re.MULTILINE)
    text = entries.stderr.partition("Here they are:\n")[2]
    assert json.JSONDecoder().raw_decode(text)[0][0]["num_requests"] > 0
    assert log.stderr.count("could not be written") == 1
    assert '"num_requests"' in printed.stderr
    for done in shells(tmp_path, *(f"cload --{option} > /dev/full" for option in ("help", "version", "list"))):
        assert done.returncode == 1
        assert "No space left" in done.stderr
        assert "Traceback" not in done.stderr


def test_reader_that_goes_away(tmp_path: Path) -> None:
    """CLI-41: a pipe that is closed early is the reader's wish."""
    run = f"cload {' '.join(RUN)}"
    told, done, deaf = shells(
        tmp_path, "cload --help | head -1", f"{run} --csv c 2>&1 | head -1; exit ${{PIPESTATUS[0]}}", f"{run} <&- >&-"
    )
    assert "Traceback" not in told.stderr
    assert "Exception" not in told.stderr
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    with open(tmp_path / "c_stats.csv", newline="") as file:
        assert int(next(csv.DictReader(file))["Request Count"]) > 0
    assert deaf.returncode == 0


def test_kill(tmp_path: Path) -> None:
    """REP-30: without a chance to write, at most one interval is missing. --processes: nobody stays behind."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    quick = "import locust.runners\nlocust.runners.WORKER_REPORT_INTERVAL = 0.5\n"
    (tmp_path / "fleet.py").write_text(LOCUSTFILE + quick)
    port = str(free_port())
    fleet = ENGINES[0].start(
        *[*QUIET, "-f", "fleet.py", "--csv", "m", "-u", "5", "-r", "5", "--processes", "2", "--master-bind-port", port],
        cwd=tmp_path,
    )
    process = ENGINES[0].start(*QUIET, "--csv", "c", "-u", "5", "-r", "5", cwd=tmp_path)

    # Its intervals are of one second.
    history = tmp_path / "c_stats_history.csv"
    wait_for(lambda: requests_in(tmp_path / "c_stats.csv") >= 50)
    begun = rows_of(history)
    wait_for(lambda: rows_of(history) > max(begun, 2))
    process.kill()
    process.communicate()
    wait_for(lambda: requests_in(tmp_path / "m_stats.csv") > 0)
    workers = Path(f"/proc/{fleet.pid}/task/{fleet.pid}/children").read_text().split()
    assert len(workers) == 2
    fleet.kill()
    fleet.communicate()
    assert requests_in(tmp_path / "c_stats.csv") >= 50
    with open(history, newline="") as file:
        assert len(list(csv.DictReader(file))) >= 2
    assert requests_in(tmp_path / "m_stats.csv") > 0
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def requests_in(path: Path) -> int:
    """Of the one name there is; 0: it is not there yet."""
    match = re.search(r"^T,n,(\d+),", path.read_text() if path.exists() else "", re.MULTILINE)
    return int(match[1]) if match else 0


def rows_of(path: Path) -> int:
    return path.read_text().count("\n")


def test_files_that_are_removed(tmp_path: Path) -> None:
    """CLI-35, CLI-45: they are made anew, with what they held."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    args = [*QUIET, "-u", "5", "--csv", "out/c", "--logfile", "out/log"]
    process = ENGINES[0].start(*args, cwd=tmp_path)
    history = tmp_path / "out" / "c_stats_history.csv"
    wait_for(lambda: history.exists() and rows_of(history) >= 3)
    # In one piece: it may be making another file just now.
    (tmp_path / "out").rename(tmp_path / "gone")
    held = rows_of(tmp_path / "gone" / "c_stats_history.csv") - 1
    shutil.rmtree(tmp_path / "gone")
    wait_for(lambda: history.exists() and rows_of(history) > held + 1)
    _, stderr = ENGINES[0].interrupt(process)
    assert process.returncode == 0
    match = re.search(r"^ +Aggregated +(\d+)", stderr, re.MULTILINE)
    assert match
    with open(tmp_path / "out" / "c_stats.csv", newline="") as file:
        assert next(csv.DictReader(file))["Request Count"] == match[1]
    with open(history, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["Total Request Count"] == "0"
    assert len(rows) > held
    assert "c_stats.csv was removed during the test" in (tmp_path / "out" / "log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """CLI-35: the test goes on; what is measured is printed, and the status tells."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        done = shell(tmp_path, f"cload {' '.join(RUN)} --csv disk/c")
        assert done.returncode == 0
        done = shell(tmp_path, f"head -c 99999 /dev/zero > disk/y; cload {' '.join(RUN)} --csv disk/d")
    finally:
        subprocess.run(["umount", disk], check=True)
    assert done.returncode == 1
    assert done.stderr.count("CSV files disk/d_*.csv could not be written") == 1
    assert re.search(r"^T +n +[1-9]", done.stderr, re.MULTILINE)


def test_the_shell_that_started_it_is_killed(tmp_path: Path) -> None:
    """The test goes on and writes what it has to."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    line = f"'{sys.executable}' -m cload {' '.join(RUN)} --json-file j; :"
    parent = subprocess.Popen(["bash", "-c", line], cwd=tmp_path, env=environment_with({}), stderr=subprocess.DEVNULL)
    wait_for(lambda: Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text())
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    wait_for(lambda: (tmp_path / "j.json").exists() and (tmp_path / "j.json").read_text().endswith("]"))
    assert json.loads((tmp_path / "j.json").read_text())[0]["num_requests"] > 0
