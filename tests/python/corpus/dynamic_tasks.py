"""Tasks made at run time."""

from functools import partial

from locust import HttpUser, constant
from locust.exception import StopUser


def make(path):
    def call(user):
        user.visit(path)

    call.__name__ = path.strip("/").replace("/", "_")
    return call


class Generated(HttpUser):
    wait_time = constant(0)
    tasks = [make(f"/echo/{number}") for number in range(2)]
    seen = ()

    def __init__(self, environment):
        super().__init__(environment)
        self.tasks = [make("/echo/own"), partial(Generated.visit, path="/echo/partial")]

    def visit(self, path):
        if path not in self.seen:
            self.client.get(path)
            self.seen = (*self.seen, path)
        if len(self.seen) == 2:
            raise StopUser


def pair_a(user):
    user.client.get("/echo/pair")
    raise StopUser


class Pairs(HttpUser):
    wait_time = constant(0)
    tasks = {pair_a: 3}
