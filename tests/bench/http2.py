"""HTTP/2: connections and streams in several shapes, beside h2load."""

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from contenders import locust_like
from engines import cload_command
from measure import Contender, Sample, median_of, run_once, table

if TYPE_CHECKING:
    from bench import Bench

SHAPES = ((1, 1), (100, 1), (10, 10), (1, 100))
"""Users, each with a connection of its own, and streams at once on each connection."""


def contenders(bench: "Bench", streams: int) -> list[Contender]:
    found = []
    if program := shutil.which("h2load"):
        found.append(
            Contender(
                "h2load",
                lambda url, users, seconds: [
                    program,
                    "-t1",
                    f"-c{users}",
                    f"-m{streams}",
                    f"-D{int(seconds)}",
                    url,
                ],
            )
        )
    if bench.contender("cload HttpUser"):
        command = [*cload_command(), "--http2"]
        env = {"STREAMS": str(streams)}
        found.append(Contender("cload HttpUser", locust_like(command, "get_streams.py"), env, is_locust_like=True))
    if sessions := bench.contender("cload C sessions"):
        plain = sessions.command
        found.append(
            replace(sessions, command=lambda url, users, seconds: [*plain(url, users, seconds), "2", str(streams)])
        )
    return found


def http2(bench: "Bench") -> Any:
    samples: dict[str, dict[str, list[Sample]]] = {}
    for _ in range(bench.options.rounds):
        for users, streams in SHAPES:
            for contender in contenders(bench, streams):
                with bench.nginx() as nginx:
                    try:
                        sample = run_once(contender, nginx, nginx.tls_url + "/hello", users, bench.options.seconds)
                    except RuntimeError as error:
                        print(error, file=sys.stderr)
                        continue
                shape = f"{users} x {streams}"
                samples.setdefault(contender.name, {}).setdefault(shape, []).append(sample)
    rows = []
    for name, shapes in samples.items():
        for shape, runs in shapes.items():
            peers = samples.get("h2load", {}).get(shape)
            ratio = f"{median_of(runs, 'cpu_us') / median_of(peers, 'cpu_us'):.2f}" if peers else ""
            rows.append(
                [
                    name,
                    shape,
                    f"{median_of(runs, 'rate'):,.0f}",
                    f"{median_of(runs, 'cpu_us'):.1f}",
                    ratio,
                    f"{median_of(runs, 'server_busy'):.0%}",
                ]
            )
    header = ["", "users x streams", "req/s", "CPU us/req", "x h2load", "nginx"]
    table("HTTP/2 over TLS, GET of 600 bytes, one core each", header, rows)
    return samples
