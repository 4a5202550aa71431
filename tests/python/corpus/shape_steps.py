"""Load in steps, whose size comes from options of the command line."""

import math

from locust import HttpUser, LoadTestShape, constant, events, task


@events.init_command_line_parser.add_listener
def on_parser(parser):
    group = parser.add_argument_group("steps")
    group.add_argument("--step-users", type=int, default=1, env_var="STEP_USERS")
    group.add_argument("--step-seconds", type=float, default=1.2)


class Steps(LoadTestShape):
    use_common_options = True
    steps = 3

    def tick(self):
        options = self.runner.environment.parsed_options
        step = math.floor(self.get_run_time() / options.step_seconds)
        if step >= self.steps:
            return None
        return (step + 1) * options.step_users, options.spawn_rate


@events.spawning_complete.add_listener
def on_complete(user_count, **_):
    print("> users", user_count)


class Caller(HttpUser):
    wait_time = constant(0.1)

    @task
    def call(self):
        self.client.get("/hello")
