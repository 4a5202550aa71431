"""Runners: they start and stop users, alone or as master and workers."""

from __future__ import annotations

import gc
import json
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

import _cload
import gevent
from gevent import Greenlet
from gevent.pool import Group

from . import log
from ._ending import watch_stop
from ._generator import Generator
from ._user_group import UserGroup, join_users
from .exception import StopTest
from .user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING
from .user.users import User
from .util.late import late_names
from .util.process import CpuMeter, resident_bytes

if TYPE_CHECKING:
    from .dispatch import UsersDispatcher
    from .env import Environment
    from .shape import LoadTestShape
    from .stats import ErrorsDict, RequestStats

logger = logging.getLogger(__name__)

STATE_INIT, STATE_SPAWNING, STATE_RUNNING, STATE_CLEANUP, STATE_STOPPING, STATE_STOPPED, STATE_MISSING = (
    "ready",
    "spawning",
    "running",
    "cleanup",
    "stopping",
    "stopped",
    "missing",
)

# Seconds, unless the name says otherwise. User code may assign to these.
WORKER_REPORT_INTERVAL = 3.0
WORKER_LOG_REPORT_INTERVAL = 10
CPU_MONITOR_INTERVAL = 10.0
CPU_WARNING_THRESHOLD = 90
HEARTBEAT_INTERVAL = 1
HEARTBEAT_LIVENESS = 3
HEARTBEAT_DEAD_INTERNAL = -60
MASTER_HEARTBEAT_TIMEOUT = 60
FALLBACK_INTERVAL = 5
CONNECT_TIMEOUT = 5
CONNECT_RETRY_COUNT = 60
# Kinds of exceptions that are told apart.
MAX_EXCEPTIONS = 1000


class ExceptionDict(TypedDict):
    """One kind of exception that user code let through."""

    count: int
    msg: str
    traceback: str
    nodes: set[str]


# What a runner's greenlets do, for the line of the log when one fails.
_WORK = {"_start": "starting users", "start_worker": "starting users", "shape_worker": "following the load shape"}


def _read_tick(shape: LoadTestShape | None, tick: Any) -> tuple[Any, Any, list[type[User]] | None]:
    """Users, rate and classes of what ``tick()`` returned; ``ValueError`` if it is something else."""
    try:
        users, rate, *rest = tick
        if math.isfinite(users) and math.isfinite(rate) and len(rest) < 2:
            return users, rate, rest[0] if rest else None
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"tick() of {type(shape).__name__} returned {tick!r}. It has to return (users, users per second), or"
        " (users, users per second, [user classes]), or None to end the test"
    )


def locust_exception_handler(environment: Environment, work: str = "") -> Callable[[Any], None]:
    """For ``link_exception`` of a runner's greenlets: a StopTest stops the test, anything else is logged."""

    def log_it(greenlet: Any) -> None:
        if isinstance(greenlet.exception, Exception):
            log.unhandled_greenlet_exception = True
            exc_info = log.user_exc_info(greenlet.exception)
            logger.critical("Unhandled exception in greenlet (%s):", work, exc_info=exc_info)
        else:
            log.greenlet_exception_logger(logger)(greenlet)

    def handle(greenlet: Any) -> None:
        if not isinstance(greenlet.exception, StopTest):
            log_it(greenlet)
            return
        logger.error(greenlet.exception)
        logger.warning("Stopping the test")
        runner = environment.runner
        assert runner is not None
        if getattr(environment.parsed_options, "headless", False):
            runner.quit()
        else:
            runner.stop()

    return handle


def _is_current(greenlet: Any) -> bool:
    """Whether the caller runs in this user's greenlet, or in the one that lends it its stack."""
    return gevent.getcurrent() is getattr(greenlet, "carrier", greenlet)


def _end_soon(greenlet: Any) -> None:
    """Kills a user when its greenlet next lets others run."""
    if greenlet is not None:
        greenlet.kill(block=False)


def _format_user_classes_count_for_log(user_classes_count: dict[str, int]) -> str:
    return f"{json.dumps(dict(sorted(user_classes_count.items())))} ({sum(user_classes_count.values())} total users)"


