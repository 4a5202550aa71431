"""Locustfiles that come from elsewhere (CLI-72)."""

import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import cload_command
from locust.argument_parser import parse_locustfile_paths
from oracle import PATIENCE

LOCUSTFILE = b"""import os, time
from locust import User
print(os.path.dirname(__file__), os.path.basename(__file__), flush=True)
time.sleep(1)
class A(User): pass
"""


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            body = LOCUSTFILE + f"# {self.path}\n".encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/name.py"
        server.shutdown()


def test_cli72_processes_do_not_take_each_others_files(url: str, tmp_path: Path) -> None:
    """Better than Locust, where the first one that ends removes the file that the others are about to read."""
    command = [*cload_command(), "-f", url, "--list"]
    running = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"TMPDIR": str(tmp_path)}
        )
        for _ in range(3)
    ]
    told = [process.communicate(timeout=PATIENCE) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], told
    places = [out.splitlines()[0].split() for out, _ in told]
    assert len({folder for folder, _ in places}) == 3
    assert {name for _, name in places} == {"name.py"}
    assert all(folder.startswith(str(tmp_path)) for folder, _ in places)
    assert not list(tmp_path.iterdir())


def test_files_of_one_name_are_two_files(url: str) -> None:
    """Better than Locust, where the second one takes the place of the first."""
    base = url.rpartition("/")[0]
    first, second, again = parse_locustfile_paths([f"{base}/{name}/name.py" for name in ("a", "b", "a")])
    assert [Path(path).name for path in (first, second)] == ["name.py", "name.py"]
    assert [Path(path).read_bytes() for path in (first, second)] == [
        LOCUSTFILE + b"# /a/name.py\n",
        LOCUSTFILE + b"# /b/name.py\n",
    ]
    assert again == first
