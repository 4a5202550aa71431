"""Makes ``import locust`` mean our package, even where real Locust is installed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType


def package_folder() -> str:
    """Where our ``locust`` is: inside this package when installed, beside it in the source tree."""
    here = os.path.dirname(os.path.realpath(__file__))
    installed = os.path.join(here, "_upstream", "locust")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(here), "locust")


class LocustFinder:
    """Finds the package ``locust``. Its submodules are then found through its path, like anybody's."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if fullname != "locust":
            return None
        init = os.path.join(self.folder, "__init__.py")
        return spec_from_file_location("locust", init, submodule_search_locations=[self.folder])


def install() -> None:
    """Puts the finder first. ImportError if another ``locust`` was imported before."""
    folder = package_folder()
    present = sys.modules.get("locust")
    if present is not None:
        file = getattr(present, "__file__", None)
        if file is None or os.path.dirname(os.path.realpath(file)) != folder:
            raise ImportError(
                f"locust is imported already, from {file}. Write `import cload` before anything that imports locust:"
                " from then on `import locust` means cload's package."
            )
    if not any(isinstance(finder, LocustFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, LocustFinder(folder))


def is_main_interpreter() -> bool:
    """Whether this is the interpreter the process began with; gevent and our engine know no other."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            interpreters = importlib.import_module(name)
        except ImportError:
            continue
        # Later versions give a tuple, of which the first is the id.
        current, main = interpreters.get_current(), interpreters.get_main()
        return bool(current == main)
    return True
