import random

from locust import HttpUser, between, task

WORDS = ["lamp", "chair", "garden table", "tea"]


class Visitor(HttpUser):
    wait_time = between(0.5, 1.5)

    @task(3)
    def read(self):
        self.client.get("/")
        self.client.get("/hello")

    @task(2)
    def look_at_a_product(self):
        self.client.get(f"/products/{self.product}", name="/products/[id]")

    @task
    def search(self):
        self.client.get("/search", params={"q": random.choice(WORDS)}, name="/search")

    def on_start(self):
        response = self.client.post("/products", json={"name": "lamp", "price": 1990})
        self.product = response.json()["id"]
