"""Sentences of the lists that no other test tries: edges, defaults, kinds of errors."""

from __future__ import annotations

import time
from typing import Any

import gevent
import locust
from kit import Kit, Records, kind_of, until
from locust import (
    FastHttpUser,
    HttpUser,
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
)
from locust.env import Environment
from locust.event import DeprecatedEventHook, EventHook, Events
from locust.exception import (
    CatchResponseError,
    InterruptTaskSet,
    LocustError,
    RescheduleTask,
    ResponseError,
    RPCReceiveError,
    StopTest,
    StopUser,
)


def hooks(kit: Kit) -> Any:
    """EVT-1 to 5: order, copies, what is returned, which exceptions go on."""
    hook = EventHook()
    told: list[Any] = []

    def first(**keywords: Any) -> str:
        kit.note("first", sorted(keywords))
        return "unused"

    def late(**_: Any) -> None:
        kit.note("late")

    def adds(**_: Any) -> None:
        kit.note("adds")
        hook.add_listener(late)

    def removes(**_: Any) -> None:
        kit.note("removes")
        hook.remove_listener(first)

    told += [hook.add_listener(first) is first, hook.add_listener(first) is first, hook.fire(a=1)]
    hook.add_listener(removes)
    hook.add_listener(adds)
    hook.fire(reverse=True, b=2)
    kit.note("again")
    hook.fire()
    told += [kind_of(hook.remove_listener, first), kind_of(hook.fire, 1), kind_of(hook.remove_listener, None)]
    for error in (ValueError("v"), StopUser("s"), StopTest(), RescheduleTask(), InterruptTaskSet(), ResponseError("r"),
                  CatchResponseError("c"), LocustError("l"), KeyboardInterrupt(), SystemExit(3)):  # fmt: skip
        raising = EventHook()

        def bad(error: Any = error, **_: Any) -> None:
            raise error

        raising.add_listener(bad)
        raising.add_listener(late)
        before = len(kit.log)
        with Records() as records:
            kind = kind_of(raising.fire)
        told.append([kind, len(kit.log) - before, [record.levelname for record in records.found]])
    return [told, kit.log]


def measuring(kit: Kit) -> Any:
    """EVT-6: what the block is given and may change; which exceptions go on."""
    hook = EventHook()
    fired: list[dict[str, Any]] = []
    hook.add_listener(lambda **keywords: fired.append(keywords))
    told: list[Any] = []
    with hook.measure("T", "n") as meta:
        told.append([sorted(meta), meta["context"], meta["response_length"], type(meta["start_time"]).__name__])
        gevent.sleep(0.02)
    with hook.measure("T", "n", 7, {"a": 1}) as meta:
        meta.update(name="other", extra=5, response_length=9, request_type="U")
    with hook.measure("T", "timed") as meta:
        meta["response_time"] = 3
    with hook.measure("T", "marked") as meta:
        meta["exception"] = KeyError("mine")
    for error in (
        ValueError("x"),
        StopUser(),
        InterruptTaskSet(),
        KeyboardInterrupt(),
        SystemExit(1),
        gevent.GreenletExit(),
    ):

        def block(error: BaseException = error) -> None:
            with hook.measure("T", type(error).__name__):
                raise error

        told.append(kind_of(block))
    for keywords in fired:
        took = keywords.pop("response_time")
        keywords.pop("start_time")
        exception = keywords.pop("exception")
        told.append([keywords, type(took).__name__ if took != 3 else 3, took >= 19 if keywords["name"] == "n" else 0,
                     repr(exception)])  # fmt: skip
    return told


