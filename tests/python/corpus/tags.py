"""Run with --tags smoke deep --exclude-tags slow."""

from locust import HttpUser, TaskSet, constant, tag, task
from locust.exception import StopUser


class Tester(HttpUser):
    wait_time = constant(0)
    done = frozenset()

    def visit(self, path):
        if path in self.done:
            return
        self.client.get(path)
        self.done |= {path}
        if len(self.done) == 3:
            raise StopUser

    @tag("smoke")
    @task
    def quick(self):
        self.visit("/echo/quick")

    @task
    @tag("smoke", "slow")
    def slow(self):
        self.visit("/echo/slow")

    @task
    def untagged(self):
        self.visit("/echo/untagged")

    @tag("deep")
    @task
    class Section(TaskSet):
        @task
        def inherited(self):
            self.user.visit("/echo/inherited")
            self.interrupt()

    @task
    class Open(TaskSet):
        @tag("smoke")
        @task
        def kept(self):
            self.user.visit("/echo/kept")
            self.interrupt()

        @task
        def dropped(self):
            self.user.visit("/echo/dropped")
            self.interrupt()
