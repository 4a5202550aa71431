"""The first file everybody writes."""

from locust import HttpUser, between, task


class WebsiteUser(HttpUser):
    wait_time = between(0.01, 0.05)

    @task
    def index(self):
        self.client.get("/")

    @task
    def hello(self):
        self.client.get("/hello")
