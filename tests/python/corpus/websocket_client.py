"""A websocket library that blocks on sockets, against a server of a few lines in the same process."""

import base64
import hashlib
import struct
import time

import gevent
import websocket
from gevent.server import StreamServer
from locust import User, constant, events, task
from locust.exception import StopUser


def receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def serve(connection, _):
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
    key = lines["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    connection.sendall(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    try:
        while True:
            first, length = receive(connection, 2)
            mask = receive(connection, 4)
            text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(receive(connection, length & 127)))
            if first & 15 == 8:
                connection.sendall(struct.pack("BB", 0x88, 0))
                return
            gevent.sleep(0.01)
            connection.sendall(struct.pack("BB", first, len(text)) + text[::-1])
    except EOFError:
        pass


server = StreamServer(("127.0.0.1", 0), serve)


@events.init.add_listener
def on_init(**_):
    server.start()


class Talker(User):
    wait_time = constant(0)
    rounds = 0

    def on_start(self):
        with self.environment.events.request.measure("WS", "connect"):
            self.socket = websocket.create_connection(f"ws://127.0.0.1:{server.server_port}/talk", timeout=5)

    def on_stop(self):
        self.socket.close()

    @task
    def say(self):
        self.rounds += 1
        begin = time.perf_counter()
        self.socket.send(f"hello {self.rounds}")
        answer = self.socket.recv()
        self.environment.events.request.fire(
            request_type="WS",
            name="say",
            response_time=(time.perf_counter() - begin) * 1000,
            response_length=len(answer),
            exception=None if answer.endswith("olleh") else ValueError(answer),
            context=self.context(),
        )
        if self.rounds == 4:
            print("> last", answer)
            raise StopUser
