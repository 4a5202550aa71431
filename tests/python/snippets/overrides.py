"""Classes that override what the engine does itself: their methods are used, with the results they have on Locust."""

from __future__ import annotations

import contextlib
from typing import Any

import gevent
from kit import Kit, kind_of
from locust import FastHttpUser, HttpUser, SequentialTaskSet, TaskSet, User, constant, task
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.exception import RescheduleTask, StopUser
from locust.user.task import DefaultTaskSet


def run_of_a_user(kit: Kit) -> Any:
    """API-29: run() of a user replaced, around the original and without it."""

    class Around(User):
        wait_time = constant(0)

        def run(self) -> None:
            kit.note("around begins")
            try:
                super().run()
            finally:
                kit.note("around ends")

        def on_stop(self) -> None:
            kit.note("around on_stop")

        @task
        def call(self) -> None:
            kit.note("around call")
            raise StopUser

    class Without(User):
        def run(self) -> None:
            kit.note("without", self.environment.host)
            gevent.sleep(0.01)

        def on_start(self) -> None:
            kit.note("never")

    environment = kit.run(Around, Without, host="h")
    return [sorted(kit.log), kit.log[-1].startswith("around"), environment.runner.user_count]


def run_of_a_user_that_is_stopped(kit: Kit) -> Any:
    """API-29, API-93: the end of a test comes to an own run() as GreenletExit."""

    class Endless(User):
        def run(self) -> None:
            try:
                while True:
                    gevent.sleep(0.01)
            except gevent.GreenletExit:
                kit.note("exit")
                raise
            finally:
                kit.note("finally")

    kit.run(Endless, seconds=0.3)
    return kit.log


def run_of_a_set(kit: Kit) -> Any:
    """API-52: run() of a set replaced."""

    class Caller(User):
        wait_time = constant(0)

        @task
        class Own(TaskSet):
            def run(self) -> None:
                kit.note("own run", type(self.user).__name__)
                gevent.sleep(0)
                if kit.log.count("own run Caller") > 2:
                    raise StopUser

        @task
        class Around(TaskSet):
            def run(self) -> None:
                kit.note("around")
                super().run()

            @task
            def leave(self) -> None:
                kit.note("leave")
                self.interrupt(reschedule=False)

    Caller.tasks = [Caller.Around, Caller.Own]
    kit.run(Caller, seconds=2)
    assert "leave" in kit.log or "around" not in kit.log
    return sorted(set(kit.log))


def run_of_an_instance(kit: Kit) -> Any:
    """API-29, API-52: run() put on a user, a set, and the class User."""

    class Caller(User):
        wait_time = constant(0)

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.run = lambda: kit.note("of the user")  # type: ignore[method-assign]

    class Other(User):
        wait_time = constant(0)

        @task
        class Set(TaskSet):
            def __init__(self, parent: Any) -> None:
                super().__init__(parent)
                self.run = self.own  # type: ignore[method-assign]

            def own(self) -> None:
                kit.note("of the set")
                raise StopUser

            @task
            def never(self) -> None:
                kit.note("never")

    kit.run(Caller, Other)
    original = User.run

    def patched(self: Any) -> None:
        kit.note("of the class")
        original(self)

    class Third(User):
        wait_time = constant(0)

        @task
        def call(self) -> None:
            kit.note("call")
            raise StopUser

    User.run = patched  # type: ignore[method-assign]
    try:
        kit.run(Third)
    finally:
        User.run = original  # type: ignore[method-assign]
    return [sorted(kit.log[:2]), kit.log[2:]]


def hooks_of_a_set(kit: Kit) -> Any:
    """API-52: wait, wait_time, get_next_task, execute_next_task, execute_task, schedule_task, interrupt."""

    class Caller(User):
        wait_time = constant(0)

        def wait(self) -> None:
            kit.note("user.wait")
            super().wait()

        @task
        class Set(TaskSet):
            def wait(self) -> None:
                kit.note("wait")
                super().wait()

            def wait_time(self) -> float:
                kit.note("wait_time")
                return 0

            def get_next_task(self) -> Any:
                kit.note("get_next_task")
                return super().get_next_task()

            def execute_next_task(self) -> None:
                kit.note("execute_next_task")
                super().execute_next_task()

            def execute_task(self, task: Any) -> None:
                kit.note("execute_task", task.__name__)
                super().execute_task(task)

            def schedule_task(self, task_callable: Any, first: bool = False) -> None:
                kit.note("schedule_task", task_callable.__name__, first)
                super().schedule_task(task_callable, first)

            def interrupt(self, reschedule: bool = True) -> Any:
                kit.note("interrupt", reschedule)
                super().interrupt(reschedule)

            @task
            def call(self) -> None:
                kit.note("call")
                if kit.log.count("call") == 2:
                    self.user.wait()
                    self.interrupt(False)
                if kit.log.count("call") == 3:
                    raise StopUser
                self.schedule_task(self.call)

    kit.run(Caller)
    return kit.log


