"""The web application and the report in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pages import check_accessibility, start
from playwright.sync_api import Page, Route, expect
from webapp import serving


def test_from_start_to_report(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64"""
    with serving(tmp_path, host, "--class-picker") as url:
        page.goto(url)
        check_accessibility(page)
        start(page, url)
        expect(page.get_by_role("cell", name="inner", exact=True)).to_be_visible()
        check_accessibility(page)
        page.get_by_label("Filter Requests").fill("inner")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_label("Filter Requests").fill("")
        page.get_by_role("button", name="Pin GET inner").click()
        expect(page.locator("tbody tr").first).to_contain_text("inner")
        page.get_by_role("button", name="# Requests").click()
        expect(page.get_by_role("columnheader", name="# Requests")).to_have_attribute("aria-sort", "descending")

        page.get_by_text("Columns", exact=True).click()
        page.get_by_label("99.9%", exact=True).check()
        expect(page.get_by_role("columnheader", name="99.9% (ms)")).to_be_visible()
        page.get_by_label("First byte (ms)").check()
        head = page.get_by_role("columnheader", name="First byte (ms)")
        expect(head.get_by_role("button")).to_have_attribute("title", re.compile("From sending .* average"))
        expect(page.locator("footer")).to_contain_text(re.compile(r"cload \d.*Locust 2\.47\.0"))
        page.get_by_label("Median (ms)").uncheck()
        expect(page.get_by_role("columnheader", name="Median (ms)")).to_have_count(0)
        page.reload()
        expect(page.get_by_role("columnheader", name="99.9% (ms)")).to_be_visible()

        page.get_by_role("tab", name="Charts").click()
        expect(page.get_by_role("img", name="Requests per second")).to_be_visible()
        check_accessibility(page)
        page.get_by_role("tab", name="Failures").click()
        expect(page.get_by_text("<img src=x onerror=window.hurt=1>")).to_be_visible()
        page.get_by_role("tab", name="Exceptions").click()
        page.get_by_text("oops").first.click()
        expect(page.get_by_text('raise ValueError("oops")')).to_be_visible()
        page.get_by_role("tab", name="Current ratio").click()
        expect(page.get_by_text("75.0 % A").first).to_be_visible()
        page.get_by_role("tab", name="Logs").click()
        expect(page.get_by_role("log")).to_contain_text("Ramping to 4 users")
        assert "tab=logViewer" in page.url

        page.get_by_role("button", name="Edit").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        dialog.get_by_label("Number of users").fill("6")
        dialog.get_by_role("button", name="Change the test").click()
        expect(page.locator("dl.facts")).to_contain_text("Users6")

        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#state")).to_have_text("finished")
        page.get_by_role("tab", name="Download data").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Requests (CSV)").click()
        assert Path(download.value.path()).read_text().startswith("Type,Name,Request Count")
        with page.expect_popup() as popup:
            page.get_by_role("link", name="Report", exact=True).click()
        report = popup.value
        expect(report.get_by_role("heading", name="Request statistics")).to_be_visible()
        check_accessibility(report)
        report.get_by_role("button", name="Dark").click()
        check_accessibility(report)
        report.set_viewport_size({"width": 390, "height": 800})
        report.wait_for_function("document.documentElement.scrollWidth <= 390")


def _look_away(page: Page) -> None:
    """Behind other tabs a page follows the state, for its title, and asks for nothing more until it is seen again."""
    asked: list[str] = []
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.evaluate("new Promise((done) => setTimeout(() => setTimeout(done)))")
    page.on("request", lambda request: asked.append(request.url.partition("?")[0].rpartition("/")[2]))
    for _ in range(2):
        with page.expect_request("**/stats/requests?rows=0*"):
            pass
    assert set(asked) == {"requests"}
    assert page.title() == "running · locustfile.py · cload"
    with page.expect_request("**/stats/timeline*"):
        page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def answer_with(route: Route, **others: str) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json() | others)


