"""A client that costs little: it asks as fast as it is answered, over a few connections."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

CONNECTIONS = 8


def hammer(port: int, paths: Sequence[str], requests: int, connections: int = CONNECTIONS) -> float:
    """Seconds until so many requests are answered with 200, to the paths in turn."""
    return asyncio.run(_asked(port, paths, requests, connections))


class Client(asyncio.Protocol):
    """Asks one page after the other over one connection; an answer ends where its Content-Length says."""

    def __init__(self, requests: list[bytes], done: "asyncio.Future[None]") -> None:
        self._requests = requests
        self._done = done
        self._came = b""
        self._length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first page."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        self._came, self._length = b"", -1
        if self._requests:
            self._transport.write(self._requests.pop())
        else:
            self._transport.close()
            self._done.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Ask for the next page when this one is whole."""
        self._came += data
        if self._length < 0:
            end = self._came.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._came[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                self._transport.close()
                self._done.set_exception(AssertionError(self._came[:300]))
                return
            start = head.index(b"content-length:") + 15
            self._length = end + 4 + int(head[start:].split(b"\r\n", 1)[0])
        if len(self._came) >= self._length:
            self._next()


async def _asked(port: int, paths: Sequence[str], requests: int, connections: int) -> float:
    """Seconds until all requests are answered."""
    loop = asyncio.get_running_loop()
    asked = [f"GET {paths[number % len(paths)]} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for number in range(requests)]
    ends = []
    began = time.perf_counter()
    for number in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(partial(Client, asked[number::connections], done), "127.0.0.1", port)
        ends.append(done)
    await asyncio.gather(*ends)
    return time.perf_counter() - began
