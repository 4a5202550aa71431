"""A task that does nothing: what the task loop itself costs. Prints iterations per second."""

import time

from locust import User, constant, events, task

counted = 0
begin = 0.0


class Idler(User):
    wait_time = constant(0)

    @task
    def nothing(self):
        global counted
        counted += 1


@events.test_start.add_listener
def start(**kwargs):
    global begin
    begin = time.perf_counter()


@events.test_stopping.add_listener
def stop(**kwargs):
    print(f"iterations per second: {counted / (time.perf_counter() - begin):.0f}", flush=True)
