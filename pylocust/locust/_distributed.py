"""What the runners of master and workers have in common."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent

from . import runners
from .runners import Runner
from .stats import setup_distributed_stats_event_listeners

if TYPE_CHECKING:
    from .env import Environment
    from .rpc import Message

logger = logging.getLogger("locust.runners")

# A message of our own: a master asks a worker it does not know to announce itself. Sent to our own workers only,
# which put the key into their heartbeats.
REGISTER = "cload_register"
OWN_KEY = "cload"
# In an ack: this master goes on with the test that the worker is in, so its users stay.
KEEP_KEY = "cload_keep"
# In an ack, too: another process will go on with this master's run, should this one die, so last reports wait for it.
STATE_KEY = "cload_state"
# The number of a report between nodes of our own, and in a master's heartbeat up to where it has them all. A worker
# sends its reports again until they are confirmed, so none is lost with a connection or a master. Until then it sends
# no other one, except when users end: it adds up what it measures. So neither needs more memory, whatever the other
# does.
NUMBER_KEY = "cload_report"
# And up to when it has all that was measured, by its worker's clock: current rates end there while others report later.
UNTIL_KEY = "cload_until"
# In a worker's heartbeats: requests since its last report, so that a master knows what goes with a worker that dies.
PENDING_KEY = "cload_pending"
# And its clock in microseconds, which the answer repeats: what was sent before and is not confirmed by it was lost.
BEAT_KEY = "cload_beat"
# In a master's heartbeats: the milliseconds that are to pass between two reports, while it cannot take more.
PAUSE_KEY = "cload_pause"
# In a worker's heartbeats again: the names of its statistics, so that it knows how large the last report may be.
NAMES_KEY = "cload_names"
NAME_BYTES = 300
# Reports that may be missing among later ones before they are given up.
_MOST_EARLY = 32
# Bytes per second that a link is thought to carry at least, and how long reports are waited for at most.
_SLOWEST_LINK = 50_000
_MOST_TRANSIT = 60.0


def secret_of(environment: Environment) -> str | None:
    """What a master and its workers have to know of each other; None: nothing, as with Locust."""
    secret = getattr(environment.parsed_options, "master_secret", None) or os.getenv("LOCUST_MASTER_SECRET")
    return secret or None


def transit_of(size: int) -> float:
    """Seconds that so many bytes may be on their way."""
    return min(size / _SLOWEST_LINK, _MOST_TRANSIT)


class Taken:
    """Which reports of a worker were taken (lib/rpc/taken.h)."""

    def __init__(self, last: int = 0, early: list[int] | None = None) -> None:
        # This one and all before, and those that came before others.
        self.last = last
        self.early = set(early or ())

    def note(self, number: int) -> bool:
        """Whether a report is new, and notes that it was taken."""
        if not self.last and not self.early:
            self.last = number
            return True
        if number <= self.last or number in self.early:
            return False
        self.early.add(number)
        if len(self.early) > _MOST_EARLY:
            self.last = min(self.early)
        while self.last + 1 in self.early:
            self.last += 1
        self.early = {early for early in self.early if early > self.last}
        return True


class DistributedRunner(Runner):
    """A runner that is one of several processes."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        setup_distributed_stats_event_listeners(environment.events, environment.stats)

    def _handler(self, kind: str) -> Callable[[Message], None] | None:
        return getattr(self, f"_on_{kind}_message", None)

    def _take(self, message: Message) -> None:
        """Does what a message wants. A failing listener of user code is logged and does no harm."""
        handler = self._handler(message.type)
        if handler is not None:
            try:
                handler(message)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                logger.error("The data of %r is not understood: %s", message, error, exc_info=True)
        elif message.type in self.custom_messages:
            listener, is_concurrent = self.custom_messages[message.type]
            logger.debug("%s from %s goes to %s", message.type, message.node_id, listener)
            if is_concurrent:
                gevent.spawn(self._call_listener, listener, message)
            else:
                self._call_listener(listener, message)
        else:
            logger.warning("Unknown message type received from %s: %s", self._sender(message), message.type)

    def _sender(self, message: Message) -> str:
        return "the master"

    def _call_listener(self, listener: Callable[..., Any], message: Message) -> None:
        try:
            listener(environment=self.environment, msg=message)
        except Exception:
            logging.exception("Uncaught exception in handler for %s", message.type)

    def _spawn_aside(self, function: Callable[..., Any], *args: Any) -> gevent.Greenlet[..., Any]:
        """For what takes long or ends the runner's own greenlets: it is not one of them."""
        greenlet = gevent.spawn(function, *args)
        greenlet.link_exception(runners.locust_exception_handler(self.environment))
        return greenlet
