"""User classes made in a loop, from a table, and with closures as tasks."""

from locust import HttpUser, TaskSet, constant, task
from locust.exception import StopUser

TABLE = {"Alpha": ["/hello", "/world"], "Beta": ["/status/404"], "Gamma": []}


def visit(path):
    def visitor(user):
        user.client.get(path)

    visitor.__name__ = "visit_" + path.strip("/").replace("/", "_")
    return visitor


def stop(user):
    print("> stop", type(user).__name__, [one.__name__ for one in user.tasks], user.weight)
    raise StopUser


class Base(HttpUser):
    abstract = True
    wait_time = constant(0)

    def on_start(self):
        for one in self.tasks[:-1]:
            one(self)
        self.tasks = self.tasks[-1:]


for number, (name, paths) in enumerate(TABLE.items(), 1):
    globals()[name] = type(
        name, (Base,), {"tasks": [*map(visit, paths), stop], "weight": number, "__module__": __name__}
    )


def with_set(kind):
    class Inner(TaskSet):
        @task
        def inner(self):
            print("> inner", kind)
            self.user.environment.events.request.fire(
                request_type=kind, name="made", response_time=1, response_length=0, exception=None
            )
            raise StopUser

    class Made(HttpUser):
        wait_time = constant(0)
        fixed_count = 1
        tasks = [Inner]

    Made.__name__ = Made.__qualname__ = "Made" + kind
    return Made


Delta = with_set("Delta")
Epsilon = with_set("Epsilon")
