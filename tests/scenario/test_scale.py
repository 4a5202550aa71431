"""Thousands of users on the two-core machine the tests run on."""

from engines import Engine
from servers import Nginx, Target

MANY = """
from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(1)

    @task
    def hello(self):
        self.client.get("/hello")
"""


def test_two_thousand_users(engine: Engine, nginx: Nginx) -> None:
    result = engine.load(engine.locustfile(MANY), host=nginx.url, users=2000, rate=1000, run_time="8s", limit=60)
    assert result.code == 0, str(result)
    row = result.rows["GET", "/hello"]
    assert row.failures == 0
    assert row.requests >= 2000
    assert "(2000 total users)" in result.stderr


def test_each_user_keeps_its_connection(engine: Engine, target: Target) -> None:
    before = target.counters()
    result = engine.load(
        engine.locustfile(MANY.replace("constant(1)", "constant(0.05)")), host=target.url, users=50, run_time="3s"
    )
    after = target.counters()
    assert result.rows["GET", "/hello"].requests > 500, str(result)
    assert after["connections"] - before["connections"] == 50 + 1, "one for each user, one for the counters"
    assert after["open"] == 1, "all closed at the end"
