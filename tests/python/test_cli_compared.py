"""The same command line, configuration and files under cload and real Locust: what differs is a mistake, or named here.

Words of messages are ours. Everything that a script or a person's habit may depend on is compared: options, sources of
settings, exit statuses, what goes to stdout, which files appear, and which logger says something at which level.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from oracle import ENGINES, Engine, both, needs_locust, side_by_side

pytestmark = needs_locust

BASE = """
from locust import LoadTestShape, User, constant, events, tag, task
class A(User):
    wait_time = constant(0.05)
    @tag("x")
    @task
    def t(self):
        events.request.fire(request_type="T", name="n", response_time=5, response_length=1)
class B(A):
    weight = 2
    @task
    def u(self):
        events.request.fire(request_type="T", name="u", response_time=5, response_length=1)
"""
SHAPE = "class {}(LoadTestShape):\n    {}\n    def tick(self): return ({}, 9) if self.get_run_time() < 1.5 else None\n"
FILES = {
    "locustfile.py": BASE,
    "one.py": BASE,
    "two.py": "from locust import User\nclass Z(User):\n    def t(self): pass\n    tasks = [t]\n",
    "same.py": "from locust import User\nclass A(User): pass\n",
    "imports.py": "from one import A\nfrom locust import User\nclass Y(User): pass\n",
    "folder/deep/file.py": "from locust import User\nclass Deep(User): pass\n",
    "folder/_hidden.py": "from locust import User\nclass Hidden(User): pass\n",
    "empty/readme.txt": "",
    "noending": BASE,
    "shapes.py": BASE + SHAPE.format("S1", "", 1) + SHAPE.format("S2", "", 3),
    "common.py": BASE + SHAPE.format("S1", "use_common_options = True", 1),
    "fixed.py": BASE + "class F(A):\n    fixed_count = 5\n",
    "exits.py": "import sys\nsys.exit(9)\n",
    "exits_with_words.py": "raise SystemExit('bye')\n",
    "nobody.py": "x = 1\n",
    "raises.py": BASE + "def bad(self): raise ValueError('x')\nA.tasks = B.tasks = [bad]\n",
    "fails.py": BASE + "def bad(self): events.request.fire(request_type='T', name='n', response_time=1,"
    " response_length=0, exception=ValueError('x'))\nA.tasks = B.tasks = [bad]\n",
    "custom.py": BASE + "@events.init_command_line_parser.add_listener\n"
    "def add(parser): parser.add_argument('--mine', type=int, default=3)\n"
    "@events.test_start.add_listener\n"
    "def show(environment, **_): print('MINE', environment.parsed_options.mine, flush=True)\n",
    "noskip.py": "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='OWN %(levelname)s')\n" + BASE,
    "users.json": '[{"user_class_name": "A", "host": "http://x"}, {"user_class_name": "B", "weight": 5}]',
    "broken.json": "{",
    "tasks.json": '{"user_class_name": "A", "tasks": ["t"]}',
    "numbers.json": "[1, 2]",
    "binary.py": "\x00\x01 no text \x7f",
    "tabs.py": "class A:\n\tx = 1\n        y = 2\n",
    "empty.py": "",
    "abstract.py": "from locust import User\nclass A(User):\n    abstract = True\n",
    "folder/with blank.py": "from locust import User\nclass Blank(User): pass\n",
}


# CSV files and options of ours; pylocust/README.md tells of them.
OWN_FILES = ("_phases.csv", "_generator.csv")
OWN_GROUP = "cload options"
OWN_OPTIONS = (
    *("http2", "http3", "phases", "percentiles", "exclude_lagging"),
    *("master_secret", "master_state", "refuse_code", "prometheus_port"),
)
# Keys of the rows of the JSON that come after all of Locust's.
OWN_KEYS = ("phases", "generator")


@dataclass(frozen=True)
class Case:
    """One command line; RUN in it stands for a run of a second. `ids` are rows of the compatibility list."""

    ids: str
    args: str
    words: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    # Some cases are about the number of times a task runs, which is up to the clock.
    log_as_set: bool = False


RUN = "--headless --only-summary -u 2 -r 2 -t 1"

CASES = [
    Case("CLI-1", "--help --nonsense -f missing.py"),
    Case("CLI-2", "-f two.py -f one.py --list"),
    Case("CLI-5-text", "--list -u many"),
    Case("CLI-5-fraction", "--list -u 1.5"),
    Case("CLI-5-zero", f"{RUN} -u 0"),
    Case("CLI-5-CLI-6-unset", "--headless --only-summary -t 1"),
    Case("CLI-5-negative", "--list -u -1"),
    Case("CLI-6-negative", "--list -r -1"),
    Case("CLI-6-infinite", "--list -r 1e999"),
    Case("CLI-6-nan", "--list -r nan"),
    Case("CLI-7-parts", f"{RUN} -t 0h0m1s"),
    Case("CLI-7-order", "--list -t 1m1h"),
    Case("CLI-7-fraction", "--list -t 1.5"),
    Case("CLI-7-negative", "--list -t -1"),
    Case("CLI-7-empty", "--list", ("-t", "")),
    Case("CLI-7-zero", "--list -t 0"),
    Case("CLI-8-CLI-105", "--list A"),
    Case("CLI-9", RUN, ("--config-users", '{"user_class_name": "A", "weight": 3}', "users.json")),
    Case("CLI-9-broken", "--list --config-users broken.json"),
    Case("CLI-9-missing", "--list --config-users missing.json"),
    Case("CLI-9-no-name", "--list", ("--config-users", '{"weight": 3}')),
    Case("CLI-9-number", "--list --config-users 3"),
    Case("CLI-9-empty", "--list --config-users []"),
    Case("CLI-9-CLI-85", RUN, ("--config-users", '{"user_class_name": "Q"}')),
    Case("CLI-12", "--list -P x"),
    Case("CLI-14", f"{RUN} --autostart"),
    Case("CLI-15", f"{RUN} --autoquit 1"),
    Case("CLI-15-headless", f"{RUN} --autostart --autoquit 1"),
    Case("CLI-16", "--headless --headful --list"),
    Case("CLI-17", f"{RUN} --web-auth a:b"),
    Case("CLI-20", f"{RUN} --class-picker"),
    Case("CLI-22", f"{RUN} --legacy-ui"),
    Case("CLI-23-headless", f"{RUN} --web-base-path x"),
    Case("CLI-24", f"{RUN} --master --worker"),
    Case("CLI-28", "--master --headless --expect-workers-max-wait 1 --master-bind-port 0"),
    Case("CLI-28-text", f"{RUN} --expect-workers-max-wait x"),
    Case("CLI-29", f"{RUN} --enable-rebalancing"),
    Case("CLI-32-none", f"{RUN} --processes 0"),
    Case("CLI-32-text", f"{RUN} --processes x"),
    Case("CLI-33-text", f"{RUN} --master-port x"),
    Case("CLI-27-zero", f"{RUN} --expect-workers 0"),
    Case("CLI-27-text", f"{RUN} --expect-workers x"),
    Case("CLI-30", f"{RUN} --slave"),
    Case("CLI-30-expect", f"{RUN} --expect-slaves 3"),
    Case("CLI-34", f"{RUN} -T x -E none", ()),
    Case("CLI-34-no-words", f"{RUN} -T"),
    Case("CLI-34-last-wins", f"{RUN} -T none -T x"),
    Case("CLI-34-class-is-a-tag", f"{RUN} -T x A"),
    Case("CLI-34-class-first", f"{RUN} A -T x"),
    Case("CLI-35", f"{RUN} --csv out/c"),
    Case("CLI-35-folder", f"{RUN} --csv out/"),
    Case("CLI-36", f"{RUN} --csv-full-history"),
    Case("CLI-36-csv", f"{RUN} --csv out/c --csv-full-history"),
    Case("CLI-38", f"{RUN} --print-stats"),
    Case("CLI-39", f"{RUN} --reset-stats"),
    Case("CLI-40-REP-54", f"{RUN} --html", ("r_{u}_{r}_{t}.html",)),
    Case("CLI-40-folder", f"{RUN} --html", ("out/deep/r_{x}_{u}.html",)),
    Case("CLI-41", f"{RUN} --json"),
    Case("CLI-42", f"{RUN} --json-file out/j"),
    Case("CLI-42-ending", f"{RUN} --json-file j.json"),
    Case("CLI-41-CLI-42", f"{RUN} --json --json-file out/j"),
    Case("CLI-43", f"{RUN} --skip-log-setup"),
    Case("CLI-43-own", f"-f noskip.py {RUN} --skip-log-setup"),
    Case("CLI-44", f"{RUN} -L warning"),
    Case("CLI-44-wrong", f"{RUN} -L loud"),
    Case("CLI-44-none", f"{RUN} --loglevel"),
    Case("CLI-45", f"{RUN} --logfile logs/a.log"),
    Case("CLI-46-CLI-106", "--show-task-ratio"),
    Case("CLI-46-CLI-106-users", "-f fixed.py --show-task-ratio -u 10"),
    Case("CLI-46-class", "--show-task-ratio A"),
    Case("CLI-107", "-f fixed.py --show-task-ratio-json -u 10"),
    Case("CLI-50", "--show-task-ratio --equal-weights"),
    Case("CLI-50-run", f"{RUN} --equal-weights"),
    Case("CLI-48-CLI-82", f"-f fails.py {RUN}", log_as_set=True),
    Case("CLI-48-zero", f"-f fails.py {RUN} --exit-code-on-error 0", log_as_set=True),
    Case("CLI-48-large", f"-f fails.py {RUN} --exit-code-on-error 300", log_as_set=True),
    Case("CLI-48-text", "--list --exit-code-on-error x"),
    Case("CLI-82-exception", f"-f raises.py {RUN}", log_as_set=True),
    Case("CLI-49", "--list -s 1.5"),
    Case("CLI-49-text", "--list -s x"),
    Case("CLI-49-run", f"{RUN} -s 1m"),
    Case("CLI-51", f"{RUN} --profile p"),
    Case("CLI-51-empty", RUN, ("--profile", "")),
    Case("CLI-53", f"{RUN} B A"),
    Case("CLI-53-twice", f"{RUN} A A"),
    Case("CLI-53-dashes", f"{RUN} -- A"),
    Case("CLI-53-env", RUN, env=(("LOCUST_USER_CLASSES", " A  B"),)),
    Case("CLI-53-env-wrong", RUN, env=(("LOCUST_USER_CLASSES", "A C"),)),
    Case("CLI-78", f"{RUN} C"),
    Case("CLI-60-yes", "--list", env=(("LOCUST_HEADLESS", "yes"),)),
    Case("CLI-60-wrong", "--list", env=(("LOCUST_HEADLESS", "perhaps"),)),
    Case("CLI-60-empty", "--list", env=(("LOCUST_HEADLESS", ""),)),
    Case("CLI-63", "--list --config missing.conf"),
    Case("CLI-65", f"{RUN} --spawn 3"),
    Case("CLI-65-two-meanings", f"{RUN} --web"),
    Case("CLI-65-equals", f"{RUN} --users=3 -r9"),
    Case("CLI-66", f"{RUN} --nonsense"),
    Case("CLI-66-near", f"{RUN} --headles --csv"),
    Case("CLI-66-no-value", "--list --csv"),
    Case("CLI-67-CLI-68", f"-f custom.py {RUN} --mine 5"),
    Case("CLI-68-abbreviated", f"-f custom.py {RUN} --min 5"),
    Case("CLI-68-wrong", f"-f custom.py {RUN} --mine x"),
    Case("CLI-68-other-file", f"{RUN} --mine 5"),
    Case("CLI-59-binary", "--list --config binary.py"),
    Case("CLI-63-empty", "--list", ("--config", "")),
    Case("CLI-69-empty", "--list", ("-f", "")),
    Case("CLI-69-comma", "--list", ("-f", "one.py,")),
    Case("CLI-69-blank", "--list", ("-f", "folder/with blank.py")),
    Case("CLI-69-twice", "--list -f one.py,one.py"),
    Case("CLI-75-binary", "-f binary.py --list"),
    Case("CLI-75-tabs", "-f tabs.py --list"),
    Case("CLI-75-empty", "-f empty.py --list"),
    Case("CLI-77-abstract", f"-f abstract.py {RUN}"),
    Case("CLI-9-tasks", f"{RUN} --config-users tasks.json"),
    Case("CLI-9-no-objects", f"{RUN} --config-users numbers.json"),
    Case("CLI-34-env", RUN, env=(("LOCUST_TAGS", "[x, y]"),)),
    Case("CLI-7-env-empty", "--list", env=(("LOCUST_RUN_TIME", ""),)),
    Case("CLI-69", "--list", ("-f", "one.py, two.py")),
    Case("CLI-70", "-f folder --list"),
    Case("CLI-70-empty", "-f empty --list"),
    Case("CLI-71", "-f folder/_hidden.py --list"),
    Case("CLI-72", "-f http://127.0.0.1:1/x.py --list"),
    Case("CLI-73", "-f missing.py"),
    Case("CLI-73-ending", "-f noending --list"),
    Case("CLI-74", "-f -"),
    Case("CLI-75-exit", "-f exits.py"),
    Case("CLI-75-words", "-f exits_with_words.py"),
    Case("CLI-76", "-f one.py,same.py --list"),
    Case("CLI-76-imported", "-f one.py,imports.py --list"),
    Case("CLI-77", "-f nobody.py --list"),
    Case("CLI-77-run", "-f nobody.py --headless"),
    Case("CLI-79", f"-f fixed.py {RUN}"),
    Case("CLI-80-first-of-two-shapes", "-f shapes.py --headless --only-summary"),
]


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: str
    stderr: str
    files: list[str]
    folder: Path

    def log(self) -> list[str]:
        """Levels and loggers, without the line of ours that tells who can reach a master."""
        return re.findall(r"^\[[^]]*\] [^/]*/(\w+/[\w.]+):(?! Listening for workers)", self.stderr, re.MULTILINE)


def outcome(engine: Engine, case: Case, folder: Path) -> Outcome:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    done = engine.command(*case.args.split(), *case.words, cwd=folder, env={"HOME": str(folder), **dict(case.env)})
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    files = sorted(path for path in paths - set(FILES) if "__pycache__" not in path and not path.endswith(OWN_FILES))
    return Outcome(done.status, done.stdout, done.stderr, files, folder)


Pair = tuple["Future[Outcome]", "Future[Outcome]"]


@pytest.fixture(scope="module")
def pairs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    """All cases that were asked for. They sleep most of the time, so several run at once."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if item.fspath == request.node.fspath and "case" in getattr(getattr(item, "callspec", None), "params", {})
    ]
    with ThreadPoolExecutor(6) as pool:

        def start(case: Case) -> Pair:
            first, second = (pool.submit(outcome, engine, case, tmp_path_factory.mktemp("run")) for engine in ENGINES)
            return first, second

        yield {case.ids: start(case) for case in chosen}
        pool.shutdown(cancel_futures=True)


