"""What users of the web application meet less often, in a real browser."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from certs import Certs
from pages import check_accessibility, start
from playwright.sync_api import Locator, Page, Route, expect
from servers import free_port, wait_for_port
from webapp import serving

# Every text that comes from elsewhere would do harm if it were taken for more than text.
HARMFUL = "</script><img src=x onerror=window.hurt=1>{{7*7}}"
STRANGE = f"""
import logging
from flask import Blueprint, request
from locust import HttpUser, LoadTestShape, constant, events, task
BAD = {HARMFUL!r}

@events.init_command_line_parser.add_listener
def add_options(parser):
    parser.add_argument("--env", choices=["dev", BAD], default="dev", help=BAD)
    parser.add_argument("--number", type=int, default=3, help="Number " + BAD.replace("%", "%%"))
    parser.add_argument("--flagged", action="store_true")
    parser.add_argument("--several", is_multiple=True, default=["a"], choices=["a", "b", BAD], nargs="*")
    parser.add_argument("--secret", is_secret=True, default="s3cret")
    parser.add_argument("--text", default=BAD)
    parser.add_argument("--unseen", include_in_web_ui=False, default="x")

@events.init.add_listener
def add_pages(environment, web_ui, **_):
    if web_ui is None:
        return
    web_ui.template_args |= {{
        "all_profiles": ["smoke", BAD],
        "extended_tabs": [{{"title": BAD, "key": "own"}}],
        "extended_tables": [
            {{"key": "own", "structure": [{{"key": "name", "title": BAD}}, {{"key": "n_of", "title": "N"}}]}}
        ],
        "extendedCsvFiles": [
            {{"href": "javascript:window.hurt=1", "title": BAD}},
            {{"href": "/own/csv", "title": "Own"}},
        ],
    }}
    own = Blueprint("own", __name__)

    @own.route("/own/csv")
    def own_csv():
        return "a,b\\n1,2\\n", 200, {{"Content-Type": "text/csv"}}

    @own.after_app_request
    def add_statistics(response):
        if request.path == "/stats/requests" and response.is_json:
            report = response.get_json()
            # Scripts begin with an empty object.
            rows = [{{"name": BAD, "nOf": 5}}, {{"name": "b", "n_of": None}}]
            report["extended_stats"] = [{{"key": "own", "data": rows if environment.stats.num_requests else {{}}}}]
            response.set_data(__import__("json").dumps(report))
        return response

    @own.route("/options")
    def options():
        return {{name: str(value) for name, value in vars(environment.parsed_options).items()}}

    web_ui.app.register_blueprint(own)

class A(HttpUser):
    wait_time = constant(0.1)

    @task
    def strange(self):
        logging.error(BAD)
        with self.client.request(BAD.split(">")[0][2:8], "/ok", name=BAD, catch_response=True) as response:
            response.failure(BAD)

    @task
    def raising(self):
        raise ValueError(BAD)

class B(HttpUser):
    wait_time = constant(0.1)

    @task
    def fine(self):
        self.client.get("/hello")

class Steps(LoadTestShape):
    def tick(self):
        return (3, 3) if self.get_run_time() < 60 else None
