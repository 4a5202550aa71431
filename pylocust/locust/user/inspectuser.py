"""How often each task will run: the shares that classes, sets and tasks have."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from .task import TaskSet
from .users import User

if TYPE_CHECKING:
    from ..env import Environment


def print_task_ratio(user_classes: list[type[User]], num_users: int | None, total: bool) -> None:
    """Prints the shares as an indented table; ``total``: of everything, else each within what contains it."""
    _print_level(get_ratio(user_classes, _calc_distribution(user_classes, num_users), total), "")


def print_task_ratio_json(user_classes: list[type[User]], num_users: int | None) -> None:
    """Prints both views as JSON."""
    spawned = _calc_distribution(user_classes, num_users)
    views = {
        "per_class": get_ratio(user_classes, spawned, False),
        "total": get_ratio(user_classes, spawned, True),
    }
    print(json.dumps(views, indent=4))


def _calc_distribution(user_classes: list[type[User]], num_users: int | None) -> dict[str, int]:
    """Users by class; fixed counts as they are, the rest by weight. Without a number, one user per unit of weight."""
    fixed = sum(one.fixed_count for one in user_classes)
    weights = sum(one.weight for one in user_classes if not one.fixed_count)
    users = num_users or (1 if fixed else weights)
    by_weight = max(0, users - fixed)
    return {one.__name__: round(one.fixed_count or one.weight / weights * by_weight) for one in user_classes}


def _print_level(nodes: dict[str, Any], indent: str) -> None:
    for name, node in nodes.items():
        share = f"{indent}{100 * node.get('ratio', 1):<6.1f}"
        print(f" {share:<10} {indent + name:<50}")
        _print_level(node.get("tasks", {}), indent + "  ")


def get_ratio(user_classes: list[type[User]], user_spawned: dict[str, int], total: bool) -> dict[str, dict[str, Any]]:
    """A tree of ``{"ratio": share, "tasks": {...}}`` by name. ``user_spawned``: users by class. ``total``: shares of
    everything, else each within what contains it."""
    users = sum(user_spawned.values()) or 1
    tree = {}
    for one in user_classes:
        share = user_spawned.get(one.__name__, 0) / users
        tree[one.__name__] = {"ratio": share, "tasks": _get_task_ratio(one.tasks, total, share)}
    return tree


def _get_task_ratio(
    tasks: list[Any], total: bool, parent_ratio: float, outer: frozenset[type] = frozenset()
) -> dict[str, Any]:
    tree = {}
    # Of a mapping, the keys.
    for task, times in Counter(iter(tasks)).items():
        share = times * (parent_ratio if total else 1.0) / len(tasks)
        node: dict[str, Any] = {"ratio": share}
        # A set inside itself is told of when the test starts.
        if inspect.isclass(task) and issubclass(task, TaskSet) and task not in outer:
            node["tasks"] = _get_task_ratio(task.tasks, total, share, outer | {task})
        tree[task.__name__] = node
    return tree


def common_host(environment: Environment) -> str | None:
    """The environment's host, or else the one that all user classes have."""
    if environment.host:
        return environment.host
    hosts = {user_class.host for user_class in environment.user_classes}
    return hosts.pop() if len(hosts) == 1 else None
