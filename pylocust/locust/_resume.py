"""What of a master's run is kept on disk, and how another process goes on with it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import _cload
import gevent

from . import runners
from ._distributed import Taken
from ._state import StateError, StateFile
from ._worker_nodes import WorkerNode, named
from .rpc import Message
from .runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING

if TYPE_CHECKING:
    from ._master import MasterRunner

logger = logging.getLogger("locust.runners")

# Workers of the run have _GRACE seconds to come back; then users are spread over those that did. If none has come back,
# the master waits for the first one, up to _PATIENCE seconds.
_GRACE = 8.0
_PATIENCE = 60.0
# For the last reports of a run that is over they have as long as a worker may need until it connects anew (_DEAFNESS),
# unless they gave up before: workers do that when they have had no master for MASTER_HEARTBEAT_TIMEOUT.
_LONGEST_RETURN = 25.0


class KeptRun:
    """A run in a file. Reports are written before they are confirmed, so what a worker believes taken is on disk."""

    def __init__(self, path: str, runner: MasterRunner) -> None:
        self._runner = runner
        self._file = StateFile(path)
        self._began = 0.0
        self._history_written = 0
        self._stats_began: float | None = None
        # Of the charts: their generation, and how many samples and marks of it are written; what another process kept.
        self._timeline_written = (-1, 0, 0.0)
        self._timeline: dict[str, Any] | None = None
        # Workers of the run that have not been heard of since this process began.
        self._awaited: set[str] = set()
        self._is_complete = False
        # Seconds since another process wrote last.
        self._age = 0.0
        self._resumed = time.monotonic()
        # Whether the run is over, but for what its workers have not reported.
        self.is_ending = False
        self.has_run = False
        records = self._file.read()
        if records:
            self._restore(records)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return max(0.0, time.time() - self._began)

    # Writing

    def _meta(self) -> Message:
        runner = self._runner
        environment = runner.environment
        data = {
            "began": self._began,
            "classes": sorted(runner.user_classes_by_name),
            "shape": type(environment.shape_class).__name__ if environment.shape_class is not None else None,
            "host": environment.host,
            "target": runner.target_user_count,
            "rate": runner.spawn_rate,
            "is_complete": runner.spawning_completed,
            "indexes": runner._indexes,
            "taken": {name: [taken.last, sorted(taken.early)] for name, taken in runner._taken.items()},
            "workers": {node.id: node.user_classes_count for node in runner.clients.all},
            "stop_timeout": environment.stop_timeout,
        }
        return Message("run", data, "")

    def _snapshot(self) -> None:
        runner = self._runner
        exceptions = [
            [row["count"], row["msg"], row["traceback"], sorted(row["nodes"])] for row in runner.exceptions.values()
        ]
        self._stats_began = runner.stats.start_time
        history = runner.stats._history
        self._history_written = history.merged_count + len(history)
        frames = [self._meta(), Message("history", history.since(0), ""), Message("exceptions", exceptions, "")]
        if self.is_ending:
            frames.append(Message("ending", None, ""))
        self._timeline_written = (-1, 0, 0.0)
        charts = self._new_charts()
        if charts is not None:
            frames.append(charts)
        self._file.replace([*(frame.serialize() for frame in frames), _cload.write_report(runner.stats)])

    def _new_charts(self) -> Message | None:
        """What the charts of the web application have that is not written."""
        timeline = self._runner.environment._timeline
        if timeline is None:
            return None
        last_mark = timeline.marks[-1]["time"] if timeline.marks else 0.0
        now = (timeline.generation, len(timeline), last_mark)
        if now == self._timeline_written:
            return None
        since = self._timeline_written[1] if self._timeline_written[0] == timeline.generation else 0
        self._timeline_written = now
        return Message("timeline", timeline.kept(since), "")

    def begin(self) -> None:
        """A test began."""
        self._began = time.time()
        self._awaited.clear()
        self.is_ending = False
        self.has_run = True
        self._snapshot()

    def end(self) -> None:
        """The test is over."""
        self.has_run = False
        self._awaited.clear()
        self._file.remove()

    def note_target(self) -> None:
        """Where the run is going, and who takes part."""
        self._file.append(self._meta().serialize())

    def note_ending(self) -> None:
        """The test is being stopped: only last reports are missing."""
        if self.has_run and not self.is_ending:
            self.is_ending = True
            self._file.append(Message("ending", None, "").serialize())

    def note_leave(self, client_id: str) -> None:
        """A worker has reported for the last time."""
        if self.has_run:
            self._file.append(Message("left", client_id, "").serialize())

    def note_report(self, client_id: str, number: int, frame: bytes) -> None:
        """A report was taken. Its sender's name is the connection's, not what it says itself."""
        self._file.append(Message("from", [client_id, number], "").serialize())
        self._file.append(frame)

    def note_exception(self, message: Message) -> None:
        """Somebody's code let an exception through."""
        self._file.append(message.serialize())

    def tick(self) -> None:
        """What changes without messages: samples of the history, and statistics that were reset."""
        if not self.has_run or not self._file.is_open:
            return
        stats = self._runner.stats
        if self._file.is_long or stats.start_time != self._stats_began:
            self._snapshot()
            return
        history = stats._history
        new = history.merged_count + len(history) - self._history_written
        if new > 0:
            self._file.append(Message("history", history.since(len(history) - new), "").serialize())
        self._history_written += new
        charts = self._new_charts()
        if charts is not None:
            self._file.append(charts.serialize())

    # Going on

    def is_awaited(self, client_id: str) -> bool:
        """Whether this worker was part of the run and has not come back yet."""
        node = self._runner.clients.get(client_id)
        return client_id in self._awaited and node is not None and node.state == STATE_MISSING

    def _restore(self, records: list[Message]) -> None:
        """Brings the runner to where the other process was."""
        runner = self._runner
        runner.stats.clear_all()
        runner.exceptions = {}
        meta: dict[str, Any] = {}
        taken: dict[str, Taken] = {}
        sender = ""
        self._age = self._file.age
        try:
            for record in records:
                if record.type == "run":
                    meta = record.data
                    for name, (last, early) in meta["taken"].items():
                        taken[name] = Taken(last, early)
                elif record.type == "ending":
                    self.is_ending = True
                elif record.type == "left":
                    meta["workers"].pop(record.data, None)
                elif record.type == "from":
                    sender, number = record.data
                    if number:
                        taken.setdefault(sender, Taken()).note(number)
                elif record.type == "stats":
                    _cload.merge_report(runner.stats, record.unread_frame or b"")
                elif record.type == "history":
                    runner.stats._history.extend(record.data)
                elif record.type == "timeline":
                    samples = self._timeline["samples"][: record.data["first"]] if self._timeline else []
                    self._timeline = record.data | {"samples": samples + record.data["samples"]}
                elif record.type == "exception":
                    runner.log_exception(record.node_id, record.data["msg"], record.data["traceback"])
                elif record.type == "exceptions":
                    for count, text, trace, nodes in record.data:
                        runner.exceptions[hash(trace)] = {
                            "count": count,
                            "msg": text,
                            "traceback": trace,
                            "nodes": set(nodes),
                        }
            self._take_meta(meta)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"The state in {self._file.path} is not understood: {error!r}") from error
        runner._taken = taken

    def _take_meta(self, meta: dict[str, Any]) -> None:
        runner = self._runner
        shape = runner.environment.shape_class
        here = [sorted(runner.user_classes_by_name), type(shape).__name__ if shape is not None else None]
        if [meta["classes"], meta["shape"]] != here:
            raise StateError(
                f"The state in {self._file.path} is of a test of {', '.join(meta['classes'])} and this is one of"
                f" {', '.join(here[0] or [])}: give it another file, or remove this one"
            )
        self._began = meta["began"]
        runner.environment.host = meta["host"]
        runner.environment.stop_timeout = meta["stop_timeout"]
        runner._indexes = meta["indexes"]
        runner.target_user_count = meta["target"]
        runner.spawn_rate = meta["rate"]
        self._is_complete = meta["is_complete"]
        for name in meta["workers"]:
            runner.clients[name] = WorkerNode(name, STATE_MISSING, 0)
        self._awaited = set(meta["workers"])
        self.has_run = True

    def resume_charts(self) -> None:
        """Gives the charts of the web application what another process had drawn."""
        timeline = self._runner.environment._timeline
        if timeline is not None and self._timeline is not None:
            timeline.go_on(self._timeline)
            self._timeline = None

    def resume(self) -> None:
        """Waits for the run's workers, makes their users the start of a dispatch, and goes on to the target."""
        runner = self._runner
        begin = self._resumed = time.monotonic()
        self._snapshot()
        while not self.is_ending and self._absent() and time.monotonic() - begin < _GRACE:
            gevent.sleep(0.05)
        while not self.is_ending and not runner._present() and time.monotonic() - begin < _PATIENCE:
            gevent.sleep(0.2)
        if self.is_ending or runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            return  # stopped in the meantime
        self._awaited.clear()
        if not runner._present():
            logger.error("No worker of the test came back within %.0f seconds, so it ends", _PATIENCE)
            runner.stop()
            return
        target, rate, shape = runner.target_user_count, runner.spawn_rate, runner.environment.shape_class
        present = runner.user_count
        if self._is_complete or shape is not None:
            present = target
        if present:
            runner.start(present, present)
        if shape is not None:
            shape.reset_time()
            shape.start_time -= self.elapsed
            runner.shape_greenlet = runner._spawn_own(runner.shape_worker)
        elif present != target or not present:
            runner.start(target, rate)
        else:
            runner.spawn_rate = rate

    @property
    def is_awaiting(self) -> bool:
        """Whether workers of the run may still come back to this process."""
        return bool(self._absent())

    def _absent(self) -> list[str]:
        return [client_id for client_id in self._awaited if self.is_awaited(client_id)]

    def await_workers(self) -> None:
        """Before the run ends: waits for its workers, if this process has not heard of them yet, since nobody else
        takes their last reports."""
        self.note_ending()
        left = runners.MASTER_HEARTBEAT_TIMEOUT + _GRACE - self._age
        wait = max(_GRACE, min(left, _LONGEST_RETURN + _GRACE))
        absent = self._absent()
        if absent:
            logger.info(
                "The test is over, but %d of its workers are not back yet: waiting up to %.0f s for their last reports",
                len(absent),
                wait,
            )
        while absent and time.monotonic() - self._resumed < wait:
            gevent.sleep(0.05)
            absent = self._absent()
        if absent:
            logger.warning(
                "%d workers of the test did not come back (%s): what they measured after their last reports may be"
                " missing",
                len(absent),
                named(sorted(absent)),
            )
        self._awaited.clear()
