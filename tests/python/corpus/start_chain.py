"""on_start in bases and mixins, each calling the next."""

from locust import HttpUser, TaskSet, constant, task
from locust.exception import StopUser


class LoginMixin:
    def on_start(self):
        super().on_start()
        print("> login")
        self.client.post("/echo/login", name="login")


class TracedMixin:
    def on_start(self):
        print("> traced")
        super().on_start()

    @task
    def health(self):
        self.client.get("/health")


class Base(HttpUser):
    abstract = True
    wait_time = constant(0)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def on_start(self):
        print("> base")

    def on_stop(self):
        print("> stop", sorted(set(self.seen)))


class Work(TaskSet):
    def on_start(self):
        print("> work starts")

    @task
    def work(self):
        self.user.seen.append("work")
        self.client.get("/hello")
        if len(self.user.seen) == 3:
            raise StopUser


class Member(LoginMixin, TracedMixin, Base):
    tasks = [Work]

    def health(self):
        """Hides the mixin's, whose task stays."""
        raise AssertionError


class Guest(TracedMixin, Base):
    host = "http://ignored.invalid"

    @task
    def look(self):
        self.seen.append("look")

    @task
    def end(self):
        if self.seen:
            raise StopUser

    tasks = [look, end]
