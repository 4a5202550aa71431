"""Clients beyond requests. Each module needs the library it stands on."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name != "fasthttp":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(".fasthttp", __name__)
