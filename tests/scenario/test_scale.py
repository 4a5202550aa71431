"""Thousands of users on the two-core machine the tests run on."""

import time

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
    until = "runner.user_count == 2000 and stats.total.num_requests > 4000"
    result = engine.load(engine.locustfile(MANY), host=nginx.url, users=2000, rate=1000, until=until)
    assert result.code == 0, str(result)
    row = result.rows["GET", "/hello"]
    assert row.failures == 0
    assert row.requests >= 2000
    assert "(2000 total users)" in result.stderr


def test_each_user_keeps_its_connection(engine: Engine, target: Target) -> None:
    before = target.counters()
    result = engine.load(
        engine.locustfile(MANY.replace("constant(1)", "constant(0.05)")),
        host=target.url,
        users=50,
        until="stats.total.num_requests > 600",
    )
    after = target.counters()
    looks = 1
    while after["open"] > 1 and looks < 500:
        time.sleep(0.1)  # until the target has heard of the last one's end
        after = target.counters()
        looks += 1
    assert result.rows["GET", "/hello"].requests > 500, str(result)
    assert after["connections"] - before["connections"] == 50 + looks, "one for each user, one for the counters"
    assert after["open"] == 1, "all closed at the end"
