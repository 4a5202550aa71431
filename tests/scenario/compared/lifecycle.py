"""In what order things happen, and what becomes of exceptions."""

import gevent
import gevent.event
from locust import HttpUser, SequentialTaskSet, TaskSet, User, constant, events, task
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser

has_left = gevent.event.Event()


def say(*words):
    print(*words, flush=True)


@events.init.add_listener
def on_init(environment, runner, web_ui, **kwargs):
    say("init", type(environment).__name__, type(runner).__name__, web_ui)


@events.test_start.add_listener
def on_test_start(environment, **kwargs):
    say("test_start", environment.runner.state)


@events.spawning_complete.add_listener
def on_spawning_complete(user_count, **kwargs):
    say("spawning_complete", user_count)


@events.user_error.add_listener
def on_user_error(user_instance, exception, tb, **kwargs):
    say("user_error", type(user_instance).__name__, repr(exception))


@events.request.add_listener
def on_request(request_type, name, response, context, exception, start_time, url, **kwargs):
    say("request", request_type, name, response.status_code, context, repr(exception), start_time > 0, url[-6:])


@events.test_stopping.add_listener
def on_test_stopping(environment, **kwargs):
    say("test_stopping", environment.runner.state)


@events.test_stop.add_listener
def on_test_stop(environment, **kwargs):
    say("test_stop", environment.runner.user_count)


@events.quitting.add_listener
def on_quitting(environment, **kwargs):
    say("quitting")


@events.quit.add_listener
def on_quit(exit_code, **kwargs):
    say("quit", exit_code)


class Stepper(HttpUser):
    fixed_count = 1
    wait_time = constant(0.01)

    def on_start(self):
        say("user on_start", type(self.environment.runner).__name__)

    def on_stop(self):
        say("user on_stop")

    def context(self):
        return {"who": "stepper"}

    class Outer(SequentialTaskSet):
        def on_start(self):
            say("outer on_start", type(self.parent).__name__, type(self.user).__name__, self.client is self.user.client)

        def on_stop(self):
            say("outer on_stop")

        @task
        def first(self):
            self.client.get("/hello", context={"step": 1})

        @task
        class Inner(TaskSet):
            rounds = 0

            def on_start(self):
                say("inner on_start")

            def on_stop(self):
                say("inner on_stop")

            @task
            def work(self):
                self.rounds += 1
                say("inner", self.rounds)
                if self.rounds == 3:
                    self.interrupt()

        @task
        def fails(self):
            raise ValueError("a task failed")

        @task
        def reschedules(self):
            say("reschedules")
            raise RescheduleTask

        @task
        def reschedules_now(self):
            say("reschedules now")
            raise RescheduleTaskImmediately

        @task
        def scheduled(self):
            self.schedule_task(lambda user: say("scheduled", type(user).__name__), first=True)

        @task
        def spawns(self):
            jobs = [
                gevent.spawn_later(delay, self.client.get, f"/status/{status}", name="spawned")
                for delay, status in ((0, 200), (0.1, 404))
            ]
            gevent.joinall(jobs)
            say(sorted(job.value.status_code for job in jobs))

        @task
        def leaves(self):
            self.user.tasks = [Stepper.after]
            raise InterruptTaskSet(reschedule=False)

    def after(self):
        say("after")
        has_left.set()
        raise StopUser

    tasks = (Outer,)


class Starter(User):
    fixed_count = 1
    wait_time = constant(0.01)

    def on_start(self):
        has_left.wait()
        gevent.sleep(0.3)
        say("starter on_start")
        gevent.spawn_later(0.3, self.environment.runner.quit)
        raise RuntimeError("cannot start")

    def on_stop(self):
        say("never")

    @task
    def never(self):
        say("never")
