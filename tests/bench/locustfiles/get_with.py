"""get.py with as many headers and cookies of its own as HEADERS and COOKIES say."""

import os

from locust import HttpUser, constant, task

PATH = os.environ.get("PATH_TO_GET", "/hello")


class Getter(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        for number in range(int(os.environ.get("HEADERS", "0"))):
            self.client.headers[f"X-Header-{number}"] = "twenty characters....."
        for number in range(int(os.environ.get("COOKIES", "0"))):
            self.client.cookies.set(f"cookie{number}", "twenty characters...", domain="127.0.0.1", path="/")

    @task
    def get(self):
        self.client.get(PATH)
