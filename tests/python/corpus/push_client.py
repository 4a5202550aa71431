"""A user with a reader of its own, as websocket clients have: messages come when they come."""

import json
import time

import gevent
from gevent.queue import Queue
from locust import User, constant, events, task
from locust.exception import StopUser


class Wire:
    """Stands for a websocket: echoes what is sent after a moment."""

    def __init__(self):
        self.incoming = Queue()

    def send(self, text):
        gevent.spawn_later(0.02, self.incoming.put, text)

    def receive(self):
        return self.incoming.get()


class SocketUser(User):
    wait_time = constant(0)

    def on_start(self):
        self.wire = Wire()
        self.received = 0
        self.reader = gevent.spawn(self.read)

    def on_stop(self):
        self.reader.kill()
        print("> received", self.received)

    def read(self):
        while True:
            message = json.loads(self.wire.receive())
            events.request.fire(
                request_type="WSR",
                name=message["event"],
                response_time=(time.time() - message["sent"]) * 1000,
                response_length=len(message["event"]),
                exception=None,
                context=self.context(),
            )
            self.received += 1

    @task
    def talk(self):
        for number in range(4):
            self.wire.send(json.dumps({"event": f"message {number % 2}", "sent": time.time()}))
            events.request.fire(request_type="WSS", name="send", response_time=0, response_length=1, exception=None)
            self.wait()
        while self.received < 4:
            time.sleep(0.01)
        raise StopUser
