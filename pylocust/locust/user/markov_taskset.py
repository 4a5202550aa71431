"""Task sets whose next step depends on the present one: Markov chains."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ..exception import LocustError
from .task import TaskSet, TaskSetMeta

Step = TypeVar("Step", bound=Callable[..., Any])


class NoMarkovTasksError(LocustError):
    """A MarkovTaskSet has no step."""


class InvalidTransitionError(LocustError):
    """A step leads to a name that the class does not have."""


class NonMarkovTaskTransitionError(LocustError):
    """A step leads to something that has no transitions, so the chain would end there."""


class MarkovTaskTagError(LocustError):
    """A step has tags. Dropping steps by tag would break the chain."""


def _add_transitions(step: Any, weights: Iterable[tuple[str, int]]) -> Any:
    # A step may be a class, too.
    if "transitions" not in vars(step):
        step.transitions = {}
    known = step.transitions
    for name, weight in weights:
        known[name] = weight
    return step


def transition(func_name: str, weight: int = 1) -> Callable[[Step], Step]:
    """One way on from the decorated step."""
    return lambda step: _add_transitions(step, [(func_name, weight)])


def transitions(weights: dict[str, int] | list[tuple[str, int] | str]) -> Callable[[Step], Step]:
    """Several ways on: a dictionary with weights, or a list of names and (name, weight) pairs."""
    if isinstance(weights, dict):
        pairs = list(weights.items())
    else:
        pairs = [entry if isinstance(entry, tuple) else (entry, 1) for entry in weights]
    return lambda step: _add_transitions(step, pairs)


def is_markov_task(task: Any) -> bool:
    """Whether this has ways on."""
    return "transitions" in getattr(task, "__dict__", {})


def get_markov_tasks(class_dict: dict[str, Any]) -> list[Any]:
    """The steps among the members of a class, in the order of definition."""
    return [member for member in class_dict.values() if is_markov_task(member)]


def to_weighted_list(transitions: dict[str, int] | list[str]) -> list[str]:
    """Each name as often as it weighs."""
    if isinstance(transitions, list):
        return transitions
    return [name for name, weight in transitions.items() for _ in range(weight)]


def _targets(task: Any, is_taken: bool = False) -> list[str]:
    """The steps that one leads to; is_taken: without those that weigh nothing."""
    return list(dict.fromkeys(to_weighted_list(task.transitions))) if is_taken else list(task.transitions)


def validate_has_markov_tasks(tasks: list[Any], classname: str) -> None:
    if not tasks:
        raise NoMarkovTasksError(
            f"No Markov tasks defined in {classname}: decorate methods with @transition or @transitions"
        )


def validate_transitions(tasks: list[Any], class_dict: dict[str, Any], classname: str) -> None:
    for task in tasks:
        for target in _targets(task):
            if class_dict.get(target) is None:
                raise InvalidTransitionError(
                    f"{classname}.{task.__name__} to {target} is invalid since no such element exists"
                )
            if not is_markov_task(class_dict[target]):
                raise NonMarkovTaskTransitionError(
                    f"{classname}.{target}, which has no transitions, cannot be used as a target for a transition from"
                    f" {task.__name__}"
                )


def validate_no_unreachable_tasks(tasks: list[Any], class_dict: dict[str, Any], classname: str) -> None:
    reached = {tasks[0].__name__}
    ahead = [tasks[0]]
    while ahead:
        for target in _targets(ahead.pop(), is_taken=True):
            if target not in reached:
                reached.add(target)
                ahead.append(class_dict[target])
    lost = [task.__name__ for task in tasks if task.__name__ not in reached]
    if lost:
        logging.warning("Steps that are unreachable in %s: %s", classname, ", ".join(lost))


def validate_task_name(decorated_func: Any) -> None:
    name = decorated_func.__name__
    if name == "run":
        raise Exception("run() is the loop that calls the steps, so no step can have that name")
    if name in ("on_start", "on_stop"):
        logging.warning("%s is tagged with @transition: it runs as a step too, beside when a set starts or stops", name)


def validate_no_tags(task: Any, classname: str) -> None:
    if "locust_tag_set" in getattr(task, "__dict__", {}):
        raise MarkovTaskTagError(f"Tags are unsupported in a MarkovTaskSet: {classname}.{task.__name__} has some")


def validate_markov_chain(tasks: list[Any], class_dict: dict[str, Any], classname: str) -> None:
    """Raises if the steps make no chain."""
    validate_has_markov_tasks(tasks, classname)
    validate_transitions(tasks, class_dict, classname)
    validate_no_unreachable_tasks(tasks, class_dict, classname)
    for task in tasks:
        validate_task_name(task)
        validate_no_tags(task, classname)


class MarkovTaskSetMeta(TaskSetMeta):
    """Checks the chain when the class is made and sets its first step."""

    def __new__(mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]) -> MarkovTaskSetMeta:
        class_dict["abstract"] = bool(class_dict.get("abstract"))
        if not class_dict["abstract"]:
            steps = get_markov_tasks(class_dict)
            validate_markov_chain(steps, class_dict, classname)
            for step in steps:
                step.transitions = to_weighted_list(step.transitions)
            class_dict["current"] = steps[0]
        return type.__new__(mcs, classname, bases, class_dict)


class MarkovTaskSet(TaskSet, metaclass=MarkovTaskSetMeta):
    """Begins with its first step and goes on from each by the weights of its transitions."""

    # Without steps of its own a class can only be subclassed.
    abstract: bool = True
    # The step that comes next.
    current: Any

    def get_next_task(self) -> Any:
        step = self.current
        self.current = getattr(self, random.choice(step.transitions))
        return step
