"""Clients without manners, as a program of its own: `python attackers.py PORT SECONDS WHO=NUMBER …`; says in the end what came of it.

Each comes from an address of its own kind on this machine, 127.0.<kind>.<number>, and comes back whenever it is cut off.
"""

import asyncio
import contextlib
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Attack = Callable[[Streams, int], Awaitable[None]]

said: Counter[str] = Counter()
"""Answers by their status, of those that read any; and how often somebody was cut off."""

WORDS = [a + b for a, b in itertools.product("acdegilmnoprst", "aeiou-/1234")]


def asking(path: str, method: str = "GET", more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


async def slow_head(streams: Streams, _: int) -> None:
    """A head that never ends, a byte a second."""
    streams[1].write(b"GET /models HTTP/1.1\r\nX-Slow: ")
    await dripping(streams[1])


async def slow_body(streams: Streams, _: int) -> None:
    """A body that never ends, though its answer is there at once."""
    streams[1].write(asking("/providers", "POST", "Content-Length: 1000000\r\n"))
    await dripping(streams[1])


async def dripping(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)


async def slow_reader(streams: Streams, number: int) -> None:
    """Everything, and nothing of it is read."""
    streams[1].write(asking(("/models.ndjson", "/models.csv", "/v1/models", f"/models?limit=500&offset={number}")[number % 4]))
    streams[1].transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(40)


async def dear_search(streams: Streams, _: int) -> None:
    """The dearest questions there are, each another one, one after the other."""
    chance = random.Random()
    for _ in range(1000):
        words = "+".join(chance.sample(WORDS, 8))
        dear = (
            f"/models?q={words}&sort=name&limit=500&is_active=all",
            f"/models?sort=price&order=desc&offset={chance.randrange(20_000)}&limit=500&min_price=0.0{chance.randrange(10**6)}",
            f"/models?input_modality=image&output_modality=text&max_context={chance.randrange(10**6)}&limit=500",
            f"/changes?field=pricing_prompt&model={chance.choice(WORDS)}&limit=500",
            f"/models/search?q={words}&offset={chance.randrange(1000)}",
            f"/models?is_active=false&limit={chance.randrange(1, 500)}&offset={chance.randrange(1000)}",
        )
        streams[1].write(asking(chance.choice(dear)))
        await streams[1].drain()
        said[await answer(streams[0])] += 1


async def pages(streams: Streams, _: int) -> None:
    """Pages as long as there are, each another one."""
    for _ in range(1000):
        streams[1].write(
            asking(f"/models?limit=500&offset={random.randrange(1000)}&is_active=all", more=f"Accept: */*, x/{random.random()}\r\n")
        )
        await streams[1].drain()
        said[await answer(streams[0])] += 1


async def idle(streams: Streams, _: int) -> None:
    """Nothing at all."""
    await streams[0].read(1)


async def pipelining(streams: Streams, _: int) -> None:
    """Thousands of requests at once."""
    streams[1].write(asking("/models?limit=500") * 5000)
    await streams[1].drain()
    await asyncio.sleep(5)


async def answer(reader: asyncio.StreamReader) -> str:
    """The status of an answer, all of which is read."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split("\r\n", 1)[0] or 0)
    await reader.readexactly(length)
    return head.split(" ", 2)[1]


ATTACKS: dict[str, tuple[int, Attack]] = {
    "heads": (1, slow_head),
    "bodies": (2, slow_body),
    "readers": (3, slow_reader),
    "searches": (4, dear_search),
    "idle": (5, idle),
    "pipelines": (6, pipelining),
    "pages": (7, pages),
}


async def coming_back(port: int, kind: int, attack: Attack, number: int, ends_at: float) -> None:
    """One client, again and again."""
    while time.monotonic() < ends_at:
        try:
            host = f"127.0.{kind}.{number % 250 + 1}"
            streams = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
        except OSError:
            await asyncio.sleep(0.5)
            continue
        try:
            async with asyncio.timeout(ends_at - time.monotonic()):
                await attack(streams, number)
        except (OSError, EOFError, TimeoutError):
            said["cut off"] += 1
        finally:
            with contextlib.suppress(OSError):
                streams[1].transport.abort()
        await asyncio.sleep(0.2)


async def main(port: int, seconds: float, wanted: dict[str, int]) -> None:
    """Everybody who is wanted, at once."""
    ends_at = time.monotonic() + seconds
    everybody = [coming_back(port, *ATTACKS[name], number, ends_at) for name, count in wanted.items() for number in range(count)]
    await asyncio.gather(*everybody)
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    given = dict(pair.split("=") for pair in sys.argv[3:])
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), {name: int(count) for name, count in given.items()}))
