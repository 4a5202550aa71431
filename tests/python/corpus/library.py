"""Locust as a library, in a script with a main of its own."""

import sys

import gevent
from locust import HttpUser, constant, events, task
from locust.env import Environment
from locust.log import setup_logging
from locust.stats import stats_history, stats_printer

setup_logging("ERROR")


class Visitor(HttpUser):
    wait_time = constant(0.01)

    @task
    def get(self):
        self.client.get("/hello")


def main():
    environment = Environment(user_classes=[Visitor], events=events, host=sys.argv[1])
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    printer = gevent.spawn(stats_printer(environment.stats))
    history = gevent.spawn(stats_history, environment.runner)
    runner.start(3, spawn_rate=10)
    gevent.sleep(1)
    print("> state", runner.state, runner.user_count, dict(runner.user_classes_count))
    runner.start(1, spawn_rate=10)
    gevent.sleep(1.5)
    print("> users", runner.user_count)
    gevent.spawn_later(0.2, runner.quit)
    runner.greenlet.join()
    printer.kill()
    history.kill()
    total = environment.stats.total
    print("> requests", total.num_requests > 5, total.num_failures, total.fail_ratio, runner.state)
    print("> history", len(environment.stats.history) >= 1, sorted(environment.stats.entries))


main()
