"""Blocks that judge answers, with everything that may happen in one."""

from locust import FastHttpUser, HttpUser, constant, task
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, ResponseError, StopUser


class Judge:
    wait_time = constant(0)
    turn = 0

    def cases(self):
        yield lambda answer: None
        yield lambda answer: answer.failure("plain text")
        yield lambda answer: answer.failure(ValueError("an exception"))
        yield lambda answer: (answer.failure("first"), answer.failure("second"))
        yield lambda answer: (answer.failure("taken back"), answer.success())
        yield self.raising(ResponseError("by error"))
        yield self.raising(RescheduleTask())
        yield self.raising(RescheduleTaskImmediately())
        yield self.raising(KeyError("lost"))
        yield self.raising(AssertionError("asserted"))
        yield lambda answer: answer.request_meta.update(name="renamed", request_type="OTHER")
        yield lambda answer: answer.request_meta.update(context={"seen": 1}, response_length=1)

    def raising(self, error):
        def judge(answer):
            raise error

        return judge

    def judge(self):
        steps = list(self.cases())
        if self.turn == len(steps):
            raise StopUser
        self.turn += 1
        path = "/hello" if self.turn % 2 else "/status/418"
        with self.client.get(path, catch_response=True, name=f"case {self.turn}") as answer:
            steps[self.turn - 1](answer)
        print("> went on", type(self).__name__, self.turn)


class Plain(Judge, HttpUser):
    tasks = [Judge.judge]


class Quick(Judge, FastHttpUser):
    tasks = [Judge.judge]


class Nested(HttpUser):
    wait_time = constant(0)

    @task
    def nest(self):
        with self.client.get("/hello", catch_response=True, name="outer") as outer:
            outer.failure("not yet")
            with self.client.get("/status/500", catch_response=True, name="inner") as inner:
                inner.success()
                outer.failure("because of the inner one")
        try:
            with self.client.get("/hello", catch_response=True, name="stopped"):
                raise InterruptTaskSet
        except InterruptTaskSet:
            print("> interrupt seen")
        raise StopUser
