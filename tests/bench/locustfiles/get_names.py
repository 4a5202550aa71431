"""get.py under as many request names as NAMES says."""

import itertools
import os

from locust import HttpUser, constant, task

PATH = os.environ.get("PATH_TO_GET", "/hello")
NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ.get("NAMES", "1")))])


class Getter(HttpUser):
    wait_time = constant(0)

    @task
    def get(self):
        self.client.get(PATH, name=next(NAMES))
