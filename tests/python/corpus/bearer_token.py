"""A token for all later calls, by session headers or by an auth class."""

from locust import HttpUser, SequentialTaskSet, constant, task
from requests.auth import AuthBase, HTTPBasicAuth


class Bearer(AuthBase):
    def __init__(self, token):
        self.token = token

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class ApiUser(HttpUser):
    wait_time = constant(0)

    @task
    class Flow(SequentialTaskSet):
        @task
        def anonymous(self):
            self.client.get("/me", name="me, nobody")

        @task
        def by_headers(self):
            token = self.client.post("/token", data={"username": "ann"}).json()["access_token"]
            self.client.headers.update({"Authorization": f"Bearer {token}"})
            print("> me", self.client.get("/me").json())
            del self.client.headers["Authorization"]

        @task
        def by_class(self):
            token = self.client.post("/token", data={"username": "bob"}).json()["access_token"]
            print("> me", self.client.get("/me", auth=Bearer(token), name="me, auth").json())
            self.client.auth = Bearer(token)
            print("> me", self.client.get("/me", name="me, session auth").json())

        @task
        def basic(self):
            self.client.auth = None
            self.client.get("/basic-auth", auth=("user", "secret"))
            self.client.get("/basic-auth", auth=HTTPBasicAuth("user", "wrong"), name="basic wrong")
            self.user.environment.runner.quit()
