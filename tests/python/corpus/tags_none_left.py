"""Run with a tag that nobody has."""

from locust import HttpUser, constant, tag, task


class Tester(HttpUser):
    wait_time = constant(0.3)

    @tag("api")
    @task
    def call(self):
        self.client.get("/")
