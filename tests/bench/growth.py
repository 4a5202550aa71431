"""How the cost of a request grows: with users, names, body sizes, headers and cookies."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from contenders import locust_like
from engines import cload_command, oracle_command
from measure import Contender, Sample, median_of, run_once, table

if TYPE_CHECKING:
    from bench import Bench

Steps = dict[str, dict[int, list[Sample]]]
"""By contender and step."""


def with_file(contender: Contender, locustfile: str, **settings: object) -> Contender:
    """The same engine with another locustfile and its settings."""
    command = cload_command() if contender.name.startswith("cload") else oracle_command()
    env = {**contender.env, **{name: str(value) for name, value in settings.items()}}
    return replace(contender, command=locust_like(command, locustfile), env=env)


def with_headers(contender: Contender, headers: Sequence[str]) -> Contender:
    """wrk with these headers."""
    plain = contender.command
    options = [part for header in headers for part in ("-H", header)]
    return replace(contender, command=lambda url, users, seconds: [*plain(url, users, seconds), *options])


def grow(
    bench: "Bench",
    names: Sequence[str],
    steps: Sequence[int],
    prepare: Callable[[Contender, int], Contender | None],
    path: Callable[[int], str] = lambda _: "/hello",
    users: Callable[[int], int] = lambda _: 100,
) -> Steps:
    """`prepare` gives the contender for a step, or None where it does not take part."""
    samples: Steps = {}
    for _ in range(bench.options.rounds):
        for step in steps:
            for name in names:
                contender = bench.contender(name)
                prepared = prepare(contender, step) if contender else None
                if prepared is None:
                    continue
                # A server of its own, for connections of the run before may still be counted.
                with bench.nginx() as nginx:
                    try:
                        sample = run_once(prepared, nginx, nginx.url + path(step), users(step), bench.options.seconds)
                    except RuntimeError as error:
                        print(error, file=sys.stderr)
                        continue
                samples.setdefault(name, {}).setdefault(step, []).append(sample)
    return samples


def show(title: str, samples: Steps, unit: str, extra: tuple[str, Callable[[int, float], str]] | None = None) -> None:
    rows = []
    peer = {step: median_of(runs, "cpu_us") for step, runs in samples.get("wrk", {}).items()}
    for name, by_step in samples.items():
        first = median_of(by_step[min(by_step)], "cpu_us")
        for step, runs in by_step.items():
            rate, cpu = median_of(runs, "rate"), median_of(runs, "cpu_us")
            rows.append([f"{name}, {step:,} {unit}", f"{rate:,.0f}", f"{cpu:.1f}", f"{cpu / first:.2f}"])
            if peer:
                rows[-1].append(f"{cpu / peer[step]:.2f}" if step in peer else "")
            rows[-1].append(f"{median_of(runs, 'rss_mb'):.0f}")
            if extra:
                rows[-1].append(extra[1](step, rate))
    beside = ["x wrk"] if peer else []
    header = ["", "req/s", "CPU us/req", "x first", *beside, "RSS MB", *([extra[0]] if extra else [])]
    table(title, header, rows)


def users(bench: "Bench") -> Any:
    """Connected users that all make requests; the limit of open files here is 20,000."""

    def prepare(contender: Contender, count: int) -> Contender | None:
        return None if contender.name == "locust HttpUser" and count > 1000 else contender

    names = ["wrk", "locust HttpUser", "cload HttpUser", "cload C task", "cload C sessions"]
    samples = grow(bench, names, [10, 100, 1000, 5000, 10_000, 15_000], prepare, users=lambda count: count)
    show("CPU per request by number of users", samples, "users")
    return samples


def names(bench: "Bench") -> Any:
    """Distinct request names, by the way a script comes by them (locustfiles/get_names.py)."""
    found = {}
    for naming in ("list", "format", "fixed", "url"):
        # Locust's cost is in the same place however its names are made.
        engines = ["cload HttpUser", "locust HttpUser"] if naming == "list" else ["cload HttpUser"]

        def prepare(contender: Contender, count: int, naming: str = naming) -> Contender:
            return with_file(contender, "get_names.py", NAMES=count, NAMING=naming)

        found[naming] = grow(bench, engines, [1, 100, 10_000], prepare)
        show(f"CPU per request by number of request names ({naming}), 100 users", found[naming], "names")
    return found


def bodies(bench: "Bench") -> Any:
    """Answers of 1 KB to 10 MB, which Python reads whole."""
    sizes = [1000 * 10**power for power in range(5)]
    samples = grow(
        bench,
        ["wrk", "locust HttpUser", "locust FastHttpUser", "cload HttpUser", "cload FastHttpUser", "cload C task"],
        sizes,
        lambda contender, _: contender,
        path=lambda size: f"/body-{size}",
        users=lambda size: 100 if size < 1_000_000 else 10,
    )
    show(
        "CPU per request by size of the body, 100 users (10 from 1 MB on)",
        samples,
        "bytes",
        ("MB/s", lambda size, rate: f"{size * rate / 1e6:,.0f}"),
    )
    return samples


def headers(bench: "Bench") -> Any:
    """Headers of the user's own, sent with each request."""

    def prepare(contender: Contender, count: int) -> Contender:
        if contender.name == "wrk":
            return with_headers(contender, [f"X-Header-{n}: twenty characters....." for n in range(count)])
        return with_file(contender, "get_with.py", HEADERS=count)

    samples = grow(bench, ["wrk", "locust HttpUser", "cload HttpUser"], [0, 10, 50], prepare)
    show("CPU per request by headers of the user, 100 users", samples, "headers")
    return samples


def cookies(bench: "Bench") -> Any:
    """Cookies in the user's jar, sent with each request."""

    def prepare(contender: Contender, count: int) -> Contender:
        if contender.name == "wrk":
            pairs = "; ".join(f"cookie{n}=twenty characters..." for n in range(count))
            return with_headers(contender, [f"Cookie: {pairs}"] if count else [])
        return with_file(contender, "get_with.py", COOKIES=count)

    samples = grow(bench, ["wrk", "locust HttpUser", "cload HttpUser"], [0, 10, 50], prepare)
    show("CPU per request by cookies in the jar, 100 users", samples, "cookies")
    return samples
