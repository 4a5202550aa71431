"""Create things, page through them, change and delete them."""

import json

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Pager(HttpUser):
    wait_time = constant(0)

    @task
    def work(self):
        made = []
        for number in range(3):
            answer = self.client.post("/products", json={"number": number})
            made.append(answer.json()["id"])
            print("> created", answer.status_code)
        limit = 1
        while limit <= 4:
            page = self.client.get("/products", params={"limit": limit}, name="/api/products?limit=[n]").json()
            print("> page", len(page["items"]) <= limit)
            limit *= 2
        for id in made:
            url = f"/products/{id}"
            self.client.patch(url, data=json.dumps({"x": 1}), name="/products/[id]")
            self.client.put(url, json={"x": 2}, name="/products/[id]")
            print("> deleted", self.client.delete(url, name="/products/[id]").status_code)
            self.client.get(url, name="/products/[id] gone")
        raise StopUser
