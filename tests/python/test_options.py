"""Options, configuration files and environment variables: locust.argument_parser."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import ENGINES, Engine

# Prints options as the program sees them.
SHOW = """
import json, locust
@locust.events.init.add_listener
def show(environment, **_):
    options = vars(environment.parsed_options)
    print("OPTIONS " + json.dumps({name: options[name] for name in options if name not in ("config_users",)}))
    raise SystemExit(0)
class U(locust.User):
    pass
"""


def options(engine: Engine, folder: Path, *args: str, env: dict[str, str] | None = None) -> dict[str, object]:
    """What the program makes of these arguments."""
    import json

    (folder / "locustfile.py").write_text(SHOW)
    done = engine.command("--headless", *args, cwd=folder, env={"HOME": str(folder / "home"), **(env or {})})
    lines = [line for line in done.stdout.splitlines() if line.startswith("OPTIONS ")]
    assert lines, done.stderr
    seen: dict[str, object] = json.loads(lines[0].removeprefix("OPTIONS "))
    return seen


def test_defaults(engine: Engine) -> None:
    """CLI-2 to CLI-53: names and defaults of all options."""
    code = """
from locust.argument_parser import default_args_dict, get_parser
actions = {
    a.dest: [sorted(a.option_strings), getattr(a, "env_var", None), a.nargs, getattr(a, "include_in_web_ui", None)]
    for a in get_parser()._actions
}
# What Locust does not have.
groups = [group for group in get_parser()._action_groups if group.title == "cload options"]
own = {a.dest for group in groups for a in group._group_actions}
actions = {name: action for name, action in actions.items() if name not in own}
out([{name: value for name, value in default_args_dict().items() if name not in own}, actions])
"""
    defaults, actions = engine.snippet(code)
    assert defaults == {
        "autoquit": -1,
        "autostart": False,
        "build_path": "",
        "class_picker": False,
        "config": None,
        "config_users": None,
        "csv_prefix": None,
        "enable_rebalancing": False,
        "equal_weights": False,
        "exclude_tags": None,
        "exit_code_on_error": 1,
        "expect_slaves": None,
        "expect_workers": 1,
        "expect_workers_max_wait": 0,
        "headful": False,
        "headless": False,
        "host": None,
        "html_file": None,
        "json": False,
        "json_file": None,
        "legacy_ui": False,
        "list_commands": False,
        "locustfile": "locustfile.py",
        "logfile": None,
        "loglevel": "INFO",
        "master": False,
        "master_bind_host": "*",
        "master_bind_port": 5557,
        "master_host": "127.0.0.1",
        "master_port": 5557,
        "num_users": None,
        "only_summary": False,
        "otel": False,
        "print_stats": False,
        "processes": None,
        "profile": None,
        "reset_stats": False,
        "run_time": None,
        "show_task_ratio": False,
        "show_task_ratio_json": False,
        "skip_log_setup": False,
        "slave": None,
        "spawn_rate": None,
        "stats_history_enabled": False,
        "stop_timeout": 0,
        "tags": None,
        "tls_cert": "",
        "tls_key": "",
        "user_classes": [],
        "web_auth": None,
        "web_base_path": "",
        "web_host": "",
        "web_host_display_name": None,
        "web_login": False,
        "web_port": 8089,
        "worker": False,
    }
    if ENGINES[1].python is not None:
        assert actions == ENGINES[1].snippet(code)[1]


def test_precedence_of_configuration(engine: Engine, tmp_path: Path) -> None:
    """CLI-57, CLI-58, CLI-59, CLI-61, CLI-64."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".locust.conf").write_text(
        "users = 1\nspawn-rate = 1\nhost = home\nprofile = home\ncsv = home\nlogfile = home"
    )
    (tmp_path / "locust.conf").write_text(
        "# note\n[ignored]\nspawn-rate: 2\nhost l\nprofile = l  # note\n--csv l\nlogfile = l\nonly-summary\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.locust]\nhost = "toml"\nprofile = "toml"\ncsv = "toml"\nlogfile = "t"\n'
    )
    (tmp_path / "own.conf").write_text("profile = own\ncsv = own\nlogfile = own\ntags = [a, b]\n")
    environment = {"LOCUST_CSV": "env", "LOCUST_LOGFILE": "env", "LOCUST_RESET_STATS": "yes"}
    seen = options(engine, tmp_path, "--config", "own.conf", "--logfile", "line", env=environment)
    expected = {
        "num_users": 1,
        "spawn_rate": 2.0,
        "host": "toml",
        "profile": "own",
        "csv_prefix": "env",
        "logfile": "line",
        "only_summary": True,
        "tags": ["a", "b"],
        "reset_stats": True,
    }
    assert {name: seen[name] for name in expected} == expected


