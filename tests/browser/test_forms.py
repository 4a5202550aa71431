"""The forms that start and change a test, in a real browser: what they send, and what they remember."""

from __future__ import annotations

import re
from pathlib import Path

import requests
from playwright.sync_api import Page, expect
from webapp import serving

SCRIPT = """
from locust import HttpUser, LoadTestShape, User, constant, events, task

@events.init_command_line_parser.add_listener
def add_options(parser):
    parser.add_argument("--stage", choices=["dev", "prod"])
    parser.add_argument("--parts", choices=["a", "b"], nargs="*", is_multiple=True)

@events.init.add_listener
def add_pages(environment, web_ui, **_):
    @web_ui.app.route("/known")
    def known():
        options = vars(environment.parsed_options)
        names = ("stage", "parts", "run_time", "profile", "num_users", "user_classes")
        return {name: options[name] for name in names} | {
            "example": [Example.some_text, Example.is_on, Example.some_number, Example.host],
            "running": sorted(environment.runner.user_classes_count),
        }

class Example(HttpUser):
    wait_time = constant(0.1)
    some_text = "example"
    some_number = 1.5
    is_on = False
    @task
    def t(self): self.client.get("/hello")
    @classmethod
    def json(cls):
        return {"host": cls.host, "some_text": cls.some_text, "some_number": cls.some_number, "is_on": cls.is_on}

class Other(User):
    wait_time = constant(0.1)
    @task
    def t(self): pass
"""
SHAPES = """
class Fixed(LoadTestShape):
    def tick(self): return (2, 2)
class Free(LoadTestShape):
    use_common_options = True
    def tick(self):
        options = self.runner.environment.parsed_options
        return (options.num_users or 1, 50)
"""


def test_what_is_sent_and_remembered(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-26, 31, 32, 33, 35, 42, 54, 56: choices without a default, attributes that json() of a class tells, one box
    for all classes, a host that is not of the web; a new test begins with what the last one was given."""
    with serving(tmp_path, host, "--class-picker", script=SCRIPT) as url:

        def known() -> dict[str, object]:
            answer: dict[str, object] = requests.get(url + "/known", timeout=60).json()
            return answer

        page.goto(url)
        every = page.get_by_label("All classes")
        expect(every).to_be_checked()
        every.uncheck()
        expect(page.get_by_label("Other", exact=True)).not_to_be_checked()
        expect(page.get_by_text("None chosen: all of them run")).to_be_visible()
        page.get_by_label("Example", exact=True).check()
        assert every.evaluate("box => box.indeterminate")
        page.get_by_label("Settings of Example").click()
        expect(page.locator(".user-class").first.get_by_label("Weight")).to_have_count(0)
        page.get_by_label("Some text").fill("other")
        page.get_by_label("Some number").fill("2.5")
        page.get_by_label("Is on").check()
        page.get_by_label("Host", exact=True).fill("localhost")
        expect(page.get_by_text("A host begins with a scheme")).to_be_visible()
        page.get_by_label("Host", exact=True).fill("mqtt://localhost")
        expect(page.get_by_text("A host begins with a scheme")).to_be_hidden()
        page.get_by_label("Host", exact=True).fill(host)
        page.get_by_role("button", name="Advanced options").click()
        page.get_by_label("Run time").fill("7m")
        page.get_by_role("textbox", name="Profile").fill("smoke")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("#state")).to_have_text("running")
        # What is chosen in the beginning is what the page shows: Locust's sends the same.
        assert known() == {
            "stage": "dev",
            "parts": "a",
            "run_time": 420,
            "profile": "smoke",
            "num_users": 1,
            "user_classes": ["Example"],
            "example": ["other", True, 2.5, host],
            "running": ["Example"],
        }
        # What somebody else changed is shown to who edits the test, and stays unless it is touched.
        requests.post(url + "/swarm", data={"user_count": "1", "spawn_rate": "0.001", "stage": "prod"}, timeout=60)
        other = page.context.new_page()
        other.goto(url)
        expect(other.locator("#state")).to_have_text("running")
        with other.expect_response("**/stats/generator"):
            pass
        other.get_by_role("button", name="Edit").click()
        dialog = other.get_by_role("dialog")
        expect(dialog.get_by_label("stage")).to_have_value("prod")
        expect(dialog.get_by_label("Ramp-up")).to_have_value("0.001")
        requests.post(url + "/swarm", data={"user_count": "1", "spawn_rate": "1", "stage": "dev"}, timeout=60)
        dialog.get_by_label("Number of users").fill("2")
        dialog.get_by_role("button", name="Change the test").click()
        expect(dialog).to_be_hidden()
        assert (known()["stage"], known()["num_users"]) == ("dev", 2)
        other.close()
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="New test").click()
        page.get_by_label("Settings of Example").click()
        expect(page.get_by_label("Some text")).to_have_value("other")
        expect(page.get_by_label("Example", exact=True)).to_be_checked()
        expect(page.get_by_label("Other", exact=True)).not_to_be_checked()
        page.get_by_role("button", name="Advanced options").click()
        expect(page.get_by_label("Run time")).to_have_value("7m")
        expect(page.get_by_role("textbox", name="Profile")).to_have_value("smoke")


def test_shapes_of_the_class_picker(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-34, 39, 56, 57: a running shape is not changed, or only what it leaves open, and is not forgotten by that."""
    with serving(tmp_path, host, "--class-picker", script=SCRIPT + SHAPES) as url:
        page.goto(url + "/?tab=reports")
        page.get_by_label("Load shape").select_option("Fixed")
        page.get_by_role("button", name="Advanced options").click()
        expect(page.get_by_label("Run time")).to_be_disabled()
        page.get_by_role("button", name="Start", exact=True).click()
        # Addresses of Locust's tabs lead to ours.
        expect(page.get_by_role("tab", name="Download data")).to_have_attribute("aria-selected", "true")
        expect(page.locator("dl.facts")).to_contain_text("Users2")
        expect(page.get_by_role("button", name="Edit")).to_be_disabled()
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="New test").click()
        page.get_by_label("Load shape").select_option("Free")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("#state")).to_have_text(re.compile("running|starting"))
        # Also on a page that did not start it.
        page.reload()
        page.get_by_role("button", name="Edit").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Number of users").fill("4")
        dialog.get_by_role("button", name="Change the test").click()
        expect(page.locator("dl.facts")).to_contain_text("Users4")
        assert requests.get(url + "/stats/generator", timeout=60).json()["test"]["shape"] == "Free"


