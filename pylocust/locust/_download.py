"""For ``-f -``: a worker's locustfile from its master."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import gevent

from . import __version__, argument_parser
from ._exits import fail
from ._locustfiles import keep_download
from .exception import RPCError, RPCReceiveError, RPCSendError
from .rpc import Client, Message
from .rpc.zmqrpc import RPCRefusedError

_LONGEST_WAIT = 300.0
_FIRST_NOTICE = 10.0
_NOTICE_INTERVAL = 60.0


def _ask(connect: Callable[[], Client], identity: str, address: str) -> Message:
    """Asks once a second until there is an answer."""
    begin = time.monotonic()
    next_notice = _FIRST_NOTICE
    refusal = ""
    client = connect()
    try:
        while (waited := time.monotonic() - begin) < _LONGEST_WAIT:
            if waited >= next_notice:
                next_notice += _NOTICE_INTERVAL
                sys.stderr.write(f"Waiting for the master at {address} to send the locustfile\n")
            try:
                client.send(Message("locustfile", {"version": __version__}, identity))
                with gevent.Timeout(1, False):
                    while True:
                        message = client.recv()
                        if message.type == "locustfile":
                            return message
            except RPCRefusedError as error:
                if str(error) != refusal:
                    refusal = str(error)
                    sys.stderr.write(f"The master at {address}: {refusal}. Trying again\n")
                gevent.sleep(1)
                # That end of the connection may have given up for good; another master may have the right secret.
                client.close()
                client = connect()
    finally:
        client.close()
    fail(f"The master at {address} sent no locustfile within {_LONGEST_WAIT:.0f} seconds")


def _save(entry: dict[str, Any]) -> str:
    # The name comes from elsewhere: it must not lead out of the folder.
    name = os.path.basename(str(entry["filename"]))
    if name in ("", ".", ".."):
        fail(f"The master sent a file with the name {entry['filename']!r}")
    return keep_download(name, entry["contents"].encode())


def download_locustfiles_from_master(
    master_host: str, master_port: int, secret: str | None = None, is_refusing_code: bool = False
) -> list[str]:
    """Paths of the master's files in a temporary folder. Ends the process if there are none, or if this worker is
    not to run code of its master's."""
    if is_refusing_code:
        fail(
            "This worker takes no code from a master (--refuse-code): give it its locustfile with -f instead of '-f -'"
        )
    identity = f"{socket.gethostname()}_download_locustfile_{uuid4().hex}"
    address = f"{master_host}:{master_port}"
    try:
        data = _ask(lambda: Client(master_host, master_port, identity, secret), identity, address).data
        if data.get("error"):
            fail(f"The master at {address} has no locustfile for workers: {data['error']}")
        return [
            argument_parser.download_locustfile_from_url(entry) if isinstance(entry, str) else _save(entry)
            for entry in data["locustfiles"]
        ]
    except (RPCError, RPCReceiveError, RPCSendError, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        fail(f"No locustfile could be taken from the master at {address}: {error!r}")
    except KeyboardInterrupt:
        sys.exit(1)