def each_hook_alone(kit: Kit) -> Any:
    """API-52: each of them overridden alone, also in sequential sets and nested ones."""
    steps: list[list[str]] = []

    def make(name: str, base: type) -> type:
        def hook(self: Any, *args: Any, **kwargs: Any) -> Any:
            kit.note(name)
            return getattr(base, name)(self, *args, **kwargs)

        def first(self: Any) -> None:
            kit.note("first")
            if kit.log.count("first") == 3:
                raise StopUser

        def second(self: Any) -> None:
            kit.note("second")
            raise RescheduleTask

        body = {name: hook, "first": task(first), "second": task(second)}
        inner = type("Inner", (base,), body)
        return type("Caller", (User,), {"tasks": [inner], "wait_time": constant(0)})

    for name in ("run", "wait", "wait_time", "get_next_task", "execute_next_task", "execute_task", "schedule_task",
                 "on_start", "on_stop"):  # fmt: skip
        kit.log.clear()
        kit.run(make(name, SequentialTaskSet))
        steps.append([name, *kit.log])
    return steps


def patched_class(kit: Kit) -> Any:
    """API-52: assigned to the class before and during a test, as tools do that instrument Locust."""

    class Set(TaskSet):
        @task
        def call(self) -> None:
            kit.note("call")
            if kit.log.count("call") == 2:
                Set.wait = waits  # type: ignore[method-assign]
                Set.execute_task = executes  # type: ignore[method-assign]
            if kit.log.count("call") == 5:
                raise StopUser

    class Caller(User):
        wait_time = constant(0)
        tasks = [Set]

    def waits(self: Any) -> None:
        kit.note("patched wait")

    def executes(self: Any, task: Any) -> None:
        kit.note("patched execute", task.__name__)
        TaskSet.execute_task(self, task)

    def on_start(self: Any) -> None:
        kit.note("patched on_start")

    Caller.on_start = on_start  # type: ignore[method-assign]
    kit.run(Caller)
    return kit.log


def patched_base_class(kit: Kit) -> Any:
    """API-52: assigned to TaskSet and User themselves."""

    class Caller(User):
        wait_time = constant(0)

        @task
        def call(self) -> None:
            kit.note("call")
            if kit.log.count("call") == 3:
                raise StopUser

    original_wait, original_start = TaskSet.wait, User.on_start
    original_execute = TaskSet.execute_task

    def waits(self: Any) -> None:
        kit.note("wait of", type(self).__name__)
        original_wait(self)

    def executes(self: Any, task: Any) -> None:
        kit.note("execute of", type(self).__name__)
        original_execute(self, task)

    def on_start(self: Any) -> None:
        kit.note("start of", type(self).__name__)

    TaskSet.wait = waits  # type: ignore[method-assign]
    TaskSet.execute_task = executes  # type: ignore[method-assign]
    User.on_start = on_start  # type: ignore[method-assign]
    try:
        kit.run(Caller)
    finally:
        TaskSet.wait, User.on_start = original_wait, original_start  # type: ignore[method-assign]
        TaskSet.execute_task = original_execute  # type: ignore[method-assign]
    return kit.log


def patched_default_set(kit: Kit) -> Any:
    """API-52, API-61: the set that runs a user's own tasks can be instrumented too."""

    class Caller(User):
        wait_time = constant(0)

        @task
        def call(self) -> None:
            kit.note("call")
            if kit.log.count("call") == 2:
                raise StopUser

    original = DefaultTaskSet.execute_task

    def executes(self: Any, task: Any) -> None:
        kit.note("default set", task.__name__, type(self.user).__name__)
        original(self, task)

    DefaultTaskSet.execute_task = executes  # type: ignore[method-assign]
    try:
        kit.run(Caller)
    finally:
        DefaultTaskSet.execute_task = original  # type: ignore[method-assign]
    return kit.log


