"""How tasks are picked, in which order sets and users go, and what a mistake in a class says."""

from __future__ import annotations

import itertools
import logging
import random
import time
import types
import warnings
from typing import Any

import gevent
import locust
from kit import Kit, Records, Stalls, kind_of, until
from locust import (
    HttpUser,
    LoadTestShape,
    MarkovTaskSet,
    SequentialTaskSet,
    TaskSet,
    User,
    between,
    constant,
    constant_pacing,
    constant_throughput,
    poisson,
    tag,
    task,
    transition,
    transitions,
)
from locust.env import Environment
from locust.exception import (
    InterruptTaskSet,
    LocustError,
    MissingWaitTimeError,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopUser,
)
from locust.user.inspectuser import get_ratio


def picks_with_random_choice(kit: Kit) -> Any:
    """API-50: as random.choice() picks from the list of tasks, which may be replaced; by weight."""

    class Caller(User):
        wait_time = constant(0)

        @task(3)
        def often(self) -> None:
            kit.note("often")
            if len(kit.log) >= 400:
                raise StopUser

        @task
        def seldom(self) -> None:
            kit.note("seldom")
            if len(kit.log) >= 400:
                raise StopUser

    kit.run(Caller)
    assert 0.6 < kit.log.count("often") / len(kit.log) < 0.9
    picked = TaskSet(Caller(Environment()))
    picked.tasks = [Caller.often, Caller.seldom]
    assert {picked.get_next_task() for _ in range(60)} == {Caller.often, Caller.seldom}
    random.seed(3)
    first = [picked.get_next_task().__name__ for _ in range(20)]
    random.seed(3)
    return [first, [random.choice(picked.tasks).__name__ for _ in range(20)]]


def same_seed_same_order(kit: Kit) -> Any:
    """API-50: random.seed() decides what is picked, and what the tasks draw themselves."""

    class Caller(User):
        wait_time = constant(0)

        @task(3)
        def a(self) -> None:
            kit.note("a", random.randint(0, 100))
            if len(kit.log) >= 30:
                raise StopUser

        @task(2)
        def b(self) -> None:
            kit.note("b", random.random() < 2)
            if len(kit.log) >= 30:
                raise StopUser

        @task
        class Inner(TaskSet):
            @task
            def c(self) -> None:
                kit.note("c")
                self.interrupt()

            @task(2)
            def d(self) -> None:
                kit.note("d", random.choice("xyz"))

    random.seed(7)
    kit.run(Caller)
    return kit.log


def queue_comes_first(kit: Kit) -> Any:
    """API-50, API-51: what was scheduled runs before anything is picked; schedule_task() from a task and twice."""

    def extra(holder: Any) -> None:
        kit.note("extra", type(holder).__name__)

    class Caller(User):
        wait_time = constant(0)

        @task
        class Set(TaskSet):
            @task
            def picked(self) -> None:
                kit.note("picked")
                if len(kit.log) > 6:
                    raise StopUser
                self.schedule_task(extra)
                self.schedule_task(self.own, first=True)
                self.schedule_task(extra)

            def own(self) -> None:
                kit.note("own")

    kit.run(Caller)
    return kit.log


def warns_of_what_cannot_be_reached(kit: Kit) -> Any:
    """API-69: unreachable steps are a warning only; transitions of a subclass are checked against its own members."""
    with Records() as records:

        class Chain(MarkovTaskSet):
            @transition("a")
            def a(self) -> None: ...

            @transition("a")
            def lost(self) -> None: ...

    assert [record.levelname for record in records.found] == ["WARNING"]
    assert "lost" in records.found[0].getMessage()

    def plain() -> None:
        class Sub(Chain):
            pass

    class Abstract(MarkovTaskSet):
        abstract = True

    def concrete() -> None:
        class Concrete(Abstract):
            @transitions(["go"])
            def go(self) -> None: ...

    def negative() -> None:
        class Zero(MarkovTaskSet):
            @transition("a", 0)
            def a(self) -> None: ...

    return [kind_of(plain), kind_of(concrete), kind_of(negative), Chain.current.__name__, Chain.tasks, Chain.abstract]


