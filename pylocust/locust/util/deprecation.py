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
    """Metaclass of a name that may only be imported. ``old`` is the name, ``now`` what to use instead."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _Renamed:
        for base in bases:
            old, now = vars(base)["old"], vars(base)["now"]
            raise ImportError(f"The {old} class has been renamed to {now}: subclass that")
        return super().__new__(mcs, name, bases, namespace)


class DeprecatedLocustClass(metaclass=_Renamed):
    old, now = "Locust", "User"


class DeprecatedHttpLocustClass(metaclass=_Renamed):
    old, now = "HttpLocust", "HttpUser"


class DeprecatedFastHttpLocustClass(metaclass=_Renamed):
    old, now = "FastHttpLocust", "FastHttpUser"


Locust = DeprecatedLocustClass
HttpLocust = DeprecatedHttpLocustClass
FastHttpLocust = DeprecatedFastHttpLocustClass
