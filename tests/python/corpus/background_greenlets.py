"""Each user has helpers of its own that run beside its tasks and end with it."""

import gevent
from gevent.pool import Group, Pool
from locust import HttpUser, constant, task
from locust.exception import StopUser


class Busy(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        self.beats = 0
        self.helpers = Group()
        self.helpers.spawn(self.beat)
        self.helpers.spawn_later(0.05, self.client.get, "/hello", name="later")

    def beat(self):
        while True:
            self.client.get("/health", name="beat")
            self.beats += 1
            gevent.sleep(0.02)

    @task
    def call(self):
        pool = Pool(3)
        jobs = [pool.spawn(self.client.get, f"/delay/{10 * number}", name="parallel") for number in range(6)]
        pool.join()
        print("> parallel", [job.value.status_code for job in jobs])
        failed = gevent.spawn(lambda: 1 / 0)
        failed.join()
        print("> failed", type(failed.exception).__name__)
        first = gevent.wait([gevent.spawn(gevent.sleep, 5), gevent.spawn(gevent.sleep, 0)], count=1)
        print("> first", len(first))
        results = list(
            pool.imap_unordered(lambda number: self.client.get("/hello", name="mapped").status_code, range(4))
        )
        print("> mapped", results)
        gevent.sleep(0.2)
        print("> beats", self.beats > 2)
        raise StopUser

    def on_stop(self):
        self.helpers.kill()
        print("> helpers", len(self.helpers))
