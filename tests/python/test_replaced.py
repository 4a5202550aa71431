"""Functions, classes and constants of Locust's modules that a script replaces there: the code that uses them sees it,
in whatever module of ours it is."""

from pathlib import Path

from oracle import Engine
from servers import Target

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


WAYS_TO_COUNT = """
import locust.stats
from locust.stats import RequestStats, StatsEntry

class A(HttpUser):
    host = base
    wait_time = constant(10)
    @task
    def t(self):
        self.client.get("/status/200", name="good")
        self.client.get("/status/404", name="bad")

def run():
    environment = Environment(user_classes=[A])
    runner = environment.create_local_runner()
    way(environment.stats)
    runner.start(1, 1)
    while sum(entry.num_requests for entry in environment.stats.entries.values()) < 2:
        gevent.sleep(0.01)
    runner.quit()
    return environment.stats
"""


def test_who_counts(engine: Engine, target: Target) -> None:
    # API-219
    told = engine.snippet(
        f"base = {target.url!r}"
        + WAYS_TO_COUNT
        + """
calls = []
log_request, log_error = RequestStats.log_request, RequestStats.log_error
def counting(self, method, name, response_time, content_length):
    log_request(self, method, name.upper(), 1000, content_length)
def failing(self, method, name, error):
    log_error(self, method, name.upper(), ValueError("other"))

def way(stats):
    RequestStats.log_request, RequestStats.log_error = counting, failing
stats = run()
note(sorted(stats.entries), stats.total.avg_response_time, [str(e.error) for e in stats.errors.values()])
RequestStats.log_request, RequestStats.log_error = log_request, log_error

def way(stats):
    stats.log_request = lambda *args: log_request(stats, "MINE", *args[1:])
stats = run()
note(sorted(stats.entries))

def way(stats):
    stats.log_error = lambda *args: calls.append(args[:2])
note(run().num_failures, calls)

entry_log, entry_log_error = StatsEntry.log, StatsEntry.log_error
def count(self, response_time, content_length):
    entry_log(self, 70, 1)
def fail(self, error):
    calls.append((self.name, type(error).__name__))
    entry_log_error(self, error)
def way(stats):
    StatsEntry.log, StatsEntry.log_error = count, fail
calls.clear()
stats = run()
note(dict(stats.total.response_times), dict(stats.get("good", "GET").response_times), stats.total.total_content_length)
note(calls, stats.num_failures, [e.occurrences for e in stats.errors.values()])
StatsEntry.log, StatsEntry.log_error = entry_log, entry_log_error

parts = StatsEntry._log_response_time
def every_time(self, response_time):
    self.total_response_time += 2.5
    self.min_response_time = min(self.min_response_time or 2.5, 2.5)
    self.max_response_time = max(self.max_response_time, 2.5)
    self.response_times.setdefault(2.5, 0)
    self.response_times[2.5] += 1
def way(stats):
    StatsEntry._log_response_time = every_time
stats = run()
StatsEntry._log_response_time = parts
total = stats.total
note(dict(total.response_times), total.median_response_time, total.avg_response_time, total.num_requests)
note(sum(total.num_reqs_per_sec.values()), total.last_request_timestamp is not None)
total.num_fail_per_sec[5] = 7
note(stats.total.num_fail_per_sec[5], total.response_times == {2.5: 2}, total.response_times.copy())

def way(stats):
    pass
note(sorted(run().entries), len(calls))
out(log)
"""
    )
    assert told == [
        "[('BAD', 'GET'), ('GOOD', 'GET')] 1000.0 ['other']",
        "[('bad', 'GET'), ('bad', 'MINE'), ('good', 'MINE')]",
        "0 [('GET', 'bad')]",
        "{70: 2} {70: 1} 2",
        "[('Aggregated', 'HTTPError'), ('bad', 'HTTPError')] 1 [1]",
        "{2.5: 2} 2.5 2.5 2",
        "2 True",
        "7 True defaultdict(<class 'int'>, {2.5: 2})",
        "[('bad', 'GET'), ('good', 'GET')] 2",
    ]


def test_buckets_that_are_not_whole(engine: Engine) -> None:
    # REP-7
    told = engine.snippet("""
import csv, io
import locust.stats
from locust.stats import StatsCSV, StatsEntry, get_percentile_stats_summary

locust.stats.bucket_response_time = lambda ms: round(ms, 1) if ms < 100 else int(round(ms, -1))
class A(User):
    pass
environment = Environment(user_classes=[A])
environment.create_local_runner()
stats = environment.stats
for ms in (0.74, 0.71, 12.76, 250.4, 12.14):
    stats.log_request("GET", "/a", ms, 3)
entry = stats.get("/a", "GET")
note(sorted(entry.response_times.items()))
note([entry.get_response_time_percentile(part) for part in (0.1, 0.5, 0.6, 1)], entry.median_response_time)
note(get_percentile_stats_summary(stats)[3].split()[2:6])
rows = io.StringIO()
StatsCSV(environment, [0.1, 0.66, 0.9]).requests_csv(csv.writer(rows))
note(rows.getvalue().splitlines()[1].split(",")[4], rows.getvalue().splitlines()[1].split(",")[-3:])
again = StatsEntry.unserialize(entry.serialize(), stats)
both = StatsEntry(stats, "x", "y")
both.extend(again)
both.extend(entry)
note(sorted(both.response_times.items()))
out(log)
""")
    assert told == [
        "[(0.7, 2), (12.1, 1), (12.8, 1), (250, 1)]",
        "[0.7, 12.1, 12.8, 250] 12.1",
        "['12', '12', '12', '250']",
        "12.1 ['0', '12', '250']",
        "[(0.7, 4), (12.1, 2), (12.8, 2), (250, 2)]",
    ]
