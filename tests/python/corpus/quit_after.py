"""Ends the test itself after a number of iterations."""

from locust import HttpUser, constant, events, task


class Limited(HttpUser):
    wait_time = constant(0)
    done = 0

    def on_stop(self):
        print("> stopped after", self.done)

    @task
    def work(self):
        self.client.get("/hello")
        self.done += 1
        if self.done == 10:
            self.environment.runner.quit()


@events.quitting.add_listener
def check(environment, **_):
    print("> requests", environment.stats.total.num_requests, environment.runner.state)
