"""Which version this is. Imports nothing that costs time: ``--version`` is asked often."""

from __future__ import annotations

import platform

from . import __version__
from ._finder import package_folder

# The version of Locust whose behaviour is ours.
LOCUST_VERSION = "2.47.0"


def version_line() -> str:
    """What ``--version`` prints."""
    return (
        f"cload {__version__} (locust {LOCUST_VERSION} compatible) from {package_folder()}"
        f" (Python {platform.python_version()})"
    )
