"""Walks what scripts can reach of modules, classes and objects, before, in and after a test; prints one line of JSON.

`python surface_probe.py url` on real Locust, `python -m cload surface_probe.py url` on cload.
"""

from __future__ import annotations

import inspect
import json
import logging
import sys
from types import ModuleType
from typing import Any

import gevent
import locust  # first: it makes the standard library cooperative
import locust.argument_parser
import locust.contrib.fasthttp
import locust.debug
import locust.main
import locust.opentelemetry
import locust.rpc.protocol
import locust.user.markov_taskset
import locust.user.sequential_taskset
import locust.util.cache
import locust.util.date
import locust.util.deprecation
import locust.util.directory
import locust.util.exception_handler
import locust.util.load_locustfile
import locust.util.rounding
import locust.util.timespan
import locust.util.url
from locust import (
    FastHttpUser,
    HttpUser,
    LoadTestShape,
    MarkovTaskSet,
    SequentialTaskSet,
    TaskSet,
    User,
    constant,
    events,
    tag,
    task,
    transition,
)
from locust.argument_parser import parse_options
from locust.env import Environment
from locust.exception import InterruptTaskSet, RPCReceiveError

seen: dict[str, dict[str, Any]] = {}


def _parameters(function: Any) -> Any:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return [
        [each.name, str(each.kind.name), None if each.default is each.empty else _default(each.default)]
        for each in signature.parameters.values()
    ]


def _default(value: Any) -> str:
    return (
        repr(value)
        if isinstance(value, (str, int, float, bool, tuple, dict, list, type(None)))
        else type(value).__name__
    )


