"""Users that stop themselves and each other, and a test that is stopped from inside."""

import gevent
from locust import HttpUser, constant, events, task


class Short(HttpUser):
    wait_time = constant(0)
    rounds = 0

    @task
    def call(self):
        self.rounds += 1
        self.client.get("/hello", name="short")
        if self.rounds == 3:
            print("> stop", self.stop())
        if self.rounds > 3:
            print("> never")

    def on_stop(self):
        print("> short on_stop", self.rounds)


class Forced(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        self.client.get("/hello", name="forced")
        gevent.spawn(self.stop, force=True)
        try:
            gevent.sleep(30)
            print("> never")
        finally:
            print("> forced finally")

    def on_stop(self):
        print("> forced on_stop")


class Ender(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        gevent.sleep(0.3)
        self.client.get("/hello", name="ender")
        print("> left", self.environment.runner.user_count)
        gevent.spawn(self.environment.runner.quit)
        gevent.sleep(30)


@events.test_stop.add_listener
def on_test_stop(environment, **_):
    print("> test_stop", environment.runner.user_count)
