"""The simulator as a running server: in a thread of this process, or until interrupted."""

import logging
import os
import socket
import time
from asyncio import AbstractEventLoop
from collections.abc import Iterable
from threading import Thread
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from modelsync.simulator.answering import Providers, key_of
from modelsync.simulator.control import routes
from modelsync.simulator.wires import Simulated
from modelsync.simulator.world import PAGE_SIZE, World

LOOPBACK = "127.0.0.1"
STARTS_WITHIN = 10.0
BACKLOG = 2048

_muted = logging.getLogger("modelsync.simulator.http")
_muted.setLevel(logging.CRITICAL + 1)


class _Quiet(H11Protocol):
    """HTTP without log lines: faults break connections on purpose, and uvicorn's loggers may belong to another server of this process."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _muted
        self.access_log = False


class _QuietConfig(Config):
    def configure_logging(self) -> None:
        """Leave the process's logging alone."""


class Simulator(World):
    """A World that is served on a free port while the `with` block runs, or from `start()` to `stop()`.

    `origin` is what MODELSYNC_ORIGIN is set to.
    """

    def __init__(
        self, *, host: str = LOOPBACK, port: int = 0, day: int = 0, page_size: int | None = PAGE_SIZE, more: Iterable[Simulated] = ()
    ) -> None:
        """Nothing listens before `start`."""
        super().__init__(day=day, page_size=page_size, more=more)
        self.host = host
        self.port = port
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None

    @property
    def origin(self) -> str:
        """The address to send all providers' requests to."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @staticmethod
    def key(provider: str) -> str:
        """The key that a simulated provider takes."""
        return key_of(provider)

    def service_account(self) -> str:
        """The service account JSON that google-vertex takes."""
        return self.account.document()

    def start(self) -> Self:
        """Serve in the background."""
        listening = self._listen()
        server = self._server = self._make_server()
        self._thread = Thread(target=server.run, kwargs={"sockets": [listening]}, name="modelsync-simulator", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + STARTS_WITHIN
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the simulator did not start")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop at once; a request still under way gets a 500 or no answer."""
        if self._server and self._thread:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join()
        self._server = self._thread = None

    def run(self) -> None:
        """Serve until interrupted."""
        listening = self._listen()
        self._server = self._make_server()
        self._server.run(sockets=[listening])

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # Only with the protocol named does asyncio switch off Nagle's algorithm, which costs 40 ms an answer.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":  # elsewhere this would let two servers share a port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self.host, self.port))
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        return listening

    def _make_server(self) -> uvicorn.Server:
        providers = Route("/{rest:path}", Providers(self, self._abort))
        app = Starlette(routes=[*routes(self), providers])
        app.router.redirect_slashes = False
        return uvicorn.Server(
            _QuietConfig(app, http=_Quiet, ws="none", lifespan="off", loop="asyncio", server_header=False, proxy_headers=False)
        )

    def _abort(self, scope: Scope) -> None:
        """Cut the connection a request came over, at once."""
        for connection in list(self._server.server_state.connections) if self._server else ():
            if isinstance(connection, H11Protocol) and connection.client == tuple(scope["client"]):
                connection.transport.abort()
