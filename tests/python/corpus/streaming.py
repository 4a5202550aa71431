"""stream=True and reading in pieces."""

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Downloader(HttpUser):
    wait_time = constant(0)

    @task
    def download(self):
        with self.client.get("/bytes/100000", stream=True, catch_response=True, name="big") as response:
            size = sum(len(part) for part in response.iter_content(chunk_size=8192))
            if size != 100000:
                response.failure(f"{size} bytes")
            print("> size", size)
        with self.client.get("/chunked/5000", stream=True, catch_response=True, name="first part") as response:
            print("> part", len(next(response.iter_content(100))))
            response.close()
        response = self.client.get("/login", stream=True)
        print("> lines", len(list(response.iter_lines(decode_unicode=True))))
        print("> gzip", len(self.client.get("/gzip").content) > 0)
        raise StopUser
