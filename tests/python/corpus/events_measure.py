"""events.request.measure around things that are no HTTP."""

import time

from locust import User, constant, events, task
from locust.exception import StopUser


class Meter(User):
    wait_time = constant(0)

    @task
    def measured(self):
        with self.environment.events.request.measure("job", "sleep") as meta:
            time.sleep(0.01)
            meta["response_length"] = 12
        with events.request.measure("job", "fails", 3, context={"a": 1}):
            raise ValueError("went wrong")
        with events.request.measure("job", "before") as meta:
            meta["name"] = "after"
            meta["exception"] = KeyError("set by hand")
        raise StopUser
