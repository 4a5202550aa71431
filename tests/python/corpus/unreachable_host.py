"""No host at all."""

from locust import HttpUser, task


class Lost(HttpUser):
    @task
    def never(self):
        self.client.get("/")
