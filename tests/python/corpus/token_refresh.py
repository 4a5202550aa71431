"""Users log in with a form, get a token, and get a new one when the old one is refused."""

import re

from locust import HttpUser, constant, task
from locust.exception import RescheduleTask, StopUser


class Member(HttpUser):
    wait_time = constant(0)
    token = "expired"
    rounds = 0

    def authorize(self):
        with self.client.post("/token", data={"username": "user", "password": "secret"}, catch_response=True) as answer:
            if answer.status_code != 200 or "access_token" not in answer.json():
                answer.failure(f"no token: {answer.status_code}")
                raise RescheduleTask
        self.token = answer.json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {self.token}"

    def me(self, **kwargs):
        answer = self.client.get("/me", headers={"Authorization": f"Bearer {self.token}"}, **kwargs)
        if answer.status_code == 401:
            self.authorize()
            answer = self.client.get("/me", name="/me after refresh")
        return answer

    def on_start(self):
        page = self.client.get("/login")
        fields = dict(re.findall(r'name="(\w+)"[^>]*value="([^"]*)"', page.text))
        print("> fields", sorted(fields))

    @task
    def profile(self):
        self.rounds += 1
        print("> me", self.me().status_code, self.token != "expired")
        if self.rounds == 2:
            self.token = "stale"
            del self.client.headers["Authorization"]
        if self.rounds == 3:
            raise StopUser

    def on_stop(self):
        print("> logout", self.client.get("/logout", allow_redirects=False).status_code)
