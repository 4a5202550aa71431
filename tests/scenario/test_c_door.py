"""The C library as a stranger gets it: installed, found by pkg-config, read as headers, and the programs of examples/c
built against it. Everything here uses the installed files only."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import socketserver
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from certs import Certs
from servers import BUILD, ROOT, Target, free_port

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-parameter", "-Werror"]


class Installed:
    """An installation below a folder of its own."""

    def __init__(self, folder: Path) -> None:
        meson = Path(sysconfig.get_path("scripts")) / "meson"
        command = [meson, "install", "-C", BUILD, "--no-rebuild", "--tags", "devel,runtime", "--destdir", folder]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        (config,) = folder.rglob("locustcore.pc")
        self.folder = folder
        self.library = config.parents[1] / "liblocustcore.so"
        self.include = next(folder.rglob("locustcore.h")).parent
        self.environment = {
            "PATH": os.environ["PATH"],
            "PKG_CONFIG_PATH": str(config.parent),
            "PKG_CONFIG_SYSROOT_DIR": str(folder),
            "LD_LIBRARY_PATH": str(self.library.parent),
        }

    def pkg_config(self, *args: str) -> str:
        command = ["pkg-config", *args, "locustcore"]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=self.environment, timeout=120
        ).stdout.strip()

    def compile(self, *args: str | Path) -> None:
        """cc with what pkg-config says."""
        command = [*args, *shlex.split(self.pkg_config("--cflags", "--libs"))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def start(self, *command: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def run(self, *command: str | Path, status: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def programs(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, each one file, as strict as a compiler can be told to be."""
    folder = tmp_path_factory.mktemp("programs")
    for source in (ROOT / "examples/c").glob("*.c"):
        installed.compile("cc", "-std=c11", *WARNINGS, "-o", folder / source.stem, source)
    return folder


@pytest.fixture
def lines_port() -> Iterator[int]:
    """A server that answers lines with themselves; as the client asks, it hangs up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_installation_is_versioned(installed: Installed) -> None:
    version = installed.pkg_config("--modversion")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    dynamic = subprocess.run(["readelf", "-d", installed.library], check=True, capture_output=True, text=True).stdout
    assert f"soname: [liblocustcore.so.{0}]" in dynamic
    assert installed.library.resolve().name == f"liblocustcore.so.{version}"
    assert "RUNPATH" not in dynamic and "RPATH" not in dynamic
    assert sorted(path.name for path in (installed.include / "locustcore").iterdir()) == sorted(
        path.name for path in (ROOT / "lib/include/locustcore").glob("*.h")
    )


def test_every_header_stands_alone_in_c_and_cpp(installed: Installed, tmp_path: Path) -> None:
    headers = ["locustcore.h", *(f"locustcore/{path.name}" for path in (installed.include / "locustcore").iterdir())]
    for suffix, compiler in (("c", ["cc", "-std=c99"]), ("cc", ["c++", "-std=c++11"])):
        if shutil.which(compiler[0]) is None:
            pytest.skip("there is no compiler for C++")
        sources = []
        for number, header in enumerate(headers):
            sources.append(tmp_path / f"{number}.{suffix}")
            # Twice: guards work, too.
            sources[-1].write_text(f"#include <{header}>\n#include <{header}>\n")
        installed.compile(*compiler, *WARNINGS, "-fsyntax-only", *sources)


CPP = r"""
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <locustcore.h>

struct Free {
    void operator()(lc_loop *loop) const { lc_loop_free(loop); }
    void operator()(lc_http *http) const { lc_http_free(http); }
    void operator()(lc_fibers *fibers) const { lc_fibers_free(fibers); }
    void operator()(lc_session *session) const { lc_session_free(session); }
    void operator()(lc_response *response) const { lc_response_free(response); }
};
template <typename T> using Owned = std::unique_ptr<T, Free>;

struct Work {
    lc_loop *loop;
    lc_http *http;
    const char *url;
    int answers;
};

static int
work(void *arg)
{
    auto *work = static_cast<Work *>(arg);
    Owned<lc_session> session(lc_session_new(work->http, nullptr, nullptr));
    for (int i = 0; session && i < 100; i++) {
        lc_request request{};
        request.method = LCORE_STR("GET");
        request.url = lc_str_from(work->url);
        lc_response *answer = nullptr;
        if (lc_session_call(session.get(), &request, &answer, nullptr) < 0) {
            break;
        }
        Owned<lc_response> response(answer);
        work->answers += response->status == 200 ? 1 : 0;
    }
    lc_loop_stop(work->loop);
    return 0;
}

