"""The command ``cload``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# What shells show for a process that Ctrl-C ended.
_INTERRUPTED = 130
# What they show for one that wrote to a pipe nobody reads.
_READER_IS_GONE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments (default: those of the process) and returns, or exits with, its status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _fill_closed_descriptors()
    try:
        status = _run(arguments)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            status = end.code or 0
        else:
            print(end.code, file=sys.stderr)
            status = 1
    except KeyboardInterrupt:
        # Before the test has begun; from then on it is the orderly end.
        status = _INTERRUPTED
    except BrokenPipeError:
        status = _READER_IS_GONE
    except OSError as error:
        print(f"cload: {error}", file=sys.stderr)
        status = 1
    is_complete = _finish_output()
    return status or (0 if is_complete else 1)


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        from ._version import version_line

        print(version_line())
        return 0
    from locust.main import main as run

    return run(arguments)


def _fill_closed_descriptors() -> None:
    """Where standard input, output or error are closed, the next socket would get their number, and what is meant for
    people would go there. ``sys.stdout`` stays None, so that results which should go there are missed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def _finish_output() -> bool:
    """Writes out what is buffered. Returns False if that failed, unless it is the reader of a pipe that had enough."""
    is_complete = True
    for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr)):
        # Scripts put objects there that have a write() and little else.
        flush = getattr(stream, "flush", None)
        try:
            if flush is not None and not getattr(stream, "closed", False):
                flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                is_complete = False
                if stream is sys.stdout:
                    print(f"cload: {name} could not be written: {error}", file=sys.stderr)
            # The interpreter would try again at its end, and complain.
            is_own = stream is sys.__stdout__ or stream is sys.__stderr__
            if stream is not None and is_own:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
    return is_complete
