"""Functions, classes and constants of Locust's modules that a script replaces there: the code that uses them sees it,
in whatever module of ours it is."""

from pathlib import Path

from oracle import Engine

LOCUSTFILE = """
import locust.html, locust.input_events, locust.log, locust.main
from locust import User, constant, task

locust.log.HOSTNAME = "mine"
locust.main.input_listener = lambda keys: lambda: print("steered by", [key for key in keys if key in "wW"])
locust.main.get_html_report = lambda environment, show_download_link=True: "my report"

def name_it(options):
    options.html_file = options.html_file.upper()

locust.main.process_html_filename = name_it

class A(User):
    wait_time = constant(1)
    @task
    def t(self):
        pass
"""


def test_what_the_command_uses(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    done = engine.command("--headless", "-u", "1", "-t", "1", "--html", "report", cwd=tmp_path)
    assert done.status == 0
    assert done.stdout == "steered by ['w', 'W']\n"
    assert (tmp_path / "REPORT").read_text() == "my report"
    assert "mine/INFO/locust.main: Starting Locust" in done.stderr


def test_what_modules_use(engine: Engine) -> None:
    told = engine.snippet("""
from locust import argument_parser, env, web
argument_parser.download_locustfile_from_url = lambda url: url.upper()
note(argument_parser.parse_locustfile_paths(["http://x/y.py"]))
argument_parser.timespan = lambda text: 7
argument_parser.gt_zero = lambda kind: lambda text: 8
options = argument_parser.get_parser(default_config_files=[]).parse_args(["-t", "1", "-r", "1"])
note(options.run_time, options.spawn_rate)
argument_parser.parse_locustfile_paths = lambda paths: ["mine", *paths]
options.locustfile = "a.py"
note(argument_parser.get_locustfiles_locally(options))

class Mine(env.WebUI):
    pass
env.WebUI = Mine
web.get_logs = lambda: ["my line"]
web.get_html_report = lambda *args, **kwargs: "my report"
web.greenlet_exception_handler = lambda greenlet: note("failed", repr(greenlet.exception))
class A(User):
    pass
environment = Environment(user_classes=[A])
runner = environment.create_local_runner()
ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
note(type(ui).__name__)
client = ui.app.test_client()
note(client.get("/logs").json["master"], client.get("/stats/report").text)
def start(*args, **kwargs):
    raise OSError("no start")
runner.start = start
note(client.post("/swarm", data={"user_count": "1", "spawn_rate": "1"}).json["success"])
gevent.sleep(0.1)
out(log)
""")
    assert told == [
        "['HTTP://X/Y.PY']",
        "7 8",
        "['mine', 'a.py']",
        "Mine",
        "['my line'] my report",
        "True",
        "failed OSError('no start')",
    ]