def _describe(value: Any) -> Any:
    if isinstance(value, type):
        # Without those of private modules, which only cut a long class into parts.
        modules = ((base.__name__, base.__module__) for base in value.__mro__)
        return ["class", [name for name, place in modules if place.startswith("locust") and "._" not in place]]
    if isinstance(value, ModuleType):
        return ["module"]
    if callable(value) and (inspect.isroutine(value) or type(value).__name__ in ("partial", "method")):
        return ["function", _parameters(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return [type(value).__name__, value]
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return [type(value).__name__, len(value)]
    return [type(value).__name__]


def walk(name: str, thing: Any) -> None:
    """Notes the public attributes of an object."""
    found = {}
    for attribute in dir(thing):
        if attribute.startswith("_"):
            continue
        try:
            found[attribute] = _describe(getattr(thing, attribute))
        except Exception as error:
            found[attribute] = ["raises", type(error).__name__]
    seen[name] = found


def walk_module(module: ModuleType) -> None:
    """Notes what a module itself has: not what it imported from elsewhere."""
    found = {}
    late = getattr(vars(module).get("__getattr__"), "names", ())
    for attribute, value in [*vars(module).items(), *((name, getattr(module, name)) for name in late)]:
        if attribute.startswith("_") or isinstance(value, ModuleType):
            continue
        home = getattr(value, "__module__", None)
        if isinstance(home, str) and not home.startswith("locust") and (isinstance(value, type) or callable(value)):
            continue
        found[attribute] = _describe(value)
    seen["module " + module.__name__] = found


def walk_classes(module: ModuleType) -> None:
    for attribute, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == module.__name__ and not attribute.startswith("_"):
            walk(f"class {module.__name__}.{attribute}", value)
            seen[f"class {module.__name__}.{attribute}"]["()"] = _parameters(value)


def all_of(when: str, environment: Any, user: Any = None) -> None:
    walk(f"environment {when}", environment)
    walk(f"runner {when}", environment.runner)
    walk(f"stats {when}", environment.stats)
    walk(f"total {when}", environment.stats.total)
    for (name, method), entry in list(environment.stats.entries.items()):
        walk(f"entry {method} {name} {when}", entry)
    for error in list(environment.stats.errors.values()):
        walk(f"failure {error.method} {error.name} {when}", error)
    if user is not None:
        walk(f"user {type(user).__name__} {when}", user)
        if hasattr(user, "client"):
            walk(f"client {type(user).__name__} {when}", user.client)


def a_test(url: str) -> None:
    class Steps(LoadTestShape):
        def tick(self) -> Any:
            return None

    def further_calls(kind: str, user: Any) -> Any:
        """Of either client; the response of the last one."""
        walk(kind + "refused", user.client.get("http://127.0.0.1:1/"))
        walk(kind + "streamed", user.client.get("/hello", stream=True))
        with user.client.get("/hello", catch_response=True) as response:
            walk(kind + "caught", response)
            walk(kind + "meta", _Attributes(response.request_meta))
        with user.rest("GET", "/json") as response:
            walk(kind + "rest", response)
        return response

    class Browser(HttpUser):
        host = url
        wait_time = constant(0.3)

        def on_start(self) -> None:
            all_of("in on_start", self.environment, self)

        @task
        def visit(self) -> None:
            walk("response", self.client.get("/hello", headers={"X-A": "b"}))
            walk("redirected", self.client.get("/redirect/2"))
            walk("failed", self.client.get("/status/404"))
            response = further_calls("", self)
            walk("prepared", response.request)
            all_of("in a task", self.environment, self)

        @tag("named")
        @task
        class Inside(TaskSet):
            @task
            def leave(self) -> None:
                walk("set", self)
                self.interrupt()

    class Quick(FastHttpUser):
        host = url
        wait_time = constant(0.3)

        @task
        def visit(self) -> None:
            walk("fast response", self.client.get("/hello", headers={"X-A": "b"}))
            walk("fast redirected", self.client.get("/redirect/2"))
            failed = self.client.get("/status/500")
            walk("fast failed", failed)
            walk("fast error", failed.error)
            response = further_calls("fast ", self)
            walk("fast request", response.request)
            walk("agent", self.client.client)
            walk("fast headers", response.headers)
            all_of("in a fast task", self.environment, self)

    environment = Environment(
        user_classes=[Browser, Quick], events=events, shape_class=Steps(), parsed_options=parse_options([])
    )
    runner = environment.create_local_runner()
    all_of("before", environment)

    def at(when: str) -> Any:
        def listener(**keywords: Any) -> None:
            if f"environment {when}" not in seen:
                all_of(when, environment)
                seen[f"keywords {when}"] = {name: _describe(value) for name, value in keywords.items()}

        return listener

    for hook in ("test_start", "spawning_complete", "request", "test_stopping", "test_stop", "quitting", "user_error"):
        getattr(environment.events, hook).add_listener(at(hook))
    walk("shape", environment.shape_class)
    runner.start(2, 10)
    until(lambda: runner.user_count == 2 and runner.state == "running")
    walk("greenlet of a user", next(iter(runner.user_greenlets)))
    # Which task a user has first is chance.
    for _ in range(100):
        gevent.sleep(0.3)
        if {"set", "prepared", "fast headers"} <= seen.keys():
            break
    runner.stop()
    all_of("after", environment)
    runner.quit()
    environment.events.quitting.fire(environment=environment, reverse=True)
    walk("options", environment.parsed_options)
    walk("events", environment.events)
    walk("hook", environment.events.request)


def until(condition: Any) -> None:
    with gevent.Timeout(60):
        while not condition():
            gevent.sleep(0.01)


class _Attributes:
    """A dictionary, as something to walk."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def sets() -> None:
    class Holder(User):
        pass

    class Steps(SequentialTaskSet):
        @task
        def one(self) -> None: ...

    class Chain(MarkovTaskSet):
        @transition("two")
        def one(self) -> None: ...

        @transition("one")
        def two(self) -> None: ...

    user = Holder(Environment())
    walk("fresh user", user)
    for cls in (Steps, Chain):
        walk(f"fresh {cls.__name__}", cls(user))
    walk("interruption", InterruptTaskSet())
    walk("receive error", RPCReceiveError("x", addr="y"))


def fleet() -> None:
    class Idle(User):
        wait_time = constant(1)

        @task
        def nothing(self) -> None: ...

    first = Environment(user_classes=[Idle], parsed_options=parse_options(["--master"]))
    master = first.create_master_runner("127.0.0.1", 0)
    walk("master before", master)
    second = Environment(user_classes=[Idle])
    worker = second.create_worker_runner("127.0.0.1", master.server.port)
    until(lambda: master.clients.ready and worker.worker_index >= 0)
    master.start(2, 10)
    until(lambda: worker.user_count == 2 and master.user_count == 2 and master.state == "running")
    walk("master", master)
    walk("worker", worker)
    walk("node", next(iter(master.clients.values())))
    walk("clients", master.clients)
    walk("stats of a worker", second.stats)
    worker.stop()
    walk("master after", master)
    walk("worker after", worker)
    worker.quit()
    master.quit()


def main() -> None:
    logging.getLogger().addHandler(logging.NullHandler())
    walk("locust", locust)
    before = sorted(name for name in sys.modules if name == "locust" or name.startswith("locust."))
    for name in before:
        if not any(part.startswith("_") for part in name.split(".")):
            walk_module(sys.modules[name])
            walk_classes(sys.modules[name])
    sets()
    a_test(sys.argv[1])
    fleet()
    walk("options as parsed", parse_options([]))
    print("RESULT " + json.dumps(seen, default=str))


main()
