"""What workers report: taken once, added up, and refused where it is nonsense."""

import json
import socket
import time
from typing import Any

import _cload
import gevent
import pytest
from hands import VERSION, Hand, HandMaster, spoiled_frames, until
from locust import log, runners
from locust._losses import Losses
from locust.event import Events
from locust.rpc import Message
from locust.runners import WorkerRunner
from locust.stats import RequestStats, StatsEntry, setup_distributed_stats_event_listeners

pytestmark = pytest.mark.usefixtures("quick_fleet")


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
    # In no order: they are two connections.
    until(lambda: master.environment.worker_logs and sum(row["count"] for row in master.exceptions.values()) == 2)
    (row,) = master.exceptions.values()
    assert row["nodes"] == {"h_0", "h_1"}
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
        told = _cload.merge_report(by_frame, frame)
        assert told == ({"A": 1}, data["stats_total"]["last_request_timestamp"])
    assert list(by_listener.entries) == list(by_frame.entries)
    for key in by_listener.entries:
        ours, theirs = by_frame.entries[key], by_listener.entries[key]
        assert ours.serialize() == theirs.serialize()
        assert ours._histogram == theirs._histogram
        assert ours._phases == theirs._phases
    assert by_frame.total.serialize() == by_listener.total.serialize()
    assert by_frame.serialize_errors() == by_listener.serialize_errors()


def test_reports_are_written_alike_in_both_ways() -> None:
    """DST-34: straight from the table, byte by byte what the dictionaries of listeners give."""
    tables = [RequestStats(use_response_times_cache=False) for _ in range(3)]
    for index in range(200):
        tables[0].log_request("GET", f"/{index % 30}", index * 77.7, index)
        tables[0].log_request("POST", "whole", index, 0)
    tables[0].log_request("GET", "timeless", None, 0)
    tables[0].log_request("GET", "less", 3.5, -12)
    tables[0].log_request("", "\N{SNOWMAN}", 3.5, 2**40)
    tables[0].log_error("GET", "/1", KeyError('it\'s "so"'))
    tables[0].log_error("PUT", "never", "text")
    tables[0].get("unused", "GET")
    frame = _cload.write_report(tables[0])
    for table in tables[1:]:
        _cload.merge_report(table, frame)
    users = {"A": 3, "B": 0}
    events = Events()
    setup_distributed_stats_event_listeners(events, tables[1])
    data: dict[str, Any] = {"cload_report": 70_000, "cload_until": 7.5}
    events.report_to_master.fire(client_id="x", data=data)
    by_listener = Message("stats", data | {"user_classes_count": users, "user_count": 3}, "x").serialize()
    assert tables[2]._take_report("x", 70_000, 7.5, users, 3) == by_listener
    assert tables[2].total.num_requests == 0 and len(tables[2].errors) == 0, "it told all"
    data = {}
    events.report_to_master.fire(client_id="x", data=data)
    empty = Message("stats", data | {"user_classes_count": {}, "user_count": 0}, "x").serialize()
    tables[2].total.start_time = data["stats_total"]["start_time"]
    assert tables[2]._take_report("x", 0, 0.0, {}, 0) == empty, "one for a real Locust master has no keys of ours"


