"""A master with workers played by hand."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from hands import VERSION, A, B, Hand, environment, until
from locust import runners
from locust._timeline import Timeline
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import MasterRunner
from servers import free_port

pytestmark = pytest.mark.usefixtures("quick_fleet")


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
    refused.settle()
    assert [message.type for message in refused.got] == ["locustfile"], "DST-15: a stranger's heartbeat is not answered"


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
    run.join(60)
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
    stopping.join(60)
    until(lambda: master.state == "stopped")
    assert events == ["test_start", "spawning_complete", "test_stopping", "test_stop"]
    assert master.final_user_classes_count == {"A": 2, "B": 2}
    A.host = B.host = None


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
    run.join(60)
    assert master.state == "running"


def lose(master: MasterRunner, hand: Hand) -> None:
    """It says nothing any more, for as long as a master has patience."""
    hand.greenlets.pop().kill()
    hand.settle()
    master.clients[hand.name].heartbeat = 3
    until(lambda: master.clients[hand.name].state == "missing")


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
    master = make_master(enable_rebalancing=is_rebalancing)
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    run_test(master, hands, 8)
    lost, left = hands
    lose(master, lost)
    assert master.user_count == 4
    if is_rebalancing:
        until(lambda: left.wanted == 8)
        left.obey()
        until(lambda: master.spawning_completed and master.state == "running")
        lost.obey()
        lost.settle()
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
        monkeypatch.setattr(runners, "HEARTBEAT_DEAD_INTERNAL", -30)
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


def test_a_run_that_is_over_ends_with_the_reports_of_all_its_workers(
    make_master: Any, make_hand: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DST-44, --master-state: another master waits for those that are not back, but not for one that had left, and not
    for ever."""
    master = make_master(master_state=str(tmp_path / "state"), headless=True)
    hands = [make_hand(master, f"h_{index}").join() for index in range(4)]
    assert [hand.of("ack")[0].get("cload_state") for hand in hands] == [1] * 4, "last reports wait for another master"
    run_test(master, hands, 4)
    hands[3].report(cload_report=1)
    hands[3].send("quit")
    until(lambda: len(master.clients) == 3)
    shutil.copy(tmp_path / "state", tmp_path / "copy")

    monkeypatch.setattr("locust._resume._GRACE", 0.2)
    monkeypatch.setattr("locust._resume._LONGEST_RETURN", 60.0)
    second = make_master(master_state=str(tmp_path / "copy"), headless=True)
    assert second.resume() is not None and second.stats.total.num_requests == 3
    waiting = gevent.spawn(second.await_workers)
    first = make_hand(second, "h_0")
    until(lambda: second.clients["h_0"].state != "missing")
    first.report(cload_report=1)
    first.send("quit")
    until(lambda: "h_0" not in second.clients)
    assert second.stats.total.num_requests == 6
    assert not waiting.ready() and second.state == "spawning", "that was not the last one"
    make_hand(second, "h_1"), make_hand(second, "h_2")
    waiting.join(60)
    assert waiting.ready() and "did not come back" not in caplog.text

    # Nobody is left who would come back to a third one: they had no master for too long.
    os.utime(tmp_path / "copy", (0, 0))
    shutil.copy2(tmp_path / "copy", tmp_path / "late")
    third = make_master(master_state=str(tmp_path / "late"), headless=True)
    assert third.resume() is not None and third.is_ending
    third.await_workers()
    assert "2 workers of the test did not come back (h_1, h_2)" in caplog.text


def test_many_that_come_and_go_are_one_rebalance(make_master: Any, make_hand: Any) -> None:
    """Not a message to all for each of them: with thousands of workers that would be millions."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(3)]
    run_test(master, hands, 6)
    before = [len(hand.of("spawn")) for hand in hands]
    for _ in range(50):
        master._rebalance()
    until(lambda: all(len(hand.of("spawn")) > count for hand, count in zip(hands, before, strict=True)))

    def is_done() -> bool:
        for hand in hands:
            hand.obey()
        return master.spawning_completed and master._rebalancing.ready()

    until(is_done)
    assert all(len(hand.of("spawn")) - count <= 2 for hand, count in zip(hands, before, strict=True))


def test_a_master_that_is_behind_blames_no_worker(make_master: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats may be among what it has not read. It counts on slowly, for a worker may be dead all the same."""
    master = make_master()
    until(master._is_silence_counted)
    monkeypatch.setattr(type(master.server), "behind", property(lambda self: 99.0))
    assert [master._is_silence_counted() for _ in range(8)] == 2 * [False, False, False, True]


