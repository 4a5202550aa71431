"""The web application's endpoints, and that Locust's have the same form."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import requests
from locust import User, constant, task
from locust.env import Environment
from oracle import ENGINES, PATIENCE, Engine, both
from servers import Target, free_port
from webapp import LOCUSTFILE, serving

SWARM = {"user_count": "4", "spawn_rate": "4", "run_time": "1m", "number": "7", "flagged": "true", "nobody": "1"}


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with Target() as server:
        yield server.url


@pytest.fixture(scope="module")
def url(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("web"), host, "--class-picker") as url:
        yield url


# What our answers have beside Locust's keys, wherever it stands (see pylocust/README.md).
OWN_KEYS = {"phases", "generator"}


def _form(value: Any) -> Any:
    """Keys and types, without values."""
    if isinstance(value, dict):
        return {key: _form(item) for key, item in sorted(value.items()) if key not in OWN_KEYS}
    if isinstance(value, list):
        return [_form(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _page_args(text: str) -> dict[str, Any]:
    found = re.search(r"window\.templateArgs = (\{.*\})", text)
    assert found, text[:500]
    args: dict[str, Any] = json.loads(found[1])
    return args


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _is_under_way(url: str) -> bool:
    """Whether each kind of row is there, and the rates, which are known after three whole seconds."""
    report = requests.get(url + "/stats/requests", timeout=PATIENCE).json()
    exceptions = requests.get(url + "/exceptions", timeout=PATIENCE).json()["exceptions"]
    times = report["current_response_time_percentiles"].values()
    is_known = report["total_rps"] and None not in times
    return bool(is_known and report["errors"] and exceptions and report["user_count"] == 4)


def _visit(url: str) -> dict[str, Any]:
    """What all endpoints answer, in the course of a test."""
    answers: dict[str, Any] = {}

    def ask(method: str, path: str, **data: Any) -> requests.Response:
        answer = requests.request(method, url + path, timeout=PATIENCE, allow_redirects=False, **data)
        headers = {name: answer.headers.get(name) for name in ("Access-Control-Allow-Origin", "Location")}
        allowed = sorted(answer.headers.get("Allow", "").split(", "))
        is_json = "json" in answer.headers.get("Content-Type", "") and answer.status_code != 500  # Locust's is text
        body = _form(answer.json()) if is_json else None
        disposition = re.sub(r"\d{4}-.*?_", "", answer.headers.get("Content-Disposition", ""))
        key = f"{len(answers)} {method} {path}"
        answers[key] = (answer.status_code, headers, allowed, disposition, body)
        return answer

    page = _page_args(ask("GET", "/").text)
    answers["page"] = {**page, "version": "", "history": []}
    # Not /stats/requests: how soon its percentiles are numbers depends on when the process began.
    for path in ("/stop", "/stats/reset", "/swarm", "/nowhere", "/login", "/worker-count"):
        ask("GET", path)
    for refused in (
        {},
        {"user_count": "x"},
        {"user_count": "-1", "spawn_rate": "1"},
        {"user_count": "1", "spawn_rate": "inf"},
        {"user_count": "1", "spawn_rate": "1", "run_time": "5x"},
        {"user_count": "1", "spawn_rate": "1", "number": "abc"},
    ):
        ask("POST", "/swarm", data=refused)
    ask("POST", "/user", json={"user_class_name": "A", "weight": 2})
    ask("POST", "/user", json={"user_class_name": "Nobody"})
    ask("POST", "/user", data="x")
    ask("POST", "/swarm", data=SWARM)
    wait_for(lambda: _is_under_way(url))
    for path in ("/stats/requests", "/exceptions", "/tasks", "/logs", "/options", "/own"):
        ask("GET", path)
    ask("POST", "/stop")
    for path in (
        "/stats/requests/csv",
        "/stats/failures/csv",
        "/exceptions/csv",
        "/stats/requests_full_history/csv",
        "/stats/report",
        "/stats/report?download=1",
    ):
        ask("GET", path)
    ask("POST", "/stats/reset")
    return answers


def test_endpoints_answer_as_locust_does(host: str, tmp_path: Path) -> None:
    """WEB-4, 5, 13, 14, 16, 22, 23, 24, 25, 26, 35, 37, 38, 49: in the course of a test; the rest is compared in
    test_web_compared.py."""

    def visit(engine: Engine) -> dict[str, Any]:
        folder = tmp_path / engine.name
        with serving(folder, host, "--class-picker", python=engine.python or "", module=engine.name) as url:
            return _visit(url)

    ours, theirs = both(visit)
    assert list(ours) == list(theirs)
    for key, answer in theirs.items():
        assert ours[key] == answer, key


def test_json_is_sorted_and_indented(url: str) -> None:
    """WEB-2"""
    text = requests.get(url + "/stats/requests", timeout=PATIENCE).text
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_fields_of_the_form_keep_their_types(url: str) -> None:
    """WEB-35, 42"""
    requests.post(url + "/swarm", data=SWARM, timeout=PATIENCE)
    requests.post(url + "/stop", timeout=PATIENCE)
    assert requests.get(url + "/options", timeout=PATIENCE).json() == {"number": 7, "flagged": True}
    options = _page_args(requests.get(url + "/", timeout=PATIENCE).text)["extra_options"]
    assert options["number"]["default_value"] == 3
    assert options["secret"]["is_secret"] and "unseen" not in options


def test_refusals_say_what_is_wrong(url: str) -> None:
    """WEB-6, 26, 35, 37: in JSON, which is no markup, with the status that Locust has."""
    for path, fields, status, words in (
        ("/swarm", {**SWARM, "number": "<script>"}, 500, "number: '<script>'"),
        ("/swarm", {**SWARM, "shape_class": "Nope"}, 500, "no shape class 'Nope', but: Default"),
        ("/swarm", {**SWARM, "user_classes": "Nope"}, 200, "Unknown User(s): Nope"),
        ("/user", {"user_class_name": "Nope"}, 500, "no user class 'Nope', but: "),
        ("/user", {"user_class_name": []}, 500, "no user class [], but: "),
        ("/user", {"user_class_name": "A", "tasks": 5}, 500, "a list of their names"),
    ):
        body = {"json": fields} if path == "/user" else {"data": fields}
        answer = requests.post(url + path, timeout=PATIENCE, **body)
        assert (answer.status_code, answer.json()["success"]) == (status, False)
        assert words in answer.json()["message"]


def test_page_and_report_hold_no_markup_of_the_target(url: str) -> None:
    """Names and failure texts come from strangers."""
    requests.post(url + "/swarm", data=SWARM, timeout=PATIENCE)
    wait_for(lambda: b"group" in requests.get(url + "/stats/failures/csv", timeout=PATIENCE).content)
    requests.post(url + "/stop", timeout=PATIENCE)
    report = requests.get(url + "/stats/report", timeout=PATIENCE).text
    assert "003egroup" in report and "</script><b>group" not in report and "<img src=x" not in report
    assert len(report) < 600_000


def test_report_holds_the_keys_of_locust(url: str) -> None:
    """REP-42, REP-43, REP-47, REP-48"""
    text = requests.get(url + "/stats/report?theme=dark", timeout=PATIENCE).text
    keys = (
        "duration end_time exceptions_statistics failures_statistics history host is_report locustfile"
        " percentiles_to_chart profile requests_statistics response_time_statistics show_download_link"
        " start_time tasks"
    )
    assert " ".join(sorted(_page_args(text))) == keys
    assert 'window.theme = "dark"' in text
    assert "s3cret" not in text
    assert "src=" not in text.split("<body>")[0]


def test_report_of_a_long_run_is_small() -> None:
    """One of 8 hours: spikes of response times stay, and so does the end."""
    report = ENGINES[0].snippet(
        """