/* An engine of its own: twice in the thread, one after the other. */
static void
engine(const char *url, int *answers)
{
    for (int round = 0; round < 2; round++) {
        Owned<lc_loop> loop(lc_loop_new());
        Owned<lc_http> http(lc_http_new(loop.get(), nullptr));
        Owned<lc_fibers> fibers(lc_fibers_new(loop.get(), 0));
        Work own{loop.get(), http.get(), url, 0};
        if (lc_fiber_start(fibers.get(), work, &own, nullptr) == 0) {
            lc_loop_run(loop.get());
        }
        *answers += own.answers;
    }
}

int
main(int argc, char **argv)
{
    int answers[3] = {};
    std::vector<std::thread> threads;
    for (int &count : answers) {
        threads.emplace_back(engine, argv[1], &count);
    }
    for (auto &thread : threads) {
        thread.join();
    }
    std::printf("%s %d %d %d\n", lc_version(), answers[0], answers[1], answers[2]);
    return 0;
}
"""


def test_engines_in_threads_of_a_cpp_program(installed: Installed, target: Target, tmp_path: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("there is no compiler for C++")
    (tmp_path / "engines.cc").write_text(CPP)
    flags = [*WARNINGS, "-pthread", "-o", tmp_path / "engines"]
    installed.compile("c++", "-std=c++17", *flags, tmp_path / "engines.cc")
    done = installed.run(tmp_path / "engines", target.url + "/hello")
    assert done.stdout == f"{installed.pkg_config('--modversion')} 200 200 200\n"


def test_static_library(installed: Installed, target: Target, tmp_path: Path) -> None:
    """Found by its name and `pkg-config --static`; everything in it that other programs could meet begins with lc_."""
    archive = installed.library.with_suffix(".a")
    needs = [flag for flag in shlex.split(installed.pkg_config("--static", "--libs")) if flag != "-llocustcore"]
    command = ["cc", "-std=c11", ROOT / "examples/c/hello.c", archive, *needs, "-o", tmp_path / "hello"]
    done = subprocess.run(
        [*command, *shlex.split(installed.pkg_config("--cflags"))], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    needed = subprocess.run(["readelf", "-d", tmp_path / "hello"], check=True, capture_output=True, text=True).stdout
    assert "liblocustcore" not in needed
    out = installed.run(tmp_path / "hello", "-t", "1", target.url).stdout
    assert re.search(r"^(GET +/hello|POST +/echo) +[1-9]", out, re.MULTILINE), out
    for file in (archive, installed.library):
        dynamic = [] if file is archive else ["-D"]
        command = ["nm", "--extern-only", "--defined-only", "--format=posix", *dynamic, file]
        symbols = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        names = {line.split()[0] for line in symbols if len(line.split()) > 1}
        assert len(names) > 100 and {name for name in names if not name.startswith("lc_")} == set()


def test_bench(installed: Installed, programs: Path, target: Target) -> None:
    before = target.counters()
    done = installed.run(programs / "bench", "-c", "7", "-d", "1", target.url + "/hello")
    told = re.search(r"^(\d+) requests in .* s, .* MB read, 0 failed$", done.stdout, re.MULTILINE)
    assert told, done.stdout
    after = target.counters()
    # What was under way at the end was canceled. The two looks at the counters are connections and requests, too.
    assert 0 <= after["requests"] - before["requests"] - 1 - int(told[1]) <= 7
    assert after["connections"] - before["connections"] - 1 == 7


def test_bench_tells_of_a_server_that_is_not_there(installed: Installed, programs: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    done = installed.run(programs / "bench", "-c", "1", "-d", "0.1", url)
    assert re.search(r"failed \d+ times: cannot connect to .*: Connection refused", done.stdout)
    for wrong in (["nonsense"], ["-d", "x", url], ["-c", "0", url]):
        done = subprocess.run([programs / "bench", *wrong], capture_output=True, text=True, env=installed.environment)
        assert done.returncode in (1, 2) and done.stderr.startswith("bench: ") and not done.stdout


def until_it_asks(target: Target, process: "subprocess.Popen[str]") -> None:
    """Until some of its requests have come."""
    before, looks = target.counters()["requests"], 1
    while target.counters()["requests"] - before - looks < 3 and process.poll() is None:
        looks += 1
        time.sleep(0.02)


def test_bench_ends_in_order_on_ctrl_c(installed: Installed, programs: Path, target: Target) -> None:
    with installed.start(programs / "bench", "-c", "3", "-d", "60", target.url + "/delay/10") as process:
        until_it_asks(target, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "requests/s: " in out


def member_rows(out: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Requests and failures by method and name, of the last table."""
    table = out[out.rindex("# reqs      # fails") :]
    found = re.findall(r"^(GET|POST) +(\S+) +(\d+) +(\d+)\(", table, re.MULTILINE)
    return {(method, name): (int(requests), int(failures)) for method, name, requests, failures in found}


