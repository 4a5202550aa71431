"""Run as a script: one user in this process, for a debugger."""

import sys

from locust import HttpUser, constant, events, run_single_user, task


@events.init.add_listener
def on_init(environment, runner, web_ui, **_):
    print("> init", runner, web_ui)


@events.test_start.add_listener
def on_start(environment, **_):
    print("> test_start", environment.parsed_options is not None)


class Debugged(HttpUser):
    wait_time = constant(0)
    turn = 0

    @task
    def call(self):
        self.client.get("/hello")
        self.client.get("/status/404")
        self.turn += 1
        if self.turn == 2:
            sys.stdout.flush()
            sys.exit(3)


if __name__ == "__main__":
    Debugged.host = sys.argv.pop()
    run_single_user(Debugged, include_length=True, include_context=True)
