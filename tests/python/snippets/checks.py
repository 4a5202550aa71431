"""What test suites and plugins look at: failures as objects, runners with another transport, who logs what."""

from __future__ import annotations

import csv
import logging
import ssl
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import gevent
from gevent.queue import Queue
from kit import Kit, Records, kind_of, until
from locust import FastHttpUser, HttpUser, LoadTestShape, MarkovTaskSet, TaskSet, User, constant, tag, task, transition
from locust.clients import HttpSession
from locust.contrib.csv_request_logger import CsvRequestLogger
from locust.contrib.fasthttp import FastHttpSession
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.event import EventHook
from locust.exception import CatchResponseError
from locust.log import LogReader
from locust.rpc import Message, zmqrpc
from locust.runners import WorkerNode
from locust.stats import RequestStats, StatsCSVFileWriter


class Idle(User):
    wait_time = constant(30)

    @task
    def nothing(self) -> None: ...


def _transport() -> Any:
    """A class for `locust.rpc.rpc.Client` and `Server` that keeps what is sent, and receives what a test puts in."""

    class Transport:
        inbox: Queue[Any] = Queue()
        sent: list[Any] = []

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def close(self, linger: Any = None) -> None: ...

        def send(self, message: Any) -> None:
            self.sent.append(message)

        send_to_client = send

        def recv(self) -> Any:
            return Message.unserialize(self.inbox.get())

        def recv_from_client(self) -> Any:
            message = self.recv()
            return message.node_id, message

        @classmethod
        def put(cls, kind: str, data: Any, node: str = "worker") -> None:
            cls.inbox.put(Message(kind, data, node).serialize())
            gevent.sleep(0.01)

        @classmethod
        def of(cls, kind: str) -> list[Any]:
            return [message.data for message in cls.sent if message.type == kind]

    return Transport


def sessions_without_a_host(kit: Kit) -> Any:
    """API-152, API-194, API-230: None as the base URL, as the pytest fixtures have it; whole URLs do."""
    sessions = [kind(None, EventHook(), None) for kind in (HttpSession, FastHttpSession)]
    return [session.get(kit.url + "/").status_code for session in sessions]


def failures_are_views(kit: Kit) -> Any:
    """API-219, API-220: the exception itself, the first of its kind, and numbers that grow with the table."""
    stats = RequestStats()
    first = ValueError("one")
    stats.log_error("GET", "/a", first)
    stats.log_error("GET", "/a", ValueError("one"))
    stats.log_error("GET", "/b", "only a text")
    error, text = stats.errors.values()
    before = error.last_seen
    seen = [error.occurrences, error.error is first, text.error, error.to_name(), error.to_dict()["error"]]
    time.sleep(0.01)
    stats.log_error("GET", "/a", ValueError("one"))
    seen += [error.occurrences, error.last_seen > before, error.first_seen <= before]
    error.occurred()
    seen += [
        error.occurrences,
        stats.errors[next(key for key in stats.errors if stats.errors[key].name == "/a")].occurrences,
    ]
    stats.clear_all()
    return [seen, len(stats.errors)]


def failures_of_clients(kit: Kit) -> Any:
    """API-163, 165, 176, 200, 220: what went wrong, as an object with its class and its own text."""

    class Visitor(HttpUser):
        host = kit.url

        def calls(self) -> None:
            self.client.get("/status/404", name="missing")
            self.client.get("/status/500", name="missing")
            with self.client.get("/", name="judged", catch_response=True) as response:
                response.failure("no good")
            with self.client.get("/", name="odd", catch_response=True) as response:
                response.failure(KeyError("odd"))
            self.client.get("http://127.0.0.1:1/", name="refused")

    class Fast(FastHttpUser):
        host = kit.url
        calls = Visitor.calls

    found = []
    for user_class in (Visitor, Fast):
        environment = Environment(user_classes=[user_class])
        environment.create_local_runner()
        user_class(environment).calls()
        for error in environment.stats.errors.values():
            response = getattr(error.error, "response", None)
            status = getattr(response, "status_code", None)
            is_own = isinstance(error.error, CatchResponseError)
            found.append(
                [error.name, type(error.error).__name__, str(error.error).replace(kit.url, ""), status, is_own]
            )
    return found


