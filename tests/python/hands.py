"""A master and workers that tests play by hand."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from locust import User, task
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments
from locust.env import Environment
from locust.rpc import Client, Message, Server
from locust.runners import MasterRunner

VERSION = "2.47.0"


class A(User):
    @task
    def wait_long(self) -> None:
        gevent.sleep(60)


class B(A):
    pass


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    with gevent.Timeout(seconds):
        while not condition():
            gevent.sleep(0.005)


def environment(*user_classes: type[User], **options: Any) -> Environment:
    parser = get_empty_argument_parser(default_config_files=())
    setup_parser_arguments(parser)
    parsed = parser.parse_args([])
    for name, value in options.items():
        setattr(parsed, name, value)
    return Environment(user_classes=list(user_classes or (A,)), parsed_options=parsed)


class Hand:
    """A worker played by hand: it answers nothing on its own, except that it can beat."""

    def __init__(self, master: MasterRunner, name: str, is_beating: bool = True) -> None:
        self.name = name
        self.client = Client("127.0.0.1", master.server.port, name)
        self.state = "ready"
        self.got: list[Message] = []
        self.greenlets = [gevent.spawn(self._listen)]
        if is_beating:
            self.greenlets.append(gevent.spawn(self._beat))

    def _listen(self) -> None:
        while True:
            self.got.append(self.client.recv())

    def _beat(self) -> None:
        while True:
            self.send("heartbeat", {"state": self.state, "current_cpu_usage": 1.0, "current_memory_usage": 5})
            gevent.sleep(0.02)

    def send(self, kind: str, data: Any = None) -> None:
        self.client.send(Message(kind, data, self.name))

    def of(self, kind: str) -> list[Any]:
        return [message.data for message in self.got if message.type == kind]

    def join(self) -> "Hand":
        count = len(self.of("ack"))
        self.send("client_ready", VERSION)
        until(lambda: len(self.of("ack")) > count)
        return self

    def settle(self) -> None:
        """Until the master has looked at all that was sent: this is answered to everybody, by the same connection."""
        count = len(self.of("locustfile"))
        self.send("locustfile", {"version": VERSION})
        until(lambda: len(self.of("locustfile")) > count)

    def obey(self) -> None:
        """Does as the last spawn message says."""
        counts = self.of("spawn")[-1]["user_classes_count"]
        self.state = "running"
        self.send("spawning")
        self.send("spawning_complete", {"user_classes_count": counts, "user_count": sum(counts.values())})

    @property
    def wanted(self) -> int:
        jobs = self.of("spawn")
        return sum(jobs[-1]["user_classes_count"].values()) if jobs else 0

    def report(self, **data: Any) -> None:
        entry = {
            "name": "/x",
            "method": "GET",
            "last_request_timestamp": 1795234975.5,
            "start_time": 1795234970.5,
            "num_requests": 3,
            "num_none_requests": 0,
            "num_failures": 1,
            "total_response_time": 30.0,
            "max_response_time": 20.0,
            "min_response_time": 4.0,
            "total_content_length": 30,
            "response_times": {4: 1, 6: 1, 20: 1},
            "num_reqs_per_sec": {1795234975: 3},
            "num_fail_per_sec": {1795234975: 1},
        }
        error = {"name": "/x", "method": "GET", "error": "E()", "occurrences": 1, "first_seen": 1.0, "last_seen": 2.0}
        full = {
            "stats": [entry],
            "stats_total": entry | {"name": "Aggregated", "method": ""},
            "errors": {"key": error},
            "user_classes_count": {"A": 1},
            "user_count": 1,
        }
        # The number of a report comes first.
        self.send("stats", data | full | data)

    def close(self) -> None:
        gevent.killall(self.greenlets)
        self.client.close()


class HandMaster:
    """A master played by hand."""

    def __init__(self) -> None:
        self.server = Server("127.0.0.1", 0)
        self.got: list[Message] = []
        self.is_answering = True
        self.greenlet = gevent.spawn(self._listen)

    def _listen(self) -> None:
        while True:
            sender, message = self.server.recv_from_client()
            self.got.append(message)
            if self.is_answering and message.type == "client_ready":
                self.send("ack", {"index": 7}, sender)
            if self.is_answering and message.type == "heartbeat":
                self.send("heartbeat", None, sender)

    def send(self, kind: str, data: Any, to: str) -> None:
        self.server.send_to_client(Message(kind, data, to))

    def of(self, kind: str) -> list[Any]:
        return [message.data for message in self.got if message.type == kind]

    def close(self) -> None:
        self.greenlet.kill()
        self.server.close()


def job(timestamp: float, **counts: int) -> dict[str, Any]:
    return {
        "timestamp": timestamp,
        "user_classes_count": counts,
        "host": "http://h",
        "stop_timeout": 0.0,
        "parsed_options": {"mine": 5, "tags": ["t"], "num_users": 99},
    }


def spoiled_frames(count: int, *frames: bytes) -> Iterator[bytes]:
    """Frames with bytes changed, cut off, doubled and put in, as the seed has it."""
    chance = random.Random(7)
    for _ in range(count):
        frame = bytearray(chance.choice(frames))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(frame) + 1)
            what = chance.randrange(4)
            if what == 0:
                frame[place : place + 1] = bytes([chance.randrange(256)])
            elif what == 1:
                del frame[place : place + chance.randint(1, 40)]
            elif what == 2:
                frame[place:place] = frame[place : place + chance.randint(1, 40)]
            else:
                frame[place:place] = chance.randbytes(chance.randint(1, 9))
        yield bytes(frame)
