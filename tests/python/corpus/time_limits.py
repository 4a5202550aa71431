"""Limits of time around calls: gevent's timeouts, requests' timeouts, and work that is given up."""

import gevent
from locust import FastHttpUser, HttpUser, constant, task
from locust.exception import StopUser


class Hasty(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        with gevent.Timeout(0.1, False):
            self.client.get("/delay/3000", name="cut by gevent")
            print("> never")
        try:
            with gevent.Timeout(0.1):
                self.client.get("/delay/3000", name="cut by gevent")
        except gevent.Timeout as timeout:
            print("> timeout", timeout.seconds)
        late = self.client.get("/delay/3000", timeout=0.1, name="cut by requests")
        print("> late", late.status_code, type(late.error).__name__)
        job = gevent.spawn(self.client.get, "/delay/3000", name="given up")
        gevent.sleep(0.05)
        job.kill()
        print("> job", job.value, job.dead)
        print("> goes on", self.client.get("/hello").status_code)
        raise StopUser


class HastyFast(FastHttpUser):
    wait_time = constant(0)
    network_timeout = 0.2

    @task
    def call(self):
        late = self.client.get("/delay/3000", name="cut by the class")
        print("> late", late.status_code)
        print("> goes on", self.client.get("/hello").status_code)
        raise StopUser
