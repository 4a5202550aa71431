"""Requests in on_start and on_stop, of users and of sets, failing ones too."""

from locust import HttpUser, TaskSet, constant, task
from locust.exception import StopUser


class Session(TaskSet):
    def on_start(self):
        self.client.post("/login", {"user": "wrong"}, name="set login")

    @task
    def look(self):
        self.client.get("/account", name="look")
        if self.user.is_done:
            raise StopUser
        self.user.is_done = True

    def on_stop(self):
        self.client.get("/logout", name="set logout")


class Polite(HttpUser):
    wait_time = constant(0.01)
    is_done = False
    tasks = [Session]

    def on_start(self):
        self.client.get("/status/503", name="user start")

    def on_stop(self):
        self.client.get("/hello", name="user stop")
        self.client.get("/status/500", name="user stop")


class Killed(HttpUser):
    wait_time = constant(60)

    @task
    def look(self):
        self.client.get("/hello", name="killed look")

    def on_stop(self):
        self.client.get("/hello", name="killed stop")
