"""Snippets that use the engine by hand, in a process of their own."""

from __future__ import annotations

import textwrap
from typing import Any

from oracle import _PREAMBLE, ENGINES, PATIENCE
from servers import Target

OURS = ENGINES[0]

_COMMON = """
import gc, signal, warnings
import _cload, greenlet
from locust.clients import HttpSession
warnings.simplefilter("ignore")
URL = {url!r}
class Base(HttpUser):
    abstract = True
    host = URL
    wait_time = constant(0.01)
def session(**kwargs):
    made = HttpSession(URL, kwargs.pop("request_event", None), None, **kwargs)
    made.trust_env = False
    return made
def outcome(function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        return type(error).__name__
    return getattr(result, "status_code", result)
def counts(environment):
    total = environment.stats.total
    return [total.num_requests > 0, total.num_failures]
"""


def source(target: Target, code: str) -> str:
    """What a snippet runs with everything before it that play() gives it."""
    return _PREAMBLE + _COMMON.format(url=target.url) + textwrap.dedent(code)


def play(target: Target, code: str, timeout: float = PATIENCE) -> Any:
    """What the snippet gives to out()."""
    return OURS.snippet(_COMMON.format(url=target.url) + textwrap.dedent(code), timeout=timeout)
