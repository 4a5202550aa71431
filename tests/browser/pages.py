"""What tests of pages have in common."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from servers import ROOT

AXE = ROOT / "pylocust/webui/node_modules/axe-core/axe.min.js"


def start(page: Page, url: str, users: int = 4) -> None:
    page.goto(url)
    page.get_by_label("Number of users").fill(str(users))
    page.get_by_label("Ramp-up").fill("4")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#state")).to_have_text(re.compile("starting users|running"))


def check_accessibility(page: Page, part: str = "html") -> None:
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("part => axe.run(part, { resultTypes: ['violations'] })", part)["violations"]
    problems = [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]
    assert problems == [], problems
