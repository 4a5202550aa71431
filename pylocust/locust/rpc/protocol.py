"""The one form of everything that master and workers tell each other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import _cload

_TIME_FORMAT = "%Y%m%dT%H:%M:%S.%f"
# Messages whose data is only read when somebody asks for it.
_LATE = "stats"


class _RareValues:
    """What the codec asks about values that MessagePack has no form for."""

    @staticmethod
    def replace(value: Any) -> Any:
        """A value of plain types in place of one that is none."""
        if isinstance(value, datetime):
            return {"__datetime__": True, "as_str": value.strftime(_TIME_FORMAT)}
        if type(value).__name__ == "ObjectId":
            return {"__ObjectId__": True, "as_str": str(value)}
        raise TypeError(f"a message cannot hold a {type(value).__name__}: {value!r}")

    @staticmethod
    def restore(tag: str, value: dict[Any, Any]) -> Any:
        """What replace() was given."""
        text = value.get("as_str")
        if not isinstance(text, str):
            return value
        if tag == "__datetime__":
            return datetime.strptime(text, _TIME_FORMAT)
        try:
            from bson.objectid import ObjectId
        except ImportError:
            return value
        return ObjectId(text)

    @staticmethod
    def extension(code: int, data: bytes) -> Any:
        """A value of a type that MessagePack leaves to applications."""
        import msgpack

        return msgpack.Timestamp.from_bytes(data) if code == -1 else msgpack.ExtType(code, data)


_cload.set_rpc_helpers(_RareValues)


class Message:
    """A type, anything as data, and the worker that sends it or is meant."""

    __slots__ = ("_data", "_frame", "node_id", "type")

    def __init__(self, message_type: str, data: Any, node_id: str) -> None:
        self.type = message_type
        self.node_id = node_id
        self._data = data
        # Data that nobody has looked at yet.
        self._frame: bytes | None = None

    def __repr__(self) -> str:
        return f"<Message {self.type}:{self.node_id}>"

    @property
    def data(self) -> Any:
        """What the message says."""
        if self._frame is not None:
            _, self._data, _ = _cload.unpack_message(self._frame)
            self._frame = None
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = data
        self._frame = None

    def serialize(self) -> bytes:
        """The frame that is sent."""
        if self._frame is not None:
            return self._frame
        frame: bytes = _cload.pack_message(self.type, self.data, self.node_id)
        return frame

    @classmethod
    def unserialize(cls, data: bytes) -> Message:
        """The message of a frame; ``ValueError`` or ``TypeError`` if it has none."""
        return cls(*_cload.unpack_message(data))

    @classmethod
    def unserialize_late(cls, frame: bytes) -> Message:
        """The same, but statistics, which are long and many, are only read when somebody asks for the data."""
        message = cls(*_cload.unpack_message(frame, _LATE))
        if message.type == _LATE:
            message._frame = frame
        return message

    @classmethod
    def of_frame(cls, message_type: str, frame: bytes, node_id: str) -> Message:
        """The message of a frame of our own, which is only read when somebody asks for the data."""
        message = cls(message_type, None, node_id)
        message._frame = frame
        return message

    @property
    def unread_frame(self) -> bytes | None:
        """The frame, while nobody has asked for the data."""
        return self._frame