def without_numbers(text: str) -> str:
    """The task that comes next is drawn, so counts and even which names there are differ from run to run."""
    return re.sub(r"\d+\.\d+|\d{4,}", "N", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.ids)
def test_same_outcome(case: Case, pairs: dict[str, Pair]) -> None:
    ours, theirs = (future.result() for future in pairs[case.ids])
    report = f"{case}\n--- cload\n{ours.stderr[-1500:]}\n--- locust\n{theirs.stderr[-1500:]}"
    assert ours.status == theirs.status, report
    assert ours.files == theirs.files, report
    if ours.status == 0 and "--help" not in case.args and "--json" not in case.args.split():
        assert without_numbers(ours.stdout) == without_numbers(theirs.stdout), report
    assert bool(ours.stdout) == bool(theirs.stdout), report
    if case.log_as_set:
        assert set(ours.log()) == set(theirs.log()), report
    else:
        assert ours.log() == theirs.log(), report
    assert "Traceback" not in ours.stderr.replace("ValueError: x", "") or "raises.py" in case.args, report
    if ours.status == 2:
        assert ours.stderr.startswith("cload: error: ")
        assert ours.stderr.count("\n") == theirs.stderr.count("\n"), report
    if "# reqs" in theirs.stderr:
        header = next(line for line in theirs.stderr.splitlines() if "# reqs" in line)
        assert header in ours.stderr.splitlines(), report


