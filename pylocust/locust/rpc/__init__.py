"""Messages between master and workers, and the sockets they travel over."""

from . import zmqrpc
from . import zmqrpc as rpc
from .protocol import Message
from .zmqrpc import Client, Server

__all__ = ["Client", "Message", "Server", "rpc", "zmqrpc"]
