"""Runs functions of a module of snippets/, and prints what each returned: one line of JSON for each.

`python snippet_runner.py module url function...` on real Locust, `python -m cload snippet_runner.py …` on cload.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import logging
import sys
import traceback
from pathlib import Path


def main() -> None:
    module_name, url, *names = sys.argv[1:]
    import locust  # noqa: F401  # first: it makes the standard library cooperative

    sys.path.insert(0, str(Path(__file__).parent / "snippets"))
    import gevent
    from kit import Kit

    logging.getLogger().addHandler(logging.NullHandler())
    module = importlib.import_module(module_name)
    for name in names:
        # A loop that never yields would stop the timeout too.
        faulthandler.dump_traceback_later(120, exit=True)
        try:
            with gevent.Timeout(90):
                value = getattr(module, name)(Kit(url))
            line = {"name": name, "value": json.loads(json.dumps(value))}
        except BaseException:
            line = {"name": name, "error": traceback.format_exc()}
        print("RESULT " + json.dumps(line), flush=True)


main()
