"""A worker with a master played by hand."""

import contextlib
import re
import socket
import time
from typing import Any

import gevent
import pytest
from hands import VERSION, A, HandMaster, environment, job, spoiled_frames, until
from locust import User, runners, task
from locust.exception import RPCError
from locust.rpc import Client, Message
from locust.runners import WorkerRunner
from servers import free_port

pytestmark = pytest.mark.usefixtures("quick_fleet")


def test_what_a_worker_says_first(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-14, DST-15, DST-18, API-143."""
    assert worker.worker_index == 7
    until(lambda: hand_master.of("stats") and hand_master.of("heartbeat"))
    assert hand_master.of("client_ready") == [VERSION]
    assert hand_master.of("heartbeat")[0]["state"] == "ready"
    report = hand_master.of("stats")[0]
    assert report["stats"] == [] and report["errors"] == {} and report["user_count"] == 0
    assert report["user_classes_count"] == {"A": 0, "B": 0}
    with pytest.raises(NotImplementedError):
        worker.start(1, 1)


def test_a_worker_in_a_test(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-16, DST-17, DST-26 to DST-28, DST-46, DST-52, DST-53."""
    events: list[str] = []
    for name in ("test_start", "spawning_complete", "test_stopping", "test_stop"):
        getattr(worker.environment.events, name).add_listener(lambda _name=name, **_: events.append(_name))
    me = worker.client_id
    hand_master.send("spawn", job(1.0, A=2, B=0), me)
    until(lambda: hand_master.of("spawning_complete"))
    assert hand_master.of("spawning_complete") == [{"user_classes_count": {"A": 2, "B": 0}, "user_count": 2}]
    assert worker.environment.host == A.host == "http://h"
    options = worker.environment.parsed_options
    assert options.mine == 5 and options.tags == ["t"] and options.num_users is None
    hand_master.send("spawn", job(1.0, A=0, B=0), me)
    hand_master.send("spawn", job(2.0, A=1, B=2), me)
    until(lambda: len(hand_master.of("spawning_complete")) == 2)
    assert len(hand_master.of("spawning")) == 3, "also for the one that was discarded"
    assert worker.user_classes_count == {"A": 1, "B": 2}
    hand_master.send("spawning_complete", {"user_count": 3}, me)
    until(lambda: worker.state == "running")
    hand_master.send("stop", None, me)
    until(lambda: len(hand_master.of("client_ready")) == 2)
    assert hand_master.of("client_stopped") == [None] and worker.user_count == 0
    assert events == ["test_start", "spawning_complete", "test_stopping", "test_stop"]
    hand_master.send("spawn", job(1.5, A=1, B=0), me)
    until(lambda: len(hand_master.of("spawning_complete")) == 3)
    assert events[-1] == "test_start", "also with the earlier time of another master's clock"
    A.host = None


def test_the_order_in_which_a_worker_hears(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-26, DST-27, DST-53: no users, and a listener that takes its time. An empty host is none."""
    order: list[str] = []

    def begin(**_: Any) -> None:
        order.append("test_start")
        until(lambda: "own" in order)
        gevent.sleep(0.05)
        order.append("ready")

    worker.environment.events.test_start.add_listener(begin)
    worker.environment.events.spawning_complete.add_listener(lambda **_: order.append("spawning_complete"))
    worker.register_message("own", lambda **_: order.append("own"))
    hand_master.send("spawn", job(1.0, A=0, B=0) | {"host": ""}, worker.client_id)
    hand_master.send("own", None, worker.client_id)
    hand_master.send("spawning_complete", {"user_count": 0}, worker.client_id)
    until(lambda: "spawning_complete" in order)
    assert order == ["test_start", "own", "ready", "spawning_complete"]
    assert A.host is None


@pytest.mark.parametrize("is_answering", [True, False])
def test_a_worker_waits_for_its_master(
    hand_master: HandMaster, worker: WorkerRunner, monkeypatch: pytest.MonkeyPatch, is_answering: bool
) -> None:
    """DST-29: it leaves when the heartbeat behind its last report was answered, or when that takes too long. Users that
    the master wants meanwhile (DST-57: those of another one that left) would be in no report."""
    monkeypatch.setattr("locust._worker._FAREWELL_OF_OTHERS", 600 if is_answering else 0.05)
    hand_master.is_answering = False
    gevent.spawn(worker.quit)
    if is_answering:
        gevent.sleep(0.05)
        assert not hand_master.of("quit")
        hand_master.send("spawn", job(1.0, A=2, B=0), worker.client_id)
        for _ in hand_master.of("heartbeat"):
            hand_master.send("heartbeat", None, worker.client_id)
        hand_master.is_answering = True
    until(lambda: hand_master.of("quit"))
    kinds = [message.type for message in hand_master.got]
    assert "heartbeat" in kinds[-kinds[::-1].index("stats") :] and kinds[-1] == "quit"
    assert "spawning" not in kinds and worker.user_count == 0


def test_an_unknown_class_is_an_error(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-54."""
    hand_master.send("spawn", job(1.0, A=1, Zebra=1), worker.client_id)
    until(lambda: hand_master.of("spawning"))
    until(lambda: worker.spawning_greenlet is not None and worker.spawning_greenlet.ready())
    assert "Zebra" in str(worker.spawning_greenlet.exception)


def test_a_worker_quits_for_its_master(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-29, EVT-33."""
    hand_master.send("spawn", job(1.0, A=1, B=0), worker.client_id)
    until(lambda: worker.user_count == 1)
    hand_master.send("quit", None, worker.client_id)
    worker.greenlet.join(60)
    until(lambda: hand_master.of("quit"))
    kinds = [message.type for message in hand_master.got]
    assert kinds.count("quit") == 1 and kinds.index("quit") > len(kinds) - 1 - kinds[::-1].index("stats")


def test_a_worker_reconnects(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-31."""
    before = worker.client
    hand_master.send("reconnect", None, worker.client_id)
    until(lambda: worker.client is not before)
    count = len(hand_master.of("heartbeat"))
    until(lambda: len(hand_master.of("heartbeat")) > count + 2)


def test_spoiled_frames_at_a_worker(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """A master that talks nonsense is no reason for a worker to end, or not to do what the next message says."""
    kinds = ("ack", "spawn", "spawning_complete", "heartbeat", "update_user_class", "cload_register", "locustfile", "x")
    for kind in kinds:
        for data in (None, 1, "x", [], {"timestamp": "late"}, {"user_classes_count": 3, "timestamp": 1e9}):
            hand_master.send(kind, data, worker.client_id)
    frames = [Message(kind, job(5.0, A=1), worker.client_id).serialize() for kind in ("spawn", "ack", "heartbeat")]
    for frame in spoiled_frames(500, *frames):
        hand_master.server._channel.send(frame, worker.client_id)
    count = len(hand_master.of("heartbeat"))
    until(lambda: len(hand_master.of("heartbeat")) > count)
    hand_master.send("ack", {"index": 7}, worker.client_id)
    hand_master.send("spawn", job(time.time() + 1e6, A=2), worker.client_id)
    until(lambda: worker.user_count == 2 and worker.worker_state == "running")


def test_the_name_of_a_worker(worker: WorkerRunner) -> None:
    """DST-9; what is before the first underscore is the machine (test_dispatch.py, DST-65)."""
    machine, digits = worker.client_id.split("_", 1)
    assert machine == socket.gethostname() and re.fullmatch("[0-9a-f]{32}", digits)


def test_a_master_changes_a_class_of_its_workers(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-32."""

    class C(User):
        @task
        def one(self) -> None: ...

        @task
        def other(self) -> None: ...

    worker.environment.available_user_classes = {"C": C}
    worker.environment.available_user_tasks = {"C": list(C.tasks)}
    settings = {"user_class_name": "C", "weight": 7, "host": "http://other", "tasks": ["other"]}
    hand_master.send("update_user_class", settings, worker.client_id)
    until(lambda: C.weight == 7)
    assert C.host == "http://other" and [one.__name__ for one in C.tasks] == ["other"]


def test_a_silent_master(hand_master: HandMaster, worker: WorkerRunner, monkeypatch: Any) -> None:
    """DST-43."""
    monkeypatch.setattr(runners, "MASTER_HEARTBEAT_TIMEOUT", 0.5)
    monkeypatch.setattr("locust._worker._FAREWELL_OF_OTHERS", 0.05)
    hand_master.is_answering = False
    worker.greenlet.join(60)
    assert not worker.greenlet
    until(lambda: hand_master.of("quit") == [None])


def test_no_master_at_all(monkeypatch: Any) -> None:
    """DST-45, CLI-85."""
    monkeypatch.setattr(runners, "CONNECT_TIMEOUT", 0.02)
    monkeypatch.setattr(runners, "CONNECT_RETRY_COUNT", 2)
    with pytest.raises((ConnectionError, RPCError)):
        environment().create_worker_runner("127.0.0.1", free_port())


def test_errors_of_users_reach_the_master(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-19, EVT-35."""
    try:
        raise ValueError("boom")
    except ValueError as error:
        worker.environment.events.user_error.fire(user_instance=None, exception=error, tb=error.__traceback__)
    until(lambda: hand_master.of("exception"))
    report = hand_master.of("exception")[0]
    assert report["msg"] == "boom" and "test_worker" in report["traceback"]


def test_a_restarted_master_takes_our_workers_back(stack: contextlib.ExitStack, make_master: Any) -> None:
    """DST-44, where Locust's workers never come back."""
    port = free_port()
    first = environment().create_master_runner("127.0.0.1", port)
    worker = environment().create_worker_runner("127.0.0.1", port)
    stack.callback(worker.client.close)
    until(lambda: worker.client_id in first.clients)
    first.start(2, 100)
    until(lambda: worker.user_count == 2)
    first.greenlet.kill()
    first.server.close()
    second = environment().create_master_runner("127.0.0.1", port)
    until(lambda: worker.client_id in second.clients and worker.user_count == 0)
    until(lambda: second.clients[worker.client_id].state == "ready")
    second.start(3, 100)
    until(lambda: worker.user_count == 3 and second.state == "running")
    second.quit()
    until(lambda: not worker.greenlet)
    second.server.close()


def test_a_worker_that_lost_its_place_connects_anew(
    hand_master: HandMaster, worker: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DST-40, DST-43: another one took its name, so what it sends arrives nowhere, though the connection lives."""
    hand_master.send("ack", {"index": 7, "cload": 1}, worker.client_id)
    monkeypatch.setattr(runners, "CONNECT_TIMEOUT", 0.1)
    monkeypatch.setattr("locust._worker._SILENCE", 0.1)
    monkeypatch.setattr("locust._worker._DEAFNESS", 0.1)
    until(lambda: worker._is_own_master)
    other = Client("127.0.0.1", hand_master.server.port, worker.client_id)
    other.send(Message("other", None, worker.client_id))
    until(lambda: hand_master.of("other"))
    other.close()
    hand_master.got.clear()
    # And this master says that it is none of ours when it is heard of again.
    until(lambda: hand_master.of("heartbeat") and not worker._is_own_master)


@pytest.mark.parametrize("caller", ["test_stop", "on_stop"])
def test_a_worker_quits_while_it_stops(hand_master: HandMaster, caller: str) -> None:
    """What the stop waits for may ask for the end, which comes after it."""

    class Quitting(A):
        def on_stop(self) -> None:
            if caller == "on_stop":
                self.environment.runner.quit()

    here = environment(Quitting)
    worker = here.create_worker_runner("127.0.0.1", hand_master.server.port)
    if caller == "test_stop":
        here.events.test_stop.add_listener(lambda environment, **_: environment.runner.quit())
    hand_master.send("spawn", job(1.0, Quitting=2) | {"parsed_options": {}}, worker.client_id)
    until(lambda: worker.user_count == 2)
    hand_master.send("stop", None, worker.client_id)
    until(lambda: hand_master.of("quit"))
    until(lambda: not worker.greenlet)
    assert hand_master.of("quit") == [None] and worker.user_count == 0
    worker.client.close()