def collections_of_hooks(kit: Kit) -> Any:
    """EVT-7, EVT-8: annotations make hooks; old ones warn."""

    class More(Events):
        mine: EventHook

    class Both(Events):
        mine: EventHook
        request: EventHook

    told = [sorted(vars(More())), sorted(vars(Both())), sorted(vars(Events())) == sorted(Events.__annotations__)]
    told += [type(More().mine).__name__, hasattr(More(), "request"), Events().request is Events().request]
    with Records() as records:
        old = DeprecatedEventHook("say something else")
        result = old.add_listener(print)
    told += [[record.levelname for record in records.found], result is print, isinstance(old, EventHook)]
    events = Events()
    events.own = EventHook()
    events.own.add_listener(lambda **keywords: kit.note(keywords))
    events.own.fire(x=1)
    return [told, kit.log]


def errors_and_their_attributes(kit: Kit) -> Any:
    """API-98 to 105: arguments, texts, bases."""
    told: list[Any] = []
    for name in sorted(dir(locust.exception)):
        cls = getattr(locust.exception, name)
        if isinstance(cls, type) and issubclass(cls, Exception) and cls.__module__ == "locust.exception":
            made = cls("a", "b") if name not in ("InterruptTaskSet",) else cls()
            told.append([name, [base.__name__ for base in cls.__mro__[1:-2]], str(made), repr(made.args)])
    told.append(
        [InterruptTaskSet().reschedule, InterruptTaskSet(False).reschedule, InterruptTaskSet(reschedule=0).reschedule]
    )
    error = RPCReceiveError("x", addr="here")
    told += [error.addr, str(error), RPCReceiveError().addr, kind_of(RPCReceiveError, adr=1)]
    return told


def waits(kit: Kit) -> Any:
    """API-72 to 77: values, odd arguments, state of each user."""

    class Someone:
        pass

    told: list[Any] = []
    for made in (
        between(5, 1),
        between(1.5, 1.5),
        between(-2, -1),
        constant(0),
        constant(-3),
        constant(None),
        constant("x"),
    ):
        value = made(Someone())
        told.append(
            [type(value).__name__, value if not isinstance(value, float) or value == 1.5 else 1 <= abs(value) <= 5]
        )
    for function, values in ((constant_throughput, (0, -1, 2)), (poisson, (0, -1, 2)), (constant_pacing, (0, -1, 2))):
        told.append([kind_of(function, value) for value in values])
    told += [
        kind_of(between, 1),
        kind_of(constant),
        kind_of(between(None, 1), Someone()),
        kind_of(between("a", "b"), Someone()),
    ]

    for slow, quick in (
        (constant_pacing(100), constant_pacing(0.01)),
        (constant_throughput(0.01), constant_throughput(100)),
    ):

        class Slow(User):
            wait_time = slow

        class Quick(User):
            wait_time = quick

        # Who does not wait as long as it was told is told to wait all the longer.
        user, other = Slow(Environment()), Slow(Environment())
        pauses = [user.wait_time(), user.wait_time(), other.wait_time()]
        told.append([[round(pause / 100) for pause in pauses], type(pauses[0]).__name__])
        hasty = Quick(Environment())
        hasty.wait_time()
        gevent.sleep(0.1)
        told.append([hasty.wait_time() == 0, hasty.wait_time() <= 0.01])
    return told


