"""Task sets with a fixed order."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from ..exception import LocustError
from .task import TaskSet, TaskSetMeta, declared_weight, expand_tasks


class SequentialTaskSetMeta(TaskSetMeta):
    """Keeps tasks in the order in which the class body names them."""

    def __new__(mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]) -> SequentialTaskSetMeta:
        ordered: list[Any] = []
        for base in bases:
            ordered += getattr(base, "tasks", None) or []
        for name, member in class_dict.items():
            if name == "tasks":
                if not isinstance(member, (list, dict)):
                    raise ValueError(f"{classname}.tasks has to be a list or a dictionary")
                ordered += member if isinstance(member, list) else expand_tasks(member)
            ordered += [member] * declared_weight(member)
        class_dict["tasks"] = ordered
        return type.__new__(mcs, classname, bases, class_dict)


class SequentialTaskSet(TaskSet, metaclass=SequentialTaskSetMeta):
    """Runs its tasks in the order of their definition, round and round; ``@task(3)`` runs one three times in a row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task_cycle = cycle(self.tasks)

    def get_next_task(self) -> Any:
        if not self.tasks:
            raise LocustError(
                f"{type(self).__name__} has no tasks. Decorate methods with @task or set the attribute tasks."
            )
        return next(self._task_cycle)
