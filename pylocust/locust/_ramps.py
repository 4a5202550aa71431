"""How a master spreads users over its workers."""

from __future__ import annotations

import functools
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Any

import gevent

from . import runners
from ._fleet import Fleet
from .rpc import Message
from .runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
    _aggregate_dispatched_users,
    _format_user_classes_count_for_log,
)

if TYPE_CHECKING:
    from ._resume import KeptRun
    from ._worker_nodes import WorkerNode
    from .env import Environment
    from .user.users import User

logger = logging.getLogger("locust.runners")

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


class RampingFleet(Fleet):
    """Takes its workers to a number of users, and spreads these anew when workers come and go."""

    # What of the run is kept on disk.
    _kept: KeptRun | None = None
    _wait_for_workers_report_after_ramp_up = staticmethod(_wait_for_workers_report_after_ramp_up)

    def __init__(self, environment: Environment, master_bind_host: str, master_bind_port: int) -> None:
        super().__init__(environment, master_bind_host, master_bind_port)
        self.spawn_rate: float = 0
        self.spawning_completed = False
        self._rebalancing: gevent.Greenlet[..., Any] | None = None
        self._is_rebalance_due = False
        # Grows with each ramp: one that was replaced sees it and ends.
        self._ramp = 0

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
            if self._is_quitting:
                # Somebody ended it as it began.
                return
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
