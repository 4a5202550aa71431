"""A shape that begins again once."""

from locust import HttpUser, LoadTestShape, constant, task


class Base(LoadTestShape):
    abstract = True
    rounds = 0


class Loop(Base):
    def tick(self):
        if self.get_run_time() > 1.5:
            self.rounds += 1
            print("> round", self.rounds)
            if self.rounds == 2:
                return None
            self.reset_time()
        return 1, 1


class Quiet(HttpUser):
    wait_time = constant(0.2)

    @task
    def get(self):
        self.client.get("/hello")
