"""What a connection may take of the server: uvicorn's own protocol, with an end to everything that a client can leave undone.

uvicorn ends connections that are idle between two requests, and nothing else: a head that never ends, a body that never comes, an answer
that nobody reads hold their connection, and what it has in memory, for ever.
"""

import asyncio
import contextlib
import math
import socket
from collections import OrderedDict
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelsync.server.clients import Clients
from modelsync.server.lanes import Shares, TooBusy
from modelsync.server.metrics import Metrics
from modelsync.settings import Serving

log = structlog.get_logger("modelsync.api")

MOST_HEAD = 32 * 1024
"""Bytes of a request's line, headers and trailers, about as servers commonly have it; the parser itself would take any number."""

MOST_HEADERS = 100
"""Headers and trailers of a request: each takes some hundred bytes of memory, however short it is."""

PART = 16 * 1024
"""Bytes that are taken and parsed at once, before it is another connection's turn."""

MOST_CHUNKS = 10_000
"""Pieces in which a body may come: each takes as long as some hundred bytes, if it is only of one."""

THROWN_AWAY = 16 * 1024 * 1024
"""Bytes of a body that are still read after its answer: whoever has sent it whole reads why it was refused, and is not just cut off."""

MOST_PIPELINED = 16
"""Requests that a client may send before it has the answer to the first."""

TAKEN_AT_ONCE = 32
"""New connections that are taken in one turn of the loop. Each needs a handle before it is counted."""

UNSENT = 128 * 1024
"""Bytes that the system takes of an answer before they are on their way."""

NEVER = math.inf


class Connections:
    """The connections of a server. Each is counted until its socket is closed, so that there are never more files open than that."""

    def __init__(self, limits: Serving, clients: Clients, metrics: Metrics) -> None:
        self.limits = limits
        self.clients = clients
        self.cut_off = metrics.cut_off
        self.shares = Shares("connections", at_most(limits.connections), limits.client_connections)
        self.waiting: OrderedDict[Connection, None] = OrderedDict()
        self.open: dict[Connection, None] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """What makes a connection of each that a client opens, for uvicorn."""
        return cast("type[asyncio.Protocol]", partial(Connection, self))

    def admit(self, connection: "Connection") -> ExitStack:
        """Count a connection until what this gives is closed. When there are many, one that waits for a request makes room.

        Raises TooBusy when its client has too many, or all others are at work.
        """
        counted = ExitStack()
        counted.enter_context(self.shares.one(self.clients.of(connection.client[0]) if connection.client else None))
        if self.shares.taken > self.limits.connections:
            idle = next((each for each in self.waiting if not each.transport.get_write_buffer_size()), None)
            if idle is None:
                counted.close()
                raise TooBusy("All connections are at work", "Try again in a moment", own=False)
            idle.end("room")
        self.open[connection] = self.waiting[connection] = None
        counted.callback(self.open.pop, connection, None)
        counted.callback(self.waiting.pop, connection, None)
        return counted

    def end_overdue(self, now: float) -> None:
        """Cut off whoever is not done in time. To be called every second or so."""
        for connection in list(self.open):
            connection.look(now)


def at_most(connections: int) -> int:
    """How many there are while some that made room are not closed yet.

    A connection is counted in the turn of the loop after it was taken, and one that made room for it is closed in the turn after that.
    """
    return connections + 2 * TAKEN_AT_ONCE