def status_codes_of_others(kit: Kit) -> Any:
    """API-231: what is no number is 0."""
    environment = Environment(user_classes=[Idle])
    path = Path(tempfile.mkdtemp()) / "requests.csv"
    logger = CsvRequestLogger(str(path))
    logger.register(environment)
    for status in (200, "201", "bad", None):
        environment.events.request.fire(
            request_type="T",
            name="n",
            response_time=1,
            response_length=0,
            exception=None,
            response=SimpleNamespace(status_code=status),
        )
    logger.close()
    with path.open(newline="") as file:
        return [row["status_code"] for row in csv.DictReader(file)]


def ways_that_weigh_nothing(kit: Kit) -> Any:
    """API-69: a step that is only reached by a transition of weight 0 is unreachable; the root logger says so."""
    with Records() as records:

        class Steps(MarkovTaskSet):
            @transition("second", 0)
            @transition("first")
            def first(self) -> None: ...

            @transition("first")
            def second(self) -> None: ...

    return [[record.name, record.levelname, "unreachable" in record.getMessage()] for record in records.found]


def who_says_what(kit: Kit) -> Any:
    """API-40, 47, 63, 71, EVT-4: logger, level and the words that matter."""
    with Records() as records:

        class Filtered(User):
            @tag("a")
            @task
            def tagged(self) -> None: ...

            @task
            def on_start(self) -> None: ...

        class Leaving(TaskSet):
            @task
            def leave(self) -> None:
                gevent.sleep(0.01)
                self.interrupt()

            def on_stop(self) -> None:
                raise ValueError("on_stop")

        class Nested(User):
            wait_time = constant(30)
            tasks = [Leaving]

        environment = Environment(user_classes=[Filtered], tags=["b"])
        runner = environment.create_local_runner()
        runner.send_message("what", None)
        environment.events.test_start.add_listener(lambda **_: 1 / 0)
        runner.start(0, 1)
        gevent.sleep(0.05)
        runner.quit()
    with Records() as loose:
        running = gevent.spawn(Nested(Environment(user_classes=[Nested])).run)
        until(lambda: loose.found)
        running.kill()

    class Empty(User): ...

    errors = []
    for holder in (Empty, type("Set", (User,), {"task": []})):
        try:
            holder(Environment()).get_next_task() if hasattr(holder, "get_next_task") else _first_task(holder)
        except Exception as error:
            errors.append(
                [word in str(error) for word in ("No tasks defined on " + holder.__name__, "'task' attribute")]
            )
    words = (
        "no tasks left after filtering",
        "Unknown message type",
        "Uncaught exception in",
        "@task",
        "All users spawned",
    )
    said = [
        [record.name, record.levelname, [word for word in words if word in record.getMessage()]]
        for record in records.found + loose.found[:1]
        if record.levelno >= logging.WARNING
    ]
    return [said, errors]


def _first_task(user_class: type[User]) -> None:
    user = user_class(Environment())
    user.tasks = []
    from locust.user.users import DefaultTaskSet

    DefaultTaskSet(user).get_next_task()


def long_test_start_on_a_worker(kit: Kit) -> Any:
    """EVT-13, DST-53: it is let finish, and comes once, though more spawn messages and a stop come meanwhile."""
    transport = _transport()
    environment = Environment(user_classes=[Idle])
    calls: list[str] = []

    def on_start(**_: Any) -> None:
        calls.append("start")
        gevent.sleep(0.3)
        calls.append("started")

    environment.events.test_start.add_listener(on_start)
    environment.events.test_stop.add_listener(lambda **_: calls.append(f"stop of {seen[-1]}"))
    seen: list[int] = [0]
    with mock.patch("locust.rpc.rpc.Client", transport):
        transport.inbox.put(Message("ack", {"index": 0}, "master").serialize())
        worker = environment.create_worker_runner("127.0.0.1", 1)
        for count in (1, 2, 3):
            job = {"timestamp": time.time(), "user_classes_count": {"Idle": count}, "host": None, "stop_timeout": 0}
            transport.put("spawn", {**job, "parsed_options": {}})
        with gevent.Timeout(60):
            while worker.user_count < 3:
                gevent.sleep(0.02)
        seen.append(worker.user_count)
        states = [worker.state, dict(worker.target_user_classes_count)]
        heartbeats = [sorted(data) for data in transport.of("heartbeat")]
        transport.put("stop", None)
        with gevent.Timeout(60):
            while not transport.of("client_stopped"):
                gevent.sleep(0.02)
        stopped = transport.of("client_stopped")
        worker.quit()
    return [calls, states, heartbeats[0], stopped, worker.user_count]


