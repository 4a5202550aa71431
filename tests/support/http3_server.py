"""A server of HTTP/3 (aioquic), run as a program: `http3_server.py --port N --cert FILE --key FILE`. It prints a line
when it listens. Pages are functions below; some of them do what a server should not do."""

import argparse
import asyncio
import contextlib
import gzip
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3_ALPN, ErrorCode, FrameType, H3Connection, encode_frame
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent, StreamReset

Page = Callable[["Call", str], Awaitable[None]]
pages: dict[str, Page] = {}
numbers = itertools.count(1)


def page(path: str) -> Callable[[Page], Page]:
    """For all paths that begin like this; the longest one counts. The page gets what follows it."""

    def keep(function: Page) -> Page:
        pages[path] = function
        return function

    return keep


class Call:
    """A request, and what is sent back."""

    def __init__(self, connection: "Connection", stream: int, headers: dict[str, str]) -> None:
        self.connection, self.stream, self.headers = connection, stream, headers
        self.body = b""

    def head(self, status: int, headers: dict[str, str] | None = None, is_end: bool = False) -> None:
        lines = [(b":status", b"%d" % status)]
        lines += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self.connection.http.send_headers(self.stream, lines, is_end)
        self.connection.transmit()

    def data(self, body: bytes, is_end: bool = False) -> None:
        self.connection.http.send_data(self.stream, body, is_end)
        self.connection.transmit()

    def answer(self, body: bytes | str = b"", status: int = 200, **headers: str) -> None:
        if isinstance(body, str):
            body = body.encode()
        lines = {"content-length": str(len(body))} if status != 204 else {}
        self.head(status, lines | {name.replace("_", "-"): value for name, value in headers.items()}, is_end=not body)
        if body:
            self.data(body, is_end=True)

    def reset(self, code: int) -> None:
        self.connection.quic.reset_stream(self.stream, code)
        self.connection.transmit()


class Connection(QuicConnectionProtocol):
    def __init__(self, quic: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(quic, *args, **kwargs)
        self.quic = quic
        self.http: Any = None
        self.number = next(numbers)
        self.calls: dict[int, Call] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.resets: list[int] = []

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self.quic)
        elif isinstance(event, StreamReset):
            self.resets.append(event.error_code)
        if self.http is not None:
            for one in self.http.handle_event(event):
                self.http_event_received(one)

    def http_event_received(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            headers = {name.decode(): value.decode() for name, value in event.headers}
            self.calls[event.stream_id] = Call(self, event.stream_id, headers)
        elif isinstance(event, DataReceived):
            self.calls[event.stream_id].body += event.data
        if isinstance(event, (HeadersReceived, DataReceived)) and event.stream_ended:
            call = self.calls.pop(event.stream_id)
            path = call.headers[":path"].partition("?")[0]
            found = max((begin for begin in pages if path.startswith(begin)), key=len, default="/missing")
            task = asyncio.ensure_future(self.serve(pages[found](call, path.removeprefix(found))))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, page: Awaitable[None]) -> None:
        with contextlib.suppress(ValueError):  # the client gave up the stream
            await page


@page("/hello")
async def hello(call: Call, rest: str) -> None:
    call.answer("hello " * 100)


@page("/echo")
async def echo(call: Call, rest: str) -> None:
    text = json.dumps({"headers": call.headers, "length": len(call.body), "body": call.body[:1000].decode("latin-1")})
    call.answer(b"" if call.headers[":method"] == "HEAD" else text, content_type="application/json")


@page("/bytes/")
async def bytes_(call: Call, rest: str) -> None:
    call.answer(b"x" * int(rest))


@page("/gzip")
async def gzip_(call: Call, rest: str) -> None:
    call.answer(gzip.compress(b"hello " * 100), content_encoding="gzip")


@page("/status/")
async def status(call: Call, rest: str) -> None:
    call.answer(status=int(rest))


@page("/missing")
async def missing(call: Call, rest: str) -> None:
    call.answer("nothing here", 404)


@page("/redirect")
async def redirect(call: Call, rest: str) -> None:
    call.answer(status=302, location="/echo", set_cookie="seen=redirect; Path=/; Secure")


