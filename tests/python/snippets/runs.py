"""Runners, shapes and environments in one process, as scripts use Locust as a library."""

from __future__ import annotations

import contextlib
import io
import logging
import time
from typing import Any

import gevent
from kit import Kit, Records, kind_of, until
from locust import LoadTestShape, TaskSet, User, constant, task
from locust.env import Environment
from locust.event import EventHook, Events
from locust.exception import RescheduleTask, StopTest, StopUser
from locust.runners import (
    DistributedRunner,
    LocalRunner,
    MasterRunner,
    Runner,
    WorkerRunner,
)
from locust.stats import get_error_report_summary, stats_history, stats_printer


class Idle(User):
    wait_time = constant(30)

    @task
    def nothing(self) -> None: ...


def shape_on_a_master(kit: Kit) -> Any:
    """API-150: a ramp on a master holds up the ticks, so that stages in between are skipped."""
    times: list[float] = []

    class Steps(LoadTestShape):
        def tick(self) -> Any:
            times.append(self.get_run_time())
            if self.get_run_time() < 1:
                return 3, 1
            return (4, 10) if self.get_run_time() < 4 else None

    first = Environment(user_classes=[Idle], shape_class=Steps())
    master = first.create_master_runner("127.0.0.1", 0)
    second = Environment(user_classes=[Idle])
    worker = second.create_worker_runner("127.0.0.1", master.server.port)
    until(lambda: master.clients.ready)
    master.start_shape()
    until(lambda: worker.user_count >= 3)
    counts = [worker.user_count >= 3]
    master.shape_greenlet.join()
    counts += [master.state == "stopped", master.shape_greenlet is None]
    assert times[0] < 1, times
    assert times[1] > 1.7, times
    worker.quit()
    master.quit()
    return counts


def starts_in_a_row(kit: Kit) -> Any:
    """API-134, API-135: a start replaces the ramp in progress; a high rate only warns; less than one user a second."""
    environment = kit.environment(Idle)
    runner = environment.create_local_runner()
    environment.events.test_start.add_listener(lambda **_: kit.note("test_start"))
    environment.events.spawning_complete.add_listener(lambda user_count, **_: kit.note("complete", user_count))
    runner.start(100, 1)
    until(lambda: runner.user_count)
    states = [runner.state]
    with Records() as records:
        runner.start(3, 1000)
        until(lambda: runner.user_count == 3 and runner.state == "running")
    states += [runner.state, runner.user_count, runner.target_user_count]
    warned = [record.levelname for record in records.found if record.levelno >= logging.WARNING]
    runner.start(0, 100)
    until(lambda: runner.user_count == 0 and len(kit.log) == 3)
    states += [runner.user_count, runner.state]
    runner.start(2, 0.5)
    until(lambda: runner.user_count == 1)
    states += [runner.user_count, runner.state]
    runner.stop()
    states += [runner.state, runner.user_count]
    runner.quit()
    return [states, kit.log, warned]


def start_of_some_classes(kit: Kit) -> Any:
    """API-134: user_classes of start()."""

    class Other(Idle):
        pass

    environment = kit.environment(Idle, Other)
    runner = environment.create_local_runner()
    runner.start(2, 10, user_classes=[Other])
    until(lambda: runner.user_count == 2 and runner.state == "running")
    counts = [dict(runner.user_classes_count)]
    runner.start(4, 10, user_classes=[Idle])
    until(lambda: runner.user_count == 4)
    counts.append(dict(runner.user_classes_count))
    runner.quit()
    return counts


def quit_lets_the_caller_go_on(kit: Kit) -> Any:
    """API-137, API-121: a script that waits for the runner's greenlet ends when somebody calls quit()."""
    environment = kit.environment(Idle)
    runner = environment.create_local_runner()
    assert isinstance(runner, LocalRunner)
    assert environment.runner is runner
    runner.start(2, 10)
    gevent.spawn_later(0.2, runner.quit)
    with gevent.Timeout(60):
        runner.greenlet.join()
    runner.quit()
    return [runner.state, runner.user_count, bool(runner.greenlet)]


