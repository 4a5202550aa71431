import itertools
import json
import logging
import random

from locust import HttpUser, SequentialTaskSet, TaskSet, between, constant_pacing, events, tag, task

serial = itertools.count(1)
slow_requests = []


@events.init_command_line_parser.add_listener
def add_options(parser):
    parser.add_argument("--page-size", type=int, default=5, env_var="PAGE_SIZE", help="articles asked for at once")


@events.test_start.add_listener
def note_start(environment, **kwargs):
    logging.info("reading %d articles at a time", environment.parsed_options.page_size)


@events.request.add_listener
def note_slow(name, response_time, exception, **kwargs):
    if exception is None and response_time > 1000:
        slow_requests.append(name)


@events.test_stop.add_listener
def note_stop(environment, **kwargs):
    logging.info("%d slow requests", len(slow_requests))


class Reader(HttpUser):
    """Reads and never writes."""

    weight = 6
    wait_time = between(0.1, 0.5)

    @tag("read")
    @task(10)
    def front_page(self):
        self.client.get("/")

    @tag("read")
    @task(6)
    def newest(self):
        size = self.environment.parsed_options.page_size
        self.client.get(f"/articles?limit={size}", name="/articles")

    @tag("read", "search")
    @task(4)
    def search(self):
        word = random.choice(["tea", "coffee", "möbel"])
        with self.client.get("/search", params={"q": word}, name="/search", catch_response=True) as response:
            if not response.json()["hits"]:
                response.failure("nothing found")

    @tag("read")
    @task(2)
    def packed(self):
        response = self.client.get("/gzip", headers={"Accept-Encoding": "gzip"})
        assert "quick brown fox" in response.text

    @task(2)
    def moved(self):
        response = self.client.get("/redirect/2", name="/redirect")
        assert len(response.history) == 2

    @task
    def head(self):
        self.client.head("/articles")

    @task
    def options(self):
        self.client.options("/echo")

    @tag("missing")
    @task
    def missing_article(self):
        with self.client.get("/articles/999999", name="/articles/[missing]", catch_response=True) as response:
            if response.status_code == 404:
                response.success()

    @tag("broken")
    @task
    def broken_page(self):
        self.client.get("/status/503", name="/broken")


class Author(HttpUser):
    """Writes an article in fixed steps, then looks after comments for a while."""

    weight = 3
    wait_time = between(0.2, 0.6)

    @task(2)
    class Writing(SequentialTaskSet):
        def on_start(self):
            self.article = None

        @task
        def draft(self):
            response = self.client.post("/articles", json={"title": f"Article {next(serial)}", "text": "..."})
            self.article = response.json()["id"]

        @task
        def revise(self):
            self.client.put(f"/articles/{self.article}", json={"title": "Better"}, name="/articles/[id]")

        @task
        def publish(self):
            self.client.patch(f"/articles/{self.article}", json={"public": True}, name="/articles/[id]")

        @task
        def done(self):
            self.interrupt(reschedule=False)

    @task
    class Comments(TaskSet):
        wait_time = constant_pacing(0.2)

        @task(3)
        def write(self):
            body = json.dumps({"text": "I agree", "by": self.user.name})
            self.client.post("/comments", data=body, headers={"Content-Type": "application/json"})

        @task(2)
        def remove(self):
            comment = self.client.post("/comments", json={"text": "oops"}).json()["id"]
            with self.client.delete(f"/comments/{comment}", name="/comments/[id]", catch_response=True) as response:
                if response.status_code != 204:
                    response.failure(f"comment not removed: {response.status_code}")

        @task
        def leave(self):
            self.interrupt()

    def on_start(self):
        self.name = f"author {next(serial)}"


class Operator(HttpUser):
    """One person who watches the service."""

    fixed_count = 1
    wait_time = constant_pacing(0.5)

    def on_start(self):
        token = self.client.post("/token", data={"username": "operator"}).json()["access_token"]
        self.client.headers.update({"Authorization": f"Bearer {token}"})

    @task
    def whoami(self):
        assert self.client.get("/me").json()["user"] == "operator"

    @task
    def health(self):
        self.client.get("/health", timeout=2)

    @task
    def load(self):
        answer = self.client.get("/counter")
        self.environment.events.request.fire(
            request_type="GAUGE",
            name="open connections",
            response_time=answer.json()["open"],
            response_length=0,
            exception=None,
            context={},
        )
