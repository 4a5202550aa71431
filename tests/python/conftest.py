"""From here on `import locust` means our package, also where real Locust is installed."""

from __future__ import annotations

import cload  # noqa: F401
import pytest
from oracle import ENGINES, Engine


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Ours, then real Locust: what a test expects of one it expects of both."""
    chosen: Engine = request.param
    if chosen.python is None:
        pytest.skip("real Locust is not there: set LOCUST_ORACLE to its Python")
    return chosen
