"""A master's run on disk, so that another process can go on with it (``--master-state``).

The file is a journal of messages: first a snapshot, then whatever came since. Each record has its length and a
checksum, so one that was being written when the process died is seen as such and dropped. What is written survives the
end of the process at once; a machine that loses power may lose the last seconds.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import time
import zlib
from typing import Any

from .rpc import Message

logger = logging.getLogger("locust.runners")

_MAGIC = b"cload state 1\n"
_HEAD = struct.Struct(">II")
# Bytes of journal behind a snapshot after which there is another, unless that would be most of what is written.
_LONGEST_JOURNAL = 16 << 20


class StateError(Exception):
    """The file cannot be used; the text says why."""


class StateFile:
    """The journal. Only one process at a time can have it."""

    def __init__(self, path: str) -> None:
        self.path = path
        # When it was read, seconds since it had been written.
        self.age = 0.0
        self._file: Any = None
        self._snapshot_bytes = 0
        self._journal_bytes = 0
        try:
            # A file of its own, because the journal is replaced with each snapshot.
            self._lock = open(f"{path}.lock", "ab")  # noqa: SIM115  # held for the life of the process
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"The state in {path} is in use by another master") from None
        except OSError as error:
            raise StateError(f"The state cannot be kept in {path}: {error.strerror}") from error

    def read(self) -> list[Message]:
        """All records, or none if there is no file. Raises ``StateError`` for a file that is something else."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
                self.age = max(0.0, time.time() - os.fstat(file.fileno()).st_mtime)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StateError(f"The state in {self.path} cannot be read: {error.strerror}") from error
        if not data:
            return []
        if not data.startswith(_MAGIC):
            raise StateError(f"{self.path} is not the state of a master, or of another version: it is left as it is")
        records = []
        place = len(_MAGIC)
        while place + _HEAD.size <= len(data):
            size, checksum = _HEAD.unpack_from(data, place)
            frame = data[place + _HEAD.size : place + _HEAD.size + size]
            if len(frame) < size or zlib.crc32(frame) != checksum:
                break
            records.append(Message.unserialize_late(frame))
            place += _HEAD.size + size
        return records

    def replace(self, frames: list[bytes]) -> None:
        """Begins anew with a snapshot. The old file is there until the new one is whole."""
        self.close()
        fresh = f"{self.path}.new"
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(_MAGIC)
                for frame in frames:
                    file.write(_HEAD.pack(len(frame), zlib.crc32(frame)) + frame)
                self._snapshot_bytes = file.tell()
            os.replace(fresh, self.path)
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115  # closed by close()
        except OSError as error:
            self._fail(error)
        self._journal_bytes = 0

    def append(self, frame: bytes) -> None:
        """One more record."""
        if self._file is None:
            return
        record = _HEAD.pack(len(frame), zlib.crc32(frame)) + frame
        try:
            if self._file.write(record) < len(record):
                raise OSError("only a part could be written; the disk may be full")
        except OSError as error:
            self._fail(error)
        self._journal_bytes += len(record)

    def _fail(self, error: OSError) -> None:
        self.close()
        logger.error(
            "The state cannot be written to %s: %s. The test goes on, but a master that is started again"
            " will not have it",
            self.path,
            error.strerror or error,
        )

    @property
    def is_open(self) -> bool:
        return self._file is not None

    @property
    def is_long(self) -> bool:
        """Whether it is time for a snapshot."""
        return self._journal_bytes > max(_LONGEST_JOURNAL, 4 * self._snapshot_bytes)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """The test is over: there is nothing to go on with."""
        self.close()
        for path in (self.path, f"{self.path}.new"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                logger.error("%s could not be removed: %s", path, error.strerror)
