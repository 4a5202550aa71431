"""The statistics for Prometheus: at /metrics of the web application, or on a port of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import _cload
from gevent import pywsgi

from .html import running_users
from .runners import MasterRunner, Runner, WorkerRunner

if TYPE_CHECKING:
    from .env import Environment

logger = logging.getLogger(__name__)

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# So many names have series of their own, unless ?names= says otherwise; further ones are counted together.
NAMES = 1000


def wants_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics is what a client likes best of what it names. A type with a wildcard gets the older text."""
    qualities = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if kind in qualities:
            quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
            try:
                qualities[kind] = max(qualities[kind], float(quality))
            except ValueError:
                continue
    return qualities["application/openmetrics-text"] > qualities["text/plain"]


def exposition(runner: Runner, accept: str = "", names: str | None = None) -> tuple[bytes, str]:
    """All metrics, and their content type. ``names``: how many names have series of their own."""
    is_openmetrics = wants_openmetrics(accept)
    users = {user_class.__name__: 0 for user_class in runner.user_classes} | running_users(runner)
    workers = None
    if isinstance(runner, MasterRunner):
        clients: Any = runner.clients  # type: ignore[attr-defined,unused-ignore]
        workers = [(node.id, node.state, node.user_count) for node in clients.values()]
    # A fleet is as good as the worst of its nodes.
    reports = [runner.generator.report(), *runner.generator.workers.values()]
    test = runner.generator.test()
    text = _cload.prometheus(
        runner.stats,
        is_openmetrics,
        isinstance(runner, WorkerRunner),
        int(names) if names is not None and names.isdecimal() and len(names) < 9 else NAMES,
        runner.state,
        runner.user_count,
        list(users.items()),
        workers,
        sum(row["count"] for row in runner.exceptions.values()),
        (
            max(report["cpu_usage"] for report in reports) / 100,
            max(report["starved"] for report in reports) / 100,
            max(report["lag_ms"] for report in reports) / 1000,
            any(report["is_lagging"] for report in reports),
            test["seconds"],
            test["lagging_seconds"],
        ),
    )
    return text, OPENMETRICS if is_openmetrics else TEXT


class MetricsServer:
    """A server of metrics and nothing else, without a login."""

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        """OSError, OverflowError: it cannot listen there."""
        self._environment = environment
        self._server = pywsgi.WSGIServer((host, port), self._answer, log=None, error_log=logger)
        self._server.start()
        self.port: int = self._server.server_port

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        runner = self._environment.runner
        if environ["PATH_INFO"] != "/metrics" or runner is None:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"The metrics are at /metrics\n"]
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Content-Type", "text/plain"), ("Allow", "GET, HEAD")])
            return [b"Metrics are read with GET\n"]
        names = parse_qs(environ["QUERY_STRING"]).get("names", [None])
        text, content_type = exposition(runner, environ.get("HTTP_ACCEPT", ""), names[0])
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(text)))])
        return [text]
