"""Listeners as objects, in the way plug-ins are written: they register in their constructors and keep state."""

import functools
import queue
import threading

from locust import HttpUser, constant, events, task
from locust.env import Environment
from locust.exception import StopUser


class Writer:
    """Hands rows to a thread of its own."""

    def __init__(self, environment: Environment):
        self.environment = environment
        self.rows = queue.Queue()
        self.written = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        events.request.add_listener(self.on_request)
        events.test_stop.add_listener(self.on_test_stop)

    def on_request(self, request_type, name, response_time, response_length, exception, context, **kwargs):
        self.rows.put((request_type, name, "failed" if exception else "passed", bool(kwargs.get("url"))))

    def run(self):
        while True:
            row = self.rows.get()
            if row is None:
                return
            self.written.append(row)

    def on_test_stop(self, environment, **_):
        self.rows.put(None)
        self.thread.join(5)
        for row in sorted(set(self.written)):
            print("> row", *row)
        print("> same", environment is self.environment, len(self.written))


class Limiter:
    """Ends the users after so many requests."""

    count = 0

    def __init__(self, most):
        self.most = most

    def __call__(self, **_):
        self.count += 1
        if self.count == self.most:
            events.request.remove_listener(self)


limiter = Limiter(3)
events.request.add_listener(limiter)
events.request.add_listener(functools.partial(lambda prefix, name, **_: None, "x"))


@events.init.add_listener
def on_init(environment, **_):
    Writer(environment)


class Caller(HttpUser):
    wait_time = constant(0)
    rounds = 0

    @task
    def call(self):
        self.client.get("/hello")
        self.client.get("/status/500", name="broken")
        self.rounds += 1
        if self.rounds == 3:
            print("> limiter", limiter.count)
            raise StopUser
