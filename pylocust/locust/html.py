"""The HTML report: one file that holds the page, its code and the numbers."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jinja2
from cload import __version__ as own_version
from cload._report import let_others_run, packed

from . import __version__, argument_parser, stats
from ._history import thinned
from .runners import STATE_STOPPED, STATE_STOPPING, MasterRunner
from .user.inspectuser import common_host, get_ratio
from .util.date import format_duration, format_utc_timestamp
from .util.whole_file import make_folder_of, write_whole

if TYPE_CHECKING:
    from .env import Environment
    from .runners import Runner

# User code may assign to this.
PERCENTILES_FOR_HTML_REPORT = [0.50, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0]

# The built browser application: beside this package in a checkout and in an installation alike.
DEFAULT_BUILD_PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "webui", "dist")

NO_PAGES = "The pages of the web application have not been built. In a checkout, run: ./dev build"

# A report stays small however long the run was: so many samples are as many as a chart has room for.
MAX_SAMPLES = 500

MAX_DISTRIBUTIONS = 50
_MARKED_PERCENTILES = (0.5, 0.95, 0.99)

# Where in a file name which option goes.
_PLACEHOLDERS = {"{u}": "num_users", "{r}": "spawn_rate", "{t}": "run_time"}

_HIDDEN_OPTIONS = {"tls_key", "tls_cert", "config", "html_file", "list_commands", "master_secret"}


class ReportError(Exception):
    """A report that could not be made or written."""


def process_html_filename(options: Namespace) -> None:
    """Puts users, rate and seconds into ``options.html_file``; what has no value stays as it is."""
    for placeholder, option in _PLACEHOLDERS.items():
        value = getattr(options, option)
        if value is not None:
            text = str(int(value)) if float(value).is_integer() else str(value)
            options.html_file = options.html_file.replace(placeholder, text)


@lru_cache(maxsize=8)
def _templates(build_path: str) -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(build_path))


def render_template_from(file: str, build_path: str = DEFAULT_BUILD_PATH, **kwargs: Any) -> str:
    """A page of a built application with these variables."""
    return _templates(build_path).get_template(file).render(**kwargs)


def running_users(runner: Runner) -> dict[str, int]:
    """Users that are running now, on whatever node, by the name of their class."""
    if isinstance(runner, MasterRunner):
        counts: dict[str, int] = runner.reported_user_classes_count  # type: ignore[attr-defined,unused-ignore]
        return counts
    return runner.user_classes_count


def task_ratios(environment: Environment, users: dict[str, int]) -> dict[str, Any]:
    """The shares of all tasks, within their class and of everything."""
    return {
        "per_class": get_ratio(environment.user_classes, users, False),
        "total": get_ratio(environment.user_classes, users, True),
    }


def options_of_run(environment: Environment) -> dict[str, str]:
    """The options that differ from their defaults, as text; without those that are secret or kept out of the form."""
    options = environment.parsed_options
    if options is None:
        return {}
    defaults = argument_parser.default_args_dict()
    private = argument_parser.latest_parser().private_args
    return {
        name: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        for name, value in sorted(vars(options).items())
        if value not in (None, "", [], False)
        and value != defaults.get(name)
        and name not in private
        and name not in _HIDDEN_OPTIONS
    }


def _bands_of_most_requested(numbers: stats.RequestStats) -> list[dict[str, Any]]:
    """How the times of all requests, and of those with the most requested names, were spread."""
    names = sorted(numbers.entries.values(), key=lambda entry: -entry.num_requests)[:MAX_DISTRIBUTIONS]
    return [
        {
            "name": entry.name,
            "method": entry.method or "",
            "bands": entry._bands(),
            "times": {str(part): entry.get_exact_response_time_percentile(part) for part in _MARKED_PERCENTILES},
        }
        for entry in [numbers.total, *names]
        if entry.num_requests
    ]


def _phases_of(entry: stats.StatsEntry) -> list[list[float] | None]:
    """Count, average and maximum in ms of each phase, in the order of stats.PHASES; None where it did not happen."""
    phases = entry.phases.values()
    return [[phase.count, round(phase.average, 3), round(phase.max, 3)] if phase.count else None for phase in phases]


def get_html_report(environment: Environment, show_download_link: bool = True, theme: str = "") -> str:
    """The report as it stands now."""
    runner = environment.runner
    if runner is None:
        raise ValueError("There is no report without a runner")
    numbers = runner.stats
    started = numbers.start_time
    ended = numbers.last_request_timestamp or started
    end_time = format_utc_timestamp(ended)
    last_time = numbers._history.last_time
    if last_time is not None and last_time < end_time:
        stats.update_stats_history(runner, end_time)
    entries = [*stats.sort_stats(numbers.entries), numbers.total]
    is_over = runner.state in (STATE_STOPPED, STATE_STOPPING)
    users = runner.final_user_classes_count if is_over else running_users(runner)
    exact = getattr(environment.parsed_options, "percentiles", None) or []
    template_args = {
        "is_report": True,
        "requests_statistics": [entry.to_dict() for entry in let_others_run(entries)],
        "response_time_statistics": [
            {
                "name": entry.name,
                "method": entry.method or "",
                **{str(part): entry.get_response_time_percentile(part) for part in PERCENTILES_FOR_HTML_REPORT},
            }
            for entry in let_others_run(entries)
        ],
        "failures_statistics": [error.to_dict() for error in stats.sort_stats(numbers.errors)],
        "exceptions_statistics": [{**row, "nodes": ", ".join(row["nodes"])} for row in runner.exceptions.values()],
        "history": thinned(numbers._history.since(0), MAX_SAMPLES),
        "tasks": task_ratios(environment, users),
        "start_time": format_utc_timestamp(started),
        "end_time": end_time,
        "duration": format_duration(started, ended),
        "host": str(common_host(environment)),
        "locustfile": str(environment.locustfile),
        "profile": str(environment.profile) if environment.profile else None,
        "percentiles_to_chart": stats.PERCENTILES_TO_CHART,
        "show_download_link": show_download_link,
    }
    extras = {
        "options": options_of_run(environment),
        "version": __version__,
        "made_by": own_version,
        "bands": _bands_of_most_requested(numbers),
        "timeline": environment._timeline.to_report() if environment._timeline else None,
        "generator": {**runner.generator.test(), "workers": runner.generator.workers},
        "phases": [_phases_of(entry) for entry in let_others_run(entries)],
        "percentiles": exact,
        "exact_times": [
            [round(entry.get_exact_response_time_percentile(part), 3) for part in exact] for entry in entries if exact
        ],
    }
    return render_template_from(
        "report.html",
        template_args=template_args,
        report_extras=extras,
        packed=packed(template_args, extras),
        theme=theme if theme in ("dark", "light") else "",
    )


def write_html_report(environment: Environment, path: str, make: Callable[..., str] = get_html_report) -> None:
    """Writes the report that ``make`` makes to a file, whose folder is made if it is missing. ``ReportError`` if that
    cannot be done."""
    try:
        report = make(environment, show_download_link=False)
        make_folder_of(path)
        write_whole(path, report)
    except jinja2.TemplateNotFound as error:
        raise ReportError(NO_PAGES) from error
    except OSError as error:
        raise ReportError(f"{path}: {error}") from error
