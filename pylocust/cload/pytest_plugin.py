"""Fixtures for load tests written as pytest functions. Under plain pytest they make requests that nobody counts."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from locust import User

_config: pytest.Config | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the configuration for the fixtures."""
    global _config
    _config = config


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --host, unless another plugin has it."""
    try:
        parser.addoption("--host", "-H", action="store", default=None)
    except ValueError as error:
        if "already added" not in str(error):
            raise


def _session_arguments(user: User | None) -> dict[str, Any]:
    if user is not None:
        return {"base_url": user.host, "request_event": user.environment.events.request, "user": user}
    from locust.event import EventHook

    host = _config.getoption("--host") if _config is not None else None
    return {"base_url": host, "request_event": EventHook(), "user": None}


@pytest.fixture
def session(user: User | None = None) -> Generator[Any, None, None]:
    """An HttpSession."""
    from locust.clients import HttpSession

    with HttpSession(**_session_arguments(user)) as client:
        yield client


@pytest.fixture
def fastsession(user: User | None = None) -> Generator[Any, None, None]:
    """A FastHttpSession."""
    from locust.contrib.fasthttp import FastHttpSession

    yield FastHttpSession(**_session_arguments(user))
