"""Users that make one request and then wait, with their connection open."""

from locust import HttpUser, constant, task


class Waiter(HttpUser):
    wait_time = constant(3600)

    def on_start(self):
        if self.host.startswith("https:"):
            self.client.verify = False

    @task
    def get(self):
        self.client.get("/hello")
