"""The runner that does what a master tells it."""

from __future__ import annotations

import functools
import logging
import math
import os
import socket
import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import gevent
from gevent.event import Event

from . import __version__, log, runners
from ._distributed import (
    BEAT_KEY,
    KEEP_KEY,
    NAMES_KEY,
    NUMBER_KEY,
    OWN_KEY,
    PAUSE_KEY,
    PENDING_KEY,
    STATE_KEY,
    UNTIL_KEY,
    DistributedRunner,
    secret_of,
    transit_of,
)
from ._generator import WIRE_KEY
from ._tracebacks import format_trace
from .exception import RPCError, RPCReceiveError, RPCSendError
from .rpc import Message, rpc
from .rpc.zmqrpc import Client, RPCRefusedError
from .runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, _is_current
from .stats import RequestStats

if TYPE_CHECKING:
    from .env import Environment
    from .user.users import User

logger = logging.getLogger("locust.runners")

# New log lines within WORKER_LOG_REPORT_INTERVAL beyond which a worker stops to send them.
_MOST_LOG_LINES = 70
# Built-in options that a worker takes over from its master.
_TAKEN_OPTIONS = ("expect_workers", "tags", "exclude_tags", "exclude_lagging")
# Seconds without an answer after which a worker announces itself anew: the master may be another one by now.
_SILENCE = 10.0
# And after which it connects anew, to a master of ours: what lies between may have forgotten the connection, or another
# one have taken its name. One of others would refuse that while it holds the old connection.
_DEAFNESS = 25.0
# Seconds of waiting for the first answer before the log says so at level INFO.
_PATIENCE = 30.0
# Seconds that a worker which ends waits until its master has what it sent: a cload master stays for that, others may be
# gone by then. Both and the time that the reports take on a slow link.
_FAREWELL, _FAREWELL_OF_OTHERS = 5.0, 2.0
# A master of others that has not answered for so many report intervals does not read: what is sent would only wait.
_HELD_INTERVALS = 2
# A report that takes long until it is confirmed goes through a slow network, or waits in a line. The next one comes
# after so many times as long, so that a third of all such workers at most are in the line, and heartbeats are not.
_PAUSE_PER_TRANSIT = 2.0
# It does not wait any more once the connection is lost for so long, which is looked at so often.
_LOST, _FAREWELL_LOOK = 2.0, 0.5


@functools.cache
def _built_in_options() -> dict[str, Any]:
    """Options that are not a locustfile's, with their defaults. Each spawn message asks, and they do not change."""
    # Slow to import, and not needed by tests without options.
    from .argument_parser import default_args_dict

    return default_args_dict()


def _clock_us() -> int:
    return int(1e6 * time.monotonic())


