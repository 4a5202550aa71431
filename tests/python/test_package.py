"""The packages locust and cload as Python sees them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from oracle import ENGINES, Engine, Finished
from servers import ROOT


def python(*args: str, cwd: Path | None = None) -> Finished:
    done = subprocess.run([sys.executable, *args], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


def test_names(engine: Engine) -> None:
    """API-1, API-2, API-3, API-4, API-5, API-6, API-12, API-15."""
    code = """
import types
modules = "argument_parser clients contrib debug dispatch env event exception log runners shape stats user util"
out([locust.__version__, sorted(locust.__all__),
     [m for m in modules.split() if not isinstance(getattr(locust, m), types.ModuleType)],
     [n for n in locust.__all__ if not hasattr(locust, n)], locust.wait_time is locust.user.wait_time,
     sorted(n for n in dir(locust.user) if n in ("HttpUser", "TaskSet", "User", "tag", "task")),
     locust.FastHttpUser.__module__, User.__module__, hasattr(locust, "no_such_name")])
"""
    names = (
        "FastHttpUser HttpLocust HttpUser LoadTestShape Locust MarkovTaskSet SequentialTaskSet TaskSet User __version__"
        " between constant constant_pacing constant_throughput events poisson run_single_user tag task transition"
        " transitions wait_time"
    )
    expected = [
        "2.47.0",
        names.split(),
        [],
        [],
        True,
        ["HttpUser", "TaskSet", "User", "tag", "task"],
        "locust.contrib.fasthttp",
        "locust.user.users",
        False,
    ]
    assert engine.snippet(code) == expected


def test_signatures() -> None:
    """Parameters and defaults of what locustfiles call are upstream's: section 1 to 9 and 12 of api.md."""
    code = """
import importlib, inspect
found = {}
for module in ("locust.event locust.exception locust.env locust.shape locust.log locust.debug locust.runners"
               " locust.user.task locust.user.users locust.user.sequential_taskset locust.user.markov_taskset"
               " locust.user.wait_time"
               " locust.user.inspectuser locust.util.timespan locust.util.rounding locust.util.date locust.util.url"
               " locust.util.directory locust.util.cache locust.util.exception_handler locust.util.load_locustfile"
               " locust.argument_parser locust.main locust.input_events").split():
    loaded = importlib.import_module(module)
    for name, value in vars(loaded).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module:
            continue
        members = {"": value} if inspect.isfunction(value) else dict(vars(value)) if inspect.isclass(value) else {}
        for base in inspect.getmro(value) if inspect.isclass(value) else ():
            if base.__module__ == "_cload":
                members = {**vars(base), **members}
        for member, function in members.items():
            if member.startswith("_") and member != "__init__":
                continue
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function):
                parameters = inspect.signature(function).parameters.values()
                found[f"{module}.{name}.{member}".rstrip(".")] = [
                    [p.name, p.kind.name, "" if p.default is p.empty else str(p.default)] for p in parameters]
            elif inspect.ismethoddescriptor(function):
                found[f"{module}.{name}.{member}"] = "in C"
            elif isinstance(function, property) or inspect.isgetsetdescriptor(function):
                found[f"{module}.{name}.{member}"] = "property"
out(found)
"""
    ours = ENGINES[0].snippet(code)
    assert ours["locust.user.users.User.stop"] == [
        ["self", "POSITIONAL_OR_KEYWORD", ""],
        ["force", "POSITIONAL_OR_KEYWORD", "False"],
    ]
    if ENGINES[1].python is None:
        return
    theirs = ENGINES[1].snippet(code)
    # What belongs to distributed runs, to Locust's inside, or has a more general signature here.
    different = {
        name
        for name in theirs
        if ours.get(name) not in (theirs[name], "in C")
        and not name.startswith(("locust.runners.Distrib", "locust.runners.Master", "locust.runners.Worker"))
    }
    assert different == {
        "locust.argument_parser.download_locustfile_from_master",
        "locust.argument_parser.parse_locustfiles_from_master",
        "locust.argument_parser.raise_argument_type_error",
        "locust.argument_parser.retrieve_locustfiles_from_master",
        "locust.input_events.UnixKeyPoller.poll",
        "locust.main.main",
        "locust.runners.LocalRunner.stop",
        "locust.runners.locust_exception_handler",
    }


