"""Header lines of FastHttpUser."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, ValuesView
from typing import Any

ACCEPT_ENCODING_LINE = ("Accept-Encoding", "gzip, deflate, br")


class Headers(dict[str, Any]):
    """Header lines by name, in any case. A name with several lines has a list of values; items() gives each line."""

    def __init__(self, headers: Any = None, **more: Any) -> None:
        super().__init__()
        for source in (headers, more):
            for name, value in _lines(source):
                self.add(name, value)

    def __getitem__(self, name: str) -> Any:
        values = [value for _, value in super().__getitem__(name.lower())]
        return values[0] if len(values) == 1 else values

    def __setitem__(self, name: str, value: Any) -> None:
        values = value if isinstance(value, (list, tuple)) else [value]
        super().__setitem__(name.lower(), [(name, item) for item in values])
        self._changed()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())
        self._changed()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def __len__(self) -> int:
        return sum(map(len, super().values()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return False
        return sorted((n.lower(), v) for n, v in self.items()) == sorted((n.lower(), v) for n, v in _lines(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.compatible_dict()})"

    def __str__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.items())

    def _changed(self) -> None:
        """Told after each change."""

    def add(self, name: str, value: Any) -> None:
        """Append a line, whatever is there already."""
        for item in value if isinstance(value, (list, tuple)) else [value]:
            super().setdefault(name.lower(), []).append((name, item))
        self._changed()

    def extend(self, *args: Any, **more: Any) -> None:
        """Append the lines of another mapping or of pairs."""
        for source in (*args, more):
            for name, value in _lines(source):
                self.add(name, value)

    def update(self, *args: Any, **more: Any) -> None:
        """Replace the values of all names that the other has."""
        for source in (*args, more):
            merged: dict[str, tuple[str, list[Any]]] = {}
            for name, value in _lines(source):
                merged.setdefault(name.lower(), (name, []))[1].append(value)
            for name, values in merged.values():
                self[name] = values[0] if len(values) == 1 else values

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - it is what get() does

    def pop(self, name: str, *default: Any) -> Any:
        if name not in self and default:
            return default[0]
        value = self[name]
        del self[name]
        return value

    def discard(self, name: str) -> None:
        """Remove a name that need not be there."""
        self.pop(name, None)

    def setdefault(self, name: str, default: Any = "") -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        for lines in super().values():
            yield from lines

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        return ValuesView(self)

    def getlist(self, name: str) -> list[Any]:
        """All values of a name."""
        return [value for _, value in super().get(name.lower(), [])]

    getheaders = getallmatchingheaders = getlist

    def get_all(self, name: str, failobj: Any = None) -> Any:
        return self.getlist(name) or failobj

    def itermerged(self) -> Iterator[tuple[str, str]]:
        """Each name once, its values joined by commas."""
        for lines in super().values():
            yield lines[0][0], ", ".join(str(value) for _, value in lines)

    def iterlower(self) -> Iterator[tuple[str, Any]]:
        for name, value in self.items():
            yield name.lower(), value

    def compatible_dict(self) -> dict[str, str]:
        return dict(self.itermerged())

    def copy(self) -> Headers:
        return Headers(self)

    def __reduce__(self) -> Any:
        return Headers, (list(self.items()),)


def _lines(source: Any) -> list[tuple[str, Any]]:
    if source is None:
        return []
    if isinstance(source, Headers):
        return list(source.items())
    if isinstance(source, Mapping):
        return list(source.items())
    return list(source)


class DefaultHeaders(Headers):
    """Default headers of a session, which learns of changes."""

    def __init__(self, session: Any, pairs: list[tuple[bytes, bytes]]) -> None:
        self._session: Any = None
        lines = [(name.decode("latin1"), value.decode("latin1")) for name, value in pairs]
        super().__init__([line for line in lines if line != ACCEPT_ENCODING_LINE])
        self._session = session

    def _changed(self) -> None:
        if self._session is not None:
            self._session._set_headers(header_pairs(dict([ACCEPT_ENCODING_LINE, *self.itermerged()])))


def header_pairs(headers: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(_latin(name), _latin(value)) for name, value in checked(headers).items()]


def _latin(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin1")


def checked(headers: Any) -> dict[str, Any]:
    """Of a mapping or of pairs, as they can be sent; ValueError for what would break the request. Of names that differ
    in case only the last counts; values of a list are one line."""
    plain: dict[str, tuple[str, Any]] = {}
    for name, value in _lines(headers):
        if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name):
            raise ValueError(f"invalid header field name {name!r}")
        values = value if isinstance(value, (list, tuple)) else [value]
        texts = [item.decode("latin1") if isinstance(item, bytes) else str(item) for item in values]
        text = ", ".join(texts).strip(" \t")
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", text):
            raise ValueError(f"invalid value for header field {name!r}: {value!r}")
        plain.pop(name.lower(), None)
        if values:
            plain[name.lower()] = name, text if text.isascii() else text.encode("latin1")
    return dict(plain.values())


def basic_auth(user: Any, password: Any) -> str:
    return "Basic " + base64.b64encode(_latin(user) + b":" + _latin(password)).decode("ascii")
