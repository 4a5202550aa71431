"""What a response looks like to a locustfile."""

import json

from locust import HttpUser, constant, task
from requests.auth import HTTPBasicAuth


def show(label, response):
    print(
        label,
        response.status_code,
        response.reason,
        response.ok,
        bool(response),
        response.url.partition("/")[2].partition("/")[2].partition("/")[2],
        len(response.content),
        response.encoding,
        [(hop.status_code, hop.headers["Location"]) for hop in response.history],
        response.headers.get("CONTENT-type"),
        response.request.method,
        type(response.elapsed).__name__,
        response.elapsed.total_seconds() >= 0,
        sorted(response.cookies.get_dict().items()),
        flush=True,
    )


def show_echo(label, response):
    echo = response.json()
    headers = {name: value for name, value in echo["headers"].items() if name not in ("Host", "User-Agent")}
    print(label, echo["method"], echo["path"], echo["query"], headers, echo["body"], flush=True)


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def everything(self):
        client = self.client
        for path in ("/", "/status/204", "/status/404", "/status/500", "/redirect/3", "/gzip", "/deflate", "/bytes/0"):
            show(path, client.get(path))
        show("chunked", client.get("/chunked/2500", name="chunked"))
        show("not followed", client.get("/redirect/2", allow_redirects=False, name="not followed"))
        for status in (301, 302, 303, 307, 308):
            url = f"/redirect-to?url=/echo&status={status}"
            response = client.post(url, data={"a": 1}, name=f"redirect {status}")
            show("redirect", response)
            show_echo("redirected", response)
        show_echo("params", client.get("/echo", params={"a": "1 2", "b": ["x", "y"], "c": None, "d": "ö"}, name="echo"))
        show_echo("params twice", client.get("/echo?z=1#part", params=[("a", 1)], name="echo"))
        show_echo("form", client.post("/echo", data={"a": "1&2", "b": ["x", "y"]}))
        show_echo("pairs", client.post("/echo", data=[("a", "1"), ("a", "2")]))
        show_echo("text", client.post("/echo", data="straße".encode()))
        show_echo("bytes", client.put("/echo", data=b"\x00\xff"))
        show_echo("json", client.post("/echo", json={"a": [1, None, "ü"]}))
        show_echo("json and data", client.post("/echo", data="x", json={"a": 1}))
        show_echo("empty", client.post("/echo"))
        show_echo("patch", client.patch("/echo", json=[]))
        show_echo("delete", client.delete("/echo"))
        show_echo("options", client.options("/echo"))
        show("head", client.head("/hello"))
        show_echo("own method", client.request("PURGE", "/echo"))
        show_echo("headers", client.get("/echo", headers={"X-A": "1", "accept": "text/x", "Accept-Encoding": "x"}))
        client.headers["X-Session"] = "yes"
        show_echo("session header", client.get("/echo", headers={"x-session": "no"}))
        show_echo("session header kept", client.get("/echo"))
        del client.headers["X-Session"]
        show_echo("auth", client.get("/echo", auth=("user", "secret")))
        show("auth object", client.get("/basic-auth", auth=HTTPBasicAuth("user", "secret")))
        client.auth = ("user", "wrong")
        show("session auth", client.get("/basic-auth", name="basic-auth wrong"))
        client.auth = None
        show("cookies set", client.get("/cookies/set?a=1&b=2", name="cookies set"))
        print(sorted(client.cookies.get_dict().items()))
        print(client.get("/cookies", cookies={"c": "3"}).json())
        client.cookies.set("d", "4")
        print(client.get("/cookies").json())
        client.get("/cookies/raw?line=a%3Dgone%3B%20Max-Age%3D0%3B%20Path%3D%2F", name="cookie removed")
        print(sorted(client.cookies.get_dict().items()))
        client.cookies.clear()
        print(client.get("/cookies").json())
        files = {"upload": ("a.txt", b"content", "text/plain")}
        echo = client.post("/echo", files=files, data={"k": "v"}, name="upload").json()
        boundary = echo["headers"]["Content-Type"].partition("boundary=")[2]
        print("upload", echo["body"].replace(boundary, "BOUNDARY"))
        with client.get("/bytes/5000", stream=True, catch_response=True, name="stream") as response:
            print("stream", [len(part) for part in response.iter_content(2000)])
        print("lines", list(client.get("/hello", name="lines").iter_lines()))
        with client.get("/hello", catch_response=True, name="caught") as response:
            response.failure("not what I wanted")
        with client.get("/status/404", catch_response=True, name="caught 404") as response:
            response.success()
        with client.get("/hello", catch_response=True, name="caught error") as response:
            response.failure(ValueError("bad value"))
        with client.get("/status/500", catch_response=True, name="caught nothing"):
            pass
        try:
            client.get("/status/403", name="raised").raise_for_status()
        except Exception as error:
            print(type(error).__module__, type(error).__name__, str(error).partition(" for url")[0])
        refused = client.get("http://127.0.0.1:1/", name="refused")
        print("refused", refused.status_code, refused.content, refused.text, type(refused.error).__name__)
        try:
            refused.raise_for_status()
        except Exception as error:
            print(type(error).__module__, type(error).__name__)
        try:
            client.get("/hello", name="no json").json()
        except json.JSONDecodeError as error:
            print("no json", type(error).__module__, type(error).__name__)
        with client.rename_request("renamed"):
            client.get("/hello?x=1")
        client.request_name = "named"
        client.get("/hello?x=2")
        client.request_name = None
        print("base", client.base_url == self.host, self.host == self.environment.host)
        self.environment.runner.quit()
