"""The same without decorators."""

from locust import HttpUser, SequentialTaskSet, constant
from locust.exception import StopUser


def login(flow):
    flow.client.post("/login", data={"username": "a", "password": "secret", "csrf_token": "token-4711"})


def account(flow):
    print(">", flow.client.get("/account").json()["user"])


def logout(flow):
    flow.client.get("/logout", allow_redirects=False)


def end(flow):
    raise StopUser


class Flow(SequentialTaskSet):
    tasks = [login, account, account, logout, end]


class Member(HttpUser):
    tasks = {Flow: 1}
    wait_time = constant(0)