def markov_in_sets(kit: Kit) -> Any:
    """API-67, API-70: each entry begins with the first step; on_start, on_stop, interrupt() and wait_time as in any
    set; proportions follow the weights."""
    steps: list[str] = []

    class Caller(User):
        wait_time = constant(0)

        @task
        class Chain(MarkovTaskSet):
            def on_start(self) -> None:
                kit.note("enter", self.current.__name__)

            def on_stop(self) -> None:
                kit.note("leave")

            def wait_time(self) -> float:
                return 0

            @transitions({"a": 3, "b": 1})
            def a(self) -> None:
                steps.append("a")
                if len(steps) > 300:
                    raise StopUser
                if len(steps) // 100 >= kit.log.count("enter a"):
                    self.interrupt()

            @transition("a")
            def b(self) -> None:
                steps.append("b")

    kit.run(Caller)
    assert 0.65 < steps.count("a") / len(steps) < 0.95
    assert kit.log[:2] == ["enter a", "leave"]
    assert len(kit.log) >= 4
    return [sorted(set(kit.log)), Caller.json()["tasks"]]


def tags_once_per_environment(kit: Kit) -> Any:
    """API-43, API-47: filtered at the first start only, before test_start; a warning names what is left empty."""

    class Caller(User):
        wait_time = constant(30)

        @tag("in")
        @task
        def kept(self) -> None: ...

        @task
        class Set(TaskSet):
            @task
            def dropped(self) -> None: ...

    class Empty(User):
        wait_time = constant(30)

        @task
        def dropped(self) -> None: ...

    environment = kit.environment(Caller, Empty, tags=["in"])
    environment.events.test_start.add_listener(
        lambda **_: kit.note("test_start", *(one.__name__ for one in Caller.tasks))
    )
    runner = environment.create_local_runner()
    with Records() as records:
        runner.start(2, 2)
        until(lambda: len(kit.log) == 2)
        runner.stop()
    Empty.tasks = [Caller.kept]
    Caller.tasks = [Empty.dropped]
    runner.start(2, 2)
    gevent.sleep(0.1)
    runner.quit()
    warned = [record.getMessage() for record in records.found if record.levelno == logging.WARNING]
    assert any("Set" in text for text in warned), warned
    assert any("Empty" in text for text in warned), warned
    exceptions = [[str(row["msg"]), row["count"]] for row in runner.exceptions.values()]
    return [kit.log[0], sorted(line[:24] for line in kit.log[1:]), len(exceptions)]


def arguments_of_tasks(kit: Kit) -> Any:
    """API-53, API-38: functions, lambdas, partials, callable objects, static and class methods as tasks."""
    import functools

    def named(who: str, holder: Any) -> None:
        kit.note(who, type(holder).__name__)

    class Callable:
        __name__ = "Callable"

        def __call__(self, holder: Any) -> None:
            kit.note("object", type(holder).__name__)

    partial = functools.partial(named, "partial")
    partial.__name__ = "partial"  # type: ignore[attr-defined]

    def stop(_: Any) -> None:
        raise StopUser

    class InOrder(SequentialTaskSet):
        tasks = [partial, Callable(), lambda holder: kit.note("lambda", type(holder).__name__)]

        @task
        def method(self) -> None:
            kit.note("method", type(self).__name__)

        def on_start(self) -> None:
            self.schedule_task(self.bound)

        def bound(self, *more: Any) -> None:
            kit.note("bound", *more)

    InOrder.tasks.append(stop)

    class Caller(User):
        wait_time = constant(0)
        tasks = {InOrder: 1}

    kit.run(Caller)
    return kit.log


