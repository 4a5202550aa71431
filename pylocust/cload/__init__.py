"""cload for Python: the names of ``locust`` on cload's engine.

``from cload import HttpUser, task, between``, or ``import cload`` and go on importing from ``locust``: from here on
that name means our package in this process. Real Locust, where it is installed, stays as it is.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from . import _finder

__version__ = "0.1.0"

__all__ = [
    "FastHttpUser",
    "HttpLocust",
    "HttpUser",
    "LoadTestShape",
    "Locust",
    "MarkovTaskSet",
    "SequentialTaskSet",
    "TaskSet",
    "User",
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
]

if TYPE_CHECKING:
    from locust import (
        FastHttpUser,
        HttpLocust,
        HttpUser,
        LoadTestShape,
        Locust,
        MarkovTaskSet,
        SequentialTaskSet,
        TaskSet,
        User,
        between,
        constant,
        constant_pacing,
        constant_throughput,
        events,
        poisson,
        run_single_user,
        tag,
        task,
        transition,
        transitions,
        wait_time,
    )

_finder.install()


def _is_command() -> bool:
    """Whether this process is the command: the executable, its console script, or ``python -m cload``."""
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    return program == "-m" or os.path.basename(program) == "cload"


# The standard library has to become cooperative before user code goes on importing. The command has no user code yet,
# and may only be asked for its version.
if not _is_command():
    # Before gevent is imported, which takes the process down there (with Python 3.13).
    if not _finder.is_main_interpreter():
        raise ImportError(
            "cload runs in the main interpreter of a process only, and this is another one. Use multiprocessing, or"
            " the option --processes, to run on several cores."
        )
    import locust as locust


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import locust

    return getattr(locust, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
