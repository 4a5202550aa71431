"""From a Python file to user classes and load shapes."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from ..shape import LoadTestShape
from ..user.users import PytestUser, User


def is_user_class(item: object) -> bool:
    """Whether this is a user class that can run."""
    return inspect.isclass(item) and issubclass(item, User) and item.abstract is False


def is_shape_class(item: object) -> bool:
    """Whether this is a load shape that can run."""
    return inspect.isclass(item) and issubclass(item, LoadTestShape) and not item.abstract


# What this package and the command import, besides the standard library.
_NEEDED = frozenset(
    [
        "blinker",
        "certifi",
        "chardet",
        "charset_normalizer",
        "cload",
        "click",
        "configargparse",
        "flask",
        "flask_cors",
        "flask_login",
        "gevent",
        "greenlet",
        "idna",
        "itsdangerous",
        "jinja2",
        "locust",
        "markupsafe",
        "msgpack",
        "requests",
        "urllib3",
        "werkzeug",
        "zmq",
        "zope",
    ]
)
# What is imported only when first used.
_LATE = (
    "charset_normalizer",
    "cload._transport",
    "cload.live",
    "locust._download",
    "locust._timeline",
    "locust.debug",
    "locust.web",
    "logging.handlers",
)


def _is_taken(name: str) -> bool:
    return name in _NEEDED or name in sys.stdlib_module_names


def _import_before_namesakes(folders: set[str]) -> None:
    """Where a file beside the locustfile is called like a module that is still to be imported here (requests.py), that
    module comes first, as it does in Locust, which imports all of its own at the start."""
    for folder in folders:
        with os.scandir(folder or ".") as entries:
            names = {entry.name[:-3] for entry in entries if entry.name.endswith(".py")}
        if any(_is_taken(name) for name in names):
            for late in _LATE:
                importlib.import_module(late)
            return


@contextmanager
def _first_on_path(folder: str) -> Generator[None]:
    """Makes a folder the first place to import from, and puts it back where it was."""
    before = sys.path.index(folder) if folder in sys.path else None
    if before is not None:
        del sys.path[before]
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
        if before is not None:
            sys.path.insert(before, folder)


def load_locustfile(path: str) -> tuple[dict[str, type[User]], list[LoadTestShape]]:
    """Imports a file. Returns its user classes by the name of the variable that holds them, imported ones included,
    and an instance of each of its load shapes."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        sys.exit("The current folder was removed: change to another one")
    folder, file = os.path.split(path)
    _import_before_namesakes({here, folder})
    sys.path.insert(0, here)
    name = os.path.splitext(file)[0]
    if _is_taken(name):
        # It would take the place of that module in sys.modules.
        name = "locustfile"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} cannot be imported: its name does not end in .py")
    module = importlib.util.module_from_spec(spec)
    with _first_on_path(folder):
        sys.modules[name] = module
        spec.loader.exec_module(module)
    users = {key: value for key, value in vars(module).items() if is_user_class(value)}
    shapes = [value() for value in vars(module).values() if is_shape_class(value)]
    return users, shapes


class _Collector:
    """A pytest plugin that keeps what pytest found, without a word."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def pytest_load_initial_conftests(self, early_config: Any) -> None:
        # Only now, and not with `-p`: its plugin has to be there for the options in a project's `addopts`.
        early_config.pluginmanager.set_blocked("terminalreporter")

    def pytest_collection_finish(self, session: Any) -> None:
        self.items = [item for item in session.items if hasattr(item, "function")]


def _argument_maker(item: Any) -> Callable[[User], dict[str, Any]]:
    """What makes the arguments of a test function: its fixtures, called with the user where they want one."""
    definitions = item._fixtureinfo.name2fixturedefs
    names = item._fixtureinfo.argnames
    for name in names:
        if name not in definitions:
            raise ValueError(f"{item.name} in {item.path} wants the fixture {name}, which does not exist")
    fixtures = {name: definitions[name][-1].func for name in names}

    def make(user: User) -> dict[str, Any]:
        values = {}
        for name, fixture in fixtures.items():
            value = fixture(user) if inspect.signature(fixture).parameters else fixture()
            values[name] = next(value) if inspect.isgenerator(value) else value
        return values

    return make


def load_locustfile_pytest(path: str) -> dict[str, type[User]]:
    """Makes a user class of each test function in a file written for pytest. Without pytest there are none."""
    try:
        import pytest
    except ModuleNotFoundError:
        return {}
    from cload import pytest_plugin

    collector = _Collector()
    plugins = [collector, pytest_plugin]
    pytest.main(
        ["--collect-only", "-p", "no:cacheprovider", "-p", "no:locust", "-p", "no:cload", path],
        plugins,
    )
    classes: dict[str, type[PytestUser]] = {}
    for item in collector.items:
        if item.name not in classes:
            classes[item.name] = type(item.name, (PytestUser,), {"functions": [], "arguments": []})
        classes[item.name].functions.append(item.function)
        classes[item.name].arguments.append(_argument_maker(item))
    return dict(classes)
