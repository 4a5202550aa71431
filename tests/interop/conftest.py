"""Fixtures for tests of fleets."""

from collections.abc import Iterator

import pytest
from fleets import Fleet
from servers import free_port


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(free_port())
    yield fleet
    for process in fleet.processes:
        if process.poll() is None:
            process.kill()
            process.communicate()
