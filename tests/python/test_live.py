"""The live screen: what it shows, how it shares the terminal with everything else, and how it leaves it."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
from oracle import ENGINES, PATIENCE, environment_with
from processes_in_terminals import ProcessInTerminal

LOCUSTFILE = """
import logging, sys
from locust import User, constant, events, task
class A(User):
    host = "http://target"
    wait_time = constant(0.02)
    @task(9)
    def t(self):
        events.request.fire(request_type="GET", name="/page", response_time=12, response_length=1)
    @task
    def u(self):
        events.request.fire(request_type="GET", name="/slow", response_time=400, response_length=1,
            exception=ValueError("x"))
"""
RUN = ["--headless", "-u", "5", "-r", "100"]
KEYS = "users more or fewer"


class Window(ProcessInTerminal):
    """A terminal with a process in it, and what a person sees there."""

    def __init__(
        self, folder: Path, command: list[str], env: dict[str, str], columns: int = 100, rows: int = 30
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=5000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.folder = folder
        env = environment_with({"TERM": "xterm-256color", **env})
        super().__init__(command, folder, env, columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        super().resize(columns, rows)

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def all_text(self) -> str:
        """Also what has scrolled away."""
        old = ("".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top)
        return "\n".join([*(line.rstrip() for line in old), self.text()])

    def read(self) -> bool:
        data = self.take(0.1)
        if data is None:
            return True
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def until(self, pattern: str) -> str:
        """Reads until this is seen; returns what is seen then."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text()):
            assert time.monotonic() < deadline, f"{pattern} did not come:\n{self.text()}"
            assert self.read(), f"{pattern} did not come:\n{self.text()}"
        return self.text()

    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.descriptor) == self.before and not self.screen.cursor.hidden


Open = Callable[..., Window]
COMMAND = [sys.executable, "-m", "cload"]


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Open]:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    opened: list[Window] = []

    def start(
        *args: str, command: list[str] | None = None, env: dict[str, str] | None = None, folder: Path = tmp_path
    ) -> Window:
        opened.append(Window(folder, command or [*COMMAND, *RUN, *args], env or {}))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_what_is_shown(window: Open) -> None:
    one = window("-t", "60", "--profile", "nightly")
    for pattern in (
        r"\n━+─+ +[1-9]\d? %(.*\n)+.*Slowest names(.*\n)+GET /page",
        r"cload  nightly  http://target +running 0:\d\d, 0:\d\d left",
        r"Requests +\d+(\.\d)?/s  [▁-█]+ +[1-9][\d,]* in all",
        r"Failures +\d+(\.\d)?/s  [▁-█]+ +[1-9]\d* \(\d+\.\d+ %\)",
        r"50% time +12\.0 ms",
        r"95% time +[\d.]+ ms .* slowest 400 ms",
        r"Users +5 ",
        r"Generator \d+ % CPU, \d+ MiB, late by \d+ ms",
        r"GET /slow +\d+ +[1-9]\d* +[\d.]+ +400 ms +400 ms +400 ms\n",
        KEYS,
    ):
        one.until(pattern)
    one.type("\x03")
    assert one.finish() == 1
    assert one.is_as_before()
    everything = one.all_text()
    # Only the log and Locust's tables are left.
    assert KEYS not in everything
    assert "Slowest names" not in everything
    assert "All users spawned" in everything
    assert "Response time percentiles (approximated)" in everything


def test_output_scrolls_above(window: Open, tmp_path: Path) -> None:
    """Log lines, prints, a flood of them, and lines that come in pieces: all are there, in order, and none is torn."""
    (tmp_path / "locustfile.py").write_text(
        LOCUSTFILE
        + """
own = logging.StreamHandler(sys.stderr)
logging.getLogger("mine").addHandler(own)
@events.spawning_complete.add_listener
def talk(**_):
    import gevent
    def run():
        for number in range(300):
            print("printed", number)
        for number in range(5):
            gevent.sleep(0.1)
            logging.info("logged %d", number)
            logging.getLogger("mine").error("own %d", number)
            print("half", end=" ", flush=True)
            gevent.sleep(0.1)
            print("and half", number)
        sys.stdout.write("10 %\\r20 %\\r30 %\\n")
        print("no end of line", end="")
    gevent.spawn(run)
"""
    )
    one = window()
    one.until("half and half 4")
    one.until("30 %")
    one.until(KEYS)
    one.type("\x03")
    one.finish()
    lines = one.all_text().split("\n")
    assert [line for line in lines if line.startswith("printed")] == [f"printed {number}" for number in range(300)]
    assert [line for line in lines if line.startswith("half")] == [f"half and half {number}" for number in range(5)]
    assert [line for line in lines if line.startswith("own")] == [f"own {number}" for number in range(5)]
    assert len([line for line in lines if re.search(r"/INFO/root: logged \d$", line)]) == 5
    assert any(line.startswith("no end of line") for line in lines)
    assert KEYS not in one.all_text()


