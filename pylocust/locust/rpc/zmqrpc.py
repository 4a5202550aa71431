"""The two ends of the connection between master and workers."""

from __future__ import annotations

import atexit

import _cload
import gevent

from ..exception import RPCError, RPCReceiveError, RPCSendError
from .protocol import Message

# Seconds before a message that found the queue full is tried again.
_RETRIES = (1, 3, 5)

# What was sent last, often that this process ends, is still on its way when the interpreter is done.
atexit.register(_cload.end_rpc)


class RPCRefusedError(RPCReceiveError):
    """A connection was refused: the secrets differ, or the other side speaks something else. The socket goes on."""


class BaseSocket:
    """What both ends can do. All calls wait cooperatively. ``secret``: what both ends have to know; messages are
    encrypted then."""

    def __init__(self, host: str, port: int, identity: str | None = None, secret: str | None = None) -> None:
        try:
            self._channel = _cload.Channel(host, port, identity, secret)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RPCError(f"Socket failure: {reason}") from error
        # Who closes this closes the connection.
        self.socket = self._channel

    @property
    def port(self) -> int:
        """The port a server listens on."""
        port: int = self._channel.port
        return port

    def close(self, linger: object = None) -> None:
        """Closes the socket. What was sent still leaves."""
        self._channel.close()

    def _send(self, msg: Message, to: str | None) -> bool:
        try:
            frame = msg.serialize()
            for pause in (*_RETRIES, None):
                sent = self._channel.send(frame, to)
                if sent is not False:
                    return sent is True
                if pause is not None:
                    gevent.sleep(pause)
        except (OSError, TypeError, ValueError, OverflowError) as error:
            raise RPCSendError(f"{msg!r} could not be sent: {error}") from error
        raise RPCSendError(f"{msg!r} could not be sent: the queue is full")

    def _receive(self) -> tuple[str, Message]:
        try:
            sender, frame = self._channel.recv()
        except ConnectionRefusedError as error:
            raise RPCRefusedError(str(error)) from error
        except OSError as error:
            raise RPCError(f"Socket failure: {error}") from error
        name = sender.decode("utf-8", "backslashreplace")
        try:
            return name, Message.unserialize_late(frame)
        except (ValueError, TypeError, RecursionError) as error:
            raise RPCReceiveError(f"Not a message: {error}", addr=name) from error


class Server(BaseSocket):
    """A master's end."""

    def __init__(self, host: str, port: int, secret: str | None = None) -> None:
        super().__init__(host, port, None, secret)

    @property
    def behind(self) -> float:
        """For how many seconds something that workers sent has always been waiting; 0: nothing is."""
        return self._channel.behind

    def note_report(self) -> None:
        """A report that was received has been taken."""
        self._channel.note_report()

    def pause(self, own: int, others: int) -> float:
        """To be called about once a second: the seconds that so many workers of ours should let pass between two
        reports, so that all can be taken; 0: as always."""
        return self._channel.pause(own, others)

    def send_to_client(self, msg: Message) -> bool:
        """Sends to the worker that ``msg.node_id`` names; False: that is not connected, and the message is dropped."""
        return self._send(msg, msg.node_id)

    def recv_from_client(self) -> tuple[str, Message]:
        """Waits for the next message; the sender comes with it."""
        sender, message = self._receive()
        if not sender.startswith("\0"):
            return sender, message
        # What a connection still brings whose name another one has taken over comes from a made-up name, which begins
        # with a zero byte.
        if not message.node_id:
            raise RPCReceiveError("Not a message: it names no node", addr=sender)
        return message.node_id, message


class Client(BaseSocket):
    """A worker's end."""

    def __init__(self, host: str, port: int, identity: str, secret: str | None = None) -> None:
        super().__init__(host, port, identity, secret)

    def send(self, msg: Message) -> None:
        """Sends to the master, now or when it comes up."""
        self._send(msg, None)

    @property
    def unconnected(self) -> float:
        """For how many seconds there has been no connection to the master; 0: there is one."""
        return self._channel.unconnected

    def recv(self) -> Message:
        """Waits for the next message."""
        return self._receive()[1]