def test_utilities(engine: Engine) -> None:
    """API-225."""
    code = """
from locust.util.timespan import parse_timespan
from locust.util.rounding import proper_round
from locust.util.date import format_utc_timestamp, format_safe_timestamp, format_duration
from locust.util.url import is_url
from locust.util.cache import memoize
from locust.util.exception_handler import retry
logging.disable()
os.environ["TZ"] = "UTC"
time.tzset()
def kind(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return type(error).__name__
calls = []
def plain(x):
    calls.append(x)
    return x
cached, briefly = memoize(1000)(plain), memoize(0.05)(plain)
first, second = cached(1), cached(2)
cached.clear_cache()
third = cached(3)
briefly(4)
time.sleep(0.1)
fourth = briefly(5)
@retry(delays=(0, 0), exception=ValueError)
def failing():
    calls.append("try")
    raise ValueError
out([[kind(parse_timespan, s) for s in ("20", "20s", "3m", "2h", "1h20m", "3h30m10s", "", "5x", "10s1m", "-1")],
     [proper_round(v) for v in (0.5, 1.5, 2.5, 2.4, -0.5)], proper_round(1.005, 2),
     format_utc_timestamp(1.9), format_safe_timestamp(86461),
     [format_duration(0, s) for s in (0, 1, 61, 3600, 90061, 172800)],
     [is_url(u) for u in ("http://a", "https://a/b", "ftp://a", "a", "http://", "http://[")],
     first, second, third, fourth, kind(failing), calls])
"""
    assert engine.snippet(code) == [
        [20, 20, 180, 7200, 4800, 12610, "ValueError", "ValueError", "ValueError", "ValueError"],
        [1, 2, 3, 2, 0],
        1.01,
        "1970-01-01T00:00:01Z",
        "1970-01-02-00h01",
        ["0 seconds", "1 second", "1 minute and 1 second", "1 hour", "1 day, 1 hour, 1 minute and 1 second", "2 days"],
        [True, True, False, False, False, False],
        1,
        1,
        3,
        5,
        "ValueError",
        [1, 3, 4, 5, "try", "try", "try"],
    ]


def test_logging(engine: Engine) -> None:
    """API-218, CLI-97."""
    code = """
import io, contextlib, re
from locust.log import setup_logging, get_logs, LogReader, greenlet_exception_logger
from locust import log as locust_log
before = get_logs()
text = io.StringIO()
with contextlib.redirect_stderr(text):
    setup_logging("warning")
    logging.getLogger("locust.x").warning("one")
    logging.getLogger("mine").info("two")
    logging.getLogger("mine").error("three")
    logging.getLogger("locust.stats_logger").info("table")
    kept = logging.Handler()
    kinds = []
    kept.emit = lambda record: kinds.append(record.exc_info and record.exc_info[0].__name__)
    logging.getLogger("mine").addHandler(kept)
    died = gevent.spawn(lambda: 1 / 0)
    died.link_exception(greenlet_exception_logger(logging.getLogger("mine")))
    flag = locust_log.unhandled_greenlet_exception
    gevent.sleep(0.05)
lines = [re.sub(r"^\\[.*?\\] [^/]*/", "", line) for line in text.getvalue().splitlines()]
reader = LogReader()
out([before, [l for l in lines if re.match("(WARNING|INFO|ERROR|CRITICAL)/|table", l)][:4], len(get_logs()), flag,
     locust_log.unhandled_greenlet_exception, reader.logs.maxlen, "." in locust_log.HOSTNAME, kinds])
"""
    before, lines, count, *rest = engine.snippet(code)
    assert before == []
    assert lines[:3] == ["WARNING/locust.x: one", "ERROR/mine: three", "table"]
    assert lines[3].startswith("CRITICAL/mine: Unhandled exception in greenlet: ")
    # Whether the tables are kept, too, depends on the handler's logger: they are not on the root logger's.
    assert count >= 3
    assert rest == [False, True, 500, False, ["ZeroDivisionError"]]


