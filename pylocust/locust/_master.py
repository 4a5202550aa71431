"""The runner that directs workers."""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

import _cload
import gevent

from . import __version__, runners
from ._distributed import (
    KEEP_KEY,
    NAME_BYTES,
    NAMES_KEY,
    NUMBER_KEY,
    OWN_KEY,
    PENDING_KEY,
    REGISTER,
    DistributedRunner,
    Taken,
    secret_of,
    transit_of,
)
from ._generator import WIRE_KEY
from ._losses import Losses
from ._messages import check_logs, read_exception, read_heartbeat, read_user_counts
from ._resume import KeptRun
from ._state import StateError
from ._worker_nodes import WorkerNode, WorkerNodes
from .exception import RPCError, RPCReceiveError, RPCSendError
from .rpc import Message, rpc
from .rpc.zmqrpc import RPCRefusedError, Server
from .runners import (
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    _aggregate_dispatched_users,
    _format_user_classes_count_for_log,
)
from .util.url import is_url

if TYPE_CHECKING:
    from .env import Environment
    from .user.users import User

logger = logging.getLogger("locust.runners")

_REPORT_KEYS = ("stats", "stats_total", "errors")
# Seconds a worker has beyond its stop timeout to send its last report.
_LAST_REPORT_WAIT = 5.0
# Seconds that workers which have stopped may take to be ready again.
_RETURN_WAIT = 1.0
# Seconds in which a connection that a worker closed is still read from.
_FAREWELL = 0.5
# While this process is behind with its messages, every so many seconds count.
_SLOWLY = 4
_REGISTER_PAUSE = 2.0
_STRANGERS_PAUSE = 30.0
# Names in one line of the log.
_NAMED = 8
_NOT_ALL_REPORTED = "Spawning is complete and report waittime is expired, but not all reports received from workers"
# Options that are nobody else's business.
_KEPT_OPTIONS = ("master_secret", "master_state")


@functools.cache
def _wait_for_workers_report_after_ramp_up() -> float:
    """Seconds to wait at most for the workers' counts after a ramp."""
    text = os.getenv("LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP", "")
    if not text:
        return 1.0
    match = re.fullmatch(r"\s*(?P<factor>\d+(\.\d+)?)\s*(?P<unit>\*\s*WORKER_REPORT_INTERVAL)?\s*", text)
    if match is None:
        raise ValueError(
            "LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP is a number of seconds or"
            f" '<number> * WORKER_REPORT_INTERVAL', not {text!r}"
        )
    return float(match["factor"]) * (runners.WORKER_REPORT_INTERVAL if match["unit"] else 1)


