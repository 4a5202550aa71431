"""A master with workers played by hand, and a worker with a master played by hand."""

import contextlib
import json
import random
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _cload
import gevent
import pytest
from locust import User, log, runners, task
from locust._losses import Losses
from locust._timeline import Timeline
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments
from locust.env import Environment
from locust.event import Events
from locust.exception import RPCError
from locust.rpc import Client, Message, Server
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

VERSION = "2.47.0"


class A(User):
    @task
    def wait_long(self) -> None:
        gevent.sleep(60)


class B(A):
    pass


def until(condition: Callable[[], Any], seconds: float = 5) -> None:
    with gevent.Timeout(seconds):
        while not condition():
            gevent.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "HEARTBEAT_INTERVAL", 0.02)
    monkeypatch.setattr(runners, "CONNECT_TIMEOUT", 0.2)


def environment(*user_classes: type[User], **options: Any) -> Environment:
    parser = get_empty_argument_parser(default_config_files=())
    setup_parser_arguments(parser)
    parsed = parser.parse_args([])
    for name, value in options.items():
        setattr(parsed, name, value)
    return Environment(user_classes=list(user_classes or (A,)), parsed_options=parsed)


class Hand:
    """A worker played by hand: it answers nothing on its own, except that it can beat."""

    def __init__(self, master: MasterRunner, name: str, is_beating: bool = True) -> None:
        self.name = name
        self.client = Client("127.0.0.1", master.server.port, name)
        self.state = "ready"
        self.got: list[Message] = []
        self.greenlets = [gevent.spawn(self._listen)]
        if is_beating:
            self.greenlets.append(gevent.spawn(self._beat))

    def _listen(self) -> None:
        while True:
            self.got.append(self.client.recv())

    def _beat(self) -> None:
        while True:
            self.send("heartbeat", {"state": self.state, "current_cpu_usage": 1.0, "current_memory_usage": 5})
            gevent.sleep(0.02)

    def send(self, kind: str, data: Any = None) -> None:
        self.client.send(Message(kind, data, self.name))

    def of(self, kind: str) -> list[Any]:
        return [message.data for message in self.got if message.type == kind]

    def join(self) -> "Hand":
        count = len(self.of("ack"))
        self.send("client_ready", VERSION)
        until(lambda: len(self.of("ack")) > count)
        return self

    def obey(self) -> None:
        """Does as the last spawn message says."""
        counts = self.of("spawn")[-1]["user_classes_count"]
        self.state = "running"
        self.send("spawning")
        self.send("spawning_complete", {"user_classes_count": counts, "user_count": sum(counts.values())})

    @property
    def wanted(self) -> int:
        jobs = self.of("spawn")
        return sum(jobs[-1]["user_classes_count"].values()) if jobs else 0

    def report(self, **data: Any) -> None:
        entry = {
            "name": "/x",
            "method": "GET",
            "last_request_timestamp": 1795234975.5,
            "start_time": 1795234970.5,
            "num_requests": 3,
            "num_none_requests": 0,
            "num_failures": 1,
            "total_response_time": 30.0,
            "max_response_time": 20.0,
            "min_response_time": 4.0,
            "total_content_length": 30,
            "response_times": {4: 1, 6: 1, 20: 1},
            "num_reqs_per_sec": {1795234975: 3},
            "num_fail_per_sec": {1795234975: 1},
        }
        error = {"name": "/x", "method": "GET", "error": "E()", "occurrences": 1, "first_seen": 1.0, "last_seen": 2.0}
        full = {
            "stats": [entry],
            "stats_total": entry | {"name": "Aggregated", "method": ""},
            "errors": {"key": error},
            "user_classes_count": {"A": 1},
            "user_count": 1,
        }
        # The number of a report comes first.
        self.send("stats", data | full | data)

    def close(self) -> None:
        gevent.killall(self.greenlets)
        self.client.close()


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as exits:
        yield exits


@pytest.fixture
def make_master(stack: contextlib.ExitStack) -> Callable[..., MasterRunner]:
    def make(*user_classes: type[User], **options: Any) -> MasterRunner:
        runner = environment(*user_classes, **options).create_master_runner("127.0.0.1", 0)

        def end() -> None:
            runner.clients._worker_nodes.clear()
            runner.quit()
            runner.server.close()

        stack.callback(end)
        return runner

    return make


@pytest.fixture
def make_hand(stack: contextlib.ExitStack) -> Callable[..., Hand]:
    def make(*args: Any, **kwargs: Any) -> Hand:
        hand = Hand(*args, **kwargs)
        stack.callback(hand.close)
        return hand

    return make


