"""Users that make one request and then wait, with their connection open."""

from locust import HttpUser, constant, task


class Waiter(HttpUser):
    wait_time = constant(3600)

    @task
    def get(self):
        self.client.get("/hello")
