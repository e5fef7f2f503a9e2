"""What every route uses: the open catalog, threads to read and to write it, who holds keys, and the syncs under way."""

import asyncio
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

import structlog
from starlette.requests import Request

from modelsync.app import App
from modelsync.errors import DatabaseError
from modelsync.model.actors import Scope
from modelsync.operations.api_keys import NOTED_EVERY, ApiKeyHolder, Keys, digest
from modelsync.queries.catalog import Catalog
from modelsync.queries.filters import ModelFilter, Order, is_bounded
from modelsync.queries.history import History
from modelsync.queries.reader import PAGE, Page, Reader, Revision
from modelsync.queries.rows import ModelRow
from modelsync.queries.status import states
from modelsync.server.access import KEPT_FOR, Buckets
from modelsync.server.clients import Clients, host_of
from modelsync.server.lanes import Lane, OncePerSecond, Shares
from modelsync.server.metrics import Metrics
from modelsync.server.spools import Spools
from modelsync.server.syncs import Syncs
from modelsync.sync.store import Store

log = structlog.get_logger("modelsync.api")
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

FRESH_FOR = 0.05
"""Seconds that the revision is taken as read: another program's commit shows after these, one made through this server at once."""

FAILURES = 5.0
"""Requests a second without a valid key that one client gets a 401 for; any more are 429."""

SEARCHERS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Threads for questions that may take long: half of the processors go on with everything else, syncs and the database among it."""

PAGERS = {"sqlite": max(2, SEARCHERS), "postgresql": 4}
"""Threads for pages of usual length that an index finds, by database. Each is short; those of Postgres hardly do more than wait for it."""

EXPORT_SECONDS = 300.0
"""Seconds that the database may take to give all of a catalog."""


class Service:
    """The server's state. Its methods are coroutines; the catalog is only touched in threads of its own."""

    def __init__(self, program: App, store: Store) -> None:
        self.program = program
        self.settings = program.settings.serving
        self.store = store
        self.catalog, self.history, self.keys = Catalog(store), History(store), Keys(store)
        self.reader = Reader(store, self.settings.query_seconds)
        self.exporting = Reader(store, EXPORT_SECONDS)
        self.clients = Clients(self.settings.trusted_proxies)
        self.syncs = Syncs(program, self.catalog)
        self.metrics = Metrics(store)
        self.buckets = Buckets(self.settings.rate)
        self.attempts = Buckets(min(self.settings.rate, FAILURES))
        self.freshness = OncePerSecond(lambda: self.aside(states, store))
        self.numbers = OncePerSecond(lambda: self.aside(self.metrics.shown))
        self.exports = Shares("exports", self.settings.exports, self.settings.client_exports)
        self.spools = Spools()
        readers = 1 if store.dialect == "sqlite" else 2
        self._fronts = Lane("front", readers, self._shares("pages"), self.settings.query_seconds)
        self._pages = Lane("page", PAGERS[store.dialect], self._shares("pages"), self.settings.query_seconds)
        self._long_pages = Lane("long-page", SEARCHERS, self._shares("pages"), self.settings.query_seconds)
        self._searchers = Lane("searcher", SEARCHERS, self._shares("questions that may take long"), self.settings.query_seconds)
        self._exporters = ThreadPoolExecutor(1, "exporter")
        self._readers = ThreadPoolExecutor(readers, "reader")
        self._others = ThreadPoolExecutor(4, "worker")
        self._configured = {digest(key): ApiKeyHolder("ADMIN_API_KEY", Scope.ADMIN) for key in self.settings.admin_keys}
        self._handed_out: dict[str, ApiKeyHolder] = {}
        self._noted: dict[str, float] = {}
        self._keys_until = 0.0
        self._revision: Revision | None = None
        self._revision_until = self._learnt_at = 0.0

    async def read(self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        """A short question to the catalog, in the thread for these: about a few rows that an index finds."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(work, *args, **kwargs))

    def _shares(self, what: str) -> Shares:
        return Shares(what, self.settings.searches, self.settings.client_searches)

    async def search(
        self, request: Request, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """A question that may take long. Raises TooBusy, or TooSlow when it does take too long."""
        return await self._searchers.run(self.clients.of(host_of(request.scope)), work, *args, **kwargs)

    async def page(
        self, request: Request, model_filter: ModelFilter, order: Order, offset: int = 0, cursor: str | None = None
    ) -> Page[ModelRow]:
        """A page of models. Those that an index finds have threads of their own, so that they never wait for slower ones: first pages,
        pages of usual length, and long ones.

        Raises TooBusy, or TooSlow.
        """
        if not is_bounded(model_filter, order, 0 if cursor else offset):
            return await self.search(request, self.reader.models, model_filter, order, offset, cursor)
        lane = self._long_pages if (model_filter.limit or 0) > PAGE else self._pages if offset or cursor else self._fronts
        return await lane.run(self.clients.of(host_of(request.scope)), self.reader.models, model_filter, order, offset, cursor)

    async def export(self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        """Make a file of many rows, in the thread for these. Raises OSError when there is no room, and TooSlow after EXPORT_SECONDS."""
        return await asyncio.get_running_loop().run_in_executor(self._exporters, partial(work, *args, **kwargs))

    async def aside(self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        """Something that takes longer and writes nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._others, partial(work, *args, **kwargs))

    async def do(self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        """Something that may take longer, or writes; what was known of the catalog is asked anew after it."""
        try:
            return await self.aside(work, *args, **kwargs)
        finally:
            self.forget()

    async def revision(self) -> Revision:
        """The present state of the catalog, as of the last instant; never an earlier one than some answer has shown."""
        while self._revision is None or time.monotonic() >= self._revision_until:
            began = time.monotonic()
            revision = await self.read(self.reader.revision)
            if self._learnt_at <= began:  # otherwise something was shown or committed meanwhile, which this may be from before
                self._revision, self._revision_until = revision, time.monotonic() + FRESH_FOR
        return self._revision

    def showed(self, revision: Revision) -> None:
        """An answer is of this state: no later one may be of an earlier state, though one is kept."""
        if self._revision is None or revision.number > self._revision.number:
            self._revision, self._learnt_at = revision, time.monotonic()
            self._revision_until = self._learnt_at + FRESH_FOR

    def forget(self) -> None:
        """Ask for the revision anew: something was committed."""
        for brief in (self.numbers, self.freshness):
            brief.forget()
        self._learnt_at, self._revision_until = time.monotonic(), 0.0

    async def valid_keys(self) -> dict[str, ApiKeyHolder]:
        """Who holds which key, by digest."""
        if time.monotonic() >= self._keys_until:
            self._handed_out = await self.read(self.keys.valid)
            self._keys_until = time.monotonic() + KEPT_FOR
        return self._configured | self._handed_out

    async def note_use(self, key: str) -> None:
        """A key that was handed out was used. Written down once a minute; nothing waits for this, and nothing fails of it."""
        key_digest = digest(key)
        if key_digest not in self._handed_out or time.monotonic() < self._noted.get(key_digest, -math.inf) + NOTED_EVERY.total_seconds():
            return
        self._noted[key_digest] = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(self._others, self.keys.note_use, key_digest)
        except DatabaseError as error:
            log.warning(f"the use of a key was not noted: {error.message}")

    async def close(self) -> None:
        """Stop the syncs under way, and give everything back."""
        await self.syncs.close()
        for lane in (self._fronts, self._pages, self._long_pages, self._searchers):
            lane.close()
        for threads in (self._readers, self._exporters, self._others):
            threads.shutdown(wait=True, cancel_futures=True)
        self.store.close()
