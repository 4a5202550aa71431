"""Debuggers, profilers and tracebacks see the user's code, as in a loop written in Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from oracle import PATIENCE, Engine
from servers import Target

_SCRIPT = """
import cProfile, faulthandler, os, pstats, sys
from locust import HttpUser, constant, events, task
profile = cProfile.Profile()
lines = []
def tracer(frame, event, argument):
    if frame.f_code.co_name == "inner":
        lines.append(event)
        return tracer
    return tracer if frame.f_code.co_name == "t" else None
class U(HttpUser):
    wait_time = constant(0.01)
    rounds = 0
    @task
    def t(self):
        self.rounds += 1
        answer = self.client.get("/hello")
        if self.rounds == 2:
            MODE
        if self.rounds == 3:
            self.environment.runner.quit()
    def inner(self):
        raise ValueError("mine")
"""

_MODES = {
    "pdb": "breakpoint()\n            print('after', answer.status_code)",
    "raise": "self.inner()",
    "faulthandler": "faulthandler.dump_traceback(file=sys.stdout, all_threads=False)",
    "trace": "sys.settrace(tracer); self.t()",
    "profile": "profile.enable(); sum(range(9)); self.client.get('/hello'); self.inner()",
    "interrupt": "raise KeyboardInterrupt",
}
_END = """
@events.quit.add_listener
def end(**_):
    sys.settrace(None)
    profile.disable()
    print("traced", sorted(set(lines)))
    if profile.getstats():
        names = {key[2] for key in pstats.Stats(profile).stats}
        print("profiled", "inner" in names, "<built-in method builtins.sum>" in names)
"""


@pytest.mark.parametrize("mode", _MODES)
def test_what_debuggers_see(engine: Engine, target: Target, tmp_path: Path, mode: str) -> None:
    body = _SCRIPT.replace("MODE", _MODES[mode])
    if mode == "trace":
        body = body.replace("if self.rounds == 3:", "if self.rounds == 3: self.inner()\n        if self.rounds == 4:")
    (tmp_path / "locustfile.py").write_text(body + _END)
    command = [str(engine.python), "-m", engine.name, "--headless", "-u", "1", "-t", "100s", "--host", target.url]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        input="p answer.status_code\np self.client.get('/hello').status_code\nc\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    said = done.stdout
    if mode == "pdb":
        assert "(Pdb) 200\n(Pdb) 200\n(Pdb) after 200" in said, done
        assert done.returncode == 0
    elif mode == "raise":
        at = body.splitlines().index('        raise ValueError("mine")') + 1
        assert f'locustfile.py", line {at}, in inner' in done.stderr, done
        assert "in t\n" in done.stderr
        if engine.is_ours:
            # The traceback has the user's frames and nobody else's.
            shown = done.stderr.split("Traceback (most recent call last):\n")[1].split("ValueError: mine")[0]
            assert [line for line in shown.splitlines() if "File" in line and "locustfile.py" not in line] == []
    elif mode == "faulthandler":
        assert 'locustfile.py", line' in said and " in t\n" in said, done
    elif mode == "trace":
        assert "traced ['call', 'exception', 'line', 'return']" in said, done
    elif mode == "profile":
        assert "profiled True True" in said, done
    else:
        assert "traced []" in said and "Aggregated" in said + done.stderr, done