def test_keys_and_resizing(window: Open) -> None:
    """CLI-93, CLI-94."""
    one = window("-L", "WARNING")
    one.until(KEYS)
    one.type("w")
    one.until(r"Users +6 ")
    one.resize(60, 16)
    one.until(r"Slowest names +failed")
    one.resize(30, 6)
    one.until(r"/s 6 users \d+ f")
    one.resize(120, 40)
    shown = one.until(KEYS)
    assert shown.count("Slowest names") == 1
    one.type("\x03")
    assert one.finish() == 1
    assert one.is_as_before()


def test_suspended_and_in_the_background(window: Open) -> None:
    """Ctrl-Z gives the shell a terminal in order; in the background nothing is drawn; in front it goes on."""
    line = " ".join(["'" + sys.executable + "'", "-m", "cload", *RUN, "-L", "WARNING"])
    one = window(command=["bash", "--norc", "-i"], env={"PS1": "$ "})
    one.until(r"\$$")
    one.type(line + "\n")
    one.until(KEYS)
    one.type("\x1a")
    one.until("Stopped")
    one.type("stty -a | grep -o '[-]*echo '\n")
    shown = one.until(r"\n *echo *\n\$$")
    assert KEYS not in shown and not one.screen.cursor.hidden
    one.type("bg\n")
    one.until(r"&\n\$$")
    one.type("sleep 1.5; echo typ''ed\n")
    shown = one.until(r"\ntyped\n\$$")
    assert KEYS not in shown
    one.type("fg\n")
    one.until(KEYS)
    one.type("w")
    one.until(r"Users +6 ")
    one.type("\x03")
    one.until(r"Aggregated(.*\n)+\$$")
    one.type("stty -a | grep -o '[-]*echo '; exit\n")
    one.until(r"\n *echo *\n")
    one.finish()


ENDS: dict[str, tuple[str, Callable[[Window], None]]] = {
    "interrupted": ("", lambda one: one.type("\x03")),
    "quit": ("", lambda one: one.type("\x1c")),
    "terminated": ("", lambda one: os.kill(one.pid, signal.SIGTERM)),
    "hung-up": ("", lambda one: os.kill(one.pid, signal.SIGHUP)),
    "exit-in-a-task": (
        "import gevent, os\n"
        "def leave():\n"
        "    while not os.path.exists('leave'): gevent.sleep(0.05)\n"
        "    exit(7)\n"
        "A.on_start = lambda user: gevent.spawn(leave)\n",
        lambda one: (one.folder / "leave").touch(),
    ),
    "error-in-the-end": (
        "@events.quitting.add_listener\ndef fail(**_): raise ValueError('x')\n",
        lambda one: one.type("\x03"),
    ),
}


def test_the_terminal_is_as_before(window: Open, tmp_path: Path) -> None:
    """CLI-95: however the process ends."""
    windows = {}
    for end, (addition, _) in ENDS.items():
        folder = tmp_path / end
        folder.mkdir()
        (folder / "locustfile.py").write_text(LOCUSTFILE + addition)
        windows[end] = window(folder=folder)
    for end, one in windows.items():
        one.until(KEYS)
        assert one.screen.cursor.hidden, end
        ENDS[end][1](one)
    for end, one in windows.items():
        one.finish()
        assert one.is_as_before(), end
        assert KEYS not in one.all_text(), end
        assert "KeyboardInterrupt" not in one.all_text(), end


def test_plain_tables_instead(window: Open) -> None:
    """CLI-37, CLI-38, CLI-99: at once and every two seconds; or at the end only."""
    ways: list[tuple[int, list[str], dict[str, str]]] = [
        (4, [], {"CLOAD_PLAIN": "1"}),
        (4, [], {"TERM": "dumb"}),
        (4, ["--print-stats"], {}),
        (2, ["--only-summary"], {}),
    ]
    windows = [(count, window("-t", "3", *args, env=env)) for count, args, env in ways]
    begin = time.monotonic()
    for count, one in windows:
        one.finish()
        # Where the end comes late another two seconds are over.
        more = (time.monotonic() - begin) // 2 if count == 4 else 0
        text = one.all_text()
        assert count <= text.count("Aggregated") <= count + more, text
        assert b"\x1b" not in one.raw