def mistakes_in_a_class(kit: Kit) -> Any:
    """API-71, API-24, API-42, API-29: what is wrong raises, where Locust raises, and says what to do."""
    environment = Environment()

    class Attribute(User):
        task = lambda self: None  # noqa: E731

    class Nothing(User):
        pass

    class EmptySet(TaskSet):
        pass

    class EmptySequence(SequentialTaskSet):
        pass

    found = []
    nobody = Nothing(environment)
    for holder in (TaskSet(Attribute(environment)), EmptySet(nobody), EmptySequence(nobody)):
        try:
            holder.get_next_task()
        except Exception as error:
            found.append([type(error).__name__, type(holder).__name__ in str(error) or "task" in str(error)])

    def no_parentheses() -> None:
        task("3")  # type: ignore[call-overload]

    def tagless() -> None:
        tag()

    def wrong_weight() -> None:
        class Wrong(User):
            @task("2")  # type: ignore[arg-type]
            def call(self) -> None: ...

    def no_list() -> None:
        class Wrong(User):
            tasks = 5

    def one_function() -> None:
        class Wrong(User):
            tasks = no_list

    def bad_pair() -> None:
        class Wrong(User):
            tasks = [(no_list, 1, 2)]

    found.append([kind_of(wrong) for wrong in (no_parentheses, tagless, wrong_weight, no_list, one_function, bad_pair)])
    return found


def task_with_wrong_signature(kit: Kit) -> Any:
    """API-89: a task that cannot be called with the user is an exception like any other, and counted."""

    class Caller(User):
        rounds = 0

        @task
        def more(self, needed: int) -> None: ...

        @task
        def none() -> None:  # type: ignore[misc]
            ...

        def wait_time(self) -> float:
            self.rounds += 1
            if self.rounds > 20:
                raise StopUser
            return 0

    with Records() as records:
        environment = kit.run(Caller)
    rows = [row["count"] for row in environment.runner.exceptions.values()]
    assert any("missing 1 required" in record.getMessage() for record in records.found)
    return [rows, sorted({line.rpartition(".")[2] for line in kit.log})]


def waiting_by_pace(kit: Kit) -> Any:
    """API-74, API-75: the pace counts the task's own time; a task that takes longer is not waited for; each set has a
    pace of its own."""
    times: list[float] = []

    class Paced(User):
        wait_time = constant_pacing(0.2)

        @task
        def call(self) -> None:
            times.append(time.monotonic())
            if len(times) == 4:
                raise StopUser
            gevent.sleep(0.1 if len(times) < 3 else 0.3)

    with Stalls() as stalls:
        kit.run(Paced, seconds=60)
    late = stalls.seconds
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # A wait that came late makes the next one shorter.
    assert 0.15 - late < gaps[0] < 0.29 + late, (gaps, late)
    assert 0.15 - late < gaps[1] < 0.29 + late, (gaps, late)
    assert 0.29 < gaps[2] < 0.45 + late, (gaps, late)

    calls: list[float] = []

    class Fast(User):
        wait_time = constant_throughput(20)

        @task
        def call(self) -> None:
            calls.append(time.monotonic())
            if len(calls) == 11:
                raise StopUser

    with Stalls() as stalls:
        kit.run(Fast, seconds=60)
    assert 0.45 < calls[-1] - calls[0] < 0.9 + stalls.seconds
    return [kind_of(constant_throughput, -1), kind_of(poisson, -2)]


