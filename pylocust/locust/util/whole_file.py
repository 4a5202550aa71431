"""Results that are written at once."""

from __future__ import annotations

import os
import stat


def make_folder_of(path: str) -> None:
    """With all folders above it, where they are missing."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)


def write_whole(path: str, text: str) -> None:
    """Writes a file, or leaves none where not all of it could be written (``OSError``): half a report is none."""
    with open(path, "w", encoding="utf-8") as file:
        is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        try:
            file.write(text)
            file.flush()
        except OSError:
            if is_regular:
                os.unlink(path)
            raise
