"""The command line, configuration files and environment variables."""

from __future__ import annotations

import argparse
import ast
import atexit
import difflib
import json
import math
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import IO, Any, NamedTuple, NoReturn
from urllib.parse import urlparse

import configargparse
from cload._version import version_line

import locust

from .util.directory import get_abspaths_in
from .util.timespan import parse_timespan
from .util.url import is_url

# Called `locust`, as its stand-in, it has that name.
PROGRAM = "locust" if os.path.basename(sys.argv[0] if sys.argv else "") == "locust" else "cload"
version = locust.__version__

# Title of the options that Locust does not have.
CLOAD_GROUP = "cload options"

# A variable as Kubernetes gives it to containers for each service.
_SERVICE_LINK = re.compile(r"\w+_PORT=(tcp|udp|sctp)://[^/]+:\d+")

# From the weakest to the strongest.
DEFAULT_CONFIG_FILES = ("~/.locust.conf", "locust.conf", "pyproject.toml")


class LocustArgumentParser(configargparse.ArgumentParser):  # type: ignore[misc]
    """A parser whose arguments can also appear in the web application's form."""

    def error(self, message: str) -> NoReturn:
        """One line on stderr and status 2; for an unknown option a second line with what may have been meant."""
        _, marker, unknown = message.partition("unrecognized arguments: ")
        if marker:
            known = [option for action in self._actions for option in action.option_strings]
            meant = difflib.get_close_matches(unknown.split()[0], known, n=1)
            if meant:
                message += f"\nDid you mean {meant[0]!r}?"
        sys.stderr.write(f"{self.prog}: error: {message}\n")
        sys.exit(2)

    def parse_known_args(
        self,
        args: Any = None,
        namespace: Any = None,
        config_file_contents: Any = None,
        env_vars: Any = os.environ,
        ignore_help_args: bool = False,
    ) -> tuple[argparse.Namespace, list[str]]:
        """As in configargparse, but where Kubernetes has a service called locust-web, LOCUST_WEB_PORT is no port."""
        own = {name: value for name, value in env_vars.items() if not _SERVICE_LINK.fullmatch(f"{name}={value}")}
        parsed: tuple[argparse.Namespace, list[str]] = super().parse_known_args(
            args, namespace, config_file_contents, own, ignore_help_args
        )
        return parsed

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """As in argparse, with ``env_var`` and four words on the form: ``include_in_web_ui`` (True unless said
        otherwise), ``is_secret`` (a password field), ``is_required`` and ``is_multiple`` (several choices)."""
        form = {
            "include_in_web_ui": kwargs.pop("include_in_web_ui", True),
            "is_secret": kwargs.pop("is_secret", False),
            "is_required": kwargs.pop("is_required", False),
            "is_multiple": kwargs.pop("is_multiple", False),
        }
        action: argparse.Action = super().add_argument(*args, **kwargs)
        for name, value in form.items():
            setattr(action, name, value)
        return action

    def _in_form(self, quality: str = "include_in_web_ui") -> dict[str, argparse.Action]:
        return {
            action.dest: action
            for action in self._actions
            if getattr(action, "include_in_web_ui", False) and getattr(action, quality, False)
        }

    @property
    def args_included_in_web_ui(self) -> dict[str, argparse.Action]:
        """Arguments for the form, by their name in the options."""
        return self._in_form()

    @property
    def secret_args_included_in_web_ui(self) -> dict[str, argparse.Action]:
        """Those of them that nobody may read over a shoulder."""
        return self._in_form("is_secret")

    @property
    def required_args_included_in_web_ui(self) -> dict[str, argparse.Action]:
        """Those of them that must be filled in."""
        return self._in_form("is_required")

    @property
    def multiple_args_included_in_web_ui(self) -> dict[str, argparse.Action]:
        """Those of them that take several choices."""
        return self._in_form("is_multiple")


