"""A server that answers `/MS` after so many milliseconds and says when by the clock of the machine, so that its own
lateness cancels: the header X-Times has when the request arrived, by the kernel's stamp (0: not known, over TLS), and
when the answer was sent, in Unix nanoseconds. With `Connection: close` the body ends with the connection.

timed_server.py CERT KEY: prints the ports, plain and TLS, and serves until its standard input ends."""

import asyncio
import socket
import ssl
import struct
import sys
import time

SO_TIMESTAMPNS = 35
BODY = b"true\n" * 2000


def length_of(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


def delay_of(head: bytes) -> float:
    return float(head.split(b" ", 2)[1][1:]) / 1000


def answer(head: bytes, arrived_ns: int) -> bytes:
    is_last = b"\r\nconnection: close" in head.lower()
    length = b"Connection: close" if is_last else b"Content-Length: %d" % len(BODY)
    # The clock is read last: nothing but the sending itself comes after it.
    return b"HTTP/1.1 200 OK\r\n%s\r\nX-Times: %d %d\r\n\r\n%s" % (length, arrived_ns, time.time_ns(), BODY)


async def serve_plain(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    held = b""
    while True:
        ready = loop.create_future()
        loop.add_reader(sock, ready.set_result, None)
        await ready
        loop.remove_reader(sock)
        try:
            data, control, _, _ = sock.recvmsg(65536, 128)
        except ConnectionError:
            data = b""
        if not data:
            sock.close()
            return
        if not held:
            seconds, ns = struct.unpack("@qq", control[0][2]) if control else (0, 0)
            arrived_ns = seconds * 10**9 + ns
        held += data
        head, found, body = held.partition(b"\r\n\r\n")
        if not found or len(body) < length_of(head):
            continue
        held = b""
        await asyncio.sleep(delay_of(head))
        sock.send(answer(head, arrived_ns))
        if b"\r\nconnection: close" in head.lower():
            sock.close()
            return


async def accept_plain(listener: socket.socket) -> None:
    serving = set()
    while True:
        sock, _ = await asyncio.get_running_loop().sock_accept(listener)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.create_task(serve_plain(sock))
        serving.add(task)
        task.add_done_callback(serving.discard)


async def serve_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(length_of(head))
            await asyncio.sleep(delay_of(head))
            writer.write(answer(head, 0))
            if b"\r\nconnection: close" in head.lower():
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    listener.setblocking(False)
    accepting = asyncio.create_task(accept_plain(listener))
    secure = await asyncio.start_server(serve_tls, "127.0.0.1", 0, ssl=context)
    print(listener.getsockname()[1], secure.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    accepting.cancel()


asyncio.run(main())
