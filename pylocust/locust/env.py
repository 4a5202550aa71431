"""The environment: what belongs to one test, and the way to a runner for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .dispatch import UsersDispatcher
from .event import Events
from .exception import RunnerAlreadyExistsError
from .runners import LocalRunner, MasterRunner, Runner, WorkerRunner
from .shape import LoadTestShape
from .stats import RequestStats
from .user.task import TaskSet, filter_tasks_by_tags
from .util.late import late_names

if TYPE_CHECKING:
    from argparse import Namespace

    from ._timeline import Timeline
    from .stats import StatsCSV
    from .user.users import User
    from .web import WebUI

RunnerType = TypeVar("RunnerType", bound=Runner)

# The log lines of so many workers are kept, also of workers that are gone.
_MOST_LOGGED_WORKERS = 1000


class Environment:
    """Classes, events, statistics and options of a test. Make one, give it a runner with ``create_local_runner()``
    and start that."""

    # The engine reads it at every request.
    __slots__ = ("__dict__", "__weakref__", "stats")

    def __init__(
        self,
        *,
        user_classes: list[type[User]] | None = None,
        shape_class: LoadTestShape | None = None,
        tags: list[str] | None = None,
        locustfile: str | None = None,
        exclude_tags: list[str] | None = None,
        events: Events | None = None,
        host: str | None = None,
        reset_stats: bool = False,
        stop_timeout: float | None = None,
        catch_exceptions: bool = True,
        parsed_options: Namespace | None = None,
        parsed_locustfiles: list[str] | None = None,
        available_user_classes: dict[str, type[User]] | None = None,
        available_shape_classes: dict[str, LoadTestShape] | None = None,
        available_user_tasks: dict[str, list[Any]] | None = None,
        dispatcher_class: type[UsersDispatcher] = UsersDispatcher,
        profile: str | None = None,
    ) -> None:
        self.events = events or Events()
        self.stats = RequestStats()
        self.runner: Runner | None = None
        self.web_ui: WebUI | None = None
        # The samples of the charts in reports; None if nobody takes samples.
        self._timeline: Timeline | None = None
        # If a script sets this, it is the exit status of the process.
        self.process_exit_code: int | None = None
        # Lines logged by workers, by worker.
        self.worker_logs: dict[str, list[str]] = {}

        self.locustfile = locustfile
        self.user_classes = user_classes or []
        self.shape_class = shape_class
        self.tags = tags
        self.exclude_tags = exclude_tags
        self.host = host
        self.reset_stats = reset_stats
        if stop_timeout is None:
            stop_timeout = float(getattr(parsed_options, "stop_timeout", None) or 0)
        # Seconds a running task gets to finish when its user is stopped.
        self.stop_timeout = stop_timeout
        # Whether an exception in a task is reported and survived.
        self.catch_exceptions = catch_exceptions
        self.parsed_options = parsed_options
        self.parsed_locustfiles = parsed_locustfiles
        self.available_user_classes = available_user_classes
        self.available_shape_classes = available_shape_classes
        self.available_user_tasks = available_user_tasks
        self.dispatcher_class = dispatcher_class
        self.profile = profile
        self._tasks_filtered = False

        self._remove_user_classes_with_weight_zero()
        self._validate_user_class_name_uniqueness()
        self._validate_shape_class_instance()

    def _create_runner(self, runner_class: Callable[..., RunnerType], *args: Any, **kwargs: Any) -> RunnerType:
        if self.runner is not None:
            raise RunnerAlreadyExistsError(f"the environment has a runner already ({self.runner})")
        runner = runner_class(self, *args, **kwargs)
        self.runner = runner
        if self.shape_class:
            self.shape_class.runner = runner
        return runner

    def create_local_runner(self) -> LocalRunner:
        """A runner whose users live in this process."""
        return self._create_runner(LocalRunner)

    def create_master_runner(self, master_bind_host: str = "*", master_bind_port: int = 5557) -> MasterRunner:
        """A runner that directs workers; ``master_bind_host`` and ``master_bind_port`` are where they find it."""
        return self._create_runner(MasterRunner, master_bind_host=master_bind_host, master_bind_port=master_bind_port)

    def create_worker_runner(self, master_host: str, master_port: int) -> WorkerRunner:
        """A runner that does what a master tells it."""
        # Recent percentiles are the master's to compute.
        self.stats = RequestStats(use_response_times_cache=False)
        return self._create_runner(WorkerRunner, master_host=master_host, master_port=master_port)

    def create_web_ui(
        self,
        host: str = "",
        port: int = 8089,
        web_base_path: str | None = None,
        web_login: bool = False,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        stats_csv_writer: StatsCSV | None = None,
        delayed_start: bool = False,
        userclass_picker_is_active: bool = False,
        build_path: str | None = None,
    ) -> WebUI:
        """The web application for this environment. It serves at once, unless ``delayed_start``: then when its
        ``start()`` is called, so that routes can be added before."""
        # Slow to import, and user code may have put its own here.
        self.web_ui = ui = sys.modules[__name__].WebUI(
            self,
            host,
            port,
            web_base_path=web_base_path,
            web_login=web_login,
            tls_cert=tls_cert,
            tls_key=tls_key,
            stats_csv_writer=stats_csv_writer,
            delayed_start=delayed_start,
            userclass_picker_is_active=userclass_picker_is_active,
            build_path=build_path,
        )
        return ui

    def update_user_class(self, user_settings: dict[str, Any]) -> None:
        """Changes a user class: ``user_class_name`` says which, ``tasks`` names the tasks to keep, everything else
        becomes an attribute of the class. A master tells its workers."""
        if isinstance(self.runner, MasterRunner):
            self.runner.send_message("update_user_class", user_settings)
        settings = dict(user_settings)
        name = settings.pop("user_class_name", None)
        user_class = (self.available_user_classes or {})[name]
        loaded_tasks = (self.available_user_tasks or {})[name]
        if "tasks" in settings:
            wanted = settings.pop("tasks")
            user_class.tasks = [task for task in loaded_tasks if task.__name__ in wanted]
        for attribute, value in settings.items():
            setattr(user_class, attribute, value)

    def update_worker_logs(self, worker_log_report: dict[str, Any]) -> None:
        """Keeps the lines a worker sent; those of the one that was silent for longest go when there are too many."""
        worker = worker_log_report.get("worker_id")
        if worker:
            self.worker_logs.pop(worker, None)
            self.worker_logs[worker] = worker_log_report.get("logs", [])
            if len(self.worker_logs) > _MOST_LOGGED_WORKERS:
                del self.worker_logs[next(iter(self.worker_logs))]

    def _filter_tasks_by_tags(self) -> None:
        """Applies the tag options to the user classes, the first time it is called."""
        if self._tasks_filtered:
            return
        self._tasks_filtered = True

        def chosen(own: list[str] | None, option: str) -> set[str] | None:
            names = own if own is not None else getattr(self.parsed_options, option, None) or None
            return None if names is None else set(names)

        tags = chosen(self.tags, "tags")
        exclude_tags = chosen(self.exclude_tags, "exclude_tags")
        for user_class in self.user_classes:
            filter_tasks_by_tags(user_class, tags, exclude_tags)

    def _remove_user_classes_with_weight_zero(self) -> None:
        if not self.user_classes:
            return
        in_use = [one for one in self.user_classes if one.weight > 0 or one.fixed_count > 0]
        if not in_use:
            raise ValueError("There are no users with weight > 0.")
        self.user_classes[:] = in_use

    def assign_equal_weights(self) -> None:
        """Gives every class the same share, and every task of a class, in whatever set it is, too."""

        def functions(tasks: list[Any]) -> list[Any]:
            found = []
            for task in reversed(tasks):
                if isinstance(task, type) and issubclass(task, TaskSet):
                    found += functions(task.tasks)
                elif callable(task):
                    found.append(task)
                else:
                    raise ValueError(f"{task!r} is no task")
            return found

        for user_class in self.user_classes:
            user_class.weight = 1
            user_class.tasks = list(dict.fromkeys(functions(user_class.tasks)))

    def _validate_user_class_name_uniqueness(self) -> None:
        if len(self.user_classes_by_name) < len(self.user_classes):
            full_names = ", ".join(one.fullname() for one in self.user_classes)
            raise ValueError(f"The following user classes have the same class name: {full_names}")

    def _validate_shape_class_instance(self) -> None:
        if self.shape_class is not None and not isinstance(self.shape_class, LoadTestShape):
            raise ValueError(
                "shape_class should be an instance of LoadTestShape or subclass LoadTestShape, and not"
                f" {self.shape_class!r}"
            )

    @property
    def user_classes_by_name(self) -> dict[str, type[User]]:
        """The classes of this test by their names."""
        return {one.__name__: one for one in self.user_classes}


__getattr__ = late_names(
    __name__,
    StatsCSV="stats",
    TaskHolder="user.task",
    User="user",
    WebUI="web",
)