def test_joining(make_master: Any, make_hand: Any) -> None:
    """DST-14, DST-15, DST-24, EVT-19, EVT-20."""
    master = make_master()
    seen: list[Any] = []
    master.environment.events.worker_connect.add_listener(lambda client_id: seen.append(client_id))
    first, second = make_hand(master, "h_1").join(), make_hand(master, "h_2", is_beating=False).join()
    assert (first.of("ack"), second.of("ack")) == ([{"index": 0, "cload": 1}], [{"index": 1, "cload": 1}])
    assert seen == ["h_1", "h_2"]
    assert master.worker_count == 2 and sorted(master.clients) == ["h_1", "h_2"]
    until(lambda: first.of("heartbeat"))
    assert master.clients["h_1"].memory_usage == 5
    assert make_hand(master, "h_3").join().of("ack") == [{"index": 2, "cload": 1}]
    first.join()
    assert first.of("ack")[-1]["index"] == 0, "kept"
    refused = make_hand(master, "h_4", is_beating=False)
    refused.send("client_ready", "")
    refused.send("heartbeat", {"state": "ready", "current_cpu_usage": 0, "current_memory_usage": 0})
    first.join()
    assert refused.got == [], "DST-15: a stranger's heartbeat is not answered"


def test_a_test(make_master: Any, make_hand: Any) -> None:
    """DST-26, DST-27, DST-28, DST-46 to DST-51, EVT-32."""
    master = make_master(A, B, host="http://x", custom={"a": [1]})
    master.environment.host = "http://x"
    events: list[str] = []
    for name in ("test_start", "spawning_complete", "test_stopping", "test_stop"):
        getattr(master.environment.events, name).add_listener(lambda _name=name, **_: events.append(_name))
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    assert master.state == "ready"
    run = gevent.spawn(master.start, 4, 100)
    until(lambda: all(hand.of("spawn") for hand in hands))
    job = hands[0].of("spawn")[0]
    assert job["user_classes_count"] == {"A": 2, "B": 0} and job["host"] == A.host == B.host == "http://x"
    assert job["stop_timeout"] == 0 and job["timestamp"] > 1e9
    assert job["parsed_options"]["custom"] == {"a": [1]} and "num_users" in job["parsed_options"]
    assert master.state == "spawning"
    for hand in hands:
        hand.obey()
    run.join(5)
    assert master.state == "running" and master.user_count == 4
    until(lambda: hands[1].of("spawning_complete") == [{"user_count": 4}])
    assert master.reported_user_classes_count == {"A": 2, "B": 2}
    stopping = gevent.spawn(master.stop)
    until(lambda: all(hand.of("stop") for hand in hands))
    assert master.state == "stopping"
    for hand in hands:
        hand.state = "ready"
        hand.send("client_stopped")
        hand.join()
    stopping.join(5)
    until(lambda: master.state == "stopped")
    assert events == ["test_start", "spawning_complete", "test_stopping", "test_stop"]
    assert master.final_user_classes_count == {"A": 2, "B": 2}
    A.host = B.host = None


def test_reports(make_master: Any, make_hand: Any) -> None:
    """DST-18, DST-19, DST-20, DST-35, DST-36, DST-37, DST-38, EVT-18, EVT-35."""
    master = make_master()
    seen: list[Any] = []
    master.environment.events.worker_report.add_listener(lambda client_id, data: seen.append((client_id, data)))
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    hands[0].report(extra={"a": 1})
    hands[1].report()
    make_hand(master, "stranger").report()
    until(lambda: len(seen) == 3)
    entry = master.stats.get("/x", "GET")
    assert (entry.num_requests, entry.num_failures, entry.min_response_time, entry.max_response_time) == (9, 3, 4, 20)
    assert entry.response_times == {4: 3, 6: 3, 20: 3}
    assert master.stats.total.num_requests == 9
    # The workers' clocks: this master's says something else.
    assert (entry.start_time, entry.last_request_timestamp) == (1795234970.5, 1795234975.5)
    assert entry.num_reqs_per_sec == {1795234975: 9} and entry.num_fail_per_sec == {1795234975: 3}
    assert [error.occurrences for error in master.stats.errors.values()] == [3]
    assert master.user_count == 2, "the stranger's users do not count"
    assert [data["extra"] for _, data in seen if "extra" in data] == [{"a": 1}]
    hands[0].send("exception", {"msg": "boom", "traceback": "tb"})
    hands[1].send("exception", {"msg": "boom", "traceback": "tb"})
    hands[0].send("logs", {"worker_id": "h_0", "logs": ["line"]})
    until(lambda: master.environment.worker_logs)
    (row,) = master.exceptions.values()
    assert row["count"] == 2 and row["nodes"] == {"h_0", "h_1"}
    assert master.environment.worker_logs == {"h_0": ["line"]}


