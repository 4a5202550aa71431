"""One GET after the other; PATH_TO_GET is the page. What every contender does."""

import os

from locust import HttpUser, constant, task

PATH = os.environ.get("PATH_TO_GET", "/hello")


class Getter(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        self.client.verify = False

    @task
    def get(self):
        self.client.get(PATH)