"""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


TABS = ("Statistics", "Charts", "Failures", "Exceptions", "Current ratio", "Download data", "Logs")


def _tabs(page: Page) -> Iterator[str]:
    """Opens each tab."""
    for number in range(page.get_by_role("tab").count()):
        tab = page.get_by_role("tab").nth(number)
        tab.click()
        expect(page.get_by_text("Loading…")).to_have_count(0)
        yield tab.inner_text()


def test_options_classes_and_texts_of_strangers(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-30, 31, 32, 33, 35, 42, 46, 48, 54, 56, 58, 60, 61, 62, 63, 64, 68"""
    with serving(tmp_path, host, "--class-picker", script=STRANGE) as url:

        def options() -> dict[str, str]:
            answer: dict[str, str] = requests.get(url + "/options", timeout=60).json()
            return answer

        page.goto(url)
        expect(page.get_by_label("unseen")).to_have_count(0)
        expect(page.get_by_label("secret")).to_have_attribute("type", "password")
        page.get_by_label("env").select_option(HARMFUL)
        page.get_by_label("number", exact=True).fill("12")
        page.get_by_label("flagged").check()
        page.get_by_role("textbox", name="several").press("ArrowDown")
        page.get_by_role("option", name="b", exact=True).click()
        page.keyboard.press("Escape")
        page.get_by_text("Settings").nth(1).click()
        page.get_by_label("Weight").fill("9")
        page.get_by_role("button", name="Advanced options").click()
        page.get_by_label("Run time").fill("never")
        page.get_by_role("textbox", name="Profile").fill(HARMFUL)
        page.get_by_label("Number of users").fill("10")
        page.get_by_label("Ramp-up").fill("10")
        page.get_by_label("Host", exact=True).fill(host + "/<b>")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("run_time")
        page.get_by_label("Run time").fill("10m")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("#state")).to_have_text("running")
        sent = options()
        assert (sent["env"], sent["number"], sent["flagged"], sent["several"]) == (HARMFUL, "12", "True", "['a', 'b']")
        assert (sent["profile"], sent["run_time"], sent["host"]) == (HARMFUL, "600", host + "/b")
        ratios = requests.get(url + "/tasks", timeout=60).json()["total"]
        assert ratios["B"]["ratio"] == 0.9

        page.get_by_role("button", name="Edit").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("number", exact=True)).to_have_value("12")
        check_accessibility(page)
        dialog.get_by_label("Number of users").fill("8")
        dialog.get_by_role("button", name="Change the test").click()
        expect(dialog).to_be_hidden()
        assert options()["num_users"] == "8"

        page.emulate_media(color_scheme="dark")
        seen = ""
        check_accessibility(page)
        for _ in _tabs(page):
            check_accessibility(page, "main")
            seen += page.locator("main").inner_text()
        # As a name, a failure, a column's title and a cell; not as a template.
        assert seen.count(HARMFUL) >= 6
        page.get_by_role("tab", name="Exceptions").click()
        page.locator(".exceptions summary").first.click()
        expect(page.locator("main pre").first).to_contain_text("raise ValueError(BAD)")
        page.get_by_role("tab", name="Download data").click()
        expect(page.get_by_role("link", name=HARMFUL)).to_have_attribute("href", "#")
        for name, beginning in (
            ("Requests (CSV)", "Type,Name"),
            ("Failures (CSV)", "Method,Name"),
            ("Exceptions (CSV)", "Count,Message"),
            ("Statistics (JSON)", "{"),
            ("as a file", "<!doctype html>"),
        ):
            with page.expect_download() as download:
                page.get_by_role("link", name=name).click()
            assert Path(download.value.path()).read_text().startswith(beginning), name
        with page.expect_popup() as popup:
            page.get_by_role("link", name="Report", exact=True).click()
        expect(popup.value.get_by_text(HARMFUL).first).to_be_visible()
        popup.value.close()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#state")).to_have_text("finished")
        page.get_by_role("button", name="Reset").click()
        page.get_by_role("tab", name="Statistics").click()
        expect(page.locator("tfoot")).to_contain_text("Aggregated")
        page.get_by_role("button", name="New test").click()
        page.get_by_label("Load shape").select_option("Steps")
        expect(page.get_by_text("A load shape decides")).to_be_visible()
        check_accessibility(page)
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("dl.facts")).to_contain_text("Users3")


