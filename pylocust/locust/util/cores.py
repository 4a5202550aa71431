"""How many cores this process may use, also in a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def _quotas(root: Path) -> Iterator[float]:
    """The cores that each control group around this process grants."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base = root / "sys/fs/cgroup"
        elif "cpu" in controllers.split(","):
            base = root / "sys/fs/cgroup" / controllers
        else:
            continue
        # A container may see its own group at the top, whatever it is called outside.
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            yield from _quota(folder, is_second_version=not controllers)
            if folder == base:
                break


def _quota(folder: Path, is_second_version: bool) -> Iterator[float]:
    try:
        if is_second_version:
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        if quota != "max" and int(quota) > 0:
            yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that the affinity of this process allows, or as many whole ones as its control groups grant, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, *(int(quota) for quota in _quotas(root)), count))
