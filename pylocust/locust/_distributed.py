"""What the runners of master and workers have in common."""

from __future__ import annotations

import logging
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
            logger.warning("Nobody listens to messages of type %s (from %s)", message.type, message.node_id)

    def _call_listener(self, listener: Callable[..., Any], message: Message) -> None:
        try:
            listener(environment=self.environment, msg=message)
        except Exception:
            logging.exception("A listener of %s messages failed", message.type)

    def _spawn_aside(self, function: Callable[..., Any], *args: Any) -> gevent.Greenlet[..., Any]:
        """For what takes long or ends the runner's own greenlets: it is not one of them."""
        greenlet = gevent.spawn(function, *args)
        greenlet.link_exception(runners.locust_exception_handler(self.environment))
        return greenlet