def definitions(kit: Kit) -> Any:
    """API-20 to 25, 39 to 42, 66, 71: what a class body makes of tasks, weights and names; which errors there are."""
    told: list[Any] = []

    def plain(user: Any) -> None: ...

    def other(user: Any) -> None: ...

    def body(**names: Any) -> Any:
        return lambda: type("Made", (User,), names)

    for tasks in ([plain], (plain, other), {plain: 2}, [(plain, 2), other], {plain: 0, other: -1}, [], None,
                  {plain, other}, {plain: True}, [(plain, 0)], iter([plain, other]), ((plain, 1),)):  # fmt: skip
        made = type("Made", (User,), {"tasks": tasks})
        told.append([type(made.tasks).__name__, sorted(each.__name__ for each in made.tasks)])
    told += [
        kind_of(body(tasks=bad))
        for bad in ({plain: 1.5}, {plain: "2"}, [(plain, 1.5)], 5, [(plain, None)], {plain: None})
    ]
    for name in ("run", "on_start", "on_stop", "wait", "start", "stop", "tick"):

        def function(self: Any) -> None: ...

        function.__name__ = name
        with Records() as records:
            told.append([name, kind_of(task, function), kind_of(task(3), function), len(records.found)])
    told += [kind_of(task(0), plain), plain.locust_task_weight, task(2.5)(other) is other, other.locust_task_weight]
    told += [kind_of(tag), kind_of(tag, plain), sorted(tag("a", "b")(tag("c")(plain)).locust_tag_set)]
    told.append(sorted(tag(1, None)(other).locust_tag_set, key=str))

    @tag("whole")
    class Set(TaskSet):
        @task
        def one(self) -> None: ...

        @tag("x")
        @task(2)
        def two(self) -> None: ...

    told.append([sorted(each.locust_tag_set) for each in Set.tasks])
    for bad in ({"tasks": {plain}}, {"tasks": (plain,)}, {"tasks": None}, {"tasks": 5}):
        told.append(kind_of(lambda bad=bad: type("Seq", (SequentialTaskSet,), bad)))

    class Base(User):
        abstract = True
        weight = 3

        @task
        def c(self) -> None: ...

    class Derived(Base):
        @task(2)
        def c(self) -> None: ...

    class Again(Derived):
        tasks = [plain]

    told += [Base.abstract, Derived.abstract, Derived.weight, len(Base.tasks), len(Derived.tasks), len(Again.tasks)]
    told += [User.tasks, HttpUser.tasks, User.wait_time is None, User.min_wait, User.max_wait, User.wait_function]
    told += [
        Derived.json(),
        Derived.fullname().rpartition(".")[2],
        Set.__name__,
        HttpUser.fullname(),
        FastHttpUser.json(),
    ]
    return told


def environments(kit: Kit) -> Any:
    """API-107 to 127: defaults, refusals, settings of classes."""

    class One(User):
        weight = 2

        @task
        def a(self) -> None: ...

        @task
        def b(self) -> None: ...

    class Off(User):
        weight = 0

    class Fixed(User):
        weight = 0
        fixed_count = 1

    told: list[Any] = []
    environment = Environment(user_classes=[One, Off, Fixed])
    told.append([cls.__name__ for cls in environment.user_classes])
    told += [
        kind_of(Environment, user_classes=[Off]),
        kind_of(Environment, user_classes=[One, type("One", (User,), {})]),
    ]
    told += [
        kind_of(Environment, [One]),
        kind_of(Environment, shape_class=locust.LoadTestShape),
        kind_of(Environment, odd=1),
    ]
    environment.available_user_classes = {"One": One}
    environment.available_user_tasks = {"One": list(One.tasks)}
    environment.update_user_class({"user_class_name": "One", "weight": 5, "tasks": ["b"], "own": "x", "host": None})
    told += [
        One.weight,
        [each.__name__ for each in One.tasks],
        One.own,
        One.host,
        sorted(environment.user_classes_by_name),
    ]
    environment.assign_equal_weights()
    told += [[cls.weight for cls in environment.user_classes], Fixed.fixed_count]
    told.append(environment.update_worker_logs({"worker_id": "w", "logs": ["a"]}))
    told += [environment.worker_logs, kind_of(environment.update_worker_logs, {"logs": []})]
    runner = environment.create_local_runner()
    told += [kind_of(environment.create_local_runner), kind_of(environment.create_master_runner, "127.0.0.1", 0)]
    told += [
        environment.runner is runner,
        runner.environment is environment,
        environment.stop_timeout,
        environment.host,
    ]
    told += [Environment(stop_timeout=5).stop_timeout, Environment(host="h").host, Environment().profile]
    told += [Environment().events is Environment().events, environment.stats is runner.stats, runner.errors == {}]
    runner.quit()
    return told


