"""The samples that `stats.history` is: as numbers side by side until somebody asks for the list itself."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import Any

HISTORY_MOST = 4000
"""So many samples a run keeps (five and a half hours); beyond, old neighbours are merged into a quarter of that."""
_LEFT_ALONE = 100

Sample = dict[str, Any]


def _merged(group: list[Sample]) -> Sample:
    """Neighbours as one: of rates the mean, of users the last number, of times the worst."""
    if len(group) == 1:
        return group[0]
    now = group[-1]["time"]
    sample = {}
    for name in group[-1]:
        if name == "time":
            sample[name] = now
            continue
        values = [one[name][1] for one in group if name in one]
        if name.startswith("response_time_percentile"):
            value = max(values)
        elif name == "user_count":
            value = values[-1]
        else:
            value = round(sum(values) / len(values), 3)
        sample[name] = [now, value]
    return sample


def thinned(history: list[Sample], most: int) -> list[Sample]:
    """So many samples at most, those of equal spans of time merged. None is lost: each counts in one of them."""
    if len(history) <= most:
        return history
    times = [datetime.fromisoformat(sample["time"]).timestamp() for sample in history]
    # The clock may have been set: what matters is that it goes on, and that the last sample is in a group.
    begin = min(times)
    span = (max(times) - begin) / most or 1
    groups: dict[int, list[Sample]] = {}
    for time, sample in zip(times, history, strict=True):
        groups.setdefault(min(int((time - begin) / span), most - 1), []).append(sample)
    return [_merged(group) for group in groups.values()]


class History:
    """Samples in the order they were taken. As dictionaries of lists, which is what Locust's users see, one is 1.1 KB;
    here 70 bytes, until a script asks for the list. From then on that list is the history, whatever the script does."""

    def __init__(self) -> None:
        self._empty()
        self._list: list[Sample] | None = None
        # How many samples are no longer there because they were merged with others.
        self.merged_count = 0

    def _empty(self) -> None:
        self._names: tuple[str, ...] | None = None
        self._times = bytearray()
        self._values = array("d")
        # A bit for each of a sample's values: it is a whole number, and shown as such.
        self._whole = array("H")

    def __len__(self) -> int:
        return len(self._whole) if self._list is None else len(self._list)

    def add(self, sample: Sample) -> None:
        if self._list is None and not self._pack(sample):
            self.as_list()
        if self._list is not None:
            self._list.append(sample)
        if len(self) > HISTORY_MOST:
            self._thin()

    def extend(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            self.add(sample)

    def _pack(self, sample: Sample) -> bool:
        names = tuple(name for name in sample if name != "time")
        time = sample["time"].encode()
        values = [sample[name][1] for name in names]
        if self._names is None:
            self._names = names
        if names != self._names or len(time) != _TIME_BYTES or len(names) > 16 or not _are_numbers(values):
            return False
        self._times += time
        self._values.extend(values)
        self._whole.append(sum(1 << place for place, value in enumerate(values) if isinstance(value, int)))
        return True

    def since(self, first: int) -> list[Sample]:
        """Copies of the samples from that one on."""
        if self._list is not None:
            return self._list[first:]
        names = self._names or ()
        samples = []
        for number in range(first, len(self._whole)):
            now = self._times[number * _TIME_BYTES : (number + 1) * _TIME_BYTES].decode()
            whole = self._whole[number]
            values = self._values[number * len(names) : (number + 1) * len(names)]
            sample: Sample = {
                name: [now, int(value) if whole >> place & 1 else value]
                for place, (name, value) in enumerate(zip(names, values, strict=True))
            }
            sample["time"] = now
            samples.append(sample)
        return samples

    @property
    def last_time(self) -> str | None:
        """When the last sample was taken."""
        last = self.since(len(self) - 1) if len(self) else []
        return last[0]["time"] if last else None

    def as_list(self) -> list[Sample]:
        """The history as a list, which it is from now on."""
        if self._list is None:
            self.replace(self.since(0))
        return self._list  # type: ignore[return-value]

    def replace(self, samples: list[Sample]) -> None:
        """That list is the history now."""
        self._list = samples
        self._empty()

    def _thin(self) -> None:
        before = len(self)
        samples = self.since(0)
        try:
            fewer = thinned(samples[:-_LEFT_ALONE], HISTORY_MOST // 4) + samples[-_LEFT_ALONE:]
        except (KeyError, TypeError, ValueError):
            return  # samples of a script's own, which knows how many it wants
        if self._list is not None:
            self._list[:] = fewer
        else:
            self._empty()
            for sample in fewer:
                self._pack(sample)
        self.merged_count += before - len(self)


_TIME_BYTES = len("2026-01-01T00:00:00Z")


def _are_numbers(values: list[Any]) -> bool:
    return all(type(value) is float or (type(value) is int and abs(value) < 1 << 53) for value in values)
