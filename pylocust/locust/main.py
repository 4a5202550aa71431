"""What the command does: from options to a finished test and an exit status."""

from __future__ import annotations

import argparse
import atexit
import errno
import inspect
import itertools
import json
import logging
import os
import signal
import sys
import time
import traceback
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import _cload
import gevent
from cload import __version__ as own_version

import locust

from . import log, stats
from ._ending import Signals, Terminated, watch_end
from ._processes import Children, fork_workers
from .argument_parser import check_options, get_locustfiles_locally, get_parser, parse_locustfile_option
from .env import Environment
from .event import Events
from .exception import RPCError
from .input_events import KeyListener, input_listener
from .log import greenlet_exception_logger, setup_logging
from .runners import STATE_SPAWNING, Runner, WorkerRunner
from .shape import LoadTestShape
from .user.inspectuser import common_host, print_task_ratio, print_task_ratio_json
from .user.users import HttpUser, User
from .util.late import late_names
from .util.load_locustfile import load_locustfile, load_locustfile_pytest
from .util.url import is_url
from .util.whole_file import make_folder_of, write_whole

try:
    import locust_plugins  # noqa: F401  # registers options and listeners
except ModuleNotFoundError as error:
    if error.name != "locust_plugins":
        raise

version = locust.__version__
logger = logging.getLogger(__name__)

# Options that a load shape replaces.
COMMON_OPTIONS = {"num_users": "users", "spawn_rate": "spawn-rate", "run_time": "run-time"}

# A test with many users needs a descriptor for each connection.
_ENOUGH_FILES = 10_000
# What shells show for a process that Ctrl-C ended.
_INTERRUPTED = 130


def create_environment(
    user_classes: list[type[User]],
    options: argparse.Namespace,
    events: Events | None = None,
    shape_class: LoadTestShape | None = None,
    locustfile: str | None = None,
    parsed_locustfiles: list[str] | None = None,
    available_user_classes: dict[str, type[User]] | None = None,
    available_shape_classes: dict[str, LoadTestShape] | None = None,
    available_user_tasks: dict[str, list[Any]] | None = None,
) -> Environment:
    """An environment as the options want it."""
    return Environment(
        user_classes=user_classes,
        shape_class=shape_class,
        locustfile=locustfile,
        events=events,
        host=options.host,
        reset_stats=options.reset_stats,
        parsed_options=options,
        parsed_locustfiles=parsed_locustfiles,
        available_user_classes=available_user_classes,
        available_shape_classes=available_shape_classes,
        available_user_tasks=available_user_tasks,
        profile=options.profile,
    )


def _fail(message: str) -> NoReturn:
    """For mistakes found before there is a log."""
    sys.stderr.write(message + "\n")
    sys.exit(1)


def _stop_with_error(message: str, status: int = 1) -> NoReturn:
    logger.error(message)
    sys.exit(status)


def merge_locustfiles_content(
    locustfiles: list[str],
) -> tuple[dict[str, type[User]], dict[str, LoadTestShape], dict[str, list[Any]], LoadTestShape | None]:
    """Imports the files. Returns their user classes, their shapes and the tasks of the classes, all by class name, and
    the shape to use. Ends the process if two files define different classes of one name."""
    users: dict[str, type[User]] = {}
    shapes: dict[str, LoadTestShape] = {}

    def add(known: dict[str, Any], kind: str, name: str, item: Any, definition: type) -> None:
        if name not in known:
            known[name] = item
            return
        other = known[name] if inspect.isclass(known[name]) else type(known[name])
        places = [inspect.getfile(other), inspect.getfile(definition)]
        if places[0] != places[1]:
            _fail(f"Duplicate {kind}: {name} is defined in both {places[0]} and {places[1]}")

    for path in locustfiles:
        found_users, found_shapes = load_locustfile(path)
        for shape in found_shapes:
            add(shapes, "shape classes", type(shape).__name__, shape, type(shape))
        for name, user_class in found_users.items():
            add(users, "user class names", name, user_class, user_class)
    if not users:
        for path in locustfiles:
            for name, user_class in load_locustfile_pytest(path).items():
                add(users, "user class names", name, user_class, user_class)
    tasks = {name: user_class.tasks for name, user_class in users.items()}
    return users, shapes, tasks, next(iter(shapes.values()), None)


