"""Stages as dictionaries, each for other classes, found in a base class that is not used itself."""

from locust import HttpUser, LoadTestShape, constant, events, task


class Reader(HttpUser):
    wait_time = constant(0.1)

    @task
    def read(self):
        self.client.get("/hello", name="read")


class Writer(HttpUser):
    wait_time = constant(0.1)

    @task
    def write(self):
        self.client.post("/echo/write", {"a": 1}, name="write")


class Staged(LoadTestShape):
    abstract = True
    stages = []

    def tick(self):
        now = self.get_run_time()
        for stage in self.stages:
            if now < stage["until"]:
                return stage["users"], stage.get("rate", 10), stage["classes"]
        return None


class ReadThenWrite(Staged):
    stages = [
        {"until": 1, "users": 2, "classes": [Reader]},
        {"until": 2.2, "users": 4, "classes": [Writer]},
        {"until": 3.4, "users": 1, "rate": 100, "classes": [Reader, Writer]},
    ]


@events.test_stop.add_listener
def on_stop(environment, **_):
    print("> ended", sorted(environment.runner.final_user_classes_count) or sorted(environment.user_classes_by_name))
