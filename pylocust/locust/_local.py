"""The runner that runs all users itself."""

from __future__ import annotations

import logging
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from . import runners
from ._tracebacks import format_trace
from .runners import (
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    Runner,
    _format_user_classes_count_for_log,
)

if TYPE_CHECKING:
    from .env import Environment
    from .user.users import User

logger = logging.getLogger("locust.runners")


class LocalRunner(Runner):
    """Runs all users in this process."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        # What a worker has, so that one script fits both.
        self.worker_index = 0
        self.worker_count = 1
        self.client_id = f"{socket.gethostname()}_{uuid4().hex}"
        self._local_worker_node = runners.WorkerNode(id="local")
        self._local_worker_node.user_classes_count = self.user_classes_count
        environment.events.user_error.add_listener(self._on_user_error)

    def _on_user_error(self, user_instance: Any, exception: BaseException, tb: Any, **_kwargs: Any) -> None:
        self.log_exception("local", str(exception), format_trace(tb))

    def start(
        self, user_count: int, spawn_rate: float, wait: bool = False, user_classes: list[type[User]] | None = None
    ) -> None:
        if spawn_rate > 100:
            logger.warning("The spawn rate is very high (>100), a lot for most systems under test: is that intended?")
        if self.spawning_greenlet is not None:
            self.spawning_greenlet.kill(block=True)
        self.spawning_greenlet = self._spawn_own(self._start, user_count, spawn_rate, wait, user_classes)

    def _start(
        self, user_count: int, spawn_rate: float, wait: bool = False, user_classes: list[type[User]] | None = None
    ) -> None:
        environment = self.environment
        self.target_user_count = user_count
        stop_count = self._stop_count
        if self.state not in (STATE_RUNNING, STATE_SPAWNING):
            self._begin_run()
            if self._stop_count != stop_count:
                return
        if wait and user_count - self.user_count > spawn_rate:
            raise ValueError("start(wait=True) cannot add more users than spawn_rate allows in a second")
        if environment.host:
            for user_class in self.user_classes:
                user_class.host = environment.host
        if self.state not in (STATE_INIT, STATE_STOPPED):
            self.update_state(STATE_SPAWNING)
        if self._users_dispatcher is None:
            self._users_dispatcher = environment.dispatcher_class(
                worker_nodes=[self._local_worker_node], user_classes=self.user_classes
            )
        logger.info("Ramping to %d users at a rate of %.2f per second", user_count, spawn_rate)
        self._users_dispatcher.new_dispatch(user_count, spawn_rate, user_classes)
        for step in self._users_dispatcher:
            self._take_step(step[self._local_worker_node.id], wait)
            if self._stop_count != stop_count:
                return
        self.target_user_classes_count = self.user_classes_count
        logger.info("All users spawned: %s", _format_user_classes_count_for_log(self.target_user_classes_count))
        environment.events.spawning_complete.fire(user_count=sum(self.target_user_classes_count.values()))

    def _take_step(self, wanted: dict[str, int], wait: bool) -> None:
        """One step of a ramp: from the users there are to those there should be."""
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("Ramping to %s", _format_user_classes_count_for_log(wanted))
        present = self.user_classes_count
        more = {name: count - present[name] for name, count in wanted.items() if count > present[name]}
        fewer = {name: present[name] - count for name, count in wanted.items() if count < present[name]}
        # With a stop timeout stopping takes time that new users need not wait for; with wait it is spawning.
        if wait:
            self.stop_users(fewer)
            self.spawn_users(more, wait)
        else:
            self.spawn_users(more, wait)
            self.stop_users(fewer)
        self._local_worker_node.user_classes_count = wanted

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        if msg_type not in self.custom_messages:
            logger.warning("Unknown message type received: %s, which nobody listens to", msg_type)
            return
        listener, _ = self.custom_messages[msg_type]
        listener(environment=self.environment, msg=SimpleNamespace(type=msg_type, data=data, node_id="local"))
