"""Data that must be used once, out of a queue; a user without data ends."""

import logging
from queue import Empty, Queue

from locust import HttpUser, constant, task
from locust.exception import StopUser

accounts = Queue()
for number in range(7):
    accounts.put(f"user{number}")


class OneTime(HttpUser):
    wait_time = constant(0)

    @task
    def use(self):
        try:
            name = accounts.get(block=False)
        except Empty:
            logging.info("no data left")
            raise StopUser from None
        self.client.get("/search", params={"q": name}, name="search")
        print("> used", name)
