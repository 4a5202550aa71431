"""Finding files."""

from __future__ import annotations

import os


def get_abspaths_in(path: str, extension: str | None = None) -> list[str]:
    """Absolute paths of the files below a folder, without those whose name begins with an underscore."""
    found = []
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.abspath(os.path.join(folder, name))
            if not name.startswith("_") and (extension is None or name.endswith(extension)) and os.path.isfile(full):
                found.append(full)
    return found
