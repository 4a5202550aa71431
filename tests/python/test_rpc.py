"""Messages and sockets between master and workers, compared with Python's msgpack."""

import contextlib
import os
import socket
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import cload  # noqa: F401  # from here on `import locust` means cload's package
import gevent
import msgpack
import pytest
from locust.exception import RPCError, RPCReceiveError, RPCSendError
from locust.rpc import Client, Message, Server, rpc, zmqrpc
from servers import free_port

VALUES = [
    None,
    True,
    0,
    -1,
    2**64 - 1,
    -(2**63),
    1.5,
    "täxt",
    b"\x00\xff",
    [],
    [1, [2, [3]]],
    {},
    {4: 1, 2: 1},
    {1795234975: {"a": None}},
    {"response_times": {4: 1}, "x": [1.0, "y", b"z"]},
    "x" * 70000,
    list(range(70000)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_values_are_packed_as_msgpack_does(value: Any) -> None:
    """DST-6, DST-7."""
    frame = Message("type", value, "node").serialize()
    assert frame == msgpack.packb(["type", value, "node"])
    back = Message.unserialize(frame)
    assert (back.type, back.data, back.node_id) == ("type", value, "node")
    assert type(back.data) is type(value)


def test_the_captured_frames() -> None:
    """DST-6."""
    frame = bytes.fromhex("93a361636b81a5696e64657807d923") + b"v" * 35
    message = Message.unserialize(frame)
    assert (message.type, message.data, message.node_id) == ("ack", {"index": 7}, "v" * 35)
    assert message.serialize() == frame


def test_datetime() -> None:
    """DST-8."""
    moment = datetime(2026, 11, 21, 12, 34, 56, 789)
    frame = Message("t", {"when": moment}, "n").serialize()
    assert msgpack.unpackb(frame)[1] == {"when": {"__datetime__": True, "as_str": "20261121T12:34:56.000789"}}
    assert Message.unserialize(frame).data == {"when": moment}


def test_extension_types() -> None:
    value = [msgpack.ExtType(5, b"abc"), msgpack.Timestamp(1, 2)]
    frame = msgpack.packb(["t", value, "n"])
    assert Message.unserialize(frame).data == value
    assert Message("t", [value[0]], "n").serialize() == msgpack.packb(["t", [value[0]], "n"])


def test_lists_and_tuples_become_lists() -> None:
    assert Message.unserialize(Message("t", (1, (2,)), "n").serialize()).data == [1, [2]]


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64, -(2**63) - 1], ids=repr)
def test_what_has_no_form_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, OverflowError)):
        Message("t", [value], "n").serialize()


@pytest.mark.parametrize("more", [{}, {"new": 1}, {"new": 1, "newer": 2, "newest": 3}])
def test_a_dictionary_that_changes_meanwhile_is_refused(more: dict[str, int]) -> None:
    """An item takes keys away, and puts fewer or more in their place: no frame says what it does not hold."""

    class ObjectId:
        def __str__(self) -> str:
            del data["second"], data["third"]
            data.update(more)
            return "x"

    data: dict[str, Any] = {"first": ObjectId(), "second": 2, "third": 3}
    with pytest.raises(RuntimeError, match="changed"):
        Message("t", data, "n").serialize()


def test_endless_nesting_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="nested"):
        Message("t", value, "n").serialize()
    with pytest.raises(ValueError, match="nested"):
        Message.unserialize(b"\x93\xa1t" + b"\x91" * 100_000 + b"\xc0\xa1n")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        msgpack.packb(["t", 1]),
        msgpack.packb(["t", 1, "n", 2]),
        msgpack.packb(["t", 1, "n"]) + b"x",
        msgpack.packb([1, 1, "n"]),
        b"\x93\xa1t\xa1\xff\xa1n",
        b"\x93\xa1t\xdd\xff\xff\xff\xff\xa1n",
        b"\x93\xa1t\x81\x90\x01\xa1n",
        msgpack.packb(["t", {"__datetime__": True, "as_str": "yesterday"}, "n"]),
    ],
)
def test_malformed_frames_are_errors(frame: bytes) -> None:
    """DST-11."""
    with pytest.raises((ValueError, TypeError)):
        Message.unserialize(frame)