def test_member_logs_in_uploads_and_logs_out(installed: Installed, programs: Path, target: Target) -> None:
    rows = member_rows(installed.run(programs / "member", "-u", "4", "-r", "100", "-t", "2", target.url).stdout)
    assert rows["GET", "/login"] == rows["POST", "/login"] == rows["GET", "/logout"] == (4, 0)
    for row in (("GET", "/account"), ("POST", "/echo"), ("GET", "/hello"), ("GET", "/delay/20")):
        assert rows[row][0] > 0 and rows[row][1] == 0, rows
    # Both parts of a page were counted; of the last one perhaps only the first.
    assert 0 <= rows["GET", "/hello"][0] - rows["GET", "/delay/20"][0] <= 4


def test_member_with_a_client_certificate(installed: Installed, programs: Path, certs: Certs) -> None:
    files = ["--ca", certs.ca, "--cert", certs.client.cert, "--key", certs.client.key]
    with Target(certs.server, client_ca=certs.ca) as target:
        done = installed.run(programs / "member", "-t", "1", *files, target.url)
        assert member_rows(done.stdout)["POST", "/login"] == (1, 0)
        done = installed.run(programs / "member", "-t", "0.3", "--ca", certs.ca, target.url, status=1)
        assert "certificate" in done.stdout


def test_member_tells_what_is_wrong_with_its_files(installed: Installed, programs: Path, tmp_path: Path) -> None:
    missing, other = tmp_path / "missing.pem", tmp_path / "other.pem"
    other.write_text("not a certificate\n")
    for args, reason in (
        (["--ca", missing], f"CA certificates '{missing}': No such file or directory"),
        (["--ca", other], f"CA certificates '{other}': "),
        (["--cert", missing], f"client certificate '{missing}': No such file or directory"),
        (["--cert", other], f"client certificate '{other}': there is none in it in PEM form"),
    ):
        done = installed.run(programs / "member", *args, "http://127.0.0.1:1", status=1)
        assert done.stderr.startswith(f"member: {reason}"), done.stderr


def test_member_through_a_proxy(installed: Installed, programs: Path, target: Target) -> None:
    # The target answers for any host, as a proxy would.
    args = ["-t", "1", "--proxy", target.url, "http://nowhere.test"]
    assert member_rows(installed.run(programs / "member", *args).stdout)["POST", "/login"] == (1, 0)


def test_lines_and_its_reports(installed: Installed, programs: Path, lines_port: int, tmp_path: Path) -> None:
    args = ["-u", "5", "-r", "100", "-t", "2", "-o", tmp_path / "run", "127.0.0.1", str(lines_port)]
    done = installed.run(programs / "lines", *args)
    assert "lines: stopped, 0 users" in done.stderr
    with open(tmp_path / "run_stats.csv", newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    with open(tmp_path / "run.json") as file:
        reported = {row["name"]: row for row in json.load(file)}
    asked = int(rows["ask"]["Request Count"])
    assert asked > 25 and reported["ask"]["num_requests"] == asked
    # Who was stopped in the middle of a conversation did not ask five times.
    assert 0 <= 5 * int(rows["connect"]["Request Count"]) - asked <= 25
    assert rows["Aggregated"]["Failure Count"] == "0"
    half = re.search(r"answers: half within ([\d.]+) ms", done.stdout)
    assert half and float(half[1]) > 0


def test_lines_without_a_server_room_or_output(installed: Installed, programs: Path, tmp_path: Path) -> None:
    args = ["-t", "0.3", "127.0.0.1", str(free_port())]
    done = installed.run(programs / "lines", "-o", tmp_path / "run", *args, status=1)
    assert "LINE connect: Connection refused" in done.stdout
    done = installed.run(programs / "lines", "-o", tmp_path / "missing/run", *args, status=1)
    assert "missing/run_stats.csv could not be written: No such file or directory" in done.stderr
    command = [programs / "lines", "-o", tmp_path / "run", *args]
    assert "lines: standard output: No space left on device" in to_a_full_disk(installed, command)


def to_a_full_disk(installed: Installed, command: list[str | Path]) -> str:
    """What is said on standard error, if standard output takes nothing."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=installed.environment)
    assert done.returncode == 1
    return done.stderr


def test_tables_that_cannot_be_written_are_told_of(installed: Installed, programs: Path, target: Target) -> None:
    told = to_a_full_disk(installed, [programs / "hello", "-t", "0.2", target.url])
    assert told == "not all tables could be written to standard output: No space left on device\n"


def test_a_fleet_of_c_programs(installed: Installed, programs: Path, target: Target) -> None:
    port = str(free_port())
    with installed.start(programs / "worker", "--master-port", port) as worker:
        args = ["-w", "1", "-u", "4", "-r", "100", "-t", "1", "-p", port, target.url]
        done = installed.run(programs / "master", *args, status=1)  # Guest's broken task
        worker.communicate(timeout=120)
    assert "/hello" in done.stdout and "Exceptions of users" in done.stdout
    assert worker.returncode == 1
