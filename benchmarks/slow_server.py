"""A local server for the fetching benchmarks, in a process of its own: `python slow_server.py FOLDER SECONDS`.

Answers `/<slug>/…` with the file FOLDER/<slug> after SECONDS. Prints its port.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path


async def serve(bodies: Mapping[str, bytes], delay: float) -> None:
    """Serve until the process is ended."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = bodies[head.split(b" ")[1].split(b"/")[1].decode()]
            await asyncio.sleep(delay)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(until_closed, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def running(folder: Path, delay: float) -> Iterator[str]:
    """The origin of such a server."""
    command = [sys.executable, __file__, str(folder), str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve({file.name: file.read_bytes() for file in Path(sys.argv[1]).iterdir()}, float(sys.argv[2])))
