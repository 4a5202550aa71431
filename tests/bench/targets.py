"""What was aimed at, and what a run measured: one table at the end, of the parts that ran."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from measure import Sample, median_of, table

Results = dict[str, Any]
"""By part, as bench.py keeps them."""


@dataclass(frozen=True)
class Row:
    work: str
    target: str
    measured: str
    is_met: bool


def at_least(work: str, measured: float, least: float, unit: str, form: str = ".2f") -> Row:
    return Row(work, f">= {least:,} {unit}".rstrip(), f"{measured:,{form}}", measured >= least)


def at_most(work: str, measured: float, most: float, unit: str, form: str = ".2f") -> Row:
    return Row(work, f"<= {most:,} {unit}", f"{measured:,{form}}", measured <= most)


def http(samples: dict[str, list[Sample]]) -> Iterator[Row]:
    rates = {name: median_of(runs, "rate") for name, runs in samples.items()}
    aims = [("wrk", 0.7), ("locust HttpUser", 45), ("locust FastHttpUser", 12), ("k6", 6), ("goose", 3)]
    for name, least in aims:
        if {name, "cload HttpUser"} <= rates.keys():
            work = f"HttpUser, 100 users, requests/s beside {name}"
            yield at_least(work, rates["cload HttpUser"] / rates[name], least, f"x {name}")
    if {"wrk", "cload C task"} <= rates.keys():
        yield at_least("C task, requests/s beside wrk", rates["cload C task"] / rates["wrk"], 0.9, "x wrk")


def https(samples: dict[str, list[Sample]]) -> Iterator[Row]:
    for name, least in (("cload HttpUser", 0.7), ("cload C task", 0.85)):
        if {"wrk", name} <= samples.keys():
            ratio = median_of(samples[name], "rate") / median_of(samples["wrk"], "rate")
            yield at_least(f"HTTPS: {name.removeprefix('cload ')}, requests/s beside wrk", ratio, least, "x wrk")


def users(samples: dict[str, dict[int, list[Sample]]]) -> Iterator[Row]:
    by_step = samples.get("cload HttpUser", {})
    if {100, 10_000} <= by_step.keys():
        ratio = median_of(by_step[10_000], "cpu_us") / median_of(by_step[100], "cpu_us")
        yield at_most("HttpUser, CPU per request with 10,000 users", ratio, 1.5, "x that with 100")


def memory(found: dict[str, list[float]]) -> Iterator[Row]:
    if sizes := found.get("cload HttpUser HTTP"):
        yield at_most("HttpUser that waits, connection open", statistics.median(sizes), 4, "KB", ".1f")
    if sizes := found.get("cload HttpUser HTTPS"):
        yield at_most("the same over HTTPS", statistics.median(sizes), 20, "KB", ".1f")


def loop(found: dict[str, list[float]]) -> Iterator[Row]:
    if rates := found.get("cload"):
        yield at_least("empty task loop, iterations/s", statistics.median(rates), 1_000_000, "", ".0f")


def spawn(found: dict[str, list[dict[str, float]]]) -> Iterator[Row]:
    for kind in ("User", "HttpUser", "FastHttpUser"):
        if runs := found.get(f"cload {kind}"):
            seconds = statistics.median(run["spawn"] for run in runs)
            yield at_most(f"20,000 users spawned, {kind}, seconds", seconds, 0.1, "s", ".3f")


def half(found: dict[str, list[dict[str, Any]]]) -> Iterator[Row]:
    for name, runs in found.items():
        for place, (what, most) in enumerate((("median", 2.0), ("99 %", 10.0))):
            if runs:
                off = statistics.median(abs(run["reported"][place] / run["wire"][place] - 1) * 100 for run in runs)
                work = f"reported {what} of a 20 ms server, 400 users, {name}"
                yield at_most(work, off, most, "% off the truth", ".1f")


def start(found: dict[str, dict[str, list[float]]]) -> Iterator[Row]:
    if times := found.get("cload"):
        yield at_most("cload --version", statistics.median(times["version"]), 0.15, "s")
        yield at_most("to the first request", statistics.median(times["first request"]), 0.5, "s")


def soak(found: dict[str, Any]) -> Iterator[Row]:
    if found["seen"]:
        work = f"memory after {found['minutes']} minutes without end, since the first minutes"
        yield at_most(work, found["grown_percent"], 1, "% more")


PARTS: dict[str, Callable[[Any], Iterator[Row]]] = {
    "http": http,
    "users": users,
    "https": https,
    "memory": memory,
    "loop": loop,
    "spawn": spawn,
    "half": half,
    "start": start,
    "soak": soak,
}


def show(results: Results) -> list[Row]:
    rows = [row for part, read in PARTS.items() if results.get(part) for row in read(results[part])]
    if rows:
        cells = [[row.work, row.target, row.measured, "yes" if row.is_met else "NO"] for row in rows]
        table("Targets", ["", "target", "measured", "met"], cells)
    return rows
