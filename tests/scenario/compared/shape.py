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
    stages = ((2, 8), (4, 20), (6, 4))
    shown = -1

    def tick(self):
        time = self.get_run_time()
        for number, (until, users) in enumerate(self.stages):
            if time < until:
                # Just before the next stage.
                if time > until - 1 and self.shown != number:
                    self.shown = number
                    print(users, self.get_current_user_count(), dict(self.runner.user_classes_count), flush=True)
                return users, 100
        return None