def _touch_charts(page: Page, shown: Locator) -> None:
    """A finger reads what is under it and moves what is shown; two zoom."""
    over = page.locator(".u-over").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *places: int) -> None:
        points = [{"x": box["x"] + x, "y": box["y"] + 60, "id": place} for place, x in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.mouse.move(5, 5)
    value = page.locator(".u-legend").nth(1).locator("tr:first-child .u-value")
    expect(value).not_to_have_text(re.compile(r"\d"))
    touch("touchStart", 100)
    touch("touchEnd")
    # The legends of the others follow.
    expect(value).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(shown).to_have_value("all")
    touch("touchStart", 300, 400)
    for gap in (20, 60, 100):
        touch("touchMove", 300 - gap, 400 + gap)
    touch("touchEnd")
    expect(shown).to_have_value("range")
    # The right edge shows an earlier moment than after it was moved to the end.
    touch("touchStart", 1100)
    touch("touchEnd")
    expect(value).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    before = value.inner_text()
    for _ in range(3):
        touch("touchStart", 1000)
        for x in (700, 400, 50):
            touch("touchMove", x)
        touch("touchEnd")
    touch("touchStart", 1100)
    touch("touchEnd")
    expect(value).not_to_have_text(before)
    page.get_by_role("button", name="Show all").click()


def test_charts(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-44, 59: one pointer and one time for all charts; tests after each other, marks, a reload keeps them."""
    with serving(tmp_path, host) as url:

        def timeline() -> dict[str, list[object]]:
            told: dict[str, list[object]] = requests.get(url + "/stats/timeline", timeout=60).json()
            return told

        seen = 0
        for users in ("3", "5"):
            requests.post(url + "/swarm", data={"user_count": users, "spawn_rate": "9"}, timeout=60)
            time.sleep(2.6)
            until(lambda seen=seen: len(timeline()["samples"]) > seen)
            seen = len(timeline()["samples"])
            requests.post(url + "/stop", timeout=60)
        page.goto(url + "?tab=charts")
        charts = page.get_by_role("img")
        expect(charts).to_have_count(6)
        expect(charts.nth(2)).to_have_attribute(
            "aria-label", re.compile("how many took how long over time; at the end: 50%")
        )
        page.locator(".u-over").nth(0).hover(position={"x": 300, "y": 60})
        # All legends tell the same moment.
        times = page.locator(".u-legend tr:first-child .u-value")
        expect(times.first).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
        assert len(set(times.all_inner_texts())) == 1
        page.locator(".u-over").nth(2).hover(position={"x": 700, "y": 60})
        expect(page.locator(".heat-words")).to_contain_text(re.compile("of .* requests|requests, none"))

        with page.expect_download() as download:
            page.get_by_role("button", name="Save as image: Requests per second").click()
        assert download.value.suggested_filename == "Requests_per_second.png"
        assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")

        # Lines are hidden and shown by the names below, without a mouse too.
        line = page.get_by_role("switch", name="Failures/s")
        line.press("Enter")
        expect(line).to_have_attribute("aria-checked", "false")
        expect(page.locator(".u-series.u-off")).to_have_count(1)
        line.press(" ")
        expect(page.locator(".u-series.u-off")).to_have_count(0)
        check_accessibility(page)

        shown = page.get_by_role("combobox", name="Show")
        assert shown.locator("option").all_inner_texts()[-2:] == ["test 1", "test 2"]
        shown.select_option("test 2")
        page.get_by_role("button", name="Zoom in").click()
        expect(shown).to_have_value("range")
        page.get_by_role("button", name="Show all").click()
        expect(shown).to_have_value("all")
        box = page.locator(".u-over").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 100, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 400, box["y"] + 50, steps=4)
        page.mouse.up()
        expect(shown).to_have_value("range")
        page.keyboard.down("Shift")
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 50, steps=4)
        page.mouse.up()
        page.keyboard.up("Shift")
        page.get_by_role("button", name="Show all").click()
        _touch_charts(page, shown)
        group = page.get_by_role("group", name="Charts")
        group.focus()
        for key in ("ArrowRight", "+", "-", "ArrowLeft", "Home"):
            page.keyboard.press(key)
        expect(shown).to_have_value("all")
        page.set_viewport_size({"width": 390, "height": 800})
        expect(page.locator(".u-over").first).to_be_visible()
        page.wait_for_function("document.documentElement.scrollWidth <= 390")


def test_with_the_keyboard_only(page: Page, host: str, tmp_path: Path) -> None:
    """A new user's path without a mouse, on a light page; each tab passes the accessibility check."""
    with serving(tmp_path, host) as url:
        page.goto(url)

        def tab_to(name: str) -> None:
            for _ in range(40):
                page.keyboard.press("Tab")
                found = page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).innerText")
                if found and found.strip().startswith(name):
                    return
            raise AssertionError(f"{name} is not reached")

        page.emulate_media(reduced_motion="reduce")
        expect(page.get_by_role("button", name="Advanced options")).to_be_visible()
        moving = "[...document.querySelectorAll('*')].filter(one => getComputedStyle(one).transitionDuration !== '0s')"
        assert page.evaluate(f"{moving}.length") == 0
        tab_to("Number of users")
        page.keyboard.type("2")
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_have_text(re.compile("starting users|running"))
        tab_to("Statistics")
        check_accessibility(page)
        for _ in TABS:
            check_accessibility(page, "main")
            page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Statistics")).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Edit").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.get_by_role("button", name="Stop").focus()
        page.keyboard.press("Space")
        expect(page.locator("#state")).to_have_text("finished")


NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /tests/load/ {{ proxy_pass {behind}/tests/load/; proxy_set_header Host $http_host; }}
        # The script's own route, which it did not put under the base path.
        location = /check {{ proxy_pass {behind}; proxy_set_header Host $http_host; }}
    }}
}}
"""


@contextlib.contextmanager
def _proxy(folder: Path, behind: str) -> Iterator[str]:
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, behind=behind))
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}/tests/load/"
    finally:
        process.terminate()
        process.wait(60)


def test_login_and_base_path_behind_a_proxy(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-1, 8, 69, 70, 71, 72: who is logged out while looking is asked to log in, and comes back to their page."""
    base = "/tests/load"
    with (
        serving(tmp_path, host, "--web-base-path", base, "--web-login", base=base) as url,
        _proxy(tmp_path, url.removesuffix(base)) as outside,
    ):
        page.goto(outside)
        assert "login?next=" in page.url
        page.get_by_label("Username").fill("somebody")
        page.get_by_label("Password", exact=False).first.fill("right")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Start a test")).to_be_visible()
        assert page.url.startswith(outside)
        page.get_by_label("Number of users").fill("2")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("#state")).to_have_text(re.compile("starting users|running"))
        log_in = page.get_by_role("button", name="Log in")
        for _ in range(20):
            # An answer that is on its way may bring the cookie back.
            page.context.clear_cookies()
            page.wait_for_timeout(500)
            if log_in.is_visible():
                break
        expect(log_in).to_be_visible()


LOGIN = """
from flask import redirect, request, session, url_for
from flask_login import UserMixin, login_user
from locust import User, events, task

class Somebody(UserMixin):
    id = "somebody"

class Idle(User):
    @task
    def nothing(self):
        pass

@events.init.add_listener
def add_login(environment, web_ui, **_):
    web_ui.app.config["SECRET_KEY"] = "for tests"
    web_ui.login_manager.user_loader(lambda _: Somebody())
    fields = [
        {"label": "Mail", "name": "mail", "is_required": True, "type": "email"},
        {"label": "Admin", "name": "admin", "default_value": False},
        {"label": "Group", "name": "group", "choices": ["makers", "keepers"]},
        {"label": "Pass phrase", "name": "phrase", "is_secret": True},
    ]
    web_ui.auth_args = {
        "custom_form": {"inputs": fields, "callback_url": "/enter", "submit_button_text": "Enter"},
        "auth_providers": [
            {"label": "Elsewhere", "callback_url": "/elsewhere"},
            {"label": "Nowhere", "callback_url": "javascript:window.hurt=1"},
        ],
    }

    @web_ui.app.route("/enter", methods=["POST"])
    def enter():
        form = [request.form.get(name) for name in ("mail", "admin", "group", "phrase")]
        if form == ["a@example.org", "on", "keepers", "open"]:
            login_user(Somebody())
            return redirect(url_for("locust.index"))
        session["auth_error"] = f"<img src=x onerror=window.hurt=1> {form}"
        session["auth_info"] = "Ask the keeper"
        return redirect(url_for("locust.login"))
"""


