"""Failures as scripts see them: `environment.stats.errors` and what is in it, over the core's table."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, TypedDict

import _cload

from .exception import CatchResponseError

if TYPE_CHECKING:
    from .stats import RequestStats

# Of more kinds than these only the texts are kept: exceptions may hold whole responses.
KEPT_EXCEPTIONS = 1000


class StatsBaseDict(TypedDict):
    name: str
    method: str


class StatsErrorDict(StatsBaseDict):
    error: str
    occurrences: int
    first_seen: float | None
    last_seen: float | None


class _Count:
    """An attribute that is the table's while the failure is in it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, error: StatsError | None, owner: type) -> Any:
        if error is None:
            return self
        if error._table is not None:
            error._table._read(error)
        return error.__dict__[self._name]

    def __set__(self, error: StatsError, value: Any) -> None:
        if error._table is not None:
            error._table._read(error)
        error.__dict__[self._name] = value
        if error._table is not None:
            error._table._write(error)


class StatsError:
    """One kind of failure of one entry. Out of `stats.errors` it follows the run until it is dropped there."""

    # The table it is in, and whether it came in a worker's report: then its text is all there is.
    __slots__ = ("__dict__", "__weakref__", "_is_remote", "_key", "_table")

    method: str
    name: str
    error: Exception | str | None
    occurrences = _Count("occurrences")
    first_seen = _Count("first_seen")
    last_seen = _Count("last_seen")

    def __init__(
        self,
        method: str,
        name: str,
        error: Exception | str | None,
        occurrences: int = 0,
        first_seen: float | None = None,
        last_seen: float | None = None,
    ) -> None:
        self._table: ErrorsDict | None = None
        self._key = ""
        self._is_remote = True
        self.method = method
        self.name = name
        self.error = error
        self.__dict__.update(occurrences=occurrences, first_seen=first_seen, last_seen=last_seen)

    @classmethod
    def parse_error(cls, error: Exception | str | None) -> str:
        """The text that failures are told apart by: without the addresses of objects."""
        text = error if isinstance(error, str) else repr(error)
        mark = "object at "
        start = text.find(mark + "0x")
        end = text.find(">", start)
        if start < 0 or end < 0:
            return text
        return text.replace(text[start + len(mark) : end], "0x....")

    @classmethod
    def create_key(cls, method: str, name: str, error: Exception | str | None) -> str:
        key = f"{method}.{name}.{cls.parse_error(error)!r}"
        return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()

    def occurred(self) -> None:
        now = time.time()
        if self.first_seen is None:
            self.first_seen = now
        self.occurrences += 1
        self.last_seen = now

    def to_name(self) -> str:
        if isinstance(self.error, CatchResponseError):
            text = self.error.args[0]
        else:
            plain = self.error if isinstance(self.error, str) else repr(self.error)
            text = _cload.Stats._failure_text(plain, self._is_remote)
        return f"{self.method} {self.name}: {text}"

    def serialize(self) -> StatsErrorDict:
        return {
            "name": self.name,
            "method": self.method,
            "error": self.parse_error(self.error),
            "occurrences": self.occurrences,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
        }

    @classmethod
    def unserialize(cls, data: StatsErrorDict) -> StatsError:
        return cls(
            data["method"],
            data["name"],
            data["error"],
            data["occurrences"],
            data.get("first_seen"),
            data.get("last_seen"),
        )

    def to_dict(self) -> dict[str, Any]:
        fields = ("method", "name", "error", "occurrences", "first_seen", "last_seen")
        serialized = self.serialize()
        return {field: serialized[field] for field in fields}  # type: ignore[literal-required]

    def __reduce__(self) -> Any:
        values = (self.method, self.name, self.error, self.occurrences, self.first_seen, self.last_seen)
        own = {name: value for name, value in self.__dict__.items() if name not in _FIELDS}
        return (type(self), values, own) if own else (type(self), values)


_FIELDS = ("method", "name", "error", "occurrences", "first_seen", "last_seen")


