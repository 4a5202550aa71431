"""What people type: each mistake gets an answer that says what is wrong, quickly, and an exit code."""

import os
import re
from pathlib import Path

import pytest
from engines import Engine
from servers import Target

GET_HELLO = """
from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def hello(self):
        self.client.get("/hello")
"""


HELLO_ONCE = GET_HELLO + "        self.environment.runner.quit()\n"


def test_missing_file(engine: Engine) -> None:
    """CLI-73"""
    result = engine.run("-f", "nowhere.py", "--headless")
    assert result.code == 1
    assert "nowhere.py" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_file_at_all(engine: Engine, tmp_path: Path) -> None:
    result = engine.run("--headless", cwd=tmp_path)
    assert result.code == 1
    assert "locustfile" in result.stderr
    assert "Traceback" not in result.stderr


def test_syntax_error(engine: Engine) -> None:
    """CLI-75: the traceback names file and line."""
    path = engine.locustfile("from locust import HttpUser\n\ndef broken(:\n    pass\n")
    result = engine.run("-f", path, "--headless")
    assert result.code == 1
    assert "SyntaxError" in result.stderr
    assert re.search(rf'File "{re.escape(str(path))}", line 3', result.stderr)


def test_exception_while_importing(engine: Engine) -> None:
    """CLI-75"""
    path = engine.locustfile("import locust\n\nraise RuntimeError('no configuration')\n")
    result = engine.run("-f", path, "--headless")
    assert result.code == 1
    assert "RuntimeError: no configuration" in result.stderr
    assert re.search(rf'File "{re.escape(str(path))}", line 3', result.stderr)


def test_import_of_a_neighbour(engine: Engine, target: Target) -> None:
    """The folder of the locustfile is on the import path."""
    path = engine.locustfile("from neighbour import Visitor\n")
    (path.parent / "neighbour.py").write_text(HELLO_ONCE)
    result = engine.load(path, host=target.url, users=1, run_time="100s")
    assert result.code == 0, str(result)
    assert result.names == {("GET", "/hello")}


def test_no_user_class(engine: Engine) -> None:
    """CLI-77"""
    result = engine.run("-f", engine.locustfile("import locust\n"), "--headless")
    assert result.code == 1
    assert "User class" in result.stderr


def test_unknown_option(engine: Engine) -> None:
    """CLI-66: a suggestion comes with it."""
    result = engine.run("-f", engine.locustfile(GET_HELLO), "--userz", "3")
    assert result.code == 2
    assert "--userz" in result.stderr
    assert "--users" in result.stderr


@pytest.mark.parametrize(
    "args",
    [("-u", "many"), ("-r", "0"), ("-r", "-1"), ("-t", "soon"), ("-L", "LOUD"), ("-P", "web"), ("--csv-full-history",)],
    ids=" ".join,
)
def test_wrong_value(engine: Engine, args: tuple[str, ...]) -> None:
    """CLI-5, CLI-6, CLI-7, CLI-36, CLI-44"""
    result = engine.run("-f", engine.locustfile(GET_HELLO), "--headless", *args)
    assert result.code in (1, 2), str(result)
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


def test_unknown_class(engine: Engine) -> None:
    """CLI-78"""
    result = engine.run("-f", engine.locustfile(GET_HELLO), "--headless", "Vistor")
    assert result.code == 1
    assert "Vistor" in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_host(engine: Engine) -> None:
    """API-86, CLI-81: nobody can be made without a host; the run ends by itself, with status 0."""
    result = engine.load(engine.locustfile(GET_HELLO), run_time="600s")
    assert result.code == 0, str(result)
    assert "host" in result.stderr


def test_host_without_scheme(engine: Engine) -> None:
    result = engine.load(engine.locustfile(GET_HELLO), host="localhost:8080", users=2, until="runner.exceptions")
    assert result.code == 1, str(result)
    if engine.is_cload:
        assert "http://" in result.stderr, "says how a host is written"


def test_folder(engine: Engine, target: Target, tmp_path: Path) -> None:
    """CLI-70: every file below a folder; none is a mistake."""
    assert engine.run("-f", tmp_path, "--headless").code == 1
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "some.py").write_text(HELLO_ONCE)
    (tmp_path / "_not_this.py").write_text("raise RuntimeError")
    result = engine.load(tmp_path, host=target.url, users=1, run_time="100s")
    assert result.code == 0, str(result)
    assert result.names == {("GET", "/hello")}


def test_version_and_help(engine: Engine) -> None:
    """CLI-1, CLI-47"""
    version = engine.run("--version")
    assert version.code == 0
    assert re.search(r" from .* \(Python 3\.\d+\.\d+\)", version.stdout)
    usage = engine.run("--help")
    assert usage.code == 0
    for option in ("--headless", "--users", "--spawn-rate", "--run-time", "--host", "--csv", "--tags"):
        assert option in usage.stdout


def test_options_from_everywhere(engine: Engine, target: Target, tmp_path: Path) -> None:
    """CLI-57: a file is weaker than the environment, that is weaker than the command line."""
    (tmp_path / "locust.conf").write_text("headless = true\nusers = 3\nspawn-rate = 50\nrun-time = 500s\n")
    path = engine.locustfile(GET_HELLO)
    environment = {"LOCUST_LOCUSTFILE": str(path), "LOCUST_RUN_TIME": "400s", "LOCUST_HOST": target.url}
    result = engine.run("-t", "1s", env=environment, cwd=tmp_path)
    assert result.code == 0, str(result)
    assert '{"Visitor": 3} (3 total users)' in result.stderr


def test_runs_from_any_folder(engine: Engine, target: Target) -> None:
    path = engine.locustfile(HELLO_ONCE)
    result = engine.run(
        *("-f", os.path.relpath(path, "/"), "--headless", "-u", "1", "-t", "100s", "--host", target.url),
        cwd=Path("/"),
    )
    assert result.code == 0, str(result)
    assert result.names == {("GET", "/hello")}
