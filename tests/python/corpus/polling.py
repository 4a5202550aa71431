"""Asks until something is ready, with time.sleep between."""

import time

from locust import HttpUser, constant, task
from locust.exception import RescheduleTask, StopUser


class Poller(HttpUser):
    wait_time = constant(0)

    @task
    def poll(self):
        deadline = time.monotonic() + 5
        tries = 0
        with self.environment.events.request.measure("POLL", "until ready") as meta:
            while time.monotonic() < deadline:
                tries += 1
                with self.client.get(f"/echo/job?try={tries}", name="/echo/job", catch_response=True) as response:
                    if response.json()["query"] == "try=4":
                        break
                    if tries == 2:
                        response.failure("not yet")
                time.sleep(0.01)
            meta["response_length"] = tries
        print("> tries", tries)
        if getattr(self, "again", False):
            raise StopUser
        self.again = True
        raise RescheduleTask
