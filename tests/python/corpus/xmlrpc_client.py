"""XML-RPC against a server that the file starts itself, as in the manual."""

import threading
import time
from xmlrpc.client import Fault, ServerProxy
from xmlrpc.server import SimpleXMLRPCServer

from locust import User, constant, events, task
from locust.exception import StopUser


def add(a, b):
    return a + b


def fail():
    raise ValueError("always")


@events.init.add_listener
def serve(environment, **kwargs):
    server = SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
    server.register_function(add)
    server.register_function(fail)
    environment.rpc_port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Client(ServerProxy):
    def __init__(self, host, request_event):
        super().__init__(host)
        self._request_event = request_event

    def __getattr__(self, name):
        method = ServerProxy.__getattr__(self, name)

        def wrapper(*args):
            meta = {"request_type": "xmlrpc", "name": name, "response_length": 0, "context": {}, "exception": None}
            begin = time.perf_counter()
            try:
                meta["response"] = method(*args)
            except Fault as error:
                meta["exception"] = error
            meta["response_time"] = (time.perf_counter() - begin) * 1000
            self._request_event.fire(**meta)
            return meta.get("response")

        return wrapper


class XmlRpcUser(User):
    wait_time = constant(0)

    @task
    def call(self):
        client = Client(f"http://127.0.0.1:{self.environment.rpc_port}/", self.environment.events.request)
        print("> sum", client.add(1, 2))
        client.fail()
        raise StopUser
