"""Names that a module has only because somebody may import them from there: they are looked up when that happens."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any


def late_names(module: str, **places: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module; `places` are the modules of the package that have the names."""

    def look_up(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"locust.{places[name]}"), name)
        setattr(sys.modules[module], name, value)
        return value

    look_up.names = tuple(places)  # type: ignore[attr-defined]
    return look_up
