"""Rows of the list of what web pages do, one by one, here and under real Locust: what scripts can do in Python."""

from __future__ import annotations

from oracle import Engine

SETUP = """
import re
from argparse import Namespace
from pathlib import Path
from locust import web
logging.disable(logging.CRITICAL)
class A(User):
    host = "http://a"
    wait_time = constant(0.01)
    @task
    def one(self): self.environment.events.request.fire(
        request_type="GET", name="/x", response_time=3, response_length=5, exception=None, context={})
class B(User):
    host = "http://b"
    wait_time = constant(0.01)
    @task
    def two(self): pass
def serve(classes=(A,), picker=False, **arguments):
    # Not listening: what is asked for comes from Flask's own client.
    environment = Environment(user_classes=list(classes), **{k: v for k, v in arguments.items() if k in ENVIRONMENT})
    own = {k: v for k, v in arguments.items() if k not in ENVIRONMENT}
    if own.pop("has_runner", True):
        environment.create_local_runner()
    ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True, userclass_picker_is_active=picker, **own)
    return environment, ui, ui.app.test_client()
ENVIRONMENT = ("parsed_options", "host", "available_user_classes", "available_shape_classes", "available_user_tasks",
               "shape_class", "events")
def page_args(client, path="/"):
    text = client.get(path).get_data(as_text=True)
    return json.loads(re.search(r"window\\.templateArgs = (\\{.*\\})", text)[1])
"""


def test_without_a_runner(engine: Engine) -> None:
    """WEB-11, 53"""
    code = """
environment, ui, client = serve(has_runner=False)
report = client.get("/stats/requests").get_json()
out([client.get("/").status_code, sorted(report), report["state"], report["stats"], report["errors"],
     client.get("/exceptions").status_code])
"""
    status, keys, state, rows, errors, _ = engine.snippet(SETUP + code)
    assert status == 500
    assert set(keys) >= {"stats", "errors", "total_rps", "total_fail_per_sec", "fail_ratio", "state", "user_count"}
    assert (state, rows, errors) == ("missing", [], [])


def test_hosts_on_the_page(engine: Engine) -> None:
    """WEB-43, 75"""
    code = """
class Same(User):
    host = "http://a"
    @task
    def three(self): pass
found = []
for classes, host in (((A,), None), ((A, Same), None), ((A, B), None), ((A, B), "http://c"), ((A, HttpUser), None)):
    args = page_args(serve(classes, host=host)[2])
    found.append([args["host"], args["override_host_warning"], args["missing_host_warning"], args["is_host_required"]])
web.HOST_IS_REQUIRED = True
found.append(page_args(serve()[2])["is_host_required"])
out(found)
"""
    found = engine.snippet(SETUP + code)
    assert [row[:2] for row in found[:4]] == [
        ["http://a", False],
        ["http://a", False],
        ["", True],
        ["http://c", False],
    ]
    assert found[4][2] is True
    assert [row[3] for row in found[:5]] == [False] * 5
    assert found[5] is True


def test_template_arguments_of_scripts(engine: Engine) -> None:
    """WEB-46, 47, 68: an own page made of index.html has them, and what is current."""
    code = """
from flask import render_template
environment, ui, client = serve()
ui.template_args["mine"] = {"a": 1}
@ui.app.route("/own")
def own():
    environment.host = "http://changed"
    ui.update_template_args()
    return render_template("index.html", template_args=ui.template_args)
args = page_args(client, "/own")
out([args["mine"], args["host"], page_args(client)["mine"]])
"""
    assert engine.snippet(SETUP + code) == [{"a": 1}, "http://changed", {"a": 1}]


