"""The web application: pages, and the endpoints they and other programs use."""

from __future__ import annotations

import csv
import errno
import functools
import io
import json
import logging
import math
import mimetypes
import os
import ssl
import uuid
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

import gevent
from cload import __version__ as own_version
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    send_from_directory,
    session,
    url_for,
)
from flask_cors import CORS
from flask_login import LoginManager, login_required
from gevent import pywsgi
from jinja2 import TemplateNotFound
from werkzeug.exceptions import HTTPException

from . import __version__ as version
from . import argument_parser, log, stats
from ._history import thinned
from ._prometheus import exposition
from ._timeline import Timeline
from .html import (
    DEFAULT_BUILD_PATH,
    MAX_SAMPLES,
    NO_PAGES,
    get_html_report,
    render_template_from,
    running_users,
    task_ratios,
)
from .log import get_logs, greenlet_exception_logger
from .runners import HEARTBEAT_INTERVAL, HEARTBEAT_LIVENESS, STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, MasterRunner
from .user.inspectuser import common_host
from .user.users import RestMixin
from .util.cache import memoize
from .util.date import format_safe_timestamp
from .util.process import resident_bytes
from .util.timespan import parse_timespan

if TYPE_CHECKING:
    from .env import Environment

logger = logging.getLogger(__name__)
greenlet_exception_handler = greenlet_exception_logger(logger)

# What user code may assign to.
DEFAULT_CACHE_TIME = 2.0
HOST_IS_REQUIRED = False

# A page with more rows would be slow; the aggregate always counts all.
_MAX_ROWS = 500
# Our own page shows all names: of these so many rows are made before other greenlets have their turn, so many
# percentiles can be wanted, and so many different wishes are remembered. What one window was told another is told, too.
_ROWS_AT_ONCE = 1000
_MAX_PERCENTILES = 24
_MAX_TABLES = 8
_TABLE_CACHE_TIME = 1.0
_SUMMARY_CACHE_TIME = 0.3


class InputField(TypedDict, total=False):
    """One field of a login form of the script's own."""

    label: str
    name: str
    type: str | None
    default_value: bool | None
    choices: list[str] | None
    is_multiple: bool | None
    is_secret: bool | None
    is_required: bool | None


class CustomForm(TypedDict, total=False):
    """A login form of the script's own."""

    inputs: list[InputField] | None
    callback_url: str
    submit_button_text: str | None


class AuthProvider(TypedDict, total=False):
    """Somebody else who can say who a visitor is."""

    label: str | None
    callback_url: str
    icon_url: str | None


class AuthArgs(TypedDict, total=False):
    """What the login page shows."""

    title: str
    custom_form: CustomForm
    auth_providers: list[AuthProvider]
    username_password_callback: str
    error: str | None
    info: str | None


class Refusal(Exception):
    """A test that cannot be started as asked for; the text says why."""


class _ServerLog:
    """Where the server's complaints about connections go."""

    def write(self, text: str) -> None:
        """A line, or a part of one."""
        text = text.rstrip()
        if "\\x16\\x03" in text:  # how TLS begins
            text = f"Somebody spoke HTTPS to the web application, which serves plain HTTP ({text[:200]})"
        if text:
            logger.error(text)

    def flush(self) -> None:
        """Nothing is held back."""


