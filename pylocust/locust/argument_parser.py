"""The command line, configuration files and environment variables."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import re
import sys
import tomllib
from collections import OrderedDict
from collections.abc import Sequence
from typing import IO, Any, NamedTuple, NoReturn

import configargparse

import locust

from ._locustfiles import download_locustfile_from_url as download_locustfile_from_url
from ._locustfiles import exit_handler as exit_handler
from ._locustfiles import get_locustfiles_locally as get_locustfiles_locally
from ._locustfiles import parse_locustfile_paths as parse_locustfile_paths
from ._option_types import gt_zero as gt_zero
from ._option_types import json_user_config as json_user_config
from ._option_types import positive_integer as positive_integer
from ._option_types import timespan as timespan
from ._options import setup_parser_arguments as setup_parser_arguments
from .util.late import late_names

# Called `locust`, as its stand-in, it has that name.
PROGRAM = "locust" if os.path.basename(sys.argv[0] if sys.argv else "") == "locust" else "cload"
version = locust.__version__

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

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Python before 3.13 takes "--" for the value of an option that wants one, and makes an empty list of it."""
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            raise argparse.ArgumentError(action, "expected one argument")
        return super()._get_values(action, arg_strings)

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
    def private_args(self) -> set[str]:
        """What a report tells nobody: secrets, and what its author kept out of the form."""
        return {
            action.dest
            for action in self._actions
            if getattr(action, "is_secret", False) or not getattr(action, "include_in_web_ui", True)
        }

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
            if not isinstance(table, dict):
                raise configargparse.ConfigFileParserException(f"{stream.name}: {section} has a value and is no table")
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
            # Windows' editors begin with a mark that is no part of the first key.
            text: Any = io.StringIO(stream.read().removeprefix("\ufeff"))
            text.name = stream.name
            settings: OrderedDict[str, Any] = parser.parse(text)
        except UnicodeDecodeError as error:
            raise configargparse.ConfigFileParserException(f"{stream.name} is no text in UTF-8: {error}") from error
        return settings


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


_latest_parser: LocustArgumentParser | None = None


def get_parser(default_config_files: Sequence[str] = DEFAULT_CONFIG_FILES) -> LocustArgumentParser:
    """A parser for everything, with the options that locustfiles add."""
    global _latest_parser
    parser = get_empty_argument_parser(add_help=True, default_config_files=default_config_files)
    setup_parser_arguments(parser)
    locust.events.init_command_line_parser.fire(parser=parser)
    _latest_parser = parser
    return parser


def latest_parser() -> LocustArgumentParser:
    """For who only reads it: listeners are not called again, as they may not stand that."""
    return _latest_parser or get_parser()


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


# They are found here, wherever they are made.
for _each in (
    *(download_locustfile_from_url, exit_handler, get_locustfiles_locally, parse_locustfile_paths),
    *(gt_zero, json_user_config, positive_integer, timespan, setup_parser_arguments),
):
    _each.__module__ = __name__

__getattr__ = late_names(
    __name__,
    get_abspaths_in="util.directory",
    is_url="util.url",
    parse_timespan="util.timespan",
)
