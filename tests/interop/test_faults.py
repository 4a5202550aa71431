"""What goes wrong in fleets: processes that die or freeze, links that break or are slow, strangers on the port."""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from engines import Engine, Result
from fleets import Fleet, wait_for_users, wait_for_words
from servers import BUILD, Target, free_port

# Prints what the master sees, with a clock that other processes have too.
SOURCE = """
import time
import gevent
from locust import HttpUser, constant, events, task

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task
    def hello(self):
        self.client.get("/hello")

@events.init.add_listener
def on_init(environment, runner, **_):
    def watch():
        while True:
            print("SEEN", time.monotonic(), runner.user_count, runner.stats.total.num_requests, flush=True)
            gevent.sleep(0.1)
    if hasattr(runner, "clients"):
        gevent.spawn(watch)
        def on_complete(user_count):
            if user_count == runner.target_user_count:
                open(__file__ + ".spawned", "w").close()
        events.spawning_complete.add_listener(on_complete)
        events.spawning_complete.add_listener(lambda user_count: print("SPAWNED", time.monotonic(), user_count))
"""
TARGET_USERS = 8
# ["run", {}, ""]
RUN = b"\x93\xa3run\x80\xa0"


def seen(result: Result) -> list[tuple[float, int, int]]:
    """(time, users, requests) as the master saw them."""
    lines = (line.split() for line in result.stdout.splitlines() if line.startswith("SEEN "))
    return [(float(line[1]), int(line[2]), int(line[3])) for line in lines if len(line) == 4]


def outage(result: Result, since: float) -> float:
    """Seconds from then until the master had all users again, on the workers that were left. They are the master's own,
    who looks ten times in each: those in which the machine lets it do nothing do not count."""
    lines = (line.split() for line in result.stdout.splitlines() if line.startswith("SPAWNED "))
    later = [float(line[1]) for line in lines if line[2] == str(TARGET_USERS) and float(line[1]) > since]
    assert later, result.stdout
    return sum(since < moment < later[0] for moment, _, _ in seen(result)) / 10


def master_args(fleet: Fleet, workers: int, *args: str) -> tuple[str, ...]:
    bind = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(fleet.port))
    return (*bind, "--expect-workers", str(workers), "--enable-rebalancing", "--exit-code-on-error", "0", *args)


def exists(path: Path) -> str:
    """For `until`."""
    return f"__import__('os').path.exists({str(path)!r})"


def lost(result: Result, target: Target, before: int) -> int:
    assert result.total is not None, str(result)
    return target.counters()["requests"] - before - 1 - result.total.requests


def test_one_of_four_is_killed_and_one_freezes(fleet: Fleet, engine: Engine, target: Target) -> None:
    """DST-39, DST-40, DST-56: users are back within 5 s, what is lost is said, and a frozen worker loses nothing."""
    before = target.counters()["requests"]
    locustfile = engine.locustfile(SOURCE)
    workers = [fleet.worker(engine, locustfile) for _ in range(4)]
    moments: list[float] = []
    thawed = Path(f"{locustfile}.thawed")

    def interfere(process: "subprocess.Popen[str]") -> None:
        wait_for_users(locustfile, 0.5)
        moments.append(time.monotonic())
        workers[0].kill()
        workers[1].send_signal(signal.SIGSTOP)
        time.sleep(5.5)
        workers[1].send_signal(signal.SIGCONT)
        time.sleep(1)
        thawed.touch()

    # Over when the frozen one has users again.
    until = f"{exists(thawed)} and [one.state for one in runner.clients.values()].count('running') == 3"
    until += f" and runner.user_count == {TARGET_USERS}"
    args = master_args(fleet, 4)
    result = engine.load(locustfile, *args, host=target.url, users=TARGET_USERS, until=until, during=interfere)
    assert result.code == 0, str(result)
    assert outage(result, moments[0]) < 5, str(seen(result))
    assert result.stderr.count("setting state to missing") == 2, str(result)
    assert "self-healed with heartbeat, setting state to" in result.stderr, str(result)
    told = re.search(r"The totals lack what 1 workers measured after their last reports: about (\d+)", result.stderr)
    assert told is not None, str(result)
    # Two users, 20 ms apart, for one interval of reports, and what stopping users had under way.
    missing = lost(result, target, before)
    assert 0 <= missing <= 2 * 3.5 / 0.02 + 16
    # A heartbeat a second says what the worker holds.
    assert abs(int(told[1]) - missing) <= 150, f"said {told[1]}, in truth {missing}"


