"""Files, multipart forms, generators as bodies."""

import io

from locust import HttpUser, constant, task
from locust.exception import StopUser


def parts():
    yield b"one,"
    yield b"two"


class Uploader(HttpUser):
    wait_time = constant(0)

    @task
    def upload(self):
        file = io.BytesIO(b"a,b\n1,2\n")
        echo = self.client.post("/echo/csv", files={"file": ("data.csv", file, "text/csv")}, data={"kind": "x"}).json()
        print("> multipart", echo["headers"]["Content-Type"].split(";")[0], "data.csv" in echo["body"])
        echo = self.client.post("/echo/stream", data=parts()).json()
        print("> generator", echo["headers"].get("Transfer-Encoding"), echo["body"])
        echo = self.client.put("/echo/file", data=io.BytesIO(b"whole file")).json()
        print("> file", echo["headers"].get("Content-Length"), echo["body"])
        many = [("f", ("a.txt", "A")), ("f", ("b.txt", "B"))]
        echo = self.client.post("/echo/many", files=many).json()
        print("> many", echo["body"].count("filename="))
        raise StopUser
