"""Three kinds of user, one of them without weight but with a fixed number."""

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Counted(HttpUser):
    abstract = True
    wait_time = constant(0)

    def on_start(self):
        print("> started", type(self).__name__)

    @task
    def work(self):
        for number in range(3):
            self.client.get(f"/echo/{number}", name=type(self).__name__)
        raise StopUser()


class Buyer(Counted):
    weight = 3


class Seller(Counted):
    weight = 1


class Admin(Counted):
    weight = 0
    fixed_count = 2
