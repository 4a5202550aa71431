"""What the web application tells of a test: its statistics, its state, the generator's, and metrics for Prometheus."""

from __future__ import annotations

import functools
import json
import uuid
from argparse import Namespace
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

import gevent
from flask import Response, jsonify, make_response, request

# What user code may replace is looked up there.
from . import runners, stats, web
from ._prometheus import exposition
from .html import running_users, task_ratios
from .runners import STATE_MISSING, MasterRunner
from .util.cache import memoize
from .util.process import resident_bytes

if TYPE_CHECKING:
    from ._timeline import Timeline
    from .env import Environment
    from .web import WebUI

# A page with more rows would be slow; the aggregate always counts all.
_MAX_ROWS = 500
# Our own page shows all names: of these so many rows are made before other greenlets have their turn, so many
# percentiles can be wanted, and so many different wishes are remembered. What one window was told another is told, too.
_ROWS_AT_ONCE = 1000
_MAX_PERCENTILES = 24
_MAX_TABLES = 8
_TABLE_CACHE_TIME = 1.0
_SUMMARY_CACHE_TIME = 0.3


class Numbers:
    """Endpoints that tell something."""

    def __init__(self, ui: WebUI, timeline: Timeline, cache_time: float) -> None:
        """cache_time: for so many seconds the same statistics are told again."""
        self._ui = ui
        self._timeline = timeline
        self._tables: dict[str, Callable[[], str]] = {}
        # By which a page sees that another process answers at its address.
        self._identity = uuid.uuid4().hex
        shared = memoize(timeout=cache_time, dynamic_timeout=True)
        self._statistics = shared(functools.partial(self._statistics_json, _MAX_ROWS))
        # Cheap, and what is done in the page must be seen there soon. The texts of errors can be long.
        briefly = memoize(timeout=_SUMMARY_CACHE_TIME)
        self._summary = briefly(functools.partial(self._statistics_json, 0))
        self._short_summary = briefly(functools.partial(self._statistics_json, 0, 0))

    def clear_cache(self) -> None:
        """What is told next is new."""
        for cached in (self._statistics, self._summary, self._short_summary):
            cached.clear_cache()  # type: ignore[attr-defined]

    def request_stats(self) -> Response:
        # Our own page has its rows from elsewhere.
        if request.args.get("rows") != "0":
            text = self._statistics()
        elif request.args.get("errors") != "0":
            text = self._summary()
        else:
            text = self._short_summary()
        return Response(text, mimetype="application/json")

    def _statistics_json(self, rows: int, errors: int = _MAX_ROWS) -> str:
        report = self._collect_statistics(rows, errors)
        runner = self._ui.environment.runner
        if not rows:
            report["server"] = self._identity
            report["error_count"] = 0 if runner is None else len(runner.stats.errors)
            report["exception_count"] = 0 if runner is None else len(runner.exceptions)
        response: Any = self._ui.app.json.response(report)
        text: str = response.get_data(as_text=True)
        return text

    def table(self) -> Response:
        """The rows of all names for our own page, with the percentiles it asks for."""
        wanted = request.args.get("percentiles", "")
        if wanted not in self._tables:
            parts = [part for part in map(_percentile, wanted.split(",")) if part is not None]
            if len(self._tables) >= _MAX_TABLES:
                self._tables.clear()
            collect = functools.partial(self._table_json, parts[:_MAX_PERCENTILES])
            self._tables[wanted] = memoize(timeout=_TABLE_CACHE_TIME, dynamic_timeout=True)(collect)
        return Response(self._tables[wanted](), mimetype="application/json")

    def _table_json(self, percentiles: list[float]) -> str:
        numbers, texts = self._ui.environment.stats, []
        end = len(numbers.entries) + 1  # the aggregate's
        for first in range(0, end, _ROWS_AT_ONCE):
            if first:
                gevent.sleep(0)  # users go on meanwhile
            texts.append(numbers._json_rows(first, min(end, first + _ROWS_AT_ONCE), percentiles))
        rows = ",".join(text for text in texts if text)
        return f'{{"percentiles": {json.dumps(percentiles)}, "rows": [{rows}]}}\n'

    def _collect_statistics(self, rows: int, errors: int) -> dict[str, Any]:
        runner = self._ui.environment.runner
        if runner is None:
            return {
                "stats": [],
                "errors": [],
                "total_rps": 0.0,
                "total_fail_per_sec": 0.0,
                "fail_ratio": 0.0,
                "current_response_time_percentile_1": None,
                "current_response_time_percentile_2": None,
                "state": STATE_MISSING,
                "user_count": 0,
            }
        numbers = runner.stats
        total = self._row(numbers.total)
        report = {
            "stats": [self._row(entry) for entry in _first_entries(numbers, rows)] + [total],
            "errors": [error.serialize() for error in islice(numbers.errors.values(), errors)],
            "current_rps": total["current_rps"],
            "current_fail_per_sec": total["current_fail_per_sec"],
            "total_rps": total["total_rps"],
            "total_fail_per_sec": total["total_fail_per_sec"],
            "fail_ratio": numbers.total.fail_ratio,
            "current_response_time_percentiles": {
                f"response_time_percentile_{part}": numbers.total.get_current_response_time_percentile(part)
                for part in stats.PERCENTILES_TO_CHART
            },
            "state": runner.state,
            "user_count": runner.user_count,
            "generator": {**runner.generator.report(), "test": runner.generator.test()},
        }
        if isinstance(runner, MasterRunner):
            clients: Any = runner.clients  # type: ignore[attr-defined,unused-ignore]
            fields = ("id", "state", "user_count", "cpu_usage", "memory_usage")
            report["workers"] = [
                {field: getattr(node, field) for field in fields} | self._generator_of(node.id)
                for node in clients.values()
            ]
            report["worker_count"] = count_workers(self._ui.environment)
        return report

    def _generator_of(self, worker: str) -> dict[str, Any]:
        """What a worker told about itself, if it is one of ours."""
        runner = self._ui.environment.runner
        report = None if runner is None else runner.generator.workers.get(worker)
        return {} if report is None else {"generator": report}

    @staticmethod
    def _row(entry: stats.StatsEntry) -> dict[str, Any]:
        """Locust's numbers of an entry, and ours beside them."""
        return entry.to_dict() | {"phases": entry.phases_report()}

    def exceptions(self) -> Response:
        runner = self._ui.environment.runner
        rows = (
            [] if runner is None else [{**row, "nodes": ", ".join(row["nodes"])} for row in runner.exceptions.values()]
        )
        return jsonify(exceptions=rows)

    def tasks(self) -> dict[str, Any]:
        runner = self._ui.environment.runner
        return task_ratios(self._ui.environment, {} if runner is None else running_users(runner))

    def logs(self) -> Response:
        workers = self._ui.environment.worker_logs
        wanted = request.args.getlist("worker")
        if not wanted:
            return jsonify(master=web.get_logs(), workers=workers)
        return jsonify(
            master=web.get_logs(),
            workers={worker: lines for worker, lines in workers.items() if worker in wanted},
            counts={worker: len(lines) for worker, lines in workers.items()},
        )

    def timeline(self) -> Response:
        generation, since = (request.args.get(name, -1, type=int) for name in ("generation", "since"))
        return Response(self._timeline.to_json(generation, since), mimetype="application/json")

    def generator(self) -> Response:
        environment = self._ui.environment
        runner, options, shape = environment.runner, environment.parsed_options, environment.shape_class
        report: dict[str, Any] = {"memory_usage": resident_bytes()}
        if runner is not None:
            report |= runner.generator.report() | {"whole_test": runner.generator.test()}
        report["test"] = {
            "host": environment.host or "",
            "num_users": options and options.num_users,
            "spawn_rate": options and options.spawn_rate,
            "shape": shape and type(shape).__name__,
            "shape_uses_options": bool(shape and shape.use_common_options),
            "options": self._shown_options(options),
        }
        if isinstance(runner, MasterRunner):
            clients: Any = runner.clients  # type: ignore[attr-defined,unused-ignore]
            report["workers"] = {
                node.id: {
                    "last_seen_s": max(0, runners.HEARTBEAT_LIVENESS - node.heartbeat) * runners.HEARTBEAT_INTERVAL
                }
                | runner.generator.workers.get(node.id, {})
                for node in clients.values()
            }
            report["backlog"] = runner.backlog.report()
        return jsonify(report)

    def _shown_options(self, options: Namespace | None) -> dict[str, Any]:
        """What the options of the form are now, but for those that are secret."""
        fields = self._ui.template_args.get("extra_options") or {}
        shown = {name for name, field in fields.items() if not field["is_secret"]}
        return {name: value for name, value in vars(options or Namespace()).items() if name in shown}

    def metrics(self) -> Any:
        own = request.url_rule
        for rule in self._ui.app.url_map.iter_rules():
            if own is not None and rule is not own and rule.rule == own.rule and "GET" in (rule.methods or ()):
                # Scripts that have long served their own go on doing so.
                request.url_rule = rule
                return self._ui.app.ensure_sync(self._ui.app.view_functions[rule.endpoint])(**(request.view_args or {}))
        response = self._ui.auth_required_if_enabled(self._own_metrics)()
        if response.status_code == 302:
            # What scrapes would take the login page for metrics.
            return make_response("A login is needed, or the port of --prometheus-port\n", 401)
        return response

    def _own_metrics(self) -> Response:
        runner = self._ui.environment.runner
        if runner is None:
            return make_response("There is no runner", 503)
        text, content_type = exposition(runner, request.headers.get("Accept", ""), request.args.get("names"))
        return Response(text, content_type=content_type)

    def worker_count(self) -> dict[str, int]:
        return {"worker_count": count_workers(self._ui.environment)}


def count_workers(environment: Environment) -> int:
    """How many workers a master has; 0 of any other runner."""
    runner = environment.runner
    return runner.worker_count if isinstance(runner, MasterRunner) else 0  # type: ignore[attr-defined,unused-ignore]


def _first_entries(numbers: stats.RequestStats, rows: int) -> list[stats.StatsEntry]:
    return stats.sort_stats(numbers.entries)[:rows] if rows else []


def _percentile(text: str) -> float | None:
    try:
        part = float(text)
    except ValueError:
        return None
    return part if 0 < part <= 1 else None