ACTIONS = """
import argparse
from locust.argument_parser import get_parser
def of(action):
    kind = getattr(action.type, "__name__", None)
    return [action.dest, action.option_strings, action.nargs, action.default, action.metavar, action.choices,
        action.required, getattr(action, "env_var", None), action.help == argparse.SUPPRESS, type(action).__name__
        if type(action).__module__ == "argparse" else "", getattr(action, "include_in_web_ui", None),
        kind if kind in ("int", "float") else ""]
parser = get_parser()
out([[group.title, [of(action) for action in group._group_actions]] for group in parser._action_groups])
"""


def test_options_are_the_same() -> None:
    """CLI-2 to CLI-53: groups, their order, and all that can be said of an option but its help."""
    ours, theirs = both(lambda engine: engine.snippet(ACTIONS))
    ours = [group for group in ours if group[0] != OWN_GROUP]
    assert [title for title, _ in ours] == [title for title, _ in theirs]
    for (title, our_actions), (_, their_actions) in zip(ours, theirs, strict=True):
        for mine, other in itertools.zip_longest(our_actions, their_actions):
            assert mine == other, title


def test_help_is_laid_out_the_same(tmp_path: Path) -> None:
    """CLI-1: groups and option strings, in order."""
    ours, theirs = both(lambda engine: engine.command("--help", cwd=tmp_path).stdout)

    def outline(text: str) -> list[str]:
        lines = text.partition("Examples:")[0].replace("Usage: cload", "Usage: locust")
        lines = re.sub(rf"^{OWN_GROUP}:\n.*?\n(?=\S)", "", lines, flags=re.MULTILINE | re.DOTALL).splitlines()
        found = (re.match(r"(\S.*:$|  [-<].*?)(?:  .*)?$", line) for line in lines)
        return [match[1] for match in found if match]

    assert len(outline(theirs)) > 50
    assert outline(ours) == outline(theirs)


