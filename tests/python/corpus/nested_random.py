"""Decorated classes inside classes, with a seed."""

import random

from locust import HttpUser, TaskSet, constant, task
from locust.exception import StopUser

random.seed(7)


class Reader(HttpUser):
    wait_time = constant(0)
    pages = 0

    def page(self, path):
        self.client.get(path)
        self.pages += 1
        if self.pages >= 25:
            raise StopUser

    @task(2)
    def front(self):
        self.page("/")

    @task(3)
    class Forum(TaskSet):
        @task(5)
        def thread(self):
            self.user.page("/echo/thread")

        @task(1)
        def leave(self):
            self.interrupt()

        @task(2)
        class Post(TaskSet):
            @task
            def write(self):
                self.user.page("/echo/post")
                self.interrupt(reschedule=True)

            @task(2)
            def answer(self):
                self.user.page("/echo/answer")
                self.interrupt(reschedule=False)
