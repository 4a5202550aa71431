"""Errors in every place."""

from locust import HttpUser, TaskSet, constant, events, task
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)


@events.user_error.add_listener
def on_error(user_instance, exception, tb, **_):
    print("> user_error", type(user_instance).__name__, repr(exception), tb is not None)


class Base(HttpUser):
    abstract = True
    wait_time = constant(0)
    turn = 0

    def on_stop(self):
        print("> stopped", type(self).__name__)


class InTask(Base):
    @task
    def fail(self):
        self.turn += 1
        if self.turn == 4:
            raise StopUser
        if self.turn == 3:
            raise RescheduleTaskImmediately
        if self.turn == 2:
            self.client.get("/status/404").raise_for_status()
        raise ValueError(f"turn {self.turn}")


class InStart(Base):
    def on_start(self):
        raise KeyError("start")

    @task
    def never(self):
        print("> never")


class StopInStart(Base):
    def on_start(self):
        raise StopUser

    @task
    def never(self):
        print("> never")


class InStop(Base):
    def on_stop(self):
        super().on_stop()
        raise ValueError("in on_stop")

    @task
    def end(self):
        raise StopUser


class EndsOnlyItself(Base):
    @task
    def end(self):
        raise StopTest


class InSet(Base):
    @task
    class Inner(TaskSet):
        def on_start(self):
            self.user.turn += 1
            if self.user.turn == 1:
                raise ValueError("set's on_start")

        def on_stop(self):
            print("> set stops")
            raise ValueError("set's on_stop")

        @task
        def work(self):
            self.user.turn += 1
            if self.user.turn == 3:
                raise ZeroDivisionError("set's task")
            if self.user.turn == 4:
                raise RescheduleTask
            if self.user.turn == 5:
                raise InterruptTaskSet(reschedule=False)
            if self.user.turn > 6:
                raise StopUser


class Assertion(Base):
    @task
    def check(self):
        self.turn += 1
        if self.turn > 1:
            raise StopUser
        response = self.client.get("/hello")
        assert response.text == "Bye", "unexpected text"