def test_the_master_is_killed_and_started_again(
    fleet: Fleet,
    engine: Engine,
    locust: Engine,
    target: Target,
    tmp_path: Path,
) -> None:
    """DST-44, better: workers, real ones too, go on, and so do statistics, history, exceptions and the clock."""
    before = target.counters()["requests"]
    source = SOURCE + (
        "\nclass Broken(Visitor):\n    fixed_count = 1\n"
        "    wait_time = constant(0.5)\n    @task\n    def fails(self):\n        raise ValueError('oops')\n"
    )
    locustfile = engine.locustfile(source)
    workers = [fleet.worker(engine, locustfile) for _ in range(2)]
    workers.append(fleet.worker(locust, locustfile))
    state = tmp_path / "state"
    args = (
        *("-f", str(locustfile), "--headless", "-u", str(TARGET_USERS), "-r", "100", "-t", "8s"),
        *("--host", target.url, *master_args(fleet, 3), "--master-state", str(state)),
        *("--csv", str(tmp_path / "run"), "--only-summary"),
    )
    first = engine.start(*args)
    fleet.processes.append(first)
    wait_for_users(locustfile)
    begin = time.monotonic()
    time.sleep(3)
    first.kill()
    assert state.stat().st_mode & 0o077 == 0, "hosts and options are nobody else's business"
    result = engine.run(*args)
    result.csv_prefix = tmp_path / "run"
    assert result.code == 0, str(result)
    assert "Going on with the test that began" in result.stderr
    assert time.monotonic() - begin >= 6
    at = {
        text: datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f")
        for text in ("Going on with the test", "run-time limit reached")
        if (found := re.search(rf"^\[(.*?)\] .*{text}", result.stderr, re.MULTILINE))
    }
    assert len(at) == 2, str(result)
    rest = at["run-time limit reached"] - at["Going on with the test"]
    assert rest.total_seconds() < 6.5, "the time before counts"
    ended = [fleet.end(worker) for worker in workers]
    for worker in ended:
        assert worker.code in (0, 1) and "so its users stop" not in worker.stderr, str(worker)
    assert 0 <= lost(result, target, before) <= 16, "\n".join(map(str, [result, *ended]))
    exceptions = result.csv("exceptions")
    assert [row["Message"] for row in exceptions] == ["oops"] and int(exceptions[0]["Count"]) > 1
    assert not state.exists(), "a test that ended leaves nothing to go on with"


class KilledMasters:
    """Masters of one run, each of which is killed and followed by another one."""

    def __init__(self, fleet: Fleet, engine: Engine, *args: str | Path) -> None:
        self.fleet, self.engine, self.args = fleet, engine, args
        # When the test began.
        self.began: float | None = None

    def kill(self, words: str = "", second: float = 0.0) -> None:
        """Starts one that is killed once it has said the words, but not before that second of the test."""
        process = self.engine.start(*self.args)
        self.fleet.processes.append(process)
        wait_for_words(process, "Going on with" if self.began else "Sending spawn jobs")
        self.began = self.began or time.monotonic()
        if words:
            wait_for_words(process, words)
        time.sleep(max(0.0, self.began + second - time.monotonic()))
        process.kill()
        process.communicate()


def test_masters_are_killed_at_any_moment(fleet: Fleet, engine: Engine, target: Target, tmp_path: Path) -> None:
    """DST-44, better: in the ramp, in the last second, when the run time is over and while workers end. The last
    master ends as if it had been the only one, with all that was measured."""
    before = target.counters()["requests"]
    # The end of users takes long enough for a master to die in it.
    slow_end = "\n    def on_stop(self):\n        time.sleep(1)\n"
    locustfile = engine.locustfile(SOURCE + slow_end.join(["\nclass Visitor(Visitor):", ""]))
    workers = [fleet.worker(engine, locustfile) for _ in range(2)]
    state, prefix = tmp_path / "state", tmp_path / "run"
    args = ("-f", locustfile, "--headless", "-u", str(TARGET_USERS), "-r", "4", "-t", "4s", "--host", target.url)
    files = ("--csv", prefix, "--html", f"{prefix}.html", "--only-summary", "--master-state", state)
    masters = KilledMasters(fleet, engine, *args, *files, *master_args(fleet, 2))
    masters.kill(second=0.7)
    masters.kill(second=3.8)
    time.sleep(0.7)
    masters.kill("--run-time limit reached")
    result = engine.run(*masters.args)
    ended = [fleet.end(worker) for worker in workers]
    said = "\n".join(map(str, [result, *ended]))
    assert result.code == 0 and [worker.code for worker in ended] == [0, 0], said
    assert "The test was ending already" in result.stderr and "missing" not in result.stderr, said
    assert 0 <= lost(result, target, before) <= TARGET_USERS, f"more than what users had under way: {said}"
    result.csv_prefix = prefix
    assert result.total is not None
    assert int(result.csv("stats")[-1]["Request Count"]) == result.total.requests
    assert Path(f"{prefix}.html").stat().st_size > 1000 and not state.exists()


