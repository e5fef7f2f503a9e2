"""`modelsync serve`: the REST API."""

import asyncio
import contextlib
import ipaddress
import logging
import math
import socket
from typing import Annotated

import msgspec
import uvicorn
from starlette.applications import Starlette

from modelsync import app
from modelsync.api import create
from modelsync.cli import interpreter, output
from modelsync.cli.opening import load, warn_of_unknown
from modelsync.cli.parameters import FLAG, Database, Port
from modelsync.cli.ports import check_free
from modelsync.errors import ModelsyncError, UsageError
from modelsync.operations.api_keys import Keys
from modelsync.scheduler.loop import Background
from modelsync.server.connections import TAKEN_AT_ONCE, Connections, at_most
from modelsync.server.syncs import Syncs
from modelsync.settings import Settings
from modelsync.sync.store import Store

QUEUE = 1024
"""Connections that the system holds until they are taken; who finds no room there tries again after a second."""

RESERVE = TAKEN_AT_ONCE + 256
"""Open files that are no counted connection: those just taken, databases, exports, providers, logs."""

TICKS = 10
"""uvicorn ticks so often in a second."""

ENDING = 4
"""Seconds that requests under way have when the server ends."""


def serve(
    *,
    host: str = "127.0.0.1",
    port: Port = 8000,
    with_scheduler: Annotated[bool, FLAG] = False,
    verbose: bool = False,
    database: Database = None,
) -> int:
    """Serve the catalog, and everything that the command line can do, over HTTP.

    Parameters
    ----------
    host:
        Address to listen on. One that other machines can reach needs a key: ADMIN_API_KEY, or `modelsync keys create`.
    with_scheduler:
        Also sync each provider when it is due, as `modelsync scheduler` does.
    verbose:
        Also log what is asked of providers.
    """
    chosen = load(database)
    warn_of_unknown(chosen)
    program = app.build(chosen, verbose=verbose, serving=True)
    store = program.open_store()
    try:
        _check_keys(chosen, store, host)
        check_free(host, port)
    except ModelsyncError:
        store.close()
        raise
    output.say(output.stderr(), f"Serving {program.database_shown()} at http://{host}:{port} (Ctrl-C ends it); /docs tells more")
    application = create(program, store)
    service = application.state.service
    limits = msgspec.structs.replace(chosen.serving, connections=_handles_for(chosen.serving.connections))
    connections = Connections(limits, service.clients, service.metrics)
    config = _config(application, host, port, connections)
    interpreter.settle()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of each client that speaks no HTTP
    background = Background(program) if with_scheduler else None
    server = _Server(config, service.syncs, connections, background)
    server.run()
    return 0 if server.started else 1


def _config(application: Starlette, host: str, port: int, connections: Connections) -> uvicorn.Config:
    """How uvicorn serves: our connections count and cut off, and it writes no log of its own."""
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application does that itself
        ws="none",
        backlog=TAKEN_AT_ONCE,
        timeout_keep_alive=math.ceil(connections.limits.idle_seconds),
        timeout_graceful_shutdown=ENDING,
        http=connections.protocol(),
    )


def _check_keys(chosen: Settings, store: Store, host: str) -> None:
    """Say so when nobody can have a key. UsageError when other machines can reach the server then."""
    if chosen.serving.admin_keys or chosen.serving.sign_in_header or Keys(store).valid():
        return
    if not _is_loopback(host):
        raise UsageError(f"{host} can be reached from other machines, and no key is configured", "Set ADMIN_API_KEY: openssl rand -hex 32")
    output.say(output.stderr(), "No key is configured: the catalog can be read, and nothing can be changed. Set ADMIN_API_KEY.")


class _Server(uvicorn.Server):
    """Stops syncs before it waits for requests: whoever waits for one is told, instead of being cut off when the time is up.

    Once a second it cuts off who is overdue. What syncs by itself in the `background` begins and ends with it.
    """

    def __init__(self, config: uvicorn.Config, syncs: Syncs, connections: Connections, background: Background | None) -> None:
        super().__init__(config)
        self._syncs = syncs
        self._connections = connections
        self._background = background

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._background and self.started:
            self._background.start()
        for listening in [each for server in self.servers for each in server.sockets]:
            with contextlib.closing(listening.dup()) as same:
                same.listen(QUEUE)
                if hasattr(socket, "TCP_DEFER_ACCEPT"):  # whoever says nothing is the system's matter, and takes no handle
                    same.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, math.ceil(self._connections.limits.head_seconds))

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            self._connections.end_overdue(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._syncs.stop()
        if self._background:
            self._background.stop()
        await super().shutdown(sockets)
        if self._background:  # before uvicorn ends the process by the signal that it was sent
            await asyncio.to_thread(self._background.join)


def _handles_for(connections: int) -> int:
    """How many connections there can be at once. As many open files as that takes are asked of the system, which may allow fewer."""
    with contextlib.suppress(ImportError):  # Windows counts none
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        enough = at_most(connections) + RESERVE
        if soft != resource.RLIM_INFINITY and soft < enough:
            soft = enough if hard == resource.RLIM_INFINITY else min(enough, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft != resource.RLIM_INFINITY and soft < enough:
            fewer = max(1, soft - RESERVE - at_most(0))
            message = f"The system allows {soft} open files: {fewer} connections at once instead of {connections}. Raise it with ulimit -n."
            output.say(output.stderr(), message)
            return fewer
    return connections


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
