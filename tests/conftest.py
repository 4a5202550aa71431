"""Fixtures for all Python tests. `--engine locust` runs the scenarios on real Locust, to prove the tests themselves."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from certs import Certs, make_certs
from engines import Engine, cload_command, oracle_command
from servers import ROOT, Nginx, Target


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=["cload", "locust"], default="cload", help="who runs the scenarios")


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certs:
    return make_certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    with Target() as server:
        yield server


@pytest.fixture(scope="session")
def tls_target(certs: Certs) -> Iterator[Target]:
    """With the self-signed certificate."""
    with Target(certs.self_signed) as server:
        yield server


@pytest.fixture
def start_target() -> Iterator[Callable[..., Target]]:
    """Starts further targets; arguments as for `Target`."""
    with ExitStack() as stack:

        def start(*args: object, **kwargs: object) -> Target:
            server = Target(*args, **kwargs)  # type: ignore[arg-type]
            stack.enter_context(server)
            return server

        yield start


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory, certs: Certs) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx"), certs) as server:
        yield server


@pytest.fixture(scope="session")
def locust(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Real Locust."""
    if "LOCUST_ORACLE" not in os.environ:
        pytest.skip("LOCUST_ORACLE names no Python with real Locust; ./dev test sets it")
    return Engine("locust", oracle_command(), tmp_path_factory.mktemp("locust"))


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """What is tested: cload, unless --engine says otherwise."""
    if request.config.getoption("--engine") == "locust":
        other: Engine = request.getfixturevalue("locust")
        return other
    return Engine("cload", cload_command(), tmp_path_factory.mktemp("cload"))


@pytest.fixture(scope="session")
def examples() -> Path:
    return ROOT / "examples"