@pytest.mark.parametrize("has_histogram", [True, False], ids=["own", "Locust"])
def test_reports_are_merged_alike_in_both_ways(has_histogram: bool) -> None:
    """DST-35, DST-36: straight from the frame, and through the dictionaries that listeners see."""
    worker, events = RequestStats(use_response_times_cache=False), Events()
    setup_distributed_stats_event_listeners(events, worker)
    for index in range(200):
        worker.log_request("GET", f"/{index % 3}", index * 77.7, index)
        worker.log_request("POST", "whole", index, 0)
    worker.log_request("GET", "timeless", None, 0)
    worker.log_error("GET", "/1", ValueError("no"))
    data: dict[str, Any] = {}
    events.report_to_master.fire(client_id="x", data=data)
    if not has_histogram:
        for row in [*data["stats"], data["stats_total"]]:
            del row["cload_histogram"]
    frame = Message("stats", data | {"user_classes_count": {"A": 1}, "user_count": 1}, "x").serialize()
    by_listener, by_frame = RequestStats(), RequestStats()
    master_events = Events()
    setup_distributed_stats_event_listeners(master_events, by_listener)
    for _ in range(2):
        master_events.worker_report.fire(client_id="x", data=Message.unserialize(frame).data)
        assert _cload.merge_report(by_frame, frame) == {"A": 1}
    assert list(by_listener.entries) == list(by_frame.entries)
    for key in by_listener.entries:
        ours, theirs = by_frame.entries[key], by_listener.entries[key]
        assert ours.serialize() == theirs.serialize()
        assert ours._histogram == theirs._histogram
        assert ours._phases == theirs._phases
    assert by_frame.total.serialize() == by_listener.total.serialize()
    assert by_frame.serialize_errors() == by_listener.serialize_errors()


def test_half_a_report_changes_nothing() -> None:
    entry = {"name": "a", "method": "GET", "num_requests": 1, "response_times": {1: 1}}
    good = {"stats": [entry], "stats_total": entry, "errors": {}, "user_classes_count": {}, "user_count": 0}
    for key, value in (
        ("stats", [entry, {"name": "b"}]),
        ("stats", [entry | {"response_times": {"x": 1}}]),
        ("stats", [entry | {"num_requests": -1}]),
        ("stats", [entry | {"start_time": float("nan")}]),
        ("stats", [entry | {"cload_histogram": [10**6, 1]}]),
        ("stats", [entry | {"cload_phases": [1, 2]}]),
        ("stats", [entry | {"cload_phases": [1, -2, 3]}]),
        ("stats", 5),
        ("stats_total", None),
        ("errors", {"k": {"name": "a"}}),
    ):
        stats = RequestStats()
        frame = Message("stats", {name: item for name, item in (good | {key: value}).items() if item is not None}, "x")
        with pytest.raises(ValueError):
            _cload.merge_report(stats, frame.serialize())
        assert len(stats.entries) == 0 and stats.total.num_requests == 0 and len(stats.errors) == 0
    # What was measured counts, also where its users are not told of.
    assert _cload.merge_report(stats, Message("stats", good | {"user_classes_count": None}, "x").serialize()) is None
    assert stats.total.num_requests == 1
    with pytest.raises(TypeError):
        _cload.merge_report(object(), b"")


@pytest.mark.parametrize("is_listened_to", [False, True])
def test_report_that_does_not_tell_of_users(make_master: Any, make_hand: Any, is_listened_to: bool) -> None:
    """DST-11: as workers of others send them."""
    master = make_master()
    if is_listened_to:
        master.environment.events.worker_report.add_listener(lambda **_: None)
    entry = {"name": "/x", "method": "GET", "num_requests": 3, "response_times": {4: 3}}
    make_hand(master, "h_1").join().send("stats", {"stats": [entry], "stats_total": entry, "errors": {}})
    until(lambda: master.stats.total.num_requests == 3)


@pytest.mark.parametrize(
    "kind", ["stats", "heartbeat", "exception", "spawning_complete", "logs", "locustfile", "client_ready", "nonsense"]
)
@pytest.mark.parametrize(
    "data",
    [
        None, 1, "x", [], {}, {"state": 5}, {"user_classes_count": 3}, {"user_classes_count": {"A": -1, 5: "x"}},
        {"state": "ready", "current_cpu_usage": float("nan")}, {"state": "ready", "current_cpu_usage": "x"},
        {"msg": b"x", "traceback": b""}, {"msg": "x", "traceback": None},
        {"worker_id": 5, "logs": []}, {"worker_id": "w", "logs": [b"x"]}, {"worker_id": "w", "logs": "x"},
    ],
    ids=repr,
)  # fmt: skip
def test_nonsense_does_no_harm(make_master: Any, make_hand: Any, kind: str, data: Any) -> None:
    """DST-11, 15, 17, 19, 20."""
    master = make_master()
    hand = make_hand(master, "h_1", is_beating=False).join()
    hand.send(kind, data)
    hand.join()
    assert master.clients["h_1"].state == "ready"
    # What the web application shows can be shown.
    assert json.loads(json.dumps([list(master.exceptions.values()), master.environment.worker_logs])) == [[], {}]
    assert sum(node.user_count + node.cpu_usage for node in master.clients.values()) == 0


def test_garbage_from_a_worker(make_master: Any, make_hand: Any) -> None:
    """DST-11."""
    master = make_master()
    hand, stranger = make_hand(master, "h_1").join(), make_hand(master, "rude", is_beating=False)
    for one in (hand, stranger):
        one.client._channel.send(b"\x93garbage")
    until(lambda: hand.of("reconnect") == [None])
    hand.join()
    assert stranger.got == []