def test_names() -> None:
    """API-227."""
    assert rpc is zmqrpc
    assert (rpc.Server, rpc.Client) == (Server, Client)


def test_messages_go_both_ways() -> None:
    """DST-1, DST-4, DST-5; receiving lets other greenlets run."""
    server = Server("127.0.0.1", 0)
    client = Client("127.0.0.1", server.port, "me")
    got: list[Any] = []
    receiver = gevent.spawn(lambda: got.append(client.recv()))
    client.send(Message("a", {"x": 1}, "me"))
    sender, message = server.recv_from_client()
    assert (sender, message.type, message.data) == ("me", "a", {"x": 1})
    server.send_to_client(Message("b", [2], "me"))
    receiver.join(60)
    assert got[0].data == [2]
    for index in range(300):
        client.send(Message("n", index, "me"))
    assert [server.recv_from_client()[1].data for _ in range(300)] == list(range(300))
    client.close()
    server.close()


def connections_of(port: int) -> list[tuple[str, int, float]]:
    """Of established ones on this port: our side, the kind of the timer that runs, and its seconds (proc(5))."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, remote, state, _, timer, *_ = line.split()
            if state == "01" and int(local.split(":")[1], 16) == port:
                kind, ticks = timer.split(":")
                found.append((remote, int(kind), int(ticks, 16) / os.sysconf("SC_CLK_TCK")))
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="it is read in /proc")
def test_connections_are_kept_alive() -> None:
    """DST-2: on both ends the kernel asks after 30 seconds of silence whether the other one is there."""
    server = Server("127.0.0.1", 0)
    client = Client("127.0.0.1", server.port, "me")
    client.send(Message("a", None, "me"))
    server.recv_from_client()
    remote = int(connections_of(server.port)[0][0].split(":")[1], 16)
    deadline = time.monotonic() + 60
    # The timer of what was sent last runs first.
    while {kind for port in (server.port, remote) for _, kind, _ in connections_of(port)} != {2}:
        assert time.monotonic() < deadline, [connections_of(server.port), connections_of(remote)]
        gevent.sleep(0.01)
    for port in (server.port, remote):
        assert 20 < connections_of(port)[0][2] <= 30, "2 is the timer that keeps alive"
    client.close()
    server.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
@pytest.mark.parametrize(("listens", "reached"), [("*", {4, 6}), ("::1", {6}), ("[::1]", {6}), ("127.0.0.1", {4})])
def test_both_internet_protocols(listens: str, reached: set[int]) -> None:
    """DST-1, DST-2: all addresses of a system that has both, unless the host is of one of them; by name as well."""
    # Nobody else listens there, on an address that this one does not.
    server = Server(listens, free_port())
    names = {4: ("127.0.0.1", "localhost"), 6: ("::1", "[::1]")}
    for version, hosts in names.items():
        with contextlib.suppress(OSError):
            socket.create_connection((hosts[0], server.port), 60).close()
            assert version in reached, f"{hosts[0]} reaches {listens}"
        for host in hosts if version in reached else ():
            client = Client(host, server.port, f"me {host}")
            client.send(Message("a", None, "me"))
            with gevent.Timeout(60):
                assert server.recv_from_client()[0] == f"me {host}"
            client.close()
    server.close()


@pytest.mark.parametrize(("secret", "mechanism"), [(None, b"NULL"), ("open sesame", b"CURVE")])
def test_what_a_port_says_of_itself(secret: str | None, mechanism: bytes) -> None:
    """DST-3: no encryption and no authentication, unless there is a secret."""
    server = Server("127.0.0.1", 0, secret)
    with socket.create_connection(("127.0.0.1", server.port), 60) as stranger:
        # The greeting of ZMTP 3: signature, version, and from byte 12 the mechanism.
        stranger.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32))
        greeting = b""
        while len(greeting) < 64:
            greeting += stranger.recv(64 - len(greeting))
    assert greeting[12:32].rstrip(b"\0") == mechanism
    server.close()


def test_a_full_queue_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DST-10: sending never blocks; after 1, 3 and 5 seconds it is an error."""
    client = Client("127.0.0.1", 1, "me")
    with gevent.Timeout(60):
        # Nobody is there to take them.
        while client._channel.send(Message("a", None, "me").serialize()):
            pass
    pauses: list[float] = []
    monkeypatch.setattr(gevent, "sleep", pauses.append)
    with pytest.raises(RPCSendError, match="the queue is full"):
        client.send(Message("a", None, "me"))
    assert pauses == [1, 3, 5]
    client.close()