class LocustTomlConfigParser(configargparse.TomlConfigParser):  # type: ignore[misc]
    """Reads sections of a TOML file."""

    def parse(self, stream: IO[str]) -> OrderedDict[str, Any]:
        try:
            content = tomllib.loads(stream.read())
        except tomllib.TOMLDecodeError as error:
            raise configargparse.ConfigFileParserException(f"{stream.name} is no valid TOML: {error}") from error
        settings: OrderedDict[str, Any] = OrderedDict()
        for section in self.sections:
            table: Any = content
            for key in section.split("."):
                table = table.get(key, {}) if isinstance(table, dict) else {}
            for key, value in table.items():
                if isinstance(value, dict):
                    raise configargparse.ConfigFileParserException(
                        f"{stream.name}: [{section}.{key}] is a table, and no option has one as its value"
                    )
                settings[key] = value if isinstance(value, list) else str(value)
            if table:
                break
        return settings


class LocustConfigParser(configargparse.ConfigFileParser):  # type: ignore[misc]
    """Reads ``[tool.locust]`` of TOML files, and lines of keys and values in all others."""

    def parse(self, stream: IO[str]) -> OrderedDict[str, Any]:
        is_toml = stream.name.endswith(".toml")
        parser = LocustTomlConfigParser(["tool.locust"]) if is_toml else configargparse.DefaultConfigFileParser()
        try:
            settings: OrderedDict[str, Any] = parser.parse(stream)
        except UnicodeDecodeError as error:
            raise configargparse.ConfigFileParserException(f"{stream.name} is no text in UTF-8: {error}") from error
        return settings


class RemovedOption(argparse.Action):
    """An option of former times; its ``const`` says what to do instead."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None
    ) -> NoReturn:
        parser.error(f"{option_string} does not exist any more: {self.const}")


def timespan(time_str: str) -> int:
    """Type of options that take a span of time."""
    try:
        return parse_timespan(time_str)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def positive_integer(string: str) -> int:
    """Type of options that take 1 or more."""
    try:
        value = int(string)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{string!r} is no whole number above 0")
    return value


def percentiles(string: str) -> list[float]:
    """Type of options that take fractions between 0 and 1, separated by commas."""
    try:
        fractions = [float(part) for part in string.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{string!r} is no list of numbers such as 0.5,0.99") from error
    if not all(0 <= fraction <= 1 for fraction in fractions):
        raise argparse.ArgumentTypeError(f"{string!r} holds a number that is not between 0 and 1, such as 0.99")
    return fractions


def gt_zero(t: Callable[[str], float]) -> Callable[[str], float]:
    """Type of options that take more than 0, but not infinity."""

    def check(string: str) -> float:
        try:
            value = t(string)
        except ValueError:
            value = 0
        if not (value > 0 and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{string!r} is no number above 0")
        return value

    return check


def json_user_config(string: str) -> list[dict[str, Any]]:
    """Type of ``--config-users``: JSON, or a file of it; one object or a list of them."""
    try:
        if string.endswith(".json"):
            with open(string, encoding="utf-8") as file:
                config = json.load(file)
        else:
            config = json.loads(string)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{string!r} is neither JSON nor a file of it: {error}") from error
    entries = config if isinstance(config, list) else [config]
    for entry in entries:
        if not isinstance(entry, dict) or "user_class_name" not in entry:
            raise argparse.ArgumentTypeError(f"user_class_name is missing in {json.dumps(entry)}")
    return entries


def _fail(message: str) -> NoReturn:
    sys.stderr.write(message + "\n")
    sys.exit(1)


def parse_locustfile_paths(paths: list[str]) -> list[str]:
    """Absolute paths of the files that names, folders and URLs stand for; ends the process if one stands for none."""
    files = []
    for path in paths:
        if is_url(path):
            files.append(download_locustfile_from_url(path))
        elif os.path.isdir(path):
            found = get_abspaths_in(path, extension=".py")
            if not found:
                _fail(f"There is no locustfile in the folder '{path}': names must end in .py and not begin with _")
            files += found
        elif path.endswith(".py") and os.path.exists(path):
            files.append(os.path.abspath(path))
        elif not path:
            _fail("-f (--locustfile, LOCUST_LOCUSTFILE) names no file, or has a comma too many")
        else:
            _fail(
                f"Could not find '{path}'. A locustfile is a file that ends in .py, or a folder of such files."
                " See --help for all options."
            )
    return files


def exit_handler(filename: str) -> None:
    """Removes what was downloaded: a file or a folder of them, if it is still there."""
    if os.path.isdir(filename):
        shutil.rmtree(filename, ignore_errors=True)
        return
    try:
        os.remove(filename)
    except (FileNotFoundError, PermissionError):
        return


@lru_cache(maxsize=1)
def folder_for_downloads() -> str:
    """A temporary folder of this process alone, until it ends: others load files of the same name at the same time."""
    folder = tempfile.mkdtemp(prefix="cload-")
    atexit.register(exit_handler, folder)
    return folder


def download_locustfile_from_url(url: str) -> str:
    """Loads a file into a temporary folder until the process ends."""
    import requests

    try:
        response = requests.get(url, timeout=60)
        response.raise_for_status()
    except requests.exceptions.RequestException as error:
        _fail(f"Could not load a locustfile from {url}: {error}")
    # As bytes: it is the file that says how it is encoded, and not what a server says of any text.
    try:
        ast.parse(response.content)
    except (SyntaxError, ValueError):
        _fail(f"What {url} answered is no Python: '{response.text[:100]}'")
    name = os.path.basename(urlparse(url).path) or "locustfile.py"
    path = os.path.join(folder_for_downloads(), name if name.endswith(".py") else name + ".py")
    with open(path, "wb") as file:
        file.write(response.content)
    return path


_EPILOG = """Examples:

    cload -f my_test.py -H https://www.example.com

    cload --headless -u 100 -t 20m MyHttpUser AnotherUser

    cload --headless -u 100 -r 10 -t 50 --print-stats --html "report_{u}_{r}_{t}.html"