@pytest.mark.parametrize("change", ["nothing", "listener", "method", "error"])
def test_dictionaries_are_made_for_whoever_looks(
    hand_master: HandMaster, worker: WorkerRunner, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """DST-38, EVT-17: what listeners, methods of scripts and changed rows say is what the master gets."""
    stats = worker.environment.stats
    fired = []
    monkeypatch.setattr(type(worker.environment.events.report_to_master), "fire", lambda *_, **all: fired.append(all))
    worker._send_stats()
    assert fired == [], "else nobody needs them"
    monkeypatch.undo()
    stats.log_request("GET", "/a", 7, 0)
    stats.log_error("GET", "/a", "text")
    if change == "listener":
        worker.environment.events.report_to_master.add_listener(lambda client_id, data: data.update(mine=client_id))
    elif change == "method":
        monkeypatch.setattr(StatsEntry, "serialize", lambda entry: {"name": entry.name, "method": "OTHER"})
    elif change == "error":
        next(iter(stats.errors.values())).occurrences = 20
    before = len(hand_master.of("stats"))
    worker._send_stats()
    until(lambda: any(report["stats"] for report in hand_master.of("stats")[before:]))
    report = next(report for report in hand_master.of("stats")[before:] if report["stats"])
    assert report.get("mine") == (worker.client_id if change == "listener" else None)
    assert report["stats"][0]["method"] == ("OTHER" if change == "method" else "GET")
    assert [error["occurrences"] for error in report["errors"].values()] == [20 if change == "error" else 1]
    assert stats.total.num_requests == len(stats.errors) == 0 or change == "method"


def test_current_rates_are_of_a_time_that_all_workers_reported(make_master: Any, make_hand: Any) -> None:
    """DST-37, better: where workers report much later than others, numbers of the newest seconds are not all there."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    now = int(time.time())

    def report(hand: Hand, first: int, last: int, **more: Any) -> None:
        seconds = {now + second: 10 for second in range(first, last)}
        row = {"name": "/x", "method": "GET", "start_time": now - 60.0, "last_request_timestamp": now + last - 0.5}
        row |= {"num_requests": 10 * len(seconds), "num_reqs_per_sec": seconds, "response_times": {}}
        hand.report(**more, stats=[row], stats_total=row | {"name": "Aggregated", "method": ""}, errors={})
        hand.settle()
        master.backlog.look()

    for hand in hands:
        report(hand, -60, -40, cload_until=now - 40.0)
    assert master.stats.total.current_rps == 20
    report(hands[0], -40, 0, cload_until=now + 0.0)
    entry = master.stats.get("/x", "GET")
    assert entry.current_rps == master.stats.total.current_rps == 20, "not 10, as if one of them had stopped"
    row = master.stats._csv_history([], True, now, 2, now).splitlines()[-1].split(",")
    assert row[4] == "20.000000"
    # Real Locust's tell up to when by their last request.
    report(hands[1], -40, 0)
    assert master.stats.total.current_rps == 20
    # A clock that is wrong by more than workers may wait.
    report(hands[1], -200, -199, cload_until=now - 200.0)
    assert master.stats.total.current_rps == 20
    # Who has no users any more reports nothing that would be missing.
    report(hands[1], -40, -39, cload_until=now - 40.0, user_classes_count={"A": 0})
    report(hands[0], 0, 20, cload_until=now + 20.0)
    assert master.stats.total.current_rps == 10


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
        ("cload_until", "now"),
        ("stats_total", None),
        ("errors", {"k": {"name": "a"}}),
    ):
        stats = RequestStats()
        frame = Message("stats", {name: item for name, item in (good | {key: value}).items() if item is not None}, "x")
        with pytest.raises(ValueError):
            _cload.merge_report(stats, frame.serialize())
        assert len(stats.entries) == 0 and stats.total.num_requests == 0 and len(stats.errors) == 0
    # What was measured counts, also where its users are not told of.
    more = good | {"user_classes_count": None, "cload_until": 9.5}
    assert _cload.merge_report(stats, Message("stats", more, "x").serialize()) == (None, 9.5)
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


def test_spoiled_frames_at_the_master(
    make_master: Any, make_hand: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DST-11: what a worker and a stranger send that is nearly right is a line in the log, and no more."""
    monkeypatch.setattr(log, "unhandled_greenlet_exception", False)
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
    until(lambda: all(one.of("locustfile") for one in rude))
    hands[1].join()
    count = len(hands[1].of("heartbeat"))
    until(lambda: len(hands[1].of("heartbeat")) > count)
    assert master.clients["h_1"].state == "ready" and not log.unhandled_greenlet_exception
    assert "Not a message" in caplog.text


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
        for frame in (Message("client_ready", -1, "").serialize(), *frames):
            nameless.sendall(b"\x02" + len(frame).to_bytes(8, "big") + frame)
        until(lambda: master._taken["h_1"].last == 2)
    assert master.stats.total.num_requests == 6 and list(master._taken) == list(master.clients) == ["h_1"]


def test_a_master_that_does_not_read_gets_no_second_report(
    hand_master: HandMaster, worker: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DST-18, DST-34: what is measured meanwhile is in the next one, whoever the master is; so nothing piles up."""
    monkeypatch.setattr(runners, "WORKER_REPORT_INTERVAL", 0.05)
    me, made = worker.client_id, 0

    def new_reports(seconds: float = 0.3) -> int:
        nonlocal made
        before = len(hand_master.of("stats"))
        worker.stats.log_request("GET", "/x", 1.0, 0)
        made += 1
        gevent.sleep(seconds)
        return len(hand_master.of("stats")) - before

    def told() -> int:
        return sum(report["stats_total"]["num_requests"] for report in hand_master.of("stats"))

    until(lambda: new_reports() > 1)
    # One of Locust's: nothing is sent any more once it was silent for two intervals and a heartbeat.
    hand_master.is_answering = False
    until(lambda: new_reports() == 0)
    assert new_reports() == 0 and told() < made
    hand_master.send("heartbeat", None, me)
    until(lambda: told() == made)
    # One of ours: nothing until it has the last one, and then no earlier than it says.
    hand_master.send("ack", {"index": 7, "cload": 1, "cload_keep": True}, me)
    until(lambda: worker._unconfirmed)
    new_reports()
    assert new_reports() == 0 and list(worker._unconfirmed) == [1]
    hand_master.send("heartbeat", {"cload_report": 1, "cload_pause": 60_000}, me)
    until(lambda: not worker._unconfirmed)
    assert new_reports() == 0 and told() < made
    hand_master.send("heartbeat", {"cload_report": 1}, me)
    until(lambda: told() == made)
    assert hand_master.of("stats")[-1]["cload_report"] == 2
    hand_master.send("ack", {"index": 7}, me)
    until(lambda: not worker._is_own_master)


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
    count = len(hand_master.of("heartbeat"))
    hand_master.send("heartbeat", {"cload_report": 0, "cload_beat": 1}, me)
    until(lambda: len(hand_master.of("heartbeat")) > count + 5)
    assert sent(1) == 1, "the answer was on its way already when the report was sent"
    beat = hand_master.of("heartbeat")[-1]["cload_beat"]
    hand_master.send("heartbeat", {"cload_report": 0, "cload_beat": beat}, me)
    until(lambda: sent(1) == 2)
    hand_master.send("heartbeat", {"cload_report": 0, "cload_beat": beat}, me)
    hand_master.send("heartbeat", None, me)
    hand_master.send("heartbeat", {"cload_report": worker._last_number, "cload_beat": beat}, me)
    until(lambda: 1 not in worker._unconfirmed)
    hand_master.send("heartbeat", {"cload_report": 1, "cload_beat": beat}, me)
    gevent.sleep(0.05)
    assert sent(1) == 2
    # Who goes need not wait for a confirmation that never comes.
    hand_master.send("ack", {"index": 7}, me)
    until(lambda: not worker._is_own_master)
