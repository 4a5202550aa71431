"""A shape with a mistake."""

from locust import HttpUser, LoadTestShape, constant, task


class Broken(LoadTestShape):
    ticks = 0

    def tick(self):
        self.ticks += 1
        if self.ticks == 2:
            raise ValueError("no such stage")
        return 1, 1


class Quiet(HttpUser):
    wait_time = constant(0.2)

    @task
    def get(self):
        self.client.get("/hello")