def test_two_windows_and_a_lost_connection(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-45, 55, 66: what one window does is seen in the other."""
    with serving(tmp_path, host) as url:
        other = page.context.new_page()
        other.goto(url)
        start(page, url)
        # What is looked at is asked for again and again, and the rest only when it is looked at.
        with page.expect_request("**/stats/table*"):
            pass
        for tab, path in (
            ("Current ratio", "**/tasks"),
            ("Exceptions", "**/exceptions"),
            ("Logs", "**/logs*"),
            ("Charts", "**/stats/timeline*"),
        ):
            with page.expect_request(path):
                page.get_by_role("tab", name=tab).click()
        expect(other.locator("#state")).to_have_text(re.compile("starting users|running"))
        page.context.set_offline(True)
        expect(page.get_by_text("The connection is lost")).to_be_visible()
        page.context.set_offline(False)
        expect(page.get_by_text("The connection is lost")).to_be_hidden()
        page.route("**/stats/requests?rows=0*", lambda route: route.fulfill(status=500, body="no <b>room</b>"))
        refusal = page.get_by_role("alert").filter(has_text="The server answers with an error")
        expect(refusal).to_contain_text("<b>room</b>")
        page.unroute("**/stats/requests?rows=0*")
        expect(refusal).to_be_hidden()
        # Until a test has ended, another one would be stopped with it.
        page.route("**/stats/requests?rows=0*", lambda route: answer_with(route, state="cleanup"))
        expect(page.locator("#state")).to_have_text("stopping")
        expect(page.get_by_role("button", name="New test")).to_have_count(0)
        page.unroute("**/stats/requests?rows=0*")
        expect(page.locator("#state")).to_have_text("running")
        _look_away(page)
        other.get_by_role("button", name="Edit").click()
        expect(other.get_by_role("dialog").get_by_label("Number of users")).to_have_value("4")
        page.get_by_role("button", name="Dark").click()
        page.set_viewport_size({"width": 390, "height": 800})
        page.wait_for_function("document.documentElement.scrollWidth <= 390")
        check_accessibility(page)
        # A process that was started anew may have another script: the page is made anew, and stays where it was.
        page.evaluate("window.isOld = true")
        page.route("**/stats/requests?rows=0*", lambda route: answer_with(route, server="another"), times=1)
        page.wait_for_function("window.isOld === undefined")
        assert "tab=charts" in page.url
        expect(page.locator("#state")).to_have_text("running")
    expect(page.get_by_text("The connection is lost")).to_be_visible()


def test_login_page(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-8, 71, 72"""
    with serving(tmp_path, host, "--web-login") as url:
        page.goto(url)
        check_accessibility(page)
        for password in ("wrong", "right"):
            page.get_by_label("Username").fill("somebody")
            page.get_by_label("Password", exact=False).first.fill(password)
            page.get_by_role("button", name="Log in").click()
            if password == "wrong":
                expect(page.get_by_role("alert")).to_contain_text("Wrong <b>password</b>")
        expect(page.get_by_role("heading", name="Start a test")).to_be_visible()


def test_a_report_of_many_names(page: Page, tmp_path: Path) -> None:
    """REP-50, REP-51, REP-52, REP-53: from a file, without a server; compressed, and drawn quickly all the same. That
    samples of ten hours were merged is told."""
    code = """
import sys, cload
from locust import User, task
from locust.env import Environment
from locust.html import write_html_report
from locust.util.date import format_utc_timestamp
class Visitor(User):
    @task
    def look(self): pass
environment = Environment(user_classes=[Visitor], locustfile="mine.py")
environment.create_local_runner()
for number in range(3000):
    environment.stats.log_request("GET", f"/page/{number}", 1 + number % 500, 10)
environment.stats.log_error("GET", "/page/8", "long " * 200)
environment.stats.log_error("GET", "/wide/" + "x" * 4096, "y" * 390)
for number in range(12):
    environment.runner.log_exception("local", f"exception {number}", f"trace back {number}")
for _ in range(99):
    environment.stats.log_request("GET", "/wide/" + "x" * 4096, 5, 10)
environment.stats.log_error("GET", "/page/7", "</script><img src=x onerror='window.hurt = 1'>")
write_html_report(environment, sys.argv[1])
for second in range(0, 36000, 5):
    now = format_utc_timestamp(1800000000 + second)
    environment.stats._history.add({"user_count": [now, 3], "current_rps": [now, 9.5], "time": now})
write_html_report(environment, sys.argv[2])
"""
    path, long_path = tmp_path / "report.html", tmp_path / "long.html"
    subprocess.run([sys.executable, "-c", code, str(path), str(long_path)], check=True, timeout=120)
    assert "window.reportData" in path.read_text()
    page.goto(f"file://{long_path}")
    expect(page.get_by_text(re.compile(r"a point of these charts stands for up to \d+ seconds"))).to_be_visible()
    page.goto(f"file://{path}")
    expect(page.get_by_text("a point of these charts")).to_have_count(0)
    expect(page.get_by_role("heading", name="Load test report")).to_be_visible()
    for heading in (
        "Charts",
        "Distribution of response times",
        "Request statistics",
        "Failures statistics",
        "Final ratio",
    ):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    assert page.title() == "cload"
    heads = page.get_by_role("region", name="Requests").locator("th").all_inner_texts()
    assert [head.partition(" (")[0] for head in heads] == [
        *("Type", "Name", "# Requests", "# Fails", "Median", "Average", "Min", "Max", "Average size"),
        *("RPS", "Failures/s"),
    ]
    expect(page.get_by_text("3,001 names")).to_be_visible()
    # Whatever has no place to break is broken.
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    failures = page.get_by_role("region", name="Failures", exact=True)
    assert failures.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    expect(page.locator(".exceptions li")).to_have_count(12)
    page.get_by_label("Filter Exceptions").fill("trace back 7")
    expect(page.locator(".exceptions li")).to_have_count(1)
    # What is printed of so many rows says that it is not all.
    notes = page.get_by_text(re.compile("^These are the first 250 of 3001 rows"))
    expect(notes.first).to_be_hidden()
    page.emulate_media(media="print")
    expect(notes.first).to_be_visible()
    page.emulate_media(media="screen")
    page.get_by_text("… (1,000 characters)").click()
    expect(page.locator("details.message")).to_contain_text("long " * 200)
    page.get_by_label("Filter Requests").fill("/page/2999")
    region = page.get_by_role("region", name="Requests")
    expect(region.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_text("1 of 3001 rows").first).to_be_visible()
    page.get_by_role("combobox", name="Times of").select_option(index=1)
    expect(page.locator("svg.bars .band").first).to_be_attached()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.get_by_role("navigation")).to_be_hidden()
    assert "dark" not in (page.locator("html").get_attribute("class") or "")