def test_a_server_knows_whether_it_is_behind() -> None:
    server = Server("127.0.0.1", 0)
    client = Client("127.0.0.1", server.port, "w_1")
    assert server.behind == 0, "nobody looked yet"
    receiver = gevent.spawn(server.recv_from_client)
    gevent.sleep(0.05)
    assert server.behind == 0, "it waits"
    sent = time.monotonic()
    client.send(Message("x", None, "w_1"))
    receiver.join()
    heard = time.monotonic()
    assert server.behind <= time.monotonic() - sent, "it waited until then"
    client.send(Message("x", None, "w_1"))
    gevent.sleep(0.1)
    unseen = time.monotonic() - heard
    assert unseen <= server.behind <= time.monotonic() - sent, "nobody looked"
    server.recv_from_client()
    client.close()
    server.close()


def test_a_receiver_can_be_killed_or_timed_out() -> None:
    server = Server("127.0.0.1", 0)
    receiver = gevent.spawn(server.recv_from_client)
    gevent.sleep(0.01)
    receiver.kill()
    assert receiver.dead
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        server.recv_from_client()
    receiver = gevent.spawn(server.recv_from_client)
    gevent.sleep(0.01)
    server.close()
    receiver.join(60)
    assert isinstance(receiver.exception, RPCError)
    with pytest.raises(RPCError):
        server.recv_from_client()
    with pytest.raises(RPCSendError):
        server.send_to_client(Message("a", None, "x"))


def test_one_receiver_at_a_time() -> None:
    """Also where the first one only lets others have their turn, as it does after messages in a row."""
    server = Server("127.0.0.1", 0)
    client = Client("127.0.0.1", server.port, "w_1")
    for _ in range(4):
        for _ in range(3):
            client.send(Message("x", None, "w_1"))
        gevent.sleep(0.02)
        for _ in range(3):
            server.recv_from_client()
        time.sleep(0.002)
        receivers = [gevent.spawn(server.recv_from_client) for _ in range(2)]
        gevent.joinall(receivers, timeout=60, count=1)
        assert [type(receiver.exception) for receiver in receivers if receiver.ready()] == [RuntimeError]
        client.send(Message("y", None, "w_1"))
        gevent.joinall(receivers, timeout=60)
        assert [receiver.value[1].type for receiver in receivers if receiver.successful()] == ["y"]
    client.close()
    server.close()


def test_garbage_tells_who_sent_it() -> None:
    """DST-11."""
    server = Server("127.0.0.1", 0)
    client = Client("127.0.0.1", server.port, "rude")
    client._channel.send(b"\xc1garbage")
    with pytest.raises(RPCReceiveError) as caught:
        server.recv_from_client()
    assert caught.value.addr == "rude"
    client.send(Message("fine", None, "rude"))
    assert server.recv_from_client()[1].type == "fine"
    client.close()
    server.close()


def test_failures_to_open_are_rpc_errors() -> None:
    server = Server("127.0.0.1", 0)
    with pytest.raises(RPCError, match="in use"):
        Server("127.0.0.1", server.port)
    for host, port, identity in (("127.0.0.1", 99999, "x"), ("127.0.0.1", 1, ""), ("not a host", 1, "x")):
        with pytest.raises(RPCError):
            Client(host, port, identity)
    server.close()