def library_with_printers(kit: Kit) -> Any:
    """API-219, API-121: stats_printer, stats_history, and reading the statistics while users run."""
    import locust.stats

    class Caller(User):
        wait_time = constant(0.02)

        @task
        def call(self) -> None:
            self.environment.events.request.fire(
                request_type="GET", name="/a", response_time=5, response_length=10, exception=None, context={}
            )
            self.environment.events.request.fire(
                request_type="GET", name="/b", response_time=7, response_length=0, exception=ValueError("b"), context={}
            )

    environment = kit.environment(Caller)
    runner = environment.create_local_runner()
    interval, locust.stats.CONSOLE_STATS_INTERVAL_SEC = locust.stats.CONSOLE_STATS_INTERVAL_SEC, 0.1
    with Records() as records:
        logger = logging.getLogger("locust.stats_logger")
        logger.addHandler(records)
        level = logger.level
        logger.setLevel(logging.INFO)
        printer = gevent.spawn(stats_printer(environment.stats))
        history = gevent.spawn(stats_history, runner)
        runner.start(2, 10)
        until(lambda: environment.stats.total.num_requests >= 10)
        shown = len(records.found)
        until(lambda: any("Aggregated" in record.getMessage() for record in records.found[shown:]))
        gevent.sleep(0.1)
        runner.quit()
        printer.kill()
        history.kill()
        logger.removeHandler(records)
        logger.setLevel(level)
    locust.stats.CONSOLE_STATS_INTERVAL_SEC = interval
    text = "\n".join(record.getMessage() for record in records.found)
    total = environment.stats.total
    assert total.num_requests >= 10
    assert total.num_failures * 2 == total.num_requests
    return [
        all(word in text for word in ("GET", "/a", "/b", "Aggregated")),
        any("ValueError" in line for line in get_error_report_summary(environment.stats)),
        environment.stats.get("/a", "GET").avg_content_length,
        environment.stats.get("/b", "GET").fail_ratio,
        total.max_response_time,
    ]


def kinds_of_runners(kit: Kit) -> Any:
    """API-131, API-132, API-133, API-143: what scripts ask runners for."""
    first = Environment(user_classes=[Idle])
    master = first.create_master_runner("127.0.0.1", 0)
    second = Environment(user_classes=[Idle])
    worker = second.create_worker_runner("127.0.0.1", master.server.port)
    local = Environment(user_classes=[Idle]).create_local_runner()
    names = (
        "environment user_greenlets greenlet state spawning_greenlet shape_greenlet shape_last_tick current_cpu_usage"
        " cpu_warning_emitted worker_cpu_warning_emitted current_memory_usage exceptions target_user_classes_count"
        " target_user_count custom_messages connection_broken final_user_classes_count user_classes"
        " user_classes_by_name stats errors user_count user_classes_count"
    )
    missing = [
        [type(runner).__name__, name] for runner in (master, worker, local) for name in names.split()
        if not hasattr(runner, name)
    ]  # fmt: skip
    until(lambda: worker.connected and worker.worker_index >= 0)
    kinds = [
        [isinstance(runner, kind) for kind in (Runner, LocalRunner, DistributedRunner, MasterRunner, WorkerRunner)]
        for runner in (master, worker, local)
    ]
    facts = [
        worker.worker_state, worker.connected, worker.worker_index, worker.master_host,
        worker.master_port == master.server.port, kind_of(worker.start, 1, 1), local.worker_index, local.worker_count,
        sorted(local.user_classes_by_name), local.errors == {}, local.stats is local.environment.stats,
    ]  # fmt: skip
    worker.quit()
    master.quit()
    local.quit()
    return [missing, kinds, facts]


