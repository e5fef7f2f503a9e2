"""A TCP proxy that does to connections what networks do to them: toxiproxy's toxics, and cuts at chosen bytes.

    with Proxy("127.0.0.1", port) as proxy:
        proxy.downstream = Toxics(latency=0.2)                           # from the server to the client; `upstream` is the other way
        proxy.cut_when(lambda sent: b"COMMIT" in sent, Moment.ANSWERED)  # the server commits, the client never hears of it
        proxy.down()                                                     # refuses connections until `proxy.up()`

It runs in a thread of its own; everything can be switched from any thread, and counts from the next piece of data on.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Self

import msgspec

PIECE = 65536
REMEMBERED = 1024
"""Bytes sent before that a predicate sees again, so that what it looks for may come in two pieces."""


class Toxics(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to the data of one direction. Sizes are bytes, times seconds."""

    latency: float = 0.0  # before each piece is passed on
    bandwidth: float | None = None  # bytes per second
    slice_size: int | None = None  # largest piece passed on at once
    slice_delay: float = 0.0  # between two pieces
    limit_data: int | None = None  # closed once so much of one connection was passed on
    slow_close: float = 0.0  # an end is passed on so much later
    timeout: float | None = None  # nothing is passed on, and the connection closed after this time; `inf` for never
    reset_peer: float | None = None  # reset so long after the next data came


HEALTHY = Toxics()


class Moment(Enum):
    """When a connection is cut, seen from the client's bytes that were waited for."""

    BEFORE = "they are not passed on"
    SENT = "they are passed on, and no answer is"
    ANSWERED = "they are passed on, the server has answered, and the answer is lost"


class _Cut(Exception):
    """Ends a connection; `reset` without a goodbye."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class _Link:
    """One connection: the two writers, and whether it is being cut."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.cutting = False

    def end(self, *, reset: bool) -> None:
        """Goodbye to the server, so that it still reads what it was sent; a reset to the client, if so wanted."""
        self.server.close()
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.client.transport.abort()
        self.client.close()


class Proxy:
    """Passes connections to `port` of this machine on to a server. `accepted` counts them, `cuts` those that a predicate ended."""

    def __init__(self, host: str, port: int) -> None:
        self.upstream = self.downstream = HEALTHY
        self.accepted = self.cuts = 0
        self.port = 0
        self._target = (host, port)
        self._cut: tuple[Callable[[bytes], bool], Moment] | None = None
        self._links: set[_Link] = set()
        self._listener: asyncio.Server | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def heal(self) -> None:
        """No toxics, and no cut waited for."""
        self.upstream = self.downstream = HEALTHY
        self._cut = None

    def cut_when(self, matches: Callable[[bytes], bool], moment: Moment) -> None:
        """Cut the next connection on which the client sends what `matches`, once. It is given each piece, and the bytes before it."""
        self._cut = (matches, moment)

    def cut(self) -> None:
        """Reset every connection there is; new ones are welcome."""
        self._do(self._end_links())

    def lead_nowhere(self) -> None:
        """From now on, reach no server. May be called from a predicate of `cut_when`."""
        self._target = ("127.0.0.1", 1)

    def down(self) -> None:
        """Reset every connection and refuse new ones."""
        self._do(self._close())

    def up(self) -> None:
        """Listen again, at the same port."""
        self._do(self._listen())

    # Inside the thread

    def _do(self, action: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(action, self._loop).result(10)

    async def _run(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        await self._listen()
        self._started.set()
        await self._ending.wait()
        await self._close()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener:
            self._listener.close()
        await self._end_links()

    async def _end_links(self) -> None:
        for link in list(self._links):
            link.end(reset=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # how it ends when the proxy does
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        link, reset = _Link(writer, server_writer), False
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._to_server(link, reader))
                group.create_task(self._to_client(link, server_reader))
        except* _Cut as cuts:
            reset = any(isinstance(cut, _Cut) and cut.reset for cut in cuts.exceptions)
        except* OSError:
            reset = True
        finally:
            self._links.discard(link)
            link.end(reset=reset)

    async def _to_server(self, link: _Link, reader: asyncio.StreamReader) -> None:
        passed, before = 0, b""
        while data := await reader.read(PIECE):
            moment = self._wanted(before + data)
            link.cutting = moment is not None
            if moment is not Moment.BEFORE:
                passed = await _pass_on(data, passed, link.server, self.upstream)
            if moment in (Moment.BEFORE, Moment.SENT):
                raise _Cut(reset=True)
            before = (before + data)[-REMEMBERED:] if self._cut else b""
        await _pass_end_on(link.server, self.upstream)

    async def _to_client(self, link: _Link, reader: asyncio.StreamReader) -> None:
        passed = 0
        while data := await reader.read(PIECE):
            if link.cutting:
                raise _Cut(reset=True)
            passed = await _pass_on(data, passed, link.client, self.downstream)
        await _pass_end_on(link.client, self.downstream)

    def _wanted(self, sent: bytes) -> Moment | None:
        """When to cut because of these bytes; None for not at all."""
        if self._cut is None or not self._cut[0](sent):
            return None
        moment, self._cut = self._cut[1], None
        self.cuts += 1
        return moment


async def _pass_on(data: bytes, passed: int, writer: asyncio.StreamWriter, toxics: Toxics) -> int:
    """Write `data`, or what the toxics leave of it; returns how much was passed on since the connection began."""
    for delay, reset in ((toxics.timeout, False), (toxics.reset_peer, True)):
        if delay is not None:
            await asyncio.sleep(delay)
            raise _Cut(reset=reset)
    allowed = data if toxics.limit_data is None else data[: max(0, toxics.limit_data - passed)]
    size = toxics.slice_size or PIECE
    for at in range(0, len(allowed), size):
        piece = allowed[at : at + size]
        await asyncio.sleep(toxics.latency + (toxics.slice_delay if at else 0) + (len(piece) / toxics.bandwidth if toxics.bandwidth else 0))
        writer.write(piece)
        await writer.drain()
    if toxics.limit_data is not None and passed + len(data) >= toxics.limit_data:
        raise _Cut
    return passed + len(allowed)


async def _pass_end_on(writer: asyncio.StreamWriter, toxics: Toxics) -> None:
    await asyncio.sleep(toxics.slow_close)
    with contextlib.suppress(OSError):
        writer.write_eof()
