"""Other processes: servers to ask, floors to compare them with, and a program that commits meanwhile."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catalogs
import syncs
from databases import opened

WRITER = "import sys, servers; servers.commit_for_ever(int(sys.argv[1]))"
FLOORS = "import servers; servers.serve_floors()"


def environment(address: str, **more: str) -> dict[str, str]:
    """What another process needs to find the database and this folder."""
    return {**os.environ, "DATABASE_URL": address, "MODELSYNC_RATE": "0", "PYTHONPATH": os.pathsep.join(sys.path), **more}


@contextlib.contextmanager
def process(arguments: list[str], address: str) -> Iterator[int]:
    """A server on a free port, which begins to listen."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    more = ["--port", str(port)] if arguments[0] == "-m" else []
    command, env = [sys.executable, *arguments, *more], environment(address, PORT=str(port))
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield port
        finally:
            _end(server)


def ready(*ports: int) -> None:
    """Wait until servers listen. RuntimeError when one does not within a minute."""
    ends_at = time.monotonic() + 60
    for port in ports:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if time.monotonic() > ends_at:
                raise RuntimeError("a server did not start within a minute")
            time.sleep(0.05)


def _end(server: "subprocess.Popen[bytes]") -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()


class Writer:
    """How often the program that commits meanwhile has done so."""

    commits = 0


@contextlib.contextmanager
def writing(address: str, models: int) -> Iterator[Writer]:
    """A process that commits one changed catalog after the other. It has begun; how often it did is told when it has ended."""
    told = Writer()
    with subprocess.Popen([sys.executable, "-c", WRITER, str(models)], env=environment(address), stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        try:
            assert writer.stdout.readline(), "the writer did not commit"
            yield told
        finally:
            writer.send_signal(signal.SIGTERM)  # which it heeds after a commit, so that no lease is left behind
            told.commits = len(writer.stdout.read().splitlines())


def commit_for_ever(models: int) -> None:
    """1 % of the models at another price, again and again until SIGTERM; a line for each commit."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    store = opened(os.environ["DATABASE_URL"])
    base = catalogs.listing(catalogs.openrouter_body(models))
    for listing in itertools.cycle((catalogs.changed(base), base)):
        syncs.commit(store, listing)
        print("committed", flush=True)
        if ended:
            return


def serve_floors() -> None:
    """A trivial endpoint, and one that answers with pydantic models made from the database's rows, as a FastAPI program would do it."""
    import sqlalchemy as sa
    import uvicorn
    from fastapi import FastAPI
    from pydantic import create_model
    from starlette.responses import Response

    from modelsync.database.schema import models, providers

    app = FastAPI()
    store = opened(os.environ["DATABASE_URL"])
    columns: dict[str, Any] = {column.name: (Any, None) for column in models.columns}
    Row = create_model("Row", provider=(str, ""), **columns)  # noqa: N806 - a class
    Page = create_model("Page", total=(int, 0), data=(list[Row], []))  # type: ignore[valid-type]  # noqa: N806 - a class
    shown = sa.select(models, providers.c.slug.label("provider")).join(providers).where(models.c.is_active)
    page = shown.order_by(models.c.provider_id, models.c.provider_model_id).limit(100)  # which an index gives
    total = sa.select(sa.func.count()).select_from(models).where(models.c.is_active)

    @app.get("/trivial")
    async def trivial() -> Response:
        return Response(b'{"ok":true}', media_type="application/json")

    @app.get("/pydantic", response_model=Page)
    async def with_pydantic(offset: int = 0) -> Any:
        with store.reading() as connection:
            return {"total": connection.execute(total).scalar(), "data": connection.execute(page.offset(offset)).mappings().all()}

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(Path(folder))
        uvicorn.run(app, port=int(os.environ["PORT"]), log_config=None, access_log=False)
