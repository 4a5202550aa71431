"""FastHttpUser, in the way of its documentation."""

from locust import FastHttpUser, constant, task
from locust.exception import StopUser


class Quick(FastHttpUser):
    wait_time = constant(0)
    connection_timeout = 5.0
    network_timeout = 5.0

    @task
    def call(self):
        response = self.client.get("/echo/a", params={"q": "1"}, headers={"X-A": "b"})
        print(">", response.status_code, response.json()["query"], response.json()["headers"]["X-A"], response.url[-5:])
        print(">", self.client.post("/echo/form", {"a": "1"}).json()["body"])
        print(">", self.client.post("/echo/json", json={"a": 1}).json()["body"])
        print(">", self.client.put("/echo/put", "text").json()["body"])
        print(">", self.client.delete("/echo/delete").status_code, self.client.head("/hello").status_code)
        self.client.get("/status/404")
        self.client.get("/redirect/2")
        moved = self.client.get("/redirect/1", allow_redirects=False, name="not followed")
        print(">", moved.status_code, moved.headers["location"])
        with self.client.get("/hello", catch_response=True, name="judged") as response:
            response.failure("no")
        with self.client.get("/status/500", catch_response=True, name="fine") as response:
            response.success()
        self.client.get("http://127.0.0.1:1/", name="refused")
        with self.client.rename_request("grouped"):
            self.client.get("/hello?x=1")
        raise StopUser
