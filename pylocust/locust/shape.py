"""Load shapes: a class decides, second by second, how many users there should be."""

from __future__ import annotations

import time
from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from .util.late import late_names

if TYPE_CHECKING:
    from .runners import Runner
    from .user.users import User


class LoadTestShapeMeta(ABCMeta):
    """Makes ``abstract`` a property of each class alone: a subclass is concrete unless it says otherwise."""

    def __new__(mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]) -> LoadTestShapeMeta:
        class_dict["abstract"] = bool(class_dict.get("abstract", False))
        return super().__new__(mcs, classname, bases, class_dict)


class LoadTestShape(metaclass=LoadTestShapeMeta):
    """Subclass this, define ``tick()``, and the test follows it."""

    runner: Runner | None = None
    abstract: ClassVar[bool] = True
    # Whether --users, --spawn-rate and --run-time are accepted beside the shape (which has to read them itself).
    use_common_options: ClassVar[bool] = False

    def __init__(self) -> None:
        self.start_time = time.perf_counter()

    def reset_time(self) -> None:
        """Makes this moment second 0 of ``get_run_time()``."""
        self.start_time = time.perf_counter()

    def get_run_time(self) -> float:
        """Seconds since the test began."""
        return time.perf_counter() - self.start_time

    def get_current_user_count(self) -> int:
        """Users that are running now."""
        return self.runner.user_count if self.runner is not None else 0

    @abstractmethod
    def tick(self) -> tuple[int, float] | tuple[int, float, list[type[User]] | None] | None:
        """Called about once a second. Returns (users, spawn rate), (users, spawn rate, classes to add from), or None
        to end the test."""


__getattr__ = late_names(
    __name__,
    Runner="runners",
)
