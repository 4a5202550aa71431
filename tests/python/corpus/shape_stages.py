"""Stages in a table, as in the manual."""

from locust import HttpUser, LoadTestShape, constant, task


class Worker(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        print("> up")

    def on_stop(self):
        print("> down")

    @task
    def get(self):
        self.client.get("/hello")


class Stages(LoadTestShape):
    stages = [
        {"duration": 1, "users": 2, "spawn_rate": 10},
        {"duration": 2.2, "users": 4, "spawn_rate": 10},
    ]

    def tick(self):
        run_time = self.get_run_time()
        for stage in self.stages:
            if run_time < stage["duration"]:
                return stage["users"], stage["spawn_rate"]
        return None
