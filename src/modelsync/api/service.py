"""What every route uses: the open catalog, threads to read and to write it, who holds keys, and the syncs under way."""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from modelsync.api.access import KEPT_FOR, Buckets
from modelsync.api.metrics import Metrics
from modelsync.api.syncs import Syncs
from modelsync.app import App
from modelsync.errors import DatabaseError
from modelsync.store import NOTED_EVERY, Catalog, Held, History, Keys, Revision, Scope, Serving, Store, digest

log = structlog.get_logger("modelsync.api")
Result = TypeVar("Result")

FRESH_FOR = 0.05
"""Seconds that the revision is taken as read: another program's commit shows after these, one made through this server at once."""

FAILURES = 5.0
"""Requests a second without a valid key that one client is told so of."""

EXPORTS = 2
"""Exports of the whole catalog that are made at once."""


class Service:
    """The server's state. Its methods are coroutines; the catalog is only touched in threads of its own."""

    def __init__(self, program: App, store: Store) -> None:
        self.program = program
        self.settings = program.settings.serving
        self.store = store
        self.catalog, self.history, self.serving, self.keys = Catalog(store), History(store), Serving(store), Keys(store)
        self.syncs = Syncs(program, self.catalog)
        self.metrics = Metrics(store)
        self.buckets = Buckets(self.settings.rate)
        self.attempts = Buckets(min(self.settings.rate, FAILURES))
        self.exports = asyncio.Semaphore(EXPORTS)
        self._readers = ThreadPoolExecutor(1 if store.dialect == "sqlite" else 4, "reader")
        self._others = ThreadPoolExecutor(4, "worker")
        self._configured = {digest(key): Held("ADMIN_API_KEY", Scope.ADMIN) for key in self.settings.admin_keys}
        self._handed_out: dict[str, Held] = {}
        self._noted: dict[str, float] = {}
        self._keys_until = 0.0
        self._revision: Revision | None = None
        self._revision_until = self._learnt_at = 0.0

    async def read(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """A short question to the catalog, in the thread for these."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *arguments)

    async def do(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Something that may take longer, or writes; what was known of the catalog is asked anew after it."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._others, work, *arguments)
        finally:
            self.forget()

    async def revision(self) -> Revision:
        """The present state of the catalog, as of the last instant; never an earlier one than some answer has shown."""
        while self._revision is None or time.monotonic() >= self._revision_until:
            began = time.monotonic()
            found = await self.read(self.serving.revision)
            if self._learnt_at <= began:  # otherwise something was shown or committed meanwhile, which this may be from before
                self._revision, self._revision_until = found, time.monotonic() + FRESH_FOR
        return self._revision

    def showed(self, revision: Revision) -> None:
        """An answer is of this state: no later one may be of an earlier state, though it lies ready."""
        if self._revision is None or revision.number > self._revision.number:
            self._revision, self._learnt_at = revision, time.monotonic()
            self._revision_until = self._learnt_at + FRESH_FOR

    def forget(self) -> None:
        """Ask for the revision anew: something was committed."""
        self._learnt_at, self._revision_until = time.monotonic(), 0.0

    async def valid_keys(self) -> dict[str, Held]:
        """Who holds which key, by digest."""
        if time.monotonic() >= self._keys_until:
            self._handed_out = await self.read(self.keys.valid)
            self._keys_until = time.monotonic() + KEPT_FOR
        return self._configured | self._handed_out

    async def note_use(self, key: str) -> None:
        """A key that was handed out was used. Written down once a minute; nothing waits for this, and nothing fails of it."""
        found = digest(key)
        if found not in self._handed_out or time.monotonic() < self._noted.get(found, -math.inf) + NOTED_EVERY.total_seconds():
            return
        self._noted[found] = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(self._others, self.keys.note_use, found)
        except DatabaseError as error:
            log.warning(f"the use of a key was not noted: {error.message}")

    async def close(self) -> None:
        """Stop the syncs under way, and give everything back."""
        await self.syncs.close()
        for threads in (self._readers, self._others):
            threads.shutdown(wait=True, cancel_futures=True)
        self.store.close()
