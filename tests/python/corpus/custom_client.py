"""A client of one's own, wrapped so that every method call is reported."""

import time

from locust import User, constant, task
from locust.exception import StopUser


class Store:
    def __init__(self):
        self.values = {}

    def put(self, key, value):
        self.values[key] = value
        return value

    def get(self, key):
        return self.values[key]


class Reporting:
    def __init__(self, wrapped, request_event):
        self._wrapped = wrapped
        self._event = request_event

    def __getattr__(self, name):
        function = getattr(self._wrapped, name)

        def call(*args, **kwargs):
            meta = {
                "request_type": "store",
                "name": name,
                "start_time": time.time(),
                "response_length": 0,
                "context": {"args": args},
                "exception": None,
            }
            begin = time.perf_counter()
            try:
                meta["response"] = function(*args, **kwargs)
            except Exception as error:
                meta["exception"] = error
            meta["response_time"] = (time.perf_counter() - begin) * 1000
            self._event.fire(**meta)
            return meta.get("response")

        return call


class StoreUser(User):
    wait_time = constant(0)

    def __init__(self, environment):
        super().__init__(environment)
        self.client = Reporting(Store(), environment.events.request)

    @task
    def use(self):
        self.client.put("a", 1)
        print(">", self.client.get("a"))
        self.client.get("missing")
        raise StopUser
