"""urllib3's retries in a mounted adapter: a chain of tries is one request."""

from locust import HttpUser, constant, task
from locust.exception import StopUser
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry


class Patient(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        policy = Retry(
            total=2, backoff_factor=0, status_forcelist=[503], allowed_methods={"GET"}, raise_on_status=False
        )
        adapter = HTTPAdapter(max_retries=policy)
        self.client.mount("http://", adapter)
        self.client.mount("https://", adapter)

    @task
    def call(self):
        self.client.get("/hello")
        answer = self.client.get("/status/503", name="unavailable")
        print("> tries", len(answer.raw.retries.history))
        self.client.post("/status/503", name="not retried")
        strict = HTTPAdapter(max_retries=Retry(total=1, backoff_factor=0, status_forcelist=[502]))
        self.client.mount(self.host + "/status/502", strict)
        answer = self.client.get("/status/502", name="too many")
        print("> strict", answer.status_code)
        print("> adapters", len(self.client.adapters))
        raise StopUser