def _import_or_explain(locustfiles: list[str]) -> Any:
    try:
        return merge_locustfiles_content(locustfiles)
    except KeyboardInterrupt as error:
        # Somebody waited for long enough, and may not know for what.
        places = traceback.extract_tb(error.__traceback__)
        place = next((place for place in reversed(places) if place.filename in locustfiles), None)
        where = f"{place.filename}:{place.lineno}" if place else ", ".join(locustfiles)
        print(f"Interrupted while the locustfile was imported, at {where}", file=sys.stderr)
        raise
    except SystemExit:
        raise
    except BaseException as error:
        # Only the user's part of the traceback; none at all for a syntax error in the file itself.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename not in locustfiles:
            trace = trace.tb_next
        if trace is None and not isinstance(error, SyntaxError):
            print(f"{', '.join(locustfiles)} could not be imported:", file=sys.stderr)
        # This one says what a misspelled name may have been meant to be.
        sys.__excepthook__(type(error), error.with_traceback(trace), trace)
        sys.exit(1)


def _choose_classes(available: dict[str, type[User]], wanted: list[str]) -> list[type[User]]:
    if not available:
        _stop_with_error("No User class found: the locustfile has no subclass of User or HttpUser that is not abstract")
    unknown = [name for name in wanted if name not in available]
    if unknown:
        _stop_with_error(f"Unknown User(s): {', '.join(unknown)}. There is: {', '.join(available)}")
    return [user_class for name, user_class in available.items() if not wanted or name in wanted]


