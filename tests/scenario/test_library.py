"""The second door: ordinary Python programs that use the package as a library."""

import subprocess
import sys
from pathlib import Path

import pytest
from engines import Engine
from servers import Target

RUNNER = """
import gevent
from locust import HttpUser, constant, events, task
from locust.env import Environment
from locust.stats import stats_history


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def hello(self):
        self.client.get("/hello")
        self.client.get("/status/404", name="missing")


environment = Environment(user_classes=[Visitor], events=events, host="{host}")
runner = environment.create_local_runner()
gevent.spawn(stats_history, runner)
runner.start(5, spawn_rate=100)


def quit_when_seen():
    while environment.stats.total.num_requests <= 50:
        gevent.sleep(0.02)
    runner.quit()


gevent.spawn(quit_when_seen)
runner.greenlet.join()
stats = environment.stats
print(sorted(key for key in stats.entries))
print(stats.total.num_requests > 50, stats.get("/hello", "GET").num_failures, round(stats.total.fail_ratio, 1))
print([(error.method, error.name, error.to_dict()["error"]) for error in stats.errors.values()])
total = stats.total
print(total.avg_response_time > 0, total.get_response_time_percentile(0.95) >= int(total.min_response_time))
"""
RUNNER_OUTPUT = [
    "[('/hello', 'GET'), ('missing', 'GET')]",
    "True 0 0.5",
    "[('GET', 'missing', \"HTTPError('404 Client Error: Not Found for url: missing')\")]",
    "True True",
]

SINGLE = """
from locust import HttpUser, constant, run_single_user, task
from locust.exception import StopUser


class Visitor(HttpUser):
    host = "{host}"
    wait_time = constant(0)

    @task
    def hello(self):
        print(self.client.get("/hello").text.strip())
        raise StopUser


if __name__ == "__main__":
    run_single_user(Visitor, include_time=False)
    print("over")
"""


def run_script(engine: Engine, source: str, *, is_prefixed: bool = True) -> "subprocess.CompletedProcess[str]":
    """With `python -m cload script.py`, or as it stands on real Locust."""
    path = engine.locustfile(source)
    command = [sys.executable, *(["-m", "cload"] if is_prefixed else [])] if engine.is_cload else engine.command[:1]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=120, cwd=path.parent)


def test_environment_and_runner(engine: Engine, target: Target) -> None:
    """API-121, API-134, API-137"""
    done = run_script(engine, RUNNER.format(host=target.url))
    assert done.stdout.splitlines() == RUNNER_OUTPUT, done.stderr
    assert done.returncode == 0


def test_single_user(engine: Engine, target: Target) -> None:
    done = run_script(engine, SINGLE.format(host=target.url))
    assert "Hello, world!" in done.stdout.splitlines(), done.stderr
    assert done.stdout.splitlines()[-1] == "over"
    assert done.returncode == 0


def test_import_cload(engine: Engine, target: Target) -> None:
    """The same names, and `import locust` means ours from then on."""
    if not engine.is_cload:
        pytest.skip("about cload")
    source = "from cload import HttpUser\nimport cload, locust\nassert locust.HttpUser is HttpUser\n"
    source += "assert set(locust.__all__) <= set(dir(cload))\nprint(cload.__version__)\n" + RUNNER.format(
        host=target.url
    )
    done = run_script(engine, source, is_prefixed=False)
    assert done.stdout.splitlines()[1:] == RUNNER_OUTPUT, done.stderr
    assert done.returncode == 0


def test_import_in_a_plain_python(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import cload"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
