"""The load generators that are compared, each doing the same work with its own means."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import HERE, Contender

sys.path.insert(0, str(HERE.parent / "support"))

from engines import cload_command, oracle_command
from servers import BUILD, ROOT

PEERS = ("wrk", "k6", "goose", "oha", "vegeta", "locust HttpUser", "locust FastHttpUser")
"""Everything that is not ours."""


def locust_like(command: Sequence[str], locustfile: str) -> Callable[[str, int, float], list[str]]:
    def build(url: str, users: int, seconds: float) -> list[str]:
        host = re.sub(r"(://[^/]+)/.*", r"\1", url)
        path = HERE / "locustfiles" / locustfile
        arguments = ["-f", str(path), "--headless", "--only-summary", "-u", str(users), "-r", str(max(users, 100))]
        return [*command, *arguments, "-t", f"{int(seconds)}s", "--host", host]

    return build


def c_program(path: Path, authority: Path) -> Callable[[str, int, float], list[str]]:
    return lambda url, users, seconds: [str(path), url, str(users), str(int(seconds)), str(authority)]


def peer(program: str) -> str | None:
    """Where a program of another project is: built by `./dev bench`, or on the path."""
    built = ROOT / ".bench/bin" / program
    return str(built) if built.exists() else shutil.which(program)


def wrk(program: str) -> Callable[[str, int, float], list[str]]:
    return lambda url, users, seconds: [program, "-t1", f"-c{users}", f"-d{int(seconds)}s", url]


def k6(program: str) -> Callable[[str, int, float], list[str]]:
    def build(url: str, users: int, seconds: float) -> list[str]:
        settings = [f"URL={url}", f"USERS={users}", f"SECONDS={int(seconds)}"]
        return [program, "run", "--quiet", *(part for one in settings for part in ("-e", one)), str(HERE / "k6.js")]

    return build


def goose(program: str) -> Callable[[str, int, float], list[str]]:
    def build(url: str, users: int, seconds: float) -> list[str]:
        host = url.rpartition("/")[0]
        crowd = ["--users", str(users), "--hatch-rate", str(users), "--run-time", f"{int(seconds)}s"]
        return [program, "--host", host, *crowd, "--accept-invalid-certs", "--no-reset-metrics", "--no-print-metrics"]

    return build


def oha(program: str) -> Callable[[str, int, float], list[str]]:
    return lambda url, users, seconds: [
        *(program, "--no-tui", "--insecure", "--disable-compression"),
        *("-c", str(users), "-z", f"{int(seconds)}s", url),
    ]


def vegeta(program: str) -> Callable[[str, int, float], list[str]]:
    def build(url: str, users: int, seconds: float) -> list[str]:
        crowd = f"-rate=0 -workers={users} -max-workers={users} -connections={users} -duration={int(seconds)}s"
        # It reads its targets from a file or from standard input.
        return ["bash", "-c", f"exec {program} attack {crowd} -insecure -http2=false -output=/dev/null <<<'GET {url}'"]

    return build


def contenders(authority: Path) -> list[Contender]:
    """Everything that is installed here."""
    found = []
    for name, build in (("wrk", wrk), ("k6", k6), ("goose", goose), ("oha", oha), ("vegeta", vegeta)):
        if program := peer("goose-get" if name == "goose" else name):
            found.append(Contender(name, build(program)))
    if "LOCUST_ORACLE" in os.environ:
        found.append(Contender("locust HttpUser", locust_like(oracle_command(), "get.py"), is_locust_like=True))
        found.append(
            Contender("locust FastHttpUser", locust_like(oracle_command(), "get_fast.py"), is_locust_like=True)
        )
    if Path(cload_command()[0]).exists():
        found.append(Contender("cload HttpUser", locust_like(cload_command(), "get.py"), is_locust_like=True))
        found.append(Contender("cload FastHttpUser", locust_like(cload_command(), "get_fast.py"), is_locust_like=True))
    for name, program in (("cload C task", "bench_task"), ("cload C sessions", "bench_session")):
        path = BUILD / "tests/bench" / program
        if path.exists():
            found.append(Contender(name, c_program(path, authority)))
    return found
