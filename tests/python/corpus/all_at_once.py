"""Users wait in on_start for each other, and go when the last one is there."""

from gevent.event import Event
from gevent.lock import Semaphore
from locust import HttpUser, constant, events, task
from locust.exception import StopUser

ready = Event()
few = Semaphore(2)
inside = []


@events.spawning_complete.add_listener
def on_complete(user_count, **_):
    print("> complete", user_count)
    ready.set()


class Patient(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        ready.wait()
        self.client.get("/hello", name="start")

    @task
    def call(self):
        with few:
            inside.append(1)
            print("> few", len(inside) <= 2)
            self.client.get("/delay/20")
            inside.pop()
        raise StopUser
