"""Locustfiles of many kinds, each on cload and on real Locust against the same server: the same outcome.

Compared are the exit code, the rows of the statistics, failures, exceptions, and the lines a file prints that begin
with ">". Where a file ends its users after a number of steps the numbers have to be the same too, otherwise only what
occurs. With others: API-9, API-97, API-140, API-141, API-145, API-146, API-147, API-149, API-172, API-229.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from engines import Result, cload_command, oracle_command, parse_tables
from oracle import PATIENCE
from servers import Target

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One run of one file."""

    name: str
    users: int = 1
    seconds: int = 2
    is_counted: bool = True
    options: tuple[str, ...] = ()
    file: str = ""
    is_script: bool = False
    has_host: bool = True
    has_own_words: bool = False
    """Whether texts of failures differ, and are left out."""
    is_copied: bool = False
    """Whether a copy is run: pytest would read the conftest.py beside the file."""
    env: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return CORPUS / f"{self.file or self.name}.py"


CASES = [
    Case("plain", users=3, seconds=2, is_counted=False),
    Case("weights"),
    Case("several_classes", users=6),
    Case("nested"),
    Case("nested_random"),
    Case("sequential"),
    Case("sequential_list"),
    Case("markov"),
    Case("tags", users=2, options=("--tags", "smoke", "deep", "--exclude-tags", "slow")),
    Case("tags_none_left", is_counted=False, has_own_words=True, options=("--tags", "nobody")),
    Case("shape_stages", seconds=20, is_counted=False),
    Case("shape_double_wave", users=3, seconds=20, is_counted=False),
    Case("shape_classes", seconds=20, is_counted=False),
    Case("shape_reset", seconds=20, is_counted=False),
    Case("shape_raises", seconds=20, is_counted=False),
    Case("custom_client", users=2),
    Case("xmlrpc_client", users=2),
    Case("raw_socket", users=3),
    Case("push_client", users=2),
    Case("interceptor", users=2),
    Case("all_events"),
    Case("events_measure", users=2),
    Case("own_events"),
    Case("custom_arguments"),
    Case("custom_arguments_given", file="custom_arguments", users=2, options=("--shop-count", "3", "--shop-flag")),
    Case("custom_arguments_environment", file="custom_arguments", env={"SHOP_PATH": "/echo/shop"}),
    Case("custom_arguments_wrong", file="custom_arguments", options=("--shop-mode", "c")),
    Case("catch_response"),
    Case("rest_calls", has_own_words=True),
    Case("fast_plain"),
    Case("fast_rest", has_own_words=True),
    Case("login_csrf", users=3),
    Case("bearer_token"),
    Case("uploads"),
    Case("streaming"),
    Case("pagination", users=2),
    Case("csv_fed", users=4),
    Case("queue_fed", users=3),
    Case("faker_fed"),
    Case("pool_inside", users=2),
    Case("threads", users=2),
    Case("start_chain", users=2, is_counted=False),
    Case("setup_calls"),
    Case("quit_after"),
    Case("quit_inside", users=3, env={"SHOP_WHERE": "task"}),
    Case("quit_at_start", file="quit_inside", users=3, env={"SHOP_WHERE": "start"}),
    Case("exit_code"),
    Case("stop_timeout", users=2, seconds=1, options=("--stop-timeout", "10")),
    Case("killed", users=2, seconds=2),
    Case("wait_times", users=9, seconds=3),
    Case("dynamic_tasks", users=2),
    Case("runtime_weights"),
    Case("messages", users=2),
    Case("stats_listener", users=3),
    Case("overridden", users=3),
    Case("hooks_and_adapters"),
    Case("polling"),
    Case("exceptions", users=7),
    Case("single_user", is_script=True),
    Case("library", is_script=True, is_counted=False),
    Case("pytest_style", users=3, seconds=2, is_counted=False, is_copied=True),
    Case("grouping"),
    Case("timeouts"),
    Case("unreachable_host", has_host=False),
    Case("failure_kinds", users=4, has_own_words=True),
    Case("two_hosts"),
    Case("token_refresh", users=2, seconds=1),
    Case("websocket_client", users=2, seconds=1),
    Case("store_protocol", users=4, seconds=1),
    Case("sqlite_threadpool", users=2, seconds=1),
    Case("plugin_classes", seconds=1),
    Case("shape_steps", seconds=20, is_counted=False, options=("--step-users", "2")),
    Case("shape_of_dicts", seconds=20, is_counted=False),
    Case("journey", seconds=1),
    Case("node_roles", users=2, seconds=1),
    Case("exit_by_ratio", users=2, seconds=1),
    Case("several_services", users=2, seconds=1),
    Case("generated_classes", users=5, seconds=1),
    Case("mixins", users=3, seconds=1),
    Case("typed_models", seconds=1),
    Case("asyncio_inside", users=2, seconds=1),
    Case("retries_mounted", seconds=1),
    Case("answers_in_detail", seconds=1),
    Case("judged_with_care", users=3, seconds=1),
    Case("users_end_users", users=3, seconds=3),
    Case("all_at_once", users=5, seconds=1),
    Case("time_limits", users=2, seconds=2),
    Case("stats_cleared", seconds=1),
    Case("background_greenlets", users=2, seconds=2, is_counted=False),
    Case("logout_at_the_end", users=2, seconds=1),
    Case("own_logging", seconds=1, env={"SHOP_COLOUR": "green"}),
    Case("one_class", file="several_classes", users=2, options=("Seller", "Buyer")),
    Case("listed", file="several_classes", options=("--list",)),
    Case("class_unknown", file="several_classes", users=2, options=("NoSuchClass",)),
]