def local_messages(kit: Kit) -> Any:
    """API-140, API-141, API-133: on one node messages go to its own listeners, at once."""
    environment = Environment()
    runner = environment.create_local_runner()

    def listener(environment: Any, msg: Any, **more: Any) -> str:
        kit.note(msg.type, msg.data, msg.node_id, sorted(more), environment is runner.environment)
        return "unused"

    def raising(environment: Any, msg: Any, **_: Any) -> None:
        raise KeyError("no")

    told = [runner.register_message("m", listener), kind_of(runner.register_message, "m", listener)]
    runner.register_message("c", listener, concurrent=True)
    runner.register_message("bad", raising)
    told += [runner.send_message("m"), runner.send_message("m", {"a": 1}), runner.send_message("c", 5, "nobody")]
    with Records() as records:
        told += [kind_of(runner.send_message, "unknown"), kind_of(runner.send_message, "bad")]
    told += [[record.levelname for record in records.found], sorted(runner.custom_messages), runner.worker_index]
    told += [runner.worker_count, isinstance(runner.client_id, str), runner.state, runner.user_count]
    gevent.sleep(0.05)
    runner.quit()
    return [told, kit.log]


def exceptions_are_grouped(kit: Kit) -> Any:
    """API-144: by the text of the traceback; the first message stays."""
    runner = Environment().create_local_runner()
    told = [runner.log_exception("n1", "first", "tb"), runner.log_exception("n2", "second", "tb")]
    runner.log_exception("n1", "third", "other tb")
    for key, row in runner.exceptions.items():
        told.append(
            [
                type(key).__name__,
                row["count"],
                row["msg"],
                row["traceback"],
                sorted(row["nodes"]),
                type(row["nodes"]).__name__,
            ]
        )
    runner.quit()
    return told


def ends_of_waiting(kit: Kit) -> Any:
    """API-30, API-32: wait() in a task; stop() in each state."""
    told: list[Any] = []

    class Waiting(User):
        wait_time = constant(0.05)

        @task
        def waits(self) -> None:
            begin = time.monotonic()
            self.wait()
            kit.note(time.monotonic() - begin >= 0.05)
            gevent.sleep(60)

    environment = Environment(user_classes=[Waiting], stop_timeout=1)
    runner = environment.create_local_runner()
    (user,) = runner.spawn_users({"Waiting": 1})
    until(lambda: kit.log)
    told += [user._state, user.stop(), user._state, kind_of(user.stop), user.stop(force=True)]
    until(lambda: not runner.user_count)
    told += [runner.user_count, user.greenlet.dead if hasattr(user.greenlet, "dead") else True]
    runner.quit()
    return [told, kit.log]


def links(kit: Kit) -> Any:
    """API-33, API-16: greenlets of users with gevent's means."""

    class Short(User):
        @task
        def ends(self) -> None:
            raise StopUser

    class Breaks(User):
        def on_start(self) -> None:
            raise ValueError("no")

    told: list[Any] = []
    for cls in (Short, Breaks):
        environment = Environment(user_classes=[cls])
        runner = environment.create_local_runner()
        (user,) = runner.spawn_users({cls.__name__: 1})
        greenlet = user.greenlet

        def noted(name: str, started: Any = greenlet) -> Any:
            def callback(ended: Any) -> None:
                gevent.sleep(0.01)
                kit.note(name, ended is started)

            return callback

        greenlet.link(noted("link"))
        greenlet.link_value(noted("value"))
        greenlet.link_exception(noted("exception"))
        unlinked = noted("unlinked")
        greenlet.link(unlinked)
        greenlet.unlink(unlinked)
        told += [len(greenlet.args), greenlet.args[0] is user, greenlet.ready(), bool(greenlet.has_links())]
        gevent.joinall([greenlet], timeout=60)
        gevent.sleep(0.05)
        told += [greenlet.ready(), greenlet.dead, greenlet.successful(), greenlet.value, repr(greenlet.exception)]
        runner.quit()
        kit.note("-")
    return [told, sorted(kit.log)]
