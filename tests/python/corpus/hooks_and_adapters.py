"""What requests offers beside plain calls: hooks, adapters, prepared requests."""

from locust import HttpUser, constant, task
from locust.exception import StopUser
from requests import Request
from requests.adapters import HTTPAdapter


class Stamp(HTTPAdapter):
    def send(self, request, **kwargs):
        request.headers["X-Stamp"] = "here"
        return super().send(request, **kwargs)


def on_response(response, *args, **kwargs):
    print("> hook", response.status_code)


class Rare(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        self.client.get("/hello", hooks={"response": on_response})
        self.client.hooks["response"].append(on_response)
        self.client.get("/status/404")
        self.client.hooks["response"].clear()
        prepared = self.client.prepare_request(Request("GET", self.host + "/echo/prepared", params={"a": 1}))
        print("> prepared", prepared.url.endswith("?a=1"), self.client.send(prepared).json()["query"])
        self.client.params = {"always": "1"}
        print("> params", self.client.get("/echo/params", params={"b": 2}).json()["query"])
        self.client.params = {}
        self.client.mount("http://", Stamp(pool_connections=1, pool_maxsize=2))
        print("> stamp", self.client.get("/echo/adapter").json()["headers"]["X-Stamp"])
        raise StopUser