def test_a_login_form_of_the_script_over_tls(page: Page, host: str, tmp_path: Path, certs: Certs) -> None:
    """WEB-7, 71, 72"""
    args = ("--web-login", "--tls-cert", str(certs.server.cert), "--tls-key", str(certs.server.key))
    with serving(tmp_path, host, *args, script=LOGIN, scheme="https") as url:
        page.goto(url)
        page.get_by_label("Mail").fill("a@example.org")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("alert").first).to_contain_text("<img src=x onerror=window.hurt=1>")
        expect(page.get_by_text("Ask the keeper")).to_be_visible()
        check_accessibility(page)
        expect(page.get_by_role("link", name="Elsewhere")).to_have_attribute("href", "/elsewhere")
        page.get_by_role("link", name="Nowhere").click()
        page.get_by_label("Mail").fill("a@example.org")
        page.get_by_label("Admin").check()
        page.get_by_label("Group").select_option("keepers")
        phrase = page.get_by_role("textbox", name="Pass phrase")
        expect(phrase).to_have_attribute("type", "password")
        phrase.fill("open")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("heading", name="Start a test")).to_be_visible()


TEST = {
    "seconds": 9, "lagging_seconds": 7, "delay_seconds": 2, "busy_seconds": 0, "starved_seconds": 7,
    "left_out_requests": 0, "lagging": [[1700000000, 1700000006]],
}  # fmt: skip


def overload_a_worker(route: Route) -> None:
    """What a master's page is told while one of its workers has too little of a core."""
    answer = route.fetch()
    told = answer.json()
    told["whole_test"] = TEST
    first = min(told["workers"])
    told["workers"][first] |= {"is_lagging": True, "reasons": ["starved"], "cpu_usage": 30, "lag_ms": 80, "test": TEST}
    route.fulfill(response=answer, json=told)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped here")
def test_an_overloaded_and_a_lost_worker(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-24, 52, 54, 65: what the page of a master shows of its workers."""
    with serving(tmp_path, host, "--processes", "2") as url:
        page.goto(url)
        expect(page.locator("dl.facts")).to_contain_text("Workers2")
        start(page, url, users=4)
        page.get_by_role("tab", name="Workers").click()
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator("tbody")).to_contain_text("now")
        page.route("**/stats/generator", overload_a_worker)
        expect(page.locator("dl.facts")).to_contain_text("Generator lagged7 of 9 s")
        alert = page.get_by_role("alert").filter(has_text="short of CPU time")
        busy = page.locator("tbody tr").filter(has_text="7 of 9 s")
        expect(busy).to_have_count(1)
        expect(alert).to_contain_text("it had to wait for a core (" + busy.locator("td").first.inner_text() + ")")
        check_accessibility(page)
        page.unroute("**/stats/generator")
        # Lines of workers come when they are wanted.
        page.get_by_role("tab", name="Logs").click()
        worker = page.locator(".log-of").filter(has=page.get_by_text(re.compile(r"\([1-9]\d* lines?\)"))).first
        worker.locator("summary").click()
        expect(worker.get_by_role("log")).to_be_visible()
        page.get_by_role("tab", name="Workers").click()
        port = url.rpartition(":")[2]
        master = next(child for child in psutil.Process().children() if port in child.cmdline())
        worker = master.children()[0]
        worker.suspend()
        try:
            expect(page.get_by_text("A worker is lost")).to_be_visible(timeout=20_000)
            expect(page.locator("tbody")).to_contain_text("missing: lost")
            expect(page.locator("tbody")).to_contain_text(re.compile(r"\d s ago"))
        finally:
            worker.resume()
        expect(page.get_by_text("A worker is lost")).to_be_hidden(timeout=20_000)

        def marks() -> str:
            return json.dumps(requests.get(url + "/stats/timeline", timeout=60).json()["marks"])

        until(lambda: "is back" in marks())
        assert "lost " in marks()
        page.goto(url + "/stats/report")
        expect(page.locator("#generator tbody tr")).to_have_count(2)