def spoiled_frames(count: int, *frames: bytes) -> Iterator[bytes]:
    """Frames with bytes changed, cut off, doubled and put in, as the seed has it."""
    chance = random.Random(7)
    for _ in range(count):
        frame = bytearray(chance.choice(frames))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(frame) + 1)
            what = chance.randrange(4)
            if what == 0:
                frame[place : place + 1] = bytes([chance.randrange(256)])
            elif what == 1:
                del frame[place : place + chance.randint(1, 40)]
            elif what == 2:
                frame[place:place] = frame[place : place + chance.randint(1, 40)]
            else:
                frame[place:place] = chance.randbytes(chance.randint(1, 9))
        yield bytes(frame)


def test_spoiled_frames_at_the_master(make_master: Any, make_hand: Any, caplog: pytest.LogCaptureFixture) -> None:
    """DST-11: what a worker and a stranger send that is nearly right is a line in the log, and no more."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    rude = [hands[0], make_hand(master, "rude", is_beating=False)]
    heartbeat = {"state": "ready", "current_cpu_usage": 1.0, "current_memory_usage": 5, "cload": 1, "cload_pending": 3}
    frames = [
        Message(kind, data, "h_0").serialize()
        for kind, data in (
            ("heartbeat", heartbeat),
            ("spawning_complete", {"user_classes_count": {"A": 1}, "user_count": 1}),
            ("exception", {"msg": "boom", "traceback": "tb"}),
            ("logs", {"worker_id": "h_0", "logs": ["line"]}),
            ("client_ready", VERSION),
            ("stats", {"stats": [], "stats_total": {}, "errors": {}, "user_classes_count": {"A": 1}}),
        )
    ]
    for index, frame in enumerate(spoiled_frames(2000, *frames)):
        rude[index % 2].client._channel.send(frame)
        if index % 100 == 0:
            gevent.sleep(0)
    for one in rude:
        one.send("locustfile", {"version": VERSION})
    until(lambda: all(one.of("locustfile") for one in rude), 20)
    hands[1].join()
    count = len(hands[1].of("heartbeat"))
    until(lambda: len(hands[1].of("heartbeat")) > count)
    assert master.clients["h_1"].state == "ready" and not log.unhandled_greenlet_exception
    assert "Not a message" in caplog.text


def test_strangers_that_spawn_are_told_to_quit(make_master: Any, make_hand: Any) -> None:
    """DST-16, DST-17."""
    master = make_master()
    for kind in ("spawning", "spawning_complete"):
        stranger = make_hand(master, "stranger_" + kind, is_beating=False)
        stranger.send(kind, {"user_classes_count": {}, "user_count": 0})
        until(lambda hand=stranger: hand.of("quit"))


def run_test(master: MasterRunner, hands: list[Hand], users: int) -> None:
    run = gevent.spawn(master.start, users, 1000)
    until(lambda: all(hand.of("spawn") for hand in hands))
    for hand in hands:
        hand.obey()
    run.join(5)
    assert master.state == "running"


def wanted(hands: list[Hand]) -> list[int]:
    return sorted(hand.wanted for hand in hands)


def test_a_joining_worker_gets_its_share(make_master: Any, make_hand: Any) -> None:
    """DST-55, DST-59; DST-58 without Locust's flaw: it goes on to work."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    run_test(master, hands, 8)
    assert wanted(hands) == [4, 4]
    for index in (2, 3):
        hands.append(make_hand(master, f"h_{index}").join())
        expected = [2, 3, 3] if index == 2 else [2, 2, 2, 2]
        until(lambda expected=expected: wanted(hands) == expected)
        for hand in hands:
            hand.obey()
        until(lambda: master.state == "running" and master.spawning_completed)


@pytest.mark.parametrize("is_rebalancing", [False, True])
def test_a_missing_worker(make_master: Any, make_hand: Any, monkeypatch: Any, is_rebalancing: bool) -> None:
    """DST-39, DST-40, DST-41, DST-56."""
    monkeypatch.setattr(runners, "HEARTBEAT_DEAD_INTERNAL", -30 if not is_rebalancing else -10000)
    master = make_master(enable_rebalancing=is_rebalancing)
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    run_test(master, hands, 8)
    lost, left = hands
    lost.greenlets.pop().kill()
    until(lambda: master.clients["h_0"].state == "missing")
    assert master.user_count == 4
    if is_rebalancing:
        until(lambda: left.wanted == 8)
        left.obey()
        until(lambda: master.spawning_completed and master.state == "running")
        lost.obey()
        gevent.sleep(0.05)
        assert master.clients["h_0"].state == "missing", "what it was told long ago does not make it one of the others"
        lost.greenlets.append(gevent.spawn(lost._beat))
        until(lambda: left.wanted == 4)
        assert master.clients["h_0"].state == "running"
    else:
        gevent.sleep(0.05)
        assert left.wanted == 4
        late = make_hand(master, "h_2").join()
        until(lambda: late.wanted)
        assert sum(late.of("spawn")[0]["user_classes_count"].values()) == 4, "who is missing has no place"
        for hand in (left, late):
            hand.obey()
        until(lambda: master.spawning_completed and master.state == "running")
        late.send("quit")
        until(lambda: left.wanted == 8)
        left.obey()
        until(lambda: "h_0" not in master.clients)
        until(lambda: left.wanted == 8)
        assert min(sum(job["user_classes_count"].values()) for job in left.of("spawn")) == 4, "users never drop"


