"""A load shape with stages, users of two classes, and the counts the runner shows."""

from locust import LoadTestShape, User, constant, task


class Walker(User):
    weight = 3
    wait_time = constant(0.1)

    @task
    def walk(self):
        pass


class Climber(User):
    weight = 1
    wait_time = constant(0.1)

    @task
    def climb(self):
        pass


class Stages(LoadTestShape):
    stages = (8, 20, 4)
    stage = 0

    def tick(self):
        # The next stage once all are there.
        if self.get_current_user_count() == self.stages[self.stage]:
            counts = dict(self.runner.user_classes_count)
            print(self.stages[self.stage], self.get_run_time() > 0, counts, flush=True)
            self.stage += 1
        return (self.stages[self.stage], 100) if self.stage < len(self.stages) else None
