"""Two peaks, with the curve's parameters taken from the command line's usual options."""

import math

from locust import HttpUser, LoadTestShape, between, task


class Worker(HttpUser):
    wait_time = between(0.05, 0.1)

    @task
    def get(self):
        self.client.get("/", name="home")


class DoubleWave(LoadTestShape):
    use_common_options = True
    time_limit = 2

    def tick(self):
        run_time = round(self.get_run_time())
        if run_time > self.time_limit:
            print("> end of wave", self.get_current_user_count() > 0)
            return None
        options = self.runner.environment.parsed_options
        wave = math.e ** -(((run_time / (self.time_limit / 2)) - 1) ** 2)
        print("> users option", options.users, options.spawn_rate)
        return max(1, round(options.users * wave)), options.spawn_rate
