"""What a bare system lacks is built from subprojects/; libzmq and libcurl, which take minutes, are the system's."""

import subprocess
import sysconfig
from pathlib import Path

from servers import ROOT, Target

TOOLS = Path(sysconfig.get_path("scripts"))
LIBRARIES = ("libev", "jansson", "msgpack-c", "nghttp2")


def test_libraries_of_subprojects(target: Target, tmp_path: Path) -> None:
    build = tmp_path / "build"
    options = ["-Dembed=disabled", "-Dtests=disabled", "-Dbuildtype=debug"]
    setup = [TOOLS / "meson", "setup", build, ROOT, f"--force-fallback-for={','.join(LIBRARIES)}", *options]
    for command in (setup, [TOOLS / "ninja", "-C", build]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    library = build / "lib" / "liblocustcore.so"
    needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    assert not any(f"[{name}." in needed for name in ("libev.so", "libjansson.so", "libmsgpackc.so", "libnghttp2.so"))
    assert "libcurl" in needed
    hello = tmp_path / "hello"
    paths = ["-I", ROOT / "lib/include", "-L", library.parent, f"-Wl,-rpath,{library.parent}"]
    subprocess.run(["cc", "-o", hello, ROOT / "examples/c/hello.c", *paths, "-llocustcore"], check=True, timeout=60)
    done = subprocess.run(
        [hello, target.url, "-u", "5", "-r", "5", "-t", "1"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "0(0.00%)" in done.stdout
