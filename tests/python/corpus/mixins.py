"""Behaviour in mixins and abstract bases, each with its part of on_start and on_stop."""

from locust import FastHttpUser, HttpUser, constant, task
from locust.exception import StopUser


class Counted:
    made = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        type(self).made += 1
        self.number = self.made

    def on_start(self):
        print("> counted", type(self).__name__, self.number)
        super().on_start()

    def on_stop(self):
        super().on_stop()
        print("> gone", type(self).__name__, self.number)


class Asserting:
    def check(self, path, wanted, **kwargs):
        with self.client.get(path, catch_response=True, **kwargs) as answer:
            if answer.status_code != wanted:
                answer.failure(f"{answer.status_code} is not {wanted}")
            else:
                answer.success()
            return answer


class Website(Counted, Asserting, HttpUser):
    abstract = True
    wait_time = constant(0)

    @task
    def common(self):
        self.check("/hello", 200)
        self.own()
        raise StopUser

    def own(self):
        raise NotImplementedError


class Good(Website):
    def own(self):
        self.check("/status/404", 404)


class Bad(Website):
    def own(self):
        self.check("/status/404", 200, name="missing")


class Quick(Counted, Asserting, FastHttpUser):
    wait_time = constant(0)

    @task
    def common(self):
        self.check("/status/404", 404)
        self.check("/hello", 500, name="wrong")
        raise StopUser
