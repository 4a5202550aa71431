"""Messages between nodes; in one process they come to oneself."""

from locust import HttpUser, constant, events, task
from locust.exception import StopUser

names = []


def on_names(environment, msg, **_):
    names.extend(msg.data)
    print("> got", msg.type, msg.data, msg.node_id)
    environment.runner.send_message("acknowledge", f"thanks for {len(msg.data)}")


def on_acknowledge(msg, **_):
    print("> ack", msg.data)


@events.init.add_listener
def on_init(environment, **_):
    environment.runner.register_message("names", on_names)
    environment.runner.register_message("acknowledge", on_acknowledge, concurrent=True)
    try:
        environment.runner.register_message("names", on_names)
    except Exception as error:
        print("> twice", type(error).__name__)


@events.test_start.add_listener
def on_start(environment, **_):
    environment.runner.send_message("names", ["ann", "bob"])
    environment.runner.send_message("nobody listens")


class Greeter(HttpUser):
    wait_time = constant(0)

    @task
    def greet(self):
        self.client.get("/search", params={"q": names.pop()}, name="greet")
        raise StopUser