SOURCES = ("home", "conf", "toml", "config", "env", "line")
SHOW = """
import itertools, json, locust
SOURCES = ("home", "conf", "toml", "config", "env", "line")
@locust.events.init_command_line_parser.add_listener
def add(parser):
    for pair in itertools.combinations_with_replacement(SOURCES, 2):
        name = "-".join(pair)
        parser.add_argument("--" + name, default="none", env_var=name.replace("-", "_").upper())
@locust.events.init.add_listener
def show(environment, **_):
    options = dict(vars(environment.parsed_options))
    print("OPTIONS " + json.dumps(options, default=str), flush=True)
    raise SystemExit(0)
class U(locust.User):
    pass
"""


def options_of(engine: Engine, folder: Path, *args: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Of a folder whose locustfile is SHOW."""
    done = engine.command(*args, cwd=folder, env={"HOME": str(folder / "home"), **(env or {})})
    lines = [line for line in done.stdout.splitlines() if line.startswith("OPTIONS ")]
    assert lines, done.stderr
    found: dict[str, Any] = json.loads(lines[0].removeprefix("OPTIONS "))
    return {name: value for name, value in found.items() if name not in OWN_OPTIONS}


def test_precedence_of_each_pair_of_sources(tmp_path: Path) -> None:
    """CLI-57, CLI-58, CLI-64, CLI-68: each option is set in one or two sources."""
    pairs = list(itertools.combinations_with_replacement(SOURCES, 2))

    def settings(source: str, line: str) -> str:
        return "".join(line.format(name="-".join(pair), value=source) for pair in pairs if source in pair)

    (tmp_path / "locustfile.py").write_text(SHOW)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".locust.conf").write_text(settings("home", "{name} = {value}\n"))
    (tmp_path / "locust.conf").write_text(settings("conf", "{name}: {value}\n"))
    (tmp_path / "pyproject.toml").write_text("[tool.locust]\n" + settings("toml", '{name} = "{value}"\n'))
    (tmp_path / "own.conf").write_text(settings("config", "{name} {value}\n"))
    env = {"_".join(pair).upper(): "env" for pair in pairs if "env" in pair}
    line = settings("line", "--{name} {value}\n").split()
    args = ["--headless", "--config", "own.conf", *line]
    ours, theirs = both(lambda engine: options_of(engine, tmp_path, *args, env=env))
    assert ours == theirs
    for weak, strong in pairs:
        assert ours[f"{weak}_{strong}"] == strong


VALUES = {
    "LOCUST_LOCUSTFILE": "locustfile.py",
    "LOCUST_USERS": "7",
    "LOCUST_SPAWN_RATE": "2.5",
    "LOCUST_RUN_TIME": "1m",
    "LOCUST_CONFIG_USERS": '{"user_class_name": "U"}',
    "LOCUST_AUTOQUIT": "-1",
    "LOCUST_TAGS": "[a, b]",
    "LOCUST_EXCLUDE_TAGS": "a b",
    "LOCUST_LOGLEVEL": "debug",
    "LOCUST_EXPECT_WORKERS": "3",
    "LOCUST_STOP_TIMEOUT": "2m",
    "LOCUST_USER_CLASSES": "U U",
    "LOCUST_WEB_BASE_PATH": "/base",
}


def test_every_environment_variable(tmp_path: Path) -> None:
    """CLI-2 to CLI-53, the column of variables."""
    groups = ENGINES[1].snippet(ACTIONS)
    env = {}
    for action in itertools.chain.from_iterable(actions for _, actions in groups):
        _, _, _, _, _, _, _, name, _, kind, _, number = action
        # Whoever is master, worker or several processes does not get as far as the options of one process.
        ends_it = ("LOCUST_WEB_AUTH", "LOCUST_LEGACY_UI", "LOCUST_HEADFUL", "LOCUST_PROCESSES")
        if name is None or name in ends_it or name.startswith("LOCUST_MODE") or name == "LOCUST_ENABLE_OPENTELEMETRY":
            continue
        plain = "yes" if kind == "_StoreTrueAction" else "3" if number == "int" else name.lower()
        env[name] = VALUES.get(name, plain)
    assert len(env) > 35
    (tmp_path / "locustfile.py").write_text(SHOW)
    ours, theirs = both(lambda engine: options_of(engine, tmp_path, env=env))
    assert ours == theirs
    changed = {name for name, value in ours.items() if value not in (None, False, "", [])}
    assert len(changed) > 35


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "CLI-59-forms",
            "# note\n; note\n[section]\nusers = 3\nspawn-rate: 4\nprofile p\n--host 'h'\n--only-summary\n",
        ),
        ("CLI-59-lists", 'tags = [a, b]\nexclude-tags = []\nconfig-users = [{"user_class_name": "U"}]\n'),
        ("CLI-59-comment", 'profile = p # note\nhost = "a#b"\n'),
        ("CLI-60", "headless = true\nonly-summary = false\nreset-stats\n"),
        ("CLI-62-unknown", "headless = true\nnonsense = 1\n"),
        ("CLI-62-dest", "headless = true\nnum_users = 1\n"),
        ("CLI-62-underscore", "headless = true\nspawn_rate = 1\n"),
        ("CLI-60-wrong", "headless = perhaps\n"),
    ],
)
def test_configuration_files(tmp_path: Path, name: str, content: str) -> None:
    """CLI-59 to CLI-62: the plain syntax."""
    (tmp_path / "locustfile.py").write_text(SHOW)
    (tmp_path / "locust.conf").write_text(content)

    def result(engine: Engine) -> Any:
        try:
            return options_of(engine, tmp_path, "--headless")
        except AssertionError:
            return engine.command("--headless", cwd=tmp_path, env={"HOME": str(tmp_path / "home")}).status

    ours, theirs = both(result)
    assert ours == theirs


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("CLI-61", '[tool.locust]\nusers = 3\nheadless = true\ntags = ["a", "b"]\nspawn-rate = 2.5\n'),
        ("CLI-61-no-section", "[tool.other]\nusers = 3\n"),
        ("CLI-61-syntax", "[tool.locust"),
        ("CLI-61-false", "[tool.locust]\nonly-summary = false\nreset-stats = true\n"),
        ("CLI-61-unknown", "[tool.locust]\nnonsense = 1\n"),
    ],
)
def test_toml(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)
    test_configuration_files(tmp_path, name, "")


def test_files_have_the_same_columns(tmp_path: Path) -> None:
    """CLI-35, CLI-36, CLI-42, REP-28, REP-29, REP-38 to REP-40."""

    def columns(engine: Engine) -> dict[str, Any]:
        folder = tmp_path / engine.name
        folder.mkdir()
        case = Case("files", f"-f fails.py {RUN} --csv out/c --csv-full-history --json-file out/j")
        done = outcome(engine, case, folder)
        shapes: dict[str, Any] = {}
        for name in done.files:
            data = (folder / name).read_bytes()
            if name.endswith(".csv"):
                rows = list(csv.reader(data.decode().splitlines()))
                shapes[name] = [rows[0], data.count(b"\r\n") == data.count(b"\n")]
            else:
                entries = json.loads(data)
                shapes[name] = [
                    [(key, type(value).__name__) for key, value in entry.items() if key not in OWN_KEYS]
                    for entry in entries
                ]
        return shapes

    ours, theirs = both(columns)
    assert ours == theirs
    assert len(ours) == 5


def test_log_lines(tmp_path: Path) -> None:
    """CLI-97, CLI-98: those that other tools wait for, word for word."""

    def lines(engine: Engine) -> list[str]:
        folder = tmp_path / engine.name
        folder.mkdir()
        text = outcome(engine, Case("log", RUN + " A"), folder).stderr
        kept = (line for line in text.splitlines() if line.startswith("[") and "Starting" not in line)
        return [re.sub(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]", "[]", line) for line in kept]

    ours, theirs = both(lines)
    assert ours == theirs
    assert len(ours) == 5


def test_a_shape_is_not_cut_short(engine: Engine, tmp_path: Path) -> None:
    """CLI-80: the run time is for the shape to read, or ignored."""
    expected = {"shapes.py": 2, "common.py": 0}

    def run(file: str) -> Outcome:
        return outcome(engine, Case("shape", f"-f {file} {RUN}"), tmp_path / file.removesuffix(".py"))

    for warnings, done in zip(expected.values(), side_by_side(run, expected), strict=True):
        assert done.status == 0
        assert done.log().count("WARNING/locust.main") == warnings
        assert "Shape test completed" in done.stderr
        assert "limit reached" not in done.stderr
