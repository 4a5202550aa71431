"""Spreading users over workers in steps: Locust's dispatcher interface over the core's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import _cload
import gevent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    class Worker(Protocol):
        """What the dispatcher wants to know of a worker."""

        @property
        def id(self) -> str: ...

    class UserClass(Protocol):
        """What the dispatcher wants to know of a user class."""

        weight: float
        fixed_count: int


__all__ = ["UsersDispatcher"]

# What the core counts to; no ramp gets there.
_MOST_USERS = 2**32 - 1


class UsersDispatcher(Iterator[dict[str, dict[str, int]]]):
    """Yields, step by step, how many users of each class every worker shall run.

    Iterating waits between the steps so that the spawn rate is kept; the counts are absolute.
    """

    def __init__(self, worker_nodes: Sequence[Worker], user_classes: Sequence[type[UserClass]]) -> None:
        self._classes = sorted(user_classes, key=_name_of)
        self._indices = {user_class.__name__: index for index, user_class in enumerate(self._classes)}
        self._core = _cload.Dispatcher(
            tuple((user_class.__name__, *_shares(user_class)) for user_class in self._classes),
            tuple(worker.id for worker in worker_nodes),
        )
        self._durations: list[float] = []
        # Seconds from the begin of a step to that of the next.
        self._wait_between_dispatch = 0.0

    def new_dispatch(
        self,
        target_user_count: int,
        spawn_rate: float,
        user_classes: Iterable[type[UserClass]] | None = None,
    ) -> None:
        """Begin a dispatch from the present distribution to `target_user_count` users at `spawn_rate` users/s.

        With `user_classes`, new users come from these classes only.
        """
        if target_user_count < 0:
            raise ValueError(f"the user count must not be negative: {target_user_count}")
        if not (math.isfinite(spawn_rate) and spawn_rate > 0):
            raise ValueError(f"the spawn rate must be a finite number above 0: {spawn_rate}")
        indices = None if user_classes is None else tuple({self._indices[c.__name__]: None for c in user_classes})
        self._read_classes()
        self._core.start(min(int(target_user_count), _MOST_USERS), float(spawn_rate), indices)
        self._durations.clear()
        self._wait_between_dispatch = max(1, math.floor(spawn_rate)) / spawn_rate

    def __next__(self) -> dict[str, dict[str, int]]:
        state = self._core.advance()
        while isinstance(state, tuple):
            elapsed, has_pause = state
            self._durations.append(elapsed)
            if has_pause:
                gevent.sleep(max(0.0, self._wait_between_dispatch - elapsed))
            state = self._core.advance()
        if state is None:
            raise StopIteration
        return state

    def add_worker(self, worker_node: Worker) -> None:
        """Redistribute all users, the worker included, with the next step."""
        self._read_classes()
        self._core.add_worker(worker_node.id)

    def remove_worker(self, worker_node: Worker) -> None:
        """Redistribute all users over the workers that are left with the next step."""
        self._read_classes()
        self._core.remove_worker(worker_node.id)

    def get_current_user_count(self) -> int:
        """Users in the present distribution."""
        return self._core.user_count

    @property
    def dispatch_in_progress(self) -> bool:
        """Whether a dispatch has begun and not come to its end."""
        return self._core.is_dispatching

    @property
    def _rebalance(self) -> bool:
        return self._core.is_rebalanced

    @property
    def dispatch_iteration_durations(self) -> list[float]:
        """Seconds from each step's start to the caller's next call, pauses left out."""
        return self._durations

    def _read_classes(self) -> None:
        # Weights and fixed counts are plain class attributes that the web interface and listeners may change.
        for index, user_class in enumerate(self._classes):
            self._core.set_class(index, *_shares(user_class))


def _shares(user_class: type[UserClass]) -> tuple[float, int]:
    try:
        return float(user_class.weight), int(user_class.fixed_count or 0)
    except (TypeError, ValueError):
        raise ValueError(
            f"weight and fixed_count of {user_class.__name__} have to be numbers, not {user_class.weight!r} and"
            f" {user_class.fixed_count!r}"
        ) from None


def _name_of(user_class: type[UserClass]) -> str:
    return user_class.__name__