# Answers as a server gives them while a test runs for hours, as fast as the page asks. Samples are added, and every
# now and then old ones are merged, as the server does.
STUB = """
window.refreshes = 0;
{
  const names = Array.from({ length: 2000 }, (_, place) => `/things/${place}`);
  const numbers = () => [Math.random() * 1e6 | 0, Math.random() * 9 | 0, ...Array.from({ length: 9 }, Math.random)];
  const row = (name) => ["GET", name, ...numbers(), [20, 40], [null, null, null, [0.1, 0.2], [1, 2], [0.1, 3]]];
  let generation = 0, samples = [], now = 1.7e9;
  const sample = () => {
    now += 2;
    const heat = [30, ...Array.from({ length: 20 }, () => Math.random() * 100 | 0)];
    return [now, 2, 1, 5, Math.random() * 100, Math.random(), [20, 40], heat, [0, 3], 40, 2, 0];
  };
  for (let count = 0; count < 1790; count++) samples.push(sample());
  const answers = {
    "stats/table": () => ({ percentiles: [0.95, 0.99], rows: [...names.map(row), row("Aggregated")] }),
    "stats/requests": () => ({
      stats: [], state: "running", user_count: 5, total_rps: 5, fail_ratio: 0.1,
      errors: names.slice(0, 200).map((name) => ({
        method: "GET", name, error: `Error ${name}`, occurrences: Math.random() * 99 | 0, first_seen: 1.7e9,
        last_seen: now,
      })),
    }),
    "stats/generator": () => ({
      cpu_usage: 20, memory_usage: 5e7, lag_ms: 1, test: { host: "", num_users: 5, spawn_rate: 1 },
    }),
    "stats/timeline": (since) => {
      samples.push(sample());
      if (samples.length > 1800) {
        samples = samples.slice(600);
        generation++;
        since = 0;
      }
      if (since > samples.length) since = 0;
      return {
        generation, first: since, percentiles: [0.5, 0.95], reasons: ["Error"],
        columns: ["time", "span", "run", "users", "rps", "failures_per_s", "percentiles", "heat", "reasons", "cpu",
                  "lag_ms", "bad_seconds"],
        marks: [{ time: samples[0][0], text: "test 1", kind: "start" }], samples: samples.slice(since),
      };
    },
    exceptions: () => ({ exceptions: [] }),
    logs: () => ({
      master: names.slice(0, 500).map((name) => `[now] host/INFO/x: ${name} ${Math.random()}`), workers: {}, counts: {},
    }),
    tasks: () => ({ per_class: {}, total: {} }),
  };
  window.fetch = async (path) => {
    const url = new URL(path, location.href);
    const key = Object.keys(answers).find((one) => url.pathname.endsWith(one));
    window.refreshes++;
    return new Response(JSON.stringify(answers[key](Number(url.searchParams.get("since") ?? 0))));
  };
  const later = window.setTimeout;
  window.setTimeout = (action, ms, ...rest) => later(action, ms >= 2000 && ms < 6000 ? 0 : ms, ...rest);
}
"""


def test_refreshes_leave_nothing_behind(page: Page, host: str, tmp_path: Path) -> None:
    """Hours of refreshes in seconds: what the page holds does not grow, and a refresh stays quick."""
    with serving(tmp_path, host) as url:
        page.add_init_script(STUB)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")

        def metrics() -> dict[str, float]:
            return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}

        def held() -> tuple[float, float]:
            # What a drawing has just let go of is not always free at once.
            seen = []
            for _ in range(4):
                session.send("HeapProfiler.collectGarbage")
                now = metrics()
                seen.append((now["JSHeapUsedSize"], now["Nodes"]))
                page.wait_for_timeout(100)
            return min(seen)

        def refresh(tab: str, count: int) -> None:
            page.get_by_role("tab", name=tab).click()
            page.evaluate("refreshes = 0")
            page.wait_for_function(f"refreshes > {count}")

        page.goto(url)
        rounds = ("Statistics", "Failures", "Logs", "Charts")
        for tab in rounds:
            refresh(tab, 15)
        heap, nodes = held()
        # A refresh brings far more than 20 KB: what each left behind would show.
        for tab in rounds:
            refresh(tab, 40)
        more_heap, more_nodes = held()
        assert more_heap < heap + 3_000_000
        assert more_nodes < nodes + 200
