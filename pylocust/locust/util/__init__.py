"""Small helpers, each module on its own."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name not in ("cache", "exception_handler"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("." + name, __name__)
