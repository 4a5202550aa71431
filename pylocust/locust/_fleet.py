"""The workers of a master: who they are, and how they are reached."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

# What user code may replace is looked up there.
from . import runners
from ._backlog import Backlog
from ._distributed import DistributedRunner, Taken, secret_of
from ._losses import Losses
from .exception import RPCError, RPCSendError
from .rpc import Message, rpc
from .runners import STATE_MISSING, _aggregate_dispatched_users

if TYPE_CHECKING:
    from ._worker_nodes import WorkerNode
    from .env import Environment
    from .rpc.zmqrpc import Server

logger = logging.getLogger("locust.runners")


class Fleet(DistributedRunner):
    """Listens for workers, and knows those that there are."""

    def __init__(self, environment: Environment, master_bind_host: str, master_bind_port: int) -> None:
        super().__init__(environment)
        self.worker_cpu_warning_emitted = False
        self.master_bind_host = master_bind_host
        self.master_bind_port = master_bind_port
        self.clients = runners.WorkerNodes()
        self._indexes: dict[str, int] = {}
        # Which of their reports were taken, and how many names their statistics have.
        self._taken: dict[str, Taken] = {}
        self._names: dict[str, int] = {}
        self.losses = Losses()
        self.backlog = Backlog(self)
        self._is_quitting = False
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

    def reset_connection(self) -> None:
        """Listens anew."""
        logger.info("Resetting RPC server and all worker connections")
        try:
            self.server.close()
            self.server = self._listen()
            self.connection_broken = False
        except RPCError as error:
            logger.error("%s", error)

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

    def rebalancing_enabled(self) -> bool:
        """Whether users are spread anew when workers come or go."""
        return bool(getattr(self.environment.parsed_options, "enable_rebalancing", False))

    def _present(self) -> list[WorkerNode]:
        return [node for node in self.clients.all if node.state != STATE_MISSING]

    def _is_connected(self, node: WorkerNode) -> bool:
        try:
            return self.server.send_to_client(Message("heartbeat", None, node.id)) is not False
        except RPCSendError:
            return True

    def _sender(self, message: Message) -> str:
        return f"worker {message.node_id}"

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