def wait_times_of_all_kinds(kit: Kit) -> Any:
    """API-72, API-73, API-76, API-77, API-54: functions, methods, lambdas, static methods and instance attributes."""

    class Odd(User):
        wait_time = staticmethod(lambda: 0.5)

        @task
        def call(self) -> None: ...

    class Plain(User):
        wait_time = lambda self: 0.25  # noqa: E731

        @task
        def call(self) -> None: ...

    class Legacy(User):
        wait_time = None
        min_wait = 10
        max_wait = 20

        @task
        def call(self) -> None: ...

    class OfSet(TaskSet):
        wait_time = constant(7)

    class LegacySet(TaskSet):
        min_wait = 3000
        max_wait = 3000

    environment = Environment()
    odd, plain, legacy = Odd(environment), Plain(environment), Legacy(environment)
    changed = Plain(environment)
    changed.wait_time = lambda: 0.125  # type: ignore[method-assign]
    mean = sum(poisson(10)(None) for _ in range(4000)) / 4000
    assert 0.085 < mean < 0.115
    assert 0.01 <= TaskSet(legacy).wait_time() <= 0.02
    assert all(1 <= between(1, 2)(None) <= 2 for _ in range(50))
    return [
        TaskSet(odd).wait_time(),
        TaskSet(plain).wait_time(),
        OfSet(plain).wait_time(),
        TaskSet(changed).wait_time(),
        LegacySet(legacy).wait_time(),
        LegacySet(plain).wait_time(),
        constant("x")(None),
    ]


def wait_time_that_raises(kit: Kit) -> Any:
    """API-78, API-79: exceptions that steer a user do so from wait_time too; a missing wait time is reported once."""

    def life(kind: Any) -> list[str]:
        kit.log.clear()

        class Caller(User):
            def wait_time(self) -> Any:
                kit.note("waits")
                if kit.log.count("waits") > 2:
                    raise StopUser
                return kind()

            def on_stop(self) -> None:
                kit.note("stop")

            @task
            def call(self) -> None:
                kit.note("call")

        kit.run(Caller, seconds=1)
        return list(kit.log)

    def raises(error: BaseException) -> Any:
        def function() -> None:
            raise error

        return function

    lives = [
        life(raises(error)) for error in (StopUser(), RescheduleTask(), RescheduleTaskImmediately(), InterruptTaskSet())
    ]

    class Waitless(User):
        wait_time = None

        @task
        def call(self) -> None:
            kit.note("call")

    kit.log.clear()
    kit.run(Waitless, seconds=1)
    assert kind_of(TaskSet(Waitless(Environment())).wait_time) == "MissingWaitTimeError"
    assert issubclass(MissingWaitTimeError, LocustError)
    return [lives, [line.partition("(")[0] for line in kit.log]]


def wait_time_of_wrong_type(kit: Kit) -> Any:
    """API-78: None or text as a wait."""

    def life(value: Any) -> list[str]:
        kit.log.clear()

        class Caller(User):
            def wait_time(self) -> Any:
                return value

            def on_stop(self) -> None:
                kit.note("stop")

            @task
            def call(self) -> None:
                kit.note("call")
                if len(kit.log) > 5:
                    raise StopUser

        kit.run(Caller, seconds=1)
        return [line.partition("(")[0] for line in kit.log]

    return [life("0"), life(None), life([1])]


def sequence_restarts(kit: Kit) -> Any:
    """API-65: wraps around, restarts at the first task when entered again; nested sets and tasks by number in place."""

    class Caller(User):
        wait_time = constant(0)

        @task
        class Flow(SequentialTaskSet):
            def on_start(self) -> None:
                kit.note("enter")

            @task
            def one(self) -> None:
                kit.note("one")

            @task(2)
            class Nested(SequentialTaskSet):
                @task
                def inner(self) -> None:
                    kit.note("inner")
                    self.interrupt(reschedule=False)

            @task
            def two(self) -> None:
                kit.note("two")
                if kit.log.count("two") == 2:
                    self.interrupt()
                if kit.log.count("two") == 3:
                    raise StopUser

    class Sub(Caller.Flow):  # type: ignore[name-defined,misc]
        @task
        def three(self) -> None: ...

    kit.run(Caller)
    return [kit.log, [one.__name__ for one in Sub.tasks]]