def test_a_shape_goes_on_under_another_master(fleet: Fleet, engine: Engine, target: Target, tmp_path: Path) -> None:
    """DST-44, DST-76, better: it is asked for the seconds since the test began, until it ends it."""
    before = target.counters()["requests"]
    locustfile = engine.locustfile(
        SOURCE + "\nfrom locust import LoadTestShape\nclass Shape(LoadTestShape):\n    def tick(self):\n"
        f"        return ({TARGET_USERS}, 100) if self.get_run_time() < 3 else None\n"
    )
    worker = fleet.worker(engine, locustfile)
    args = ("-f", locustfile, "--headless", "--host", target.url, "--only-summary")
    masters = KilledMasters(fleet, engine, *args, "--master-state", tmp_path / "state", *master_args(fleet, 1))
    masters.kill(second=1)
    result = engine.run(*masters.args)
    assert result.code == 0 and fleet.end(worker).code == 0, str(result)
    assert "Shape test stopping" in result.stderr, str(result)
    assert 0 <= lost(result, target, before) <= TARGET_USERS, str(result)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"something else\n", "is not the state of a master"),
        (b"cload state 1\n", "is of a test of"),
        (b"cload state 1\n" + struct.pack(">II", 7, zlib.crc32(RUN)) + RUN, "is not understood"),
    ],
)
def test_a_state_that_does_not_fit(
    fleet: Fleet,
    engine: Engine,
    tmp_path: Path,
    content: bytes,
    text: str,
) -> None:
    state = tmp_path / "state"
    if "of a test of" in text:
        other = engine.start(
            *(
                "-f",
                engine.locustfile(SOURCE.replace("Visitor", "Other")),
                "--headless",
                "--processes",
                "1",
                "-t",
                "600",
            ),
            *("--master-bind-port", str(fleet.port), "--master-state", state, "--host", "http://127.0.0.1:1"),
        )
        fleet.processes.append(other)
        deadline = time.monotonic() + 90
        while not (state.exists() and state.stat().st_size > 100) and time.monotonic() < deadline:
            time.sleep(0.05)
        args = ("-f", engine.locustfile(SOURCE), "--headless", "--master", "--master-bind-port", str(free_port()))
        in_use = engine.run(*args, "--master-state", state)
        assert in_use.code == 1 and "in use by another master" in in_use.stderr, str(in_use)
        other.kill()
        other.wait(60)
    else:
        state.write_bytes(content)
    args = ("-f", engine.locustfile(SOURCE), "--headless", "--master", "--master-bind-port", str(fleet.port))
    result = engine.run(*args, "--master-state", state)
    assert result.code == 1 and text in result.stderr, str(result)
    assert state.exists(), "it is left as it is"


class SlowLink:
    """A relay between workers and their master that holds everything back, and can be cut."""

    def __init__(self, port: int, delay: float, bytes_per_s: int) -> None:
        self.target = port
        self.delay, self.bytes_per_s = delay, bytes_per_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        # What is on its way is with the sender, as on a real link.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port: int = self.listener.getsockname()[1]
        self.is_over = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while not self.is_over:
            if select.select([self.listener], [], [], 0.1)[0]:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    near.close()
                    continue
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._relay, args=(source, sink), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                time.sleep(self.delay + len(data) / self.bytes_per_s)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.is_over = True
        self.thread.join(60)
        self.listener.close()


def test_a_slow_link(fleet: Fleet, engine: Engine, target: Target) -> None:
    """80 kB/s for reports of 600 names: the end takes its time, and nothing is lost. A worker that closed its
    connection with bytes on their way would lose them with the master's next heartbeat."""
    before = target.counters()["requests"]
    call = 'self.client.get("/hello", name=f"/{next(names) % 600}")'
    source = "import itertools\nnames = itertools.count()\n" + SOURCE.replace('self.client.get("/hello")', call)
    locustfile = engine.locustfile(source.replace("constant(0.02)", "constant(0.002)"))
    master_port = fleet.port
    link = SlowLink(master_port, 0.03, 200_000)
    workers = [fleet.worker(engine, locustfile)]
    fleet.port = link.port
    workers.append(fleet.worker(engine, "-"))
    fleet.port = master_port
    try:
        args = master_args(fleet, 2)
        result = engine.load(locustfile, *args, host=target.url, users=TARGET_USERS, until="len(stats.entries) == 600")
    finally:
        link.close()
    assert result.code == 0, str(result)
    assert "setting state to missing" not in result.stderr, str(result)
    assert outage(result, 0) >= 0, "all users came"
    assert 0 <= lost(result, target, before) <= 16, str(result)


