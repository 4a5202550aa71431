"""A process that serves the web application, for tests."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from servers import free_port

LOCUSTFILE = """
from locust import HttpUser, TaskSet, constant, events, task

@events.init_command_line_parser.add_listener
def add_options(parser):
    parser.add_argument("--env", choices=["dev", "prod"], default="dev", help="Environment")
    parser.add_argument("--number", type=int, default=3, help="Number")
    parser.add_argument("--flagged", action="store_true")
    parser.add_argument("--several", is_multiple=True, default=["a"], choices=["a", "b"], nargs="*")
    parser.add_argument("--secret", is_secret=True, default="s3cret")
    parser.add_argument("--unseen", include_in_web_ui=False, default="x")

@events.init.add_listener
def add_routes(environment, web_ui, **_):
    if web_ui is None:
        return
    from flask import request, url_for

    @web_ui.app.route("/own")
    @web_ui.auth_required_if_enabled
    def own():
        return url_for("locust.index") + " " + request.method

    @web_ui.app.route("/options")
    def options():
        return {key: value for key, value in vars(environment.parsed_options).items() if key in ("number", "flagged")}

    if web_ui.web_login:
        from flask import redirect, session
        from flask_login import UserMixin, login_user

        class Somebody(UserMixin):
            id = "somebody"

        web_ui.app.config["SECRET_KEY"] = "for tests"
        web_ui.login_manager.user_loader(lambda _: Somebody())
        web_ui.auth_args = {"username_password_callback": "/check"}

        @web_ui.app.route("/check", methods=["POST"])
        def check():
            if request.form["password"] == "right":
                login_user(Somebody())
                return redirect(url_for("locust.index"))
            session["auth_error"] = "Wrong <b>password</b>"
            return redirect(url_for("locust.login"))

class A(HttpUser):
    weight = 3
    wait_time = constant(0.05)

    @task(3)
    def ok(self):
        self.client.get("/ok")

    @task
    def bad(self):
        with self.client.get("/ok", name="</script><b>group", catch_response=True) as response:
            response.failure("<img src=x onerror=window.hurt=1>")

    @task
    class Sub(TaskSet):
        @task
        def inner(self):
            self.client.get("/ok", name="inner")
            self.interrupt()

class B(HttpUser):
    wait_time = constant(0.1)

    @task
    def boom(self):
        raise ValueError("oops")
"""


@contextmanager
def serving(
    folder: Path,
    target: str,
    *args: str,
    python: str = sys.executable,
    module: str = "cload",
    base: str = "",
    script: str = LOCUSTFILE,
    scheme: str = "http",
) -> Iterator[str]:
    """The web application of a script while it runs; gives its URL."""
    folder.mkdir(exist_ok=True)
    (folder / "locustfile.py").write_text(script)
    port = free_port()
    command = [python, "-m", module, "-H", target, "--web-host", "127.0.0.1", "-P", str(port), *args]
    if "--processes" in args:
        # A master of somebody else may have the usual port.
        command += ["--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port())]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    url = f"{scheme}://127.0.0.1:{port}{base}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{url}/login", timeout=30, verify=False)
                break
            except (requests.ConnectionError, requests.Timeout):
                log_text = (folder / "log").read_text()
                assert process.poll() is None and time.monotonic() < end, log_text
                time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            # Real Locust loses a Ctrl-C that comes while a finalizer runs.
            process.wait(60 if module != "locust" else 10)
        except subprocess.TimeoutExpired:
            if module != "locust":
                raise
        finally:
            process.kill()
