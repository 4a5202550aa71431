"""Decides the exit code by what was measured."""

import logging

from locust import HttpUser, constant, events, task
from locust.exception import StopUser


@events.quitting.add_listener
def judge(environment, **_):
    stats = environment.stats
    if stats.total.fail_ratio > 0.5:
        environment.process_exit_code = 9
    elif stats.total.avg_response_time > 10_000:
        logging.error("too slow")
        environment.process_exit_code = 2
    elif stats.total.get_response_time_percentile(0.95) > 10_000:
        environment.process_exit_code = 3
    elif stats.get("/status/500", "GET").num_failures == 1:
        environment.process_exit_code = 7
    else:
        environment.process_exit_code = 0


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        for path in ("/", "/hello", "/status/500"):
            self.client.get(path)
        raise StopUser
