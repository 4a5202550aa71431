"""Where the locustfiles are: files, folders, URLs, the master."""

from __future__ import annotations

import argparse
import ast
import atexit
import os
import shutil
import tempfile
from functools import lru_cache
from urllib.parse import urlparse

# Functions are looked up there, where user code may have put its own.
from . import argument_parser
from ._exits import fail
from .util.directory import get_abspaths_in
from .util.url import is_url


def parse_locustfile_paths(paths: list[str]) -> list[str]:
    """Absolute paths of the files that names, folders and URLs stand for; ends the process if one stands for none."""
    files = []
    for path in paths:
        if is_url(path):
            files.append(argument_parser.download_locustfile_from_url(path))
        elif os.path.isdir(path):
            found = get_abspaths_in(path, extension=".py")
            if not found:
                fail(f"There is no locustfile in the folder '{path}': names must end in .py and not begin with _")
            files += found
        elif path.endswith(".py") and os.path.exists(path):
            files.append(os.path.abspath(path))
        elif not path:
            fail("-f (--locustfile, LOCUST_LOCUSTFILE) names no file, or has a comma too many")
        else:
            fail(
                f"Could not find '{path}'. A locustfile is a file that ends in .py, or a folder of such files."
                " See --help for all options."
            )
    return files


def exit_handler(filename: str) -> None:
    """Removes what was downloaded: a file or a folder of them, if it is still there."""
    if os.path.isdir(filename):
        shutil.rmtree(filename, ignore_errors=True)
        return
    try:
        os.remove(filename)
    except (FileNotFoundError, PermissionError):
        return


@lru_cache(maxsize=1)
def folder_for_downloads() -> str:
    """A temporary folder of this process alone, until it ends: others load files of the same name at the same time."""
    folder = tempfile.mkdtemp(prefix="cload-")
    atexit.register(argument_parser.exit_handler, folder)
    return folder


def keep_download(name: str, content: bytes) -> str:
    """Writes a file that was downloaded, and returns its path. Files may import each other, so all are in one folder,
    but for one that would take the place of another."""
    try:
        path = os.path.join(folder_for_downloads(), name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                if file.read() == content:
                    return path
            path = os.path.join(tempfile.mkdtemp(dir=folder_for_downloads()), name)
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        fail(f"There is no room for a downloaded locustfile: {error}. TMPDIR says where it is kept")
    return path


def download_locustfile_from_url(url: str) -> str:
    """Loads a file into a temporary folder until the process ends."""
    import requests

    try:
        response = requests.get(url, timeout=60)
        response.raise_for_status()
    except requests.exceptions.RequestException as error:
        fail(f"Could not load a locustfile from {url}: {error}")
    # As bytes: it is the file that says how it is encoded, and not what a server says of any text.
    try:
        ast.parse(response.content)
    except (SyntaxError, ValueError):
        fail(f"What {url} answered is no Python: '{response.text[:100]}'")
    name = os.path.basename(urlparse(url).path) or "locustfile.py"
    return keep_download(name if name.endswith(".py") else name + ".py", response.content)


def get_locustfiles_locally(options: argparse.Namespace) -> list[str]:
    """The files that ``-f`` stands for."""
    if options.locustfile.strip() == "-":
        if not options.worker:
            fail("'-' as locustfile means to get it from the master, and only works together with --worker")
        from ._download import download_locustfiles_from_master

        return download_locustfiles_from_master(
            options.master_host, options.master_port, options.master_secret, options.refuse_code
        )
    return argument_parser.parse_locustfile_paths([path.strip() for path in options.locustfile.split(",")])
