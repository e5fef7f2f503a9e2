"""Reading over HTTP: kept pages beside a trivial endpoint, built pages beside a pydantic handler, any filter while syncs commit."""

import asyncio
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import catalogs
from databases import KNOWN, Database, both
from measure import Figure, Scale, Way, alternate

from modelsync.database.tables.leases import Lease
from modelsync.providers.builtin import openrouter
from modelsync.sync.request import Commit
from modelsync.sync.store import Store

MODELS = 20_000
CONNECTIONS = 8
FILTERS = (
    *("", "&q=model-1&sort=name", "&input_modality=image", "&supports_function_calling=true", "&min_price=1&max_price=20"),
    *("&free=true", "&min_context=100000&sort=context&order=desc", "&sort=price", "&sort=changed&order=desc", "&offset=15000"),
)
P99 = {"SQLite": 50, "Postgres": 100}
WRITER = "import serving; serving.commit_for_ever()"
FLOORS = "import serving; serving.serve_floors()"


def measure(scale: Scale) -> Iterator[Figure]:
    """Everything, on one database after the other."""
    base = catalogs.listing(catalogs.openrouter_body(MODELS))
    requests = 2_000 if scale.rounds > 3 else 400
    with both() as found:
        for database in found:
            address = database.fresh()
            with contextlib.closing(Store.open(address, KNOWN)) as store:
                commit(store, base)
            with process(["-m", "modelsync", "serve"], address) as port, process(["-c", FLOORS], address) as floor:
                yield from _rates(database, port, floor, requests, scale.rounds)
                with _writing(address):
                    yield _slowest(database, port, requests)


def commit(store: Store, listing: Any) -> None:
    """One sync without its fetch."""
    lease = store.take_lease(openrouter.PROVIDER.slug, store.begin_run("benchmark"), 600.0)
    assert isinstance(lease, Lease), lease
    store.commit(lease, Commit(openrouter.PROVIDER, listing, None), 0.0)


def _rates(database: Database, port: int, floor: int, requests: int, rounds: int) -> Iterator[Figure]:
    """Requests per second, as ratios within one run."""
    fresh = iter(range(10**9))
    ways: dict[str, Way] = {
        "trivial": lambda: asyncio.run(_hammer(floor, ["/trivial"], requests * 4)),
        "small": lambda: asyncio.run(_hammer(port, ["/health/live"], requests * 4)),
        "kept": lambda: asyncio.run(_hammer(port, ["/models?limit=100"], requests * 4)),
        "pydantic": lambda: asyncio.run(_hammer(floor, ["/pydantic"], requests // 4)),
        "built": lambda: asyncio.run(
            _hammer(port, [f"/models?limit=100&offset={next(fresh) % 15_000}" for _ in range(requests)], requests)
        ),
    }
    seconds = alternate(rounds, ways)
    rate = {
        "trivial": requests * 4 / seconds["trivial"],
        "small": requests * 4 / seconds["small"],
        "kept": requests * 4 / seconds["kept"],
        "pydantic": requests // 4 / seconds["pydantic"],
        "built": requests / seconds["built"],
    }
    told = {name: f"{value:,.0f}/s" for name, value in rate.items()}
    small, kept, built = rate["small"] / rate["trivial"], rate["kept"] / rate["trivial"], rate["built"] / rate["pydantic"]
    yield Figure(f"{database.name}: small answer, × trivial endpoint", small, least=True, note=f"{told['small']} to {told['trivial']}")
    yield Figure(f"{database.name}: kept page, × trivial endpoint", kept, 0.4, least=True, note=f"{told['kept']} to {told['trivial']}")
    yield Figure(f"{database.name}: built page, × pydantic handler", built, 2.0, least=True, note=f"{told['built']} to {told['pydantic']}")


def _page(number: int) -> str:
    """One of 15,000 pages, so that none is there already."""
    return f"/models?limit=100&offset={number % 15_000}"


def _slowest(database: Database, port: int, requests: int) -> Figure:
    """What the slowest one of a hundred takes, whatever is asked, while syncs commit."""
    paths = [f"/models?limit=100&max_context={10**9 - number}{chosen}" for number in range(requests // 20) for chosen in FILTERS]
    taken: list[float] = []
    for path in paths:
        began = time.perf_counter()
        asyncio.run(_hammer(port, [path], 1, connections=1))
        taken.append((time.perf_counter() - began) * 1000)
    p99 = statistics.quantiles(taken, n=100)[98]
    note = f"{len(paths):,} different pages, median {statistics.median(taken):.0f} ms"
    return Figure(f"{database.name}: any filter while a sync commits, p99", p99, P99[database.name], "ms", note=note)


# A client that costs little


class _Client(asyncio.Protocol):
    """Asks one page after the other over one connection; an answer ends where its Content-Length says."""

    def __init__(self, requests: list[bytes], done: "asyncio.Future[None]") -> None:
        self._requests = requests
        self._done = done
        self._came = b""
        self._length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
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


async def _hammer(port: int, paths: Sequence[str], requests: int, connections: int = CONNECTIONS) -> float:
    """Seconds until all requests are answered."""
    loop = asyncio.get_running_loop()
    asked = [f"GET {paths[number % len(paths)]} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for number in range(requests)]
    ends = []
    began = time.perf_counter()
    for number in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda mine=asked[number::connections], done=done: _Client(mine, done), "127.0.0.1", port)
        ends.append(done)
    await asyncio.gather(*ends)
    return time.perf_counter() - began


# Other processes


@contextlib.contextmanager
def process(arguments: list[str], address: str) -> Iterator[int]:
    """A server on a free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    more = ["--port", str(port)] if arguments[0] == "-m" else []
    env = {**os.environ, "DATABASE_URL": address, "PORT": str(port), "MODELSYNC_RATE": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, *arguments, *more], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(port)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)


def _wait(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError


@contextlib.contextmanager
def _writing(address: str) -> Iterator[None]:
    """A process that commits one changed catalog after the other."""
    env = {**os.environ, "DATABASE_URL": address, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", WRITER], env=env) as writer:
        time.sleep(2.0)
        try:
            yield
        finally:
            writer.kill()


def commit_for_ever() -> None:
    """Every model at another price, again and again."""
    store = Store.open(os.environ["DATABASE_URL"], KNOWN)
    rows = [[catalogs.openrouter_row(number, changed=changed) for number in range(MODELS)] for changed in (False, True)]
    listings = [catalogs.listing(catalogs.document(each)) for each in rows]
    number = 0
    while True:
        number += 1
        commit(store, listings[number % 2])


def serve_floors() -> None:
    """A trivial endpoint, and one that answers with pydantic models made from the database's rows."""
    import msgspec
    import uvicorn
    from fastapi import FastAPI
    from pydantic import create_model
    from starlette.responses import Response

    from modelsync.api import schemas
    from modelsync.queries.filters import ModelFilter
    from modelsync.queries.reader import Reader

    app = FastAPI()
    store = Store.open(os.environ["DATABASE_URL"], KNOWN, read_only=True)
    fields: dict[str, Any] = dict.fromkeys(schemas.Model.__struct_fields__, (Any, None))
    Row = create_model("Row", **fields)  # noqa: N806 - a class

    @app.get("/trivial")
    async def trivial() -> Response:
        return Response(b'{"ok":true}', media_type="application/json")

    @app.get("/pydantic", response_model=list[Row])
    async def with_pydantic() -> Any:
        return [msgspec.to_builtins(row) for row in Reader(store).matching(ModelFilter(active=True, limit=100))]

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(Path(folder))
        uvicorn.run(app, port=int(os.environ["PORT"]), log_config=None, access_log=False)
