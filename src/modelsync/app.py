"""Wires the objects: settings in, a few functions out. The faces call these."""

import asyncio
import contextlib
import functools
import importlib
import ssl
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import structlog

from modelsync import logs
from modelsync import settings as settings_module
from modelsync.database.engine import files_of, shown_address
from modelsync.database.tables import answers
from modelsync.errors import DatabaseError, Failure, ModelsyncError, UsageError
from modelsync.fetch import Fetched, Fetcher, KeyCredential, NeedsKey, Unfollowed, authorities
from modelsync.operations.purge import Housekeeping
from modelsync.planning.listing import Listing, read
from modelsync.planning.outcome import ProviderResult, Report
from modelsync.providers import registry
from modelsync.providers.base import Provider
from modelsync.queries.catalog import Catalog
from modelsync.settings import Settings
from modelsync.sync import pipeline, run, saved_plan
from modelsync.sync.archive import Archive
from modelsync.sync.pipeline import Job, Watch
from modelsync.sync.saved_plan import SavedPlan, loaded
from modelsync.sync.store import Store

log = structlog.get_logger("modelsync.app")


def unwatched(_slug: str, _event: pipeline.Step | ProviderResult) -> None:
    """Watch nothing."""


class App:
    """modelsync with its settings. Every method blocks, and refuses to run inside a running event loop."""

    def __init__(self, settings: Settings, *, verbose: bool = False, serving: bool = False) -> None:
        self.settings = settings
        registry.prepare(settings.providers)
        logs.configure(verbose=verbose, secrets=settings.secrets, serving=serving)

    def open_store(self, *, read_only: bool = False) -> Store:
        """The catalog's database. Raises DatabaseError."""
        return Store.open(self.settings.database_url, self.settings.providers, read_only=read_only)

    def database_shown(self) -> str:
        """The catalog's address for people: an absolute path, or an address without its password."""
        return shown_address(self.settings.database_url)

    def fetcher(self) -> Fetcher:
        """A client towards providers, with this program's keys, limits and origins."""
        return Fetcher(self.settings.limits, self.settings.origins, self.settings.credentials, self._trusted)

    @functools.cached_property
    def _trusted(self) -> ssl.SSLContext:
        return authorities()

    def archive(self) -> Archive | None:
        """Where answers are kept; None when they are not."""
        settings = self.settings
        keys = tuple(credential.key for credential in settings.credentials.values() if isinstance(credential, KeyCredential))
        return Archive(settings.archive, settings.archive_days, keys) if settings.archive else None

    def jobs(self, slugs: Iterable[str] | None) -> list[Job]:
        """One job per named provider, or per provider there is. UsageError for an unknown one."""
        return [self._job(provider) for provider in registry.select(self.settings.providers, slugs)]

    def _job(self, provider: Provider) -> Job:
        settings = self.settings
        enabled = provider.slug in settings.enabled
        scope, place = settings.scope(provider), settings.place(provider)
        return Job(provider, settings.options[provider.slug], scope, enabled, settings.rules, self.archive(), place)

    def sync(
        self,
        slugs: Iterable[str] | None = None,
        *,
        dry_run: bool = False,
        watch: Watch = unwatched,
        trigger: str = "api",
        save: Path | None = None,
        wait: bool = True,
        handle: run.Handle | None = None,
    ) -> Report:
        """Sync the named providers, or all, and say what came of it. A dry run writes nothing at all, but for its plans to a file `save`.

        A provider that another run is at is waited for, or without `wait` reported as busy. With a `handle`, another thread learns
        the run's number and can stop it (Stopped is raised here then).

        Raises UsageError for an unknown provider and DatabaseError when the catalog cannot be opened; what a provider does never raises.
        """
        refuse_running_loop()
        if save is not None:
            saved_plan.refuse(save, files_of(self.settings.database_url))
        jobs, fetcher, plans = self.jobs(slugs), self.fetcher(), list[SavedPlan]()

        async def story(run_id: int, notify: Watch) -> None:
            async with fetcher:
                if dry_run:
                    await pipeline.plan_all(jobs, fetcher, store, notify, plans.append if save else None)
                else:
                    await pipeline.sync_all(jobs, fetcher, store, run_id, notify, wait=wait)

        with self._opened(read_only=dry_run) as store:
            run_id = None if dry_run else store.begin_run(trigger)
            report = run.run([job.slug for job in jobs], story, store, watch, run_id, handle or run.Handle())
            if not dry_run:
                self._prune(store)
        if save is not None:
            saved_plan.save(save, plans, report.finished_at, files_of(self.settings.database_url))
        return report

    def attend(self, slug: str, store: Store, *, watch: Watch = unwatched, handle: run.Handle | None = None) -> Report | None:
        """Sync a provider if it is due by its schedule, as a run of its own; None when it is not, or when another sync is at it.

        However many processes ask at the same time: one of them syncs. Raises DatabaseError when the catalog cannot be written.
        """
        refuse_running_loop()
        lease = store.claim(slug, self.settings.schedules[slug])
        if lease is None:
            return None
        (job,), fetcher = self.jobs([slug]), self.fetcher()

        async def story(_run_id: int, notify: Watch) -> None:
            async with fetcher:
                await pipeline.sync_leased(job, lease, fetcher, store, notify)

        try:
            report = run.run([slug], story, store, watch, lease.run_id, handle or run.Handle())
        except run.Stopped:
            pipeline.give_back(job, lease, store)
            raise
        self._prune(store)
        return report

    def apply(self, file: Path, *, watch: Watch = unwatched, trigger: str = "api", handle: run.Handle | None = None) -> Report:
        """Do exactly what the plans in a saved file say; a provider whose part of the catalog has moved on since is left as it is.

        Raises UsageError for a file that is no saved plan, and DatabaseError when the catalog cannot be opened.
        """
        refuse_running_loop()
        plans = {plan.slug: plan for plan in loaded(_bytes(file)).plans}
        jobs = self.jobs(plans)

        async def story(run_id: int, notify: Watch) -> None:
            await pipeline.apply_all(jobs, plans, store, run_id, notify)

        with self._opened() as store:
            return run.run([job.slug for job in jobs], story, store, watch, store.begin_run(trigger), handle or run.Handle())

    @contextlib.contextmanager
    def _opened(self, *, read_only: bool = False) -> Iterator[Store]:
        store = self.open_store(read_only=read_only)
        try:
            yield store
        finally:
            store.close()

    def _prune(self, store: Store) -> None:
        """Remove old runs and answers. A sync succeeds even when this fails."""
        archive = self.archive()
        try:
            Housekeeping(store).prune(self.settings.keep_runs_days)
            if archive is not None:
                archive.prune(store)
        except DatabaseError as error:
            log.warning(f"old runs and answers were not removed: {error}")

    def replay(self, run_id: int, slugs: Iterable[str] | None = None) -> Report:
        """What a sync of a run's kept answers would change now, read by this program. Asks nobody, writes nothing.

        Raises UsageError when there is no such run, or nothing is kept of it.
        """
        slugs = [provider.slug for provider in registry.select(self.settings.providers, slugs)] if slugs else []
        archive = self.archive()
        if archive is None:
            raise UsageError("MODELSYNC_ARCHIVE is not set", "Set it to the folder of the kept answers, or to one for those to come")
        started_at, started = datetime.now(UTC), time.monotonic()
        with self._opened(read_only=True) as store:
            if Catalog(store).run(run_id) is None:
                raise UsageError(f"There is no run {run_id}", "`modelsync runs` lists them")
            with store.reading() as connection:
                kept, others = answers.of_run(connection, run_id, slugs), answers.latest_runs(connection, slugs)
            if not kept:
                raise _nothing_kept(run_id, slugs, others)
            jobs = self.jobs(sorted({each.provider for each in kept}))
            results = [pipeline.replay(job, [each for each in kept if each.provider == job.slug], archive, store) for job in jobs]
        seconds, finished_at = time.monotonic() - started, datetime.now(UTC)
        return Report(run_id=None, dry_run=True, started_at=started_at, finished_at=finished_at, seconds=seconds, results=tuple(results))

    def fetch(self, slug: str, *, handle: run.Handle | None = None) -> Listing:
        """What one provider lists now, without any database; a `handle` stops it (Stopped). Raises ModelsyncError when it cannot be had."""
        refuse_running_loop()
        (job,) = self.jobs([slug])
        listing = asyncio.run(run.until_signal(_fetch(job, self.fetcher()), handle or run.Handle()))
        if isinstance(listing, Listing):
            return listing
        if isinstance(listing, NeedsKey):
            raise ModelsyncError(f"{slug}: API key not configured", f"Set {listing.variables[0]}")
        raise ModelsyncError(f"{slug}: {listing.message}", listing.hint)


