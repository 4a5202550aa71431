"""Without stop timeout: a task is cut, its finally runs."""

import gevent
from locust import HttpUser, constant, task


class Slow(HttpUser):
    wait_time = constant(10)

    def on_stop(self):
        print("> on_stop")

    @task
    def slow(self):
        try:
            self.client.get("/hello")
            gevent.sleep(60)
            print("> never")
        finally:
            print("> finally")
