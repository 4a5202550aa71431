"""Plays boomer (github.com/myzhan/boomer, a worker in Go) byte by byte, from what its source does: its own ZMTP 3.0
without libzmq, strings in MessagePack's old raw form, version -1, whole seconds and milliseconds, no entry for what has
no time, a total that is called Total, and one message after a spawn with a count of its own.

    boomer.py PORT REQUESTS_PER_SECOND
"""

import hashlib
import select
import socket
import struct
import sys
import time
from typing import Any

import _cload


def pack(value: Any) -> bytes:
    if value is None:
        return b"\xc0"
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, int):
        if -32 <= value < 128:
            return struct.pack(">b", value) if value < 0 else bytes([value])
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, str):
        text = value.encode()
        head = bytes([0xA0 | len(text)]) if len(text) < 32 else b"\xda" + struct.pack(">H", len(text))
        return head + text
    if isinstance(value, dict):
        head = bytes([0x80 | len(value)]) if len(value) < 16 else b"\xde" + struct.pack(">H", len(value))
        return head + b"".join(pack(key) + pack(item) for key, item in value.items())
    head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))
    return head + b"".join(map(pack, value))


class Boomer:
    def __init__(self, port: int, rate: int) -> None:
        self.id = f"{socket.gethostname()}_{hashlib.md5(str(time.time()).encode()).hexdigest()}"
        self.rate = rate
        self.state = "ready"
        self.users = 0
        self.classes: dict[str, int] = {}
        self.received = b""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"\xff" + bytes(7) + b"\x01\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
        while len(self.received) < 64:
            self.received += self.socket.recv(4096)
        self.received = self.received[64:]
        properties = b"".join(
            bytes([len(name)]) + name + struct.pack(">I", len(text)) + text
            for name, text in ((b"Socket-Type", b"DEALER"), (b"Identity", self.id.encode()))
        )
        self.send_frame(b"\x05READY" + properties, flags=4)

    def send_frame(self, body: bytes, flags: int = 0) -> None:
        if len(body) < 256:
            self.socket.sendall(bytes([flags, len(body)]) + body)
        else:
            self.socket.sendall(bytes([flags | 2]) + struct.pack(">Q", len(body)) + body)

    def send(self, kind: str, data: Any = None) -> None:
        self.send_frame(pack([kind, data, self.id]))

    def frames(self, seconds: float) -> list[tuple[str, Any]]:
        """What the master said within that time."""
        found = []
        if select.select([self.socket], [], [], seconds)[0]:
            data = self.socket.recv(65536)
            if not data:
                sys.exit("the master closed the connection")
            self.received += data
        while len(self.received) >= 2:
            flags = self.received[0]
            size, begin = self.received[1], 2
            if flags & 2:
                if len(self.received) < 9:
                    break
                size, begin = struct.unpack(">Q", self.received[1:9])[0], 9
            if len(self.received) < begin + size:
                break
            body, self.received = self.received[begin : begin + size], self.received[begin + size :]
            if not flags & 4:
                kind, content, _ = _cload.unpack_message(body)
                found.append((kind, content))
        return found

    def entry(self, name: str, method: str, requests: int, failures: int) -> dict[str, Any]:
        now = int(time.time())
        return {
            "name": name,
            "method": method,
            "last_request_timestamp": now,
            "start_time": now - 3,
            "num_requests": requests,
            "num_none_requests": 0,
            "num_failures": failures,
            "total_response_time": 7 * requests,
            "max_response_time": 7,
            "min_response_time": 7,
            "total_content_length": 10 * requests,
            "response_times": {7: requests},
            "num_reqs_per_sec": {now - 1: requests},
            "num_fail_per_sec": {now - 1: failures} if failures else {},
        }

    def report(self) -> None:
        good, bad = 3 * self.rate, self.rate
        error = {"method": "GET", "name": "/missing", "error": "404 from boomer", "occurrences": bad}
        self.send(
            "stats",
            {
                "stats": [self.entry("/hello", "GET", good, 0), self.entry("/missing", "GET", bad, bad)],
                "stats_total": self.entry("Total", "", good + bad, bad),
                "errors": {hashlib.md5(b"GET/missing404").hexdigest(): error},
                "user_count": self.users,
                "user_classes_count": self.classes,
            },
        )
        print("reported", good + bad, flush=True)

    def obey(self, kind: str, content: Any) -> bool:
        """Whether it goes on."""
        if kind == "spawn":
            self.send("spawning")
            self.classes = content["user_classes_count"]
            self.users = sum(self.classes.values())
            self.send("spawning_complete", {"count": self.users, "user_classes_count": self.classes})
            self.state = "running"
        elif kind == "stop":
            self.users, self.state = 0, "stopped"
            self.send("client_stopped")
            self.send("client_ready", -1)
            self.state = "ready"
        elif kind == "quit":
            self.send("quit")
            return False
        else:
            print("heard", kind, content, flush=True)
        return True

    def run(self) -> None:
        self.send("client_ready", -1)
        beat = report = time.monotonic()
        while True:
            for kind, content in self.frames(0.05):
                if not self.obey(kind, content):
                    return
            now = time.monotonic()
            if now - beat >= 1:
                beat = now
                self.send(
                    "heartbeat", {"state": self.state, "current_cpu_usage": 3.5, "current_memory_usage": 12_000_000}
                )
            if now - report >= 3:
                report = now
                if self.state == "running":
                    self.report()


if __name__ == "__main__":
    Boomer(int(sys.argv[1]), int(sys.argv[2])).run()
