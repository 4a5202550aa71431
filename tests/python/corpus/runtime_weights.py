"""Tasks that change what comes next while the test runs."""

import random

from locust import HttpUser, constant, events, task
from locust.exception import StopUser

random.seed(3)


class Changing(HttpUser):
    wait_time = constant(0)
    count = 0

    def step(self, path):
        self.client.get(path)
        self.count += 1
        if self.count == 5:
            self.tasks = [Changing.second]
        if self.count == 10:
            raise StopUser

    @task
    def first(self):
        self.step("/echo/first")

    def second(self):
        self.step("/echo/second")


class Other(HttpUser):
    @task
    def never(self):
        self.client.get("/echo/never")


@events.init.add_listener
def only_one(environment, **_):
    Other.weight = 0
    environment.user_classes = [Changing]
