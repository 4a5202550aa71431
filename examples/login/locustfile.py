import logging
import re

from locust import HttpUser, between, task
from locust.exception import StopUser

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Member(HttpUser):
    """Logs in as a browser does: takes the token out of the form, sends it back, and lives on the cookie it gets."""

    wait_time = between(0.2, 0.8)
    members = 0

    def on_start(self):
        Member.members += 1
        self.name = f"member{Member.members}"
        page = self.client.get("/login")
        token = TOKEN.search(page.text).group(1)
        with self.client.post(
            "/login",
            data={"username": self.name, "password": "secret", "csrf_token": token},
            catch_response=True,
        ) as response:
            if not response.history or "session" not in self.client.cookies:
                response.failure("no session after login")
        if self.client.cookies.get("session") is None:
            logging.error("%s could not log in", self.name)
            raise StopUser

    @task(5)
    def account(self):
        with self.client.get("/account", catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"account answered {response.status_code}")
            elif response.json()["user"] != self.name:
                response.failure("somebody else's account")

    @task(2)
    def preferences(self):
        self.client.get("/cookies/set?theme=dark&language=en", name="/cookies/set")
        cookies = self.client.get("/cookies").json()["cookies"]
        assert cookies["theme"] == "dark"
        assert cookies["session"] == self.client.cookies["session"]

    @task
    def wrong_password(self):
        with self.client.post(
            "/login",
            data={"username": self.name, "password": "guess", "csrf_token": "token-4711"},
            name="/login (wrong password)",
            catch_response=True,
        ) as response:
            if response.status_code == 401:
                response.success()
            else:
                response.failure(f"a wrong password was answered with {response.status_code}")

    def on_stop(self):
        self.client.get("/logout", allow_redirects=False)
