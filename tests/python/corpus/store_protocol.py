"""A key-value store with a protocol of text lines, its server in this process, and a pool that users share."""

import socket
import time
from contextlib import contextmanager

import gevent
from gevent.lock import BoundedSemaphore
from gevent.queue import LifoQueue
from gevent.server import StreamServer
from locust import User, between, events, tag, task
from locust.exception import StopUser

kept = {}


def serve(connection, _):
    stream = connection.makefile("rwb", 0)
    for line in stream:
        command, *words = line.decode().split()
        if command == "SET":
            kept[words[0]] = words[1]
            stream.write(b"+OK\r\n")
        elif command == "GET" and words[0] in kept:
            stream.write(f"+{kept[words[0]]}\r\n".encode())
        else:
            stream.write(b"-ERR unknown\r\n")


server = StreamServer(("127.0.0.1", 0), serve)
server.start()


class StoreError(Exception):
    pass


class Pool:
    def __init__(self, size):
        self.places = BoundedSemaphore(size)
        self.idle = LifoQueue()
        self.opened = 0

    @contextmanager
    def connection(self):
        with self.places:
            if self.idle.empty():
                self.opened += 1
                stream = socket.create_connection(("127.0.0.1", server.server_port)).makefile("rwb", 0)
            else:
                stream = self.idle.get()
            try:
                yield stream
            finally:
                self.idle.put(stream)


pool = Pool(2)


class Store:
    def __init__(self, environment):
        self.fire = environment.events.request.fire

    def __getattr__(self, command):
        def call(*words):
            begin, error, answer = time.perf_counter(), None, ""
            try:
                with pool.connection() as stream:
                    stream.write((" ".join([command.upper(), *words]) + "\r\n").encode())
                    answer = stream.readline().decode().strip()
                if answer.startswith("-"):
                    raise StoreError(answer[1:])
            except (OSError, StoreError) as raised:
                error = raised
            self.fire(
                request_type="store",
                name=command,
                response_time=(time.perf_counter() - begin) * 1000,
                response_length=len(answer),
                exception=error,
            )
            return answer

        return call


class StoreUser(User):
    wait_time = between(0, 0.01)

    def __init__(self, environment):
        super().__init__(environment)
        self.store = Store(environment)

    @tag("store")
    @task
    def use(self):
        self.store.set("key", "5")
        self.store.get("key")
        self.store.get("nothing")
        self.store.drop("key")
        gevent.sleep(0.05)
        raise StopUser


@events.test_stop.add_listener
def on_stop(**_):
    print("> opened", pool.opened <= 2)
