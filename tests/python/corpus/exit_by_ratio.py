"""The exit code is decided by the ratio of failures, the mean, and a percentile."""

import logging

from locust import HttpUser, constant, events, task
from locust.exception import StopUser


@events.quitting.add_listener
def decide(environment, **_):
    total = environment.stats.total
    print("> ratio", round(total.fail_ratio, 2), total.num_requests, total.num_failures)
    if total.fail_ratio > 0.3:
        logging.error("too many failures")
        environment.process_exit_code = 3
    elif total.avg_response_time > 5000 or total.get_response_time_percentile(0.95) > 8000:
        environment.process_exit_code = 4
    else:
        environment.process_exit_code = 0
    entry = environment.stats.get("half", "GET")
    print(
        "> half",
        entry.num_requests,
        entry.num_failures,
        entry.fail_ratio,
        environment.stats.get("no", "GET").fail_ratio,
    )


class Caller(HttpUser):
    wait_time = constant(0)
    rounds = 0

    @task
    def call(self):
        for path in ("/hello", "/status/503"):
            self.client.get(path, name="half")
        self.rounds += 1
        if self.rounds == 2:
            raise StopUser
