"""Statistics read, reset and cleared in the middle of a test."""

from locust import HttpUser, constant, events, task
from locust.exception import StopUser


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        stats = self.environment.stats
        for _ in range(3):
            self.client.get("/hello", name="a")
        self.client.get("/status/404", name="b")
        print("> before", stats.total.num_requests, stats.num_failures, sorted(key[0] for key in stats.entries))
        print("> errors", [(error.name, error.occurrences) for error in stats.errors.values()])
        stats.reset_all()
        print("> reset", stats.total.num_requests, sorted(key[0] for key in stats.entries), len(stats.errors))
        self.client.get("/hello", name="a")
        stats.clear_all()
        print("> cleared", stats.total.num_requests, len(stats.entries), len(stats.errors))
        self.client.get("/hello", name="a")
        entry = stats.entries[("a", "GET")]
        print(
            "> after", entry.num_requests, entry.min_response_time <= entry.max_response_time, entry.to_dict()["name"]
        )
        stats.log_request("GET", "by hand", 12, 5)
        stats.log_error("GET", "by hand", "went wrong")
        print("> by hand", stats.get("by hand", "GET").fail_ratio, stats.total.num_requests)
        raise StopUser


@events.test_stop.add_listener
def on_stop(environment, **_):
    for entry in environment.stats.entries.values():
        print("> entry", entry.method, entry.name, entry.num_requests, entry.num_failures)
