"""One user of several services: further sessions beside the user's own, absolute addresses, and a FastHttpUser."""

from locust import FastHttpUser, HttpUser, constant, task
from locust.clients import HttpSession
from locust.exception import StopUser


class Service:
    def __init__(self, user, host, prefix):
        self.prefix = prefix
        self.client = HttpSession(
            base_url=host, request_event=user.environment.events.request, user=user, pool_manager=user.pool_manager
        )
        self.client.headers.update({"X-Service": prefix})

    def get(self, path, **kwargs):
        kwargs.setdefault("name", f"{self.prefix}:{path}")
        return self.client.get(path, **kwargs)


class Shopper(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        self.search = Service(self, self.host, "search")
        self.images = Service(self, self.host.replace("127.0.0.1", "localhost"), "images")

    @task
    def look(self):
        self.client.get("/hello")
        self.search.get("/search", params={"q": "tea"})
        self.images.get("/bytes/10")
        self.images.get("/status/404", context={"a": 1})
        self.client.get(self.host + "/echo/absolute?x=1")
        self.client.get("http://127.0.0.1:1/nobody", name="nobody")
        print("> header", self.search.get("/echo/h").json()["headers"].get("X-Service"))
        print("> none", self.client.get("/echo/h").json()["headers"].get("X-Service"))
        raise StopUser


class Quick(FastHttpUser):
    wait_time = constant(0)

    @task
    def look(self):
        self.client.get("/hello")
        self.client.get(self.host + "/hello", name="absolute")
        raise StopUser