from locust._history import thinned
from locust.html import MAX_SAMPLES, get_html_report
environment = Environment(user_classes=[User])
environment.create_local_runner()
for second in range(0, 8 * 3600, 5):
    now = f"2026-11-21T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    names = ("current_rps", "current_fail_per_sec", "total_avg_response_time", "user_count",
             "response_time_percentile_0.5", "response_time_percentile_0.95")
    sample = {name: [now, 9000 if second == 5000 and "0.95" in name else second + 0.125] for name in names}
    environment.stats.history.append(sample | {"time": now})
thin = thinned(environment.stats.history, MAX_SAMPLES)
out([len(get_html_report(environment)), len(thin) <= MAX_SAMPLES, thin[-1]["user_count"],
     [one["response_time_percentile_0.95"][1] for one in thin].count(9000)])
"""
    )
    assert report[0] <= 600_000
    assert report[1:] == [True, ["2026-11-21T07:59:55Z", 28795.125], 1]


def test_generator_tells_how_it_copes(url: str) -> None:
    report = requests.get(url + "/stats/generator", timeout=PATIENCE).json()
    now = {"cpu_usage", "memory_usage", "lag_ms", "starved", "is_lagging", "reasons"}
    assert set(report) == now | {"test", "whole_test"}
    assert report["memory_usage"] > 2**20 and report["whole_test"]["seconds"] >= 0
    assert set(report["test"]) == {"host", "num_users", "spawn_rate", "shape", "shape_uses_options", "options"}
    # What the form of a running test begins with; what is secret is not told again and again.
    assert set(report["test"]["options"]) == {"env", "number", "flagged", "several"}


def test_table_of_all_names(url: str) -> None:
    """What our own page shows are the numbers of /stats/requests."""
    requests.get(url + "/stats/reset", timeout=PATIENCE)
    requests.post(url + "/swarm", data=SWARM, timeout=PATIENCE)
    # A head, three names, and all of them together.
    wait_for(lambda: len(requests.get(url + "/stats/requests/csv", timeout=PATIENCE).text.splitlines()) == 5)
    requests.post(url + "/stop", timeout=PATIENCE)

    def now() -> Any:
        return requests.get(url + "/stats/requests", timeout=PATIENCE).json()

    # What was told before is told again for two seconds.
    wait_for(lambda: now()["state"] == "stopped")
    plain = now()
    assert len(plain["stats"]) == 4
    wanted = [0.95, 0.99, 0.9, 1]
    table = requests.get(url + "/stats/table?percentiles=0.95,0.99,7,x,0.9,1", timeout=PATIENCE).json()
    assert table["percentiles"] == wanted
    rows = sorted(table["rows"][:-1], key=lambda row: (row[1], row[0])) + table["rows"][-1:]
    keys = [
        "method",
        "name",
        "num_requests",
        "num_failures",
        "median_response_time",
        "avg_response_time",
        "min_response_time",
        "max_response_time",
        "avg_content_length",
        "current_rps",
        "current_fail_per_sec",
        "total_rps",
        "total_fail_per_sec",
    ]
    assert len(rows) == len(plain["stats"])
    for row, entry in zip(rows, plain["stats"], strict=True):
        exact = [entry[key] if isinstance(entry[key], str) else pytest.approx(entry[key], rel=1e-5) for key in keys]
        # Locust's JSON has the extremes rounded.
        for place in (6, 7):
            exact[place] = pytest.approx(entry[keys[place]], abs=0.5)
        assert row[:13] == exact
        assert row[13][:2] == [entry["response_time_percentile_0.95"], entry["response_time_percentile_0.99"]]
        assert {place for place, phase in enumerate(row[14]) if phase} == {
            place
            for place, name in enumerate(("dns", "connect", "tls", "queue", "first_byte", "transfer"))
            if name in entry["phases"]
        }
    for errors in (0, 1):
        few = requests.get(f"{url}/stats/requests?rows=0&errors={errors}", timeout=PATIENCE).json()
        assert [row["name"] for row in few["stats"]] == ["Aggregated"]
        assert len(few["errors"]) == errors * len(plain["errors"])
        assert few["error_count"] == len(plain["errors"]) > 0
        assert few["exception_count"] == len(requests.get(url + "/exceptions", timeout=PATIENCE).json()["exceptions"])
    logs = requests.get(url + "/logs?worker=nobody", timeout=PATIENCE).json()
    assert (logs["workers"], logs["counts"]) == ({}, {}) and logs["master"]


def test_timeline(url: str) -> None:
    """Samples and marks of several tests; who knows some asks for what is new."""

    def ask(**known: int) -> Any:
        return requests.get(url + "/stats/timeline", params=known, timeout=PATIENCE).json()

    before = ask()
    for users, number in ((4, "7"), (6, "8")):
        requests.post(url + "/swarm", data={**SWARM, "user_count": str(users), "number": number}, timeout=PATIENCE)

        def is_seen(users: int = users) -> bool:
            now = ask()
            reason = "CatchResponseError('<img src=x onerror=window.hurt=1>')"
            columns = now["columns"]
            last = dict(zip(columns, now["samples"][-1], strict=True)) if now["samples"] else {}
            return last.get("users") == users and reason in now["reasons"]

        wait_for(is_seen)
    requests.post(url + "/stop", timeout=PATIENCE)
    after = ask(generation=before["generation"], since=len(before["samples"]))
    assert after["first"] == len(before["samples"]) and after["samples"]
    rows = [dict(zip(after["columns"], row, strict=True)) for row in after["samples"]]
    assert {row["run"] for row in rows} == {rows[0]["run"]}
    assert rows[-1]["users"] in (0, 6)
    # Unlike the JSON it is never an answer of before.
    total = list(csv.DictReader(requests.get(url + "/stats/requests/csv", timeout=PATIENCE).text.splitlines()))[-1]
    assert sum(sum(row["heat"][1:]) for row in rows) == int(total["Request Count"])
    assert sum(sum(row["reasons"][1::2]) for row in rows) == int(total["Failure Count"])
    assert "CatchResponseError('<img src=x onerror=window.hurt=1>')" in after["reasons"]
    marks = [(mark["kind"], mark["text"]) for mark in after["marks"][len(before["marks"]) :]]
    assert [kind for kind, _ in marks] == ["start", "change", "change", "stop"]
    assert [text for _, text in marks[1:3]] == ["changed number", "6 users"]
    for stranger in (
        {"generation": 99, "since": 1},
        {"generation": 0, "since": 10**9},
        {"generation": "x", "since": -1},
    ):
        assert ask(**stranger)["first"] == 0


def test_timeline_of_a_long_run_is_small() -> None:
    """Ten hours: sums stay, the last minutes are fine, old times coarse; and a test does not flow into the next."""
    kept, sums, spans, size, resets, runs, turned = ENGINES[0].snippet(
        """
