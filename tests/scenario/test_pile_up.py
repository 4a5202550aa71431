"""What piles up when many users start is worked off: counted in requests, not in time, so the machine may be busy."""

import shutil
import subprocess
from pathlib import Path

import pytest
from engines import Engine
from servers import ROOT

USERS = 1000

# Every user asks over and over. The answer is there before send() returns: the library below is the server.
VISITORS = """
import os
import socket

from locust import HttpUser, constant, task

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(4096)
count = 0


class Visitor(HttpUser):
    host = f"http://127.0.0.1:{listener.getsockname()[1]}"
    wait_time = constant(0)

    @task
    def ask(self):
        global count
        self.client.get("/")
        count += 1
        if count == 12 * int(os.environ["USERS"]):
            self.environment.runner.quit()
"""


def test_what_piled_up_at_the_start_drains(engine: Engine, tmp_path: Path) -> None:
    """A batch runs more ready users than one look at the sockets brings. If it did not, 1,000 users that start at once
    would stay in the queue for good: behind each answer the requests of all others would be sent first."""
    compiler = shutil.which("cc")
    if not engine.is_cload or compiler is None:
        pytest.skip("no compiler, or not cload")
    library, told = tmp_path / "instant.so", tmp_path / "told"
    source = ROOT / "tests/support/instant_server.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True, timeout=120)
    result = engine.load(
        engine.locustfile(VISITORS),
        users=USERS,
        rate=USERS,
        run_time="100s",
        env={"LD_PRELOAD": str(library), "INSTANT_TOLD": str(told), "USERS": str(USERS)},
    )
    assert result.code == 0, str(result)
    waits = list(map(int, told.read_text().split()))
    # By thousands of requests: how many others were sent, on average, between an answer and its user's next request.
    assert len(waits) >= 12 * USERS // 1000, str(result)
    assert max(waits[-5:]) < 300, waits
