"""Answers of the catalog, kept as bytes until the catalog changes, packed or not; ETags and 304."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelsync.queries.reader import Revision
from modelsync.server.clients import host_of
from modelsync.server.gate import HOLDER
from modelsync.server.lanes import Shares, TooBusy
from modelsync.server.responses import REVISION, error, shown_time
from modelsync.server.spools import PIECE
from modelsync.server.state import Service

MOST_BYTES = 32 * 1024 * 1024
"""Of all answers that are kept."""

LONG = PIECE
"""Bytes from which an answer is long: not every connection can hold one. A page of usual length is shorter."""

MOST_SENDING = 16 * 1024 * 1024
"""Bytes of long answers that are being sent, until their clients have taken nearly all of them; a quarter of them to one client."""

OVERHEAD = 2048
"""Bytes that an answer takes beside its body and its key."""

Key = tuple[str, str, bytes, str, bool]
"""What an answer depends on: where the server was addressed, path, query, Accept, and whether it is packed."""

Pairs = list[tuple[bytes, bytes]]


class StoredAnswer(msgspec.Struct, frozen=True):
    """An answer as it is sent, and the state of the catalog that it shows."""

    revision: Revision
    etag: str
    headers: Pairs
    body: bytes
    route: Any


class AnswerCache:
    """ASGI middleware. What is kept was made by the routes below it; whoever asks has been let in already."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._kept: OrderedDict[Key, StoredAnswer] = OrderedDict()
        self._bytes = 0
        self._sending = Shares("bytes of long answers", MOST_SENDING, MOST_SENDING // 4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, or let a route answer and keep that."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        packs = "gzip" in headers.get("accept-encoding", "")
        site = f"{scope['scheme']}://{headers.get('host', '')}"  # feeds hold addresses
        key = (site, scope["path"], dated(scope["query_string"]), headers.get("accept", ""), packs)
        present = await self._service.revision() if key in self._kept else None
        kept = self._kept.get(key)  # after the wait: it may have made room for another one
        if kept is not None and kept.revision == present:
            self._kept.move_to_end(key)
            scope["route"] = kept.route
        else:
            kept = await self._made(key, scope, receive, send)
        if kept is not None:
            await self._sent(kept, headers.get("if-none-match", ""), scope, receive, send)

    async def _sent(self, kept: StoredAnswer, known: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; 503 for a long one while too many bytes of long ones wait for clients to read them."""
        size = len(kept.body)
        if size <= LONG:
            await _answer(kept, known, send)
            return
        with ExitStack() as counted:
            try:
                counted.enter_context(self._sending.one(self._service.clients.of(host_of(scope)), size))
            except TooBusy:
                message = "Too many answers wait to be read; try again in a moment"
                await error(503, message, **{"Retry-After": "2"})(scope, receive, send)
                return
            await _answer(kept, known, send)

    async def _made(self, key: Key, scope: Scope, receive: Receive, send: Send) -> StoredAnswer | None:
        """The answer of a route, when it shows the catalog; any other one is passed on as it comes."""
        start: Message | None = None
        parts: list[bytes] = []

        async def caught(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if REVISION in scope and message["status"] == 200:
                    start = message
                    return
            elif start is not None:
                parts.append(message.get("body", b""))
                return
            await send(message)

        await self._app(scope, receive, caught)
        if start is None:
            return None
        made = _finished(scope, key, start["headers"], b"".join(parts))
        self._keep(key, made)
        self._service.showed(made.revision)
        return made

    def _keep(self, key: Key, made: StoredAnswer) -> None:
        old = self._kept.pop(key, None)
        self._bytes += _size(key, made) - (_size(key, old) if old else 0)
        self._kept[key] = made
        while self._bytes > MOST_BYTES:
            self._bytes -= _size(*self._kept.popitem(last=False))


def _size(key: Key, made: StoredAnswer) -> int:
    """Bytes of memory, about: many small answers with long keys must not fill it either."""
    return len(made.body) + sum(len(part) for part in key[:4]) + OVERHEAD


def _finished(scope: Scope, key: Key, given: Iterable[tuple[bytes, bytes]], body: bytes) -> StoredAnswer:
    revision: Revision = scope[REVISION]
    _, path, query, accept, _ = key
    etag = etag_of(revision, path, query, accept)
    headers = [(name, value) for name, value in given if name not in (b"content-length", b"vary")]
    headers += [
        (b"etag", etag.encode()),
        (b"cache-control", b"private, no-cache" if HOLDER in scope else b"public, max-age=0, must-revalidate"),
        (b"vary", b"Accept, Accept-Encoding"),
        (b"x-catalog-revision", str(revision.number).encode()),
        (b"x-catalog-as-of", (shown_time(revision.as_of) or "never").encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    return StoredAnswer(revision, etag, headers, body, scope.get("route"))


def dated(query: bytes) -> bytes:
    """A query, with the hour it is put in where its answer depends on that: what ends within a month is another question later."""
    return query + f" {datetime.now(UTC):%Y-%m-%dT%H}".encode() if b"ending_within" in unquote_to_bytes(query) else query


def etag_of(revision: Revision, path: str, query: bytes, accept: str) -> str:
    """A weak validator (RFC 9110 8.8.3): of the catalog's revision and what was asked for, whatever the bytes on the way.

    The edition is in it, so that a database restored from a backup and written anew has other ones.
    """
    request_digest = hashlib.blake2b(f"{path}?{query!r} {accept} {revision.edition}".encode(), digest_size=8).hexdigest()
    return f'W/"{revision.number}-{request_digest}"'


def is_known(header: str, etag: str) -> bool:
    """Whether an If-None-Match names a validator, compared weakly."""
    return header.strip() == "*" or etag.removeprefix("W/") in (tag.strip().removeprefix("W/") for tag in header.split(","))


async def _answer(kept: StoredAnswer, known: str, send: Send) -> None:
    """The answer; only its headers for whoever knows it already."""
    if known and is_known(known, kept.etag):
        bare = (b"content-type", b"content-encoding", b"content-length")
        headers = [(name, value) for name, value in kept.headers if name not in bare]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
    await send({"type": "http.response.body", "body": kept.body})