def test_what_scripts_use_of_the_object(engine: Engine) -> None:
    """WEB-10, 67, 70, 73, 74"""
    code = """
import inspect, requests
parameters = inspect.signature(web.WebUI.__init__).parameters.values()
environment = Environment(user_classes=[A])
nothing = environment.web_ui
environment.create_local_runner()
ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
try:
    ui.login_manager
    manager = "there"
except AttributeError:
    manager = "none"
@ui.app.route("/late")
def late(): return "late"
before = ui.server if hasattr(ui, "server") else None
ui.start()
while getattr(ui, "server", None) is None or not ui.server.started:
    gevent.sleep(0.01)
answer = requests.get(f"http://127.0.0.1:{ui.server.server_port}/late", timeout=60).text
attributes = [name for name in ("start", "stop", "greenlet", "server", "template_args", "stats_csv_writer",
              "userclass_picker_is_active", "web_login", "environment", "app", "auth_args") if hasattr(ui, name)]
is_serving = not ui.greenlet.dead
ui.stop()
ui.greenlet.join(timeout=60)
out([[[p.name, None if p.default is p.empty else p.default] for p in parameters], nothing, manager, before, answer,
     attributes, is_serving, ui.greenlet.dead])
"""
    parameters, nothing, manager, before, answer, attributes, is_serving, is_over = engine.snippet(SETUP + code)
    assert parameters == [
        ["self", None],
        ["environment", None],
        ["host", None],
        ["port", None],
        ["web_base_path", None],
        ["web_login", False],
        ["tls_cert", None],
        ["tls_key", None],
        ["stats_csv_writer", None],
        ["delayed_start", False],
        ["userclass_picker_is_active", False],
        ["build_path", None],
    ]
    assert (nothing, manager, before, answer, is_serving, is_over) == (None, "none", None, "late", True, True)
    assert len(attributes) == 11


def test_login_without_a_secret_key(engine: Engine) -> None:
    """WEB-9"""
    code = """
environment, ui, client = serve(web_login=True)
answer = client.get("/")
out([answer.status_code, len(answer.get_data(as_text=True)) > 20, "templateArgs" in answer.get_data(as_text=True)])
"""
    assert engine.snippet(SETUP + code) == [200, True, False]


def test_answers_are_shared_for_a_while(engine: Engine) -> None:
    """WEB-16, 50"""
    code = """
usual, web.DEFAULT_CACHE_TIME = web.DEFAULT_CACHE_TIME, 0.4
environment, ui, client = serve()
def rows(): return [[row["name"], row["num_requests"]] for row in client.get("/stats/requests").get_json()["stats"]]
took = 1
while took > 0.3:
    gevent.sleep(0.5)
    environment.stats.clear_all()
    begin = time.monotonic()
    first = client.get("/stats/requests").get_json()
    environment.stats.log_request("GET", "/a", 5, 10)
    shared = rows()
    # Else the while was over, and says nothing.
    took = time.monotonic() - begin
gevent.sleep(0.5)
out([usual, first["stats"][0], first["current_response_time_percentiles"], shared, rows()])
"""
    seconds, total, percentiles, shared, later = engine.snippet(SETUP + code)
    assert seconds == 2
    assert {key: value for key, value in total.items() if isinstance(value, int | float) and value != 0} == {}
    assert set(percentiles.values()) == {None}
    assert shared == [["Aggregated", 0]]
    assert later == [["/a", 1], ["Aggregated", 1]]


def test_own_pages_and_assets(engine: Engine) -> None:
    """WEB-12"""
    code = """
import tempfile
folder = Path(tempfile.mkdtemp())
(folder / "assets").mkdir()
(folder / "assets" / "own.js").write_text("own();")
(folder / "index.html").write_text("<b>{{ template_args.state }}</b>")
environment, ui, client = serve(build_path=str(folder))
from_us = Path(web.DEFAULT_BUILD_PATH, "assets")
theirs = sorted(path.name for path in from_us.iterdir())[0]
out([client.get("/").get_data(as_text=True), client.get("/assets/own.js").get_data(as_text=True),
     client.get(f"/assets/{theirs}").status_code, client.get("/assets/nothing.js").status_code,
     client.get("/assets/../index.html").status_code])
"""
    assert engine.snippet(SETUP + code) == ["<b>ready</b>", "own();", 200, 404, 404]