def patched_wait_time(kit: Kit) -> Any:
    """API-52, API-54, API-77: of TaskSet, which all sets have, and of the set that runs a user's own tasks."""

    class Caller(User):
        calls = 0

        @task
        def call(self) -> None:
            self.calls += 1
            if self.calls == 3:
                raise StopUser

    def waits(name: str) -> Any:
        def wait_time(self: Any) -> float:
            kit.note(name, type(self).__name__)
            return 0

        return wait_time

    original = TaskSet.wait_time
    try:
        TaskSet.wait_time = waits("base")  # type: ignore[method-assign]
        kit.run(Caller)
        for name in ("one", "two"):
            DefaultTaskSet.wait_time = waits(name)  # type: ignore[method-assign]
            kit.run(Caller)
    finally:
        TaskSet.wait_time = original  # type: ignore[method-assign]
        del DefaultTaskSet.wait_time
    return kit.log


def patched_instance(kit: Kit) -> Any:
    """API-52, API-77: assigned to the instance."""

    class Caller(User):
        wait_time = constant(30)

        def on_start(self) -> None:
            self.wait_time = lambda: 0

        def on_stop(self) -> None:
            kit.note("class stop")

        @task
        class Set(TaskSet):
            def on_start(self) -> None:
                kit.note("set start")
                self.on_stop = lambda: kit.note("own stop")  # type: ignore[method-assign]
                self.get_next_task = lambda: self.call  # type: ignore[method-assign]
                self.wait = lambda: kit.note("own wait")  # type: ignore[method-assign]

            @task
            def call(self) -> None:
                kit.note("call")
                if kit.log.count("call") == 3:
                    self.user.on_stop = lambda: kit.note("own user stop")  # type: ignore[method-assign]
                    raise StopUser

            @task
            def never(self) -> None:
                kit.note("never")

    kit.run(Caller)
    return kit.log


def start_and_stop_of_a_user(kit: Kit) -> Any:
    """API-31, API-32: start() and stop() overridden; the runner calls both."""

    class Caller(User):
        wait_time = constant(30)

        def start(self, group: Any) -> Any:
            kit.note("start")
            return super().start(group)

        def stop(self, force: bool = False) -> bool:
            kit.note("stop", force)
            return super().stop(force)

        @task
        def call(self) -> None: ...

    environment = kit.run(Caller, seconds=0.2)
    return [kit.log, environment.runner.user_count]


def stop_with_timeout_of_a_user(kit: Kit) -> Any:
    """API-32, API-94: and with a stop timeout."""

    class Caller(User):
        wait_time = constant(0)

        def stop(self, force: bool = False) -> bool:
            result = super().stop(force)
            kit.note("stop", force, result)
            return result

        @task
        def call(self) -> None:
            gevent.sleep(0.3)
            kit.note("done")

    kit.run(Caller, seconds=0.1, stop_timeout=60)
    return kit.log


def generator_and_coroutine_hooks(kit: Kit) -> Any:
    """API-28: on_start, a task, or a wait that is a generator or coroutine is called, and its result dropped."""
    import warnings

    class Caller(User):
        wait_time = constant(0)

        def on_start(self) -> Any:
            kit.note("never: a generator")
            yield 1

        async def later(self) -> None:
            kit.note("never: a coroutine")

        @task
        def call(self) -> Any:
            kit.note("call")
            if kit.log.count("call") == 2:
                raise StopUser
            return self.later()

        @task(0)
        def none(self) -> None:
            kit.note("weight 0")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kit.run(Caller)
    return kit.log


def slots_getattr_and_metaclasses(kit: Kit) -> Any:
    """API-38: __slots__, __getattr__, __setattr__, __getattribute__, a metaclass of one's own, descriptors."""
    from locust.user.users import UserMeta

    class Meta(UserMeta):
        def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
            body["marked"] = name
            return super().__new__(mcs, name, bases, body)

    class Slotted(User, metaclass=Meta):
        __slots__ = ("seat",)
        wait_time = constant(0)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("magic_"):
                return name.removeprefix("magic_")
            raise AttributeError(name)

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "counted":
                kit.note("set", name)
            super().__setattr__(name, value)

        @property
        def wealth(self) -> int:
            return 5

        @task
        def call(self) -> None:
            self.seat = 3
            self.counted = 1
            kit.note(self.seat, self.magic_word, self.wealth, self.marked, kind_of(lambda: self.nothing))
            raise StopUser

    class Watching(User):
        wait_time = constant(0)

        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

        @task
        def call(self) -> None:
            kit.note("watching")
            raise StopUser

    kit.run(Slotted, Watching)
    return sorted(kit.log)


