"""Running one user in a debugger."""

from __future__ import annotations

import inspect
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import locust

from . import argument_parser, log
from .env import Environment
from .exception import CatchResponseError
from .util.late import late_names

if TYPE_CHECKING:
    from .user.users import User


class PrintListener:
    """Prints a line for each request; registers itself with the environment."""

    def __init__(
        self,
        env: Environment,
        include_length: bool = False,
        include_time: bool = False,
        include_context: bool = False,
        include_payload: bool = False,
    ) -> None:
        self.include_length = include_length
        self.include_time = include_time
        self.include_context = include_context
        self.include_payload = include_payload
        env.events.request.add_listener(self.on_request)

        columns = ["type", "name".ljust(50), "resp_ms", "exception"]
        if include_length:
            columns.insert(3, "length")
        if include_time:
            columns.insert(0, "time".ljust(30))
        if include_context:
            columns.append("context")
        if include_payload:
            columns.append("payload")
        print("\n" + "\t".join(columns) + "\t")

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int,
        exception: Any,
        context: Any,
        start_time: float | None = None,
        response: Any = None,
        **_kwargs: Any,
    ) -> None:
        """The listener."""
        milliseconds = -1 if response_time is None else round(response_time)
        fields: list[Any] = [request_type, (name or "").ljust(50), str(milliseconds).ljust(7)]
        fields.append(_error(exception).ljust(9))
        if self.include_length:
            fields.insert(3, response_length)
        if self.include_time:
            fields.insert(0, datetime.fromtimestamp(start_time, UTC) if start_time else datetime.now())
        if self.include_context:
            fields.append(context or "")
        if self.include_payload:
            fields.append(getattr(getattr(response, "_request", None), "payload", ""))
        print("\t".join(str(field) for field in fields) + "\t")


def _error(exception: Any) -> str:
    if not exception:
        return ""
    text = str(exception) if isinstance(exception, CatchResponseError) else repr(exception)
    return text[:500].replace("\n", " ")


_env: Environment | None = None


def run_single_user(
    user_class: type[User],
    include_length: bool = False,
    include_time: bool = False,
    include_context: bool = False,
    include_payload: bool = False,
    loglevel: str | None = "WARNING",
) -> None:
    """Runs one user here and now and prints its requests. Takes the options of the command line and fires ``init`` and
    ``test_start``. ``loglevel=None`` leaves logging alone."""
    global _env
    if loglevel:
        log.setup_logging(loglevel)
    if _env is None:
        options = argument_parser.get_parser().parse_args()
        options.locustfile = os.path.basename(inspect.stack()[1].filename)
        _env = Environment(
            events=locust.events, locustfile=options.locustfile, host=options.host, parsed_options=options
        )
        PrintListener(
            _env,
            include_length=include_length,
            include_time=include_time,
            include_context=include_context,
            include_payload=include_payload,
        )
        _env.events.init.fire(environment=_env, runner=None, web_ui=None)
        if log.unhandled_greenlet_exception:
            # It is in the log. Whatever the caller catches, a test without its set-up must not go on.
            os._exit(1)
    _env.user_classes = [user_class]
    _env._filter_tasks_by_tags()
    _env.events.test_start.fire(environment=_env)
    if _env.host:
        user_class.host = _env.host
    user = user_class(_env)
    _env.single_user_instance = user  # type: ignore[attr-defined]
    user.run()


__getattr__ = late_names(
    __name__,
    RescheduleTask="exception",
)