def test_charts_go_on_with_the_run(make_master: Any, make_hand: Any, tmp_path: Path) -> None:
    """--master-state also keeps what the charts of the web application show; it is one test there."""
    master = make_master(master_state=str(tmp_path / "state"))
    timeline = master.environment._timeline = Timeline(master.environment)
    hand = make_hand(master, "h_0").join()
    run_test(master, [hand], 2)
    for count in range(1, 4):
        hand.report(cload_report=count)
        until(lambda count=count: master.stats.total.num_requests == 3 * count)
        timeline.sample()
        master._kept.tick()
    timeline.mark("something", "change")
    master._kept.tick()
    shutil.copy(tmp_path / "state", tmp_path / "copy")

    second = make_master(master_state=str(tmp_path / "copy"))
    resumed = second.environment._timeline = Timeline(second.environment)
    assert second.resume() is not None
    assert resumed.samples() == timeline.samples() and len(resumed) == 3
    assert [mark["text"] for mark in resumed.marks] == ["test 1", "something", "the master was started again"]
    assert resumed.reasons == timeline.reasons == ["E()"]
    resumed.sample()
    last = resumed.samples()[-1]
    assert (last.run, last.heat, last.reasons) == (1, (), ()), "what was counted before is not counted again"
    assert json.loads(resumed.to_json(0, 2))["first"] == 0, "a page that knew the other process gets all of it"


def test_many_that_come_and_go_are_one_rebalance(make_master: Any, make_hand: Any) -> None:
    """Not a message to all for each of them: with thousands of workers that would be millions."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(3)]
    run_test(master, hands, 6)
    before = [len(hand.of("spawn")) for hand in hands]
    for _ in range(50):
        master._rebalance()
    gevent.sleep(0.1)
    for hand in hands:
        hand.obey()
    until(lambda: master.spawning_completed and master._rebalancing.ready())
    assert all(len(hand.of("spawn")) - count <= 2 for hand, count in zip(hands, before, strict=True))


def test_a_master_that_is_behind_blames_no_worker(make_master: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats may be among what it has not read. It counts on slowly, for a worker may be dead all the same."""
    master = make_master()
    until(lambda: not master._is_behind())
    monkeypatch.setattr(master.server, "has_caught_up", lambda: False)
    assert [master._is_behind() for _ in range(8)] == 2 * [True, True, True, False]


