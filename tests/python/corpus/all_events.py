"""A listener on everything a single process fires."""

from locust import HttpUser, constant, events, task


def listen(name):
    def listener(**kwargs):
        print(">", name, sorted(kwargs))

    getattr(events, name).add_listener(listener)


for name in ("init", "test_start", "spawning_complete", "user_error", "test_stopping", "test_stop", "quitting", "quit"):
    listen(name)


@events.request.add_listener
def on_request(request_type, name, response_time, response_length, exception, context, start_time, url, **kwargs):
    print("> request", request_type, name, response_length, repr(exception), context, url.startswith("http"))
    print("> rest", sorted(kwargs), kwargs["response"].status_code, response_time > 0, start_time > 1e9)


@events.quitting.add_listener
def on_quitting(environment, **_):
    total = environment.stats.total
    print("> total", total.num_requests, total.num_failures, environment.runner.state)


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        self.client.get("/hello", context={"user": 1})
        self.client.get("/status/500")
        self.environment.runner.quit()
