"""Tasks, and the sets and loops that run them."""

from __future__ import annotations

import inspect
import logging
import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, overload, runtime_checkable

import _cload
import gevent

from .._tracebacks import format_error
from ..exception import (
    InterruptTaskSet,
    LocustError,
    MissingWaitTimeError,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from .wait_time import constant

if TYPE_CHECKING:
    from gevent.pool import Group

    from .users import User

logger = logging.getLogger(__name__)

TaskT = TypeVar("TaskT", bound="Callable[..., Any] | type[TaskSet]")

LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING, LOCUST_STATE_STOPPING = "running", "waiting", "stopping"


@runtime_checkable
class TaskHolder(Protocol[TaskT]):
    """Anything that has tasks: user classes and task sets."""

    tasks: list[TaskT]


@overload
def task(weight: TaskT) -> TaskT: ...
@overload
def task(weight: int = 1) -> Callable[[TaskT], TaskT]: ...
def task(weight: Any = 1) -> Any:
    """Marks a method, or a task set inside a class, as a task; ``@task(3)`` makes it three times as likely."""

    def mark(decorated: Any, times: int) -> Any:
        name = decorated.__name__
        if name == "run":
            raise Exception("run() is the loop that calls the tasks, so no task can have that name")
        if name in ("on_start", "on_stop"):
            logging.warning(
                "%s is tagged with @task: it runs as a task too, beside when a user or set starts or stops", name
            )
        decorated.locust_task_weight = times
        return decorated

    if callable(weight):
        return mark(weight, 1)
    return lambda decorated: mark(decorated, weight)


def tag(*tags: str) -> Callable[[TaskT], TaskT]:
    """Gives a task, or every task of a task set, tags for ``--tags`` and ``--exclude-tags``."""
    if not tags or callable(tags[0]):
        raise ValueError('tag needs at least one name: @tag("name")')

    def mark(decorated: Any) -> Any:
        if hasattr(decorated, "tasks"):
            decorated.tasks = [mark(inner) for inner in decorated.tasks]
        else:
            decorated.locust_tag_set = {*vars(decorated).get("locust_tag_set", ()), *tags}
        return decorated

    return mark


def declared_weight(item: object) -> int:
    """How often ``@task`` wants this object; 0 if it is no task, even if it would answer to any attribute."""
    weight: int = inspect.getattr_static(item, "locust_task_weight", 0)
    return weight


def expand_tasks(tasks: Any) -> list[Any]:
    """The flat list of a ``tasks`` attribute: a list, a dictionary with weights, or pairs with weights."""
    entries: Iterable[Any] = tasks.items() if isinstance(tasks, dict) else tasks
    flat: list[Any] = []
    for entry in entries:
        if isinstance(entry, tuple):
            item, times = entry
            flat += [item] * times
        else:
            flat.append(entry)
    return flat


def get_tasks_from_base_classes(bases: tuple[type, ...], class_dict: dict[str, Any]) -> list[Any]:
    """The tasks of a class under construction: those of its bases, of its ``tasks`` attribute, then its own methods."""
    collected: list[Any] = []
    for base in bases:
        collected += getattr(base, "tasks", None) or []
    if class_dict.get("tasks") is not None:
        collected += expand_tasks(class_dict["tasks"])
    for member in class_dict.values():
        collected += [member] * declared_weight(member)
    return collected


def is_markov_taskset(task: type) -> bool:
    """Whether this is a MarkovTaskSet, whose steps are not in ``tasks``."""
    return type(task).__name__ == "MarkovTaskSetMeta"


def filter_tasks_by_tags(
    task_holder: Any,
    tags: set[str] | None = None,
    exclude_tags: set[str] | None = None,
    checked: dict[Any, bool | None] | None = None,
) -> None:
    """Drops from a user class and the sets below it what the tags rule out. ``checked``: what is decided already, or
    None for sets that are being looked at."""
    verdicts = {} if checked is None else checked

    def passes(candidate: Any) -> bool:
        if hasattr(candidate, "tasks"):
            verdicts[candidate] = None
            filter_tasks_by_tags(candidate, tags, exclude_tags, verdicts)
            return bool(candidate.tasks) or is_markov_taskset(candidate)
        own = inspect.getattr_static(candidate, "locust_tag_set", frozenset())
        return (tags is None or not own.isdisjoint(tags)) and (exclude_tags is None or own.isdisjoint(exclude_tags))

    kept = []
    for candidate in task_holder.tasks:
        if candidate not in verdicts:
            verdicts[candidate] = passes(candidate)
        elif verdicts[candidate] is None:
            raise LocustError(f"The task set {candidate.__name__} is among its own tasks, or those of a set inside it")
        if verdicts[candidate]:
            kept.append(candidate)
    had_tasks = bool(task_holder.tasks)
    task_holder.tasks = kept
    if not kept and not is_markov_taskset(task_holder):
        is_tagged = tags is not None or exclude_tags is not None
        reason = " by tags" if is_tagged else " out task sets that have none" if had_tasks else ": it has none"
        logging.warning("%s had no tasks left after filtering%s. It will fail.", task_holder.__name__, reason)


class TaskSetMeta(type):
    """Collects a task set's tasks when the class is made."""

    def __new__(mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]) -> TaskSetMeta:
        class_dict["tasks"] = get_tasks_from_base_classes(bases, class_dict)
        return super().__new__(mcs, classname, bases, class_dict)


