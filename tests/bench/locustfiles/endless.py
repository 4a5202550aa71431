"""Everything that could grow without end, grows: names, texts of failures and exceptions, cookies, connections, threads
of tasks that users leave behind."""

import itertools

import gevent
from locust import HttpUser, constant, task

NUMBERS = itertools.count()


class Endless(HttpUser):
    wait_time = constant(0)

    @task(100)
    def get(self):
        self.client.get("/hello")

    @task(20)
    def new_name(self):
        self.client.get(f"/hello?number={next(NUMBERS)}")

    @task(20)
    def new_failure(self):
        with self.client.get("/bytes/2000", catch_response=True) as response:
            response.failure(f"not what number {next(NUMBERS)} expects")

    @task(20)
    def new_cookie(self):
        self.client.get(f"/cookies/set?c{next(NUMBERS)}=1", name="/cookies/set", allow_redirects=False)

    @task(5)
    def new_exception(self):
        raise ValueError(f"number {next(NUMBERS)}")

    @task(5)
    def new_connection(self):
        self.client.get("/close")

    @task(2)
    def refused(self):
        self.client.get("http://127.0.0.1:1/", name="refused")

    @task(2)
    def rare_call(self):
        with self.client.get("/chunked/5000", stream=True) as response:
            for _ in response.iter_content(1000):
                pass

    @task(2)
    def leaves_a_greenlet(self):
        gevent.spawn(self.client.get, "/slow-body?ms=5")