def test_many_silent_workers_are_alive(make_master: Any, make_hand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """DST-39: a master or a network that is too slow for them is the reason, unless their connections are closed."""
    monkeypatch.setattr("locust.runners.HEARTBEAT_INTERVAL", 60)
    master = make_master()
    hands = [make_hand(master, f"h_{number}", is_beating=False).join() for number in range(12)]
    for node in master.clients.values():
        node.heartbeat = 1
    assert master._are_many_overdue()
    master.clients["h_0"].heartbeat = master.clients["h_1"].heartbeat = runners.HEARTBEAT_LIVENESS
    assert not master._are_many_overdue(), "ten may be silent for reasons of their own"
    for node in master.clients.values():
        node.heartbeat = 1
    for hand in hands[:3]:
        hand.close()
    until(lambda: not master._are_many_overdue())


def test_a_master_does_not_wait_for_who_is_gone(
    make_master: Any, make_hand: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that closes its connection without a word, as boomer does, is no reason to wait."""
    master = make_master()
    hand = make_hand(master, "h_0").join()
    run_test(master, [hand], 2)
    hand.close()
    monkeypatch.setattr("locust._master._LAST_REPORT_WAIT", 600.0)
    with gevent.Timeout(60):
        master.quit()
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
    ending.join(60)
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
    # One worker's messages keep their order; those of two workers have none.
    assert [message for message in got if message[2] == "h_0"] == [("mine", "bad", "h_0"), ("mine", {1: [None]}, "h_0")]
    assert [message for message in got if message[2] == "h_1"] == [("aside", 2, "h_1")]
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


def raiser(error: Exception) -> Callable[..., Any]:
    def call(*_args: Any) -> Any:
        raise error

    return call


def test_a_socket_error_on_the_master(make_master: Any, make_hand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """DST-12: the connection counts as broken, and the loop that counts heartbeats listens anew, on the same port."""
    monkeypatch.setattr(runners, "FALLBACK_INTERVAL", 0.1)
    port = free_port()
    master = make_master(port=port)
    before, broken = master.server, []
    hand = make_hand(master, "h_0").join()
    listen = master._listen

    def listen_anew() -> Any:
        broken.append(master.connection_broken)
        return listen()

    monkeypatch.setattr(master, "_listen", listen_anew)
    monkeypatch.setattr(before, "recv_from_client", raiser(RPCError("Socket failure: out of order")))
    hand.send("ping")
    until(lambda: master.server is not before and not master.connection_broken)
    assert all(broken) and master.server.port == port
    count = len(hand.of("heartbeat"))
    until(lambda: len(hand.of("heartbeat")) > count)


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


def test_high_rates_are_warned_of(make_master: Any, make_hand: Any, caplog: pytest.LogCaptureFixture) -> None:
    """DST-75: above 100 users a second for each worker."""
    master = make_master()
    hands = [make_hand(master, f"h_{index}").join() for index in range(2)]
    for count, (rate, is_warned) in enumerate(((200, False), (201, True)), 1):
        caplog.clear()
        run = gevent.spawn(master.start, count, rate)
        until(lambda count=count: all(len(hand.of("spawn")) == count for hand in hands))
        for hand in hands:
            hand.obey()
        run.join(60)
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


def test_a_master_that_quits_as_a_test_begins_starts_nobody(make_master: Any, make_hand: Any) -> None:
    master = make_master()
    hand = make_hand(master, "h_1").join()

    def leave() -> None:
        until(lambda: hand.of("quit"))
        hand.send("quit")

    def on_test_start(environment: Environment, **_kwargs: Any) -> None:
        leaving = gevent.spawn(leave)
        master.quit()
        leaving.join()

    master.environment.events.test_start.add_listener(on_test_start)
    master.start(1, 1)
    assert not hand.of("spawn") and master.state != "spawning"