def messages_of_all_kinds(kit: Kit) -> Any:
    """API-140, API-141: data of any type, both ways, to one worker and to all; concurrent listeners may block."""
    first = Environment(user_classes=[Idle])
    master = first.create_master_runner("127.0.0.1", 0)
    second = Environment(user_classes=[Idle])
    worker = second.create_worker_runner("127.0.0.1", master.server.port)
    got: list[Any] = []
    values: list[Any] = [None, 5, "text", b"bytes", [1, {"a": [2.5, True]}], {"k": None}]

    def on_down(environment: Any, msg: Any, **_: Any) -> None:
        got.append(["down", repr(msg.data), environment is second])
        environment.runner.send_message("up", msg.data)

    def on_up(environment: Any, msg: Any, **_: Any) -> None:
        got.append(["up", repr(msg.data), msg.node_id == worker.client_id])

    def on_slow(environment: Any, msg: Any, **_: Any) -> None:
        gevent.sleep(0.3)
        got.append(["slow", msg.data])

    worker.register_message("down", on_down)
    worker.register_message("slow", on_slow, concurrent=True)
    master.register_message("up", on_up)
    until(lambda: master.clients.ready)
    master.send_message("slow", 1, worker.client_id)
    for value in values:
        master.send_message("down", value)
    until(lambda: len(got) == 1 + 2 * len(values))
    with Records() as records:
        master.send_message("nobody", 1)
        until(lambda: any(record.levelno >= logging.WARNING for record in records.found))
    warned = [record.levelname for record in records.found if record.levelno >= logging.WARNING]
    worker.quit()
    master.quit()
    return [sorted(got, key=repr), warned[:1], kind_of(master.register_message, "up", on_up)]


def exceptions_of_tasks(kit: Kit) -> Any:
    """API-89, API-144, API-60, EVT-16: counted by traceback; the text shows the script's lines."""

    class Caller(User):
        wait_time = constant(0)
        rounds = 0

        def helper(self) -> None:
            raise KeyError("deep")

        @task
        def call(self) -> None:
            type(self).rounds += 1
            if self.rounds > 6:
                raise StopUser
            if self.rounds % 2:
                self.helper()
            raise ValueError(f"number {self.rounds}")

    environment = kit.run(Caller)
    rows = sorted(environment.runner.exceptions.values(), key=lambda row: str(row["msg"]))
    texts = [row["traceback"] for row in rows]
    assert all("runs.py" in text for text in texts)
    assert "helper" in texts[0]
    return [[[row["count"], str(row["msg"]), sorted(row["nodes"])] for row in rows], sorted(set(kit.log))]


def constructor_that_stops(kit: Kit) -> Any:
    """API-86, API-26, API-27, EVT-25, EVT-26: StopTest in a constructor ends the test, anything else the ramp."""

    def life(error: Exception) -> Any:
        class Caller(Idle):
            def __init__(self, environment: Environment) -> None:
                super().__init__(environment)
                raise error

        environment = kit.environment(Caller)
        for name in ("test_start", "test_stopping", "test_stop", "spawning_complete"):
            getattr(environment.events, name).add_listener(lambda name=name, **_: kit.note(name))
        runner = environment.create_local_runner()
        runner.start(1, 1)
        runner.spawning_greenlet.join()
        gevent.sleep(0.3)
        state = runner.state
        with contextlib.redirect_stderr(io.StringIO()):
            runner.quit()
        found, kit.log[:] = list(kit.log), []
        return [state, found]

    from locust import log

    results = [life(StopTest("no host")), life(ValueError("no"))]
    log.unhandled_greenlet_exception = False
    return results


def users_that_go_away(kit: Kit) -> Any:
    """API-81, API-84, API-85: nobody replaces a user that ended; the test goes on without users."""

    class Leaver(User):
        wait_time = constant(0)

        @task
        def call(self) -> None:
            raise StopUser

    class Quitter(Leaver):
        @task
        def other(self) -> None:
            raise StopTest

    class Broken(Leaver):
        def on_start(self) -> None:
            raise ValueError("no")

    environment = kit.environment(Leaver, Quitter, Broken)
    runner = environment.create_local_runner()
    runner.start(6, 10)
    runner.spawning_greenlet.join()
    until(lambda: not runner.user_count)
    facts = [runner.user_count, runner.state, dict(runner.user_classes_count)]
    runner.start(7, 10)
    runner.spawning_greenlet.join()
    until(lambda: not runner.user_count)
    facts += [runner.user_count, runner.state]
    runner.quit()
    return [facts, len(kit.log)]


