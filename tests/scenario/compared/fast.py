"""FastHttpUser."""

from locust import FastHttpUser, constant, task


def show(label, response):
    print(
        label,
        response.status_code,
        response.ok,
        response.url.partition("/")[2].partition("/")[2].partition("/")[2],
        len(response.content or b""),
        (response.text or "")[:12].strip(),
        flush=True,
    )


class Caller(FastHttpUser):
    wait_time = constant(0)

    @task
    def everything(self):
        client = self.client
        for path in ("/", "/status/404", "/status/500", "/redirect/2", "/gzip", "/bytes/3000"):
            show(path, client.get(path))
        show("not followed", client.get("/redirect/2", allow_redirects=False, name="not followed"))
        echo = client.post("/echo", json={"a": 1}).json()
        print(echo["method"], echo["body"], echo["headers"].get("Content-Type"))
        echo = client.post("/echo", data={"a": "1 2"}).json()
        print(echo["method"], echo["body"])
        print(client.put("/echo", data="text").json()["body"], client.patch("/echo", data=b"x").json()["body"])
        print(client.delete("/echo").json()["method"], client.options("/echo").json()["method"])
        show("head", client.head("/hello"))
        print(client.get("/echo", headers={"X-A": "1"}).json()["headers"]["X-A"])
        client.get("/cookies/set?a=1", name="cookies set")
        print(client.get("/cookies").json())
        with client.get("/hello", catch_response=True, name="caught") as response:
            response.failure("not what I wanted")
        with client.get("/status/404", catch_response=True, name="caught 404") as response:
            response.success()
        with self.rest("POST", "/echo", json={"q": 1}) as response:
            print(response.js["method"], response.js["body"])
        with self.rest("GET", "/hello", name="no json") as response:
            print(response.js)
        refused = client.get("http://127.0.0.1:1/", name="refused")
        print("refused", refused.status_code, type(refused.error).__name__)
        self.environment.runner.quit()
