"""What the web application answers, asked in every way of both: status, headers, JSON and files are Locust's."""

from __future__ import annotations

from typing import Any

import pytest
from oracle import ENGINES, NO_LOCUST
from servers import free_port

SETUP = r"""
import re
from argparse import Namespace
from flask import Blueprint, redirect, request, session, url_for
from flask_login import UserMixin, login_user
from locust.stats import StatsCSVFileWriter
logging.disable(logging.CRITICAL)
HEADERS = ("Content-Type", "Content-Disposition", "Location", "Access-Control-Allow-Origin", "Cache-Control",
           "Accept-Ranges", "Vary")
class A(User):
    host = "http://a"
    weight = 3
    wait_time = constant(1)
    @task(2)
    def one(self): pass
    @task
    class Inner(TaskSet):
        @task
        def two(self): pass
class B(User):
    host = "http://a"
    fixed_count = 1
    @task
    def three(self): time.sleep(1)
def masked(text):
    text = re.sub(r"\d{4}-\d\d-\d\d[-T]\d\dh?:?\d\d(:\d\d(\.\d+)?)?Z?", "TIME", text)
    return re.sub(r"\d{10}\.\d+|\d+\.\d{6,}", "NUMBER", text)
def told(answer):
    headers = {name: masked(answer.headers[name]) for name in HEADERS if name in answer.headers}
    if answer.status_code >= 400:
        # An error of ours is text, so that nothing in it is taken for markup.
        headers.pop("Content-Type")
    methods = sorted(answer.headers.get("Allow", "").split(", "))
    cookie = re.sub("=[^;]*", "=", answer.headers.get("Set-Cookie", ""), count=1)
    return [answer.status_code, headers, methods, "session=" in cookie, bool(answer.headers.get("ETag"))]
def options(**more):
    return Namespace(**{"num_users": None, "spawn_rate": None, "host": None, "run_time": None, "profile": None,
                        "stats_history_enabled": False, **more})
def serve(*, environment=None, **arguments):
    environment = environment or Environment(user_classes=[A, B], parsed_options=options())
    if environment.runner is None:
        environment.create_local_runner()
    ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True, **arguments)
    return environment, ui, ui.app.test_client()
PATHS = ("/", "/swarm", "/stop", "/stats/reset", "/stats/report", "/stats/report?download=1", "/stats/requests",
         "/stats/requests/csv", "/stats/requests_full_history/csv", "/stats/failures/csv", "/exceptions",
         "/exceptions/csv", "/tasks", "/logs", "/user", "/worker-count", "/login", "/assets/nothing", "/assets/",
         "/nowhere", "/stats", "/swarm/", "//", "/stats/requests/", "/%2e%2e/x")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
found = {}
"""


def _compare(code: str) -> None:
    if ENGINES[1].python is None:
        pytest.skip(NO_LOCUST)
    ours, theirs = (engine.snippet(SETUP + code + "\nout(found)", str(free_port())) for engine in ENGINES)
    assert list(ours) == list(theirs)
    differing: dict[str, Any] = {key: (ours[key], theirs[key]) for key in theirs if ours[key] != theirs[key]}
    assert differing == {}


def test_all_methods_paths_and_files() -> None:
    """WEB-2, 3, 4, 5, 6, 12, 14, 15, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 49: of names and texts that are not easy,
    in the order and the form of Locust."""
    _compare(
        r"""
environment = Environment(user_classes=[A, B], host="http://h/<x>é", parsed_options=options())
environment.locustfile = "my file.py"
environment, ui, client = serve(environment=environment)
numbers = environment.stats
for number in range(30):
    numbers.log_request("GET", "/a,b", 10 * number, 100 + number)
    numbers.log_request("POST", 'q"uote\nline', 3.5 * number, number)
    numbers.log_request("", "nothing", None, 0)
for text in ("=1+1", "a,b", 'q"', "x\ny", ValueError("v"), "é"):
    numbers.log_error("GET", "/a,b", text)
for node, message, trace in (("local", "msg, <b>", "T\n  x"), ("w2", "msg, <b>", "T\n  x"), ("local", "=cmd", "T2")):
    environment.runner.log_exception(node, message, trace)
for method in METHODS:
    for path in PATHS:
        if method != "POST" or path not in ("/stop", "/stats/reset"):
            found[f"{method} {path}"] = told(client.open(path, method=method))
for path in ("/stats/requests/csv", "/stats/failures/csv", "/exceptions/csv", "/exceptions", "/tasks", "/logs",
             "/worker-count"):
    text = masked(client.get(path).get_data(as_text=True))
    if path == "/stats/failures/csv":
        # Locust's set of failures has no order that could be relied upon.
        text = sorted(text.split("\r\n"))
    elif path.startswith("/exceptions"):
        text = text.replace("w2, local", "local, w2")
    found[f"body of {path}"] = text
answer = client.get("/stats/requests")
report = answer.get_json()
report.pop("generator", None)
for row in report["stats"]:
    row.pop("phases", None)
report["errors"].sort(key=lambda row: row["error"])
found["report"] = masked(json.dumps(report))
text = answer.get_data(as_text=True)
found["form"] = text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
for data, kind in ((b"{", "application/json"), (b"{}", "application/json"), (b"[]", "application/json"),
                   (b'{"user_class_name": "A", "nothing": 1}', "text/plain"),
                   (b'{"user_class_name": null}', "application/json")):
    found[f"user {data}"] = client.post("/user", data=data, content_type=kind).status_code
fired = []
environment.events.reset_stats.add_listener(lambda: fired.append(1))
found["reset"] = [told(client.post("/stats/reset")), client.post("/stats/reset").get_data(as_text=True), fired,
                  len(numbers.entries), len(numbers.errors), environment.runner.exceptions]
found["stop"] = [told(client.post("/stop")), client.post("/stop").get_json()]
"""
    )