def complain_without_tasks(holder: object) -> NoReturn:
    """Raises what a user or set with nothing to do raises."""
    name = type(holder).__name__
    hint = ""
    if getattr(holder, "task", None):
        hint = f", but you have set a 'task' attribute: {name}.task is not read"
    raise Exception(f"No tasks defined on {name}{hint}. Decorate methods with @task or set the attribute tasks.")


class TaskSet(_cload.TaskSet, metaclass=TaskSetMeta):
    """Tasks that a user runs one after the other, in random order, until something interrupts the set."""

    tasks: list[Any]
    # Old way to wait, in milliseconds; used when the user's wait_time is None.
    min_wait: float | None = None
    max_wait: float | None = None
    wait_function: Callable[..., Any] | None = None

    def _sleep(self, seconds: float) -> None:
        """Old scripts pause with it."""
        gevent.sleep(seconds)

    @property
    def user(self) -> User:
        """The user that runs this set."""
        return self._user

    @property
    def parent(self) -> Any:
        """The set around this one, or the user."""
        return self._parent

    @property
    def client(self) -> Any:
        """The user's client."""
        return self.user.client  # type: ignore[attr-defined]

    def wait_time(self) -> float:
        """Seconds to wait after a task: the user's, unless the set has its own."""
        if self.user.wait_time:
            return self.user.wait_time()
        if self.min_wait is None or self.max_wait is None:
            raise MissingWaitTimeError(
                f"Neither {type(self).__name__} nor {type(self.user).__name__} says how long to wait: set wait_time"
            )
        return random.randint(int(self.min_wait), int(self.max_wait)) / 1000

    def interrupt(self, reschedule: bool = True) -> NoReturn:
        """Leaves this set. The parent goes on at once, or, without ``reschedule``, waits first."""
        raise InterruptTaskSet(reschedule)


class DefaultTaskSet(TaskSet):
    """Runs the tasks of the user class itself; they get the user as argument."""

    # Its own, also where somebody replaces those of TaskSet.
    get_next_task = _cload.TaskSet.get_next_task
    execute_task = _cload.TaskSet.execute_task


def _run_user(user: User) -> None:
    user.run()


class _TaskHelpers:
    """What the task loop in C asks Python for; see embed/task_loop.c."""

    InterruptTaskSet = InterruptTaskSet
    StopUser = StopUser
    StopTest = StopTest
    RescheduleTask = RescheduleTask
    RescheduleTaskImmediately = RescheduleTaskImmediately
    DefaultTaskSet = DefaultTaskSet
    # What this does is done in C, unless a class has another one.
    wait_time = TaskSet.wait_time
    getrandbits = random.getrandbits
    # what constant() makes need not be called
    constant_code = constant(0).__code__  # type: ignore[attr-defined]
    raise_no_tasks = staticmethod(complain_without_tasks)

    @staticmethod
    def spawn_user(group: Group, user: User) -> Any:
        """Starts a user that has a run() of its own."""
        # The runner finds users through the argument of their greenlet.
        return group.spawn(_run_user, user)

    @staticmethod
    def report_task_error(taskset: TaskSet, error: Exception) -> bool:
        """Reports an exception of a task; whether the user goes on."""
        environment = taskset.user.environment
        environment.events.user_error.fire(user_instance=taskset, exception=error, tb=error.__traceback__)
        if not environment.catch_exceptions:
            return False
        logger.error("%s\n%s", error, format_error(error))
        return True

    @staticmethod
    def log_on_stop_error(taskset: TaskSet, error: Exception) -> None:
        """Logs an exception of a set's on_stop."""
        logging.error(
            "Uncaught exception in on_stop of %s:\n%s",
            type(taskset).__name__,
            format_error(error),
        )

    @staticmethod
    def report_start_error(user: User, error: Exception) -> None:
        """Logs an exception of a user's on_start, and reports it unless it is a regular stop."""
        logging.getLogger("locust.user.users").error("%s\n%s", error, format_error(error))
        if not isinstance(error, (StopUser, StopTest)):
            user.environment.events.user_error.fire(user_instance=user, exception=error, tb=error.__traceback__)


_cload.set_task_helpers(_TaskHelpers)
