"""Async twins of what `modelsync` exports, for programs that run an event loop: notebooks, web servers.

Each does its work in a thread of its own while the loop goes on. When the task that awaits one is cancelled, a sync is stopped as by a
signal (providers already committed stay so, the others are untouched), and what cannot be stopped, a short read or write, is waited for:
when the await ends nothing is under way. Arguments, results and errors are those of the functions of the same name.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from modelsync.model.model import Model
from modelsync.model.records import Counts
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Report
from modelsync.programs import catalog, functions
from modelsync.programs.functions import listed, program
from modelsync.sync.run import Handle

__all__ = [
    "Catalog",
    "bulk_upsert_models",
    "ensure_provider_exists",
    "fetch_models",
    "sync_all_providers",
    "sync_provider_models",
]

LOOK = 0.2
"""Seconds after which a waiting task looks whether it was cancelled: a kernel of Jupyter does so in a signal handler, which does not wake
its loop.
"""

Result = TypeVar("Result")
Params = ParamSpec("Params")


async def fetch_models(slug: str) -> Listing:
    """As `modelsync.fetch_models`."""
    handle = Handle()
    return await _in_thread(lambda: program(None).fetch(slug, handle=handle), handle.stop)


async def sync_provider_models(slug: str, *, dry_run: bool = False, database: str | None = None) -> Report:
    """As `modelsync.sync_provider_models`."""
    return await sync_all_providers([slug], dry_run=dry_run, database=database)


async def sync_all_providers(slugs: Iterable[str] | None = None, *, dry_run: bool = False, database: str | None = None) -> Report:
    """As `modelsync.sync_all_providers`."""
    handle = Handle()
    return await _in_thread(lambda: program(database).sync(listed(slugs), dry_run=dry_run, handle=handle), handle.stop)


async def ensure_provider_exists(slug: str, *, database: str | None = None) -> int:
    """As `modelsync.ensure_provider_exists`."""
    return await _in_thread(lambda: functions.ensure_provider_exists(slug, database=database))


async def bulk_upsert_models(slug: str, models: Iterable[Model], *, database: str | None = None) -> Counts:
    """As `modelsync.bulk_upsert_models`."""
    return await _in_thread(lambda: functions.bulk_upsert_models(slug, models, database=database))


def _nothing_to_stop() -> None:
    """What is under way is short, and must be whole."""


async def _in_thread(work: Callable[[], Result], stop: Callable[[], object] = _nothing_to_stop) -> Result:
    """What `work` returns or raises in a thread. When this is cancelled, `stop` is called, and the end of the work waited for."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        while not future.done():
            await asyncio.wait([future], timeout=LOOK)
    except asyncio.CancelledError:
        stop()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):  # once more: it is being stopped already
                await asyncio.wait([future])
        future.exception()  # looked at, or the loop complains that nobody did
        raise
    return future.result()


def _twin(
    method: Callable[Concatenate[catalog.Catalog, Params], Result],
) -> Callable[Concatenate["Catalog", Params], Coroutine[object, object, Result]]:
    """A method of the catalog that is awaited."""

    @functools.wraps(method)
    async def twin(self: "Catalog", /, *args: Params.args, **kwargs: Params.kwargs) -> Result:
        return await _in_thread(lambda: method(self._catalog, *args, **kwargs))

    return twin


class Catalog:
    """As `modelsync.Catalog`: `async with modelsync.aio.Catalog() as catalog: models = await catalog.models("claude")`."""

    def __init__(self, database: str | None = None) -> None:
        """Nothing is opened before the `async with` block."""
        self._catalog = catalog.Catalog(database)

    async def __aenter__(self) -> Self:
        try:
            await _in_thread(self._catalog.__enter__)
        except asyncio.CancelledError:
            self._catalog.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    models = _twin(catalog.Catalog.models)
    model = _twin(catalog.Catalog.model)
    changes = _twin(catalog.Catalog.changes)
    status = _twin(catalog.Catalog.status)
    close = _twin(catalog.Catalog.close)
