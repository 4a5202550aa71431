"""How the command gives up."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

logger = logging.getLogger("locust.main")


def fail(message: str) -> NoReturn:
    """For mistakes found before there is a log."""
    sys.stderr.write(message + "\n")
    sys.exit(1)


def stop_with_error(message: str, status: int = 1) -> NoReturn:
    """Ends the process with a line in the log."""
    logger.error(message)
    sys.exit(status)
