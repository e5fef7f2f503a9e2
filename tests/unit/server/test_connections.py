"""A connection under an application that takes its time and never asks for a body: real sockets, a real loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry, Counter
from uvicorn.server import ServerState

from modelsync.server.clients import Clients
from modelsync.server.connections import Connections
from modelsync.settings import Serving

ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def slow(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0.4)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": b"x"})


@contextlib.asynccontextmanager
async def listening(limits: Serving) -> AsyncIterator[int]:
    """The port of a server that looks after its connections every twentieth of a second."""
    counted = Counter("cut_off", "Connections.", ["why"], registry=CollectorRegistry())
    connections = Connections(limits, Clients(()), SimpleNamespace(cut_off=counted))
    config = uvicorn.Config(slow, log_config=None, ws="none", lifespan="off", http=connections.protocol())
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}, _loop=None), "127.0.0.1", 0
    )

    async def look() -> None:
        while True:
            await asyncio.sleep(0.05)
            connections.end_overdue(loop.time())

    looking = asyncio.create_task(look())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        looking.cancel()
        server.close()


async def answers(*parts: bytes) -> int:
    """How many answers come to requests that are sent in parts, a twentieth of a second apart, and end with the connection."""
    async with listening(Serving(head_seconds=0.2, body_seconds=0.2, idle_seconds=0.5)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.05)
        came = b""
        with contextlib.suppress(ConnectionError):
            came = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    return came.count(b"200 OK")


def test_i42_the_rest_of_a_request_is_not_missed_while_there_are_answers_to_make():
    """Two of them take longer than a head may take, and nothing is read meanwhile."""
    assert asyncio.run(answers(ASKED * 2 + ASKED[:9], ASKED[9:])) == 3


def test_i42_a_request_that_never_ends_is_missed_after_the_answers():
    assert asyncio.run(answers(ASKED * 2 + ASKED[:9])) == 2
