"""quit() called by users, in on_start or in a task: each ends in there, and none goes on."""

import os

from gevent import GreenletExit
from locust import HttpUser, constant, task


class Quitter(HttpUser):
    wait_time = constant(0)

    def leave(self):
        try:
            self.environment.runner.quit()
            print("> still here")
        except GreenletExit:
            print("> ended")
            raise

    def on_start(self):
        if os.environ["SHOP_WHERE"] == "start":
            self.leave()

    def on_stop(self):
        print("> on_stop")

    @task
    def work(self):
        print("> task")
        self.leave()
