"""Lives of users: which hooks run, what is reported and in which state things are, in one process."""

from __future__ import annotations

from typing import Any

import gevent
from kit import Kit, Records, kind_of
from locust import SequentialTaskSet, TaskSet, User, constant, tag, task
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser


def _noting(kit: Kit, raised: Any, where: str, in_set: bool = False) -> type[User]:
    """A user that raises once, in one place."""

    def perhaps(place: str) -> None:
        kit.note(place)
        if place == where and raised is not None and kit.log.count(place) == 1:
            raise raised

    class Inside(TaskSet):
        wait_time = constant(0.01)

        def on_start(self) -> None:
            perhaps("set on_start")

        def on_stop(self) -> None:
            perhaps("set on_stop")

        @task
        def work(self) -> None:
            perhaps("set task")
            if kit.log.count("set task") > 1:
                self.interrupt(reschedule=False)

    class Noting(User):
        wait_time = constant(0.01)
        tasks = [Inside] if in_set else []

        def on_start(self) -> None:
            perhaps("on_start")

        def on_stop(self) -> None:
            perhaps("on_stop")

    if not in_set:

        def work(self: Any) -> None:
            perhaps("task")
            if kit.log.count("task") > 1:
                raise StopUser

        Noting.tasks = [work]
    return Noting


def exceptions_anywhere(kit: Kit) -> Any:
    """API-55 to 64, 81 to 89, 96: each exception in each place, for users with and without a set."""
    told = []
    for in_set in (False, True):
        places = ("on_start", "on_stop", *(("set on_start", "set task", "set on_stop") if in_set else ("task",)))
        for where in places:
            for raised in (ValueError("v"), StopUser(), StopTest(), RescheduleTask(), RescheduleTaskImmediately(),
                           InterruptTaskSet(), InterruptTaskSet(False), gevent.GreenletExit()):  # fmt: skip
                inner = Kit(kit.url)
                cls = _noting(inner, raised, where, in_set)
                environment = inner.environment(cls)
                runner = environment.create_local_runner()
                with Records() as records:
                    runner.spawn_users({cls.__name__: 1})
                    for _ in range(12):
                        gevent.sleep(0.01)
                        if not runner.user_count:
                            break
                    alive = runner.user_count
                    runner.quit()
                log = inner.log if in_set is False else inner.log[:7]
                levels = sorted({record.levelname for record in records.found if record.name.startswith("locust.user")})
                rows = sorted([row["count"], row["msg"]] for row in runner.exceptions.values())
                told.append([in_set, where, repr(raised), log, alive, levels, rows])
    return told


def tags_and_sets(kit: Kit) -> Any:
    """API-43 to 47: which tasks are left of users, sets and sets in sets."""

    def build() -> type[User]:
        class Deep(TaskSet):
            @tag("deep")
            @task
            def deep(self) -> None: ...

            @task
            def bare(self) -> None: ...

        class Steps(SequentialTaskSet):
            @tag("a")
            @task
            def first(self) -> None: ...

            @tag("b")
            @task(2)
            def second(self) -> None: ...

        @tag("whole")
        class Tagged(TaskSet):
            @task
            def one(self) -> None: ...

            @tag("a", "c")
            @task
            def two(self) -> None: ...

        class Holder(User):
            tasks = [Deep, Steps, Tagged]

            @tag("a")
            @task(3)
            def plain(self) -> None: ...

            @task
            def bare(self) -> None: ...

        return Holder

    def left(tasks: Any) -> list[Any]:
        return [[each.__name__, left(each.tasks)] if isinstance(each, type) else each.__name__ for each in tasks]

    told: list[Any] = []
    for tags, exclude in ((None, None), (["a"], None), (["deep"], None), (["whole"], ["c"]), (None, ["a"]), ([], []),
                          (["a", "b"], ["c"]), (["no"], None), (None, ["a", "b", "deep", "whole"])):  # fmt: skip
        cls = build()
        environment = Environment(user_classes=[cls], tags=tags, exclude_tags=exclude)
        with Records() as records:
            environment._filter_tasks_by_tags()
        told.append([tags, exclude, left(cls.tasks), sorted({record.levelname for record in records.found})])
    return told


def runner_by_hand(kit: Kit) -> Any:
    """API-134 to 139: start, change, stop, start again; what is refused."""

    class One(User):
        wait_time = constant(1)

        @task
        def nothing(self) -> None: ...

    class Two(One):
        weight = 2

    environment = Environment(user_classes=[One, Two])
    for name in ("test_start", "spawning_complete", "test_stopping", "test_stop"):
        getattr(environment.events, name).add_listener(
            lambda name=name, **keywords: kit.note(name, keywords.get("user_count"), environment.runner.state)
        )
    runner = environment.create_local_runner()
    told: list[Any] = [runner.state, runner.user_count, runner.user_classes_count, runner.target_user_count]

    def look(*more: Any) -> None:
        told.append([runner.state, runner.user_count, dict(sorted(runner.user_classes_count.items())), *more])

    runner.start(3, 100)
    runner.spawning_greenlet.join()
    look(runner.target_user_count, runner.target_user_classes_count)
    runner.start(6, 100)
    runner.spawning_greenlet.join()
    look()
    runner.start(2, 100, user_classes=[One])
    runner.spawning_greenlet.join()
    look()
    runner.stop_users({"One": 1})
    look()
    runner.stop()
    look(runner.target_user_count, runner.final_user_classes_count)
    runner.stop()
    runner.start(0, 1)
    runner.spawning_greenlet.join()
    look()
    told += [[type(user).__name__ for user in runner.spawn_users({"Two": 2})], kind_of(runner.spawn_users, {"No": 1})]
    told += [kind_of(runner.stop_users, {"No": 1}), kind_of(runner.start, -1, 1)]
    runner.quit()
    look()
    return [told, kit.log]