def tasks_as_a_property(kit: Kit) -> Any:
    """API-38: `tasks` of the instance, and tasks that replace themselves while they run."""

    class Caller(User):
        wait_time = constant(0)

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.tasks = [Caller.first]

        def first(self) -> None:
            kit.note("first")
            self.tasks = [Caller.second, Caller.second]

        def second(self) -> None:
            kit.note("second")
            self.tasks.append(Caller.third)
            self.tasks.remove(Caller.second)
            self.tasks.remove(Caller.second)

        def third(self) -> None:
            kit.note("third")
            raise StopUser

    kit.run(Caller)
    return kit.log


def init_with_super_first_or_last(kit: Kit) -> Any:
    """API-26: attributes set before and after the base's constructor; keyword arguments; cooperative mixins."""

    class Mixin:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kit.note("mixin")
            super().__init__(*args, **kwargs)
            self.mixed = True

    class Caller(Mixin, User):
        wait_time = constant(0)

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.early = 1
            super().__init__(*args, **kwargs)
            self.late = self.environment.host

        @task
        def call(self) -> None:
            kit.note(self.early, self.late, self.mixed)
            raise StopUser

    kit.run(Caller, host="there")
    return kit.log


def request_of_a_session(kit: Kit) -> Any:
    """API-153, API-172: HttpSession.request() in a subclass, on the class, and on the instance, during a test too."""

    class Session(HttpSession):
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            kit.note("subclass", method, url, sorted(kwargs))
            return super().request(method, url, *args, **kwargs)

    class Caller(HttpUser):
        host = kit.url
        wait_time = constant(0)

        @task
        def call(self) -> None:
            kit.note(self.client.get("/hello").status_code)
            self.client = Session(self.host, self.environment.events.request, self)
            for verb in ("get", "options", "head", "post", "put", "patch", "delete"):
                getattr(self.client, verb)("/echo")
                getattr(self.client, verb)("/echo", allow_redirects=True, name="n")
            kit.note(self.client.post("/echo", json={}).status_code)
            client = HttpSession(self.host, self.environment.events.request, self)
            original = client.request

            def own(method: str, url: str, **kwargs: Any) -> Any:
                kit.note("instance", method, url, sorted(kwargs))
                return original(method, url, **kwargs)

            client.request = own  # type: ignore[method-assign,assignment]
            kit.note(client.get("/hello", name="n").status_code)
            of_class = HttpSession.request

            def patched(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
                kit.note("class", method, url)
                return of_class(self, method, url, *args, **kwargs)

            HttpSession.request = patched  # type: ignore[method-assign,assignment]
            try:
                other = HttpSession(self.host, self.environment.events.request, self)
                kit.note(other.get("/hello").status_code, other.delete("/echo").status_code)
                kit.note(self.client.put("/echo", "x").status_code)
            finally:
                HttpSession.request = of_class  # type: ignore[method-assign]
            kit.note(other.get("/hello").status_code)
            raise StopUser

    environment = kit.run(Caller)
    rows = {f"{method} {name}": entry.num_requests for (name, method), entry in environment.stats.entries.items()}
    return [kit.log, rows]


def request_of_a_fast_session(kit: Kit) -> Any:
    """API-195: FastHttpSession.request() likewise."""

    class Caller(FastHttpUser):
        host = kit.url
        wait_time = constant(0)

        @task
        def call(self) -> None:
            kit.note(self.client.get("/hello").status_code)
            of_class = FastHttpSession.request

            def patched(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
                kit.note("class", method, url, sorted(kwargs))
                return of_class(self, method, url, *args, **kwargs)

            FastHttpSession.request = patched  # type: ignore[method-assign,assignment]
            try:
                kit.note(self.client.get("/hello").status_code, self.client.post("/echo", "x").status_code)
            finally:
                FastHttpSession.request = of_class  # type: ignore[method-assign]
            kit.note(self.client.get("/hello").status_code)
            raise StopUser

    environment = kit.run(Caller)
    return [kit.log, environment.stats.total.num_requests]


def patched_requests(kit: Kit) -> Any:
    """API-172: tools that patch requests.Session (send, request) or HTTPAdapter.send see the calls of scripts."""
    import requests

    seen: list[str] = []
    user = type("Caller", (HttpUser,), {"host": kit.url})(Environment())

    @contextlib.contextmanager
    def patched(owner: Any, name: str) -> Any:
        original = getattr(owner, name)

        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(f"{owner.__name__}.{name}")
            return original(self, *args, **kwargs)

        setattr(owner, name, wrapper)
        try:
            yield
        finally:
            setattr(owner, name, original)

    for owner, name in (
        (requests.Session, "request"),
        (requests.Session, "send"),
        (requests.adapters.HTTPAdapter, "send"),
    ):
        with patched(owner, name):
            user.client.get("/hello")
    user.client.get("/hello")
    return seen


def outcome_in_request_meta(kit: Kit) -> Any:
    """API-168, API-165: request_meta of a response holds what was reported, also where nobody listened."""
    environment = Environment()
    client = HttpSession(kit.url, environment.events.request, None)
    found = []
    for path in ("/hello", "/status/404", "http://127.0.0.1:1/"):
        metas = [client.get(path).request_meta]
        for judge in (None, "success", "failure"):
            with client.get(path, catch_response=True) as response:
                if judge == "success":
                    response.success()
                elif judge == "failure":
                    response.failure("mine")
            metas.append(response.request_meta)
        metas.append(client.get(path, catch_response=True).request_meta)
        found.append([repr(meta["exception"]) for meta in metas])
    return found


def urls_that_make_no_sense(kit: Kit) -> Any:
    """API-164: hosts that requests refuses raise its exceptions in the task, whoever made the base URL."""
    environment = Environment()
    found = []
    for host in ("http://\x94", "telnet://127.0.0.1", "127.0.0.1", "http://a b", "http://", "", "http://h:99999"):
        client = HttpSession(host, environment.events.request, None)
        found.append([host, kind_of(client.get, "/")])
    return found


def original_of_a_timeout(kit: Kit) -> Any:
    """API-203: the exception says in `original` what the socket said."""

    class Hasty(FastHttpUser):
        host = kit.url
        network_timeout = 0.2

    late = Hasty(Environment()).client.get("/delay/3000")
    return [type(late.error).__name__, isinstance(late.error.original, TimeoutError), str(late.error.original),
            repr(late.error).replace(kit.url, "URL")]  # fmt: skip


def sending_overridden(kit: Kit) -> Any:
    """API-153, API-164: what tools and own sessions override below request(), or call themselves."""

    class Signed(HttpSession):
        def _send_request_safe_mode(self, method: str, url: str, **kwargs: Any) -> Any:
            kit.note(method, url.replace(kit.url, ""), {"data", "json"} <= kwargs.keys())
            kwargs["headers"] = {**(kwargs.get("headers") or {}), "X-Signed": "1"}
            response = super()._send_request_safe_mode(method, url, **kwargs)
            kit.note(response.status_code, type(response.error).__name__ if response.status_code == 0 else "")
            return response

    environment = kit.environment()

    def on_request(request_type: str, name: str, exception: Any, response_length: int, **_: Any) -> None:
        kit.note("request", request_type, name, type(exception).__name__, response_length)

    environment.events.request.add_listener(on_request)
    session = Signed(kit.url, environment.events.request, None)
    told = [
        session.get("/echo/a").json()["headers"].get("X-Signed"),
        session.post("/status/404", data={"a": 1}, name="posted").status_code,
        session.get("/redirect/2").text,
        session.get("/reset").status_code,
        session.get("http://127.0.0.1:1/x").status_code,
    ]
    with session.get("/hello", catch_response=True) as response:
        response.failure("no")
    plain = HttpSession(kit.url, environment.events.request, None)
    plain.explicit_name = None  # Locust's own request() sets it first.
    answers = [plain._send_request_safe_mode("GET", plain._build_url(path)) for path in ("/status/404", "/reset")]
    told += [[answer.status_code, answer.text] for answer in answers]
    told += [kind_of(answer.raise_for_status) for answer in answers]
    told += [kind_of(plain._send_request_safe_mode, "GET", "nope"), plain._build_url("HTTP://h/x")]
    TaskSet(User(environment))._sleep(0)
    return [told, kit.log]
