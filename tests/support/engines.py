"""Runs cload, or real Locust for comparison, and reads what it printed and wrote."""

import csv
import os
import re
import signal
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from servers import BUILD

# `GET      /name    12  3(25.00%) |    4   2   9   4 |   1.00   0.25`
ROW = re.compile(
    r"^(?P<method>\S*) +(?P<name>.*?) +(?P<requests>\d+) +(?P<failures>\d+)\((?P<percent>[\d.]+)%\) \|"
    r" *(?P<average>\d+) +(?P<min>\d+) +(?P<max>\d+) +(?P<median>\d+) \| *(?P<rate>[\d.]+) +(?P<failure_rate>[\d.]+)$"
)
ERROR = re.compile(r"^(?P<count>\d+) +(?P<text>\S.*?) *$")


# Beside a script: ends its test as soon as what the caller waits for has happened.
ENDING = """
import gevent
from locust import events


@events.test_start.add_listener
def on_test_start(environment, **_):
    runner, stats = environment.runner, environment.stats

    def end():
        while not ({until}):
            gevent.sleep(0.02)
        open(__file__ + ".reached", "w").close()
        runner.quit()

    if type(runner).__name__ != "WorkerRunner":
        gevent.spawn(end)
"""


@dataclass(frozen=True)
class Row:
    requests: int
    failures: int
    average: int
    min: int
    max: int
    median: int


@dataclass
class Result:
    code: int
    stdout: str
    stderr: str
    seconds: float
    csv_prefix: Path
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    """The last table, by method and name; without the aggregate."""
    total: Row | None = None
    errors: dict[str, int] = field(default_factory=dict)
    """The error report: text and how often."""

    @property
    def names(self) -> set[tuple[str, str]]:
        return set(self.rows)

    def csv(self, kind: str) -> list[dict[str, str]]:
        """`kind`: stats, stats_history, failures or exceptions."""
        with open(f"{self.csv_prefix}_{kind}.csv", newline="") as file:
            return list(csv.DictReader(file))

    def __str__(self) -> str:
        """For messages of failing tests: the ends of what it printed."""
        return (
            f"exit code {self.code} after {self.seconds:.1f} s\n"
            f"--- stdout\n{self.stdout[-2000:]}\n--- stderr\n{self.stderr[:1000]}\n...\n{self.stderr[-4000:]}"
        )


def parse_tables(text: str, result: Result) -> None:
    """The rows of the last table (the final one of a run that ended well), and the error report."""
    rows: dict[tuple[str, str], Row] = {}
    is_report = False
    for line in text.splitlines():
        if line.startswith("Type ") and "# fails" in line:
            rows = {}
        elif line.startswith("# occurrences"):
            is_report = True
        elif match := ROW.match(line):
            numbers = (int(match[key]) for key in ("requests", "failures", "average", "min", "max", "median"))
            rows[match["method"], match["name"]] = Row(*numbers)
        elif is_report and (match := ERROR.match(line)):
            result.errors[match["text"]] = int(match["count"])
    result.total = rows.pop(("", "Aggregated"), None)
    result.rows = rows


class Engine:
    """A load generator with Locust's command line."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.command = list(command)
        self.folder = folder

    @property
    def is_cload(self) -> bool:
        return self.name == "cload"

    def locustfile(self, source: str) -> Path:
        """A file with this text, in a folder of its own."""
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "locustfile.py"
        path.write_text(textwrap.dedent(source))
        return path

    def start(
        self, *args: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> "subprocess.Popen[str]":
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LOCUST_")}
        environment |= {"PYTHONUNBUFFERED": "1", "COLUMNS": "200", **(env or {})}
        return subprocess.Popen(
            [*self.command, *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=cwd or self.folder,
        )

    def run(
        self,
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        limit: float = 120,
        during: "Callable[[subprocess.Popen[str]], None] | None" = None,
    ) -> Result:
        """Runs to the end, which has to come within `limit` seconds. `during` is called once it is under way."""
        begin = time.monotonic()
        process = self.start(*args, env=env, cwd=cwd)
        try:
            if during is not None:
                during(process)
            stdout, stderr = process.communicate(timeout=limit)
        except BaseException as error:
            process.kill()
            stdout, stderr = process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise AssertionError(f"{process.args!r} did not end in {limit} s\n{stdout}\n{stderr}") from None
            raise
        result = Result(process.returncode, stdout, stderr, time.monotonic() - begin, Path("none"))
        parse_tables(stderr, result)
        return result

    def load(
        self,
        locustfile: Path,
        *args: str | Path,
        host: str | None = None,
        users: int = 5,
        rate: float = 100,
        run_time: str | None = None,
        until: str | None = None,
        env: Mapping[str, str] | None = None,
        limit: float = 120,
        during: "Callable[[subprocess.Popen[str]], None] | None" = None,
    ) -> Result:
        """A headless run of two seconds, if nothing else is said, with the final tables and CSV files. `until`, an
        expression of `environment`, `runner` and `stats`: the test ends when it is true, however busy the machine."""
        prefix = Path(tempfile.mkdtemp(dir=self.folder)) / "run"
        files = str(locustfile)
        if until is not None:
            ending = prefix.with_name("ending.py")
            ending.write_text(ENDING.format(until=until))
            files += f",{ending}"
        run_time = run_time or ("2s" if until is None else "100s")
        command: list[str | Path] = ["-f", files, "--headless", "-u", str(users), "-r", str(rate), "-t", run_time]
        command += ["--csv", prefix, "--only-summary", *args]
        if host is not None:
            command += ["--host", host]
        result = self.run(*command, env=env, limit=limit, during=during)
        result.csv_prefix = prefix
        assert until is None or prefix.with_name("ending.py.reached").exists(), f"never {until}: {result}"
        return result


def interrupt_after(begun: Path, number: int = signal.SIGINT) -> "Callable[[subprocess.Popen[str]], None]":
    """Ctrl+C, for `during`, once there is a file `begun`, which the script makes."""

    def send(process: "subprocess.Popen[str]") -> None:
        deadline = time.monotonic() + 100
        while not begun.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)

    return send


def cload_command() -> list[str]:
    return [str(BUILD / "cload")]


def oracle_command() -> list[str]:
    """Real Locust; LOCUST_ORACLE names the Python it is installed for."""
    return [os.environ["LOCUST_ORACLE"], "-m", "locust"]
