"""examples/deployment: that its files say what the command, the image and each other understand, and that cload runs as
containers run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import BUILD, ROOT, Target, free_port

DEPLOYMENT = ROOT / "examples" / "deployment"
DASHBOARD: dict[str, Any] = json.loads((DEPLOYMENT / "grafana" / "cload.json").read_text())
CLOAD = BUILD / "cload"

SCRIPT = """
import logging

from locust import HttpUser, constant, task

done = set()

def note(what):
    done.add(what)
    if len(done) == 3:
        logging.info("everything was done")
        done.add("and said")

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def hello(self):
        self.client.get("/hello")
        note("hello")

    @task
    def broken(self):
        self.client.get("/status/500")
        note("broken")

    @task
    def raises(self):
        note("raises")
        raise ValueError("on purpose")
"""


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


# The image


def dockerfile() -> list[list[str]]:
    """Instructions, as words."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (DEPLOYMENT / "Dockerfile").read_text(), flags=re.MULTILINE))
    return [line.split() for line in text.splitlines() if line.strip()]


def test_the_image_has_what_a_build_needs() -> None:
    wanted = re.search(r"^build_packages=\((.*?)\)", (ROOT / "dev").read_text(), re.MULTILINE | re.DOTALL)
    assert wanted
    installing = [line for line in dockerfile() if line[0] == "RUN" and "gcc" in line]
    assert [set(wanted[1].split()) - set(line) for line in installing] == [set()]
    # What the build asks meson for, and meson asks the tree for, is let in.
    allowed = [
        line[1:] for line in (DEPLOYMENT / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    assert all((ROOT / path).exists() for path in allowed)
    project = (ROOT / "pyproject.toml").read_text() + (ROOT / "meson.build").read_text()
    named = {*re.findall(r"subdir\('(\w+)'\)", project), *re.findall(r'file = "(\w+)"', project), "meson.options"}
    assert named <= {*allowed, "pylocust"}
    copied = [word for line in dockerfile() if line[0] == "COPY" and "--from" not in line[1] for word in line[1:-1]]
    assert all((ROOT / path).exists() for path in copied)


def test_the_image_is_used_as_locusts() -> None:
    last = dockerfile()[max(i for i, line in enumerate(dockerfile()) if line[0] == "FROM") :]
    said = {line[0]: " ".join(line[1:]) for line in last}
    assert said["ENTRYPOINT"] == '["/usr/local/bin/locust"]'
    assert said["EXPOSE"] == "8089 5557"
    assert said["WORKDIR"] == "/home/locust"
    assert said["USER"] == "1000" and "useradd --create-home --uid 1000 locust" in said["RUN"]


# What the files tell the command


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Name, container and the variables common to all, of each pod."""
    common = DEPLOYMENT / "kubernetes" / "common"
    generated = {one["name"]: one for one in documents(common / "kustomization.yaml")[0]["configMapGenerator"]}
    assert (common / generated["cload-locustfile"]["files"][0]).exists()
    settings = dict(item.split("=", 1) for item in generated["cload-settings"]["literals"])
    for folder in (DEPLOYMENT / "kubernetes" / "web", DEPLOYMENT / "kubernetes" / "headless"):
        (kustomization,) = documents(folder / "kustomization.yaml")
        base, *names = kustomization["resources"]
        assert (folder / base).resolve() == common
        for document in [document for name in names for document in documents(folder / name)]:
            if document["kind"] != "Service":
                template = document["spec"]["template"]
                (container,) = template["spec"]["containers"]
                assert container["image"] == kustomization["images"][0]["name"] == "cload"
                configs = {
                    volume["configMap"]["name"] for volume in template["spec"]["volumes"] if "configMap" in volume
                }
                assert configs | {container["envFrom"][0]["configMapRef"]["name"]} == set(generated)
                selector = document["spec"].get("selector")
                assert selector is None or selector["matchLabels"] == template["metadata"]["labels"]
                yield f"{folder.name}/{document['metadata']['name']}", container, settings


def commands() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Arguments and variables of all containers."""
    for name, container, settings in pods():
        own = {variable["name"]: variable["value"] for variable in container.get("env", ())}
        yield name, container["args"], settings | own
    (compose,) = documents(DEPLOYMENT / "compose" / "compose.yaml")
    for name, service in compose["services"].items():
        if service["image"] == "cload":
            # As compose replaces variables that are not set.
            variables = (
                {key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for key, value in service["environment"].items()}
                if "environment" in service
                else {}
            )
            yield f"compose/{name}", service["command"].split(), variables


def test_options_and_variables_are_known() -> None:
    script = """
import json, os, sys
import cload
from locust.argument_parser import get_parser
known = {action.env_var for action in get_parser()._actions if getattr(action, "env_var", None)}
for name, args, variables in json.load(sys.stdin):
    assert variables.keys() <= known, (name, variables.keys() - known)
    os.environ.update(variables)
    options = get_parser([]).parse_args(args)
    assert options.master != options.worker, name
    assert options.locustfile == "/mnt/locust/locustfile.py", name
    for variable in variables:
        del os.environ[variable]
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(list(commands())),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_manifests_fit_together() -> None:
    names = set()
    for name, container, _ in pods():
        names.add(name)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for probe in ("readinessProbe", "livenessProbe"):
            assert probe not in container or container[probe]["httpGet"]["port"] in ports
        served = {"web": 8089, "workers": 5557, "metrics": 9646}
        assert ports.items() <= served.items()
        own = {variable["name"]: variable["value"] for variable in container.get("env", ())}
        assert ("metrics" in ports) == (own.get("LOCUST_PROMETHEUS_PORT") == "9646")
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert {"/mnt/locust", "/tmp"} == {mount["mountPath"] for mount in container["volumeMounts"]}
    assert len(names) == 4
    for path in (
        DEPLOYMENT / "kubernetes" / "web" / "master.yaml",
        DEPLOYMENT / "kubernetes" / "headless" / "jobs.yaml",
    ):
        service, master = documents(path)[:2]
        assert service["spec"]["selector"] == master["spec"]["template"]["metadata"]["labels"]
        assert service["metadata"]["name"] == "cload-master"
        ports = {port["containerPort"] for port in master["spec"]["template"]["spec"]["containers"][0]["ports"]}
        assert {port["port"] for port in service["spec"]["ports"]} <= ports


def test_compose_mounts_what_is_there() -> None:
    (compose,) = documents(DEPLOYMENT / "compose" / "compose.yaml")
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0]
            assert (DEPLOYMENT / "compose" / source).exists(), volume
    build = compose["services"]["master"]["build"]
    assert (DEPLOYMENT / "compose" / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).exists()
    (scraping,) = documents(DEPLOYMENT / "prometheus" / "prometheus.yml")
    (target,) = scraping["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target == "master:8089" and "master" in compose["services"]


# Metrics


@contextmanager
def fleet(folder: Path, target: str) -> Iterator[str]:
    """A master with two workers and a test that runs; gives its address."""
    (folder / "locustfile.py").write_text(SCRIPT)
    port = free_port()
    args = ["--autostart", "-u", "6", "-r", "6", "-H", target, "--web-host", "127.0.0.1", "-P", str(port)]
    bind = ["--processes", "2", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port())]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([CLOAD, *args, *bind], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()


def fetch(url: str, seconds: float = 90) -> str:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def queries() -> dict[str, str]:
    """All of the dashboard's, by the panel."""
    found = {
        f"{panel['title']} {one['refId']}": one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"]
    }
    # Variables as they are at first, and intervals that suit a short test.
    values = {"$job": ".*", "$instance": ".*", "$name": ".*", "$__rate_interval": "8s", "$__interval": "8s"}
    for variable, value in values.items():
        found = {title: query.replace(variable, value) for title, query in found.items()}
    assert not any("$" in query for query in found.values())
    return found


@contextmanager
def prometheus(folder: Path, address: str) -> Iterator[str]:
    (config,) = documents(DEPLOYMENT / "prometheus" / "prometheus.yml")
    config["global"] = {"scrape_interval": "1s"}
    config["scrape_configs"][0] |= {"static_configs": [{"targets": [address]}], "scrape_interval": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with open(folder / "prometheus.log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def test_the_dashboard_asks_for_what_is_told(target: Target, tmp_path: Path) -> None:
    """Each panel has data: in a real Prometheus where there is one, or else by the names of metrics."""
    with fleet(tmp_path, target.url) as address:
        end = time.monotonic() + 90
        while "locust_errors{" not in (text := fetch(f"http://{address}/metrics")) and time.monotonic() < end:
            time.sleep(0.2)
        told = set(re.findall(r"^(cload_\w+)", text, re.MULTILINE))
        asked = {name for query in queries().values() for name in re.findall(r"\bcload_\w+", query)}
        assert asked - told == set()
        if not shutil.which("prometheus"):
            return
        with prometheus(tmp_path, address) as url:
            missing = queries()
            end = time.monotonic() + 120
            while missing and time.monotonic() < end:
                time.sleep(0.5)
                for title, query in list(missing.items()):
                    answer = json.loads(fetch(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"))
                    assert answer["status"] == "success", (title, answer)
                    if any(one["value"][1] != "NaN" for one in answer["data"]["result"]):
                        del missing[title]
            assert not missing, fetch(f"{url}/api/v1/targets")


def test_a_program_in_c_serves_metrics(target: Target) -> None:
    port = free_port()
    hello = [BUILD / "examples" / "c" / "hello", target.url, "-u", "2", "-r", "9", "-m", str(port)]
    process = subprocess.Popen(hello, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 90
        while '{user_class="Visitor"} 2' not in (text := fetch(f"http://127.0.0.1:{port}/metrics")):
            assert time.monotonic() < end, text
            time.sleep(0.1)
        assert 'cload_state{state="running"} 1' in text and "cload_generator_seconds_total" in text
    finally:
        process.terminate()
        assert process.wait(60) == 0


# Runs as containers are run


def can_be_first() -> bool:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(not can_be_first(), reason="namespaces are not allowed here")


def contained(
    folder: Path, *args: str, wrap: str = "", variables: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """The command as first process of a namespace of its own: a user that no file names, no home, no time zone, and a
    file system that is read-only where it can be made so."""
    (folder / "locustfile.py").write_text(SCRIPT)
    os.chmod(folder, 0o755)
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            os.chmod(parent, parent.stat().st_mode | 0o711)
    inner = f'{wrap}exec setpriv --reuid 54321 --regid 0 --clear-groups -- "$@"'
    command = [
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount",
        "--mount-proc",
        "sh",
        "-c",
        inner,
        "sh",
        str(CLOAD),
        *args,
    ]
    return subprocess.Popen(
        command,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LOCUST_LOCUSTFILE": str(folder / "locustfile.py"), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_process(parent: subprocess.Popen[str]) -> int:
    """The child of unshare, as seen from outside."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "cload":
            return int(children[0])
        time.sleep(0.05)
    raise AssertionError("it did not start")


@needs_namespaces
def test_as_first_process_sigterm_ends_a_run(target: Target, tmp_path: Path) -> None:
    variables = {"LOCUST_HOST": target.url, "LOCUST_HEADLESS": "true", "LOCUST_USERS": "3"}
    read_only = "mount -o remount,bind,ro / 2>/dev/null; ulimit -n 256; "
    process = contained(tmp_path, wrap=read_only, variables=variables)
    pid = first_process(process)
    assert process.stderr is not None
    log = ""
    for line in process.stderr:
        log += line
        if "everything was done" in line:
            break
    os.kill(pid, signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, log + err
    assert "Traceback" not in (log + err).replace('Traceback (most recent call last):\n  File "' + str(tmp_path), "")
    assert "/hello" in err and "Aggregated" in err, (out, err)
