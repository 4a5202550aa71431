"""A chain of pages."""

import random

from locust import HttpUser, MarkovTaskSet, constant, transition, transitions
from locust.exception import StopUser

random.seed(12)


class Browse(MarkovTaskSet):
    wait_time = constant(0)
    seen = 0

    def show(self, name):
        self.client.get(f"/echo/{name}")
        self.seen += 1
        if self.seen == 20:
            raise StopUser

    @transition("catalogue", weight=3)
    @transition("home")
    def home(self):
        self.show("home")

    @transitions({"product": 2, "home": 1})
    def catalogue(self):
        self.show("catalogue")

    @transitions(["catalogue", ("home", 2)])
    def product(self):
        self.show("product")


class Visitor(HttpUser):
    tasks = [Browse]