from locust import _timeline
environment = Environment(user_classes=[User])
environment.create_local_runner()
line = _timeline.Timeline(environment)
for second in range(0, 36000, 2):
    run, lag = 1 if second < 30000 else 2, 900.0 if second == 1000 else 1.0
    heat, reasons = (40 + second % 7, 10, 190), (second % 3, 2)
    sample = (float(second), 2.0, run, 5, 100.0, 1.0, (20, None), heat, reasons, 50.0, lag, int(lag > 1))
    line._add(_timeline.Sample(*sample))
samples = line.samples()
from types import SimpleNamespace
clock = iter([4e4, 4e4 + 2, 39000, 39002, 39004])
_timeline.time = SimpleNamespace(time=lambda: next(clock))
for _ in range(5): line.sample()
turned = [[one.time, one.span] for one in line.samples()[-5:]]
out([len(samples),
     [sum(sum(one.heat[1:]) for one in samples), sum(sum(one.reasons[1::2]) for one in samples),
      sum(one.span for one in samples), sum(one.bad_seconds for one in samples), max(one.lag_ms for one in samples)],
     [max(one.span for one in samples), samples[-1].span, samples[-300].span],
     len(line.to_json(-1, 0)), line.generation,
     all(one.run == (1 if one.time < 30000 else 2) for one in samples), turned])
