"""What the command does: from options to a finished test and an exit status."""

from __future__ import annotations

import argparse
import inspect
import itertools
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import _cload
import gevent
from cload import __version__ as own_version

import locust

from . import stats
from ._exits import fail, stop_with_error
from ._processes import fork_workers
from ._test_run import TestRun
from .argument_parser import check_options, get_locustfiles_locally, get_parser, parse_locustfile_option
from .env import Environment
from .event import Events
from .log import setup_logging
from .shape import LoadTestShape
from .user.inspectuser import print_task_ratio, print_task_ratio_json
from .user.users import RestMixin, User
from .util.late import late_names
from .util.load_locustfile import load_locustfile, load_locustfile_pytest
from .util.url import what_is_wrong

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
            fail(f"Duplicate {kind}: {name} is defined in both {places[0]} and {places[1]}")

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
        stop_with_error("No User class found: the locustfile has no subclass of User or HttpUser that is not abstract")
    unknown = [name for name in wanted if name not in available]
    if unknown:
        stop_with_error(f"Unknown User(s): {', '.join(unknown)}. There is: {', '.join(available)}")
    return [user_class for name, user_class in available.items() if not wanted or name in wanted]


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


def _check_hosts(environment: Environment) -> None:
    for user_class in environment.user_classes:
        host = environment.host or user_class.host
        wrong = what_is_wrong(host) if host and issubclass(user_class, RestMixin) else None
        if wrong:
            logger.warning("The host of %s is %r: %s", user_class.__name__, host, wrong)


def _check_web_options(options: argparse.Namespace) -> None:
    if options.web_base_path and not options.web_base_path.startswith("/"):
        stop_with_error(f"Invalid --web-base-path argument ({options.web_base_path}): it has to begin with a slash")


def _apply_user_config(environment: Environment, config: list[list[dict[str, Any]]]) -> None:
    for settings in itertools.chain.from_iterable(config):
        try:
            environment.update_user_class(settings)
        except KeyError as error:
            stop_with_error(f"Error applying user config: there is no such user class in the locustfile: {error}", 255)
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


def _begin_log(options: argparse.Namespace, locustfiles: Sequence[str]) -> None:
    if not options.skip_log_setup:
        try:
            setup_logging(options.loglevel, options.logfile)
        except OSError as error:
            fail(f"The log cannot be written to {options.logfile}: {error}")
    telemetry = ""
    if options.otel:
        # User code may have put its own here.
        set_up = sys.modules[__name__].setup_opentelemetry
        if set_up(os.path.basename(locustfiles[0]) if locustfiles else None, options.profile):
            telemetry = ", OpenTelemetry enabled"
    # Begins as Locust's does: scripts wait for it.
    logger.info("Starting Locust %s (cload %s)%s", version, own_version, telemetry)


def _check_role(options: argparse.Namespace) -> None:
    if options.master and options.worker:
        stop_with_error("The --master argument cannot be combined with --worker", 255)
    if options.master and options.expect_workers < 1:
        stop_with_error(f"Invalid --expect-workers argument ({options.expect_workers}): it must be positive", 255)


def _check_http3(user_classes: Sequence[type[User]], options: argparse.Namespace) -> None:
    if not options.master and (options.http3 or any(getattr(cls, "http3", False) for cls in user_classes)):
        try:
            _cload.check_http_version(3)
        except NotImplementedError as error:
            stop_with_error(str(error))


def _tell_of_fixed_counts(user_classes: Sequence[type[User]], options: argparse.Namespace) -> None:
    fixed_count = sum(user_class.fixed_count for user_class in user_classes)
    if options.num_users and fixed_count > options.num_users:
        logger.info(
            "Total fixed_count of User classes (%d) is greater than the number of users (%d): not all will be spawned",
            fixed_count,
            options.num_users,
        )


def _show_task_ratio(user_classes: list[type[User]], options: argparse.Namespace) -> None:
    if not options.show_task_ratio:
        print_task_ratio_json(user_classes, options.num_users)
        return
    for title, total in (("Task ratio per User class", False), ("Total task ratio", True)):
        print(f"\n {title}\n{'-' * 80}")
        print_task_ratio(user_classes, options.num_users, total)


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
        fail("--autoquit is for --autostart only")
    _begin_log(options, locustfiles)
    if options.list_commands:
        print("Available Users:")
        for name in available_users:
            print("    " + name)
        sys.exit(0)

    _check_role(options)
    user_classes = _choose_classes(available_users, options.user_classes)
    _check_http3(user_classes, options)
    children = None
    if options.processes and not (options.show_task_ratio or options.show_task_ratio_json):
        children = fork_workers(options, user_classes)
    if shape is None:
        _tell_of_fixed_counts(user_classes, options)
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
        stop_with_error(str(error))
    if options.config_users:
        _apply_user_config(environment, options.config_users)
    if shape is not None and not options.worker:
        _warn_about_shape(shape, options)
    if options.show_task_ratio or options.show_task_ratio_json:
        _show_task_ratio(user_classes, options)
        sys.exit(0)
    if not options.headless and not options.worker:
        _check_web_options(options)
    if options.autostart and options.headless and not options.worker:
        logger.info("The --autostart argument is implied by --headless")
    if not options.worker:
        _check_hosts(environment)
    TestRun(environment, options, children).execute()


__getattr__ = late_names(
    __name__,
    get_html_report="html",
    greenlet_exception_logger="log",
    input_listener="input_events",
    process_html_filename="html",
    setup_opentelemetry="opentelemetry",
)