def test_a_master_that_is_stopped(fleet: Fleet, engine: Engine, locust: Engine, target: Target) -> None:
    """DST-18, DST-29, DST-34, DST-39: until the test should have ended. What its workers measured meanwhile is
    in the totals, whoever they are, and no worker is blamed."""
    before = target.counters()["requests"]
    locustfile = engine.locustfile(SOURCE + "import locust.runners\nlocust.runners.WORKER_REPORT_INTERVAL = 0.2\n")
    workers = [fleet.worker(engine, locustfile), fleet.worker(locust, locustfile)]

    def interfere(process: "subprocess.Popen[str]") -> None:
        wait_for_users(locustfile, 0.3)
        process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        process.send_signal(signal.SIGCONT)

    result = engine.load(
        locustfile, *master_args(fleet, 2), host=target.url, users=TARGET_USERS, run_time="2s", during=interfere
    )
    assert result.code == 0 and [worker.wait(10) for worker in workers] == [0, 0], str(result)
    assert "setting state to missing" not in result.stderr and "No last report" not in result.stderr, str(result)
    assert 0 <= lost(result, target, before) <= 16, str(result)


@contextlib.contextmanager
def namespace() -> Iterator[tuple[str, str, str]]:
    """Its name, the master's address as it sees it, and our end of the cable."""
    name = f"cload{os.getpid()}"
    cable, end = f"cl{os.getpid() % 100000}a", f"cl{os.getpid() % 100000}b"
    here, there = "169.254.117.1", "169.254.117.2"

    def ip(*args: str) -> None:
        subprocess.run(["ip", *args], check=True, capture_output=True, timeout=60)

    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not there")
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("network namespaces are not permitted here")
    try:
        try:
            ip("link", "add", cable, "type", "veth", "peer", "name", end, "netns", name)
        except subprocess.CalledProcessError:
            pytest.skip("virtual cables are not permitted here")
        ip("addr", "add", f"{here}/30", "dev", cable)
        ip("link", "set", cable, "up")
        ip("netns", "exec", name, "ip", "addr", "add", f"{there}/30", "dev", end)
        ip("netns", "exec", name, "ip", "link", "set", end, "up")
        ip("netns", "exec", name, "ip", "link", "set", "lo", "up")
        yield name, here, cable
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=60, check=False)
        subprocess.run(["ip", "link", "del", cable], capture_output=True, timeout=60, check=False)


