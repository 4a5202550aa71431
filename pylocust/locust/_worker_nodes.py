"""What a master knows of its workers. A runner without any is a worker of its own."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence, ValuesView

from .runners import (
    HEARTBEAT_LIVENESS,
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
)

# Of workers in one line of the log.
_MOST_NAMED = 8


def named(client_ids: Sequence[str]) -> str:
    """These workers in a line of the log, the first few of them."""
    return ", ".join([*client_ids[:_MOST_NAMED], *["..."] * (len(client_ids) > _MOST_NAMED)])


class WorkerNode:
    """What a master knows of a worker."""

    def __init__(self, id: str, state: str = STATE_INIT, heartbeat_liveness: int = HEARTBEAT_LIVENESS) -> None:
        self.id = id
        self.state = state
        self.heartbeat = heartbeat_liveness
        self.cpu_usage: float = 0
        self.cpu_warning_emitted = False
        self.memory_usage = 0
        # Users the worker reported, by the name of their class.
        self.user_classes_count: dict[str, int] = {}

    @property
    def user_count(self) -> int:
        """Users the worker reported."""
        return sum(self.user_classes_count.values())


class WorkerNodes(MutableMapping[str, WorkerNode]):
    """A master's workers by id."""

    def __init__(self) -> None:
        self._worker_nodes: dict[str, WorkerNode] = {}

    def get_by_state(self, state: str) -> list[WorkerNode]:
        """The workers in a state."""
        return [node for node in self._worker_nodes.values() if node.state == state]

    @property
    def all(self) -> ValuesView[WorkerNode]:
        """Every worker."""
        return self.values()

    @property
    def ready(self) -> list[WorkerNode]:
        """Workers that wait for a test."""
        return self.get_by_state(STATE_INIT)

    @property
    def spawning(self) -> list[WorkerNode]:
        """Workers in a ramp."""
        return self.get_by_state(STATE_SPAWNING)

    @property
    def running(self) -> list[WorkerNode]:
        """Workers with all their users running."""
        return self.get_by_state(STATE_RUNNING)

    @property
    def missing(self) -> list[WorkerNode]:
        """Workers that have not been heard of for too long."""
        return self.get_by_state(STATE_MISSING)

    def __getitem__(self, k: str) -> WorkerNode:
        return self._worker_nodes[k]

    def __setitem__(self, k: str, v: WorkerNode) -> None:
        self._worker_nodes[k] = v

    def __delitem__(self, k: str) -> None:
        del self._worker_nodes[k]

    def __iter__(self) -> Iterator[str]:
        return iter(self._worker_nodes)

    def __len__(self) -> int:
        return len(self._worker_nodes)
