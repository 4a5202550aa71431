"""The names of the ``locust`` package on cload's engine.

Importing this package makes the standard library cooperative, so whatever user code calls next (sockets, locks, sleep)
lets other users run. Everything that costs start-up time and may never be used is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if os.getenv("LOCUST_PLAYWRIGHT"):
    print("LOCUST_PLAYWRIGHT has no effect any more: locust-plugins stopped installing trio.")
    print("Unset the variable, and remove the trio package if nothing else needs it.")
    if importlib.util.find_spec("trio") is None:
        sys.stdout.flush()
        os._exit(1)

if not os.getenv("LOCUST_SKIP_MONKEY_PATCH"):
    from .util.patching import patch_standard_library

    patch_standard_library()

from .event import Events
from .shape import LoadTestShape
from .user import wait_time
from .user.markov_taskset import MarkovTaskSet, transition, transitions
from .user.sequential_taskset import SequentialTaskSet
from .user.task import TaskSet, tag, task
from .user.users import HttpUser, User
from .user.wait_time import between, constant, constant_pacing, constant_throughput, poisson
from .util.deprecation import HttpLocust, Locust

if TYPE_CHECKING:
    from .contrib.fasthttp import FastHttpUser
    from .debug import run_single_user

__version__ = "2.47.0"

events = Events()

__all__ = (
    "FastHttpUser",
    "HttpLocust",
    "HttpUser",
    "LoadTestShape",
    "Locust",
    "MarkovTaskSet",
    "SequentialTaskSet",
    "TaskSet",
    "User",
    "__version__",
    "between",
    "constant",
    "constant_pacing",
    "constant_throughput",
    "events",
    "poisson",
    "run_single_user",
    "tag",
    "task",
    "transition",
    "transitions",
    "wait_time",
)

_LATE_NAMES = {"FastHttpUser": ".contrib.fasthttp", "run_single_user": ".debug"}
_LATE_MODULES = frozenset(
    [
        "argument_parser",
        "clients",
        "contrib",
        "debug",
        "dispatch",
        "env",
        "html",
        "log",
        "rpc",
        "runners",
        "stats",
        "web",
    ]
)


def __getattr__(name: str) -> Any:
    if name in _LATE_NAMES:
        value = getattr(importlib.import_module(_LATE_NAMES[name], __name__), name)
        globals()[name] = value
        return value
    if name in _LATE_MODULES:
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE_NAMES, *_LATE_MODULES})
