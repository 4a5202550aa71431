"""Every option of the command."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from cload._version import version_line

# Types are looked up there, where user code may have put its own.
from . import argument_parser as types
from ._option_types import RemovedOption, percentiles

if TYPE_CHECKING:
    from .argument_parser import LocustArgumentParser


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
        type=types.gt_zero(float),
        metavar="<float>",
        env_var="LOCUST_SPAWN_RATE",
        help="How many new users a second, with --headless or --autostart",
    )
    form(
        "-t",
        "--run-time",
        type=types.timespan,
        metavar="<time string>",
        env_var="LOCUST_RUN_TIME",
        help="End the test after this time (300s, 20m, 3h, 1h30m), with --headless or --autostart. Default: never",
    )
    form("-l", "--list", dest="list_commands", help="Show the user classes and exit", **flag)
    form(
        "--config-users",
        type=types.json_user_config,
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
        type=types.positive_integer,
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
        type=types.timespan,
        default="0",
        metavar="<number>",
        env_var="LOCUST_STOP_TIMEOUT",
        help="Seconds a running task gets to finish when users are stopped. Default: none. Only read by the master",
    )
    option("--equal-weights", help="Give all user classes and all their tasks the same weight", **flag)
    option("--profile", type=str, help="A name for this kind of test, shown in the report")
    option("--otel", env_var="LOCUST_ENABLE_OPENTELEMETRY", help="Send traces and metrics to OpenTelemetry", **flag)

    group = parser.add_argument_group("cload options", "What Locust does not have.")
    option(
        "--http2",
        env_var="LOCUST_HTTP2",
        help="HttpUsers and FastHttpUsers speak HTTP/2 with servers that can. All calls of a user to a server share one"
        " connection. Without TLS there is no upgrade: HTTP/2 is spoken from the first byte on. A class may set http2 ="
        " True or False for itself",
        **flag,
    )
    option(
        "--http3",
        env_var="LOCUST_HTTP3",
        help="The same with HTTP/3. It needs TLS, and a libcurl (8.5.0 or later) that was built with HTTP/3",
        **flag,
    )
    option(
        "--phases",
        env_var="LOCUST_PHASES",
        help="Print a table at the end: what DNS, connecting, TLS, waiting and receiving took for each name",
        **flag,
    )
    option(
        "--percentiles",
        type=percentiles,
        default=[],
        metavar="<list>",
        env_var="LOCUST_PERCENTILES",
        help="Print these percentiles at the end, true to 0.1 percent, and write them to CSV, JSON and the report:"
        " --percentiles 0.5,0.99,0.9999",
    )
    option(
        "--exclude-lagging",
        env_var="LOCUST_EXCLUDE_LAGGING",
        help="Leave out of the statistics what was measured in seconds in which this process was too slow to be"
        " trusted. Workers obey their master's setting",
        **flag,
    )
    option(
        "--master-secret",
        metavar="<text>",
        env_var="LOCUST_MASTER_SECRET",
        help="A secret that a master and its workers share: nobody else can join, and messages are encrypted. Better"
        " set LOCUST_MASTER_SECRET, since others on the machine can read command lines",
    )
    option(
        "--master-state",
        metavar="<filename>",
        env_var="LOCUST_MASTER_STATE",
        help="Keep the state of the master's run in this file. A master that was killed goes on with the run when it is"
        " started again",
    )
    option(
        "--refuse-code",
        env_var="LOCUST_REFUSE_CODE",
        help="On a worker: run no code that a master sends. This rules out '-f -'",
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
