"""What the web application does to a test: starts it as the form says, changes it, stops it."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from flask import Response, jsonify, request

# Where user code may have put a handler of its own.
from . import argument_parser, web
from .runners import STATE_RUNNING, STATE_SPAWNING
from .util.timespan import parse_timespan

if TYPE_CHECKING:
    from ._timeline import Timeline
    from .web import WebUI

logger = logging.getLogger("locust.web")


class Refusal(Exception):
    """A test that cannot be started as asked for; the text says why."""

    def __init__(self, message: str, status: int = 200) -> None:
        """``status`` is 500 where Locust fails instead of answering."""
        super().__init__(message)
        self.status = status


class Control:
    """Endpoints that change something."""

    def __init__(self, ui: WebUI, timeline: Timeline) -> None:
        self._ui = ui
        self._timeline = timeline
        self._swarm_greenlet: gevent.Greenlet[..., Any] | None = None
        self._run_time_greenlet: gevent.Greenlet[..., Any] | None = None

    def swarm(self) -> Response | tuple[Response, int]:
        environment = self._ui.environment
        try:
            if self._ui.userclass_picker_is_active:
                chosen = self._choose_classes()
                self._choose_shape()
            before = dict(vars(environment.parsed_options)) if environment.parsed_options else {}
            users, rate, run_time = self._take_options()
            runner = environment.runner
            self._mark_changes(before)
            if runner is None:
                raise Refusal("There is no runner")
            if environment.shape_class:
                self._forget_greenlets()
                runner.start_shape()
                shape = type(environment.shape_class).__name__
                return jsonify(
                    success=True, message=f"Swarming started using shape class '{shape}'", host=environment.host
                )
            if users is None or rate is None or users < 0 or rate <= 0 or not math.isfinite(rate):
                raise Refusal("user_count has to be at least 0, and spawn_rate a number above 0")
            self._forget_greenlets()
        except Refusal as refusal:
            logger.error("The test was not started: %s", refusal)
            return jsonify(success=False, message=str(refusal), host=environment.host), refusal.status
        self._swarm_greenlet = gevent.spawn(runner.start, users, rate)
        self._swarm_greenlet.link_exception(web.greenlet_exception_handler)
        answer = {"success": True, "message": "Swarming started", "host": environment.host}
        if run_time:
            self._run_time_greenlet = gevent.spawn_later(run_time, self._on_run_time_over)
            self._run_time_greenlet.link_exception(web.greenlet_exception_handler)
            answer["run_time"] = run_time
        if self._ui.userclass_picker_is_active:
            answer["user_classes"] = chosen
        return jsonify(answer)

    def _mark_changes(self, before: dict[str, Any]) -> None:
        """Shows in the charts which options of a running test became others; the users are marked when they are."""
        environment = self._ui.environment
        runner, options = environment.runner, environment.parsed_options
        if runner is None or options is None or runner.state not in (STATE_RUNNING, STATE_SPAWNING):
            return
        own = ("num_users", "spawn_rate", "user_classes")
        changed = [name for name, value in vars(options).items() if name not in own and value != before.get(name)]
        if changed:
            self._timeline.mark(f"changed {', '.join(changed)}", "change")

    def _choose_classes(self) -> list[str]:
        environment = self._ui.environment
        available = environment.available_user_classes
        if not available:
            raise Refusal("UserClass picker is active but there are no available UserClasses")
        wanted: Any = request.form.getlist("user_classes")
        if not wanted:
            is_running = environment.runner is not None and environment.runner.state == STATE_RUNNING
            wanted = environment.user_classes_by_name if is_running else available
        chosen = {name: user_class for name, user_class in available.items() if name in wanted}
        if not chosen:
            raise Refusal(f"Unknown User(s): {', '.join(wanted)}. There is: {', '.join(available)}")
        environment.user_classes = list(chosen.values())
        if environment.locustfile is None:
            environment.locustfile = ",".join(chosen)
        environment._remove_user_classes_with_weight_zero()
        environment._validate_user_class_name_uniqueness()
        return sorted(chosen)

    def _choose_shape(self) -> None:
        environment = self._ui.environment
        name = request.form.get("shape_class", "Default")
        if name == "Default":
            environment.shape_class = None
            return
        available = environment.available_shape_classes or {}
        if name not in available:
            raise Refusal(f"There is no shape class {name!r}, but: {', '.join(['Default', *available])}", 500)
        shape = available[name]
        shape.runner = environment.runner
        environment.shape_class = shape
        environment._validate_shape_class_instance()

    def _take_options(self) -> tuple[int | None, float | None, int | None]:
        """Puts the fields of the form into environment and options. Returns users, rate and run time."""
        environment = self._ui.environment
        options = vars(environment.parsed_options) if environment.parsed_options else {}
        users = rate = run_time = None
        for name, text in request.form.items():
            if name == "user_count":
                options["num_users"] = users = _number(name, text, int)
            elif name == "spawn_rate":
                options[name] = rate = _number(name, text, float)
            elif name == "host":
                options[name] = environment.host = text.replace("<", "").replace(">", "")
            elif name == "user_classes":
                options[name] = request.form.getlist(name)
            elif name == "profile":
                options[name] = environment.profile = text or None
            elif name == "run_time":
                if text:
                    try:
                        options[name] = run_time = parse_timespan(text)
                    except ValueError as error:
                        raise Refusal("Valid run_time formats are : 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc.") from error
            elif name in options:
                try:
                    options[name] = _like(name, options[name], text, request.form.getlist(name))
                except (TypeError, ValueError) as error:
                    raise Refusal(f"{name}: {text!r} is not of the option's type: {error}", 500) from error
        return users, rate, run_time

    def _forget_greenlets(self) -> None:
        if self._swarm_greenlet is not None:
            self._swarm_greenlet.kill(block=True)
            self._swarm_greenlet = None
        if self._run_time_greenlet is not None:
            self._run_time_greenlet.kill(block=False)
            self._run_time_greenlet = None

    def _on_run_time_over(self) -> None:
        # Stopping kills the timer, which is the greenlet that is here.
        self._run_time_greenlet = None
        if self._ui.environment.runner is not None:
            self._ui.environment.runner.stop()

    def stop(self) -> Response:
        self._forget_greenlets()
        if self._ui.environment.runner is not None:
            self._ui.environment.runner.stop()
        return jsonify(success=True, message="Test stopped")

    def reset_stats(self) -> str:
        self._ui.environment.events.reset_stats.fire()
        if self._ui.environment.runner is not None:
            self._ui.environment.runner.stats.reset_all()
            self._ui.environment.runner.exceptions = {}
        return "ok"

    def update_user(self) -> tuple[dict[str, Any], int]:
        available = self._ui.environment.available_user_classes or {}
        try:
            settings = json.loads(request.data)
        except ValueError as error:
            return _refused(f"The settings of a user class are no JSON: {error}")
        if not isinstance(settings, dict):
            return _refused("The settings of a user class are a JSON object with its user_class_name")
        name = settings.get("user_class_name")
        if not isinstance(name, str) or name not in available:
            return _refused(f"There is no user class {name!r}, but: {', '.join(available) or 'none'}")
        if not isinstance(settings.get("tasks", []), list | str):
            return _refused("The tasks of a user class are a list of their names")
        self._ui.environment.update_user_class(settings)
        return {}, 201


def _refused(message: str) -> tuple[dict[str, Any], int]:
    logger.error("No user class was changed: %s", message)
    return {"success": False, "message": message}, 500


def _number(name: str, text: str, kind: type[Any]) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise Refusal(f"{name}: {text!r} is no {'whole number' if kind is int else 'number'}") from error


def _like(name: str, old: Any, text: str, texts: list[str]) -> Any:
    """What was typed, as a value of the type that the option has."""
    if old is None:
        return text
    if isinstance(old, bool):
        return text == "true"
    if isinstance(old, list):
        if texts == [""]:
            return []
        items = text.split(",") if "," in text else texts
        own = int if all(isinstance(item, int) for item in old) else str
        kind = own if old else _kind_of(name)
        return [kind(item) for item in items]
    return type(old)(text)


def _kind_of(name: str) -> Callable[[str], Any]:
    """What the parser makes of each value of an option."""
    kinds = (action.type for action in argument_parser.latest_parser()._actions if action.dest == name)
    kind = next(kinds, None)
    return kind if callable(kind) else str
