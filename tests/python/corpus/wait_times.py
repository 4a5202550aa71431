"""Each kind of waiting."""

import random

from locust import (
    HttpUser,
    TaskSet,
    between,
    constant,
    constant_pacing,
    constant_throughput,
    poisson,
    task,
)
from locust.exception import StopUser


class Base(HttpUser):
    abstract = True
    left = 4

    @task
    def get(self):
        self.client.get("/hello", name=type(self).__name__)
        self.left -= 1
        if self.left == 0:
            raise StopUser


class Between(Base):
    wait_time = between(0.01, 0.02)


class Constant(Base):
    wait_time = constant(0.01)


class Pacing(Base):
    wait_time = constant_pacing(0.1)


class Throughput(Base):
    wait_time = constant_throughput(20)


class Poisson(Base):
    wait_time = poisson(100)


class Own(Base):
    last = 0

    def wait_time(self):
        self.last += 1
        return self.last / 100


class Function(Base):
    wait_time = lambda self: random.random() / 100  # noqa: E731


class InSet(HttpUser):
    wait_time = constant(1000)

    @task
    class Own(TaskSet):
        wait_time = constant(0)
        left = 4

        @task
        def get(self):
            self.client.get("/hello", name="InSet")
            self.left -= 1
            if self.left == 0:
                raise StopUser


class Legacy(Base):
    wait_time = None
    min_wait = 5
    max_wait = 10
