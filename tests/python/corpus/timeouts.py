"""Answers that come too late or not at all."""

from locust import HttpUser, constant, task
from locust.exception import StopUser
from requests.exceptions import ConnectionError, RequestException, Timeout


class Impatient(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        response = self.client.get("/delay/2000", timeout=0.1, name="late")
        print("> late", response.status_code, isinstance(response.error, Timeout))
        self.client.get("/delay/10", timeout=(1, 5), name="in time")
        response = self.client.get("/reset", name="reset")
        print("> reset", isinstance(response.error, ConnectionError))
        response = self.client.get("/close", name="closed")
        print("> closed", isinstance(response.error, ConnectionError))
        try:
            self.client.get("http://127.0.0.1:1/", name="refused").raise_for_status()
        except RequestException as error:
            print("> refused", type(error).__name__)
        raise StopUser