def test_all_kinds_of_input_of_the_form() -> None:
    """WEB-13, 14, 28, 29, 30, 31, 32, 36, 37, 38"""
    _compare(
        r"""
environment, ui, client = serve()
environment.runner.start = lambda *arguments, **_: None
def swarm(**fields):
    answer = client.post("/swarm", data=fields)
    told = answer.get_json() if answer.is_json else {}
    # The words of refusals are our own.
    if not told.get("success"):
        told.pop("message", None)
    own = vars(environment.parsed_options)
    names = ("num_users", "spawn_rate", "run_time", "profile")
    return [answer.status_code, told, {name: repr(own[name]) for name in names}, environment.host]
for count in (None, "", "1", "1e1", " 2 ", "1_0", "0", "-1", "٣", "999999999999", "x"):
    for rate in (None, "", "1", " 3 ", "0", "-0.0", "nan", "1e400", "0.5"):
        fields = {name: text for name, text in (("user_count", count), ("spawn_rate", rate)) if text is not None}
        found[f"{count} {rate}"] = swarm(**fields)
for text in ("", "10", "1h2m3s", "0", "-5", " ", "5x", "1.5", "1H", "2m 3s", "90s"):
    found[f"run time {text}"] = swarm(user_count="1", spawn_rate="1", run_time=text)
    client.post("/stop")
for name, text in (("host", "http://<script>"), ("host", ""), ("profile", "p"), ("profile", ""), ("user_classes", "A"),
                   ("shape_class", "Nothing"), ("unknown", "x")):
    found[f"{name} {text}"] = swarm(user_count="1", spawn_rate="1", **{name: text})
found["JSON"] = client.post("/swarm", json={"user_count": 1, "spawn_rate": 1}).status_code
found["query"] = client.post("/swarm?user_count=1&spawn_rate=1").get_json()["success"]
"""
    )


def test_page_data() -> None:
    """WEB-11, 34, 41, 42, 43, 45, 51: window.templateArgs, on a fresh page, in a test, of a master without workers."""
    _compare(
        r"""
def page(client, path="/"):
    text = client.get(path).get_data(as_text=True)
    args = json.loads(re.search(r"window\.templateArgs = (\{.*\})", text)[1])
    return {key: value for key, value in args.items() if key not in ("version", "history", "extra_options")}
locust.stats.PERCENTILES_TO_CHART = [0.5, 0.75, 0.99]
locust.stats.PERCENTILES_TO_STATISTICS = [0.9, 0.999]
class Shape(LoadTestShape):
    def tick(self): return None
environment, ui, client = serve()
found["fresh"] = page(client)
environment.stats.log_request("GET", "/", 5, 5)
rows = client.get("/stats/requests").get_json()
found["percentiles"] = [sorted(rows["current_response_time_percentiles"]), sorted(set(rows["stats"][0]) - {"phases"})]
environment.host = "http://other"
vars(environment.parsed_options).update(num_users=7, spawn_rate=2.5, run_time=60)
environment.profile = "p"
environment.runner.state = "running"
found["running"] = page(client)
environment, ui, client = serve(
    environment=Environment(user_classes=[A, B], parsed_options=options(), available_user_classes={"A": A, "B": B},
                            available_user_tasks={"A": A.tasks, "B": B.tasks},
                            available_shape_classes={"Shape": Shape()}),
    userclass_picker_is_active=True,
)
found["picker"] = page(client)
environment, ui, client = serve(environment=Environment(user_classes=[]))
found["nothing"] = page(client)
environment = Environment(user_classes=[A, B], parsed_options=options())
environment.create_master_runner("127.0.0.1", int(sys.argv[1]))
environment, ui, client = serve(environment=environment)
found["master"] = page(client)
found["no workers"] = [client.post("/swarm", data={"user_count": "3", "spawn_rate": "1"}).get_json(),
                       client.get("/worker-count").get_json()]
rows = client.get("/stats/requests").get_json()
found["workers"] = [rows["workers"], rows["worker_count"], rows["user_count"]]
"""
    )


