"""Prepares data in test_start with plain requests, cleans up in test_stop."""

import requests
from locust import HttpUser, constant, events, task
from locust.exception import StopUser
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

state = {}


@events.init.add_listener
def on_init(environment, **_):
    print("> local", isinstance(environment.runner, LocalRunner))
    print("> distributed", isinstance(environment.runner, MasterRunner | WorkerRunner))


@events.test_start.add_listener
def prepare(environment, **_):
    if isinstance(environment.runner, WorkerRunner):
        return
    answer = requests.post(environment.host + "/token", data={"username": "setup"}, timeout=5)
    state["token"] = answer.json()["access_token"]
    print("> prepared", answer.status_code)


@events.test_stop.add_listener
def clean(environment, **_):
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer " + state["token"]
        print("> cleaned", session.get(environment.host + "/me", timeout=5).json())


class Worker(HttpUser):
    wait_time = constant(0)

    @task
    def me(self):
        self.client.get("/me", headers={"Authorization": "Bearer " + state["token"]})
        raise StopUser
