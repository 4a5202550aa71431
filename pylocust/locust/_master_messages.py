"""What a master does with each kind of message of its workers."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

import _cload
import gevent

# What user code may replace is looked up there.
from . import __version__, runners
from ._attendance import WatchedFleet
from ._distributed import (
    BEAT_KEY,
    KEEP_KEY,
    NAMES_KEY,
    NUMBER_KEY,
    OWN_KEY,
    PAUSE_KEY,
    PENDING_KEY,
    REGISTER,
    STATE_KEY,
    UNTIL_KEY,
    Taken,
)
from ._generator import WIRE_KEY
from ._messages import check_logs, read_exception, read_heartbeat, read_user_counts
from .exception import RPCError, RPCReceiveError
from .rpc import Message
from .rpc.zmqrpc import RPCRefusedError
from .runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING
from .util.url import is_url

if TYPE_CHECKING:
    from ._worker_nodes import WorkerNode
    from .env import Environment

logger = logging.getLogger("locust.runners")

_REPORT_KEYS = ("stats", "stats_total", "errors")
_REGISTER_PAUSE = 2.0
_STRANGERS_PAUSE = 30.0


class ListeningFleet(WatchedFleet):
    """Takes the messages of workers."""

    def __init__(self, environment: Environment, master_bind_host: str, master_bind_port: int) -> None:
        super().__init__(environment, master_bind_host, master_bind_port)
        self._asked_to_register: dict[str, float] = {}
        # Those that stopped and are not ready again: real Locust's are so for the stop timeout, and then report.
        self._returning: dict[str, WorkerNode] = {}
        self._listener: gevent.Greenlet[..., Any] | None = None
        # When a message was last done with.
        self._taken_at = 0.0
        self._strange_messages = 0
        self._strangers_due = 0.0
        reports = environment.events.worker_report
        reports.add_listener(self._on_worker_report)
        # That of the statistics, which was registered last but one, and this one.
        self._own_report_listeners = reports._handlers[-2:]

    def client_listener(self) -> None:
        """Takes messages for as long as the runner lives, or until `_go_on_listening` has another greenlet do it."""
        self._listener = me = gevent.getcurrent()
        while self._listener is me:
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
            self._taken_at = time.monotonic()
            self.check_stopped()

    def _go_on_listening(self) -> None:
        """Before this greenlet waits for messages of workers: those that listeners wait for, which messages call, are
        taken by another one."""
        if self._listener is gevent.getcurrent():
            self._listener = None
            self._spawn_own(self.client_listener)

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

    # Who is there

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
        if self._kept is not None:
            ack[STATE_KEY] = 1
        was_running = self._kept is not None and self._kept.is_awaited(client_id)
        if was_running or (client_id in self.clients and client_id in self._taken):
            # It was running before this process was, or has not heard of it for a while (ours announce themselves again
            # then) and goes on with its users: its next heartbeat lists it again.
            self._send("ack", ack | {KEEP_KEY: True}, client_id)
            return
        self._send("ack", ack, client_id)
        self.environment.events.worker_connect.fire(client_id=client_id)
        node = runners.WorkerNode(client_id, heartbeat_liveness=runners.HEARTBEAT_LIVENESS)
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
        self._returning[node.id] = runners.WorkerNode(node.id, heartbeat_liveness=runners.HEARTBEAT_LIVENESS)
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
        self._send("heartbeat", self._answer_of(node, data), node.id)
        if was_missing:
            self.losses.is_back(node.id)
            logger.info("Worker %s self-healed with heartbeat, setting state to %s.", node.id, state)
            self._add_to_dispatch(node)

    def _answer_of(self, node: WorkerNode, heartbeat: dict[str, Any]) -> dict[str, Any] | None:
        """What a heartbeat is answered with; DST-30: workers that are not ours get nothing."""
        if OWN_KEY not in heartbeat:
            return None
        taken = self._taken.get(node.id)
        answer: dict[str, Any] = {NUMBER_KEY: taken.last if taken else 0}
        if isinstance(heartbeat.get(BEAT_KEY), int):
            answer[BEAT_KEY] = heartbeat[BEAT_KEY]
        if self.backlog.pause:
            answer[PAUSE_KEY] = int(1000 * self.backlog.pause)
        return answer

    def _hear_generator(self, message: Message) -> None:
        if isinstance(message.data, dict):
            self.generator.hear(message.node_id, message.data.get(WIRE_KEY))

    def _on_quit_message(self, message: Message) -> None:
        self._returning.pop(message.node_id, None)
        node = self.clients.pop(message.node_id, None)
        if node is None:
            return
        self._hear_generator(message)
        # Its last report came before this.
        self.losses.is_back(node.id)
        if self._kept is not None:
            self._kept.note_leave(node.id)
        index = self.get_worker_index(node.id)
        logger.info("Worker %r (index %d) quit. %d workers ready.", node.id, index, len(self.clients.ready))
        self._remove_from_dispatch(node)
        self._check_any_left("quit")

    # Users

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

    # What they measured

    def _on_stats_message(self, message: Message) -> None:
        node = self.clients.get(message.node_id)
        if node is not None and node.state != STATE_MISSING:
            # While this process is behind, a heartbeat may be far behind the report.
            node.heartbeat = runners.HEARTBEAT_LIVENESS
        frame = message.unread_frame
        number = _cload.report_number(frame) if frame is not None else message.data.get(NUMBER_KEY)
        if number and not self._taken.setdefault(message.node_id, Taken()).note(number):
            return  # sent again, because the confirmation was late
        hook = self.environment.events.worker_report
        before = self.stats.total.num_requests
        if frame is not None and hook._handlers == self._own_report_listeners:
            # Nobody else listens, so no dictionaries need to be built.
            counts, until = _cload.merge_report(self.stats, frame)
            self._note_users(message.node_id, counts)
        else:
            missing = [key for key in _REPORT_KEYS if key not in message.data]
            if missing:
                logger.error("The report of %s lacks %s", message.node_id, missing)
                return
            # Old workers of others do not tell how many users they have.
            if message.data.get("user_classes_count") is not None:
                read_user_counts(message.data["user_classes_count"])
            until = message.data.get(UNTIL_KEY) or message.data["stats_total"].get("last_request_timestamp")
            hook.fire(client_id=message.node_id, data=message.data)
        self.losses.report(message.node_id, self.stats.total.num_requests - before)
        self.backlog.note_report(message.node_id, until)
        if self._kept is not None:
            self._kept.note_report(message.node_id, number or 0, frame or message.serialize())

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

    # What they run

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