def test_base_path_and_login() -> None:
    """WEB-1, 8, 9, 27, 68, 69, 70, 71, 72: not logged in, a wrong form, a right one, cookies."""
    _compare(
        r"""
class Somebody(UserMixin):
    id = "somebody"
def with_login(**arguments):
    environment, ui, client = serve(web_login=True, **arguments)
    ui.app.config["SECRET_KEY"] = "for tests"
    ui.login_manager.user_loader(lambda _: Somebody())
    ui.auth_args = {
        "username_password_callback": "/enter", "title": "Mine",
        "auth_providers": [{"label": "One", "callback_url": "/one", "icon_url": "https://x.example/i.png"}],
        "custom_form": {"inputs": [{"label": "L", "name": "n", "is_secret": True, "choices": ["a"]}],
                        "callback_url": "/form", "submit_button_text": "Go"},
    }
    @ui.app.route("/enter", methods=["POST"])
    def enter():
        if request.form.get("password") == "right":
            login_user(Somebody())
            return redirect(url_for("locust.index"))
        session["auth_error"], session["auth_info"] = "wrong", "info"
        return redirect(url_for("locust.login"))
    own = Blueprint("own", "own", url_prefix=arguments.get("web_base_path"))
    @own.route("/mine")
    @ui.auth_required_if_enabled
    def mine():
        return "mine"
    ui.app.register_blueprint(own)
    return environment, ui, client
def auth_args(client, path):
    text = client.get(path).get_data(as_text=True)
    return json.loads(re.search(r"window\.authArgs = (\{.*\})", text)[1])
for base in (None, "/base"):
    environment, ui, client = with_login(web_base_path=base)
    prefix = base or ""
    for method in ("GET", "POST"):
        for path in (*PATHS, "/mine"):
            found[f"out {prefix}: {method} {path}"] = told(client.open(prefix + path, method=method))
    found[f"{prefix} elsewhere"] = [told(client.get(path)) for path in ("/", "/stats/requests", "/login")]
    found[f"{prefix} args"] = auth_args(client, prefix + "/login")
    found[f"{prefix} wrong"] = [told(client.post("/enter")), auth_args(client, prefix + "/login")]
    # A protected page forgets what was wrong.
    client.get(prefix + "/")
    found[f"{prefix} later"] = auth_args(client, prefix + "/login")
    found[f"{prefix} right"] = told(client.post("/enter", data={"password": "right"}))
    for path in ("/", "/stats/requests", "/mine", "/login", "/tasks"):
        found[f"in {prefix}: {path}"] = told(client.get(prefix + path))
    with ui.app.test_request_context():
        found[f"{prefix} addresses"] = [url_for("locust." + name) for name in (
            "index", "login", "swarm", "stop", "reset_stats", "stats_report", "request_stats", "request_stats_csv",
            "request_stats_full_history_csv", "failures_stats_csv", "exceptions", "exceptions_csv", "tasks", "logs",
            "update_user", "get_worker_count")]
environment, ui, client = serve(web_base_path="/base")
found["base, no login"] = [told(client.get(path)) for path in ("/base/", "/base", "/", "/base/login", "/base/tasks")]
environment, ui, client = serve(web_login=True)
found["no key"] = [told(client.get(path))[0] for path in ("/", "/stats/requests", "/tasks")]
"""
    )


def test_full_history_file() -> None:
    """WEB-20: the file as it is, parts of it, and nothing where it is known already."""
    _compare(
        r"""
import tempfile
environment = Environment(user_classes=[A], parsed_options=options(stats_history_enabled=True))
environment.create_local_runner()
folder = tempfile.mkdtemp()
writer = StatsCSVFileWriter(environment, [0.5], os.path.join(folder, "x"), True)
environment, ui, client = serve(environment=environment, stats_csv_writer=writer)
with open(writer.stats_history_file_name(), "w") as file:
    file.write("a,b\n1,2\n")
answer = client.get("/stats/requests_full_history/csv")
found["whole"] = [told(answer), answer.get_data(as_text=True)]
part = client.get("/stats/requests_full_history/csv", headers={"Range": "bytes=4-"})
found["part"] = [told(part), part.get_data(as_text=True), part.headers.get("Content-Range")]
again = client.get("/stats/requests_full_history/csv", headers={"If-None-Match": answer.headers["ETag"]})
found["known"] = [told(again), again.get_data(as_text=True)]
"""
    )