Every option can also be set in locust.conf, in pyproject.toml under [tool.locust], or in a file named by --config;
most of them in an environment variable, too: LOCUST_ and the long option's name in capitals.

With --headless, a terminal shows a live screen. --print-stats, or CLOAD_PLAIN=1 in the environment, has tables printed
every two seconds instead, as they are without a terminal. NO_COLOR=1 takes the colors away."""


def get_empty_argument_parser(
    add_help: bool = True, default_config_files: Sequence[str] = DEFAULT_CONFIG_FILES
) -> LocustArgumentParser:
    """A parser that knows where the locustfile and the configuration are, and nothing else."""
    parser = LocustArgumentParser(
        prog=PROGRAM,
        usage=argparse.SUPPRESS,
        description=f"Usage: {PROGRAM} [options] [UserClass ...]",
        epilog=_EPILOG,
        formatter_class=configargparse.RawDescriptionHelpFormatter,
        add_help=add_help,
        add_env_var_help=False,
        add_config_file_help=False,
        config_file_parser_class=LocustConfigParser,
        default_config_files=default_config_files,
    )
    parser.add_argument(
        "-f",
        "--locustfile",
        metavar="<filename>",
        default="locustfile.py",
        env_var="LOCUST_LOCUSTFILE",
        help="What to run: a Python file, a list of them separated by commas, a folder, or a URL."
        " Default: locustfile.py",
    )
    parser.add_argument(
        "--config",
        is_config_file_arg=True,
        metavar="<filename>",
        help="Configuration to read besides ~/.locust.conf, ./locust.conf and ./pyproject.toml",
    )
    return parser


def parse_locustfile_option(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The first of two parses: only what it takes to find the locustfile, which may then add options of its own.
    ``--help`` and ``--version`` are answered here."""
    parser = get_empty_argument_parser(add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-V", "--version", action="store_true")
    parser.add_argument("--worker", action="store_true", env_var="LOCUST_MODE_WORKER")
    parser.add_argument("--master", action="store_true", env_var="LOCUST_MODE_MASTER")
    parser.add_argument("--master-host", default="127.0.0.1", env_var="LOCUST_MASTER_NODE_HOST")
    parser.add_argument("--master-port", type=int, default=5557, env_var="LOCUST_MASTER_NODE_PORT")
    parser.add_argument("--master-secret", env_var="LOCUST_MASTER_SECRET")
    parser.add_argument("--refuse-code", action="store_true", env_var="LOCUST_REFUSE_CODE")
    options: argparse.Namespace
    options, _ = parser.parse_known_args(args)
    if options.help or options.version:
        get_parser().parse_args(["--help" if options.help else "--version"])
    return options


def get_locustfiles_locally(options: argparse.Namespace) -> list[str]:
    """The files that ``-f`` stands for."""
    if options.locustfile.strip() == "-":
        if not options.worker:
            _fail("'-' as locustfile means to get it from the master, and only works together with --worker")
        from ._download import download_locustfiles_from_master

        return download_locustfiles_from_master(
            options.master_host, options.master_port, options.master_secret, options.refuse_code
        )
    return parse_locustfile_paths([path.strip() for path in options.locustfile.split(",")])


def setup_parser_arguments(parser: LocustArgumentParser) -> None:
    """Adds every option that is not there yet."""
    group: Any = parser
    flag = {"action": "store_true"}

    def form(*names: str, **kwargs: Any) -> None:
        parser.add_argument(*names, **kwargs)

    def option(*names: str, **kwargs: Any) -> None:
        group.add_argument(*names, **kwargs)

    parser._optionals.title = "Common options"
    form(
        "-H", "--host", metavar="<base url>", env_var="LOCUST_HOST", help="What to test, as in https://www.example.com"
    )
    form(
        "-u",
        "--users",
        type=int,
        dest="num_users",
        metavar="<int>",
        env_var="LOCUST_USERS",
        help="How many users, with --headless or --autostart. While it runs, the keys w and W add 1 and 10, s and S"
        " stop 1 and 10",
    )
    form(
        "-r",
        "--spawn-rate",
        type=gt_zero(float),
        metavar="<float>",
        env_var="LOCUST_SPAWN_RATE",
        help="How many new users a second, with --headless or --autostart",
    )
    form(
        "-t",
        "--run-time",
        type=timespan,
        metavar="<time string>",
        env_var="LOCUST_RUN_TIME",
        help="End the test after this time (300s, 20m, 3h, 1h30m), with --headless or --autostart. Default: never",
    )
    form("-l", "--list", dest="list_commands", help="Show the user classes and exit", **flag)
    form(
        "--config-users",
        type=json_user_config,
        nargs="*",
        env_var="LOCUST_CONFIG_USERS",
        help="Attributes for user classes: JSON objects with a user_class_name, lists of them, or files of them",
    )

    group = parser.add_argument_group("Web UI options")
    option(
        "--web-host",
        default="",
        metavar="<ip>",
        env_var="LOCUST_WEB_HOST",
        help="Where the web application listens. Default: all interfaces",
    )
    option(
        "--web-host-display-name",
        type=str,
        default=None,
        env_var="LOCUST_WEB_HOST_DISPLAY_NAME",
        help=argparse.SUPPRESS,
    )
    option(
        "--web-port",
        "-P",
        type=int,
        default=8089,
        metavar="<port number>",
        env_var="LOCUST_WEB_PORT",
        help="Port of the web application. Default: 8089",
    )
    option("--headless", env_var="LOCUST_HEADLESS", help="No web application: start the test at once", **flag)
    option(
        "--autostart",
        env_var="LOCUST_AUTOSTART",
        help="Start the test at once, with the web application",
        **flag,
    )
    option(
        "--autoquit",
        type=int,
        default=-1,
        metavar="<seconds>",
        env_var="LOCUST_AUTOQUIT",
        help="With --autostart: end the process so long after the test. Default: only with Ctrl-C",
    )
    option("--headful", env_var="LOCUST_HEADFUL", help=argparse.SUPPRESS, **flag)
    option(
        "--web-auth",
        action=RemovedOption,
        const="use --web-login, and say in the locustfile who may log in",
        metavar="<username:password>",
        env_var="LOCUST_WEB_AUTH",
        help=argparse.SUPPRESS,
    )
    option("--web-login", env_var="LOCUST_WEB_LOGIN", help="Ask for a login first", **flag)
    option("--tls-cert", default="", metavar="<filename>", env_var="LOCUST_TLS_CERT", help="Serve HTTPS with this")
    option("--tls-key", default="", metavar="<filename>", env_var="LOCUST_TLS_KEY", help="The key of --tls-cert")
    option(
        "--class-picker",
        env_var="LOCUST_USERCLASS_PICKER",
        help="Let the user and shape classes be chosen in the web application",
        **flag,
    )
    option("--build-path", type=str, default="", env_var="LOCUST_BUILD_PATH", help=argparse.SUPPRESS)
    option(
        "--legacy-ui",
        action=RemovedOption,
        const="there is one web application only",
        nargs=0,
        default=False,
        env_var="LOCUST_LEGACY_UI",
        help=argparse.SUPPRESS,
    )

    option(
        "--web-base-path",
        type=str,
        default="",
        env_var="LOCUST_WEB_BASE_PATH",
        help="What the paths of the web application begin with, as in /locust",
    )

    group = parser.add_argument_group(
        "Master options", "For the process that directs others (workers), which do the work."
    )
    option("--master", env_var="LOCUST_MODE_MASTER", help="Be the master", **flag)
    option(
        "--master-bind-host",
        default="*",
        metavar="<ip>",
        env_var="LOCUST_MASTER_BIND_HOST",
        help="Where the master listens for workers. Default: * (all interfaces)",
    )
    option(
        "--master-bind-port",
        type=int,
        default=5557,
        metavar="<port number>",
        env_var="LOCUST_MASTER_BIND_PORT",
        help="The port for that. Default: 5557",
    )
    option(
        "--expect-workers",
        type=positive_integer,
        default=1,
        metavar="<int>",
        env_var="LOCUST_EXPECT_WORKERS",
        help="With --headless or --autostart: start once this many workers are there. Default: 1",
    )
    option(
        "--expect-workers-max-wait",
        type=int,
        default=0,
        metavar="<int>",
        env_var="LOCUST_EXPECT_WORKERS_MAX_WAIT",
        help="Give up after waiting so many seconds for them. Default: never",
    )
    option(
        "--enable-rebalancing",
        help="Spread the users anew when workers come or go during a test",
        **flag,
    )
    option("--expect-slaves", action=RemovedOption, const="use --expect-workers", nargs=0, help=argparse.SUPPRESS)

    group = parser.add_argument_group(
        "Worker options",
        "For a process that a master directs. It needs these and --locustfile; the master decides about the rest.",
    )
    option("--worker", env_var="LOCUST_MODE_WORKER", help="Be a worker; '-f -' gets the file from the master", **flag)
    option(
        "--processes",
        type=int,
        metavar="<int>",
        env_var="LOCUST_PROCESSES",
        help="Start so many workers on this machine, and a master for them unless --worker is given; -1: one per core",
    )
    option("--slave", action=RemovedOption, const="use --worker", nargs=0, help=argparse.SUPPRESS)
    option(
        "--master-host",
        default="127.0.0.1",
        metavar="<hostname>",
        env_var="LOCUST_MASTER_NODE_HOST",
        help="Where the master is. Default: 127.0.0.1",
    )
    option(
        "--master-port",
        type=int,
        default=5557,
        metavar="<port number>",
        env_var="LOCUST_MASTER_NODE_PORT",
        help="The port there. Default: 5557",
    )

    group = parser.add_argument_group("Tag options", "To run some of the tasks only. Tasks get tags with @tag.")
    option("-T", "--tags", nargs="*", metavar="<tag>", env_var="LOCUST_TAGS", help="Run tasks with one of these tags")
    option(
        "-E",
        "--exclude-tags",
        nargs="*",
        metavar="<tag>",
        env_var="LOCUST_EXCLUDE_TAGS",
        help="Do not run tasks with one of these tags",
    )

    group = parser.add_argument_group("Request statistics options")
    option(
        "--csv",
        dest="csv_prefix",
        metavar="<filename>",
        env_var="LOCUST_CSV",
        help="Write CSV files whose names begin with this: _stats.csv, _stats_history.csv, _failures.csv,"
        " _exceptions.csv. Folders are made",
    )
    option(
        "--csv-full-history",
        dest="stats_history_enabled",
        env_var="LOCUST_CSV_FULL_HISTORY",
        help="With --csv: put every entry into _stats_history.csv, not only the total",
        **flag,
    )
    option("--print-stats", env_var="LOCUST_PRINT_STATS", help="Print statistics also with the web application", **flag)
    option("--only-summary", env_var="LOCUST_ONLY_SUMMARY", help="Print statistics at the end only", **flag)
    option(
        "--reset-stats",
        env_var="LOCUST_RESET_STATS",
        help="Forget what was measured until all users are there. On workers, set it there, too",
        **flag,
    )
    option(
        "--html",
        dest="html_file",
        metavar="<filename>",
        env_var="LOCUST_HTML",
        help="Write a report. {u}, {r} and {t} in the name become users, spawn rate and run time",
    )
    option("--json", help="Print the final statistics to stdout as JSON", **flag)
    option("--json-file", metavar="<filename>", help="Write the final statistics to a file as JSON; .json is appended")

    group = parser.add_argument_group("Logging options")
    option("--skip-log-setup", env_var="LOCUST_SKIP_LOG_SETUP", help="The locustfile sets up logging", **flag)
    option(
        "--loglevel",
        "-L",
        type=str.upper,
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        metavar="<level>",
        env_var="LOCUST_LOGLEVEL",
        help="DEBUG, INFO, WARNING, ERROR or CRITICAL. Default: INFO",
    )
    option("--logfile", metavar="<filename>", env_var="LOCUST_LOGFILE", help="Write the log there, not to stderr")

    group = parser.add_argument_group("Other options")
    option("--show-task-ratio", help="Print how often each task will run, and exit", **flag)
    option("--show-task-ratio-json", help="The same as JSON", **flag)
    option("--version", "-V", action="version", version=version_line(), help="Show the version and exit")
    option(
        "--exit-code-on-error",
        type=int,
        default=1,
        metavar="<int>",
        env_var="LOCUST_EXIT_CODE_ON_ERROR",
        help="Status of the process if a request or a task failed. Default: 1",
    )
    option(
        "-s",
        "--stop-timeout",
        type=timespan,
        default="0",
        metavar="<number>",
        env_var="LOCUST_STOP_TIMEOUT",
        help="Seconds a running task gets to finish when users are stopped. Default: none. Only read by the master",
    )
    option("--equal-weights", help="Give all user classes and all their tasks the same weight", **flag)
    option("--profile", type=str, help="A name for this kind of test, shown in the report")
    option("--otel", env_var="LOCUST_ENABLE_OPENTELEMETRY", help="Send traces and metrics to OpenTelemetry", **flag)

    group = parser.add_argument_group(CLOAD_GROUP, "What Locust does not have.")
    option(
        "--http2",
        env_var="LOCUST_HTTP2",
        help="HttpUsers and FastHttpUsers speak HTTP/2 with servers that can, all calls of a user over one connection;"
        " without TLS, from the first byte on. A class may say http2 = True or False for itself",
        **flag,
    )
    option(
        "--http3",
        env_var="LOCUST_HTTP3",
        help="The same with HTTP/3, where libcurl was built with it, and only over TLS",
        **flag,
    )
    option(
        "--phases",
        env_var="LOCUST_PHASES",
        help="Print what DNS, connecting, TLS, waiting and receiving took for each name, at the end",
        **flag,
    )
    option(
        "--percentiles",
        type=percentiles,
        default=[],
        metavar="<list>",
        env_var="LOCUST_PERCENTILES",
        help="Print and write these percentiles, too, true to 0.1 percent: --percentiles 0.5,0.99,0.9999",
    )
    option(
        "--exclude-lagging",
        env_var="LOCUST_EXCLUDE_LAGGING",
        help="Leave out of the statistics what was measured in seconds in which this process was too slow to be"
        " trusted. Workers do as their master",
        **flag,
    )
    option(
        "--master-secret",
        metavar="<text>",
        env_var="LOCUST_MASTER_SECRET",
        help="What a master and its workers have to know of each other: nobody else can join, and messages are"
        " encrypted. Better given as environment variable, since others on the machine can read command lines",
    )
    option(
        "--master-state",
        metavar="<filename>",
        env_var="LOCUST_MASTER_STATE",
        help="Keep the master's run in this file. A master that was killed goes on with it when it is started again",
    )
    option(
        "--refuse-code",
        env_var="LOCUST_REFUSE_CODE",
        help="On a worker: run no code that a master sends, so no '-f -'",
        **flag,
    )
    option(
        "--prometheus-port",
        type=int,
        metavar="<port>",
        env_var="LOCUST_PROMETHEUS_PORT",
        help="Serve metrics for Prometheus on this port (0: any that is free), as http://host:port/metrics, without a"
        " login. The web UI has them at /metrics anyway",
    )

    group = parser.add_argument_group("User classes")
    option(
        "user_classes",
        nargs="*",
        metavar="<UserClass1 UserClass2>",
        default=os.environ.get("LOCUST_USER_CLASSES", "").split(),
        help="The classes to run, at the end of the line; LOCUST_USER_CLASSES does the same. Default: all",
    )


def get_parser(default_config_files: Sequence[str] = DEFAULT_CONFIG_FILES) -> LocustArgumentParser:
    """A parser for everything, with the options that locustfiles add."""
    parser = get_empty_argument_parser(add_help=True, default_config_files=default_config_files)
    setup_parser_arguments(parser)
    locust.events.init_command_line_parser.fire(parser=parser)
    return parser


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses all options. Old; ``get_parser().parse_args()`` does the same."""
    print("Warning: parse_options() is deprecated, use get_parser().parse_args()")
    parser = get_parser()
    options: argparse.Namespace = parser.parse_args(args=args)
    check_options(parser, options)
    return options


def check_options(parser: LocustArgumentParser, options: argparse.Namespace) -> None:
    """Rules that concern more than one option."""
    if options.stats_history_enabled and options.csv_prefix is None:
        parser.error("'--csv-full-history' requires '--csv'.")
    if options.master_state and not options.master and options.processes is None:
        parser.error("--master-state is for the master (--master)")


def default_args_dict() -> dict[str, Any]:
    """All options with their defaults, without those that locustfiles or configuration files add."""
    parser = get_empty_argument_parser(default_config_files=())
    setup_parser_arguments(parser)
    return vars(parser.parse_args([]))


class UIExtraArgOptions(NamedTuple):
    """How an option that a locustfile added appears in the form."""

    default_value: Any
    is_secret: bool
    is_required: bool
    help_text: str | None
    is_multiple: bool
    choices: list[str] | None = None


def ui_extra_args_dict(args: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """The options that locustfiles added, as the form wants them."""
    parser = get_parser()
    values = vars(parser.parse_args(args))
    own = default_args_dict()
    return {
        name: UIExtraArgOptions(
            default_value=values[name],
            is_secret=name in parser.secret_args_included_in_web_ui,
            is_required=name in parser.required_args_included_in_web_ui,
            help_text=action.help,
            is_multiple=name in parser.multiple_args_included_in_web_ui,
            choices=action.choices,  # type: ignore[arg-type]
        )._asdict()
        for name, action in parser.args_included_in_web_ui.items()
        if name in values and name not in own
    }