def test_patched_standard_library(engine: Engine) -> None:
    """API-13."""
    code = """
from gevent import monkey
out([monkey.is_module_patched(m) for m in ("socket", "threading", "time", "queue", "ssl")])
"""
    assert engine.snippet(code) == [True] * 5


def test_monkey_patching_can_be_left_out() -> None:
    """API-13."""
    code = "import os; os.environ['LOCUST_SKIP_MONKEY_PATCH'] = '1'; import cload"
    assert python("-c", code + "; from gevent import monkey; print(monkey.saved)").stdout == "{}\n"


def test_locust_means_our_package() -> None:
    """Also where real Locust is in front on the path."""
    assert ENGINES[0].snippet("out(locust.__file__)") == str(Path(__import__("locust").__file__).resolve())
    real = ENGINES[1].python
    if real is None:
        return
    site = next(Path(real).absolute().parent.parent.glob("lib/python3*/site-packages"))
    path = f"import sys; sys.path.insert(0, {str(site)!r}); "
    ours = python(
        "-c", path + "import cload, locust, locust.user.task as t; print(locust.__file__ == cload.locust.__file__, t)"
    )
    assert ours.stdout.startswith("True "), ours.stderr
    assert str(site) not in ours.stdout
    late = python("-c", path + "import locust; import cload")
    assert late.status == 1
    assert late.stderr.splitlines()[-1].startswith("ImportError: locust is imported already")


def test_names_of_cload() -> None:
    import cload
    import locust

    for name in cload.__all__:
        assert getattr(cload, name) is getattr(locust, name)
    assert set(cload.__all__) == set(locust.__all__) - {"__version__"}
    assert not hasattr(cload, "no_such_name")


def test_running_a_script(tmp_path: Path) -> None:
    """python -m cload script.py: the script's own folder, arguments and name."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "beside.py").write_text("x = 5\n")
    (tmp_path / "sub" / "script.py").write_text(
        "import sys, beside, locust\nfrom locust import run_single_user\nprint(__name__, sys.argv, beside.x)\n"
        "sys.exit(3 if 'cload' in sys.modules else 0)\n"
    )
    done = python("-m", "cload", "sub/script.py", "--a", "b", cwd=tmp_path)
    assert done.stdout == "__main__ ['sub/script.py', '--a', 'b'] 5\n"
    assert done.status == 3


def test_run_single_user(engine: Engine, tmp_path: Path) -> None:
    """API-216, API-217."""
    (tmp_path / "single.py").write_text(
        """
import FIRST
from locust import User, task, run_single_user, events
from locust.exception import StopUser, CatchResponseError
import sys
sys.argv[1:] = ["--host", "http://h"]
events.init.add_listener(lambda environment, runner, web_ui: print("init", runner, web_ui, environment.locustfile))
events.test_start.add_listener(lambda environment: print("start", environment.runner, environment.host))
class U(User):
    @task
    def t(self):
        fire = self.environment.events.request.fire
        fire(request_type="GET", name="/x", response_time=12.6, response_length=3, exception=None, context={"a": 1})
        fire(request_type="GET", name="/y", response_time=None, response_length=3,
             exception=ValueError("a"), context={})
        fire(request_type="GET", name="/z", response_time=1, response_length=3,
             exception=CatchResponseError("why\\nso"), context={})
        print(self.environment.single_user_instance is self)
        raise StopUser()
