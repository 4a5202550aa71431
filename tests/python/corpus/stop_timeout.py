"""Run with --stop-timeout: what is under way is finished."""

from locust import HttpUser, constant, task


class Slow(HttpUser):
    wait_time = constant(10)

    def on_start(self):
        print("> start")

    def on_stop(self):
        print("> stop")

    @task
    def slow(self):
        self.client.get("/delay/1500", name="slow")
        print("> finished")