def inherited_tasks(kit: Kit) -> Any:
    """API-20, API-22: mixins, abstract bases, several bases, overriding, tasks set later."""

    def extra(_: Any) -> None: ...

    class Mixin:
        tasks = [extra]

        @task
        def unseen(self) -> None: ...

    class Base(User):
        abstract = True

        @task(2)
        def base(self) -> None: ...

    class Left(Base):
        @task
        def left(self) -> None: ...

    class Right(Base):
        @task
        def right(self) -> None: ...

    class Both(Left, Right):
        @task
        def base(self) -> None: ...

    class Mixed(Mixin, Base):
        pass

    class Late(Base):
        pass

    Late.tasks = [extra, Left.left]

    class AfterLate(Late):
        pass

    made = type("Made", (Base,), {"tasks": {extra: 2}, "weight": 3})

    class Again(Base):
        abstract = False

    class Deeper(Again):
        abstract = True

    def names(one: Any) -> list[str]:
        return [item.__name__ for item in one.tasks]

    return [
        [names(one) for one in (Left, Both, Mixed, Late, AfterLate, made)],
        [one.abstract for one in (Base, Left, Both, Again, Deeper, made)],
        made.weight,
        made.json(),
    ]


def deprecated_task_set(kit: Kit) -> Any:
    """API-37: only a TaskSet in the attribute warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        class Function(User):
            task_set = type("NoSet", (), {})

        class Old(User):
            task_set = TaskSet

    return [warning.category.__name__ for warning in caught]


def names_that_scripts_import(kit: Kit) -> Any:
    """API-6, API-7, API-12, API-16: what one `import locust` makes reachable, and the libraries beside it."""
    modules = (
        "argument_parser clients contrib contrib.fasthttp debug dispatch env event exception html log rpc rpc.protocol"
        " rpc.zmqrpc runners shape stats user user.inspectuser user.markov_taskset user.sequential_taskset user.task"
        " user.users user.wait_time util util.cache util.date util.deprecation util.directory util.exception_handler"
        " util.rounding util.timespan util.url web"
    )
    missing = []
    for name in modules.split():
        found: Any = locust
        for part in name.split("."):
            found = getattr(found, part, None)
        if not isinstance(found, types.ModuleType):
            missing.append(name)
    import flask
    import flask_login
    import gevent.event
    import gevent.lock
    import gevent.pool
    import gevent.queue
    import msgpack
    import requests
    import urllib3

    together = [
        flask.Blueprint("b", "b").name,
        flask_login.UserMixin().is_active,
        msgpack.unpackb(msgpack.packb({"a": [1, b"2"]})),
        issubclass(HttpUser, User),
        requests.Session().trust_env,
        urllib3.PoolManager().pools is not None,
        LoadTestShape.__abstractmethods__ == frozenset({"tick"}),
    ]
    together[2] = sorted(map(str, together[2]))
    pool = gevent.pool.Pool(2)
    event = gevent.event.Event()
    lock = gevent.lock.BoundedSemaphore(1)
    queue: Any = gevent.queue.Queue()

    def work(number: int) -> None:
        with lock:
            queue.put(number)
        if number == 4:
            event.set()

    pool.map(work, range(5))
    event.wait(1)
    return [missing, together, sorted(queue.get() for _ in range(5)), event.is_set()]


def steps_that_are_sets(kit: Kit) -> Any:
    """API-67, API-68: a step of a Markov chain may be a task set; it is left as any other."""

    class Caller(User):
        wait_time = constant(0)

        @task
        class Chain(MarkovTaskSet):
            tasks = {print: 3, max: 1}

            @transition("browse")
            def begin(self) -> None:
                kit.note("begin")
                if len(kit.log) > 12:
                    raise StopUser

            @transitions({"begin": 1})
            class browse(TaskSet):
                def on_start(self) -> None:
                    kit.note("in", type(self.parent).__name__, self.parent.current.__name__)

                @task
                def look(self) -> None:
                    kit.note("look")
                    self.interrupt()

    kit.run(Caller)
    return [kit.log, Caller.tasks[0].browse.transitions, get_ratio([Caller], {"Caller": 1}, True)]
