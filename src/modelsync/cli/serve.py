"""`modelsync serve`: the REST API."""

import ipaddress
import socket

import uvicorn

from modelsync import app
from modelsync.api import create
from modelsync.api.syncs import Syncs
from modelsync.cli import output
from modelsync.cli.parameters import Database, Port
from modelsync.cli.sync import load
from modelsync.errors import UsageError
from modelsync.store import Keys

ENDING = 4
"""Seconds that requests under way have when the server ends."""


def serve(*, host: str = "127.0.0.1", port: Port = 8000, verbose: bool = False, database: Database = None) -> int:
    """Serve the catalog, and everything that the command line can do, over HTTP.

    Parameters
    ----------
    host:
        Address to listen on. One that other machines can reach needs a key: ADMIN_API_KEY, or `modelsync keys create`.
    verbose:
        Also log what is asked of providers.
    """
    chosen = load(database)
    program = app.build(chosen, verbose=verbose, serving=True)
    store = program.open_store()
    if not chosen.serving.admin_keys and not Keys(store).valid():
        if not _is_loopback(host):
            store.close()
            raise UsageError(
                f"{host} can be reached from other machines, and no key is configured", "Set ADMIN_API_KEY: openssl rand -hex 32"
            )
        output.say(output.stderr(), "No key is configured: the catalog can be read, and nothing can be changed. Set ADMIN_API_KEY.")
    output.say(output.stderr(), f"Serving {program.database_shown()} at http://{host}:{port} (Ctrl-C ends it); /docs tells more")
    application = create(program, store)
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(chosen.serving.trusted_proxies),
        forwarded_allow_ips=list(chosen.serving.trusted_proxies),
        timeout_graceful_shutdown=ENDING,
    )
    server = _Server(config, application.state.service.syncs)
    server.run()
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Stops syncs before it waits for requests: whoever waits for one is told, instead of being cut off when the time is up."""

    def __init__(self, config: uvicorn.Config, syncs: Syncs) -> None:
        super().__init__(config)
        self._syncs = syncs

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._syncs.stop()
        await super().shutdown(sockets)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
