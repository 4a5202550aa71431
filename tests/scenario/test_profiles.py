"""examples/profiles: a script that picks one of several configuration files."""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from engines import Engine
from servers import Target


def load_test(engine: Engine, examples: Path, folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    shutil.copytree(examples / "profiles", folder / "profiles", ignore=shutil.ignore_patterns("results"))
    command = folder / "command"
    command.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in engine.command) + ' "$@"\n')
    command.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return subprocess.run(
        [str(folder / "profiles" / "load_test.sh"), *args],
        env={**environment, "LOAD_TEST_COMMAND": str(command)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("args", [(), ("nothing",)])
def test_usage(engine: Engine, examples: Path, tmp_path: Path, args: tuple[str, ...]) -> None:
    done = load_test(engine, examples, tmp_path, *args)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_all_profiles(engine: Engine, examples: Path, target: Target, tmp_path: Path) -> None:
    """CLI-3, CLI-34, CLI-53, CLI-57, CLI-69, CLI-80: the command line is stronger than the profile."""
    done = load_test(engine, examples, tmp_path, "all", "--host", target.url, "--run-time", "3s")
    assert done.returncode == 0, done.stderr
    names = {}
    for profile in ("basic", "stress", "cache", "spike"):
        with open(tmp_path / "profiles" / "results" / f"{profile}_stats.csv", newline="") as file:
            names[profile] = {row["Name"] for row in csv.DictReader(file)}
    assert names["cache"] == {"/hello (again)", "Aggregated"}
    for profile in ("basic", "stress", "spike"):
        assert "/hello" in names[profile]
    assert '{"Visitor": 50}' in done.stderr
    assert done.stderr.rindex('{"Visitor": 1}') > done.stderr.index('{"Visitor": 50}')
