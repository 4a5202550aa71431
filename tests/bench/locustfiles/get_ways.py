"""get.py, asked in the way that WAY names."""

import os

from locust import FastHttpUser, HttpUser, constant, task

PATH = os.environ.get("PATH_TO_GET", "/hello")
WAY = os.environ.get("WAY", "get")


class Getter(HttpUser):
    abstract = WAY == "fast"
    wait_time = constant(0)

    def on_start(self):
        self.client.verify = False
        if WAY == "close":
            self.client.headers["Connection"] = "close"

    @task
    def ask(self):
        match WAY:
            case "block":
                with self.client.get(PATH, catch_response=True) as response:
                    response.success()
            case "stream":
                for _ in self.client.get(PATH, stream=True).iter_content(65536):
                    pass
            case "files":
                self.client.post(PATH, files={"file": ("a.txt", b"hello")})
            case "hook":
                self.client.get(PATH, hooks={"response": lambda response, **_: response})
            case _:
                self.client.get(PATH)


class FastGetter(FastHttpUser):
    abstract = WAY != "fast"
    wait_time = constant(0)
    insecure = True

    @task
    def ask(self):
        self.client.get(PATH)
