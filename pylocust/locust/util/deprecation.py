"""Names of long ago: they can be imported, and say what replaced them when they are used."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

warnings.filterwarnings("always", category=DeprecationWarning, module="locust")


def check_for_deprecated_task_set_attribute(class_dict: dict[str, Any]) -> None:
    """Warns about a user class that names its task set in the attribute ``task_set``."""
    from ..user.task import TaskSet

    old = class_dict.get("task_set")
    if inspect.isclass(old) and issubclass(old, TaskSet) and not hasattr(old, "locust_task_weight"):
        warnings.warn(
            f"The attribute task_set of a user class is ignored: write tasks = [{old.__name__}]",
            DeprecationWarning,
            stacklevel=3,
        )


class _Renamed(type):
    """Metaclass of a name that may only be imported. ``now``: what to use instead."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _Renamed:
        for base in bases:
            raise ImportError(f"The {base.__name__} class has been renamed to {vars(base)['now']}: subclass that")
        return super().__new__(mcs, name, bases, namespace)


class Locust(metaclass=_Renamed):
    now = "User"


class HttpLocust(metaclass=_Renamed):
    now = "HttpUser"


class FastHttpLocust(metaclass=_Renamed):
    now = "FastHttpUser"


DeprecatedLocustClass = Locust
DeprecatedHttpLocustClass = HttpLocust
DeprecatedFastHttpLocustClass = FastHttpLocust
