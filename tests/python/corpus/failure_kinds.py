"""What is counted of connections that fail, and who logs what of errors in users."""

import logging
import re
import socket
import ssl
import subprocess
import threading

from locust import HttpUser, constant, events, task
from locust.exception import StopUser

CERTIFICATE = "own.pem"  # for localhost only
subprocess.run(
    [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        *("-keyout", CERTIFICATE, "-out", "cert.pem"),
    ],
    check=True,
    capture_output=True,
)
with open("cert.pem") as made, open(CERTIFICATE, "a") as both:
    both.write(made.read())


class Teller(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.ERROR and record.name.startswith("locust.user"):
            print(">", record.levelname, record.name, record.getMessage().partition("\n")[0])


logging.getLogger().addHandler(Teller())


def serve_tls(listener):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    while True:
        connection = listener.accept()[0]
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()


def full_listener():
    """Connections to it are never made, as its queue is full."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]
    for client in waiting:
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
    return listener.getsockname()[1], [listener, *waiting]


@events.request.add_listener
def tell(name, exception, **kwargs):
    text = re.sub(r" \(_ssl\.c:\d+\)| at 0x\w+|port=\d+", "", repr(exception))
    print(">", name, type(exception).__module__, text)


class Unlucky(HttpUser):
    wait_time = constant(0)
    fixed_count = 1

    def on_start(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.tls = f"https://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=serve_tls, args=(listener,), daemon=True).start()
        self.full, self.sockets = full_listener()

    @task
    def fail(self):
        self.client.get(f"{self.tls}/", name="untrusted")
        self.client.get(f"{self.tls}/", name="another name", verify="cert.pem")
        self.client.get(f"http://127.0.0.1:{self.full}/", name="full", timeout=0.2)
        raise StopUser


class Startless(HttpUser):
    fixed_count = 1

    def on_start(self):
        raise KeyError("nothing to start with")

    @task
    def never(self):
        pass


class Brief(HttpUser):
    wait_time = constant(0)
    fixed_count = 1

    def on_start(self):
        raise StopUser("no wish to start")

    @task
    def never(self):
        pass


class Clumsy(HttpUser):
    wait_time = constant(0)
    fixed_count = 1
    turns = 0

    @task
    def stumble(self):
        Clumsy.turns += 1
        if Clumsy.turns > 2:
            raise StopUser
        raise ValueError("stumbled")
