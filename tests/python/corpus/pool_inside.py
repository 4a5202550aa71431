"""A page with its parts loaded at the same time."""

from gevent.pool import Group, Pool
from locust import HttpUser, constant, task
from locust.exception import StopUser


class Browser(HttpUser):
    wait_time = constant(0)

    def part(self, number):
        return self.client.get(f"/delay/{20 + number}", name="part").status_code

    @task
    def page(self):
        self.client.get("/")
        pool = Pool(4)
        print("> pool", pool.map(self.part, range(8)))
        group = Group()
        jobs = [group.spawn(self.client.get, "/hello", name="group") for _ in range(3)]
        group.join()
        print("> group", [job.value.text for job in jobs])
        for _ in range(2):
            pool.spawn(self.client.get, "/status/500", name="failing part")
        pool.join()
        raise StopUser
