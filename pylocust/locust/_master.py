"""The runner that directs workers."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any

import gevent

from ._distributed import NAME_BYTES, transit_of
from ._master_messages import ListeningFleet
from ._resume import KeptRun
from ._state import StateError
from ._worker_nodes import named
from .runners import STATE_INIT, STATE_MISSING, STATE_SPAWNING, STATE_STOPPED, STATE_STOPPING

if TYPE_CHECKING:
    from ._worker_nodes import WorkerNode
    from .env import Environment

logger = logging.getLogger("locust.runners")

# Seconds a worker has beyond its stop timeout to send its last report.
_LAST_REPORT_WAIT = 5.0
# Seconds that workers which have stopped may take to be ready again.
_RETURN_WAIT = 1.0
# And as long as this process takes to go through what waits already, but not longer than this.
_LONGEST_CATCHING_UP = 600.0
# Seconds in which a connection that a worker closed is still read from.
_FAREWELL = 0.5


class MasterRunner(ListeningFleet):
    """Directs workers: says who runs how many users, and adds up what they report."""

    def __init__(self, environment: Environment, master_bind_host: str, master_bind_port: int) -> None:
        super().__init__(environment, master_bind_host, master_bind_port)
        self._kept = self._open_state()
        self._resuming: gevent.Greenlet[..., Any] | None = None
        environment.events.quitting.add_listener(self._on_quitting)
        self._spawn_own(self.heartbeat_worker)
        self._spawn_own(self.client_listener)

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
        self.losses.begin()
        self.environment.events.test_start.fire(environment=self.environment)
        self._resuming = self._spawn_aside(self._kept.resume)
        return self._kept.elapsed

    def await_resumed(self) -> None:
        """Returns once a run that goes on does so with its workers."""
        if self._resuming is not None:
            self._resuming.join()

    @property
    def is_ending(self) -> bool:
        """Whether only last reports are missing of a run that another process began."""
        return self._kept is not None and self._kept.is_ending

    def await_workers(self) -> None:
        """Before a run ends that another process began: waits for those of its workers that are not back yet."""
        if self._kept is not None:
            self._kept.await_workers()

    def forget_run(self) -> None:
        """The results are written: another process need not go on with the run any more."""
        if self._kept is not None and self._kept.has_run:
            self._kept.end()

    def stop(self, send_stop_to_client: bool = True) -> None:
        """Stops the test on all workers."""
        if self.state in (STATE_INIT, STATE_STOPPED, STATE_STOPPING):
            return
        logger.debug("Stopping...")
        self._go_on_listening()
        environment = self.environment
        environment.events.test_stopping.fire(environment=environment)
        self.final_user_classes_count = self.reported_user_classes_count
        self.update_state(STATE_STOPPING)
        if self._kept is not None:
            self._kept.note_ending()
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
        if not self._is_quitting:
            self.forget_run()

    def quit(self) -> None:
        """Ends the test and all workers."""
        self._is_quitting = True
        self._go_on_listening()
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
                named([node.id for node in late]),
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
        latest = now + _LONGEST_CATCHING_UP
        silent: list[WorkerNode] = []
        while waiting and now < deadline:
            gevent.sleep(0.02)
            now = time.monotonic()
            if self.backlog.behind > _FAREWELL:
                # What they sent is here and has only to be taken, which goes on.
                deadline = min(max(deadline, self._taken_at + _LAST_REPORT_WAIT), latest)
            waiting = [node for node in waiting if node.id in self.clients]
            if now >= look:
                look = now + _FAREWELL
                silent += [node for node in waiting if node.id not in self._taken and not self._is_connected(node)]
                waiting = [node for node in waiting if node not in silent]
        return [node for node in (*waiting, *silent) if node.id in self.clients]

    def _on_quitting(self, environment: Environment, **_kwargs: Any) -> None:
        self.quit()