@page("/elsewhere/")
async def elsewhere(call: Call, rest: str) -> None:
    """To the same path on another port of this host."""
    host = re.sub(r":\d+$", "", call.headers[":authority"])
    call.answer(status=307, location=f"https://{host}:{rest}/echo")


@page("/basic")
async def basic(call: Call, rest: str) -> None:
    is_known = call.headers.get("authorization") == "Basic dXNlcjpwYXNz"
    call.answer("welcome" if is_known else "who are you?", 200 if is_known else 401, www_authenticate="Basic")


@page("/early-hints")
async def early_hints(call: Call, rest: str) -> None:
    call.head(103, {"link": "</style.css>"})
    call.answer("after the hint")


@page("/trailers")
async def trailers(call: Call, rest: str) -> None:
    call.head(200)
    call.data(b"before the trailer")
    call.connection.http.send_headers(call.stream, [(b"x-sum", b"1")], True)
    call.connection.transmit()


@page("/big-header/")
async def big_header(call: Call, rest: str) -> None:
    call.answer("big", x_big="b" * int(rest))


@page("/slow/")
async def slow(call: Call, rest: str) -> None:
    """The answer after so many ms."""
    await asyncio.sleep(int(rest) / 1000)
    call.answer("late")


@page("/drip/")
async def drip(call: Call, rest: str) -> None:
    """A piece of 1,000 bytes every 50 ms, so many."""
    call.head(200)
    await drip_on(call, rest)


async def drip_on(call: Call, rest: str) -> None:
    for left in range(int(rest) - 1, -1, -1):
        call.data(b"." * 1000, is_end=left == 0)
        await asyncio.sleep(0.05)


held: list[asyncio.Event] = []


@page("/held/")
async def hold(call: Call, rest: str) -> None:
    """Pieces as of /drip/, when somebody asked for /release."""
    held.append(asyncio.Event())
    call.head(200)
    await held[-1].wait()
    await drip_on(call, rest)


@page("/release")
async def release(call: Call, rest: str) -> None:
    while held:
        held.pop().set()
    call.answer("released")


@page("/connection")
async def connection(call: Call, rest: str) -> None:
    """Which one this is, and the codes with which the client gave up streams of it."""
    call.answer(json.dumps({"number": call.connection.number, "resets": call.connection.resets}))


@page("/reset")
async def reset(call: Call, rest: str) -> None:
    call.reset(ErrorCode.H3_INTERNAL_ERROR)


@page("/reset-body")
async def reset_body(call: Call, rest: str) -> None:
    call.head(200, {"content-length": "1000"})
    call.data(b"half")
    await asyncio.sleep(0.05)
    call.reset(ErrorCode.H3_INTERNAL_ERROR)


@page("/short")
async def short(call: Call, rest: str) -> None:
    call.head(200, {"content-length": "1000"})
    call.data(b"short", is_end=True)


@page("/no-head")
async def no_head(call: Call, rest: str) -> None:
    call.connection.quic.send_stream_data(call.stream, b"", True)
    call.connection.transmit()


@page("/garbage")
async def garbage(call: Call, rest: str) -> None:
    """A frame of DATA where the head should be."""
    call.connection.quic.send_stream_data(call.stream, encode_frame(FrameType.DATA, b"no head"), True)
    call.connection.transmit()


@page("/close")
async def close(call: Call, rest: str) -> None:
    call.connection.close(ErrorCode.H3_INTERNAL_ERROR, reason_phrase="enough")


@page("/goodbye")
async def goodbye(call: Call, rest: str) -> None:
    """GOAWAY with the answer; the connection ends a little later."""
    last = encode_uint_var(call.stream + 4)
    control = call.connection.http._local_control_stream_id
    call.connection.quic.send_stream_data(control, encode_frame(FrameType.GOAWAY, last))
    call.answer(str(call.connection.number))
    await asyncio.sleep(0.3)
    call.connection.close(ErrorCode.H3_NO_ERROR)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.load_cert_chain(options.cert, options.key)
    await serve(options.host, options.port, configuration=configuration, create_protocol=Connection)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
