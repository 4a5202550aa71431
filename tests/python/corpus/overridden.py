"""Classes that override what the engine does itself."""

import json
import time

from locust import HttpUser, TaskSet, User, constant, task
from locust.clients import HttpSession
from locust.exception import StopUser


class CountingSession(HttpSession):
    calls = 0

    def request(self, method, url, *args, **kwargs):
        self.calls += 1
        kwargs.setdefault("headers", {})["X-Call"] = str(self.calls)
        return super().request(method, url, *args, **kwargs)


class WithContext(HttpUser):
    wait_time = constant(0)

    def __init__(self, environment):
        super().__init__(environment)
        self.client = CountingSession(self.host, environment.events.request, self)

        def show(name, context, **_):
            if context.get("who") == "WithContext":
                print("> context", name, sorted(context.items()))

        environment.events.request.add_listener(show)

    def context(self):
        return {"who": type(self).__name__, "left": 0}

    @classmethod
    def json(cls):
        return {**super().json(), "extra": True}

    @task
    def call(self):
        print("> header", self.client.get("/echo/a").json()["headers"]["X-Call"])
        print("> header", self.client.post("/echo/b", context={"left": 3}).json()["headers"]["X-Call"])
        print("> json", json.dumps(self.json()["extra"]))
        raise StopUser


class Picky(TaskSet):
    turn = 0

    def get_next_task(self):
        self.turn += 1
        return [Picky.a, Picky.b][self.turn % 2]

    def execute_task(self, task):
        print("> execute", task.__name__)
        super().execute_task(task)

    def wait(self):
        print("> wait")
        time.sleep(0.001)

    @task
    def a(self):
        self.client.get("/echo/picky-a")
        if self.turn >= 4:
            raise StopUser

    @task
    def b(self):
        self.client.get("/echo/picky-b")


class Chooser(HttpUser):
    tasks = [Picky]
    wait_time = constant(5)


class OwnWait(User):
    rounds = 0

    def wait(self):
        self.rounds += 1
        if self.rounds == 3:
            print("> own wait", self.rounds)
            raise StopUser
        time.sleep(0.01)

    @task
    def nothing(self):
        pass
