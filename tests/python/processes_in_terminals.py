"""Processes in terminals of their own, which tests read and type at."""

from __future__ import annotations

import os
import select
import signal
import struct
import termios
from abc import ABC, abstractmethod
from fcntl import ioctl
from pathlib import Path
from pty import fork


class ProcessInTerminal(ABC):
    """Starts the command at once; close() ends it where it has not ended."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str], columns: int, rows: int) -> None:
        self.pid, self.descriptor = fork()
        if self.pid == 0:
            try:
                os.chdir(folder)
                os.execvpe(command[0], command, env)
            finally:
                os._exit(99)
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.descriptor)
        self.status: int | None = None

    def resize(self, columns: int, rows: int) -> None:
        ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    @abstractmethod
    def read(self) -> bool:
        """Takes in what there is to read; false at the end."""

    def take(self, seconds: float) -> bytes | None:
        """What comes within that time; None: nothing, empty: the end."""
        ready, _, _ = select.select([self.descriptor], [], [], seconds)
        if not ready:
            return None
        try:
            return os.read(self.descriptor, 65536)
        except OSError:
            return b""

    def finish(self) -> int:
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)