"""
    )
    assert kept <= 1800
    assert sums == [18000 * 200, 18000 * 2, 36000, 1, 900]
    assert spans[0] <= 120 and spans[1:] == [2, 2]
    assert size < 400_000
    assert resets < 40
    assert runs
    # A clock that is turned back does not turn the charts back.
    assert turned == [[40000, 2], [40002, 2], [40002, 0], [40004, 2], [40006, 2]]


def test_https_at_a_port_of_http_is_told_of(host: str, tmp_path: Path) -> None:
    """WEB-7"""
    with serving(tmp_path, host) as url:
        with pytest.raises(requests.RequestException):
            requests.get(url.replace("http:", "https:") + "/", timeout=PATIENCE)
        wait_for(lambda: "Somebody spoke HTTPS" in (tmp_path / "log").read_text())


def test_base_path(host: str, tmp_path: Path) -> None:
    """WEB-1, 68"""
    with serving(tmp_path, host, "--web-base-path", "/base", base="/base") as url:
        assert requests.get(url + "/", timeout=PATIENCE).status_code == 200
        root = url.removesuffix("/base")
        assert requests.get(root + "/", timeout=PATIENCE).status_code == 404
        assert requests.get(root + "/own", timeout=PATIENCE).text == "/base/ GET"


def test_master(host: str, tmp_path: Path) -> None:
    """WEB-24, 25, 52"""
    with serving(tmp_path, host, "--processes", "2") as url:

        def ask(path: str) -> Any:
            return requests.get(url + path, timeout=PATIENCE).json()

        wait_for(lambda: ask("/worker-count") == {"worker_count": 2})
        end = time.monotonic() + PATIENCE
        requests.post(url + "/swarm", data={"user_count": "4", "spawn_rate": "4"}, timeout=PATIENCE)
        while (report := ask("/stats/requests"))["user_count"] < 4 or report["stats"][-1]["num_requests"] == 0:
            assert time.monotonic() < end
            time.sleep(0.5)
        assert report["worker_count"] == 2
        fields = {"id", "state", "user_count", "cpu_usage", "memory_usage"}
        assert [set(worker) - OWN_KEYS for worker in report["workers"]] == [fields, fields]
        assert ask("/tasks")["total"]["A"]["ratio"] == 0.75
        assert requests.post(url + "/stop", timeout=PATIENCE).json()["success"]


def test_login(host: str, tmp_path: Path) -> None:
    """WEB-8, 27, 69, 70, 71, 72"""
    with serving(tmp_path, host, "--web-login") as url:
        refused = requests.get(url + "/tasks", allow_redirects=False, timeout=PATIENCE)
        assert (refused.status_code, refused.headers["Location"]) == (302, "/login?next=%2Ftasks")
        with requests.Session() as session:
            wrong = session.post(url + "/check", data={"username": "a", "password": "b"}, timeout=PATIENCE)
            assert "Wrong \\u003cb\\u003epassword" in wrong.text
            session.post(url + "/check", data={"username": "a", "password": "right"}, timeout=PATIENCE)
            assert session.get(url + "/tasks", timeout=PATIENCE).status_code == 200
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://elsewhere.example"}):
                assert session.post(url + "/stop", headers=headers, timeout=PATIENCE).status_code == 403
            assert session.post(url + "/stop", headers={"Origin": url}, timeout=PATIENCE).status_code == 200


def test_autostart_and_autoquit_write_the_report(host: str, tmp_path: Path) -> None:
    """CLI-14, CLI-15, CLI-40"""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    args = ["--autostart", "--autoquit", "0", "-u", "2", "-r", "2", "-t", "1", "-H", host, "--html", "out/{u}_{t}.html"]
    command = [sys.executable, "-m", "cload", "--web-host", "127.0.0.1", "-P", str(free_port()), *args]
    done = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 1, done.stderr
    assert _page_args((tmp_path / "out" / "2_1.html").read_text())["tasks"]["total"]["A"]["ratio"] > 0


def test_port_in_use(host: str, tmp_path: Path) -> None:
    """CLI-12"""
    with serving(tmp_path, host) as url:
        port = url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "cload", "--web-host", "127.0.0.1", "-P", port]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert f":{port}: the port is in use" in done.stderr


def test_ends_on_sigterm_without_a_report(host: str, tmp_path: Path) -> None:
    """CLI-90"""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cload", "--web-host", "127.0.0.1", "-P", str(port), "--html", "r.html"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "Starting web interface" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert not (tmp_path / "r.html").exists()


def test_a_server_that_is_stopped_before_it_begins_does_not() -> None:
    ui = Environment().create_web_ui("127.0.0.1", 0)
    ui.stop()
    assert ui.greenlet is not None
    ui.greenlet.join(60)
    assert ui.server is None
    assert ui.greenlet.ready()


def test_a_refused_start_leaves_the_run_time_alone() -> None:
    class Idle(User):
        wait_time = constant(1)

        @task
        def nothing(self) -> None:
            pass

    environment = Environment(user_classes=[Idle])
    runner = environment.create_local_runner()
    client = environment.create_web_ui("127.0.0.1", 0, delayed_start=True).app.test_client()
    answers = [
        client.post("/swarm", data={"user_count": users, "spawn_rate": "10", "run_time": "1"}).json
        for users in ("1", "-1")
    ]
    assert [answer and answer["success"] for answer in answers] == [True, False]
    with gevent.Timeout(60):
        while runner.state != "stopped":
            gevent.sleep(0.05)
    runner.quit()


def test_files_of_hosts_in_any_language(url: str, host: str) -> None:
    """WEB-17, 21: where Locust answers 500. Browsers name the file so (RFC 6266)."""
    idle = {"user_count": "0", "spawn_rate": "1"}
    requests.post(url + "/swarm", data={**idle, "host": "http://пример"}, timeout=PATIENCE)
    try:
        for path, ending in (("/stats/requests/csv", "requests.csv"), ("/stats/report?download=1", ".html")):
            answer = requests.get(url + path, timeout=PATIENCE)
            disposition = answer.headers["Content-Disposition"]
            assert answer.status_code == 200 and disposition.startswith("attachment;filename*=UTF-8''Locust_")
            assert disposition.endswith(ending) and "%D0%BF%D1%80" in disposition
    finally:
        requests.post(url + "/swarm", data={**idle, "host": host}, timeout=PATIENCE)
        requests.post(url + "/stop", timeout=PATIENCE)
