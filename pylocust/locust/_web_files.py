"""Files that the web application makes of a test: CSV and the report."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Response, make_response, request, send_file
from jinja2 import TemplateNotFound

# What user code may replace is looked up there.
from . import stats, web
from .html import NO_PAGES
from .util.date import format_safe_timestamp

if TYPE_CHECKING:
    from .web import WebUI


class Files:
    """Endpoints that give a file."""

    def __init__(self, ui: WebUI) -> None:
        self._ui = ui

    def _file_name(self, ending: str) -> str:
        environment = self._ui.environment
        host = f"_{environment.host}" if environment.host else ""
        started = format_safe_timestamp(environment.stats.start_time)
        name = f"Locust_{started}_{environment.locustfile}{host}{ending}"
        return "".join(char for char in name if char.isprintable())

    def _as_csv(self, write: Callable[[Any], None], kind: str) -> Response:
        text = io.StringIO()
        write(csv.writer(text))
        response = make_response(text.getvalue())
        response.headers["Content-Type"] = "text/csv"
        response.headers["Content-Disposition"] = _attachment(self._file_name(f"_{kind}.csv"))
        return response

    def requests_csv(self) -> Response:
        return self._as_csv(self._ui.stats_csv_writer.requests_csv, "requests")

    def failures_csv(self) -> Response:
        return self._as_csv(self._ui.stats_csv_writer.failures_csv, "failures")

    def exceptions_csv(self) -> Response:
        return self._as_csv(self._ui.stats_csv_writer.exceptions_csv, "exceptions")

    def history_csv(self) -> Response:
        options, writer = self._ui.environment.parsed_options, self._ui.stats_csv_writer
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

    def report(self) -> Response:
        is_download = bool(request.args.get("download"))
        try:
            report = web.get_html_report(self._ui.environment, not is_download, request.args.get("theme", ""))
        except TemplateNotFound:
            return make_response(NO_PAGES, 500)
        response = make_response(report)
        if is_download:
            response.headers["Content-Disposition"] = _attachment(self._file_name(".html"))
        return response


def _attachment(name: str) -> str:
    """The header of a file to keep. As Locust writes it where a header can hold that; RFC 6266 for other names."""
    if all(char <= "\xff" and char not in '";\\' for char in name):
        return f"attachment;filename={name}"
    return f"attachment;filename*=UTF-8''{quote(name, safe='')}"