def events_of_ones_own(kit: Kit) -> Any:
    """EVT-1, EVT-3, EVT-7, EVT-8: hooks added to events, and an Events class of one's own for an Environment."""

    class Mine(Events):
        bought: EventHook

    own = Mine()
    own.bought.add_listener(lambda item, **more: kit.note("bought", item, sorted(more)))
    own.bought.fire(item="tea", price=3)
    environment = Environment()
    environment.events.sold = EventHook()  # type: ignore[attr-defined]

    @environment.events.sold.add_listener  # type: ignore[attr-defined]
    def sold(**keywords: Any) -> None:
        kit.note("sold", sorted(keywords))

    environment.events.sold.fire()  # type: ignore[attr-defined]
    return [kit.log, sold.__name__, hasattr(own, "request"), kind_of(environment.events.sold.fire, 1)]  # type: ignore[attr-defined]


def request_event_by_hand(kit: Kit) -> Any:
    """EVT-15, EVT-6: what may be left out, what may be more, and what the statistics make of it."""
    environment = Environment()
    environment.create_local_runner()
    fire = environment.events.request.fire
    environment.events.request.add_listener(lambda **keywords: kit.note(sorted(keywords)))
    fire(request_type="T", name="few", response_time=1.5, response_length=2)
    fire(request_type="T", name="more", response_time=0, response_length=0, exception=None, own=5, context=None)
    fire(request_type="T", name="none", response_time=None, response_length=0, exception="text")
    fire(request_type="T", name="error", response_time=12345.678, response_length=7, exception=ValueError("v"))
    fire(request_type="", name="", response_time=1, response_length=0)
    wrong = [
        kind_of(fire, request_type="T", name="late"),
        kind_of(fire, request_type="T", name="length", response_time=1, response_length=None),
    ]
    with environment.events.request.measure("M", "swallowed") as meta:
        meta["response_length"] = 9
        raise RescheduleTask
    entries = {
        f"{entry.method} {entry.name}": [
            entry.num_requests,
            entry.num_failures,
            entry.num_none_requests,
            entry.total_content_length,
            entry.max_response_time > 1000,
        ]
        for entry in environment.stats.entries.values()
    }
    errors = sorted([error.method, error.name, error.occurrences] for error in environment.stats.errors.values())
    return [kit.log, entries, errors, wrong]


def listeners_that_fail(kit: Kit) -> Any:
    """EVT-4, EVT-5: of each kind of event; the test goes on, and a request is counted though its listener failed."""
    from locust import log

    class Caller(User):
        wait_time = constant(0)
        rounds = 0

        @task
        def call(self) -> None:
            self.rounds += 1
            kit.note("round", self.rounds)
            if self.rounds == 4:
                raise StopUser
            self.environment.events.request.fire(
                request_type="T", name="n", response_time=1, response_length=0, exception=None, context={}
            )
            kit.note("after", self.rounds)

    environment = kit.environment(Caller)

    def failing(**_: Any) -> None:
        raise ValueError("listener")

    def steering(**_: Any) -> None:
        if kit.log.count("round 3"):
            raise RescheduleTask

    for name in ("test_start", "spawning_complete", "request", "test_stopping", "test_stop"):
        getattr(environment.events, name).add_listener(failing)
    environment.events.request.add_listener(steering)
    runner = environment.create_local_runner()
    runner.start(1, 1)
    runner.spawning_greenlet.join()
    until(lambda: not runner.user_count)
    runner.quit()
    flag, log.unhandled_greenlet_exception = log.unhandled_greenlet_exception, False
    return [kit.log, flag, environment.stats.total.num_requests]


def fixed_counts_and_weights(kit: Kit) -> Any:
    """API-18, API-19: fixed counts first, the rest by weight, floats too."""

    class Fixed(Idle):
        fixed_count = 2

    class Light(Idle):
        weight = 0.5

    class Heavy(Idle):
        weight = 1.5

    class Never(Idle):
        weight = 0

    environment = kit.environment(Fixed, Light, Heavy, Never)
    runner = environment.create_local_runner()
    counts = []
    for users in (1, 3, 10):
        runner.start(users, 100)
        runner.spawning_greenlet.join()
        counts.append(sorted(runner.user_classes_count.items()))
    runner.quit()
    return counts


