"""get.py with STREAMS calls at once for each user."""

import os

from gevent.pool import Group
from locust import HttpUser, constant, task

PATH = os.environ.get("PATH_TO_GET", "/hello")
STREAMS = int(os.environ.get("STREAMS", "1"))


class Getter(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        self.client.verify = False

    def get_many(self):
        for _ in range(1000):
            self.client.get(PATH)

    @task
    def get(self):
        if STREAMS == 1:
            self.client.get(PATH)
            return
        group = Group()
        for _ in range(STREAMS):
            group.spawn(self.get_many)
        group.join()
