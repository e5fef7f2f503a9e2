"""Syncs that were asked for over HTTP: in threads of their own, at most a few at once, stopped when the server ends."""

import asyncio
import gc
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import structlog

from modelsync.app import App
from modelsync.planning.outcome import Report
from modelsync.queries.catalog import Catalog
from modelsync.sync.run import Handle, Stopped

log = structlog.get_logger("modelsync.api")

MOST = 4
"""Runs at once; each may be about all providers."""


BETWEEN_COLLECTIONS = 60.0
"""Seconds. A collection stops every request for a tenth of a second or two; what syncs leave is about 200 kB each."""


class TooMany(Exception):
    """So many runs are under way already that this one was not begun."""


class Running(msgspec.Struct, frozen=True):
    """A run that was begun: its number, and its report once it is over."""

    run_id: int | None
    report: "asyncio.Future[Report]"


class Syncs:
    """The runs under way in this server."""

    def __init__(self, program: App, catalog: Catalog) -> None:
        self._program = program
        self._catalog = catalog
        self._threads = ThreadPoolExecutor(MOST, "sync")
        self._handles: set[Handle] = set()
        self._collected_at = time.monotonic()

    def busy(self, slug: str) -> int | None:
        """The run that is at a provider, in whatever process; None when there is none. Blocks."""
        return self._catalog.running(slug)

    async def begin(self, slugs: Sequence[str] | None, *, dry_run: bool) -> Running:
        """Begin a sync of these providers, or all; it is under way, with a number unless it is dry, when this returns.

        Raises TooMany, and DatabaseError when the run cannot be recorded.
        """
        if len(self._handles) >= MOST:
            raise TooMany
        loop = asyncio.get_running_loop()
        began: asyncio.Future[int | None] = loop.create_future()

        def note_run_id(run_id: int | None) -> None:
            loop.call_soon_threadsafe(_settle, began, run_id)

        handle = Handle(note_run_id)
        self._handles.add(handle)
        report = loop.run_in_executor(self._threads, self._sync, slugs, dry_run, handle)
        report.add_done_callback(lambda _: self._over(handle, report, began))
        return Running(await began, report)

    def _sync(self, slugs: Sequence[str] | None, dry_run: bool, handle: Handle) -> Report:
        try:
            return self._program.sync(slugs, dry_run=dry_run, trigger="rest", wait=False, handle=handle)
        finally:
            self._collect()

    def _collect(self) -> None:
        """Free what a sync left. An engine of SQLAlchemy is a cycle, and a server that has settled hardly ever looks for these."""
        now = time.monotonic()
        if now - self._collected_at >= BETWEEN_COLLECTIONS:
            self._collected_at = now
            gc.collect()

    def _over(self, handle: Handle, report: "asyncio.Future[Report]", began: "asyncio.Future[int | None]") -> None:
        self._handles.discard(handle)
        problem = None if report.cancelled() else report.exception()
        if problem is None:
            return
        if not began.done():
            began.set_exception(problem)
        if not isinstance(problem, Stopped):
            log.error("a sync ended unexpectedly", exc_info=problem)

    def stop(self) -> None:
        """Stop what is under way: providers already committed stay so, the others are untouched."""
        for handle in list(self._handles):
            handle.stop()

    async def close(self) -> None:
        """Stop what is under way, and wait until it has."""
        self.stop()
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)


def _settle(began: "asyncio.Future[int | None]", run_id: int | None) -> None:
    if not began.done():
        began.set_result(run_id)