def test_a_partition(fleet: Fleet, engine: Engine) -> None:
    """The cable to all workers is cut for longer than it takes to miss them: they come back, and nothing is lost."""
    with namespace() as (name, address, cable):
        port = free_port()
        target = subprocess.Popen(
            ["ip", "netns", "exec", name, BUILD / "tests" / "support" / "target", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            text=True,
        )
        fleet.processes.append(target)
        locustfile = engine.locustfile(SOURCE)
        whole = Path(f"{locustfile}.whole")
        inside = Engine(engine.name, ["ip", "netns", "exec", name, *engine.command], engine.folder)
        workers = [fleet.worker(inside, locustfile, "--master-host", address) for _ in range(2)]

        def cut(process: "subprocess.Popen[str]") -> None:
            wait_for_users(locustfile, 1)
            subprocess.run(["ip", "link", "set", cable, "down"], check=True, timeout=60)
            time.sleep(3)
            subprocess.run(["ip", "link", "set", cable, "up"], check=True, timeout=60)
            time.sleep(1)
            whole.touch()

        result = engine.load(
            locustfile,
            *("--master", "--master-bind-host", address, "--master-bind-port", str(fleet.port)),
            *("--expect-workers", "2", "--host", f"http://127.0.0.1:{port}", "--exit-code-on-error", "0"),
            users=TARGET_USERS,
            until=f"{exists(whole)} and sum(one.state in ('running', 'ready') for one in runner.clients.values()) == 2",
            during=cut,
        )
        assert result.code == 0, str(result)
        arrived = subprocess.run(
            ["ip", "netns", "exec", name, "curl", "-s", f"http://127.0.0.1:{port}/counter"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        match = re.search(r'"requests": *(\d+)', arrived)
        assert match is not None and result.total is not None, arrived
        assert 0 <= int(match[1]) - 1 - result.total.requests <= 16, f"{arrived} {result}"
        for worker in workers:
            assert fleet.end(worker).code in (0, 1)


def hostile_frames() -> Iterator[bytes]:
    """What no worker sends: other protocols, greetings that break off, frames of impossible sizes."""
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 1 + 31)
    ready = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
    yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield os.urandom(4096)
    yield greeting[:20]
    yield greeting + b"\x06" + struct.pack(">Q", 1 << 62)
    yield greeting + ready + b"\x02" + struct.pack(">Q", 1 << 62)
    yield greeting + ready + b"\x02" + struct.pack(">Q", 400 << 20)
    yield greeting + ready + (b"\x00\x05\x93\xa5stat" * 5000)
    # An array of arrays of arrays ..., and a map that says it has four billion keys.
    deep = b"\x93\xa5stats" + b"\x91" * 200_000
    yield greeting + ready + b"\x02" + struct.pack(">Q", len(deep)) + deep
    big = b"\x93\xa5stats\xdf\xff\xff\xff\xff"
    yield greeting + ready + b"\x00" + bytes([len(big)]) + big


def test_hostile_frames(fleet: Fleet, engine: Engine, target: Target) -> None:
    """DST-11: strangers do not disturb a test, whatever they send and however often."""
    before = target.counters()["requests"]
    locustfile = engine.locustfile(SOURCE)
    worker = fleet.worker(engine, locustfile)
    # One more than is expected takes part as well.
    extra = fleet.worker(engine, locustfile)

    gone = Path(f"{locustfile}.gone")

    def disturb(process: "subprocess.Popen[str]") -> None:
        frames = list(hostile_frames())
        fleet.wait_for_master()
        open_ones = []
        for index in range(200):
            with contextlib.suppress(OSError):
                stranger = socket.create_connection(("127.0.0.1", fleet.port), 30)
                stranger.sendall(frames[index % len(frames)])
                open_ones.append(stranger)
        time.sleep(1)
        for stranger in open_ones:
            stranger.close()
        gone.touch()

    until = f"{exists(gone)} and runner.user_count == {TARGET_USERS} and runner.worker_count == 2"
    args = master_args(fleet, 1)
    result = engine.load(locustfile, *args, host=target.url, users=TARGET_USERS, until=until, during=disturb)
    assert result.code == 0, str(result)
    assert outage(result, 0) >= 0 and "2 workers connected" in result.stderr, str(result)
    assert "does not speak the protocol" in result.stderr and "Unrecognized message detected" in result.stderr, str(
        result
    )
    assert result.stderr.count("does not speak the protocol") < 3, "said now and then, not for each"
    assert 0 <= lost(result, target, before) <= 16, str(result)
    for process in (worker, extra):
        assert fleet.end(process).code in (0, 1)


def test_secrets_and_code(fleet: Fleet, engine: Engine, locust: Engine, target: Target) -> None:
    """Only who knows the secret joins; who does not is told why, at both ends. Code can be refused."""
    locustfile = engine.locustfile(SOURCE)
    secret = {"LOCUST_MASTER_SECRET": "open sesame"}
    refusing = engine.run("-f", "-", "--worker", "--master-port", str(fleet.port), "--refuse-code")
    assert refusing.code == 1 and "takes no code from a master" in refusing.stderr, str(refusing)

    def worker(engine: Engine, *args: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        process = engine.start("--worker", "--master-port", str(fleet.port), *args, env=env)
        fleet.processes.append(process)
        return process

    outsiders: list[subprocess.Popen[str]] = []

    def join(process: "subprocess.Popen[str]") -> None:
        outsiders.append(worker(engine, "-f", str(locustfile), "--master-secret", "open barley"))
        outsiders.append(worker(locust, "-f", str(locustfile)))
        wait_for_words(outsiders[0], "its secret is another one")
        worker(engine, "-f", "-", env=secret)

    result = engine.load(
        locustfile, *master_args(fleet, 1), host=target.url, users=2, run_time="1s", during=join, env=secret
    )
    assert result.code == 0, str(result)
    assert "messages are encrypted" in result.stderr and "1 workers connected" in result.stderr
    assert "2 workers connected" not in result.stderr and "refused" in result.stderr, str(result)
    assert "open sesame" not in result.stderr + result.stdout
