"""Everything that files read from answers."""

from datetime import timedelta

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Curious(HttpUser):
    wait_time = constant(0)

    @task
    def look(self):
        answer = self.client.get("/redirect/2")
        print("> elapsed", isinstance(answer.elapsed, timedelta), 0 < answer.elapsed.total_seconds() < 5)
        print("> history", [one.status_code for one in answer.history], [one.is_redirect for one in answer.history])
        print("> next", answer.next, answer.is_permanent_redirect, answer.ok, bool(answer), answer.reason)
        print("> url", answer.url.rpartition("/")[2], answer.request.method, answer.request.path_url)
        echo = self.client.post("/echo/x?a=1", data={"b": ["1", "2"]}, params=[("c", "3")], cookies={"k": "v"})
        print("> echo", echo.json()["query"], echo.json()["body"], echo.request.body, echo.encoding)
        print("> headers", echo.headers["content-type"], echo.headers.get("CONTENT-TYPE"), "x" in echo.headers)
        print("> sent", sorted(echo.request.headers), echo.json()["headers"].get("Cookie"))
        page = self.client.get("/login")
        print("> text", page.text[:15], page.apparent_encoding, page.encoding, len(page.content), page.links)
        print("> lines", len(list(page.iter_lines())), [len(part) for part in page.iter_content(40)][:2])
        self.client.get("/cookies/set?one=1&two=2")
        print("> cookies", sorted(self.client.cookies.get_dict().items()), len(self.client.cookies))
        self.client.cookies.clear()
        print("> cleared", self.client.get("/cookies").text)
        bad = self.client.get("/status/404")
        for check in (bad.raise_for_status, bad.json):
            try:
                check()
            except Exception as error:
                print("> raised", type(error).__module__, type(error).__name__)
        empty = self.client.get("/status/204")
        print("> empty", empty.content, empty.text == "", empty.encoding, repr(empty))
        stream = self.client.get("/chunked/3000", stream=True, name="stream")
        print("> stream", sum(map(len, stream.iter_content(512))), stream.raw is not None)
        with self.client.get("/bytes/100", stream=True, catch_response=True) as opened:
            print("> opened", len(opened.raw.read(10)))
        raise StopUser