def test_command_line(engine: Engine, tmp_path: Path) -> None:
    """CLI-7, CLI-34, CLI-44, CLI-49, CLI-53, CLI-65, API-114."""
    environment = {"LOCUST_USER_CLASSES": "U U", "LOCUST_EXCLUDE_TAGS": "a b"}
    seen = options(
        engine, tmp_path, "--spawn", "2", "-t", "1h2m", "-s", "1m", "-L", "debug", "-T", "x", "y", env=environment
    )
    expected = {
        "spawn_rate": 2.0,
        "run_time": 3720,
        "stop_timeout": 60,
        "loglevel": "DEBUG",
        "tags": ["x", "y"],
        "exclude_tags": ["a b"],
        "user_classes": ["U", "U"],
    }
    assert {name: seen[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("args", "env", "files"),
    [
        pytest.param(["--nonsense"], {}, {}, id="CLI-66"),
        pytest.param([], {"LOCUST_HEADLESS": "perhaps"}, {}, id="CLI-60"),
        pytest.param([], {}, {"pyproject.toml": "[tool.locust"}, id="CLI-61"),
        pytest.param([], {}, {"locust.conf": "nonsense = 1"}, id="CLI-62"),
        pytest.param(["--config", "missing.conf"], {}, {}, id="CLI-63"),
        pytest.param(["--csv-full-history"], {}, {}, id="CLI-36"),
        pytest.param(["--web-auth", "a:b"], {}, {}, id="CLI-17"),
        pytest.param(["--legacy-ui"], {}, {}, id="CLI-22"),
        pytest.param(["--slave"], {}, {}, id="CLI-30"),
        pytest.param(["--expect-slaves"], {}, {}, id="CLI-30-expect"),
        pytest.param(["--expect-workers", "0"], {}, {}, id="CLI-27"),
        pytest.param(["-r", "0"], {}, {}, id="CLI-6"),
        pytest.param(["-r", "inf"], {}, {}, id="CLI-6-inf"),
        pytest.param(["-t", "5x"], {}, {}, id="CLI-7"),
        pytest.param(["-L", "LOUD"], {}, {}, id="CLI-44"),
        pytest.param(["--config-users", "{}"], {}, {}, id="CLI-9"),
        pytest.param(["-u", "many"], {}, {}, id="CLI-5"),
    ],
)
def test_usage_errors(
    engine: Engine, tmp_path: Path, args: list[str], env: dict[str, str], files: dict[str, str]
) -> None:
    """One line on stderr, no usage text, status 2."""
    (tmp_path / "locustfile.py").write_text("from locust import User\nclass U(User): pass\n")
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    done = engine.command(*args, cwd=tmp_path, env={"HOME": str(tmp_path), **env})
    assert done.status == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if ": error: " in line]
    assert len(errors) == 1
    assert "usage" not in done.stderr.lower()


def test_suggestion(engine: Engine, tmp_path: Path) -> None:
    """CLI-66."""
    (tmp_path / "locustfile.py").write_text("from locust import User\nclass U(User): pass\n")
    lines = engine.command("--headles", "--spwan-rate", "3", cwd=tmp_path).stderr.splitlines()
    assert "--spwan-rate" in lines[0]
    assert "--spawn-rate" in lines[1]


def test_custom_options(engine: Engine) -> None:
    """CLI-67, CLI-68, API-223, EVT-11."""
    code = """
from locust.argument_parser import get_parser, ui_extra_args_dict, parse_options, LocustArgumentParser
@events.init_command_line_parser.add_listener
def add(parser, **_):
    note(type(parser).__name__)
    parser.add_argument("--my-secret", is_secret=True, default="s", env_var="MY_SECRET", help="h")
    parser.add_argument("--my-list", is_multiple=True, is_required=True, choices=["a", "b"], default=["a"])
    parser.add_argument("--hidden", include_in_web_ui=False)
    group = parser.add_argument_group("g")
    group.add_argument("--grouped", type=int, default=1)
os.environ["MY_SECRET"] = "env"
extra = ui_extra_args_dict([])
options = get_parser().parse_args(["--my-list", "b", "--hidden", "x"])
out([log, extra, options.my_secret, options.my_list, options.hidden, options.grouped])
"""
    form = {
        "my_secret": {
            "default_value": "env",
            "is_secret": True,
            "is_required": False,
            "help_text": "h",
            "is_multiple": False,
            "choices": None,
        },
        "my_list": {
            "default_value": ["a"],
            "is_secret": False,
            "is_required": True,
            "help_text": None,
            "is_multiple": True,
            "choices": ["a", "b"],
        },
    }
    assert engine.snippet(code) == [["LocustArgumentParser"] * 2, form, "env", "b", "x", 1]


def test_config_users(engine: Engine, tmp_path: Path) -> None:
    """CLI-9, CLI-85."""
    (tmp_path / "locustfile.py").write_text(
        "from locust import User, task, events\n"
        "class U(User):\n    @task\n    def a(self): pass\n    @task\n    def b(self): pass\n"
        "@events.init.add_listener\n"
        "def show(**_):\n    print('SEEN', U.host, U.weight, [t.__name__ for t in U.tasks])\n    raise SystemExit(0)\n"
    )
    (tmp_path / "users.json").write_text('[{"user_class_name": "U", "tasks": ["b"]}]')
    args = ["--headless", "--config-users", '{"user_class_name": "U", "host": "http://h", "weight": 3}']
    assert "SEEN http://h 3 ['b']" in engine.command(*args, "users.json", cwd=tmp_path).stdout
    assert engine.command("--headless", "--config-users", '{"user_class_name": "X"}', cwd=tmp_path).status == 255


def test_help_and_version(engine: Engine, tmp_path: Path) -> None:
    """CLI-1, CLI-47: without any locustfile."""
    shown = engine.command("--help", cwd=tmp_path)
    assert shown.status == 0
    for option in ("--headless", "--master-bind-port", "--exit-code-on-error", "UserClass"):
        assert option in shown.stdout
    for hidden in ("--headful", "--slave", "--legacy-ui", "--build-path"):
        assert hidden not in shown.stdout
    for args in (["--version"], ["-V"], ["-V", "--headless"]):
        version = engine.command(*args, cwd=tmp_path)
        assert version.status == 0
        assert version.stdout.startswith(engine.name + " ")
        assert "2.47.0" in version.stdout
        assert "(Python " in version.stdout
        assert version.stdout.count("\n") == 1