def build(settings: Settings | None = None, *, verbose: bool = False, serving: bool = False) -> App:
    """The program, from given settings or from those of this process; `serving` is how a server logs."""
    return App(settings or settings_module.load(), verbose=verbose, serving=serving)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})", "Name a file that `modelsync sync --dry-run --save` made") from error


def _nothing_kept(run_id: int, slugs: list[str], others: list[int]) -> UsageError:
    what = f" of {', '.join(slugs)}" if slugs else ""
    why = "Answers are kept of syncs that found something new, or nothing usable, while MODELSYNC_ARCHIVE is set"
    runs = f". Kept are those{what} of run {', '.join(map(str, others))}" if others else ""
    return UsageError(f"Nothing{what} was kept of run {run_id}", why + runs)


async def _fetch(job: Job, fetcher: Fetcher) -> Listing | NeedsKey | Failure:
    async with fetcher:
        fetched = await fetcher.fetch(job.provider, job.options)
    if isinstance(fetched, Fetched):
        return read(job.provider, job.options, fetched.answers)
    if isinstance(fetched, Unfollowed):
        return fetched.failure
    assert isinstance(fetched, NeedsKey | Failure)  # noqa: S101 - nothing else comes of an unconditional request
    return fetched


def refuse_running_loop(name: str | None = None) -> None:
    """UsageError inside a running event loop: it says what to await instead of the function of this name."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    hint = f"Write await modelsync.aio.{name}(…)" if name else "Use modelsync.aio, or call it with asyncio.to_thread(…)"
    raise UsageError("This function blocks, and here an event loop runs, as in a notebook", hint)


def __getattr__(name: str) -> object:
    """The names that programs took from here before `modelsync` exported them."""
    if name in ("fetch_models", "sync_all_providers", "sync_provider_models"):
        return getattr(importlib.import_module("modelsync"), name)
    raise AttributeError(f"module 'modelsync.app' has no attribute {name!r}")