class MasterRunner(DistributedRunner):
    """Directs workers: says who runs how many users, and adds up what they report."""

    _wait_for_workers_report_after_ramp_up = staticmethod(_wait_for_workers_report_after_ramp_up)

    def __init__(self, environment: Environment, master_bind_host: str, master_bind_port: int) -> None:
        super().__init__(environment)
        self.worker_cpu_warning_emitted = False
        self.master_bind_host = master_bind_host
        self.master_bind_port = master_bind_port
        self.spawn_rate: float = 0
        self.spawning_completed = False
        self.clients = WorkerNodes()
        self._indexes: dict[str, int] = {}
        self._asked_to_register: dict[str, float] = {}
        self._taken: dict[str, Taken] = {}
        # Those that stopped and are not ready again: real Locust's are so for the stop timeout, and then report.
        self._returning: dict[str, WorkerNode] = {}
        self._names: dict[str, int] = {}
        self.losses = Losses()
        self._is_quitting = False
        self._seconds_behind = 0
        self._strange_messages = 0
        self._strangers_due = 0.0
        self._rebalancing: gevent.Greenlet[..., Any] | None = None
        self._is_rebalance_due = False
        # Grows with each ramp: one that was replaced sees it and ends.
        self._ramp = 0
        try:
            self.server = self._listen()
        except RPCError as error:
            logger.error(
                "The Locust master port (%s:%s) was busy or cannot be used: %s",
                master_bind_host,
                master_bind_port,
                error,
            )
            sys.exit(1)
        self._say_who_can_join()
        self._kept = self._open_state()
        reports = environment.events.worker_report
        reports.add_listener(self._on_worker_report)
        # That of the statistics, which was registered last but one, and this one.
        self._own_report_listeners = reports._handlers[-2:]
        environment.events.quitting.add_listener(self._on_quitting)
        self._spawn_own(self.heartbeat_worker)
        self._spawn_own(self.client_listener)

    def _listen(self) -> Server:
        # Looked up in the module: programs and tests put classes of their own there, which know of no secret.
        secret = secret_of(self.environment)
        more = (secret,) if secret else ()
        return rpc.Server(self.master_bind_host, self.master_bind_port, *more)

    def _say_who_can_join(self) -> None:
        host = self.master_bind_host
        where = "all interfaces" if host in ("*", "0.0.0.0", "::") else host
        who = (
            "messages are encrypted, and only who knows the secret can join"
            if secret_of(self.environment)
            else "whoever can reach that can join (--master-secret changes it)"
        )
        port = self.master_bind_port or getattr(self.server, "port", 0)
        logger.info("Listening for workers on %s, port %d: %s", where, port, who)

    def _open_state(self) -> KeptRun | None:
        path = getattr(self.environment.parsed_options, "master_state", None)
        if not path:
            return None
        try:
            return KeptRun(path, self)
        except StateError as error:
            logger.error("%s", error)
            sys.exit(1)

    def resume(self) -> float | None:
        """Goes on with a run that another process began, if --master-state has one: seconds since its begin."""
        if self._kept is None or not self._kept.has_run:
            return None
        logger.info("Going on with the test that began %.0f s ago", self._kept.elapsed)
        self.update_state(STATE_SPAWNING)
        self._kept.resume_charts()
        self.environment.events.test_start.fire(environment=self.environment)
        self._spawn_aside(self._kept.resume)
        return self._kept.elapsed

    @property
    def user_count(self) -> int:
        """Users that the workers reported."""
        return sum(node.user_count for node in self.clients.all)

    @property
    def worker_count(self) -> int:
        """Workers that take part or could."""
        return len(self.clients.ready) + len(self.clients.spawning) + len(self.clients.running)

    @property
    def reported_user_classes_count(self) -> dict[str, int]:
        """Users that the workers reported, by the name of their class."""
        return _aggregate_dispatched_users({node.id: node.user_classes_count for node in self.clients.all})

    def cpu_log_warning(self) -> bool:
        was_short = super().cpu_log_warning()
        if self.worker_cpu_warning_emitted:
            logger.warning(
                "CPU usage threshold was exceeded on workers during the test: measured times may be too long. See above"
            )
        return was_short or self.worker_cpu_warning_emitted

    def get_worker_index(self, client_id: str) -> int:
        """The number of a worker, counted by first contact; a worker that comes back has the same."""
        return self._indexes.setdefault(client_id, len(self._indexes))

    def _present(self) -> list[WorkerNode]:
        return [node for node in self.clients.all if node.state != STATE_MISSING]

    def _send(self, kind: str, data: Any, client_id: str) -> None:
        try:
            self.server.send_to_client(Message(kind, data, client_id))
        except RPCSendError as error:
            logger.error("%s", error)

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        """Sends to one worker, or to all."""
        receivers = [client_id] if client_id else list(self.clients)
        for receiver in receivers:
            logger.debug("Sending %s to %s", msg_type, receiver)
            self.server.send_to_client(Message(msg_type, data, receiver))

    # A test

    def start(
        self, user_count: int, spawn_rate: float, wait: bool = False, user_classes: list[type[User]] | None = None
    ) -> None:
        """Takes the workers to a number of users; returns when they are there."""
        workers = self._present()
        if not workers:
            logger.warning("You can't start a distributed test before a worker has connected")
            return
        environment = self.environment
        if environment.host:
            # Nobody runs here, but listeners look at it.
            for user_class in self.user_classes:
                user_class.host = environment.host
        self.spawning_completed = False
        self.target_user_count = user_count
        self.spawn_rate = spawn_rate
        if self.state not in (STATE_RUNNING, STATE_SPAWNING):
            self._begin_test(workers)
        if self._users_dispatcher is None:
            self._users_dispatcher = environment.dispatcher_class(worker_nodes=workers, user_classes=self.user_classes)
        if spawn_rate > 100 * len(workers):
            logger.warning(
                "The spawn rate is very high (>100/worker), a lot for most systems under test: is that intended?"
            )
        logger.info(
            "Sending spawn jobs of %d users at %.2f spawn rate to %d ready workers",
            user_count,
            spawn_rate,
            len(workers),
        )
        self.update_state(STATE_SPAWNING)
        if self._kept is not None:
            self._kept.note_target()
        self._users_dispatcher.new_dispatch(user_count, spawn_rate, user_classes)
        self._follow_dispatcher()

    def _begin_test(self, workers: list[WorkerNode]) -> None:
        for node in workers:
            node.cpu_warning_emitted = False
        self._users_dispatcher = None
        self.losses.begin()
        self._begin_run()
        if self._kept is not None:
            self._kept.begin()

    def _follow_dispatcher(self) -> None:
        """Sends what each step of the dispatcher says, until it is done or another ramp has begun."""
        self._ramp += 1
        ramp = self._ramp
        options = self._forwarded_options()
        step: dict[str, dict[str, int]] = {}
        assert self._users_dispatcher is not None
        for step in self._users_dispatcher:
            if ramp != self._ramp or self.state not in (STATE_SPAWNING, STATE_RUNNING):
                return
            for client_id, counts in step.items():
                self._send(
                    "spawn",
                    {
                        "timestamp": time.time(),
                        "user_classes_count": counts,
                        "host": self.environment.host,
                        "stop_timeout": self.environment.stop_timeout,
                        "parsed_options": options,
                    },
                    client_id,
                )
        self.target_user_classes_count = _aggregate_dispatched_users(step)
        deadline = time.monotonic() + self._wait_for_workers_report_after_ramp_up()
        # Adding up what thousands report takes some milliseconds.
        pause = 0.01 + 5e-5 * len(self.clients)
        while self.reported_user_classes_count != self.target_user_classes_count and time.monotonic() < deadline:
            gevent.sleep(pause)
        if ramp != self._ramp or self.state not in (STATE_SPAWNING, STATE_RUNNING):
            return
        total = sum(self.target_user_classes_count.values())
        self.environment.events.spawning_complete.fire(user_count=total)
        self.spawning_completed = True
        if self._kept is not None:
            self._kept.note_target()
        for node in self._present():
            self._send("spawning_complete", {"user_count": total}, node.id)
        reported = self.reported_user_classes_count
        logger.info(
            "%s: %s",
            "All users spawned" if reported == self.target_user_classes_count else _NOT_ALL_REPORTED,
            _format_user_classes_count_for_log(reported),
        )

    def _forwarded_options(self) -> dict[str, Any]:
        """The options that workers get: all that a message can hold."""
        options = vars(self.environment.parsed_options) if self.environment.parsed_options else {}
        forwarded = {}
        for name, value in options.items():
            if name in _KEPT_OPTIONS:
                continue
            try:
                Message("", value, "").serialize()
            except (TypeError, ValueError, OverflowError) as error:
                logger.warning("Workers do not get the option %s: %s", name, error)
            else:
                forwarded[name] = value
        return forwarded

    def _rebalance(self) -> None:
        """Spreads the users over the workers that are there now."""
        dispatcher = self._users_dispatcher
        if dispatcher is None or self.state not in (STATE_RUNNING, STATE_SPAWNING) or not self._present():
            return
        if dispatcher.dispatch_in_progress and not self.spawning_completed:
            return  # the ramp that is under way does it with its next step
        # Of many workers that come and go at once, each would have a message sent to all others.
        self._is_rebalance_due = True
        if self._rebalancing is None or self._rebalancing.ready():
            self._rebalancing = self._spawn_aside(self._keep_rebalancing)

    def _keep_rebalancing(self) -> None:
        while self._is_rebalance_due and self.state in (STATE_RUNNING, STATE_SPAWNING):
            self._is_rebalance_due = False
            self.start(self.target_user_count, self.spawn_rate)

    def _add_to_dispatch(self, node: WorkerNode) -> None:
        if self._users_dispatcher is not None:
            self._users_dispatcher.add_worker(node)
            self._rebalance()

    def _remove_from_dispatch(self, node: WorkerNode, is_rebalanced: bool = True) -> None:
        if self._users_dispatcher is not None:
            self._users_dispatcher.remove_worker(node)
            if is_rebalanced:
                self._rebalance()

    def _sender(self, message: Message) -> str:
        return f"worker {message.node_id}"

    def rebalancing_enabled(self) -> bool:
        """Whether users are spread anew when workers come or go."""
        return bool(getattr(self.environment.parsed_options, "enable_rebalancing", False))

    def stop(self, send_stop_to_client: bool = True) -> None:
        """Stops the test on all workers."""
        if self.state in (STATE_INIT, STATE_STOPPED, STATE_STOPPING):
            return
        logger.debug("Stopping...")
        environment = self.environment
        environment.events.test_stopping.fire(environment=environment)
        self.final_user_classes_count = self.reported_user_classes_count
        self.update_state(STATE_STOPPING)
        self._ramp += 1
        if environment.shape_class is not None and self.shape_greenlet is not gevent.getcurrent():
            if self.shape_greenlet is not None:
                self.shape_greenlet.kill(block=True)
                self.shape_greenlet = None
            self.shape_last_tick = None
        self._users_dispatcher = None
        if send_stop_to_client:
            told = list(self.clients)
            for client_id in told:
                logger.debug("Sending stop to %s", client_id)
                self._send("stop", None, client_id)
            deadline = time.monotonic() + (environment.stop_timeout or 0.0) + 60
            while self.user_count > 0 and time.monotonic() < deadline:
                gevent.sleep(0.1)
            # Who starts the next test right after this one gets all workers: they announce themselves at once.
            deadline = min(deadline, time.monotonic() + _RETURN_WAIT)
            while time.monotonic() < deadline and any(client_id not in self.clients for client_id in told):
                gevent.sleep(0.02)
            if self.user_count > 0:
                logger.error("Timeout waiting for all workers to stop: they still report %d users", self.user_count)
        self.generator.end()
        self.cpu_log_warning()
        if send_stop_to_client:
            self.losses.say()
        environment.events.test_stop.fire(environment=environment)
        self.check_stopped()
        if self._kept is not None:
            self._kept.end()

    def check_stopped(self) -> None:
        """Ends the stopping once all workers have, or are lost."""
        ended = (STATE_INIT, STATE_MISSING)
        # As with Locust, which ends a headless run before it comes to this: listeners to quitting see the state.
        is_headless = getattr(self.environment.parsed_options, "headless", False)
        is_stopping = self.state == STATE_STOPPING and not (self._is_quitting and is_headless)
        has_ended = is_stopping and all(node.state in ended for node in self.clients.all)
        # Nor is it ready for a test once the workers that were there have left.
        is_left = self.state == STATE_INIT and not self._present()
        if has_ended or is_left:
            self.update_state(STATE_STOPPED)

    def quit(self) -> None:
        """Ends the test and all workers."""
        self._is_quitting = True
        self.stop(send_stop_to_client=False)
        logger.debug("Quitting...")
        for node in self._returning.values():
            self.clients[node.id] = node
        waiting = self._present()
        for client_id in list(self.clients):
            logger.debug("Sending quit to %s", client_id)
            self._send("quit", None, client_id)
        late = self._await_last_reports(waiting)
        if late:
            logger.warning(
                "No last report came from %d workers (%s): what they measured since the one before is missing",
                len(late),
                ", ".join([node.id for node in late[:_NAMED]] + ["..."] * (len(late) > _NAMED)),
            )
        for node in late:
            if node.state != STATE_MISSING:
                self._note_loss(node.id)
            del self.clients[node.id]
        self.generator.close()
        self.losses.say()
        self.losses.begin()
        self.greenlet.kill(block=True)

    def _await_last_reports(self, waiting: list[WorkerNode]) -> list[WorkerNode]:
        """Workers report once more, and then say that they quit: nothing they measured is lost. Returns those that did
        not. Of those that are not ours (boomer) some close their connection without a word, and need not be waited
        for."""
        now = time.monotonic()
        # The last report, and one that is on its way already.
        names = max((self._names.get(node.id, 0) for node in waiting), default=0)
        transit = transit_of(2 * names * NAME_BYTES)
        deadline = now + (self.environment.stop_timeout or 0.0) + _LAST_REPORT_WAIT + transit
        look = now + _FAREWELL
        silent: list[WorkerNode] = []
        while waiting and now < deadline:
            gevent.sleep(0.02)
            now = time.monotonic()
            waiting = [node for node in waiting if node.id in self.clients]
            if now >= look:
                look = now + _FAREWELL
                silent += [node for node in waiting if node.id not in self._taken and not self._is_connected(node)]
                waiting = [node for node in waiting if node not in silent]
        return [node for node in (*waiting, *silent) if node.id in self.clients]

    def _on_quitting(self, environment: Environment, **_kwargs: Any) -> None:
        self.quit()

    # What comes from workers

    def client_listener(self) -> NoReturn:
        """Takes messages for as long as the runner lives."""
        while True:
            try:
                sender, message = self.server.recv_from_client()
            except RPCRefusedError as error:
                logger.error("%s", error)
                continue
            except RPCReceiveError as error:
                if error.addr in self.clients:
                    logger.error("RPCError when receiving from client: %s. Will reset client %s.", error, error.addr)
                    self._send("reconnect", None, error.addr)
                else:
                    self._note_stranger(error)
                continue
            except RPCError as error:
                if not self.connection_broken:
                    logger.error("%s", error)
                    self.connection_broken = True
                gevent.sleep(runners.FALLBACK_INTERVAL)
                continue
            message.node_id = sender
            self.handle_message(sender, message)
            self.check_stopped()

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Does what a worker wants."""
        self._take(msg)

    def _note_stranger(self, error: RPCReceiveError) -> None:
        """Said now and then, for strangers may send as much as they like."""
        self._strange_messages += 1
        now = time.monotonic()
        if now >= self._strangers_due:
            self._strangers_due = now + _STRANGERS_PAUSE
            logger.error(
                "Unrecognized message detected: %s from %.100s (%d so far)", error, error.addr, self._strange_messages
            )

    def _on_client_ready_message(self, message: Message) -> None:
        client_id = message.node_id
        if not message.data:
            logger.error("An old (pre 2.0) worker tried to connect (%s), and is not taken", client_id)
            return
        if message.data != -1 and message.data != __version__:
            is_near = str(message.data)[:4] == __version__[:4]
            logger.log(
                logging.DEBUG if is_near else logging.WARNING,
                "A worker (%s) running a different version (%s) connected, master version is %s",
                client_id,
                message.data,
                __version__,
            )
        index = self.get_worker_index(client_id)
        ack = {"index": index, OWN_KEY: 1}
        was_running = self._kept is not None and self._kept.is_awaited(client_id)
        if was_running or (client_id in self.clients and client_id in self._taken):
            # It was running before this process was, or has not heard of it for a while (ours announce themselves again
            # then) and goes on with its users: its next heartbeat lists it again.
            self._send("ack", ack | {KEEP_KEY: True}, client_id)
            return
        self._send("ack", ack, client_id)
        self.environment.events.worker_connect.fire(client_id=client_id)
        node = WorkerNode(client_id, heartbeat_liveness=runners.HEARTBEAT_LIVENESS)
        self.clients[client_id] = node
        self._returning.pop(client_id, None)
        logger.info("%s (index %d) reported as ready. %d workers connected.", client_id, index, self.worker_count)
        self._add_to_dispatch(node)

    def _on_client_stopped_message(self, message: Message) -> None:
        node = self.clients.pop(message.node_id, None)
        if node is None:
            return
        self._hear_generator(message)
        logger.info("%s (index %d) reported that it has stopped", node.id, self.get_worker_index(node.id))
        self._returning[node.id] = WorkerNode(node.id, heartbeat_liveness=runners.HEARTBEAT_LIVENESS)
        self._remove_from_dispatch(node)

    def _on_heartbeat_message(self, message: Message) -> None:
        node = self.clients.get(message.node_id)
        data = message.data
        if node is None:
            logging.debug("Got heartbeat message from unknown worker %s", message.node_id)
            now = time.monotonic()
            if OWN_KEY in data and now - self._asked_to_register.get(message.node_id, -60) > _REGISTER_PAUSE:
                self._asked_to_register[message.node_id] = now
                self._send(REGISTER, None, message.node_id)
            return
        state, cpu_usage, memory_usage = read_heartbeat(data)
        node.heartbeat = runners.HEARTBEAT_LIVENESS
        self.losses.hear(node.id, data.get(PENDING_KEY))
        self._names[node.id] = data.get(NAMES_KEY, 0)
        was_missing = node.state == STATE_MISSING
        node.state = state
        node.cpu_usage = cpu_usage
        node.memory_usage = memory_usage
        self._hear_generator(message)
        if cpu_usage > runners.CPU_WARNING_THRESHOLD and not node.cpu_warning_emitted:
            node.cpu_warning_emitted = True
            self.worker_cpu_warning_emitted = True
            logger.warning(
                "Worker %s (index %d) exceeded cpu threshold: %s%% of a core (said once per test)",
                node.id,
                self.get_worker_index(node.id),
                runners.CPU_WARNING_THRESHOLD,
            )
        self.environment.events.heartbeat_sent.fire(client_id=node.id, timestamp=time.time())
        taken = self._taken.get(node.id) if OWN_KEY in data else None
        self._send("heartbeat", {NUMBER_KEY: taken.last} if taken else None, node.id)
        if was_missing:
            self.losses.is_back(node.id)
            logger.info("Worker %s self-healed with heartbeat, setting state to %s.", node.id, state)
            self._add_to_dispatch(node)

    def _hear_generator(self, message: Message) -> None:
        if isinstance(message.data, dict):
            self.generator.hear(message.node_id, message.data.get(WIRE_KEY))

    def _on_spawning_message(self, message: Message) -> None:
        node = self._known(message)
        # One that is missing may obey what it was told long ago: its next heartbeat makes it one of the others again.
        if node is not None and node.state != STATE_MISSING:
            node.state = STATE_SPAWNING

    def _on_spawning_complete_message(self, message: Message) -> None:
        node = self._known(message)
        if node is not None and node.state != STATE_MISSING:
            node.user_classes_count = read_user_counts(message.data["user_classes_count"])
            node.state = STATE_RUNNING

    def _known(self, message: Message) -> WorkerNode | None:
        """The worker that sent a message; one that was forgotten cannot go on with its users."""
        node = self.clients.get(message.node_id)
        if node is None:
            logger.warning(
                "Got %s message from unknown worker %s. Asking worker to quit.", message.type, message.node_id
            )
            self._send("quit", None, message.node_id)
        return node

    def _on_stats_message(self, message: Message) -> None:
        frame = message.unread_frame
        number = _cload.report_number(frame) if frame is not None else message.data.get(NUMBER_KEY)
        if number and not self._taken.setdefault(message.node_id, Taken()).note(number):
            return  # sent again, because the confirmation was late
        hook = self.environment.events.worker_report
        before = self.stats.total.num_requests
        if frame is not None and hook._handlers == self._own_report_listeners:
            # Nobody else listens, so no dictionaries need to be built.
            counts = _cload.merge_report(self.stats, frame)
            self._note_users(message.node_id, counts)
        else:
            missing = [key for key in _REPORT_KEYS if key not in message.data]
            if missing:
                logger.error("The report of %s lacks %s", message.node_id, missing)
                return
            # Old workers of others do not tell how many users they have.
            if message.data.get("user_classes_count") is not None:
                read_user_counts(message.data["user_classes_count"])
            hook.fire(client_id=message.node_id, data=message.data)
        self.losses.report(message.node_id, self.stats.total.num_requests - before)
        if self._kept is not None:
            self._kept.note_report(message.node_id, number or 0, frame or message.serialize())

    def _note_loss(self, client_id: str) -> None:
        if self.state in (STATE_SPAWNING, STATE_RUNNING, STATE_STOPPING):
            self.losses.note(client_id)

    def _on_worker_report(self, client_id: str, data: dict[str, Any]) -> None:
        self._note_users(client_id, data.get("user_classes_count"))

    def _note_users(self, client_id: str, counts: dict[str, int] | None) -> None:
        node = self.clients.get(client_id)
        if node is None:
            logger.info("Discarded user counts in the report from unrecognized worker %s", client_id)
        elif node.state != STATE_MISSING and counts is not None:
            node.user_classes_count = read_user_counts(counts)

    def _on_exception_message(self, message: Message) -> None:
        self.log_exception(message.node_id, *read_exception(message.data))
        if self._kept is not None:
            self._kept.note_exception(message)

    def _on_logs_message(self, message: Message) -> None:
        self.environment.update_worker_logs(check_logs(message.data))

    def _on_quit_message(self, message: Message) -> None:
        self._returning.pop(message.node_id, None)
        node = self.clients.pop(message.node_id, None)
        if node is None:
            return
        self._hear_generator(message)
        # Its last report came before this.
        self.losses.is_back(node.id)
        index = self.get_worker_index(node.id)
        logger.info("Worker %r (index %d) quit. %d workers ready.", node.id, index, len(self.clients.ready))
        self._remove_from_dispatch(node)
        self._check_any_left("quit")

    def _check_any_left(self, how: str) -> None:
        if self._present():
            return
        logger.info("The last worker %s, stopping test.", how)
        if self.state not in (STATE_SPAWNING, STATE_RUNNING):
            return
        is_headless = getattr(self.environment.parsed_options, "headless", False)
        self._spawn_aside(self.quit if is_headless and how == "quit" else self.stop)

    def _on_locustfile_message(self, message: Message) -> None:
        version = message.data.get("version")
        logger.debug("%s (version %s) asks for the locustfile", message.node_id, version)
        files: list[Any] = []
        try:
            options = self.environment.parsed_options
            given = str(getattr(options, "locustfile", "")).split(",")
            urls = [path.strip() for path in given if is_url(path.strip())]
            files += urls
            if not urls:
                for path in self.environment.parsed_locustfiles or []:
                    with open(path, encoding="utf-8") as file:
                        files.append({"filename": os.path.basename(path), "contents": file.read()})
            data: dict[str, Any] = {"locustfiles": files}
            if not files:
                data = {"error": "The master has no locustfile"}
        except OSError as error:
            data = {"error": f"The master cannot read its locustfile: {error}"}
        self._send("locustfile", data, message.node_id)

    # Who is there

    def heartbeat_worker(self) -> NoReturn:
        """Counts how long it is that workers were heard of."""
        while True:
            gevent.sleep(runners.HEARTBEAT_INTERVAL)
            if self.connection_broken:
                self.reset_connection()
                continue
            if self._kept is not None:
                self._kept.tick()
            if self._is_quitting or self._is_behind():
                # A last report may keep heartbeats waiting behind it.
                continue
            for node in list(self.clients.all):
                if node.heartbeat < runners.HEARTBEAT_DEAD_INTERNAL:
                    self._forget(node)
                elif node.state != STATE_MISSING and (node.heartbeat < 0 or self._is_lost(node)):
                    self._miss(node)
                node.heartbeat -= 1

    def _is_behind(self) -> bool:
        """Whether heartbeats may be among the messages that have not been looked at: that is no worker's fault. A
        master that is behind for long counts on, but slowly."""
        has_caught_up = getattr(self.server, "has_caught_up", None)
        if has_caught_up is None or has_caught_up():
            self._seconds_behind = 0
        else:
            self._seconds_behind += 1
        return self._seconds_behind % _SLOWLY > 0

    def _is_lost(self, node: WorkerNode) -> bool:
        """Whether a worker that is overdue is not even connected: its users can be moved before more time is lost."""
        is_overdue = node.heartbeat < runners.HEARTBEAT_LIVENESS
        return is_overdue and self.rebalancing_enabled() and not self._is_connected(node)

    def _is_connected(self, node: WorkerNode) -> bool:
        try:
            return self.server.send_to_client(Message("heartbeat", None, node.id)) is not False
        except RPCSendError:
            return True

    def _miss(self, node: WorkerNode) -> None:
        logger.info("Worker %s failed to send heartbeat, setting state to missing.", node.id)
        self._note_loss(node.id)
        node.state = STATE_MISSING
        node.user_classes_count = {}
        # It gets no users in any case, whenever they are spread anew.
        self._remove_from_dispatch(node, self.rebalancing_enabled())
        self._check_any_left("went missing")

    def _forget(self, node: WorkerNode) -> None:
        logger.info("Worker %s did not come back and is forgotten", node.id)
        if self.clients.pop(node.id, None) is not None:
            self._remove_from_dispatch(node)
            self.check_stopped()

    def reset_connection(self) -> None:
        """Listens anew."""
        logger.info("Resetting RPC server and all worker connections")
        try:
            self.server.close()
            self.server = self._listen()
            self.connection_broken = False
        except RPCError as error:
            logger.error("%s", error)