@dataclass
class Outcome:
    """What is compared of a run."""

    code: int
    rows: dict[tuple[str, str], tuple[int, int]]
    failures: Counter[str]
    exceptions: Counter[str]
    printed: Counter[str]
    output: str


def _normalised(text: str) -> str:
    """Without ports, addresses of objects and milliseconds of the day."""
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"(127\.0\.0\.1|localhost)(:|', port=)\d+", r"\1:PORT", text)
    # The times that run_single_user() prints.
    text = re.sub(r"\t\d+ +\t", "\t0\t", text)
    return re.sub(r"_=\d{13}", "_=NOW", text)


def _table(prefix: Path, kind: str) -> list[dict[str, str]]:
    path = Path(f"{prefix}_{kind}.csv")
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _run(case: Case, command: list[str], folder: Path, url: str) -> Outcome:
    folder.mkdir()
    prefix = folder / "run"
    path = shutil.copy(case.path, folder) if case.is_copied else str(case.path)
    if case.is_script:
        command = [*command, path, url]
    else:
        command = [*command, "-f", path, "--headless", "-u", str(case.users), "-r", "100"]
        command += ["-t", f"{case.seconds}s"]
        command += ["--csv", str(prefix), "--only-summary", *case.options]
        if case.has_host:
            command += ["--host", url]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1", **case.env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    tables = Result(done.returncode, done.stdout, done.stderr, 0, prefix)
    parse_tables(done.stderr, tables)
    rows = {(row[0], _normalised(row[1])): (seen.requests, seen.failures) for row, seen in tables.rows.items()}
    failures = Counter[str]()
    for text, count in tables.errors.items():
        failures[_normalised(text).partition(": " if case.has_own_words else "\n")[0]] += count
    exceptions = Counter[str]()
    for row in _table(prefix, "exceptions"):
        exceptions["" if case.has_own_words else _normalised(row["Message"])] += int(row["Count"])
    printed = Counter(_normalised(line) for line in done.stdout.splitlines() if line.startswith((">", "GET")))
    return Outcome(done.returncode, rows, failures, exceptions, printed, done.stdout[-3000:] + done.stderr[-6000:])


def _command(case: Case, is_ours: bool) -> list[str]:
    if case.is_script:
        return [sys.executable, "-m", "cload"] if is_ours else [os.environ["LOCUST_ORACLE"]]
    return cload_command() if is_ours else oracle_command()


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, target: Target
) -> Iterator[dict[str, tuple[Future[Outcome], Future[Outcome]]]]:
    """All runs that were asked for, some at a time."""
    if "LOCUST_ORACLE" not in os.environ:
        pytest.skip("LOCUST_ORACLE names no Python with real Locust; ./dev test sets it")
    folder = tmp_path_factory.mktemp("corpus")
    with ThreadPoolExecutor(6) as executor:
        started = {}
        for item in request.session.items:
            callspec = getattr(item, "callspec", None)
            if item.path != Path(__file__) or callspec is None:
                continue
            case: Case = callspec.params["case"]
            started[case.name] = (
                executor.submit(_run, case, _command(case, is_ours=True), folder / f"{case.name}.cload", target.url),
                executor.submit(_run, case, _command(case, is_ours=False), folder / f"{case.name}.locust", target.url),
            )
        yield started
        executor.shutdown(cancel_futures=True)


def _differences(case: Case, ours: Outcome, theirs: Outcome) -> dict[str, tuple[object, object]]:
    names = ("code", "rows", "failures", "exceptions", "printed")
    pairs: dict[str, tuple[object, object]] = {name: (getattr(ours, name), getattr(theirs, name)) for name in names}
    if not case.is_counted:
        pairs |= {name: (set(getattr(ours, name)), set(getattr(theirs, name))) for name in names[1:]}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_outcome(
    case: Case, runs: dict[str, tuple[Future[Outcome], Future[Outcome]]], tmp_path: Path, target: Target
) -> None:
    ours, theirs = (future.result() for future in runs[case.name])
    if "No module named 'faker'" in ours.output + theirs.output:
        pytest.skip("faker is not installed")
    if _differences(case, ours, theirs):
        # On a busy machine the time may have been too short for one of them.
        patient = replace(case, seconds=case.seconds * 4)
        ours = _run(patient, _command(case, is_ours=True), tmp_path / "cload", target.url)
        theirs = _run(patient, _command(case, is_ours=False), tmp_path / "locust", target.url)
    print(f"--- cload\n{ours.output}\n--- locust\n{theirs.output}")
    assert _differences(case, ours, theirs) == {}


def test_every_file_is_run() -> None:
    assert {case.path for case in CASES} == set(CORPUS.glob("*.py"))
