"""What files ask at the start of a test: on which kind of node they are."""

import logging

from locust import HttpUser, constant, events, task
from locust.exception import StopUser
from locust.runners import STATE_STOPPED, LocalRunner, MasterRunner, WorkerRunner

data = {}


@events.init.add_listener
def on_init(environment, runner, web_ui, **_):
    print("> init", runner is environment.runner, web_ui, isinstance(runner, MasterRunner | WorkerRunner))
    if not isinstance(environment.runner, WorkerRunner):
        environment.runner.register_message("rows", lambda environment, msg, **_: data.update(msg.data))


@events.test_start.add_listener
def on_start(environment, **_):
    print("> start", environment.runner.state, environment.parsed_options.num_users, environment.host is not None)
    if not isinstance(environment.runner, MasterRunner):
        index, count = environment.runner.worker_index, environment.runner.worker_count
        print("> part", list(range(6))[index::count])
    if isinstance(environment.runner, LocalRunner):
        environment.runner.send_message("rows", {"a": 1})


@events.test_stopping.add_listener
def on_stopping(environment, **_):
    print("> stopping", environment.runner.state != STATE_STOPPED, data)


@events.quitting.add_listener
def on_quitting(environment, **_):
    print("> quitting", environment.runner.state, environment.stats.total.num_requests)


@events.quit.add_listener
def on_quit(exit_code, **_):
    print("> quit", exit_code)


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        logging.getLogger("mine").info("calling")
        self.client.get("/hello")
        raise StopUser
