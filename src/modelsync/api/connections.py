"""What a connection may take of the server: uvicorn's own protocol, with an end to everything that a client can leave undone.

uvicorn ends connections that are idle between two requests, and nothing else: a head that never ends, a body that never comes, an answer
that nobody reads hold their connection, and what it has in memory, for ever.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelsync.api.clients import Clients
from modelsync.api.lanes import Busy, Shares
from modelsync.api.metrics import Metrics
from modelsync.settings import Serving

log = structlog.get_logger("modelsync.api")

MOST_HEAD = 64 * 1024
"""Bytes of a request's line and headers, as servers commonly have it; the parser itself would take any number."""

MOST_PIPELINED = 16
"""Requests that a client may send before it has the answer to the first."""

NEVER = math.inf


class Connections:
    """The connections of a server, and when each has to be done with what it is at."""

    def __init__(self, limits: Serving, clients: Clients, metrics: Metrics) -> None:
        self.limits = limits
        self.clients = clients
        self.cut_off = metrics.cut_off
        self.shares = Shares("connections", limits.connections, limits.client_connections)
        self._open: dict[Connection, None] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """What makes a connection of each that a client opens, for uvicorn."""
        return cast("type[asyncio.Protocol]", partial(Connection, self))

    def admit(self, connection: "Connection") -> ExitStack:
        """Count a connection until what this gives is closed. When there are too many, one that waits for a request makes room.

        Raises Busy when its client has too many, or all others are at work.
        """
        counted = ExitStack()
        client = self.clients.of(connection.client[0]) if connection.client else None
        try:
            counted.enter_context(self.shares.one(client))
        except Busy as busy:
            idle = None if busy.own else next(self._waiting(), None)
            if idle is None:
                raise
            idle.end("room")
            counted.enter_context(self.shares.one(client))
        self._open[connection] = None
        counted.callback(self._open.pop, connection)
        return counted

    def _waiting(self) -> "Iterator[Connection]":
        """Those that wait for a request, the one that has done so for longest first."""
        return iter(sorted((each for each in self._open if each.waits), key=lambda each: each.since))

    def end_overdue(self, now: float) -> None:
        """Cut off whoever is not done in time. To be called every second or so."""
        for connection in [each for each in self._open if each.due <= now]:
            connection.end(connection.at)


class Connection(HttpToolsProtocol):
    """One connection. It is at one thing at a time, and `due` says when that has to be done, in the loop's seconds."""

    transport: asyncio.Transport

    def __init__(self, connections: Connections, **more: Any) -> None:
        super().__init__(**more)
        self._all = connections
        self._counted: ExitStack | None = None
        self._head = 0
        self._read_by = self._write_by = self._sent_by = NEVER
        self.waits, self.since = True, self.loop.time()

    @property
    def due(self) -> float:
        """When it is cut off. While its answer is not read, nothing else of it is waited for."""
        return self._read_by if self._write_by == NEVER else min(self._write_by, self._sent_by)

    @property
    def at(self) -> str:
        """What it is at."""
        return "answer" if self._write_by < NEVER else "head" if self.waits else "body"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there: let it in, or not."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what the loop gives for a socket
        super().connection_made(transport)
        try:
            self._counted = self._all.admit(self)
        except Busy as busy:
            self.end("client" if busy.own else "all")
            return
        self._read_by = self.since + self._all.limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, whoever ended it."""
        self._uncount()
        super().connection_lost(exc)

    def end(self, why: str) -> None:
        """Cut it off at once; what was not sent of an answer is lost. Counted, and no line of a log: a flood must not fill the disk."""
        self._all.cut_off.labels(why).inc()
        log.debug("a connection was cut off", client=self.client[0] if self.client else None, why=why)
        self._uncount()
        self.transport.abort()

    def _uncount(self) -> None:
        if self._counted is not None:
            self._counted.close()
            self._counted = None

    # Reading

    def data_received(self, data: bytes) -> None:
        """Some bytes of a client. A head is counted in parts, so that one that is too long is seen before all of it was taken."""
        for start in range(0, len(data), MOST_HEAD):
            part = data[start : start + MOST_HEAD]
            self._head += len(part)
            super().data_received(part)
            if self.transport.is_closing():
                return
            if self.waits and self._head > MOST_HEAD:
                self.end("long head")
                return
            if len(self.pipeline) > MOST_PIPELINED:
                self.end("pipeline")
                return

    def on_headers_complete(self) -> None:
        """A head is there: its body is next."""
        self.waits, self._head = False, 0
        self._read_by = self.loop.time() + self._all.limits.body_seconds
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A body is there: an answer is next, which may take its time."""
        self._read_by = NEVER
        super().on_message_complete()
        if self.cycle.response_complete:  # it was answered before it was read
            self._await_next()

    def on_response_complete(self) -> None:
        """An answer is written: the next request may come, unless the last one is still coming."""
        self._sent_by = NEVER
        super().on_response_complete()
        if self._read_by == NEVER and self.cycle.response_complete:
            self._await_next()

    def _await_next(self) -> None:
        self.waits, self.since, self._head = True, self.loop.time(), 0
        self._read_by = self.since + self._all.limits.idle_seconds + self._all.limits.head_seconds

    # Writing

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        now, limits = self.loop.time(), self._all.limits
        self._write_by = now + limits.stall_seconds
        if self._sent_by == NEVER:
            self._sent_by = now + limits.send_seconds
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read on."""
        self._write_by = NEVER
        super().resume_writing()
