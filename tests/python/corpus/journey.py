"""Sets inside sets: a visitor looks around, opens products, and sometimes goes to the till."""

import random

from locust import HttpUser, SequentialTaskSet, TaskSet, constant, task
from locust.exception import StopUser


class Till(SequentialTaskSet):
    def on_start(self):
        self.client.get("/account", name="till: enter", allow_redirects=False)

    @task
    def address(self):
        with self.client.post("/echo/address", json={"street": "x"}, name="till: address", catch_response=True) as done:
            if done.json()["method"] != "POST":
                done.failure("wrong method")

    @task(2)
    def confirm(self):
        self.client.put("/echo/confirm", name=f"till: confirm {self.parent.product}")

    @task
    def leave(self):
        print("> path", type(self.parent).__name__, type(self.parent.parent).__name__, type(self.user).__name__)
        self.interrupt(reschedule=False)

    def on_stop(self):
        print("> till closed")


class Product(TaskSet):
    def on_start(self):
        self.user.seen += 1
        self.product = self.user.seen

    @task
    class Details(SequentialTaskSet):
        @task
        def picture(self):
            self.client.get("/bytes/100", name="picture")

        @task
        def back(self):
            self.parent.is_seen = True
            self.interrupt()

    is_seen = False

    def get_next_task(self):
        if not self.is_seen:
            return Product.Details
        return Till if self.product % 2 == 0 else Product.go_on

    def go_on(self):
        self.interrupt()

    def wait_time(self):
        if self.product % 2 == 0 and self.is_seen:
            self.user.bought += 1
            self.is_seen = False
            self.interrupt()
        return 0


class Visitor(HttpUser):
    wait_time = constant(0)
    seen = 0
    bought = 0
    tasks = [Product]

    def on_start(self):
        random.seed(7)

    @task
    def home(self):
        self.client.get("/", name="home")
        if self.bought >= 2:
            raise StopUser

    def on_stop(self):
        print("> bought", self.bought)
