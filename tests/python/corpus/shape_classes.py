"""User classes by stage."""

from locust import HttpUser, LoadTestShape, constant, task


class Common(HttpUser):
    abstract = True
    wait_time = constant(0.1)

    def on_start(self):
        print("> start", type(self).__name__)

    @task
    def get(self):
        self.client.get("/hello", name=type(self).__name__)


class Early(Common):
    pass


class Late(Common):
    pass


class ByClass(LoadTestShape):
    def tick(self):
        seconds = self.get_run_time()
        if seconds < 1.1:
            return 2, 10, [Early]
        if seconds < 2.3:
            return 4, 10, [Late]
        return None
