"""What a container may use, and what its surroundings tell it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from locust.argument_parser import get_parser
from locust.util.cores import usable_cores
from oracle import PATIENCE

QUITTER = """
from locust import User, task

class U(User):
    @task
    def quit(self):
        self.environment.runner.quit()
"""


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "300000 100000",
                "sys/fs/cgroup/a/b/cpu.max": "max 1",
            },
            3,
        ),
        ({"proc/self/cgroup": "0::/docker/1\n", "sys/fs/cgroup/cpu.max": "400000 100000"}, 4),
        (
            {
                "proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/x\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "700000",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            },
            7,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            64,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense"}, 64),
    ],
)
def test_processes_are_as_many_as_the_container_may_use(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of --processes -1."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64))
    assert usable_cores(tmp_path) == cores


def test_links_of_services_are_no_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUST_WEB_PORT", "tcp://10.0.171.239:8089")
    monkeypatch.setenv("LOCUST_PROMETHEUS_PORT", "tcp://10.0.171.240:9090")
    monkeypatch.setenv("LOCUST_MASTER_NODE_PORT", "5599")
    options = get_parser([]).parse_args([])
    assert (options.web_port, options.prometheus_port, options.master_port) == (8089, None, 5599)
    monkeypatch.setenv("LOCUST_WEB_PORT", "tcp://nonsense")
    with pytest.raises(SystemExit):
        get_parser([]).parse_args([])


def test_json_to_a_closed_output_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(QUITTER)
    command = [sys.executable, "-m", "cload", "--headless", "--only-summary", "--json"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1 and "could not be written to standard output" in done.stderr, done
