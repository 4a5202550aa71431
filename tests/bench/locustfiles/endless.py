"""Everything that could grow without end, grows: names, texts of failures and exceptions, cookies, connections, threads
of tasks that users leave behind."""

import ctypes
import gc
import itertools
import json
import os
import sys
from typing import Any

import gevent
from locust import HttpUser, constant, events, task

NUMBERS = itertools.count()


class MallInfo(ctypes.Structure):
    """glibc's mallinfo2(), whose first field is the size of the heap and whose eighth is what of it is in use."""

    _fields_ = [(f"field{number}", ctypes.c_size_t) for number in range(10)]


def tell_counts(path: str) -> None:
    """Says each minute what is in use, for who wants to know what it is that grows."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = MallInfo
    while True:
        info = libc.mallinfo2()
        counts = {
            "heap_mb": info.field7 / 1e6,
            "free_mb": info.field8 / 1e6,
            "python_blocks": sys.getallocatedblocks(),
            "python_objects": len(gc.get_objects()),
            "descriptors": len(os.listdir("/proc/self/fd")),
        }
        with open(f"{path}.new", "w") as file:
            json.dump(counts, file)
        os.replace(f"{path}.new", path)
        gevent.sleep(60)


@events.init.add_listener
def start_telling(**_: Any) -> None:
    if path := os.environ.get("ENDLESS_COUNTS"):
        gevent.spawn(tell_counts, path)


class Endless(HttpUser):
    wait_time = constant(0)

    @task(100)
    def get(self):
        self.client.get("/hello")

    @task(20)
    def new_name(self):
        self.client.get(f"/hello?number={next(NUMBERS)}")

    @task(20)
    def new_failure(self):
        with self.client.get("/bytes/2000", catch_response=True) as response:
            response.failure(f"not what number {next(NUMBERS)} expects")

    @task(20)
    def new_cookie(self):
        self.client.get(f"/cookies/set?c{next(NUMBERS)}=1", name="/cookies/set", allow_redirects=False)

    @task(5)
    def new_exception(self):
        raise ValueError(f"number {next(NUMBERS)}")

    @task(5)
    def new_connection(self):
        self.client.get("/close")

    @task(2)
    def refused(self):
        self.client.get("http://127.0.0.1:1/", name="refused")

    @task(2)
    def rare_call(self):
        with self.client.get("/chunked/5000", stream=True) as response:
            for _ in response.iter_content(1000):
                pass

    @task(2)
    def leaves_a_greenlet(self):
        gevent.spawn(self.client.get, "/slow-body?ms=5")
