"""``python -m cload script.py args``: runs a script that was written against ``locust``.

Without a script it is the command, with all its options.
"""

from __future__ import annotations

import os
import runpy
import sys

from . import cli


def main() -> int:
    """Entry of ``python -m cload`` and of the console script."""
    script = sys.argv[1] if len(sys.argv) > 1 else ""
    if not (script.endswith(".py") and os.path.isfile(script)):
        return cli.main()
    import locust  # noqa: F401  # makes the standard library cooperative before the script imports from it

    del sys.argv[0]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
