"""Users of Socket.IO servers, with python-socketio."""

from __future__ import annotations

from typing import Any

import socketio

from .. import User
from ..event import EventHook


class SocketIOClient(socketio.Client):
    """A client that reports: WS for connecting, WSS, WSE and WSC for send, emit and call, WSR for what arrives."""

    def __init__(self, request_event: EventHook, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request_event = request_event

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Connects, and is measured."""
        with self.request_event.measure("WS", "connect"):
            super().connect(*args, **kwargs)

    def send(self, data: Any, namespace: Any = None, callback: Any = None, name: str = "Unnamed") -> None:
        """Sends a message without an event; ``name`` is for the report."""
        exception = None
        try:
            super().send(data, namespace, callback)
        except Exception as error:
            exception = error
        self._report("WSS", name, data, exception)

    def emit(self, event: Any, data: Any = None, namespace: Any = None, callback: Any = None) -> None:
        """Sends an event. What send() and call() send goes through here too."""
        exception = None
        try:
            super().emit(event, data, namespace, callback)
        except Exception as error:
            exception = error
        self._report("WSE", str(event), data, exception)

    def call(self, event: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Sends an event and waits for the answer, which is measured."""
        with self.request_event.measure("WSC", event):
            return super().call(event, data, *args, **kwargs)

    def on_message(self, event: str, data: str) -> None:
        """A handler that reports what came; for own handlers to call."""
        self._report("WSR", event, data, None)

    def _report(self, request_type: str, name: str, data: Any, exception: Exception | None) -> None:
        self.request_event.fire(
            request_type=request_type,
            name=name,
            response_time=0,
            response_length=len(data or []),
            exception=exception,
            context={},
        )


class SocketIOUser(User):
    """A user with a Socket.IO client, ``sio``; ``options`` are given to it."""

    abstract = True
    options: dict[str, Any] = {}  # noqa: RUF012
    sio: SocketIOClient

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sio = SocketIOClient(self.environment.events.request, **self.options)
        self.sio.on("*", self.sio.on_message)
