"""One run of the command: what serves and shows it, how it begins, and how it ends."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import gevent

# What user code may replace is looked up there.
from . import log, main, stats
from ._ending import Signals, Terminated, watch_end
from ._exits import stop_with_error
from ._processes import Children
from ._terminal import Terminal
from .env import Environment
from .exception import RPCError
from .runners import Runner, WorkerRunner
from .user.inspectuser import common_host
from .util.whole_file import make_folder_of, write_whole

logger = logging.getLogger("locust.main")

# What shells show for a process that Ctrl-C ended.
_INTERRUPTED = 130


def _status_of(end: SystemExit) -> int:
    """As the interpreter takes it."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def _make_runner(environment: Environment, options: argparse.Namespace) -> Runner:
    if options.master:
        return environment.create_master_runner(options.master_bind_host, options.master_bind_port)
    if not options.worker:
        return environment.create_local_runner()
    try:
        return environment.create_worker_runner(options.master_host, options.master_port)
    except (ConnectionError, RPCError) as error:
        stop_with_error(f"Failed to connect to the Locust master: {error}", 255)
    except KeyboardInterrupt:
        logger.info("Interrupted before a master answered at %s:%d", options.master_host, options.master_port)
        raise


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
        self.terminal = Terminal()
        self.is_report_missing = False
        self._log_failure = main.greenlet_exception_logger(logger)
        self.signals = Signals(self.terminal.leave)

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
            stop_with_error(f"The CSV files {prefix}_*.csv cannot be written: {error}")

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
        shown = f"[{host}]" if ":" in host else host or "0.0.0.0"
        return f"{scheme}://{shown}:{options.web_port}{options.web_base_path}"

    def _serve_metrics(self) -> Any:
        from ._prometheus import MetricsServer

        options = self.options
        host = "" if options.web_host == "*" else options.web_host
        try:
            server = MetricsServer(self.environment, host, options.prometheus_port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            stop_with_error(
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
                self.helpers.append(self._spawn(self.terminal.listen(self.runner, self.web_url)))
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
                self.terminal.screen = live.LiveScreen(self.environment, title, run_time, self.terminal.has_keys)
                return
        self.helpers.append(self._spawn(stats.stats_printer(self.runner.stats)))

    def _write_report(self) -> None:
        if not self.options.html_file:
            return
        try:
            from .html import ReportError, write_html_report

            main.process_html_filename(self.options)
            logger.debug("Writing html report to file: %s", self.options.html_file)
            try:
                write_html_report(self.environment, self.options.html_file, main.get_html_report)
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
        if elapsed is not None and runner.is_ending:
            self.helpers.append(self._spawn(self._end_of_test, "The test was ending already"))
            return
        if self.environment.shape_class:
            # The run time is for the shape to read: it alone decides about the end.
            if elapsed is None:
                runner.start_shape()
            try:
                if elapsed is not None:
                    runner.await_resumed()
                if runner.shape_greenlet is not None:
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
        if options.master:
            self.runner.await_workers()
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
        self.terminal.close_screen()
        is_all_written = self._write_results()
        if self.options.master:
            runner.forget_run()
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
