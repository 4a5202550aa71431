"""JSON services with rest()."""

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Service(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        with self.rest("POST", "/echo/a", json={"x": 1}) as resp:
            assert resp.js["method"] == "POST"
            print("> headers", resp.js["headers"]["Content-Type"], resp.js["headers"]["Accept"])
        with self.rest("GET", "/echo/b", headers={"Accept": "text/plain"}) as resp:
            print("> accept", resp.js["headers"]["Accept"])
            assert resp.js["query"] == "x", "query was empty"
        with self.rest("GET", "/echo/c") as resp:
            assert resp.js["method"] == "PUT", "method was wrong,"
        with self.rest("GET", "/hello") as resp:
            print("> js", resp.js)
        with self.rest("GET", "/status/204") as resp:
            print("> empty", resp.js)
        with self.rest("GET", "/status/404"):
            pass
        with self.rest("GET", "/echo/d") as resp:
            resp.failure("judged by hand")
        with self.rest("GET", "/echo/e") as resp:
            resp.js["no such key"]
        with self.rest("GET", "http://127.0.0.1:1/", name="refused"):
            pass
        with self.rest_("GET", "/search?q=a") as resp:
            print("> hits", resp.js["hits"])
        raise StopUser
