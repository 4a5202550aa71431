"""The command ``cload``."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments (default: those of the process) and returns, or exits with, its status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        from ._version import version_line

        print(version_line())
        return 0
    from locust.main import main as run

    return run(arguments)
