"""A libcurl that has HTTP/3, and a server of it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from certs import Certs
from servers import ROOT, Server, Target

NAMES = {"libcurl": "libcurl.so.4", "libssl": "libssl.so.3", "libcrypto": "libcrypto.so.3"}


def libcurl_folder(folder: Path) -> Path | None:
    """Fills `folder` for LD_LIBRARY_PATH with the libraries that the wheel of pycurl brings, so that they are found by
    their usual names, too: one OpenSSL for all of the process. None: no pycurl here, or built from its source."""
    spec = importlib.util.find_spec("pycurl")
    if spec is None or spec.origin is None:
        return None
    site = next(parent for parent in Path(spec.origin).parents if parent.name == "site-packages")
    for library in (site / "pycurl.libs").glob("*.so*"):
        (folder / library.name).symlink_to(library)
        usual = NAMES.get(library.name.partition("-")[0])
        if usual is not None:
            (folder / usual).symlink_to(library)
    return folder if (folder / NAMES["libcurl"]).exists() else None


class Http3Server(Server):
    """http3_server.py on a port of UDP; what comes to that port by TCP is for a `Target`, HTTP/1.1 over TLS."""

    def __init__(self, certs: Certs) -> None:
        for _ in range(10):
            self.target = Target(certs.server)
            self.url = self.target.url
            command = [sys.executable, str(ROOT / "tests/support/http3_server.py"), "--port", str(self.target.port)]
            command += ["--cert", str(certs.server.cert), "--key", str(certs.server.key)]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert self.process.stdout is not None
            if self.process.stdout.readline():
                return
            # That port of UDP may be somebody else's.
            self.stop()
        raise RuntimeError(f"{command} did not start")

    def stop(self) -> None:
        super().stop()
        self.target.stop()