run_single_user(U, include_length=True, include_context=True)
run_single_user(U)
""".replace("FIRST", "cload" if engine.is_ours else "locust")
    )
    assert engine.python is not None
    done = subprocess.run([engine.python, "single.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert lines[1].split("\t")[:2] == ["type", "name".ljust(50)]
    rows = [
        f"GET\t{'/x':50}\t13     \t3\t         \t{{'a': 1}}\t",
        f"GET\t{'/y':50}\t-1     \t3\tValueError('a')\t\t",
        f"GET\t{'/z':50}\t1      \t3\twhy so   \t\t",
        "True",
    ]
    assert lines[2:] == ["init None None single.py", "start None http://h", *rows, "start None http://h", *rows], (
        done.stderr
    )


def test_private_names_of_python() -> None:
    """Of those that no version promises, the module needs only what 3.11 to 3.14 have: others end the build for the
    next version, which nobody here makes."""
    import _cload

    path = _cload.__file__ or ROOT / "build" / "embed" / f"_cload{sysconfig.get_config_var('EXT_SUFFIX')}"
    symbols = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
    private = {name for name in symbols.split() if name.startswith("_Py") and not name.endswith("_SizeT")}
    since_312 = {"_PyObject_LookupAttr", "_Py_HashPointer"} if sys.version_info < (3, 13) else set()
    assert private - since_312 <= {
        "_PyBytes_Resize",
        "_PyType_Lookup",
        "_Py_Dealloc",
        "_Py_FalseStruct",
        "_Py_NoneStruct",
        "_Py_NotImplementedStruct",
        "_Py_TrueStruct",
    }


def test_pages_of_an_installation(tmp_path: Path) -> None:
    """Where nothing has been built yet, building a wheel builds the pages."""
    webui = ROOT / "pylocust" / "webui"
    output = tmp_path / "dist"
    done = python(str(webui / "build_pages.py"), str(webui), str(output), str(tmp_path / "work"))
    assert done.status == 0, done.stdout + done.stderr
    assert {"index.html", "auth.html", "report.html", "assets"} == {path.name for path in output.iterdir()}
    pages = (output / "index.html").read_text()
    for file in (output / "assets").iterdir():
        assert file.name in pages


def test_a_wheel_without_the_means_to_build_pages_says_so(tmp_path: Path) -> None:
    source = tmp_path / "source"
    unwanted = shutil.ignore_patterns("node_modules", "dist", "build*", ".*", "__pycache__", "corpus", "results")
    shutil.copytree(ROOT, source, ignore=unwanted)
    shutil.copy(ROOT / "pylocust" / "webui" / "build_pages.py", source / "pylocust" / "webui")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cc", "pkg-config", "ar", "ld", "as", "python3", "sh"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    (tools / "ninja").symlink_to(Path(sys.executable).parent / "ninja")
    command = [sys.executable, "-m", "mesonbuild.mesonmain", "setup", "made", f"-Dpython={sys.executable}"]
    done = subprocess.run(
        [*command, "-Dtests=disabled", "-Dwebui=enabled"],
        cwd=source,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "apt install nodejs npm" in done.stdout and "-Dwebui=disabled" in done.stdout


def test_any_module_may_be_the_first() -> None:
    """API-12: also those that are parts of others, and `_version`, which tools read."""
    code = """
import pathlib, cload
folder = pathlib.Path(locust.__file__).parent
names = [".".join(("locust", *path.relative_to(folder).with_suffix("").parts)) for path in folder.rglob("_*.py")]
names = [name for name in names if not name.endswith("__")]
failed = []
for name in names:
    for known in [known for known in sys.modules if known.startswith("locust.")]:
        del sys.modules[known]
    try:
        __import__(name)
        module = sys.modules[name]
        assert module.__spec__.origin == module.__file__ and module.__loader__ is module.__spec__.loader
    except Exception as error:
        failed.append(name + ": " + repr(error))
out([len(names) > 40, failed, __import__("locust._version")._version.version_tuple])
"""
    assert ENGINES[0].snippet(code) == [True, [], [2, 47, 0]]


def test_all_modules_can_be_imported(engine: Engine) -> None:
    """API-12, API-104, API-221, API-222, API-224, API-227: every public module under its path."""
    modules = (
        "argument_parser clients contrib contrib.csv_request_logger contrib.fasthttp debug dispatch env event"
        " exception html input_events log main opentelemetry rpc rpc.protocol rpc.zmqrpc runners shape stats user"
        " user.inspectuser user.markov_taskset user.sequential_taskset user.task user.users user.wait_time util"
        " util.cache util.date util.deprecation util.directory util.exception_handler util.load_locustfile"
        " util.rounding util.timespan util.url web"
    )
    code = f"""
import importlib
failed = []
for name in {json.dumps(modules.split())}:
    try:
        importlib.import_module("locust." + name)
    except Exception as error:
        failed.append(name + ": " + repr(error))
out(failed)
"""
    assert engine.snippet(code) == []
