from locust import HttpUser, between, constant, tag, task


class Visitor(HttpUser):
    wait_time = between(0.5, 1.5)

    @task(3)
    def read(self):
        self.client.get("/hello")

    @task
    def search(self):
        self.client.get("/search", params={"q": "lamp"}, name="/search")


class Reader(HttpUser):
    """Asks for the same page over and over, as somebody does who wants to see a cache at work."""

    wait_time = constant(0.1)

    @tag("cache")
    @task
    def same_page(self):
        self.client.get("/hello", name="/hello (again)")
