"""Servers that answer in ways no HTTP library would, and one fetch from them."""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import msgspec

from modelsync.fetch import Credential, Fetcher, FetchLimits, KeyCredential, Origins, Validators
from modelsync.fetch.results import FetchResult
from modelsync.providers import registry
from modelsync.providers.base import Provider

CANARY = "CANARY-5d1f-key"
KEY = KeyCredential(CANARY, "GROQ_API_KEY")
QUICK = FetchLimits(deadline=10, first_wait=0.01)
LIST = b'{"data": [{"id": "a"}, {"id": "b"}]}'

Handler = Callable[[asyncio.StreamWriter, int], Awaitable[None]]
"""Writes the answer to request number n, counted from 1, as raw bytes."""


class Came(NamedTuple):
    result: FetchResult
    requests: list[str]
    seconds: float


def http(body: bytes = LIST, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer, the last of its connection; with a Content-Length unless a length or a coding of transfer is given."""
    lengths = (
        ()
        if any(name in header.lower() for header in headers for name in ("content-length", "transfer-"))
        else (f"Content-Length: {len(body)}",)
    )
    return "\r\n".join((f"HTTP/1.1 {status}", "Connection: close", *headers, *lengths, "", "")).encode() + body


def answering(*answers: bytes) -> Handler:
    """One answer after another, the last one for ever."""

    async def handle(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(answers[min(number, len(answers)) - 1])

    return handle


def fetch_from(
    handler: Handler,
    asked: str | Provider = "groq",
    *,
    limits: FetchLimits = QUICK,
    credential: Credential | None = KEY,
    validators: Validators | None = None,
    origin: str = "http://127.0.0.1:{port}",
    everywhere: bool = False,
    options: Mapping[str, object] | None = None,
) -> Came:
    """What comes of fetching one provider, by its slug or as it is, from a server that answers with `handler`.

    Every connection carries one request.

    With `everywhere` the server stands for all providers, each below its slug.
    """
    requests: list[str] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            requests.append(head + ((await reader.readexactly(int(length[1]))).decode("latin-1") if length else ""))
            await handler(writer, len(requests))
            await writer.drain()
        writer.close()

    async def run() -> Came:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        provider = registry.load()[asked] if isinstance(asked, str) else asked
        slug = provider.slug
        credentials = {} if credential is None else {slug: credential}
        where = origin.format(port=port)
        origins = Origins(everywhere=where) if everywhere else Origins(by_slug={slug: where})
        async with server, Fetcher(limits, origins, credentials) as fetcher:
            began = time.monotonic()
            result = await fetcher.fetch(provider, msgspec.convert(options or {}, provider.options), validators)
            seconds = time.monotonic() - began
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            return Came(result, requests, seconds)

    return asyncio.run(run())
