"""Each user takes the next line of a table."""

import csv
import io
from itertools import cycle

from locust import HttpUser, constant, events, task
from locust.exception import StopUser

TABLE = """name,word
ann,apple
bob,pear
cid,plum
"""
rows = None


@events.test_start.add_listener
def load(**_):
    global rows
    rows = cycle(list(csv.DictReader(io.StringIO(TABLE))))


class Searcher(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        self.row = next(rows)

    @task
    def search(self):
        hits = self.client.get("/search", params={"q": self.row["word"]}, name="/search").json()
        print("> found", self.row["name"], hits["q"])
        raise StopUser
