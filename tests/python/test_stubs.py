"""_cload.pyi says what the C module has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STUBS = Path(__file__).parents[2] / "pylocust" / "cload"

# Each with the reason.
ALLOWED = [
    # C only shows that it is callable; the keywords are checked in the call.
    "_cload.RequestSink.__call__",
]


def test_stub_is_complete_and_true(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text("\n".join(ALLOWED))
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "_cload", "--allowlist", str(allowed)],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(STUBS)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
