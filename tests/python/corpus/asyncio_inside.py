"""Coroutines in a task, run by a loop of their own in gevent's thread pool, while other users go on."""

import asyncio
import time

import gevent
from locust import HttpUser, User, constant, task
from locust.exception import StopUser


async def fetch(number):
    await asyncio.sleep(0.02)
    if number == 2:
        raise ValueError("second")
    return number


async def gather():
    return await asyncio.gather(*(fetch(number) for number in range(4)), return_exceptions=True)


class Async(User):
    wait_time = constant(0)

    @task
    def call(self):
        for _ in range(2):
            begin = time.perf_counter()
            results = gevent.get_hub().threadpool.apply(asyncio.run, (gather(),))
            for result in results:
                self.environment.events.request.fire(
                    request_type="async",
                    name="fetch",
                    response_time=(time.perf_counter() - begin) * 1000,
                    response_length=0,
                    exception=result if isinstance(result, Exception) else None,
                )
        print("> results", [str(result) for result in results])
        raise StopUser


class Other(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        self.client.get("/hello")
        raise StopUser
