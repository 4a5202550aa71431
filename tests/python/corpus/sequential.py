"""A flow in fixed order."""

from locust import HttpUser, SequentialTaskSet, constant, task


class Flow(SequentialTaskSet):
    def on_start(self):
        self.turn = 0

    @task
    def first(self):
        self.client.get("/echo/1")

    @task(2)
    def second(self):
        self.client.get("/echo/2")

    @task
    class Third(SequentialTaskSet):
        @task
        def a(self):
            self.client.get("/echo/3a")

        @task
        def b(self):
            self.client.get("/echo/3b")
            self.interrupt(reschedule=False)

    @task
    def last(self):
        print("> turn", self.turn)
        self.turn += 1
        if self.turn == 3:
            self.user.environment.runner.quit()


class Walker(HttpUser):
    wait_time = constant(0)
    tasks = [Flow]
