"""Every way to judge a response oneself."""

from locust import HttpUser, constant, task
from locust.exception import RescheduleTask, ResponseError, StopUser


class Judge(HttpUser):
    wait_time = constant(0)
    called = 0

    def attempt(self, function):
        try:
            function()
        except Exception as error:
            print(">", function.__name__, type(error).__name__)

    @task
    def judge(self):
        get = self.client.get
        self.called += 1
        with get("/hello", catch_response=True, name="untouched"):
            pass
        with get("/status/404", catch_response=True, name="untouched 404"):
            pass
        with get("/status/404", catch_response=True, name="404 is fine") as response:
            if response.status_code == 404:
                response.success()
        with get("/hello", catch_response=True, name="text") as response:
            response.failure("expected something else")
        with get("/hello", catch_response=True, name="exception") as response:
            response.failure(ValueError("bad"))
        with get("/hello", catch_response=True, name="dict") as response:
            response.failure({"code": 3})
        with get("/hello", catch_response=True, name="last wins") as response:
            response.failure("no")
            response.success()
        with get("/hello", catch_response=True, name="response error"):
            raise ResponseError("raised")
        with get("/hello", catch_response=True, name="renamed") as response:
            response.request_meta["name"] = "new name"
            response.request_meta["request_type"] = "PAGE"
            response.request_meta["response_length"] = 1000
        with get("http://127.0.0.1:1/", catch_response=True, name="refused, fine") as response:
            print("> refused", response.status_code, response.content, bool(response.error))
            response.success()
        with get("http://127.0.0.1:1/", catch_response=True, name="refused"):
            pass
        get("/hello", catch_response=True, name="no block")

        def without_flag():
            with get("/hello", name="no flag"):
                pass

        def before_block():
            get("/hello", catch_response=True, name="early").success()

        def failure_then_error():
            with get("/hello", catch_response=True, name="both") as response:
                response.failure("mine")
                raise KeyError("other")

        def only_error():
            with get("/hello", catch_response=True, name="lost"):
                raise KeyError("lost")

        for function in (without_flag, before_block, failure_then_error, only_error):
            self.attempt(function)
        if self.called == 2:
            raise StopUser
        with get("/status/500", catch_response=True, name="again") as response:
            response.failure("come back")
            raise RescheduleTask