def messages_nobody_knows(kit: Kit) -> Any:
    """API-140: a warning, with the type; a request to connect anew is a warning, too."""
    transport = _transport()
    with mock.patch("locust.rpc.rpc.Client", transport), Records() as records:
        transport.inbox.put(Message("ack", {"index": 0}, "master").serialize())
        worker = Environment(user_classes=[Idle]).create_worker_runner("127.0.0.1", 1)
        transport.put("odd", None)
        transport.put("reconnect", None)
        until(lambda: sum(record.levelno == logging.WARNING for record in records.found) > 1)
        # Nobody confirms the last report.
        told = list(records.found)
        worker.quit()
    return [
        [record.name, record.levelname, [word for word in words.split("|") if word in record.getMessage()]]
        for record, words in zip(
            [record for record in told if record.levelno == logging.WARNING],
            ("Unknown message type received|odd", "Received reconnect message from master|Resetting RPC connection"),
            strict=True,
        )
    ]


def many_lines_at_once(kit: Kit) -> Any:
    """DST-20: more than 70 lines before the first report are too many, too."""
    transport = _transport()
    reader = LogReader()
    reader.name = "log_reader"
    logging.getLogger().addHandler(reader)
    try:
        for number in range(71):
            logging.getLogger("spam").warning("line %d", number)
        with (
            mock.patch("locust.rpc.rpc.Client", transport),
            mock.patch("locust.runners.WORKER_LOG_REPORT_INTERVAL", 0.1),
        ):
            transport.inbox.put(Message("ack", {"index": 0}, "master").serialize())
            worker = Environment(user_classes=[Idle]).create_worker_runner("127.0.0.1", 1)
            until(lambda: transport.of("logs"))
            gevent.sleep(0.2)
            worker.quit()
        reports = transport.of("logs")
    finally:
        logging.getLogger().removeHandler(reader)
    return [len(reports), "70" in reports[0]["logs"][-1]]


def targets_of_a_ramp(kit: Kit) -> Any:
    """API-132, DST-48: on a master too the classes' targets are known at the end of a ramp; who leaves an idle master
    stops it."""
    transport = _transport()
    environment = Environment(user_classes=[Idle])
    with mock.patch("locust.rpc.rpc.Server", transport):
        master = environment.create_master_runner("127.0.0.1", 0)
        transport.put("client_ready", "2.47.0")
        ramp = gevent.spawn(master.start, 2, 10)
        until(lambda: master.state == "spawning")
        states = [master.state, master.target_user_count]
        ramp.join(60)
        after = dict(master.target_user_classes_count)
        ramp = gevent.spawn(master.start, 5, 1)
        until(lambda: master.target_user_count == 5)
        during = dict(master.target_user_classes_count)
        ramp.kill()
        other = Environment(user_classes=[Idle]).create_master_runner("127.0.0.1", 0)
        states.append(other.state)
        transport.put("client_ready", "2.47.0", "leaver")
        transport.put("client_ready", "2.47.0", "leaver")
        transport.put("client_stopped", None, "leaver")
        transport.put("client_stopped", None, "leaver")
        states.append(sorted([master.state, other.state]))
        for runner in (master, other):
            runner.greenlet.kill()
    return [states, during, after]


