"""Weighted tasks; what random.choice takes is fixed by a seed."""

import random

from locust import HttpUser, constant, task
from locust.exception import StopUser

random.seed(4711)


class Visitor(HttpUser):
    wait_time = constant(0)
    left = 30

    def step(self, path):
        self.client.get(path)
        self.left -= 1
        if self.left == 0:
            raise StopUser

    @task(6)
    def home(self):
        self.step("/")

    @task(3)
    def greet(self):
        self.step("/hello")

    @task
    def echo(self):
        self.step("/echo/rare")