def test_options_keep_their_types(engine: Engine) -> None:
    """WEB-28, 29, 30, 31, 32, 35, 36, 37"""
    code = """
options = Namespace(num_users=None, spawn_rate=None, host=None, run_time=None, profile=None, stop_timeout=0.5,
                    flag=False, whole=3, ints=[1, 2], texts=["a"], nothing=None, stats_history_enabled=False,
                    hidden="h")
environment, ui, client = serve(parsed_options=options)
environment.runner.start = lambda *arguments, **_: None
def swarm(**fields):
    answer = client.post("/swarm", data={"user_count": "2", "spawn_rate": "1.5", **fields})
    return [answer.status_code, answer.get_json()["success"] if answer.status_code == 200 else None]
answers = [swarm(host="http://<b>x</b>", run_time="1m", profile="p", stop_timeout="2.5", flag="true", whole="7",
                 ints=["3", "4"], texts="x,y", nothing="some", hidden="shown", unknown="u")]
seen = {key: repr(value) for key, value in sorted(vars(options).items())}
answers += [swarm(flag="no"), swarm(ints="5,6"), swarm(whole="x"), swarm(run_time="x"), swarm(spawn_rate="-1"),
            swarm(user_count="-1"), swarm(user_count="1.5"), swarm(spawn_rate="nan"), swarm(profile="")]
out([answers, seen, repr(options.flag), repr(options.ints), environment.host, repr(options.profile)])
"""
    answers, seen, flag, ints, host, profile = engine.snippet(SETUP + code)
    assert answers[:3] == [[200, True]] * 3
    assert answers[3] == [500, None]
    assert answers[4:8] == [[200, False]] * 4
    assert answers[9] == [200, True]
    assert seen == {
        "flag": "True",
        "hidden": "'shown'",
        "host": "'http://bx/b'",
        "ints": "[3, 4]",
        "nothing": "'some'",
        "num_users": "2",
        "profile": "'p'",
        "run_time": "60",
        "spawn_rate": "1.5",
        "stats_history_enabled": "False",
        "stop_timeout": "2.5",
        "texts": "['x', 'y']",
        "whole": "7",
    }
    assert (flag, ints, host, profile) == ("False", "[5, 6]", "http://bx/b", "None")


def test_classes_and_shapes_of_the_picker(engine: Engine) -> None:
    """WEB-33, 34, 38, 39, 40"""
    code = """
class Two(LoadTestShape):
    def tick(self): return (2, 10) if self.get_run_time() < 30 else None
starts = []
environment, ui, client = serve((A, B), picker=True, available_user_classes={"A": A, "B": B},
                                available_shape_classes={"Two": Two()})
environment.events.test_start.add_listener(lambda **_: starts.append(1))
def swarm(**fields):
    answer = client.post("/swarm", data={"user_count": "1", "spawn_rate": "9", **fields}).get_json()
    wanted = 2 if "shape_class" in fields else int(fields.get("user_count", 1))
    until(lambda: environment.runner.user_count == wanted)
    return [answer["success"], answer.get("user_classes"), sorted(c.__name__ for c in environment.user_classes),
            environment.runner.user_count, type(environment.shape_class).__name__]
steps = [swarm(user_classes=["B"]), swarm(user_count="3"), swarm(user_classes=["A", "B"], user_count="2")]
stopped = client.post("/stop").get_json()["success"]
steps += [swarm(shape_class="Two"), swarm(shape_class="Two", user_count="9")]
gevent.sleep(0.3)
by_shape = environment.runner.user_count
client.post("/stop")
out([steps, stopped, by_shape, len(starts), environment.runner.user_count])
"""
    steps, stopped, by_shape, starts, left = engine.snippet(SETUP + code)
    assert steps[0] == [True, ["B"], ["B"], 1, "NoneType"]
    assert steps[1] == [True, ["B"], ["B"], 3, "NoneType"]
    assert steps[2][:3] == [True, ["A", "B"], ["A", "B"]]
    assert stopped is True
    assert [step[4] for step in steps[3:]] == ["Two", "Two"]
    assert (by_shape, starts, left) == (2, 2, 0)


def test_users_are_changed(engine: Engine) -> None:
    """WEB-26"""
    code = """
A.tasks, own = A.tasks, list(A.tasks)
environment, ui, client = serve((A,), picker=True, available_user_classes={"A": A}, available_user_tasks={"A": own})
answers = [client.post("/user", json={"user_class_name": "A", "weight": 7, "tasks": ["one"], "fixed_count": 2}),
           client.post("/user", json={"user_class_name": "Nobody"}),
           client.post("/user", data="no json", content_type="application/json"),
           client.post("/user", json=[])]
out([[answer.status_code for answer in answers], answers[0].get_json(), A.weight, A.fixed_count,
     [task.__name__ for task in A.tasks], "object" in answers[-1].get_data(as_text=True)])
"""
    assert engine.snippet(SETUP + code) == [[201, 500, 500, 500], {}, 7, 2, ["one"], True]
