"""Log in through a form that has a hidden token, stay logged in by cookie, log out."""

import re

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Member(HttpUser):
    wait_time = constant(0)
    numbers = iter(range(100))

    def on_start(self):
        self.name = f"member{next(self.numbers)}"
        page = self.client.get("/login", name="login form")
        token = re.search(r'name="csrf_token" value="(.*?)"', page.text)[1]
        form = {"username": self.name, "password": "wrong", "csrf_token": token}
        self.client.post("/login", data=form, name="login wrong")
        form["password"] = "secret"
        answer = self.client.post("/login", form)
        assert answer.url.endswith("/account"), answer.url
        print("> cookies", sorted(self.client.cookies.keys()), [hop.status_code for hop in answer.history])

    def on_stop(self):
        self.client.get("/logout")
        print("> after", "session" in self.client.cookies, self.client.get("/account", name="account, out").status_code)

    @task
    def account(self):
        assert self.client.get("/account").json()["user"] == self.name
        raise StopUser
