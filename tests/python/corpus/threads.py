"""Threads, locks, events and queues of the standard library after patching."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from locust import HttpUser, constant, events, task
from locust.exception import StopUser

results = queue.Queue()
lock = threading.Lock()
ready = threading.Event()
beats = 0


@events.test_start.add_listener
def start_heart(environment, **_):
    def beat():
        global beats
        for _ in range(5):
            time.sleep(0.02)
            with lock:
                beats += 1
        ready.set()

    threading.Thread(target=beat, daemon=True).start()


@events.test_stop.add_listener
def show(**_):
    print("> beats", beats, results.qsize())


class Threaded(HttpUser):
    wait_time = constant(0)

    def ask(self, path):
        results.put(self.client.get(path).status_code)

    @task
    def call(self):
        threads = [threading.Thread(target=self.ask, args=("/hello",)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(self.ask, ["/", "/"]))
        print("> ready", ready.wait(3))
        raise StopUser
