"""Makes ``import locust`` mean our package, even where real Locust is installed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location, spec_from_loader
from types import ModuleType


def package_folder() -> str:
    """Where our ``locust`` is: inside this package when installed, beside it in the source tree."""
    here = os.path.dirname(os.path.realpath(__file__))
    installed = os.path.join(here, "_upstream", "locust")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(here), "locust")


# Modules that are parts of another one: they use what scripts may have put into it, so it has to be there first.
_PARTS = {
    "argument_parser": ("locustfiles", "options"),
    "main": ("terminal", "test_run"),
    "runners": (
        *("attendance", "backlog", "distributed", "fleet", "local", "losses", "master", "master_messages", "ramps"),
        *("resume", "worker", "worker_nodes"),
    ),
    "stats": ("entries", "samples", "stats_console", "stats_csv"),
    "web": ("web_control", "web_files", "web_numbers"),
}
_WHOLES = {f"locust._{part}": f"locust.{whole}" for whole, parts in _PARTS.items() for part in parts}


class _Present:
    """Loads a module that was imported meanwhile."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See importlib.abc.Loader."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        module.__spec__ = self._spec


class LocustFinder:
    """Finds the package ``locust``. Its submodules are then found through its path, like anybody's; parts of one after
    the whole."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        whole = _WHOLES.get(fullname)
        if whole is not None and whole not in sys.modules:
            importlib.import_module(whole)
            return spec_from_loader(fullname, _Present(sys.modules[fullname]))  # type: ignore[arg-type]
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
