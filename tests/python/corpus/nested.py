"""A shop with sections: sets in sets, left again by interrupt()."""

from locust import HttpUser, TaskSet, constant, task
from locust.exception import StopUser


class Checkout(TaskSet):
    def on_start(self):
        print("> enter checkout", type(self.parent).__name__, type(self.user).__name__)
        self.steps = 0

    def on_stop(self):
        print("> leave checkout")

    @task
    def pay(self):
        self.client.post("/echo/pay", json={"amount": 10})
        self.steps += 1
        if self.steps == 2:
            self.interrupt()


class Catalogue(TaskSet):
    tasks = {Checkout: 1}

    def on_start(self):
        self.client.get("/echo/catalogue")

    def on_stop(self):
        print("> leave catalogue")

    @task(0)
    def never(self):
        self.client.get("/echo/never")


class Shopper(HttpUser):
    wait_time = constant(0.01)
    rounds = 0

    def on_stop(self):
        print("> user stopped")

    @task
    class Shop(TaskSet):
        tasks = [Catalogue]

        @task
        def look(self):
            self.user.rounds += 1
            self.client.get("/hello")
            if self.user.rounds == 3:
                raise StopUser()
            self.schedule_task(self.again, first=True)

        def again(self):
            self.client.get("/echo/again")
            if self.user.rounds == 2:
                self.interrupt(reschedule=False)

        def get_next_task(self):
            return type(self).look.__get__(self)
