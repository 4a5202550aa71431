"""A second client beside the user's own."""

from locust import HttpUser, constant, task
from locust.clients import HttpSession
from locust.exception import StopUser
from urllib3 import PoolManager


class Gateway(HttpUser):
    wait_time = constant(0)
    pool_manager = PoolManager(maxsize=2, block=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.auth = HttpSession(
            base_url=self.host.replace("127.0.0.1", "localhost"),
            request_event=self.environment.events.request,
            user=self,
        )

    @task
    def call(self):
        self.auth.post("/token", data={"username": "x"})
        self.client.get("/hello")
        self.client.cookies.set("own", "1")
        print("> cookies", dict(self.auth.cookies), self.client.get("/cookies").text)
        raise StopUser