class WorkerRunner(DistributedRunner):
    """Runs the users that a master wants, and reports to it."""

    # Until the master has said which it is.
    worker_index = -1

    def __init__(self, environment: Environment, master_host: str, master_port: int) -> None:
        super().__init__(environment)
        # The listener that tells of the statistics.
        self._report_of_stats = environment.events.report_to_master._handlers[-1]
        self._reported_stats = environment.stats
        self.client_id = f"{socket.gethostname()}_{uuid4().hex}"
        self.master_host = master_host
        self.master_port = master_port
        self.worker_state = STATE_INIT
        self.connected = False
        self.last_received_spawn_timestamp = 0.0
        self.last_heartbeat_timestamp: float | None = None
        self._acknowledged = Event()
        self._stopping: gevent.Greenlet[..., Any] | None = None
        # Cleared while test_start is being fired: its listeners are let finish.
        self._has_begun = Event()
        self._has_begun.set()
        self._is_quitting = False
        self._has_quit = False
        self._leaving: gevent.Greenlet[..., Any] | None = None
        self._is_refused = False
        # Whether the master confirms reports, and those that it has not: by their number, when they were sent, what,
        # and of how many requests.
        self._is_own_master = False
        # Whether another master will go on with the run if that one dies.
        self._is_run_kept = False
        self._last_number = 0
        self._unconfirmed: dict[int, tuple[float, Message, int]] = {}
        self._told = 0.0  # when the master last said which it has
        # Seconds between two reports: what the master wants, and what the last report's way there asks for.
        self._report_pause = self._transit_pause = 0.0
        self._unanswered_heartbeats = 0
        # Set by each heartbeat of the master.
        self._was_heard = Event()
        self.client = self._connect()
        self._receiver = self._spawn_own(self.worker)
        self.connect_to_master()
        self._spawn_own(self.heartbeat)
        self._spawn_own(self.heartbeat_timeout_checker)
        self._spawn_own(self.stats_reporter)
        self._spawn_own(self.logs_reporter)
        events = environment.events
        events.report_to_master.add_listener(self._on_report_to_master)
        events.quitting.add_listener(self._on_quitting)
        events.user_error.add_listener(self._on_user_error)

    def start(
        self, user_count: int, spawn_rate: float, wait: bool = False, user_classes: list[type[User]] | None = None
    ) -> None:
        raise NotImplementedError("a worker is started by its master")

    def _send(self, kind: str, data: Any = None) -> None:
        self._send_message(Message(kind, data, self.client_id))

    def _send_message(self, message: Message) -> None:
        try:
            self.client.send(message)
        except RPCSendError as error:
            logger.error("%s", error)

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        """Sends to the master."""
        logger.debug("Sending %s to the master", msg_type)
        self.client.send(Message(msg_type, data, self.client_id))

    # The master

    def _connect(self) -> Client:
        # Looked up in the module: programs and tests put classes of their own there, which know of no secret.
        secret = secret_of(self.environment)
        more = (secret,) if secret else ()
        return rpc.Client(self.master_host, self.master_port, self.client_id, *more)

    def connect_to_master(self) -> None:
        """Announces this worker until the master has taken it; ``ConnectionError`` if it never does."""
        begin = time.monotonic()
        for retry in range(1, runners.CONNECT_RETRY_COUNT + 2):
            self._announce()
            if self._acknowledged.wait(timeout=runners.CONNECT_TIMEOUT):
                self.connected = True
                return
            logger.log(
                logging.INFO if time.monotonic() - begin >= _PATIENCE - 1 else logging.DEBUG,
                "Failed to connect to master %s:%s, retry %d/%d.",
                self.master_host,
                self.master_port,
                retry,
                runners.CONNECT_RETRY_COUNT,
            )
            if retry == 1:
                self._check_address()
        raise ConnectionError(f"the master at {self.master_host}:{self.master_port} does not answer")

    def _check_address(self) -> None:
        # ZeroMQ goes on trying in silence.
        try:
            socket.getaddrinfo(self.master_host, self.master_port)
        except OSError as error:
            reason = error.strerror
            logger.warning("The master's address %s is unknown, see --master-host: %s", self.master_host, reason)

    def _announce(self) -> None:
        if self._is_refused:
            # That end of the connection may have given up for good; another master may have the right secret.
            self._is_refused = False
            self.reset_connection()
        self._acknowledged.clear()
        self._send("client_ready", __version__)

    def worker(self) -> NoReturn:
        """Takes messages for as long as the runner lives."""
        while True:
            client = self.client
            try:
                message = client.recv()
            except RPCRefusedError as error:
                logger.error("%s (%s:%s)", error, self.master_host, self.master_port)
                self._is_refused = True
                continue
            except RPCReceiveError as error:
                logger.error("%s", error)
                continue
            except RPCError as error:
                if client is not self.client:
                    continue  # to which another one came in its place
                if not self._has_quit:
                    logger.error("%s", error)
                gevent.sleep(1)
                continue
            self.handle_message(message)

    def handle_message(self, msg: Message) -> None:
        """Does what the master wants."""
        self._take(msg)

    def _on_ack_message(self, message: Message) -> None:
        data = message.data or {}
        if "index" in data:
            self.worker_index = data["index"]
        self._is_own_master = OWN_KEY in data
        self._is_run_kept = STATE_KEY in data
        self._report_pause = 0.0
        # The clock of a new master may be behind the one before.
        self.last_received_spawn_timestamp = 0.0
        self.last_heartbeat_timestamp = time.time()
        self._unanswered_heartbeats = 0
        is_listed_anew = self.connected and not self._acknowledged.is_set() and KEEP_KEY not in data
        if is_listed_anew and self.worker_state != STATE_INIT:
            logger.info("The master lists this worker anew, so its users stop")
            self._begin_stop(is_announced=True)
        self._acknowledged.set()

    def _on_cload_register_message(self, message: Message) -> None:
        logger.info("The master does not know this worker, which announces itself again")
        if self.worker_state != STATE_INIT:
            self._begin_stop()
        else:
            self._announce()

    def _on_spawn_message(self, message: Message) -> None:
        if self._is_quitting:
            # The master spread the users of others that left: what new ones did would be in no report.
            return
        job = message.data
        self._send("spawning")
        if job["timestamp"] <= self.last_received_spawn_timestamp:
            logger.info("Discard spawn message: its timestamp is not newer than that of the previous one")
            return
        environment = self.environment
        counts = dict(job["user_classes_count"])
        environment.host = job["host"]
        environment.stop_timeout = job["stop_timeout"] or 0.0
        self._take_options(job.get("parsed_options") or {})
        self.last_received_spawn_timestamp = job["timestamp"]
        if not self._has_begun.is_set():
            # Who begins the test goes to these numbers then.
            self._aim_at(counts)
            return
        if self.spawning_greenlet is not None:
            self.spawning_greenlet.kill(block=True)
        self.spawning_greenlet = self._spawn_own(self.start_worker, counts)
        # Listeners of test_start hear of it before those of messages that came right behind this one.
        gevent.sleep(0)

    def _take_options(self, options: dict[str, Any]) -> None:
        if not options:
            return
        known = _built_in_options()
        own = self.environment.parsed_options
        if own is None:
            own = self.environment.parsed_options = Namespace(**known)
        for name, value in options.items():
            if name not in known or name in _TAKEN_OPTIONS:
                setattr(own, name, value)

    def _aim_at(self, user_classes_count: dict[str, int]) -> None:
        self.target_user_classes_count = user_classes_count
        self.target_user_count = sum(user_classes_count.values())

    def start_worker(self, user_classes_count: dict[str, int]) -> None:
        """Goes to these numbers of users, starting a test if none is running."""
        if self._stopping is not None:
            self._stopping.join()
        environment = self.environment
        self._aim_at(user_classes_count)
        unknown = [name for name in user_classes_count if name not in self.user_classes_by_name]
        if unknown:
            raise ValueError(f"The master wants users of {unknown}, which this worker's locustfile does not have")
        if self.worker_state not in (STATE_RUNNING, STATE_SPAWNING):
            # What is not confirmed now belongs to a test that the master has forgotten.
            self._unconfirmed.clear()
            self._has_begun.clear()
            try:
                self._begin_run()
            finally:
                self._has_begun.set()
            user_classes_count = self.target_user_classes_count
        self.worker_state = STATE_SPAWNING
        if environment.host:
            for user_class in self.user_classes:
                user_class.host = environment.host
        present = self.user_classes_count
        more = {name: n - present[name] for name, n in user_classes_count.items() if n > present[name]}
        fewer = {name: present[name] - n for name, n in user_classes_count.items() if n < present[name]}
        self.spawn_users(more)
        self.stop_users(fewer)
        self._send("spawning_complete", {"user_classes_count": self.user_classes_count, "user_count": self.user_count})
        self.worker_state = STATE_RUNNING
        self.update_state(STATE_RUNNING)

    def _on_spawning_complete_message(self, message: Message) -> None:
        user_count = message.data["user_count"]
        if self._has_begun.is_set():
            self._tell_complete(user_count)
        else:
            self._spawn_aside(self._tell_complete, user_count)

    def _tell_complete(self, user_count: int) -> None:
        self._has_begun.wait()
        self.environment.events.spawning_complete.fire(user_count=user_count)

    def _on_stop_message(self, message: Message) -> None:
        self._begin_stop()

    def _begin_stop(self, is_announced: bool = False) -> None:
        # Aside, so that heartbeats are answered however long the users take.
        if self._stopping is None or self._stopping.ready():
            self._stopping = self._spawn_aside(self._stop_test, is_announced)

    def _stop_test(self, is_announced: bool) -> None:
        self._has_begun.wait()
        self.stop()
        self._send_stats()
        if not is_announced:
            self._send("client_stopped", self._own_keys() or None)
            gevent.sleep(int(os.getenv("LOCUST_WORKER_ADDITIONAL_WAIT_BEFORE_READY_AFTER_STOP", "0")))
        self.worker_state = STATE_INIT
        if not is_announced:
            self._announce()

    def _on_quit_message(self, message: Message) -> None:
        logger.info("Got quit message from master, shutting down...")
        self._spawn_aside(self._quit_for_master)

    def _quit_for_master(self) -> None:
        self._has_begun.wait()
        self.quit()

    def quit(self) -> None:
        """Ends the users, reports once more and takes leave of the master."""
        self._is_quitting = True
        if self._stopping is not None and not self._stopping.ready():
            if self._is_awaited_by_stop():
                self._spawn_aside(self.quit)
                return
            self._stopping.join()
        self.stop()
        self._has_quit = True
        if self._leaving is None:
            # Aside, for the caller may be a user, which ends now.
            self._leaving = self._spawn_aside(self._take_leave)
        if gevent.getcurrent() is self._receiver:
            # A listener to a message called this, and the master still has something to say.
            self._receiver = self._spawn_own(self.worker)
        self._leaving.join()

    def _is_awaited_by_stop(self) -> bool:
        """Whether the caller is what the stop of a test waits for, and so cannot wait for that: a listener, or a user
        that ends."""
        current = gevent.getcurrent()
        return current in (self._stopping, self.spawning_greenlet) or any(map(_is_current, self.user_greenlets))

    def _take_leave(self) -> None:
        report = self._send_stats()
        self._await_master(report)
        self._send("quit", self._own_keys() or None)
        self.generator.close()
        self.greenlet.kill(block=True)

    def _await_master(self, report: Message) -> None:
        """Until the master has the last reports. A connection that is closed while bytes are on their way loses them as
        soon as the other side sends something: the kernel answers that with a reset."""
        if not self.connected:
            return
        # It is answered after the report was taken.
        self._send_heartbeat()
        reports = [one for _, one, _ in self._unconfirmed.values()] or [report]
        patience = _FAREWELL if self._is_own_master else _FAREWELL_OF_OTHERS
        patience += transit_of(sum(len(one.serialize()) for one in reports))
        begin = time.monotonic()
        while self._unconfirmed if self._is_own_master else self._unanswered_heartbeats:
            # Clients that programs and tests bring know of no connection.
            unconnected = getattr(self.client, "unconnected", 0.0)
            if self._is_run_kept and 0 < unconnected <= runners.MASTER_HEARTBEAT_TIMEOUT:
                # Another master is about to come in its place.
                begin = time.monotonic()
            # A master of ours that says what it has comes to the rest, too, once it has taken what others sent before.
            elif time.monotonic() > max(begin, self._told) + patience or unconnected > _LOST:
                requests = sum(count for _, _, count in self._unconfirmed.values())
                logger.warning(
                    "The master has not said that it has the last report of this worker%s",
                    f", so its totals may lack {requests} requests" * (requests > 0),
                )
                return
            self._was_heard.clear()
            self._was_heard.wait(_FAREWELL_LOOK)

    def _on_quitting(self, environment: Environment, **_kwargs: Any) -> None:
        self.quit()

    def _on_reconnect_message(self, message: Message) -> None:
        logger.warning("Received reconnect message from master. Resetting RPC connection.")
        self.reset_connection()

    def reset_connection(self) -> None:
        """Connects anew under the same name."""
        logger.info("Reset connection to master")
        self.client.close()
        try:
            self.client = self._connect()
        except RPCError as error:
            logger.error("%s", error)

    def _on_update_user_class_message(self, message: Message) -> None:
        self.environment.update_user_class(message.data)

    # Heartbeats

    def heartbeat(self) -> NoReturn:
        """Tells the master every second how this worker is."""
        while True:
            self._send_heartbeat()
            gevent.sleep(runners.HEARTBEAT_INTERVAL)

    def _send_heartbeat(self) -> None:
        self._unanswered_heartbeats += 1
        self._send(
            "heartbeat",
            {
                "state": self.worker_state,
                "current_cpu_usage": self.current_cpu_usage,
                "current_memory_usage": self.current_memory_usage,
                **self._own_keys(),
            },
        )

    def _own_keys(self) -> dict[str, Any]:
        """What only cload's masters are told."""
        if not self._is_own_master:
            return {}
        stats = self.stats
        return {
            OWN_KEY: 1,
            BEAT_KEY: _clock_us(),
            PENDING_KEY: stats.total.num_requests,
            NAMES_KEY: stats._count(),
            WIRE_KEY: self.generator.wire_report(),
        }

    def _on_heartbeat_message(self, message: Message) -> None:
        self.last_heartbeat_timestamp = time.time()
        self._unanswered_heartbeats = max(0, self._unanswered_heartbeats - 1)
        if message.data:
            self._confirm(message.data[NUMBER_KEY], message.data.get(BEAT_KEY, 0))
            self._report_pause = message.data.get(PAUSE_KEY, 0) / 1000
        self._was_heard.set()
        self.environment.events.heartbeat_received.fire(
            client_id=message.node_id, timestamp=self.last_heartbeat_timestamp
        )

    def _confirm(self, last: int, beat: int) -> None:
        """The master has the reports up to this one. Others that were sent before the heartbeat it answers were lost,
        and are sent again. However long it needs for what it has, it gets nothing twice because of that."""
        self._told = time.monotonic()
        for number, (sent, report, requests) in list(self._unconfirmed.items()):
            if number <= last:
                del self._unconfirmed[number]
                # The heartbeat that asked came up to an interval later.
                transit = self._told - sent / 1e6 - runners.HEARTBEAT_INTERVAL
                self._transit_pause = min(_PAUSE_PER_TRANSIT * transit, runners.MASTER_HEARTBEAT_TIMEOUT)
            elif sent < beat:
                self._send_numbered(number, report, requests)

    def heartbeat_timeout_checker(self) -> None:
        """Ends this worker when its master is gone for good, and announces it to one that came in its place."""
        announced = time.monotonic()
        heard, heard_at = self.last_heartbeat_timestamp, time.monotonic()
        connected = heard_at
        while True:
            gevent.sleep(1)
            now = time.monotonic()
            if self.last_heartbeat_timestamp != heard:
                heard, heard_at = self.last_heartbeat_timestamp, now
                connected = now
            elif now - heard_at > runners.MASTER_HEARTBEAT_TIMEOUT:
                logger.error("Didn't get heartbeat from master in over %ss", runners.MASTER_HEARTBEAT_TIMEOUT)
                self._spawn_aside(self.quit)
                return
            elif not self._has_quit and now - heard_at > _SILENCE and now - announced > runners.CONNECT_TIMEOUT:
                announced = now
                if self._is_own_master and now - connected > _DEAFNESS:
                    connected = now
                    self.reset_connection()
                self._announce()

    # Reports

    def stats_reporter(self) -> None:
        """Reports every WORKER_REPORT_INTERVAL seconds."""
        while self._leaving is None:
            self._send_stats()
            sent = time.monotonic()
            gevent.sleep(runners.WORKER_REPORT_INTERVAL)
            while self._leaving is None and self._is_holding(time.monotonic() - sent):
                gevent.sleep(runners.HEARTBEAT_INTERVAL)

    def _is_holding(self, age: float) -> bool:
        """Whether the next report has to wait, ``age`` seconds after the last one, because the master has not taken
        that or wants fewer of them. The statistics add up what it will tell."""
        if self._is_own_master:
            return bool(self._unconfirmed) or age < max(self._report_pause, self._transit_pause)
        heard = self.last_heartbeat_timestamp or 0.0
        return time.time() - heard > _HELD_INTERVALS * runners.WORKER_REPORT_INTERVAL + runners.HEARTBEAT_INTERVAL

    def _send_stats(self) -> Message:
        requests = self.stats.total.num_requests
        number = 0
        if self._is_own_master:
            self._last_number += 1
            number = self._last_number
        report = self._make_report(number, time.time())
        if number:
            self._send_numbered(number, report, requests)
        else:
            self._send_message(report)
        return report

    def _make_report(self, number: int, until: float) -> Message:
        hook, stats = self.environment.events.report_to_master, self._reported_stats
        # As long as nobody else listens, no dictionaries need to be built.
        if hook._handlers == [self._report_of_stats, self._on_report_to_master] and type(stats) is RequestStats:
            users, count = self.user_classes_count, self.user_count
            frame = stats._take_report(self.client_id, number, until, users, count)
            if frame is not None:
                return Message.of_frame("stats", frame, self.client_id)
        data: dict[str, Any] = {NUMBER_KEY: number, UNTIL_KEY: until} if number else {}
        hook.fire(client_id=self.client_id, data=data)
        return Message("stats", data, self.client_id)

    def _send_numbered(self, number: int, report: Message, requests: int) -> None:
        # Not sent yet: that may have to wait, and heartbeats go on.
        self._unconfirmed[number] = (math.inf, report, requests)
        self._send_message(report)
        if number in self._unconfirmed:
            self._unconfirmed[number] = (_clock_us(), report, requests)

    def _on_report_to_master(self, client_id: str, data: dict[str, Any]) -> None:
        data["user_classes_count"] = self.user_classes_count
        data["user_count"] = self.user_count

    def _on_user_error(self, user_instance: Any, exception: BaseException, tb: Any, **_kwargs: Any) -> None:
        # The master's business alone: it decides the exit status of the test, and a worker that did its work ends well.
        self._send("exception", {"msg": str(exception), "traceback": format_trace(tb)})

    def logs_reporter(self) -> None:
        """Sends the log while it grows slowly."""
        sent: list[str] = []
        while runners.WORKER_LOG_REPORT_INTERVAL >= 0:
            lines = log.get_logs()
            if lines != sent:
                is_too_much = self._count_new(sent, lines) > _MOST_LOG_LINES
                if is_too_much:
                    logger.warning(
                        "This worker logged more than %d log lines in one interval: the master gets no more of them",
                        _MOST_LOG_LINES,
                    )
                    lines = log.get_logs()
                self._send("logs", {"worker_id": self.client_id, "logs": lines})
                sent = lines
                if is_too_much:
                    return
            gevent.sleep(runners.WORKER_LOG_REPORT_INTERVAL)

    @staticmethod
    def _count_new(before: list[str], lines: list[str]) -> int:
        """Lines behind the last one of before, in a buffer that drops old ones."""
        for count, line in enumerate(reversed(lines)):
            if before and line == before[-1]:
                return count
        return len(lines)
