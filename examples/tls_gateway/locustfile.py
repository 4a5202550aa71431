import os
import random

import urllib3
from locust import HttpUser, between, task

# The gateway of the test system shows a certificate that it signed itself.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
CERTIFICATE = os.environ.get("GATEWAY_CERTIFICATE")


class GatewayUser(HttpUser):
    """Goes through the gateway and does not care who signed its certificate."""

    weight = 3
    wait_time = between(0.2, 0.6)

    def on_start(self):
        self.client.verify = False
        answer = self.client.post("/token", data={"username": "gateway"})
        self.client.headers["Authorization"] = "Bearer " + answer.json()["access_token"]

    @task(4)
    def me(self):
        self.client.get("/me")

    @task(2)
    def item(self):
        self.client.get(f"/bytes/{random.randint(100, 3000)}", name="/bytes/[n]")

    @task
    def upload(self):
        self.client.post("/items", json={"payload": "x" * 500}, headers={"X-Request-Source": "load test"})


class CarefulUser(HttpUser):
    """Trusts this one certificate and no other."""

    weight = 1
    wait_time = between(0.2, 0.6)

    @task
    def health(self):
        self.client.get("/health", verify=CERTIFICATE or False, name="/health (certificate checked)")
