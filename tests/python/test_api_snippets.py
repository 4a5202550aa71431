"""The functions of snippets/, on cload and on real Locust: what they assert holds on both, and they return the same.

Functions of one module run in one process on each side, one after the other; their docstrings name the rows.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from oracle import ENGINES, Engine
from servers import Target

HERE = Path(__file__).parent
SNIPPETS = HERE / "snippets"


def _functions(module: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(module.read_text())
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


CASES = [
    (module.stem, function.name)
    for module in sorted(SNIPPETS.glob("*.py"))
    if module.stem != "kit"
    for function in _functions(module)
]
# What Locust does there is a hang or a crash, so only ours is asked.
OURS_ALONE = {
    (module.stem, function.name)
    for module in SNIPPETS.glob("*.py")
    for function in _functions(module)
    if any(ast.unparse(decorator) == "ours_alone" for decorator in function.decorator_list)
}


def _run(engine: Engine, module: str, names: list[str], url: str) -> dict[str, Any]:
    assert engine.python is not None
    start = [engine.python, "-m", "cload"] if engine.is_ours else [engine.python]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    done = subprocess.run(
        [*start, str(HERE / "snippet_runner.py"), module, url, *names],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    results = {line["name"]: line for line in map(json.loads, lines)}
    lost = f"no result, status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return {name: results.get(name, {"error": lost}) for name in names}


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest, target: Target) -> Iterator[dict[tuple[str, str], Future[Any]]]:
    """What each module gave on each side; both sides and several modules at a time."""
    chosen: dict[str, list[str]] = {}
    for item in request.session.items:
        if item.path == Path(__file__) and hasattr(item, "callspec"):
            module, name = item.callspec.params["case"]
            chosen.setdefault(module, []).append(name)
    with ThreadPoolExecutor(8) as executor:
        started = {}
        for module, names in chosen.items():
            for engine in ENGINES:
                if engine.python is not None:
                    own = [name for name in names if engine.is_ours or (module, name) not in OURS_ALONE]
                    started[module, engine.name] = executor.submit(_run, engine, module, own, target.url)
        yield started
        executor.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}.{case[1]}")
def test_same(case: tuple[str, str], results: dict[tuple[str, str], Future[Any]]) -> None:
    module, name = case
    ours = results[module, "cload"].result()[name]
    assert "error" not in ours, ours["error"]
    if (module, "locust") not in results or case in OURS_ALONE:
        return
    theirs = results[module, "locust"].result()[name]
    assert "error" not in theirs, "on Locust: " + theirs["error"]
    assert ours["value"] == theirs["value"]