def test_without_colors_and_without_unicode(window: Open) -> None:
    one = window("-t", "20", env={"NO_COLOR": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    one.until(r"\n=+-+ +\d+ %(.*\n)+Requests +\d+(\.\d)?/s  [_.=+*%#-]+ ")
    one.type("\x03")
    one.finish()
    assert not re.search(rb"\x1b\[[\d;]*m", one.raw)
    assert one.raw.isascii()


def test_standard_error_elsewhere(window: Open, tmp_path: Path) -> None:
    """The log goes where it was sent; the screen is on the terminal."""
    line = " ".join(["exec", "'" + sys.executable + "'", "-m", "cload", *RUN, "2>", "log"])
    one = window(command=["bash", "-c", line])
    one.until(KEYS)
    deadline = time.monotonic() + PATIENCE
    while "All users spawned" not in (tmp_path / "log").read_text():
        assert time.monotonic() < deadline
        one.read()
    one.type("\x03")
    one.finish()
    log = (tmp_path / "log").read_text()
    assert "Aggregated" in log
    assert "\x1b" not in log
    assert one.is_as_before()


def test_a_terminal_that_takes_nothing(window: Open, tmp_path: Path) -> None:
    """Ctrl-S stops the terminal and not the test; what was to be said comes later."""
    (tmp_path / "locustfile.py").write_text(
        LOCUSTFILE
        + """
@events.spawning_complete.add_listener
def talk(**_):
    import gevent
    def run():
        for number in range(60):
            gevent.sleep(0.02)
            print("printed", number)
            open("progress", "w").write(str(number))
    gevent.spawn(run)
"""
    )
    one = window()
    one.until("printed 5")
    one.type("\x13")
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "progress").exists() or (tmp_path / "progress").read_text() != "59":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    one.type("\x11")
    one.until("printed 59")
    one.type("\x03")
    one.finish()
    lines = one.all_text().split("\n")
    assert [line for line in lines if line.startswith("printed")] == [f"printed {number}" for number in range(60)]


def test_a_terminal_that_is_stopped_after_it_was_looked_at() -> None:
    """What does not fit into it is not waited for, and comes later, in order."""
    code = """
import pty, threading, tty
from cload._region import Region
ours, theirs = pty.openpty()
tty.setraw(theirs)
terminal = os.fdopen(theirs, "w")
region = Region(terminal)
words = "".join(f"{number}\\n" for number in range(100_000))
region.above(words)
region.above("end\\n")
note("nobody read")
text = b""
def read():
    global text
    while b"end" not in text: text += os.read(ours, 65536)
reader = gevent.get_hub().threadpool.spawn(read)
while not reader.ready():
    region.refresh()
    region.above("")
    gevent.sleep(0.01)
region.close()
out([log, text.decode() == words + "end\\n"])
"""
    assert ENGINES[0].snippet(code) == [["nobody read"], True]


# --- lines ---

# In a process of its own, as the package makes its process cooperative.
LINES = """
import re
import cload.live as live
plain = live.Style.of(lambda text: True)
snapshot = live.Snapshot(
    title="cload  http://a.very.long.host.example.com:8080/with/a/path",
    state="running",
    elapsed=3725,
    left=100,
    requests=123_456_789,
    failures=99,
    users=10_000,
    wanted_users=20_000,
    rates=[float(number) for number in range(200)],
    failure_rates=[0.0] * 200,
    user_counts=[1.0, 5.0],
    times={0.5: [1.0] * 9, 0.95: [3.5], 0.9999: [1e6]},
    slowest_ms=1e9,
    generator="12 % CPU, 40 MiB, late by 3 ms; 4 workers, the busiest 93 % CPU",
    slow=[
        live.Slow("GET", "/日本語/" + "x" * number + chr(27) + "[2J" + chr(9), number, number % 3, 1.5, (1, 2, 3e7))
        for number in range(60)
    ],
    has_keys=True,
)
def lines(snapshot, columns, rows):
    return [re.sub("\x1b\\[\\d+m", "", line) for line in live.render(snapshot, columns, rows, plain)]
"""


def test_lines_fit_any_terminal() -> None:
    code = """
wrong = []
for shown in (snapshot, live.Snapshot()):
    for columns in range(1, 200, 3):
        for rows in range(2, 60, 3):
            found = lines(shown, columns, rows)
            fits = all(live.width_of(line) < columns and line.isprintable() for line in found)
            if not 0 < len(found) < rows or not fits:
                wrong.append([columns, rows, found])
out(wrong)
"""
    assert ENGINES[0].snippet(LINES + code) == []


def test_lines_say_what_is_wrong() -> None:
    code = """
late = live.Snapshot(generator="99 % CPU", is_late=True)
out(["\\n".join(lines(snapshot, 120, 40)), live.render(late, 100, 30, plain),
    live.sparkline([0, 1, 2, 4], 6, plain), live.sparkline(range(100), 3, plain), live.sparkline([], 2, plain)])
"""
    text, late, *charts = ENGINES[0].snippet(LINES + code)
    assert "of 20,000" in text
    assert "running 1:02:05, 1:40 left" in text
    assert "99.99% time" in text
    assert any("\x1b[33mGenerator 99 % CPU" in line for line in late)
    assert charts == ["▁▃▅█  ", "███", "  "]
