"""The web application: pages, and the endpoints they and other programs use."""

from __future__ import annotations

import errno
import functools
import logging
import mimetypes
import os
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from cload import __version__ as own_version
from flask import (
    Blueprint,
    Flask,
    Response,
    make_response,
    redirect,
    render_template,
    request,
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
from ._timeline import Timeline
from ._web_control import Control
from ._web_files import Files
from ._web_login import AuthArgs, refuse_other_sites
from ._web_login import AuthProvider as AuthProvider
from ._web_login import CustomForm as CustomForm
from ._web_login import InputField as InputField
from ._web_numbers import Numbers, count_workers
from .html import (
    DEFAULT_BUILD_PATH,
    MAX_SAMPLES,
    NO_PAGES,
    render_template_from,
)
from .log import greenlet_exception_logger
from .runners import MasterRunner
from .user.inspectuser import common_host
from .user.users import RestMixin
from .util.late import late_names

if TYPE_CHECKING:
    from .env import Environment

logger = logging.getLogger(__name__)
greenlet_exception_handler = greenlet_exception_logger(logger)

# What user code may assign to.
DEFAULT_CACHE_TIME = 2.0
HOST_IS_REQUIRED = False


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
        self._numbers = Numbers(self, self._timeline, DEFAULT_CACHE_TIME)
        self.app = self._make_app(build_path or DEFAULT_BUILD_PATH)
        if web_login:
            self._login_manager = LoginManager()
            self._login_manager.init_app(self.app)
            self._login_manager.login_view = "locust.login"
        self.app.register_blueprint(self._make_blueprint(web_base_path or None))
        # As memoize() leaves it on the view in Locust.
        self.app.view_functions["locust.request_stats"].clear_cache = self._numbers.clear_cache  # type: ignore[union-attr]
        if environment.runner:
            self.update_template_args()
        if not delayed_start:
            self.start()

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
        control, numbers, files = Control(self, self._timeline), self._numbers, Files(self)
        # Names are upstream's: scripts make URLs from them.
        for path, name, view, method in (
            ("/", "index", self._index, "GET"),
            ("/swarm", "swarm", control.swarm, "POST"),
            ("/stop", "stop", control.stop, "POST"),
            ("/stats/reset", "reset_stats", control.reset_stats, "POST"),
            ("/stats/report", "stats_report", files.report, "GET"),
            ("/stats/requests", "request_stats", numbers.request_stats, "GET"),
            ("/stats/requests/csv", "request_stats_csv", files.requests_csv, "GET"),
            ("/stats/requests_full_history/csv", "request_stats_full_history_csv", files.history_csv, "GET"),
            ("/stats/table", "table", numbers.table, "GET"),
            ("/stats/timeline", "timeline", numbers.timeline, "GET"),
            ("/stats/generator", "generator", numbers.generator, "GET"),
            ("/stats/failures/csv", "failures_stats_csv", files.failures_csv, "GET"),
            ("/exceptions", "exceptions", numbers.exceptions, "GET"),
            ("/exceptions/csv", "exceptions_csv", files.exceptions_csv, "GET"),
            ("/tasks", "tasks", numbers.tasks, "GET"),
            ("/logs", "logs", numbers.logs, "GET"),
            ("/user", "update_user", control.update_user, "POST"),
            ("/worker-count", "get_worker_count", numbers.worker_count, "GET"),
        ):
            blueprint.add_url_rule(path, name, self.auth_required_if_enabled(view), methods=[method])
        # A script's own is its own business, with a login or without.
        blueprint.add_url_rule("/metrics", "metrics", numbers.metrics, methods=["GET"])
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
        except RuntimeError as error:
            # The address is looked up in a thread.
            self._give_up(f"cannot listen on {self.host or '*'}:{self.port}: {error}: see ulimit -u")
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
        elif self.greenlet is not None:
            # It has not had its first turn.
            self.greenlet.kill(block=False)

    def auth_required_if_enabled(self, view_func: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates a view: with ``--web-login`` only those who are logged in get to see it."""

        @functools.wraps(view_func)
        def view(*args: Any, **kwargs: Any) -> Any:
            if not self.web_login:
                return view_func(*args, **kwargs)
            try:
                session["auth_error"] = session["auth_info"] = None
                refuse_other_sites()
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
            "worker_count": count_workers(environment),
        }


# They are found here, wherever they are made.
for _each in (AuthArgs, AuthProvider, CustomForm, InputField):
    _each.__module__ = __name__

__getattr__ = late_names(
    __name__,
    STATE_MISSING="runners",
    STATE_RUNNING="runners",
    format_safe_timestamp="util.date",
    get_html_report="html",
    get_logs="log",
    memoize="util.cache",
    parse_timespan="util.timespan",
)