def _status_of(end: SystemExit) -> int:
    """As the interpreter takes it."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def _raise_file_limit() -> None:
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < _ENOUGH_FILES:
            resource.setrlimit(resource.RLIMIT_NOFILE, (_ENOUGH_FILES, hard))
    except (ImportError, ValueError, OSError) as error:
        logger.warning(
            "This process may not open %d files, which many users need (%s). See ulimit -n.", _ENOUGH_FILES, error
        )


def _check_scheme(environment: Environment) -> None:
    for user_class in environment.user_classes:
        host = environment.host or user_class.host
        if issubclass(user_class, HttpUser) and host and not is_url(host):
            logger.warning(
                "The host of %s is %r: without http:// or https:// in front, only absolute URLs can be requested",
                user_class.__name__,
                host,
            )


def _check_web_options(options: argparse.Namespace) -> None:
    if options.web_base_path and not options.web_base_path.startswith("/"):
        _stop_with_error(f"Invalid --web-base-path argument ({options.web_base_path}): it has to begin with a slash")


def _apply_user_config(environment: Environment, config: list[list[dict[str, Any]]]) -> None:
    for settings in itertools.chain.from_iterable(config):
        try:
            environment.update_user_class(settings)
        except KeyError as error:
            _stop_with_error(f"Error applying user config: there is no such user class in the locustfile: {error}", 255)
        except Exception as error:
            logger.exception(error)
            sys.exit(255)


def _warn_about_shape(shape: LoadTestShape, options: argparse.Namespace) -> None:
    given = [f"--{name}" for option, name in COMMON_OPTIONS.items() if getattr(options, option)]
    if given and not shape.use_common_options:
        logger.warning(
            "--run-time, --users or --spawn-rate have no impact on LoadShapes unless %s sets use_common_options",
            type(shape).__name__,
        )
        logger.warning("The following option(s) will be ignored: %s", ", ".join(given))


def _make_runner(environment: Environment, options: argparse.Namespace) -> Runner:
    if options.master:
        return environment.create_master_runner(options.master_bind_host, options.master_bind_port)
    if not options.worker:
        return environment.create_local_runner()
    try:
        return environment.create_worker_runner(options.master_host, options.master_port)
    except (ConnectionError, RPCError) as error:
        _stop_with_error(f"Failed to connect to the Locust master: {error}", 255)
    except KeyboardInterrupt:
        sys.exit(0)


class TestRun:
    """One run of the command, once the environment stands."""

    def __init__(self, environment: Environment, options: argparse.Namespace, children: Children | None) -> None:
        self.environment = environment
        self.options = options
        self.children = children
        self.runner: Any = _make_runner(environment, options)
        self.csv_writer = self._make_csv_writer()
        self.web_url = None if options.headless or options.worker else self._make_web_ui()
        self._metrics = None if options.prometheus_port is None else self._serve_metrics()
        self.helpers: list[gevent.Greenlet[..., Any]] = []
        self.screen: Any = None
        self.keys: KeyListener | None = None
        self.is_report_missing = False
        self._suspending: Any = None
        self._log_failure = greenlet_exception_logger(logger)
        self.signals = Signals(self._leave_terminal)

    def _make_csv_writer(self) -> Any:
        prefix = self.options.csv_prefix
        if not prefix:
            return stats.StatsCSV(self.environment, stats.PERCENTILES_TO_REPORT)
        try:
            make_folder_of(prefix)
            return stats.StatsCSVFileWriter(
                self.environment, stats.PERCENTILES_TO_REPORT, prefix, self.options.stats_history_enabled
            )
        except OSError as error:
            _stop_with_error(f"The CSV files {prefix}_*.csv cannot be written: {error}")

    def _make_web_ui(self) -> str:
        """Has the web application serve once it is started, and returns its URL."""
        options = self.options
        host = "" if options.web_host == "*" else options.web_host
        self.environment.create_web_ui(
            host=host,
            port=options.web_port,
            web_base_path=options.web_base_path,
            web_login=options.web_login,
            tls_cert=options.tls_cert,
            tls_key=options.tls_key,
            stats_csv_writer=self.csv_writer,
            delayed_start=True,
            userclass_picker_is_active=options.class_picker,
            build_path=options.build_path,
        )
        if options.web_host_display_name and not host:
            return str(options.web_host_display_name)
        scheme = "https" if options.tls_cert and options.tls_key else "http"
        return f"{scheme}://{host or '0.0.0.0'}:{options.web_port}{options.web_base_path}"

    def _serve_metrics(self) -> Any:
        from ._prometheus import MetricsServer

        options = self.options
        host = "" if options.web_host == "*" else options.web_host
        try:
            server = MetricsServer(self.environment, host, options.prometheus_port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            _stop_with_error(
                f"Metrics cannot be served on {host or '*'}:{options.prometheus_port}: {reason}: see --prometheus-port"
            )
        logger.info("Serving metrics for Prometheus at http://%s:%d/metrics", host or "0.0.0.0", server.port)
        return server

    def _spawn(self, function: Callable[..., Any], *args: Any) -> gevent.Greenlet[..., Any]:
        greenlet = gevent.spawn(function, *args)
        greenlet.link_exception(self._log_failure)
        return greenlet

    def execute(self) -> NoReturn:
        """Runs the test to its end and exits."""
        options, environment = self.options, self.environment
        if options.equal_weights:
            environment.events.init.add_listener(lambda environment, **_: environment.assign_equal_weights())
        environment.events.init.fire(environment=environment, runner=self.runner, web_ui=environment.web_ui)
        if log.unhandled_greenlet_exception:
            # What init prepares is missing; the reason is in the log.
            sys.exit(1)
        self.signals.install()
        try:
            if not options.worker:
                self._listen_to_keys()
            self._show_progress()
            if not options.worker:
                self._spawn(stats.stats_history, self.runner)
                self._sample_for_report()
            if options.csv_prefix:
                self._spawn(self.csv_writer.stats_writer)
            main_greenlet = self.runner.greenlet
            if not options.worker:
                if environment.web_ui:
                    logger.info("Starting web interface at %s", self.web_url)
                    if options.class_picker:
                        logger.debug("Locust is running with the UserClass Picker Enabled")
                    environment.web_ui.start()
                    main_greenlet = environment.web_ui.greenlet
                elapsed = self.runner.resume() if options.master else None
                if elapsed is not None or options.headless or options.autostart:
                    if options.master and elapsed is None:
                        self._wait_for_workers()
                    self._start_test(elapsed)
            main_greenlet.join()
        except Terminated:
            self.shutdown()
        except SystemExit as end:
            self._end_by_exit(end)
        except KeyboardInterrupt:
            logger.debug("Interrupted")
        self.signals.begin_end()
        self._write_report()
        self.shutdown()

    def _end_by_exit(self, end: SystemExit) -> NoReturn:
        """A task, a listener or a handler of a signal called sys.exit(): the status is theirs, but what was measured is
        told first."""
        is_terminating = False
        with suppress(SystemExit):
            is_terminating = self.signals.is_terminating()
        # What a worker has measured is known to its master, who waits for its leave.
        is_worker = isinstance(self.runner, WorkerRunner)
        if not is_terminating and not is_worker:
            if not (self.runner.stats.total.num_requests or self.runner.errors or self.runner.exceptions):
                raise end
            self._write_report()
        self.shutdown(end)

    def _sample_for_report(self) -> None:
        """The web application does it where there is one."""
        if self.options.html_file and not self.environment.web_ui:
            from ._timeline import Timeline

            self.environment._timeline = Timeline(self.environment)
            self.helpers.append(self._spawn(self.environment._timeline.run))

    def _show_progress(self) -> None:
        """A live screen where there is a terminal for it, or else tables, as Locust's, now and then."""
        options = self.options
        if options.only_summary or options.worker or not (options.print_stats or options.headless):
            return
        if options.headless and not options.print_stats and not options.skip_log_setup:
            from cload import live

            if live.is_wanted():
                parts = ("cload", options.profile, common_host(self.environment) or self.environment.locustfile)
                title = "  ".join(part for part in parts if part)
                # A shape decides by itself when it ends.
                run_time = None if self.environment.shape_class else options.run_time
                self.screen = live.LiveScreen(self.environment, title, run_time, self._has_keys)
                return
        self.helpers.append(self._spawn(stats.stats_printer(self.runner.stats)))

    def _write_report(self) -> None:
        if not self.options.html_file:
            return
        try:
            from .html import ReportError, process_html_filename, write_html_report

            process_html_filename(self.options)
            logger.debug("Writing html report to file: %s", self.options.html_file)
            try:
                write_html_report(self.environment, self.options.html_file)
                return
            except ReportError as error:
                reason = str(error)
        except KeyboardInterrupt:
            # A second Ctrl-C ends what takes long, but what was measured is still told.
            reason = "interrupted"
        logger.error("The HTML report was not written: %s", reason)
        self.is_report_missing = True

    def _start_test(self, elapsed: float | None) -> None:
        """elapsed: seconds since the begin of a test that goes on already."""
        options, runner = self.options, self.runner
        if options.num_users is None:
            options.num_users = 1
        if options.spawn_rate is None:
            options.spawn_rate = 1
        if self.environment.shape_class:
            # The run time is for the shape to read: it alone decides about the end.
            if elapsed is None:
                runner.start_shape()
            try:
                runner.shape_greenlet.join()
            except KeyboardInterrupt:
                logging.info("Exiting due to CTRL+C interruption")
                raise
            finally:
                self._end_of_test("Shape test completed")
            return
        if elapsed is None:
            self.helpers.append(self._spawn(runner.start, options.num_users, options.spawn_rate))
        if options.run_time:
            self._limit_run_time(elapsed or 0.0)
        else:
            logger.info("No run time limit set, use CTRL+C to interrupt")

    def _wait_for_workers(self) -> None:
        wanted, longest = self.options.expect_workers, self.options.expect_workers_max_wait
        begin = time.monotonic()
        told = 0
        while (count := len(self.runner.clients.ready)) < wanted:
            waited = time.monotonic() - begin
            if longest and waited >= longest:
                logger.error("Gave up waiting for workers to connect: %d of %d have", count, wanted)
                self.runner.quit()
                sys.exit(1)
            if self.children is not None and len(self.children.running) < self.options.processes:
                logger.error("A worker process has ended before the test began, see above for why")
                self.runner.quit()
                sys.exit(1)
            if waited >= told:
                told += 1
                level = logging.INFO if waited >= 5 else logging.DEBUG
                logger.log(level, "Waiting for workers to be ready, %d of %d connected", count, wanted)
            time.sleep(0.05)

    def _limit_run_time(self, elapsed: float) -> None:
        logger.info("Run time limit set to %s seconds", self.options.run_time)
        # libev counts from when it last looked at the clock, which may be before the locustfile was imported.
        gevent.get_hub().loop.update_now()
        timer = gevent.spawn_later(
            max(0.0, self.options.run_time - elapsed), self._end_of_test, "--run-time limit reached"
        )
        timer.link_exception(self._log_failure)

    def _end_of_test(self, reason: str) -> None:
        options = self.options
        if options.headless:
            logger.info("%s, shutting down", reason)
            watch_end(self.runner)
            self.runner.quit()
            return
        logger.info("%s, stopping test", reason)
        self.runner.stop()
        if options.autoquit == -1:
            logger.info("--autoquit not specified: the web application goes on")
            return
        logger.debug("Autoquit time limit set to %s seconds", options.autoquit)
        time.sleep(options.autoquit)
        logger.info("--autoquit time reached, shutting down")
        self.runner.quit()
        if self.environment.web_ui:
            self.environment.web_ui.stop()

    def _listen_to_keys(self) -> None:
        def change(by: int) -> Callable[[], None]:
            def apply() -> None:
                if self.runner.state == STATE_SPAWNING:
                    logger.warning("Already spawning users: their number cannot be changed now")
                else:
                    self.runner.start(max(0, self.runner.user_count + by), 100)

            return apply

        keys: dict[str, Callable[[], Any]] = {"w": change(1), "W": change(10), "s": change(-1), "S": change(-10)}
        if self.web_url:
            page = self.web_url.replace("//0.0.0.0", "//localhost")
            keys["\n"] = lambda: webbrowser.open_new_tab(page)
        self.keys = input_listener(keys)
        self.helpers.append(self._spawn(self.keys))
        # However the process ends, the terminal is to be as it was.
        atexit.register(self._leave_terminal)
        if signal.getsignal(signal.SIGQUIT) == signal.SIG_DFL:
            signal.signal(signal.SIGQUIT, self._on_quit)
        if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
            self._suspending = gevent.signal_handler(signal.SIGTSTP, self._suspend)

    def _has_keys(self) -> bool:
        return self.keys is not None and self.keys.is_listening

    def _leave_terminal(self) -> None:
        if self.screen is not None:
            self.screen.close()
        if self.keys is not None:
            self.keys.close()

    def _on_quit(self, number: int, _frame: Any) -> None:
        """Ctrl-\\, the emergency exit: not even that leaves a terminal without echo and cursor."""
        self._leave_terminal()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _suspend(self) -> None:
        """Ctrl-Z: the shell gets a terminal in order. When the process goes on, what draws and reads keys does so by
        itself, once it is in front."""
        if self.screen is not None:
            self.screen.hide()
        if self.keys is not None:
            self.keys.pause()
        # Back to what the system does, as that depends on whether there is a shell that could have it go on.
        self._suspending.cancel()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        self._suspending = gevent.signal_handler(signal.SIGTSTP, self._suspend)

    def shutdown(self, end: SystemExit | None = None) -> NoReturn:
        """Ends everything in order, prints the summary and exits: with the status of ``end``, a script's own."""
        environment, runner = self.environment, self.runner
        self.signals.begin_end()
        watch_end(runner)
        logger.debug("Running teardowns...")
        status = 0
        try:
            try:
                environment.events.quitting.fire(environment=environment, reverse=True)
            except SystemExit as verdict:
                end = verdict
            status = self._exit_status() if end is None else _status_of(end)
            logger.info("Shutting down (exit code %s)", status)
            for helper in self.helpers:
                helper.kill(block=False)
            self._quit_runner()
        except KeyboardInterrupt:
            # Nobody wants to wait, but what was measured is still told.
            status = status or _INTERRUPTED
            logger.warning("Interrupted again: what is still running is left behind (exit code %s)", status)
        if self.screen is not None:
            self.screen.close()
        is_all_written = self._write_results()
        if status == 0 and not is_all_written:
            status = 1
        environment.events.quit.fire(exit_code=status)
        sys.exit(status)

    def _quit_runner(self) -> None:
        while True:
            try:
                self.runner.quit()
                return
            except SystemExit:
                # Of one more user; the status is that of the first.
                logger.debug("sys.exit() called while the test ends")

    def _write_results(self) -> bool:
        """The last state of everything. What cannot be written to where it belongs goes to stderr."""
        runner, options = self.runner, self.options
        is_all_written = True
        # First, because JSON zeroes the entries.
        self.csv_writer.close_files()
        own_tables = stats.get_own_summary(runner.stats, options.percentiles, options.phases)
        if options.json:
            is_all_written = self._write_json("standard output", None)
        if options.json_file:
            is_all_written = self._write_json(options.json_file + ".json", options.json_file) and is_all_written
        elif not isinstance(runner, WorkerRunner):
            stats.print_stats(runner.stats, current=False)
            stats.print_percentile_stats(runner.stats)
            stats.print_error_report(runner.stats)
        if not isinstance(runner, WorkerRunner):
            stats.print_lines(own_tables)
        is_complete = not (self.is_report_missing or self.csv_writer.is_failing or log.lost_lines)
        return is_all_written and is_complete

    def _write_json(self, name: str, path: str | None) -> bool:
        # Zeroes the entries, so that this text is all there is.
        text = json.dumps(self.runner.stats.json_rows(self.options.percentiles), indent=4)
        try:
            if path is None:
                if sys.stdout is None:
                    raise OSError(errno.EBADF, "it is closed")
                print(text, flush=True)
            else:
                make_folder_of(path)
                write_whole(f"{path}.json", text)
            return True
        except OSError as error:
            logger.error("The statistics could not be written to %s: %s. Here they are:\n%s", name, error, text)
            return False

    def _exit_status(self) -> int:
        if self.environment.process_exit_code is not None:
            return self.environment.process_exit_code
        if self.runner.errors or self.runner.exceptions:
            status: int = self.options.exit_code_on_error
            return status
        return 2 if log.unhandled_greenlet_exception else 0


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The command with these arguments (default: those of the process). Always exits."""
    # Ctrl-C is an order and no error: no lines about it between the others.
    gevent.hub.Hub.NOT_ERROR = (*gevent.hub.Hub.NOT_ERROR, KeyboardInterrupt)
    locustfiles = get_locustfiles_locally(parse_locustfile_option(argv))
    available_users, available_shapes, available_tasks, shape = _import_or_explain(locustfiles)

    parser = get_parser()
    options = parser.parse_args(argv)
    check_options(parser, options)
    stats.validate_stats_configuration()
    if options.headful:
        options.headless = False
    if options.num_users is not None and options.num_users < 0 and not options.list_commands:
        parser.error(f"argument -u/--users: {options.num_users} is less than no users")
    if options.autoquit != -1 and not options.autostart:
        _fail("--autoquit is for --autostart only")
    if not options.skip_log_setup:
        try:
            setup_logging(options.loglevel, options.logfile)
        except OSError as error:
            _fail(f"The log cannot be written to {options.logfile}: {error}")

    telemetry = ""
    if options.otel:
        from .opentelemetry import setup_opentelemetry

        if setup_opentelemetry(os.path.basename(locustfiles[0]) if locustfiles else None, options.profile):
            telemetry = ", OpenTelemetry enabled"
    # Begins as Locust's does: scripts wait for it.
    logger.info("Starting Locust %s (cload %s)%s", version, own_version, telemetry)
    if options.list_commands:
        print("Available Users:")
        for name in available_users:
            print("    " + name)
        sys.exit(0)

    if options.master and options.worker:
        _stop_with_error("The --master argument cannot be combined with --worker", 255)
    if options.master and options.expect_workers < 1:
        _stop_with_error(f"Invalid --expect-workers argument ({options.expect_workers}): it must be positive", 255)
    user_classes = _choose_classes(available_users, options.user_classes)
    if not options.master and (options.http3 or any(getattr(cls, "http3", False) for cls in user_classes)):
        try:
            _cload.check_http_version(3)
        except NotImplementedError as error:
            _stop_with_error(str(error))
    children = None
    if options.processes and not (options.show_task_ratio or options.show_task_ratio_json):
        children = fork_workers(options, user_classes)
    fixed_count = sum(user_class.fixed_count for user_class in user_classes)
    if shape is None and options.num_users and fixed_count > options.num_users:
        logger.info(
            "Total fixed_count of User classes (%d) is greater than the number of users (%d): not all will be spawned",
            fixed_count,
            options.num_users,
        )
    _raise_file_limit()
    try:
        environment = create_environment(
            user_classes,
            options,
            events=locust.events,
            shape_class=shape,
            locustfile=os.path.basename(locustfiles[0]),
            parsed_locustfiles=locustfiles,
            available_user_classes=available_users,
            available_shape_classes=available_shapes,
            available_user_tasks=available_tasks,
        )
    except ValueError as error:
        _stop_with_error(str(error))
    if options.config_users:
        _apply_user_config(environment, options.config_users)
    if shape is not None and not options.worker:
        _warn_about_shape(shape, options)
    if options.show_task_ratio:
        for title, total in (("Task ratio per User class", False), ("Total task ratio", True)):
            print(f"\n {title}\n{'-' * 80}")
            print_task_ratio(user_classes, options.num_users, total)
        sys.exit(0)
    if options.show_task_ratio_json:
        print_task_ratio_json(user_classes, options.num_users)
        sys.exit(0)
    if not options.headless and not options.worker:
        _check_web_options(options)
    if options.autostart and options.headless and not options.worker:
        logger.info("The --autostart argument is implied by --headless")
    if not options.worker:
        _check_scheme(environment)
    TestRun(environment, options, children).execute()


__getattr__ = late_names(
    __name__,
    get_html_report="html",
    process_html_filename="html",
    setup_opentelemetry="opentelemetry",
)