def stop_timeout_can_change(kit: Kit) -> Any:
    """API-114, API-94: environment.stop_timeout is read when the test is stopped."""

    class Caller(User):
        wait_time = constant(30)

        @task
        def call(self) -> None:
            kit.note("begun")
            gevent.sleep(0.4)
            kit.note("finished")

        def on_stop(self) -> None:
            kit.note("on_stop")

    environment = kit.environment(Caller)
    runner = environment.create_local_runner()
    runner.start(1, 1)
    until(lambda: kit.log)
    environment.stop_timeout = 60
    begin = time.monotonic()
    runner.quit()
    assert time.monotonic() - begin < 50
    return kit.log


def classes_made_while_running(kit: Kit) -> Any:
    """API-127, API-125, API-128: attributes of classes changed while they run reach running users."""

    class Caller(User):
        wait_time = constant(0.01)
        host = "http://first"

        @task
        def call(self) -> None:
            kit.note(self.host)

    environment = kit.environment(Caller, available_user_classes={"Caller": Caller},
                                  available_user_tasks={"Caller": list(Caller.tasks)})  # fmt: skip
    runner = environment.create_local_runner()
    runner.start(1, 1)
    until(lambda: kit.log)
    environment.update_user_class({"user_class_name": "Caller", "host": "http://second", "weight": 3})
    until(lambda: "http://second" in kit.log)

    class Other(TaskSet):
        @task
        def call(self) -> None:
            kit.note("set")
            raise StopUser

    Caller.tasks = [Other]
    until(lambda: "set" in kit.log)
    runner.quit()
    return [list(dict.fromkeys(kit.log)), environment.user_classes_by_name == {"Caller": Caller}, Caller.weight]


def stopped_at_once(kit: Kit) -> Any:
    """API-93, API-139: users that are stopped right after they were started got as far as their first wait."""

    class Caller(User):
        wait_time = constant(1)

        def on_stop(self) -> None:
            gevent.sleep(0.05)
            kit.note("on_stop")

        @task
        def call(self) -> None:
            kit.note("call")

    runner = kit.environment(Caller).create_local_runner()
    users = runner.spawn_users({"Caller": 3})
    greenlets = [user.greenlet for user in users]
    runner.stop_users({"Caller": 2})
    counts = [runner.user_count, sum(greenlet.dead for greenlet in greenlets)]
    runner.quit()
    return [kit.log, counts, runner.user_count]


def stop_users_of_ones_own(kit: Kit) -> Any:
    """API-93: a runner's stop_users() that a program replaced is called for all users, too."""

    class Caller(User):
        wait_time = constant(0.01)

        def on_stop(self) -> None:
            kit.note("on_stop")

        @task
        def call(self) -> None:
            pass

    runner = kit.environment(Caller).create_local_runner()
    original = runner.stop_users

    def stop_users(counts: dict[str, int]) -> None:
        if any(counts.values()):
            kit.note(counts)
        original(counts)

    runner.stop_users = stop_users
    runner.environment.events.test_stop.add_listener(lambda **_: kit.note("test_stop"))
    runner.start(3, 100)
    until(lambda: runner.user_count == 3 and runner.state == "running")
    runner.quit()
    return kit.log


def options_reach_library_workers(kit: Kit) -> Any:
    """API-123, EVT-13: a worker without options of its own gets those that scripts added from the master."""
    from argparse import Namespace

    class Caller(User):
        wait_time = constant(1)

        @task
        def call(self) -> None:
            kit.note(self.environment.parsed_options.own_word, self.environment.host)

    first = Environment(user_classes=[Caller], host="http://h", parsed_options=Namespace(own_word="hello"))
    # What the master itself asks its options for.
    vars(first.parsed_options).update(
        enable_rebalancing=False, headless=True, autostart=False, tags=None, exclude_tags=None
    )
    master = first.create_master_runner("127.0.0.1", 0)
    second = Environment(user_classes=[Caller])
    worker = second.create_worker_runner("127.0.0.1", master.server.port)
    until(lambda: master.clients.ready)
    master.start(1, 1)
    until(lambda: kit.log)
    worker.quit()
    master.quit()
    return [kit.log[:1], second.parsed_options is not None]