def steps_of_a_dispatcher(kit: Kit) -> Any:
    """DST-59: the pause between steps is told, and may be set."""
    dispatcher = UsersDispatcher(worker_nodes=[WorkerNode("1"), WorkerNode("2")], user_classes=[Idle])
    pauses = []
    for rate in (0.5, 1, 2.4, 9):
        dispatcher.new_dispatch(target_user_count=0, spawn_rate=rate)
        pauses.append(dispatcher._wait_between_dispatch)
    dispatcher.new_dispatch(target_user_count=4, spawn_rate=0.1)
    dispatcher._wait_between_dispatch = 0
    begin = time.monotonic()
    steps = list(dispatcher)
    # With its own pause they take thirty seconds.
    assert time.monotonic() - begin < 20
    dispatcher.add_worker(WorkerNode("3"))
    flags = [dispatcher._rebalance]
    steps += list(dispatcher)
    return [pauses, steps, [*flags, dispatcher._rebalance]]


def rows_of_the_history(kit: Kit) -> Any:
    """REP-35: one row for each interval, and none for the end."""
    environment = Environment(user_classes=[Idle])
    environment.create_local_runner()
    environment.stats.log_request("GET", "/", 1, 1)
    prefix = str(Path(tempfile.mkdtemp()) / "h")
    with mock.patch("locust.stats.CSV_STATS_INTERVAL_SEC", 60):
        writer = StatsCSVFileWriter(environment, [0.5], prefix, full_history=True)
        greenlet = gevent.spawn(writer)
        gevent.sleep(0.05)
        greenlet.kill()
        writer.close_files()
    with open(prefix + "_stats_history.csv", newline="") as file:
        return [row["Name"] for row in csv.DictReader(file)]


def ends_of_a_connection(kit: Kit) -> Any:
    """API-104, API-227: who closes the socket of a server gets an error from it."""
    server = zmqrpc.Server("127.0.0.1", 0)
    server.socket.close()
    return [kind_of(server.recv_from_client), kind_of(server.recv_from_client) == "RPCError"]


def settings_of_a_pool(kit: Kit) -> Any:
    """API-194: what the connections of a session are made with."""

    def factory() -> ssl.SSLContext:
        return ssl.create_default_context()

    session = FastHttpSession(kit.url, EventHook(), None, ssl_context_factory=factory)
    return session.client.clientpool.client_args["ssl_context_factory"] is factory


def messages_by_hand(kit: Kit) -> Any:
    """API-140, API-142: the methods that take messages can be wrapped."""
    transport = _transport()
    environment = Environment(user_classes=[Idle])
    seen: list[Any] = []
    with mock.patch("locust.rpc.rpc.Server", transport):
        master = environment.create_master_runner("127.0.0.1", 0)
    handle = master.handle_message

    def spy(client_id: str, msg: Any) -> None:
        seen.append([client_id, msg.type])
        handle(client_id, msg)

    with mock.patch.object(master, "handle_message", spy):
        transport.put("client_ready", "2.47.0")
        transport.put("logs", {"worker_id": "worker", "logs": ["a"]})
    seen.append([len(master.clients), environment.worker_logs, bool(master.rebalancing_enabled())])
    master.greenlet.kill()
    return seen


def classes_without_tasks(kit: Kit) -> Any:
    """API-47: told by the root logger, also without tags."""

    class Empty(User): ...

    with Records() as records:
        environment = Environment(user_classes=[Empty])
        environment.create_local_runner().start(0, 1)
        gevent.sleep(0.02)
        environment.runner.quit()
    return [
        [record.name, "Empty had no tasks left after filtering" in record.getMessage()] for record in records.found[:1]
    ]


def shapes_that_are_none(kit: Kit) -> Any:
    """API-19, 107, 108: what an environment refuses, and the words that matter."""

    class Shape(LoadTestShape):
        def tick(self) -> Any: ...

    twin = type("Idle", (User,), {"tasks": [Idle.nothing]})
    weightless = type("Weightless", (User,), {"weight": 0})
    found = []
    for options, word in (
        ({"user_classes": [Idle], "shape_class": Shape}, "instance of LoadTestShape"),
        ({"user_classes": [Idle, twin]}, "have the same class name"),
        ({"user_classes": [weightless]}, "weight > 0"),
    ):
        try:
            Environment(**options)  # type: ignore[arg-type]
        except ValueError as error:
            found.append(word in str(error))
    return found