def _aggregate_dispatched_users(d: dict[str, dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in d.values():
        total.update(counts)
    return dict(total)


@contextmanager
def _rare_collections(least: int = 10_000) -> Iterator[None]:
    """Has Python look for garbage less often while users are made: most of what is new stays, and it would go through
    all of that for each hundred users."""
    before = gc.get_threshold()
    changed = (max(before[0], least), *before[1:])
    if before[0] > 0:
        gc.set_threshold(*changed)
    try:
        yield
    finally:
        # What a user's own code set stays.
        if gc.get_threshold() == changed:
            gc.set_threshold(*before)


class Runner:
    """What all runners have in common: users in a group of greenlets, a state, and who listens to what they do."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        # Holds the greenlets of the users, and nothing else.
        self.user_greenlets = UserGroup()
        # Holds the runner's own greenlets.
        self.greenlet = Group()
        self.state = STATE_INIT
        self.spawning_greenlet: Greenlet[..., Any] | None = None
        self.shape_greenlet: Greenlet[..., Any] | None = None
        self.shape_last_tick: tuple[Any, ...] | None = None
        self.current_cpu_usage = 0.0
        self.current_memory_usage = 0
        self.cpu_warning_emitted = False
        self.worker_cpu_warning_emitted = False
        self._names_warning_emitted = False
        self.exceptions: dict[int, ExceptionDict] = {}
        # What the last finished ramp led to, and where the present one leads.
        self.target_user_classes_count: dict[str, int] = {}
        self.target_user_count = 0
        self.custom_messages: dict[str, tuple[Callable[..., Any], bool]] = {}
        self.connection_broken = False
        # Who was running when the test was stopped, for the reports.
        self.final_user_classes_count: dict[str, int] = {}
        self._users_dispatcher: UsersDispatcher | None = None
        self._stop_count = 0
        # The greenlet that stops all users, and that of the user whose task did so.
        self._stopper: Any = None
        self._stopped_caller: Any = None

        environment.events.request.add_listener(_cload.RequestSink(environment))
        environment.events.spawning_complete.add_listener(self._on_spawning_complete)
        self._spawn_own(self.monitor_cpu_and_memory)
        # How this process copes, and on a master how its workers do.
        self.generator = Generator(self)
        self.stats._generator = self.generator
        self._spawn_own(self.generator.watch)

    def __del__(self) -> None:
        own = getattr(self, "greenlet", None)
        if own:
            own.kill(block=False)

    def _spawn_own(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet[..., Any]:
        greenlet = self.greenlet.spawn(function, *args, **kwargs)
        work = _WORK.get(function.__name__, function.__name__)
        greenlet.link_exception(locust_exception_handler(self.environment, work))
        log.log_only(greenlet)
        return greenlet

    def _on_spawning_complete(self, user_count: int) -> None:
        if self.state == STATE_STOPPED:
            # A listener before this one stopped the test.
            return
        self.update_state(STATE_RUNNING)
        if self.environment.reset_stats:
            logger.info("Resetting stats\n")
            self.stats.reset_all()
            self.generator.begin()

    @property
    def user_classes(self) -> list[type[User]]:
        """The environment's user classes."""
        return self.environment.user_classes

    @property
    def user_classes_by_name(self) -> dict[str, type[User]]:
        """The environment's user classes by name."""
        return self.environment.user_classes_by_name

    @property
    def stats(self) -> RequestStats:
        """The environment's statistics."""
        return self.environment.stats

    @property
    def errors(self) -> ErrorsDict:
        """The failures in the statistics."""
        return self.stats.errors

    @property
    def user_count(self) -> int:
        """Users that are running now."""
        return len(self.user_greenlets)

    @property
    def user_classes_count(self) -> dict[str, int]:
        """Users that are running now, by the name of their class."""
        counts = {user_class.__name__: 0 for user_class in self.user_classes}
        for user_class, count in _cload.count_users(self.user_greenlets).items():
            counts[user_class.__name__] = counts.get(user_class.__name__, 0) + count
        return counts

    def _running_users(self) -> Iterator[tuple[Any, User]]:
        """Greenlets and users. The group knows them, whatever a task did to the attributes of its user."""
        for greenlet in list(self.user_greenlets):
            # gevent forgets the arguments of a greenlet that is done
            arguments = getattr(greenlet, "args", None)
            if arguments:
                yield greenlet, arguments[0]

    def update_state(self, new_state: str) -> None:
        """Goes to a state."""
        self.state = new_state

    def cpu_log_warning(self) -> bool:
        """Whether the processor was too busy during the test; says so in the log."""
        if self.cpu_warning_emitted:
            logger.warning(
                "CPU usage was too high at some point during the test, so the measured times may be too long."
                " Use more processes (--processes) or more machines."
            )
        return self.cpu_warning_emitted

    def _spawn_user(self, user: User) -> None:
        """Starts a constructed user. All users of a runner come through here."""
        user.start(self.user_greenlets)

    def spawn_users(self, user_classes_spawn_count: dict[str, int], wait: bool = False) -> list[User]:
        """Starts users of the named classes and returns them. ``wait``: only once all users have ended."""
        if self.state in (STATE_INIT, STATE_STOPPED):
            self.update_state(STATE_SPAWNING)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "Spawning additional %s (%s already running)...",
                json.dumps(user_classes_spawn_count),
                json.dumps(self.user_classes_count),
            )
        users: list[User] = []
        with _rare_collections():
            if not self._make_users(user_classes_spawn_count, users):
                return users
        logger.debug("%d users spawned", self.user_count)
        if wait:
            self.user_greenlets.join()
            logger.info("All users stopped\n")
        return users

    def _make_users(self, counts: dict[str, int], users: list[User]) -> bool:
        """Makes and starts them; False if one of them stopped the test."""
        classes = self.user_classes_by_name
        for name, count in counts.items():
            user_class = classes[name]
            for _ in range(count):
                user = user_class(self.environment)
                assert hasattr(user, "environment"), (
                    f"Attribute 'environment' is missing on user {name}: its __init__ has to call the one of its base,"
                    " super().__init__(environment)"
                )
                if self.state == STATE_STOPPED:
                    # The user stopped the test while it was made.
                    return False
                self._spawn_user(user)
                users.append(user)
        return True

    def _begin_run(self) -> None:
        """What a test starts with: nothing counted, the tags that were asked for, and its event."""
        self.stats.clear_all()
        self.exceptions = {}
        self.cpu_warning_emitted = False
        self.worker_cpu_warning_emitted = False
        self._names_warning_emitted = False
        self.generator.begin()
        self.environment._filter_tasks_by_tags()
        self.environment.events.test_start.fire(environment=self.environment)

    def stop_users(self, user_classes_stop_count: dict[str, int]) -> None:
        """Stops so many users of the named classes, and returns when they have ended."""
        for name in user_classes_stop_count:
            if name not in self.user_classes_by_name:
                raise KeyError(name)
        caller = self._stop_others(user_classes_stop_count)
        if gevent.getcurrent() is self._stopper:
            # The test's end comes before the caller's.
            self._stopped_caller = caller
        else:
            _end_soon(caller)

    def _stop_others(self, counts: dict[str, int]) -> Any:
        """Stops users, except the one whose task called this: it cannot wait for its own end, so its greenlet is
        returned."""
        timeout = self.environment.stop_timeout
        caller = None
        chosen, has_new = _cload.choose_users(self.user_greenlets, counts)
        if has_new:
            # Who was started just now gets as far as its first wait.
            gevent.sleep(0)
        stopping: list[Any] = []
        for greenlet in _cload.end_users(chosen, bool(timeout), User.stop):
            if _is_current(greenlet):
                caller = greenlet
                chosen.remove(greenlet)
                continue
            # gevent forgets the arguments of a greenlet that is done
            user = next(iter(getattr(greenlet, "args", ())), None)
            if user is not None and (user._state != LOCUST_STATE_STOPPING or not timeout):
                if type(user).stop is not User.stop:
                    stopping.append(gevent.spawn(user.stop, force=not timeout))
                elif timeout and user._state == LOCUST_STATE_RUNNING:
                    user._state = LOCUST_STATE_STOPPING
                else:
                    greenlet.kill(block=False)
        late = join_users(self.user_greenlets, [*stopping, *chosen], timeout or None)
        if late:
            logger.info("Not all users finished their tasks in %s seconds: stopping them", timeout)
            for greenlet in late:
                greenlet.kill(block=False)
            join_users(self.user_greenlets, late, None)
        del late
        _cload.forget_users(chosen)
        logger.debug("%d users have been stopped, %d still running", sum(counts.values()), self.user_count)
        return caller

    def monitor_cpu_and_memory(self) -> NoReturn:
        """Measures this process for as long as the runner lives."""
        meter = CpuMeter()
        events = self.environment.events
        while True:
            gevent.sleep(CPU_MONITOR_INTERVAL)
            self.current_cpu_usage = meter.read()
            self.current_memory_usage = resident_bytes()
            self._warn_about_names()
            if self.current_cpu_usage > CPU_WARNING_THRESHOLD:
                events.cpu_warning.fire(environment=self.environment, cpu_usage=self.current_cpu_usage)
                if not self.cpu_warning_emitted:
                    logging.warning(
                        "CPU usage above %s%% of a core: this process may limit the throughput, and measured"
                        " times may be too long. Use more processes (--processes) or more machines.",
                        CPU_WARNING_THRESHOLD,
                    )
                    self.cpu_warning_emitted = True
            events.usage_monitor.fire(
                environment=self.environment,
                cpu_usage=self.current_cpu_usage,
                memory_usage=self.current_memory_usage,
            )

    def _warn_about_names(self) -> None:
        if not self._names_warning_emitted and self.stats._is_full():
            self._names_warning_emitted = True
            logger.warning(
                "There are %d names of requests: those with further ones are counted together, as %r. Give requests"
                " to many URLs one name= in common",
                _cload.STATS_NAMES,
                _cload.STATS_FURTHER,
            )

    def start(
        self, user_count: int, spawn_rate: float, wait: bool = False, user_classes: list[type[User]] | None = None
    ) -> None:
        """Starts a test, or takes a running one to another number of users."""
        raise NotImplementedError(f"{type(self).__name__} cannot start a test")

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        """Sends a message to the other nodes, or to one."""
        raise NotImplementedError(f"{type(self).__name__} cannot send messages")

    def start_shape(self) -> None:
        """Starts to follow the environment's load shape."""
        if self.shape_greenlet:
            logger.info("There is an ongoing shape test running, which cannot be edited")
            return
        logger.info("Shape test starting.")
        self.update_state(STATE_INIT)
        self.shape_greenlet = self._spawn_own(self.shape_worker)
        if self.environment.shape_class is not None:
            self.environment.shape_class.reset_time()

    def shape_worker(self) -> None:
        """Asks the shape about once a second and follows it until it ends the test."""
        logger.info("Shape worker starting")
        shape = self.environment.shape_class
        while self.state in (STATE_INIT, STATE_SPAWNING, STATE_RUNNING):
            asked = time.monotonic()
            tick = shape.tick() if shape is not None else None
            if tick is None:
                self._end_shape()
                return
            if tick != self.shape_last_tick:
                users, rate, classes = _read_tick(shape, tick)
                logger.info("Shape test updating to %d users at %.2f spawn rate", users, rate)
                self.start(user_count=users, spawn_rate=rate, user_classes=classes)
                self.shape_last_tick = tick
            gevent.sleep(max(0.0, 1 - (time.monotonic() - asked)))

    def _end_shape(self) -> None:
        logger.info("Shape test stopping")
        if getattr(self.environment.parsed_options, "headless", False):
            self.quit()
        else:
            self.stop()
        self.shape_greenlet = None
        self.shape_last_tick = None

    def stop(self) -> None:
        """Stops the test and all users."""
        if self.state == STATE_STOPPED:
            return
        logger.debug("Stopping all users")
        events = self.environment.events
        events.test_stopping.fire(environment=self.environment)
        self.final_user_classes_count = self.user_classes_count
        self.update_state(STATE_CLEANUP)
        self._stop_count += 1
        watch = watch_stop(self)
        try:
            caller = self._stop_all()
        finally:
            watch.kill(block=False)
        self.generator.end()
        self._users_dispatcher = None
        self.update_state(STATE_STOPPED)
        self.cpu_log_warning()
        events.test_stop.fire(environment=self.environment)
        _end_soon(caller)

    def _stop_all(self) -> Any:
        """Ends what starts users, and then the users. Returns the greenlet of a user that called this, to be ended."""
        spawning = self.spawning_greenlet
        # A listener or a new user may have called this: the ramp then ends by itself.
        if spawning is not None and not spawning.ready() and spawning is not gevent.getcurrent():
            spawning.kill(block=True)
        if self.environment.shape_class is not None and self.shape_greenlet is not gevent.getcurrent():
            if self.shape_greenlet is not None:
                self.shape_greenlet.kill(block=True)
                self.shape_greenlet = None
            self.shape_last_tick = None
        self._stopper, self._stopped_caller = gevent.getcurrent(), None
        try:
            # Programs may have one of their own.
            self.stop_users(self.user_classes_count)
        finally:
            self._stopper = None
        return self._stopped_caller

    def quit(self) -> None:
        """Stops the test and ends the runner's own greenlets, so that ``runner.greenlet.join()`` returns."""
        is_called_by_user = any(_is_current(greenlet) for greenlet in self.user_greenlets)
        if is_called_by_user and self.state == STATE_CLEANUP:
            # Another user's task came first, and ends this one too: at the first turn if it has got so far, else at
            # the second.
            gevent.sleep(0)
            gevent.sleep(0)
            return
        self.stop()
        self.generator.close()
        # A user that called this ends in here: the rest of its task is not done, nor is there a next one.
        self.greenlet.kill(block=True)

    def log_exception(self, node_id: str, msg: str, formatted_tb: str) -> None:
        """Counts an exception of user code; those with equal tracebacks are one."""
        key = hash(formatted_tb)
        if key not in self.exceptions and len(self.exceptions) >= MAX_EXCEPTIONS:
            # What has no end must not fill the memory: further ones are counted together.
            key, msg, formatted_tb = 0, "(further exceptions, each with a traceback of its own)", ""
        row = self.exceptions.setdefault(key, {"count": 0, "msg": msg, "traceback": formatted_tb, "nodes": set()})
        row["count"] += 1
        row["nodes"].add(node_id)

    def register_message(self, msg_type: str, listener: Callable[..., Any], concurrent: bool = False) -> None:
        """Has ``listener(environment=, msg=)`` called for messages of a type; ``concurrent``: in its own greenlet."""
        if msg_type in self.custom_messages:
            raise Exception(f"There is a listener for messages of type {msg_type} already")
        self.custom_messages[msg_type] = (listener, concurrent)


# They derive from what is above.
from ._distributed import DistributedRunner as DistributedRunner  # noqa: E402
from ._local import LocalRunner as LocalRunner  # noqa: E402
from ._master import MasterRunner as MasterRunner  # noqa: E402
from ._worker import WorkerRunner as WorkerRunner  # noqa: E402
from ._worker_nodes import WorkerNode as WorkerNode  # noqa: E402
from ._worker_nodes import WorkerNodes as WorkerNodes  # noqa: E402

for _each in (DistributedRunner, LocalRunner, MasterRunner, WorkerRunner, WorkerNode, WorkerNodes):
    _each.__module__ = __name__

__getattr__ = late_names(
    __name__,
    Message="rpc.protocol",
    RPCError="exception",
    RPCReceiveError="exception",
    RPCSendError="exception",
    RequestStats="stats",
    StatsError="stats",
    UsersDispatcher="dispatch",
    get_abspaths_in="util.directory",
    get_logs="log",
    greenlet_exception_logger="log",
    is_url="util.url",
    setup_distributed_stats_event_listeners="stats",
)
