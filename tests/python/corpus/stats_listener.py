"""Writes every request to a file of its own, and looks at the statistics in the end."""

import csv
import logging
from collections import Counter

from locust import HttpUser, constant, events, task
from locust.exception import StopUser

rows = []


@events.request.add_listener
def keep(request_type, name, response_time, response_length, exception, **_):
    rows.append([request_type, name, "bad" if exception else "good", response_length])


@events.test_stop.add_listener
def write(environment, **_):
    with open("requests.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    print("> rows", sorted(Counter(map(tuple, rows)).items()))
    for (name, method), entry in sorted(environment.stats.entries.items()):
        print("> entry", name, method, entry.num_requests, entry.num_failures, entry.total_content_length)
        print("> times", entry.min_response_time <= entry.median_response_time <= entry.max_response_time)
    for error in environment.stats.errors.values():
        print("> error", error.method, error.name, error.occurrences, "404 Client Error" in str(error.error))
    logging.info("written")


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        self.client.get("/hello")
        self.client.get("/hello")
        self.client.get("/status/404")
        raise StopUser
