"""rest() on a FastHttpUser."""

from locust import FastHttpUser, constant, run_single_user, task
from locust.contrib.fasthttp import RestResponseContextManager
from locust.exception import StopUser


class Base(FastHttpUser):
    abstract = True
    default_headers = {"X-Team": "load"}

    def rest(self, method, url, **kwargs):
        return super().rest(method, url, **kwargs)


class Service(Base):
    wait_time = constant(0)

    @task
    def call(self):
        with self.rest("GET", "/echo/a") as resp:
            resp: RestResponseContextManager
            print(">", resp.js["headers"]["X-Team"])
        with self.rest("GET", "/echo/b") as resp:
            if resp.js["query"] == "":
                resp.failure("no query")
        with self.rest("GET", "/hello"):
            pass
        with self.rest("GET", "/echo/c") as resp:
            assert resp.js["method"] == "PUT", "wrong method"
        raise StopUser


if __name__ == "__main__":
    run_single_user(Service)
