"""Names for many addresses."""

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Namer(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        for id in range(3):
            self.client.get(f"/echo/blog?id={id}", name="/echo/blog?id=[id]")
        self.client.request_name = "/echo/blog by attribute"
        for id in range(2):
            self.client.get(f"/echo/blog?id={id}")
        self.client.request_name = None
        with self.client.rename_request("/echo/blog by block"):
            for id in range(2):
                self.client.get(f"/echo/blog?id={id}")
            self.client.get("/hello", name="explicit")
        self.client.get("/echo/params", params={"b": "ä", "a": [1, 2]})
        self.client.get(self.host + "/hello")
        self.client.get("/hello#part")
        self.client.get("//hello")
        self.client.request("get", "/hello")
        self.client.request("REPORT", "/echo/method")
        self.client.head("/redirect/1")
        self.client.get("/redirect/2")
        self.client.get("/redirect-loop")
        self.client.options("/echo/options")
        for bad in ("ftp://x/", "no-slash"):
            try:
                self.client.get(bad)
            except Exception as error:
                print("> bad", bad, type(error).__name__)
        raise StopUser
