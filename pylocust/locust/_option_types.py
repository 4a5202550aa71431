"""Types of options: what may follow one on the command line, in a file or in the environment."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from .util.timespan import parse_timespan


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