class Connection(HttpToolsProtocol):
    """One connection. It is at one thing at a time, which has to be done at some time, in the loop's seconds."""

    transport: asyncio.Transport

    def __init__(self, connections: Connections, **more: Any) -> None:
        super().__init__(**more)
        self._all = connections
        self._counted: ExitStack | None = None
        self._head = self._headers = self._unheard = self._body = self._chunks = self._unread = 0
        self._read_by = self._sent_by = NEVER
        self._moved_at = -math.inf
        self.waits, self._in_head, self._ended = True, False, False

    def look(self, now: float) -> None:
        """Cut it off when it is overdue. While its answer waits to be read, or is being made, nothing else is waited for."""
        left, before = self.transport.get_write_buffer_size(), self._unread
        self._unread, limits = left, self._all.limits
        if not left:
            if self._read_by <= now and not self._is_answered_first():
                self.end("head" if self.waits else "body")
            return
        if not before or left < before:
            self._moved_at = now
        if self.waits:
            self._read_by = max(self._read_by, now + limits.idle_seconds + limits.head_seconds)
        if min(self._moved_at + limits.stall_seconds, self._sent_by) <= now:
            self.end("answer")

    def _is_answered_first(self) -> bool:
        """Whether the next request, which has begun, has to wait for the answer to one before it."""
        begun = self._in_head and self.cycle is not None and not self.cycle.response_complete
        return begun or self.flow.read_paused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there: let it in, or not."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what the loop gives for a socket
        super().connection_made(transport)
        transport.max_size = PART  # type: ignore[attr-defined] # of a selector's; others parse what they read in parts, too
        _send_little_ahead(transport)
        try:
            self._counted = self._all.admit(self)
        except TooBusy as busy:
            self.end("client" if busy.own else "all")
            return
        self._read_by = self.loop.time() + self._all.limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, whoever ended it."""
        if self._counted is not None:
            self._counted.close()
            self._counted = None
        super().connection_lost(exc)

    def end(self, why: str) -> None:
        """Cut it off at once; what was not sent of an answer is lost. Counted, and no line of a log: a flood must not fill the disk."""
        if self._ended:
            return
        self._ended = True
        self._all.cut_off.labels(why).inc()
        log.debug("a connection was cut off", client=self.client[0] if self.client else None, why=why)
        self._all.waiting.pop(self, None)
        self._all.open.pop(self, None)
        self.transport.abort()

    # Reading

    def data_received(self, data: bytes) -> None:
        """Some bytes of a client, parsed in parts, so that what is too long is seen before all of it was taken."""
        for start in range(0, len(data), PART):
            part = data[start : start + PART]
            self._unheard += len(part)
            super().data_received(part)
            if self.transport.is_closing():
                return
            if self._unheard > MOST_HEAD:  # of one header, which the parser tells of when it is complete
                self.end("long head")

    def on_message_begin(self) -> None:
        """The first bytes of a request, which may come while the one before is answered."""
        self._head = self._headers = self._body = self._chunks = 0
        self._in_head = True
        self._read_by = min(self._read_by, self.loop.time() + self._all.limits.head_seconds)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request's line."""
        if self._fits(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, of which nothing is believed: proxies that look at headers pass trailers on."""
        self._headers += 1
        if self._fits(len(name) + len(value)) and self._in_head:
            super().on_header(name, value)

    def _fits(self, size: int) -> bool:
        """Whether this much more of a head is taken. It ends the connection otherwise."""
        self._unheard = 0
        self._head += size
        if self._head <= MOST_HEAD and self._headers <= MOST_HEADERS:
            return True
        self.end("long head")
        return False

    def on_body(self, body: bytes) -> None:
        """A part of a body. What is left of one that was answered already is read and thrown away, as far as it goes."""
        if self._ended:
            return
        self._unheard = 0
        self._body += len(body)
        if self.cycle.response_complete and self._body > THROWN_AWAY:
            self.end("long body")
            return
        super().on_body(body)

    def on_chunk_header(self) -> None:
        """A piece of a body begins."""
        self._unheard = 0
        self._chunks += 1
        if self._chunks > MOST_CHUNKS and not self._ended:
            self.end("chunks")

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP. In the midst of an answer nothing else can be said any more."""
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
        else:
            self.end("no request")

    def on_headers_complete(self) -> None:
        """A head is there: its body is next."""
        if self._ended:
            return
        if len(self.pipeline) >= MOST_PIPELINED:
            self.end("pipeline")
            return
        self.waits = self._in_head = False
        self._all.waiting.pop(self, None)
        self._read_by = self.loop.time() + self._all.limits.body_seconds
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A body is there: an answer is next, which may take its time."""
        if self._ended:
            return
        self._read_by = NEVER
        super().on_message_complete()
        if self.cycle.response_complete:  # it was answered before it was read
            self._await_next()

    def on_response_complete(self) -> None:
        """An answer is written: the next request may come, unless the last one is still coming."""
        self._sent_by = NEVER
        super().on_response_complete()
        if self._read_by != NEVER:  # the rest of a request that had begun: it was not read while there was an answer to make
            self._read_by = max(self._read_by, self.loop.time() + self._all.limits.head_seconds)
        elif self.cycle.response_complete:
            self._await_next()

    def _await_next(self) -> None:
        if self._ended:
            return
        self.waits = True
        self._all.waiting[self] = None  # behind all that have waited longer
        self._read_by = self.loop.time() + self._all.limits.idle_seconds + self._all.limits.head_seconds

    # Writing

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        self._moved_at = self.loop.time()
        if self._sent_by == NEVER:
            self._sent_by = self._moved_at + self._all.limits.send_seconds
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read on."""
        self._moved_at = self.loop.time()
        super().resume_writing()


def _send_little_ahead(transport: asyncio.Transport) -> None:
    """Let the system take only so much that is not sent yet. By itself it takes megabytes, and then nothing until a third of them is gone:
    a client that reads slowly and steadily would look like one that has stopped."""
    with contextlib.suppress(OSError):  # a socket of another kind
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        else:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