class ErrorsDict(MutableMapping[str, StatsError]):
    """The failures by key, in order of first occurrence."""

    def __init__(self, stats: RequestStats) -> None:
        self._stats = stats
        self._epoch = -1
        self._seen = 0
        self._places: dict[str, int] = {}
        # What was asked for so far.
        self._errors: dict[str, StatsError] = {}
        # Keys of a script's own, by those that would be ours.
        self._names: dict[str, str] = {}
        # By method, name and text.
        self._exceptions: dict[tuple[str, str, str], Exception | None] = {}

    def _current(self) -> dict[str, int]:
        """The place in the table by key. Keys are expensive, so only those of new rows are made."""
        epoch, count = self._stats._failure_state()
        if epoch != self._epoch:
            self._epoch, self._seen, self._places = epoch, 0, {}
        for place in range(self._seen, count):
            method, name, text = self._stats._failure(place)[:3]
            key = StatsError.create_key(method, name, text)
            self._places.setdefault(self._names.get(key, key), place)
        self._seen = count
        return self._places

    def _keep(self, method: str, name: str, text: str, exception: Exception | None) -> None:
        """The exception of a kind of failure that is new."""
        if len(self._exceptions) < KEPT_EXCEPTIONS:
            self._exceptions.setdefault((method, name, text), exception)

    def _read(self, error: StatsError) -> None:
        counts = self._stats._failure(self._current()[error._key])[3:6]
        error.__dict__.update(zip(("occurrences", "first_seen", "last_seen"), counts, strict=True))

    def _write(self, error: StatsError) -> None:
        now = time.time()
        first, last = error.__dict__["first_seen"], error.__dict__["last_seen"]
        self._stats._set_failure(
            self._current()[error._key],
            error.__dict__["occurrences"],
            now if first is None else first,
            now if last is None else last,
        )

    @property
    def _is_looked_at(self) -> bool:
        """Whether scripts have objects of rows, which they may have changed, or keys of their own."""
        return bool(self._errors or self._names)

    def _let_go(self, error: StatsError) -> None:
        """What it says now it says for good."""
        self._read(error)
        error._table = None

    def _let_go_of_all(self) -> None:
        """Before the table is emptied."""
        for error in self._errors.values():
            self._let_go(error)
        self._errors.clear()
        self._exceptions.clear()
        self._names.clear()

    def __getitem__(self, key: str) -> StatsError:
        error = self._errors.get(key)
        if error is None:
            method, name, text, count, first, last, is_remote = self._stats._failure(self._current()[key])
            shown = self._exceptions.get((method, name, text), text)
            error = self._errors[key] = StatsError(method, name, shown, count, first, last)
            error._is_remote, error._key, error._table = is_remote, key, self
        return error

    def __setitem__(self, key: str, error: StatsError) -> None:
        if self._errors.get(key) is error:
            return
        text = StatsError.parse_error(error.error)
        known = StatsError.create_key(error.method, error.name, text)
        if key != known:
            self._names[known] = key
            self._epoch = -1
        if key in self._errors:
            self._let_go(self._errors.pop(key))
        if key not in self._current():
            self._stats._add_failure(error.method, error.name, text, 0, 0.0, 0.0, error._is_remote)
        error._key, error._table = key, self
        self._write(error)
        self._errors[key] = error

    def __delitem__(self, key: str) -> None:
        place = self._current()[key]
        method, name, text = self._stats._failure(place)[:3]
        error = self._errors.pop(key, None)
        if error is not None:
            self._let_go(error)
        self._exceptions.pop((method, name, text), None)
        self._names.pop(StatsError.create_key(method, name, text), None)
        self._stats._remove_failure(place)

    def clear(self) -> None:
        self._let_go_of_all()
        self._stats._clear_failures()

    def copy(self) -> dict[str, StatsError]:
        return dict(self)

    def __reduce__(self) -> Any:
        # A copy is the plain dictionary that it is in Locust.
        return dict, (list(self.items()),)

    def __contains__(self, key: object) -> bool:
        return key in self._current()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._current()))

    def __len__(self) -> int:
        return len(self._current())

    def __repr__(self) -> str:
        return repr(dict(self))
