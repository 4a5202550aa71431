"""The same locustfile on cload and on real Locust: the same output, rows, failures and exit code."""

import re
from pathlib import Path

import pytest
from engines import Engine, Result
from servers import Target

COMPARED = Path(__file__).parent / "compared"


def run(engine: Engine, name: str, target: Target, users: int) -> Result:
    return engine.load(COMPARED / f"{name}.py", host=target.url, users=users, run_time="100s")


def comparable(text: str) -> str:
    """Without what differs from run to run (addresses of objects, ports), and without our own words (API-188)."""
    text = re.sub(r"Could not parse response as JSON\.|The body is no JSON:", "(no JSON)", text)
    return re.sub(r"0x[0-9a-f]+|127\.0\.0\.1:\d+", "...", text)


@pytest.mark.parametrize(("name", "users"), [("client", 1), ("fast", 1), ("lifecycle", 2), ("shape", 1)])
def test_same_as_locust(engine: Engine, locust: Engine, target: Target, name: str, users: int) -> None:
    expected = run(locust, name, target, users)
    result = run(engine, name, target, users)
    assert comparable(result.stdout).splitlines() == comparable(expected.stdout).splitlines(), str(result)
    assert expected.stdout.count("\n") > 2, str(expected)
    counts = {key: (row.requests, row.failures) for key, row in result.rows.items()}
    assert counts == {key: (row.requests, row.failures) for key, row in expected.rows.items()}
    assert {comparable(error) for error in result.errors} == {comparable(error) for error in expected.errors}
    assert result.code == expected.code
