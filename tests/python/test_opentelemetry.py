"""locust.opentelemetry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from oracle import ENGINES
from servers import Target


def test_opentelemetry(target: Target, tmp_path: Path) -> None:
    """API-237, CLI-52, CLI-109, CLI-110, CLI-111, CLI-112, CLI-113, CLI-114: the console's exporters."""
    pytest.importorskip("opentelemetry.sdk")
    file = tmp_path / "otel.py"
    file.write_text(
        "from locust import FastHttpUser, HttpUser, task, constant\n"
        "rounds = []\n"
        "def count(user):\n"
        "    rounds.append(type(user))\n"
        "    if rounds.count(Caller) > 1 and rounds.count(Quick) > 1:\n"
        "        user.environment.runner.quit()\n"
        "class Caller(HttpUser):\n"
        "    wait_time = constant(0.2)\n"
        "    @task\n"
        "    def call(self):\n"
        "        self.client.get('/status/404', name='not there')\n"
        "        sent = self.client.post('/echo/http?x=1', 'body', headers={'X-Own': '1'}).json()['headers']\n"
        "        print('carried', sent.get('traceparent'), sent.get('X-Own'), flush=True)\n"
        "        self.client.get('http://127.0.0.1:1/', name='refused')\n"
        "        count(self)\n"
        "class Quick(FastHttpUser):\n"
        "    wait_time = constant(0.2)\n"
        "    @task\n"
        "    def call(self):\n"
        "        sent = self.client.request('GET', '/echo/fast', 'positional').json()['headers']\n"
        "        print('carried', sent.get('traceparent'), flush=True)\n"
        "        count(self)\n"
    )
    variables = {f"OTEL_{signal}_EXPORTER": "console" for signal in ("TRACES", "METRICS", "LOGS")}
    variables["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http/dup"  # old names and stable ones
    arguments = [
        "-f",
        str(file),
        "--headless",
        "-u",
        "2",
        "-r",
        "9",
        "-t",
        "100s",
        "-H",
        target.url,
        "--otel",
        "--profile",
        "p1",
    ]
    done = ENGINES[0].command(*arguments, env=variables)
    assert done.status == 1, done.stderr
    assert "OpenTelemetry enabled" in done.stderr
    for text in (
        "locust.client.duration",
        "locust.users.count",
        '"GET not there"',
        '"GET refused"',
        '"POST /echo/http"',
        '"GET positional"',
        '"http.status_code": 404',
        '"user_agent.original": "python-requests/',
        '"http.response.status_code": 404',
        '"server.address": "127.0.0.1"',
        '"network.protocol.version": "1.1"',
        '"error.type": "404"',
        '"filename": "otel.py"',
        "HTTPError",
    ):
        assert text in done.stdout, done.stdout[-3000:]
    assert '"profile": "p1"' in done.stdout
    # Lines of the log are sent, tables are not.
    assert '"body": "Ramping to 2 users' in done.stdout
    assert "# reqs" not in done.stdout
    carried = re.findall(r"^carried 00-(\w{32})-(\w{16})-\w\w( 1)?$", done.stdout, re.MULTILINE)
    assert {own for *_, own in carried} == {"", " 1"}, done.stdout[-3000:]
    for trace, span, _ in carried[:2]:
        assert f'"0x{trace}"' in done.stdout
        assert f'"0x{span}"' in done.stdout
    off = ENGINES[0].command(*arguments, env=dict.fromkeys(variables, "none"))
    assert "OpenTelemetry enabled" not in off.stderr
    assert "locust.client" not in off.stdout


def test_opentelemetry_missing() -> None:
    """CLI-108."""
    code = """
sys.modules["opentelemetry"] = None
from locust.opentelemetry import setup_opentelemetry
out(setup_opentelemetry("a.py", None))
"""
    assert ENGINES[0].snippet(code) is False
