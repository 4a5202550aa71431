"""Invented names; the seed makes them the same every time."""

from faker import Faker
from locust import HttpUser, constant, task
from locust.exception import StopUser

Faker.seed(5)
fake = Faker()


class Visitor(HttpUser):
    wait_time = constant(0)

    @task
    def register(self):
        for _ in range(3):
            name = fake.name()
            echo = self.client.post("/echo/register", json={"name": name, "email": fake.email()}).json()
            print(">", name, name.encode("ascii", "replace").decode() in echo["body"])
        raise StopUser