def test_what_a_dead_worker_takes_along(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What workers say they hold counts; of others the rate of the last report, never of the time before the test."""
    monkeypatch.setattr(runners, "HEARTBEAT_INTERVAL", 1.0)
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    losses = Losses()
    losses.hear("ours", 0)
    clock[0] = 1010.0
    losses.begin()
    clock[0] = 1012.0
    losses.report("ours", 200)
    losses.report("foreign", 400)
    clock[0] = 1014.0
    losses.hear("ours", 300)
    losses.hear("foreign", None)
    losses.hear("strange", "nonsense")
    for name, seconds, requests in (("ours", 2.5, 375), ("foreign", 2.5, 500), ("strange", 4.5, 787.5)):
        losses.note(name)
        assert losses.lost[name] == (seconds, requests), name
    losses.is_back("foreign")
    losses.report("ours", 320)
    losses.note("ours")
    assert losses.lost["ours"] == (0.5, 80), "what it held is in its report"
    losses.say()
    assert "lack what 2 workers measured after their last reports: about 867 requests" in caplog.text


def test_a_master_does_not_wait_for_who_is_gone(make_master: Any, make_hand: Any, caplog: Any) -> None:
    """A worker that closes its connection without a word, as boomer does, is no reason to wait."""
    master = make_master()
    hand = make_hand(master, "h_0").join()
    run_test(master, [hand], 2)
    hand.close()
    begin = time.monotonic()
    master.quit()
    assert time.monotonic() - begin < 4
    assert "No last report came from 1 workers (h_0)" in caplog.text and not master.clients


@pytest.mark.parametrize("kind", ["quit", "client_stopped"])
def test_a_leaving_worker(make_master: Any, make_hand: Any, kind: str) -> None:
    """DST-21, DST-22, DST-57."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    run_test(master, hands, 6)
    hands[0].send(kind)
    until(lambda: hands[1].wanted == 6)
    assert list(master.clients) == ["h_1"]


def test_who_has_stopped_is_told_to_quit(make_master: Any, make_hand: Any) -> None:
    """DST-28, DST-50: real Locust's workers are not listed for the stop timeout, and report only then. A master that
    ended meanwhile would lose that, and leave them waiting for a minute."""
    master = make_master()
    hand = make_hand(master, "h_1").join()
    run_test(master, [hand], 2)
    hand.send("client_stopped")
    until(lambda: not master.clients)
    ending = gevent.spawn(master.quit)
    until(lambda: hand.of("quit"))
    hand.report()
    hand.send("quit")
    ending.join(5)
    assert master.stats.total.num_requests == 3 and not master.clients


def test_the_last_worker_ends_the_test(make_master: Any, make_hand: Any) -> None:
    """DST-22, DST-42."""
    master = make_master()
    hand = make_hand(master, "h_0").join()
    run_test(master, [hand], 2)
    hand.send("quit")
    until(lambda: master.state == "stopped")


def test_custom_messages(make_master: Any, make_hand: Any) -> None:
    """DST-23, DST-33, API-140, API-141."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    got: list[Any] = []

    def listener(environment: Environment, msg: Any) -> None:
        got.append((msg.type, msg.data, msg.node_id))
        if msg.data == "bad":
            raise ValueError("no")

    master.register_message("mine", listener)
    master.register_message("aside", listener, concurrent=True)
    with pytest.raises(Exception, match="mine"):
        master.register_message("mine", listener)
    hands[0].send("mine", "bad")
    hands[0].send("mine", {1: [None]})
    hands[1].send("aside", 2)
    until(lambda: len(got) == 3)
    assert got == [("mine", "bad", "h_0"), ("mine", {1: [None]}, "h_0"), ("aside", 2, "h_1")]
    master.send_message("to_all", {"a": 1})
    master.send_message("to_one", 5, "h_1")
    until(lambda: hands[1].of("to_one") == [5] and hands[0].of("to_all") == [{"a": 1}])
    assert hands[0].of("to_one") == []


def test_the_locustfile_is_given(make_master: Any, make_hand: Any, tmp_path: Any) -> None:
    """DST-13, DST-25."""
    path = tmp_path / "mine.py"
    path.write_text("# text\n")
    master = make_master()
    master.environment.parsed_locustfiles = [str(path)]
    hand = make_hand(master, "x_download_locustfile_1", is_beating=False)
    hand.send("locustfile", {"version": VERSION})
    until(lambda: hand.got)
    assert hand.of("locustfile") == [{"locustfiles": [{"filename": "mine.py", "contents": "# text\n"}]}]
    path.unlink()
    hand.send("locustfile", {"version": VERSION})
    until(lambda: len(hand.got) == 2)
    assert "error" in hand.of("locustfile")[1]


def test_no_worker_no_test(make_master: Any) -> None:
    master = make_master()
    master.start(1, 1)
    assert master.state == "ready"


def test_a_port_in_use_ends_the_process(make_master: Any) -> None:
    """CLI-36."""
    port = make_master().server.port
    with pytest.raises(SystemExit) as caught:
        environment().create_master_runner("127.0.0.1", port)
    assert caught.value.code == 1


class HandMaster:
    """A master played by hand."""

    def __init__(self) -> None:
        self.server = Server("127.0.0.1", 0)
        self.got: list[Message] = []
        self.is_answering = True
        self.greenlet = gevent.spawn(self._listen)

    def _listen(self) -> None:
        while True:
            sender, message = self.server.recv_from_client()
            self.got.append(message)
            if self.is_answering and message.type == "client_ready":
                self.send("ack", {"index": 7}, sender)
            if self.is_answering and message.type == "heartbeat":
                self.send("heartbeat", None, sender)

    def send(self, kind: str, data: Any, to: str) -> None:
        self.server.send_to_client(Message(kind, data, to))

    def of(self, kind: str) -> list[Any]:
        return [message.data for message in self.got if message.type == kind]

    def close(self) -> None:
        self.greenlet.kill()
        self.server.close()


@pytest.fixture
def hand_master() -> Iterator[HandMaster]:
    master = HandMaster()
    yield master
    master.close()


@pytest.fixture
def worker(hand_master: HandMaster) -> Iterator[WorkerRunner]:
    runner = environment(A, B).create_worker_runner("127.0.0.1", hand_master.server.port)
    yield runner
    runner.quit()
    runner.client.close()


def job(timestamp: float, **counts: int) -> dict[str, Any]:
    return {
        "timestamp": timestamp,
        "user_classes_count": counts,
        "host": "http://h",
        "stop_timeout": 0.0,
        "parsed_options": {"mine": 5, "tags": ["t"], "num_users": 99},
    }


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
    monkeypatch.setattr("locust._worker._FAREWELL_OF_OTHERS", 30 if is_answering else 0.05)
    hand_master.is_answering = False
    gevent.spawn(worker.quit)
    if is_answering:
        gevent.sleep(0.05)
        assert not hand_master.of("quit")
        hand_master.send("spawn", job(1.0, A=2, B=0), worker.client_id)
        for _ in hand_master.of("heartbeat"):
            hand_master.send("heartbeat", None, worker.client_id)
        hand_master.is_answering = True
    until(lambda: hand_master.of("quit"), 20)
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
    worker.greenlet.join(5)
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
    until(lambda: len(hand_master.of("heartbeat")) > count, 20)
    hand_master.send("ack", {"index": 7}, worker.client_id)
    hand_master.send("spawn", job(time.time() + 1e6, A=2), worker.client_id)
    until(lambda: worker.user_count == 2 and worker.worker_state == "running", 20)


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


def test_a_socket_error_on_the_master(make_master: Any, make_hand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """DST-12: the connection counts as broken, and the loop that counts heartbeats listens anew, on the same port."""
    monkeypatch.setattr(runners, "FALLBACK_INTERVAL", 0.1)
    master = make_master()
    before, port = master.server, master.server.port
    hand = make_hand(master, "h_0").join()
    monkeypatch.setattr(master, "master_bind_port", port)
    monkeypatch.setattr(before, "recv_from_client", raiser(RPCError("Socket failure: out of order")))
    hand.send("ping")
    until(lambda: master.connection_broken)
    until(lambda: master.server is not before)
    assert master.server.port == port and not master.connection_broken
    count = len(hand.of("heartbeat"))
    until(lambda: len(hand.of("heartbeat")) > count)


def raiser(error: Exception) -> Callable[..., Any]:
    def call(*_args: Any) -> Any:
        raise error

    return call


def test_a_silent_master(hand_master: HandMaster, worker: WorkerRunner, monkeypatch: Any) -> None:
    """DST-43."""
    monkeypatch.setattr(runners, "MASTER_HEARTBEAT_TIMEOUT", 0.5)
    hand_master.is_answering = False
    worker.greenlet.join(5)
    assert not worker.greenlet
    until(lambda: hand_master.of("quit") == [None])


def test_no_master_at_all(monkeypatch: Any) -> None:
    """DST-45, CLI-85."""
    monkeypatch.setattr(runners, "CONNECT_TIMEOUT", 0.02)
    monkeypatch.setattr(runners, "CONNECT_RETRY_COUNT", 2)
    server = Server("127.0.0.1", 0)
    port = server.port
    server.close()
    with pytest.raises((ConnectionError, RPCError)):
        environment().create_worker_runner("127.0.0.1", port)


def test_errors_of_users_reach_the_master(hand_master: HandMaster, worker: WorkerRunner) -> None:
    """DST-19, EVT-35."""
    try:
        raise ValueError("boom")
    except ValueError as error:
        worker.environment.events.user_error.fire(user_instance=None, exception=error, tb=error.__traceback__)
    until(lambda: hand_master.of("exception"))
    report = hand_master.of("exception")[0]
    assert report["msg"] == "boom" and "test_distributed" in report["traceback"]


def test_a_restarted_master_takes_our_workers_back(stack: contextlib.ExitStack, make_master: Any) -> None:
    """DST-44, where Locust's workers never come back."""
    first = environment().create_master_runner("127.0.0.1", 0)
    port = first.server.port
    worker = environment().create_worker_runner("127.0.0.1", port)
    stack.callback(worker.client.close)
    until(lambda: worker.client_id in first.clients)
    first.start(2, 100)
    until(lambda: worker.user_count == 2)
    first.greenlet.kill()
    first.server.close()
    gevent.sleep(0.1)
    second = environment().create_master_runner("127.0.0.1", port)
    until(lambda: worker.client_id in second.clients and worker.user_count == 0)
    until(lambda: second.clients[worker.client_id].state == "ready")
    second.start(3, 100)
    until(lambda: worker.user_count == 3 and second.state == "running")
    second.quit()
    until(lambda: not worker.greenlet)
    second.server.close()


def test_a_worker_that_goes_on_is_not_listed_anew(make_master: Any, make_hand: Any) -> None:
    """DST-14, DST-40: ours announce themselves again when they have not heard of a master for a while (it was held up,
    or the network): their users stay. Others begin anew."""
    master = make_master()
    own, other = (make_hand(master, f"h_{name}").join() for name in ("own", "other"))
    run_test(master, [own, other], 4)
    own.report(cload_report=1)
    until(lambda: master.stats.total.num_requests)
    before = master.clients["h_own"]
    assert own.join().of("ack")[-1] == {"index": 0, "cload": 1, "cload_keep": True}
    assert master.clients["h_own"] is before
    before = master.clients["h_other"]
    assert "cload_keep" not in other.join().of("ack")[-1]
    assert master.clients["h_other"] is not before


def test_a_worker_that_lost_its_place_connects_anew(
    hand_master: HandMaster, worker: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DST-40, DST-43: another one took its name, so what it sends arrives nowhere, though the connection lives."""
    hand_master.send("ack", {"index": 7, "cload": 1}, worker.client_id)
    monkeypatch.setattr("locust._worker._SILENCE", 0.1)
    monkeypatch.setattr("locust._worker._DEAFNESS", 0.1)
    until(lambda: worker._is_own_master)
    other = Client("127.0.0.1", hand_master.server.port, worker.client_id)
    other.send(Message("other", None, worker.client_id))
    until(lambda: hand_master.of("other"))
    other.close()
    hand_master.got.clear()
    until(lambda: hand_master.of("heartbeat"), 20)
    assert not worker._is_own_master, "this master said so when it was heard of again"


def test_a_report_is_counted_once(make_master: Any, make_hand: Any) -> None:
    """Numbered reports between nodes of ours: sent again they count once, and the heartbeat says which are there."""
    master = make_master()
    hand = make_hand(master, "h_1", is_beating=False).join()
    for number in (1, 1, 3, 2, 3, 2):
        hand.report(cload_report=number)
    hand.report()
    until(lambda: master.stats.total.num_requests == 12)
    beat = {"state": "ready", "current_cpu_usage": 1.0, "current_memory_usage": 5, "cload": 1}
    hand.send("heartbeat", beat)
    until(lambda: hand.of("heartbeat") == [{"cload_report": 3}])
    hand.send("heartbeat", {name: beat[name] for name in beat if name != "cload"})
    until(lambda: len(hand.of("heartbeat")) == 2)
    assert hand.of("heartbeat")[1] is None, "DST-30: others get none of this"
    assert master.stats.total.num_requests == 12


def test_what_a_lost_connection_still_brings(make_master: Any, make_hand: Any) -> None:
    """A worker that connects anew takes its name along: what comes by the old connection has none, and is its all the
    same (DST-6), so a report that comes by both counts once."""
    master = make_master()
    hand = make_hand(master, "h_1").join()
    hand.report(cload_report=1)
    until(lambda: master.stats.total.num_requests == 3)
    frames: list[bytes] = []
    hand.client.send = lambda message: frames.append(message.serialize())
    for number in (1, 2):
        hand.report(cload_report=number)
    del hand.client.send
    frames = [frame for frame in frames if b"cload_report" in frame]
    with socket.create_connection(("127.0.0.1", master.server.port)) as nameless:
        nameless.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 1 + 31))
        assert nameless.recv(64, socket.MSG_WAITALL)
        nameless.sendall(b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER")
        assert nameless.recv(10, socket.MSG_WAITALL)
        for frame in frames:
            nameless.sendall(b"\x02" + len(frame).to_bytes(8, "big") + frame)
        until(lambda: master._taken["h_1"].last == 2)
    assert master.stats.total.num_requests == 6 and list(master._taken) == ["h_1"]


def test_reports_are_sent_until_they_are_confirmed(
    hand_master: HandMaster, worker: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "WORKER_REPORT_INTERVAL", 0.1)
    me = worker.client_id
    assert all("cload_report" not in report for report in hand_master.of("stats")), "real Locust's masters get none"
    hand_master.send("ack", {"index": 7, "cload": 1, "cload_keep": True}, me)
    until(lambda: worker._is_own_master)
    worker._send_stats()

    def sent(number: int) -> int:
        return sum(report.get("cload_report") == number for report in hand_master.of("stats"))

    until(lambda: sent(1) == 1)
    gevent.sleep(0.15)
    hand_master.send("heartbeat", {"cload_report": 0}, me)
    until(lambda: sent(1) == 2)
    hand_master.send("heartbeat", {"cload_report": worker._last_number}, me)
    until(lambda: not worker._unconfirmed)
    gevent.sleep(0.15)
    hand_master.send("heartbeat", {"cload_report": 1}, me)
    gevent.sleep(0.05)
    assert sent(1) == 2
    # Who goes need not wait for a confirmation that never comes.
    hand_master.send("ack", {"index": 7}, me)
    until(lambda: not worker._is_own_master)


def test_high_rates_are_warned_of(make_master: Any, make_hand: Any, caplog: pytest.LogCaptureFixture) -> None:
    """DST-75: above 100 users a second for each worker."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    for rate, is_warned in ((200, False), (201, True)):
        caplog.clear()
        run = gevent.spawn(master.start, 1, rate)
        until(lambda: all(hand.of("spawn") for hand in hands))
        for hand in hands:
            hand.obey()
        run.join(5)
        assert ("spawn rate is very high (>100" in caplog.text) == is_warned


def test_a_local_run_has_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """DST-73, DST-74: it is called local, and classes are spawned in the order of their names."""
    made: list[str] = []

    class Zebra(A):
        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            made.append("Zebra")

    class Ape(A):
        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            made.append("Ape")

    runner = environment(Zebra, Ape).create_local_runner()
    runner.start(4, 4)
    until(lambda: runner.user_count == 4)
    assert made == ["Ape", "Ape", "Zebra", "Zebra"]
    assert runner._users_dispatcher is not None
    assert list(next(iter(runner._users_dispatcher.new_dispatch(4, 4) or runner._users_dispatcher))) == ["local"]
    runner.quit()
