"""A server that says what a test wrote down for a path, byte by byte, and notes what it was asked."""

import re
import socket
import threading
import time
from types import TracebackType
from typing import Self

CLOSE, RESET = "close", "reset"

Step = bytes | float | str
"""Bytes to send, seconds to wait, or how to end the connection; without an end it is read for the next request."""


class ScriptedServer:
    """`answers` maps paths to steps. `requests` are whole, in the order they came; `connections` is how many came."""

    def __init__(self, answers: dict[str, list[Step]]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            rest = b""
            while True:
                try:
                    request, rest = self._read(connection, rest)
                    if not request:
                        return
                    self.requests.append(request)
                    for step in self.answers[request.split()[1].decode().partition("?")[0]]:
                        if isinstance(step, bytes):
                            connection.sendall(step)
                        elif step == CLOSE:
                            return
                        elif step == RESET:
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                            return
                        else:
                            time.sleep(float(step))
                except OSError:
                    return

    def _read(self, connection: socket.socket, data: bytes) -> tuple[bytes, bytes]:
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return b"", b""
            data += more
        head = data.partition(b"\r\n\r\n")[0]
        length = re.search(rb"(?i)\ncontent-length: (\d+)", head)
        end = len(head) + 4 + (int(length[1]) if length else 0)
        while len(data) < end:
            more = connection.recv(65536)
            if not more:
                return b"", b""
            data += more
        return data[:end], data[end:]