def test_a_refusal_says_why(page: Page, host: str, tmp_path: Path) -> None:
    """WEB-35: the sentence of an answer with status 500, and not its JSON. Choices may be few, none, or too few."""
    script = SCRIPT + "\n@events.init_command_line_parser.add_listener\ndef on_parser(parser):\n"
    script += "    parser.add_argument('--whole', type=int, default=3)\n"
    script += "    parser.add_argument('--days', type=int, choices=[1, 2], nargs='*', is_multiple=True, default=[])\n"
    script += (
        "    parser.add_argument('--must', choices=['p', 'q'], is_multiple=True, is_required=True, default=['p'])\n"
    )
    script = script.replace('"stage", "parts"', '"stage", "parts", "days", "must"')
    with serving(tmp_path, host, script=script) as url:
        page.goto(url)
        page.get_by_label("Whole").fill("x")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("whole: 'x' is not of the option's type", exact=False)).to_be_visible()
        expect(page.get_by_text('"success"')).to_have_count(0)
        page.get_by_label("Whole").fill("4")
        days, must = page.get_by_role("textbox", name="days"), page.get_by_role("textbox", name="must")
        must.press("Backspace")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("must: at least one has to be chosen")).to_be_visible()
        must.press("ArrowDown")
        page.get_by_role("option", name="q", exact=True).click()
        days.press("ArrowDown")
        page.get_by_role("option", name="2", exact=True).click()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#state")).to_have_text("running")

        def chosen() -> tuple[object, object]:
            known = requests.get(url + "/known", timeout=60).json()
            return known["days"], known["must"]

        assert chosen() == ([2], ["q"])
        page.get_by_role("button", name="Edit").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox", name="days").press("Backspace")
        dialog.get_by_role("button", name="Change the test").click()
        expect(dialog).to_be_hidden()
        assert chosen() == ([], ["q"])
