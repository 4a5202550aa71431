"""get.py with Locust's faster client."""

import os

from locust import FastHttpUser, constant, task

PATH = os.environ.get("PATH_TO_GET", "/hello")


class Getter(FastHttpUser):
    wait_time = constant(0)
    insecure = True

    @task
    def get(self):
        self.client.get(PATH)