class WebUI:
    """Serves pages and endpoints about an environment."""

    # The Flask application; scripts add routes to it.
    app: Flask
    # The greenlet that serves, and what it serves with.
    greenlet: gevent.Greenlet[..., Any] | None
    server: pywsgi.WSGIServer | None
    # What the start page and the login page know.
    template_args: dict[str, Any]
    auth_args: AuthArgs

    def __init__(
        self,
        environment: Environment,
        host: str,
        port: int,
        web_base_path: str | None = None,
        web_login: bool = False,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        stats_csv_writer: stats.StatsCSV | None = None,
        delayed_start: bool = False,
        userclass_picker_is_active: bool = False,
        build_path: str | None = None,
    ) -> None:
        """Serves at once, unless ``delayed_start``: then when ``start()`` is called, so that routes can be added
        before. ``build_path``: a folder with other pages."""
        environment.web_ui = self
        self.environment = environment
        self.host = host
        self.port = port
        self.tls_cert = tls_cert
        self.tls_key = tls_key
        self.web_login = web_login
        self.userclass_picker_is_active = userclass_picker_is_active
        self.stats_csv_writer = stats_csv_writer or stats.StatsCSV(environment, stats.PERCENTILES_TO_REPORT)
        self.template_args = {}
        self.auth_args = {}
        self.greenlet = None
        self.server = None
        self._timeline = environment._timeline = Timeline(environment)
        self._swarm_greenlet: gevent.Greenlet[..., Any] | None = None
        self._run_time_greenlet: gevent.Greenlet[..., Any] | None = None
        self._tables: dict[str, Callable[[], str]] = {}
        # By which a page sees that another process answers at its address.
        self._identity = uuid.uuid4().hex
        shared = memoize(timeout=DEFAULT_CACHE_TIME, dynamic_timeout=True)
        self._statistics = shared(functools.partial(self._statistics_json, _MAX_ROWS))
        # Cheap, and what is done in the page must be seen there soon.
        self._summary = memoize(timeout=_SUMMARY_CACHE_TIME)(functools.partial(self._statistics_json, 0))
        self.app = self._make_app(build_path or DEFAULT_BUILD_PATH)
        if web_login:
            self._login_manager = LoginManager()
            self._login_manager.init_app(self.app)
            self._login_manager.login_view = "locust.login"
        self.app.register_blueprint(self._make_blueprint(web_base_path or None))
        # As memoize() leaves it on the view in Locust.
        self.app.view_functions["locust.request_stats"].clear_cache = self._clear_cache  # type: ignore[union-attr]
        if environment.runner:
            self.update_template_args()
        if not delayed_start:
            self.start()

    def _clear_cache(self) -> None:
        for cached in (self._statistics, self._summary):
            cached.clear_cache()  # type: ignore[attr-defined]

    @staticmethod
    def _make_app(build_path: str) -> Flask:
        app = Flask(__name__, template_folder=build_path)
        app.static_url_path = "/assets/"
        app.json.compact = False  # type: ignore[attr-defined]
        # A page of another site must not use the session of somebody who is logged in.
        app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
        app.jinja_env.add_extension("jinja2.ext.do")
        app.jinja_env.globals["own_version"] = own_version
        CORS(app)
        # Some systems think otherwise.
        mimetypes.add_type("application/javascript", ".js")
        return app

    def _make_blueprint(self, prefix: str | None) -> Blueprint:
        blueprint = Blueprint("locust", __name__, url_prefix=prefix)
        blueprint.register_error_handler(Exception, self._on_error)
        blueprint.add_url_rule("/assets/<path:path>", "send_assets", self._send_asset)
        blueprint.add_url_rule("/login", "login", self._login)
        # Names are upstream's: scripts make URLs from them.
        for path, name, view, method in (
            ("/", "index", self._index, "GET"),
            ("/swarm", "swarm", self._swarm, "POST"),
            ("/stop", "stop", self._stop, "POST"),
            ("/stats/reset", "reset_stats", self._reset_stats, "POST"),
            ("/stats/report", "stats_report", self._report, "GET"),
            ("/stats/requests", "request_stats", self._request_stats, "GET"),
            ("/stats/requests/csv", "request_stats_csv", self._requests_csv, "GET"),
            ("/stats/requests_full_history/csv", "request_stats_full_history_csv", self._history_csv, "GET"),
            ("/stats/table", "table", self._table, "GET"),
            ("/stats/timeline", "timeline", self._send_timeline, "GET"),
            ("/stats/generator", "generator", self._generator, "GET"),
            ("/stats/failures/csv", "failures_stats_csv", self._failures_csv, "GET"),
            ("/exceptions", "exceptions", self._exceptions, "GET"),
            ("/exceptions/csv", "exceptions_csv", self._exceptions_csv, "GET"),
            ("/tasks", "tasks", self._tasks, "GET"),
            ("/logs", "logs", self._logs, "GET"),
            ("/user", "update_user", self._update_user, "POST"),
            ("/worker-count", "get_worker_count", self._worker_count, "GET"),
        ):
            blueprint.add_url_rule(path, name, self.auth_required_if_enabled(view), methods=[method])
        # A script's own is its own business, with a login or without.
        blueprint.add_url_rule("/metrics", "metrics", self._metrics, methods=["GET"])
        return blueprint

    # Serving

    @property
    def login_manager(self) -> LoginManager:
        """Flask-Login's, to which scripts give a ``user_loader``."""
        if not self.web_login:
            raise AttributeError("There is a login_manager only with --web-login")
        return self._login_manager

    @login_manager.setter
    def login_manager(self, value: LoginManager) -> None:
        self._login_manager = value

    def start(self) -> None:
        """Serves from now on, in a greenlet."""
        self.greenlet = gevent.spawn(self.start_server)
        self.greenlet.link_exception(greenlet_exception_handler)

    def start_server(self) -> None:
        """Serves until ``stop()``."""
        tls = {}
        if self.tls_cert and self.tls_key:
            try:
                tls["ssl_context"] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                tls["ssl_context"].load_cert_chain(self.tls_cert, self.tls_key)
            except OSError as error:
                self._give_up(
                    f"cannot serve TLS with the certificate {self.tls_cert} (--tls-cert) and the key {self.tls_key}"
                    f" (--tls-key): {error}"
                )
                return
        self.server = pywsgi.WSGIServer((self.host, self.port), self.app, log=None, error_log=_ServerLog(), **tls)
        timeline = gevent.spawn(self._timeline.run)
        try:
            self.server.serve_forever()
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                reason = "the port is in use: choose another one with --web-port"
            else:
                reason = f"{getattr(error, 'strerror', None) or error}: see --web-host and --web-port"
            self._give_up(f"cannot listen on {self.host or '*'}:{self.port}: {reason}")
        finally:
            timeline.kill(block=False)

    def _give_up(self, reason: str) -> None:
        logger.critical("The web application %s", reason)
        # The command ends with status 2, as after any error that nobody waits for.
        log.unhandled_greenlet_exception = True

    def stop(self) -> None:
        """Ends the server."""
        if self.server is not None:
            self.server.stop()

    def auth_required_if_enabled(self, view_func: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates a view: with ``--web-login`` only those who are logged in get to see it."""

        @functools.wraps(view_func)
        def view(*args: Any, **kwargs: Any) -> Any:
            if not self.web_login:
                return view_func(*args, **kwargs)
            try:
                session["auth_error"] = session["auth_info"] = None
                _refuse_other_sites()
                return login_required(view_func)(*args, **kwargs)
            except HTTPException:
                raise
            except Exception as error:
                logger.exception("The login failed")
                return Response(
                    f"The login does not work: {error}\n\n--web-login needs a locustfile that sets"
                    ' web_ui.app.config["SECRET_KEY"] and web_ui.login_manager.user_loader when init is fired.',
                    mimetype="text/plain",
                )

        return view

    @staticmethod
    def _on_error(error: Exception) -> Response:
        code = error.code if isinstance(error, HTTPException) else None
        code = 500 if code is None else code
        level = logging.DEBUG if code <= 404 else logging.ERROR
        logger.log(level, "%s %s: %d (%s: %s)", request.method, request.path, code, type(error).__name__, error)
        return Response(str(error), status=code, mimetype="text/plain")

    # Pages

    def _send_asset(self, path: str) -> Response:
        own = os.path.join(self.app.template_folder or DEFAULT_BUILD_PATH, "assets")
        folder = own if os.path.exists(os.path.join(own, path)) else os.path.join(DEFAULT_BUILD_PATH, "assets")
        return send_from_directory(folder, path)

    def _index(self) -> str | Response:
        if self.environment.runner is None:
            return make_response("Error: Locust Environment does not have any runner", 500)
        self.update_template_args()
        try:
            return render_template("index.html", template_args=self.template_args)
        except TemplateNotFound:
            return make_response(NO_PAGES, 500)

    def _login(self) -> Any:
        if not self.web_login:
            return redirect(url_for("locust.index"))
        self.auth_args["error"] = session.get("auth_error")
        self.auth_args["info"] = session.get("auth_info")
        title = self.auth_args.get("title", "Log in to cload")
        return render_template_from("auth.html", auth_args=self.auth_args, auth_title=title)

    def update_template_args(self) -> None:
        """Brings ``template_args`` up to date. Keys that scripts added stay."""
        environment = self.environment
        runner = environment.runner
        if runner is None:
            return
        options = environment.parsed_options
        shape = environment.shape_class
        available = environment.available_user_classes
        tasks = environment.available_user_tasks
        hosts = {user_class.host for user_class in environment.user_classes}
        host = common_host(environment)
        has_several_hosts = not environment.host and len(hosts) > 1
        if has_several_hosts:
            lacks_host = any(not one.host for one in environment.user_classes if issubclass(one, RestMixin))
        else:
            lacks_host = not host
        self.template_args |= {
            "available_shape_classes": ["Default", *sorted(environment.available_shape_classes or ())],
            "available_user_classes": sorted(available) if available else None,
            "available_user_tasks": (
                {name: [task.__name__ for task in own] for name, own in tasks.items()} if tasks else None
            ),
            # Only the command has a command line that is about us.
            "extra_options": argument_parser.ui_extra_args_dict(None if options else []),
            "hide_common_options": shape and not (self.userclass_picker_is_active or shape.use_common_options),
            # Thinned: a page stays small however long the test has been running.
            "history": thinned(runner.stats._history.since(0), MAX_SAMPLES) if runner.stats.num_requests > 0 else [],
            "host": host or "",
            "is_distributed": isinstance(runner, MasterRunner),
            "is_host_required": HOST_IS_REQUIRED,
            "locustfile": environment.locustfile,
            "missing_host_warning": lacks_host,
            "num_users": options and options.num_users,
            "override_host_warning": has_several_hosts,
            "percentiles_to_chart": stats.PERCENTILES_TO_CHART,
            "percentiles_to_statistics": stats.PERCENTILES_TO_STATISTICS,
            "profile": environment.profile,
            "run_time": options and options.run_time,
            "shape_use_common_options": shape and shape.use_common_options,
            "show_userclass_picker": self.userclass_picker_is_active,
            "spawn_rate": options and options.spawn_rate,
            "state": runner.state,
            "stats_history_enabled": options and options.stats_history_enabled,
            "tasks": "{}",
            "user_count": runner.user_count,
            "users": {name: user_class.json() for name, user_class in available.items()} if available else None,
            "version": version,
            "worker_count": self._count_workers(),
        }

    # Starting and stopping

    def _swarm(self) -> Response:
        environment = self.environment
        try:
            if self.userclass_picker_is_active:
                chosen = self._choose_classes()
                self._choose_shape()
            before = dict(vars(environment.parsed_options)) if environment.parsed_options else {}
            users, rate, run_time = self._take_options()
            runner = environment.runner
            self._mark_changes(before)
            if runner is None:
                raise Refusal("There is no runner")
            if environment.shape_class:
                runner.start_shape()
                shape = type(environment.shape_class).__name__
                return jsonify(
                    success=True, message=f"Swarming started using shape class '{shape}'", host=environment.host
                )
            self._forget_greenlets()
            if users is None or rate is None or users < 0 or rate <= 0 or not math.isfinite(rate):
                raise Refusal("user_count has to be at least 0, and spawn_rate a number above 0")
        except Refusal as refusal:
            logger.error("The test was not started: %s", refusal)
            return jsonify(success=False, message=str(refusal), host=environment.host)
        self._swarm_greenlet = gevent.spawn(runner.start, users, rate)
        self._swarm_greenlet.link_exception(greenlet_exception_handler)
        answer = {"success": True, "message": "Swarming started", "host": environment.host}
        if run_time:
            self._run_time_greenlet = gevent.spawn_later(run_time, self._on_run_time_over)
            self._run_time_greenlet.link_exception(greenlet_exception_handler)
            answer["run_time"] = run_time
        if self.userclass_picker_is_active:
            answer["user_classes"] = chosen
        return jsonify(answer)

    def _mark_changes(self, before: dict[str, Any]) -> None:
        """Shows in the charts which options of a running test became others; the users are marked when they are."""
        environment = self.environment
        runner, options = environment.runner, environment.parsed_options
        if runner is None or options is None or runner.state not in (STATE_RUNNING, STATE_SPAWNING):
            return
        own = ("num_users", "spawn_rate", "user_classes")
        changed = [name for name, value in vars(options).items() if name not in own and value != before.get(name)]
        if changed:
            self._timeline.mark(f"changed {', '.join(changed)}", "change")

    def _choose_classes(self) -> list[str]:
        environment = self.environment
        available = environment.available_user_classes
        if not available:
            raise Refusal("UserClass picker is active but there are no available UserClasses")
        wanted: Any = request.form.getlist("user_classes")
        if not wanted:
            is_running = environment.runner is not None and environment.runner.state == STATE_RUNNING
            wanted = environment.user_classes_by_name if is_running else available
        chosen = {name: user_class for name, user_class in available.items() if name in wanted}
        environment.user_classes = list(chosen.values())
        if environment.locustfile is None:
            environment.locustfile = ",".join(chosen)
        environment._remove_user_classes_with_weight_zero()
        environment._validate_user_class_name_uniqueness()
        return sorted(chosen)

    def _choose_shape(self) -> None:
        environment = self.environment
        name = request.form.get("shape_class", "Default")
        if name == "Default":
            environment.shape_class = None
            return
        shape = (environment.available_shape_classes or {})[name]
        shape.runner = environment.runner
        environment.shape_class = shape
        environment._validate_shape_class_instance()

    def _take_options(self) -> tuple[int | None, float | None, int | None]:
        """Puts the fields of the form into environment and options. Returns users, rate and run time."""
        environment = self.environment
        options = vars(environment.parsed_options) if environment.parsed_options else {}
        users = rate = run_time = None
        for name, text in request.form.items():
            if name == "user_count":
                options["num_users"] = users = _number(name, text, int)
            elif name == "spawn_rate":
                options[name] = rate = _number(name, text, float)
            elif name == "host":
                options[name] = environment.host = text.replace("<", "").replace(">", "")
            elif name == "user_classes":
                options[name] = request.form.getlist(name)
            elif name == "profile":
                options[name] = environment.profile = text or None
            elif name == "run_time":
                if text:
                    try:
                        options[name] = run_time = parse_timespan(text)
                    except ValueError as error:
                        raise Refusal("Valid run_time formats are : 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc.") from error
            elif name in options:
                options[name] = _like(options[name], text, request.form.getlist(name))
        return users, rate, run_time

    def _forget_greenlets(self) -> None:
        if self._swarm_greenlet is not None:
            self._swarm_greenlet.kill(block=True)
            self._swarm_greenlet = None
        if self._run_time_greenlet is not None:
            self._run_time_greenlet.kill(block=False)
            self._run_time_greenlet = None

    def _on_run_time_over(self) -> None:
        # Stopping kills the timer, which is the greenlet that is here.
        self._run_time_greenlet = None
        if self.environment.runner is not None:
            self.environment.runner.stop()

    def _stop(self) -> Response:
        self._forget_greenlets()
        if self.environment.runner is not None:
            self.environment.runner.stop()
        return jsonify(success=True, message="Test stopped")

    def _reset_stats(self) -> str:
        self.environment.events.reset_stats.fire()
        if self.environment.runner is not None:
            self.environment.runner.stats.reset_all()
            self.environment.runner.exceptions = {}
        return "ok"

    def _update_user(self) -> tuple[dict[str, Any], int]:
        settings = json.loads(request.data)
        if not isinstance(settings, dict):
            raise TypeError("The settings of a user class are a JSON object with its user_class_name")
        self.environment.update_user_class(settings)
        return {}, 201

    # Numbers

    def _request_stats(self) -> Response:
        # Our own page has its rows from elsewhere.
        is_summary = request.args.get("rows") == "0"
        return Response(self._summary() if is_summary else self._statistics(), mimetype="application/json")

    def _statistics_json(self, rows: int) -> str:
        report = self._collect_statistics(rows)
        if not rows:
            report["server"] = self._identity
        response: Any = self.app.json.response(report)
        text: str = response.get_data(as_text=True)
        return text

    def _table(self) -> Response:
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
        numbers, texts = self.environment.stats, []
        end = len(numbers.entries) + 1  # the aggregate's
        for first in range(0, end, _ROWS_AT_ONCE):
            if first:
                gevent.sleep(0)  # users go on meanwhile
            texts.append(numbers._json_rows(first, min(end, first + _ROWS_AT_ONCE), percentiles))
        rows = ",".join(text for text in texts if text)
        return f'{{"percentiles": {json.dumps(percentiles)}, "rows": [{rows}]}}\n'

    def _collect_statistics(self, rows: int) -> dict[str, Any]:
        runner = self.environment.runner
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
            "errors": [error.serialize() for error in islice(numbers.errors.values(), _MAX_ROWS)],
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
            report["worker_count"] = self._count_workers()
        return report

    def _generator_of(self, worker: str) -> dict[str, Any]:
        """What a worker told about itself, if it is one of ours."""
        runner = self.environment.runner
        report = None if runner is None else runner.generator.workers.get(worker)
        return {} if report is None else {"generator": report}

    @staticmethod
    def _row(entry: stats.StatsEntry) -> dict[str, Any]:
        """Locust's numbers of an entry, and ours beside them."""
        return entry.to_dict() | {"phases": entry.phases_report()}

    def _exceptions(self) -> Response:
        runner = self.environment.runner
        rows = (
            [] if runner is None else [{**row, "nodes": ", ".join(row["nodes"])} for row in runner.exceptions.values()]
        )
        return jsonify(exceptions=rows)

    def _tasks(self) -> dict[str, Any]:
        runner = self.environment.runner
        return task_ratios(self.environment, {} if runner is None else running_users(runner))

    def _logs(self) -> Response:
        return jsonify(master=get_logs(), workers=self.environment.worker_logs)

    def _send_timeline(self) -> Response:
        generation, since = (request.args.get(name, -1, type=int) for name in ("generation", "since"))
        return Response(self._timeline.to_json(generation, since), mimetype="application/json")

    def _generator(self) -> Response:
        environment = self.environment
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
        }
        if isinstance(runner, MasterRunner):
            clients: Any = runner.clients  # type: ignore[attr-defined,unused-ignore]
            report["workers"] = {
                node.id: {"last_seen_s": max(0, HEARTBEAT_LIVENESS - node.heartbeat) * HEARTBEAT_INTERVAL}
                | runner.generator.workers.get(node.id, {})
                for node in clients.values()
            }
        return jsonify(report)

    def _metrics(self) -> Any:
        own = request.url_rule
        for rule in self.app.url_map.iter_rules():
            if own is not None and rule is not own and rule.rule == own.rule and "GET" in (rule.methods or ()):
                # Scripts that have long served their own go on doing so.
                request.url_rule = rule
                return self.app.ensure_sync(self.app.view_functions[rule.endpoint])(**(request.view_args or {}))
        response = self.auth_required_if_enabled(self._own_metrics)()
        if response.status_code == 302:
            # What scrapes would take the login page for metrics.
            return make_response("A login is needed, or the port of --prometheus-port\n", 401)
        return response

    def _own_metrics(self) -> Response:
        runner = self.environment.runner
        if runner is None:
            return make_response("There is no runner", 503)
        text, content_type = exposition(runner, request.headers.get("Accept", ""), request.args.get("names"))
        return Response(text, content_type=content_type)

    def _count_workers(self) -> int:
        runner = self.environment.runner
        return runner.worker_count if isinstance(runner, MasterRunner) else 0  # type: ignore[attr-defined,unused-ignore]

    def _worker_count(self) -> dict[str, int]:
        return {"worker_count": self._count_workers()}

    # Files

    def _file_name(self, ending: str) -> str:
        environment = self.environment
        host = f"_{environment.host}" if environment.host else ""
        started = format_safe_timestamp(environment.stats.start_time)
        name = f"Locust_{started}_{environment.locustfile}{host}{ending}"
        return "".join(char for char in name if char.isprintable())

    def _as_csv(self, write: Callable[[Any], None], kind: str) -> Response:
        text = io.StringIO()
        write(csv.writer(text))
        response = make_response(text.getvalue())
        response.headers["Content-Type"] = "text/csv"
        response.headers["Content-Disposition"] = f"attachment;filename={self._file_name(f'_{kind}.csv')}"
        return response

    def _requests_csv(self) -> Response:
        return self._as_csv(self.stats_csv_writer.requests_csv, "requests")

    def _failures_csv(self) -> Response:
        return self._as_csv(self.stats_csv_writer.failures_csv, "failures")

    def _exceptions_csv(self) -> Response:
        return self._as_csv(self.stats_csv_writer.exceptions_csv, "exceptions")

    def _history_csv(self) -> Response:
        options, writer = self.environment.parsed_options, self.stats_csv_writer
        if not (options and options.stats_history_enabled and isinstance(writer, stats.StatsCSVFileWriter)):
            return make_response("There is no full history: that needs --csv and --csv-full-history", 404)
        return send_file(
            os.path.abspath(writer.stats_history_file_name()),
            mimetype="text/csv",
            as_attachment=True,
            download_name=self._file_name("_requests_full_history.csv"),
            etag=True,
            max_age=0,
            conditional=True,
            last_modified=None,
        )

    def _report(self) -> Response:
        is_download = bool(request.args.get("download"))
        try:
            report = get_html_report(self.environment, not is_download, request.args.get("theme", ""))
        except TemplateNotFound:
            return make_response(NO_PAGES, 500)
        response = make_response(report)
        if is_download:
            response.headers["Content-Disposition"] = f"attachment;filename={self._file_name('.html')}"
        return response


def _first_entries(numbers: stats.RequestStats, rows: int) -> list[stats.StatsEntry]:
    return stats.sort_stats(numbers.entries)[:rows] if rows else []


def _percentile(text: str) -> float | None:
    try:
        part = float(text)
    except ValueError:
        return None
    return part if 0 < part <= 1 else None


def _refuse_other_sites() -> None:
    """Ends a request that changes something if a page of another site made the browser send it."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or urlsplit(origin).netloc == request.host
    if not is_own:
        abort(403, "This comes from a page of another site")


def _number(name: str, text: str, kind: type[Any]) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise Refusal(f"{name}: {text!r} is no {'whole number' if kind is int else 'number'}") from error


def _like(old: Any, text: str, texts: list[str]) -> Any:
    """What was typed, as a value of the type that the option has."""
    if old is None:
        return text
    if isinstance(old, bool):
        return text == "true"
    if isinstance(old, list):
        items = text.split(",") if "," in text else texts
        return [int(item) for item in items] if all(isinstance(item, int) for item in old) else items
    return type(old)(text)
