"""Plain sockets, with one connection for the life of the user."""

import socket
import time
from urllib.parse import urlsplit

from locust import User, constant, task
from locust.exception import StopUser


class LineClient:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=5)

    def ask(self, path):
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = self.socket.recv(4096)
            if not part:
                raise ConnectionError("closed early")
            answer += part
        return answer

    def close(self):
        self.socket.close()


class SocketUser(User):
    wait_time = constant(0.01)

    def on_start(self):
        parts = urlsplit(self.host)
        self.client = LineClient(parts.hostname, parts.port)
        self.left = 5

    def on_stop(self):
        self.client.close()
        print("> closed")

    @task
    def hello(self):
        begin = time.monotonic()
        answer = self.client.ask("/hello")
        self.environment.events.request.fire(
            request_type="TCP",
            name="hello",
            response_time=int((time.monotonic() - begin) * 1000),
            response_length=14,
            exception=None if answer.startswith(b"HTTP/1.1 200") else ValueError(answer[:20]),
            context={},
        )
        self.left -= 1
        if not self.left:
            raise StopUser
