"""The browser application's own tests, of what needs no browser."""

from __future__ import annotations

import subprocess

from servers import ROOT


def test_units_of_the_application() -> None:
    webui = ROOT / "pylocust" / "webui"
    command = [str(webui / "node_modules" / ".bin" / "vitest"), "run"]
    done = subprocess.run(command, cwd=webui, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
