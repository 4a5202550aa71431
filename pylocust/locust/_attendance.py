"""How a master notices that workers are gone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

import _cload
import gevent

from . import runners
from ._ramps import RampingFleet
from .runners import STATE_INIT, STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPED, STATE_STOPPING

if TYPE_CHECKING:
    from ._worker_nodes import WorkerNode
    from .env import Environment

logger = logging.getLogger("locust.runners")


class WatchedFleet(RampingFleet):
    """Counts how long workers were not heard of, and goes on without those that are lost."""

    def __init__(self, environment: Environment, master_bind_host: str, master_bind_port: int) -> None:
        super().__init__(environment, master_bind_host, master_bind_port)
        # Seconds in a row in which silence was not the workers' fault.
        self._excused = 0

    def heartbeat_worker(self) -> NoReturn:
        """Counts how long it is that workers were heard of."""
        while True:
            gevent.sleep(runners.HEARTBEAT_INTERVAL)
            if self.connection_broken:
                self.reset_connection()
                continue
            self.backlog.look()
            if self._kept is not None:
                self._kept.tick()
            if self._is_quitting or not self._is_silence_counted():
                # A last report may keep heartbeats waiting behind it.
                continue
            for node in list(self.clients.all):
                if node.heartbeat < runners.HEARTBEAT_DEAD_INTERNAL:
                    self._forget(node)
                elif node.state != STATE_MISSING and (node.heartbeat < 0 or self._is_lost(node)):
                    self._miss(node)
                node.heartbeat -= 1

    def _is_silence_counted(self) -> bool:
        """Whether this second is one of those in which workers were not heard of (lib/rpc/silence.h)."""
        is_behind = self.backlog.behind >= runners.HEARTBEAT_INTERVAL
        self._excused, is_counted = _cload.silence_counts(self._excused, is_behind, self._are_many_overdue())
        return is_counted

    def _are_many_overdue(self) -> bool:
        """Whether so many workers are silent at once that this process or the network to it is the reason. The
        connections of those that died are closed, unless the network is gone, too."""
        nodes = [node for node in self.clients.all if node.state != STATE_MISSING]
        overdue = [node for node in nodes if node.heartbeat < runners.HEARTBEAT_LIVENESS - 1]
        limit = _cload.silence_limit(len(nodes))
        return len(overdue) > limit and sum(map(self._is_connected, overdue)) > limit

    def _is_lost(self, node: WorkerNode) -> bool:
        """Whether a worker that is overdue is not even connected: its users can be moved before more time is lost."""
        is_overdue = node.heartbeat < runners.HEARTBEAT_LIVENESS
        return is_overdue and self.rebalancing_enabled() and not self._is_connected(node)

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

    def _note_loss(self, client_id: str) -> None:
        if self.state in (STATE_SPAWNING, STATE_RUNNING, STATE_STOPPING):
            self.losses.note(client_id)

    def _check_any_left(self, how: str) -> None:
        if self._present() or (self._kept is not None and self._kept.is_awaiting):
            return
        logger.info("The last worker %s, stopping test.", how)
        if self.state not in (STATE_SPAWNING, STATE_RUNNING):
            return
        is_headless = getattr(self.environment.parsed_options, "headless", False)
        self._spawn_aside(self.quit if is_headless and how == "quit" else self.stop)

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
