"""The story of a sync, top to bottom: lease, fetch, keep, read, commit; every provider for itself, all at once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from modelsync.database.tables.answers import KeptAnswer
from modelsync.database.tables.leases import LEASE, Lease
from modelsync.database.tables.runs import Seen
from modelsync.errors import DatabaseError, Failure, FailureKind
from modelsync.fetch import Fetched, Fetcher, NeedsKey, Unfollowed, Unmodified, Validators
from modelsync.model.records import Counts
from modelsync.planning.known import KnownRows
from modelsync.planning.listing import Listing, read
from modelsync.planning.outcome import (
    SWITCHED_OFF,
    Busy,
    Cancelled,
    Disabled,
    Failed,
    NoKey,
    NotModified,
    Outcome,
    Planned,
    ProviderResult,
    counts_of,
    held_of,
    with_absence,
    words_of,
)
from modelsync.planning.policy import DEFAULT_RULES, Rules
from modelsync.providers.base import Answer, Provider, Request
from modelsync.sync.archive import Archive, Archived
from modelsync.sync.request import Commit, Expected, Mark
from modelsync.sync.saved_plan import SavedPlan
from modelsync.sync.store import Store

log = structlog.get_logger("modelsync.sync")


class Job(msgspec.Struct, frozen=True):
    """One provider to sync, as the settings want it. `scope` names everything its listing depends on: options, key, origin; `place` the
    same without the key.

    With an `archive`, the answers of its syncs are kept.
    """

    provider: Provider
    options: msgspec.Struct
    scope: str
    enabled: bool = True
    rules: Rules = DEFAULT_RULES
    archive: Archive | None = None
    place: str | None = None

    @property
    def slug(self) -> str:
        """The provider's slug."""
        return self.provider.slug


class UnusableAnswers(msgspec.Struct, frozen=True):
    """Answers came and are no listing: why, and what was kept of them."""

    failure: Failure
    kept: Archived


class GivenUp(msgspec.Struct, frozen=True):
    """A result that changed nothing, with the answers that are kept of it."""

    result: ProviderResult
    answers: tuple[KeptAnswer, ...] = ()


class Step(StrEnum):
    """Where a provider's sync stands."""

    WAITING = "waiting for another sync"
    FETCHING = "fetching"
    READING = "reading"
    WRITING = "writing"


Save = Callable[[SavedPlan], None]
"""Called with every plan of a dry run that could be applied later."""

Answers = Sequence[tuple[Request, Answer]]
Watch = Callable[[str, Step | ProviderResult], None]
"""Called with every step of every provider, and each result as soon as it is there."""


PATIENCE = 2.0
"""Seconds that a provider waits for its turn at reading: a list that takes longer is not to keep the others waiting."""


class Means(NamedTuple):
    """What the providers of one run share. They take turns at `reading`: two at once share one interpreter, would not be done sooner, and
    let the event loop wait for both.
    """

    fetcher: Fetcher
    store: Store
    watch: Watch
    reading: asyncio.Semaphore


async def sync_all(jobs: Sequence[Job], fetcher: Fetcher, store: Store, run_id: int, watch: Watch, *, wait: bool = True) -> None:
    """Sync every job at once. One provider's failure never reaches another. Whether to `wait` for another run that is at a provider."""
    means = Means(fetcher, store, watch, asyncio.Semaphore())
    await _all(jobs, watch, lambda job: _sync(job, means, run_id, fetcher.deadline(job.provider) if wait else 0.0))


async def sync_leased(job: Job, lease: Lease, fetcher: Fetcher, store: Store, watch: Watch) -> None:
    """Sync one provider with a lease that was taken for it."""
    means = Means(fetcher, store, watch, asyncio.Semaphore())
    await _all([job], watch, lambda job: _to_its_end(job, store, lease, _synced(job, means, lease)))


def give_back(job: Job, lease: Lease, store: Store) -> None:
    """Give a lease back whose sync was stopped, perhaps before it began; what was recorded of it stands."""
    with contextlib.suppress(DatabaseError):  # it runs out by itself
        store.give_up(lease.run_id, _result(job, Cancelled()), lease)


async def plan_all(jobs: Sequence[Job], fetcher: Fetcher, store: Store, watch: Watch, save: Save | None = None) -> None:
    """What syncs would do: no lease, no trace."""
    means = Means(fetcher, store, watch, asyncio.Semaphore())
    await _all(jobs, watch, lambda job: _plan(job, means, save))


async def apply_all(jobs: Sequence[Job], plans: Mapping[str, SavedPlan], store: Store, run_id: int, watch: Watch) -> None:
    """Do exactly what saved plans say, provider by provider, or nothing where the catalog has moved on."""
    await _all(jobs, watch, lambda job: _apply(job, plans[job.slug], store, run_id, watch))


async def _all(jobs: Sequence[Job], watch: Watch, do: Callable[[Job], Awaitable[ProviderResult]]) -> None:
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_one(job, watch, do))


async def _one(job: Job, watch: Watch, do: Callable[[Job], Awaitable[ProviderResult]]) -> None:
    """One job to its result, whatever happens to it."""
    started = time.monotonic()
    try:
        result = await do(job)
    except Exception as error:  # noqa: BLE001 - one provider's accident is that provider's own
        result = _result(job, _unexpected(job, error))
    result = msgspec.structs.replace(result, seconds=time.monotonic() - started)
    watch(job.slug, result)


async def _plan(job: Job, means: Means, save: Save | None) -> ProviderResult:
    """One provider's dry run: fetch, read, compare; nothing is written. `save` is called with a plan that could be applied later.

    What is paused can be looked at too: a warning says that no sync would do what is shown.
    """
    if not job.enabled:
        return _result(job, Disabled(SWITCHED_OFF))
    why = await asyncio.to_thread(means.store.kept_out, job.slug)
    result = await _look(job, means, save)
    return msgspec.structs.replace(result, warnings=(f"no sync does this now: {why}", *result.warnings)) if why else result


async def _look(job: Job, means: Means, save: Save | None) -> ProviderResult:
    store = means.store
    mark = await asyncio.to_thread(store.mark, job.slug)
    seen = await asyncio.to_thread(store.seen, job.slug, job.scope, job.provider.version)
    obtained = await _obtain(job, means, seen)
    match obtained:
        case UnusableAnswers():
            return _result(job, Failed(obtained.failure))
        case Commit():
            return await asyncio.to_thread(_planned, job, obtained, store, mark, save)
        case NotModified() if seen is not None:
            return await asyncio.to_thread(_planned_unchanged, job, obtained, seen, store, mark, save)
        case _:
            return _result(job, obtained)


def _planned(job: Job, commit: Commit, store: Store, mark: Mark, save: Save | None = None) -> ProviderResult:
    """The plan for a listing as a result."""
    provider_id, verdict = store.plan(commit)
    plan = verdict.plan
    warnings = (*store.drifts(commit), *verdict.listing.warnings, *words_of(plan))
    held = held_of(plan)
    if held is not None:
        return _result(job, held, warnings=warnings, provider_id=provider_id)
    if save is not None:
        save(_saved(job, Expected(mark, plan.digest), commit.listing, commit.seen, whole=commit.whole))
    planned = Planned(counts_of(verdict.listing, plan, applied=False), plan)
    return _result(job, planned, warnings=warnings, provider_id=provider_id)


def _planned_unchanged(job: Job, same: NotModified, seen: Seen, store: Store, mark: Mark, save: Save | None) -> ProviderResult:
    """What an answer that did not change comes to: models that it lacks may be due to retire."""
    provider_id, plan = store.plan_unchanged(job.slug, job.rules)
    if save is not None:
        save(_saved(job, Expected(mark, plan.digest), None, seen, whole=True))
    counts = msgspec.structs.replace(with_absence(same.counts, plan), synced=0)
    outcome = Planned(counts, plan) if plan.changes else NotModified(counts)
    return _result(job, outcome, provider_id=provider_id, warnings=_skipped(seen))


def _saved(job: Job, expected: Expected, listing: Listing | None, seen: Seen | None, *, whole: bool) -> SavedPlan:
    """All that applying a plan later needs: its listing, or without one the last listing as `seen`, and what is expected of the catalog."""
    return SavedPlan(
        slug=job.slug,
        scope=job.scope,
        place=job.place,
        normalizer=job.provider.version,
        listing=listing,
        seen=seen,
        whole=whole,
        expected=expected,
    )


async def _apply(job: Job, saved: SavedPlan, store: Store, run_id: int, watch: Watch) -> ProviderResult:
    """Commit a saved listing, if it still makes the plan that was saved with it."""
    if (saved.scope, saved.normalizer) != (job.scope, job.provider.version):
        hint = "Nothing of it was changed; make a new plan with the settings of now"
        other = Failed(Failure(FailureKind.CONFIG, "the plan was made with other settings, or by another modelsync", hint))
        return await _given_up(job, other, store, run_id)
    lease = await _disabled(job, store) or await _lease(job, 0.0, store, run_id, watch)
    if not isinstance(lease, Lease):
        return await _given_up(job, lease, store, run_id)
    watch(job.slug, Step.WRITING)
    return await _to_its_end(job, store, lease, asyncio.to_thread(_applied, job, saved, store, lease))


def _applied(job: Job, saved: SavedPlan, store: Store, lease: Lease) -> ProviderResult:
    if saved.listing is None:
        assert saved.seen is not None  # noqa: S101 - a plan without a listing says that the last one still holds
        same = _result(job, NotModified(_sighted(saved.seen)), warnings=_skipped(saved.seen))
        confirmed = store.confirm(lease, saved.seen, same, job.rules, saved.expected)
        assert confirmed is not None  # noqa: S101 - what is expected of the catalog is not so any more: that is a result
        return confirmed
    commit = Commit(job.provider, saved.listing, saved.seen, job.rules, job.scope, saved.whole, only_if=saved.expected, place=saved.place)
    return store.commit(lease, commit, 0.0)


async def _given_up(job: Job, outcome: Outcome, store: Store, run_id: int) -> ProviderResult:
    """Record a sync that ended before anything was requested."""
    return await asyncio.to_thread(store.give_up, run_id, _result(job, outcome), None)


def replay(job: Job, kept: Sequence[KeptAnswer], archive: Archive, store: Store) -> ProviderResult:
    """What a sync of kept answers would change now, read by the program as it is now. Nothing is asked, nothing written."""
    endpoints = {endpoint.name: endpoint for endpoint in job.provider.endpoints}
    came: list[tuple[Request, Answer]] = []
    for each in kept:
        answer = archive.read(each)
        if isinstance(answer, Failure):
            return _result(job, Failed(answer))
        if each.endpoint not in endpoints:
            message = f"this version of modelsync does not ask for the list {each.endpoint}"
            return _result(job, Failed(Failure(FailureKind.CONFIG, message, "Replay it with the version that did")))
        came.append((Request(endpoints[each.endpoint], each.url), answer))
    listing = _read(job, Fetched(tuple(came)))
    if isinstance(listing, Failure):
        return _result(job, Failed(listing))
    if not kept[0].whole:
        unread = "the pages could not be followed to their end: what they lack is not absent"
        listing = msgspec.structs.replace(listing, complete=False, warnings=(unread, *listing.warnings))
    return _planned(job, Commit(job.provider, listing, None, job.rules, kept[0].scope), store, Mark())


async def _sync(job: Job, means: Means, run_id: int, patience: float) -> ProviderResult:
    """Lease, fetch, read, commit."""
    store = means.store
    lease = await _disabled(job, store) or await _lease(job, patience, store, run_id, means.watch)
    if not isinstance(lease, Lease):
        return await _given_up(job, lease, store, run_id)
    return await _to_its_end(job, store, lease, _synced(job, means, lease))


async def _synced(job: Job, means: Means, lease: Lease) -> ProviderResult | GivenUp:
    """Fetch, read and commit under a lease; GivenUp when there is nothing to commit. DatabaseError when the commit fails."""
    store, watch, began = means.store, means.watch, time.monotonic()
    seen = await asyncio.to_thread(store.seen, job.slug, job.scope, job.provider.version)
    recall = partial(store.known, job.slug, job.provider.version)
    obtained = await _obtain(job, means, seen, job.archive, recall)
    if isinstance(obtained, NotModified) and seen is not None:
        watch(job.slug, Step.WRITING)
        same = _result(job, obtained, seconds=time.monotonic() - began, warnings=_skipped(seen))
        confirmed = await asyncio.to_thread(store.confirm, lease, seen, same, job.rules)
        if confirmed is not None:
            return confirmed
        obtained = await _obtain(job, means, None, job.archive, recall)  # a person decided something meanwhile: all of it counts
    seconds = time.monotonic() - began
    watch(job.slug, Step.WRITING)
    match obtained:
        case Commit():
            return await asyncio.to_thread(store.commit, lease, obtained, seconds)
        case UnusableAnswers(failure, kept):
            return GivenUp(_result(job, Failed(failure), seconds=seconds, warnings=kept.warnings), kept.answers)
        case _:
            return GivenUp(_result(job, obtained, seconds=seconds))


async def _to_its_end(job: Job, store: Store, lease: Lease, work: Awaitable[ProviderResult | GivenUp]) -> ProviderResult:
    """Do `work` with a lease. What does not end in a commit is recorded with its reason, and the lease is given back."""
    began = time.monotonic()
    try:
        came = await work
    except asyncio.CancelledError:
        give_back(job, lease, store)  # a commit that was under way has come first: its result stands
        raise
    except Exception as error:  # noqa: BLE001 - recorded with the run, and the lease given back
        came = GivenUp(_result(job, _unexpected(job, error), seconds=time.monotonic() - began))
    if isinstance(came, ProviderResult):
        return came
    return await asyncio.to_thread(store.give_up, lease.run_id, came.result, lease, came.answers)


async def _disabled(job: Job, store: Store) -> Disabled | None:
    if not job.enabled:
        return Disabled(SWITCHED_OFF)
    why = await asyncio.to_thread(store.kept_out, job.slug)
    return Disabled(why) if why else None


async def _lease(job: Job, patience: float, store: Store, run_id: int, watch: Watch) -> Lease | Busy:
    """A lease, after waiting for another sync of the same provider for at most `patience` seconds."""
    give_up_at = time.monotonic() + patience
    while True:
        taking = asyncio.create_task(asyncio.to_thread(store.take_lease, job.slug, run_id, LEASE))
        try:
            lease = await asyncio.shield(taking)
        except asyncio.CancelledError:
            lease = await taking  # the thread takes it all the same
            if isinstance(lease, Lease):
                store.give_up(run_id, _result(job, Cancelled()), lease)
            raise
        if isinstance(lease, Lease) or time.monotonic() >= give_up_at:
            return lease
        watch(job.slug, Step.WAITING)
        await asyncio.sleep(0.5)


async def _obtain(
    job: Job,
    means: Means,
    seen: Seen | None,
    archive: Archive | None = None,
    recall: Callable[[], KnownRows] | None = None,
) -> Commit | UnusableAnswers | Outcome:
    """Everything up to the database: what to commit, or why there is nothing to. `recall` says which rows need not be read."""
    means.watch(job.slug, Step.FETCHING)
    validators = msgspec.convert(seen.validators, Validators) if seen and seen.validators else None
    fetched = await means.fetcher.fetch(job.provider, job.options, validators)
    match fetched:
        case NeedsKey(variables):
            return NoKey(variables)
        case Failure():
            return Failed(fetched)
        case Unfollowed(failure, answers):
            return UnusableAnswers(failure, await _kept(job, answers, archive, whole=False))
        case Unmodified():
            return _unchanged(job, seen)
        case Fetched() if seen and seen.digest == fetched.digest:
            return _unchanged(job, seen)
    means.watch(job.slug, Step.READING)
    kept = await _kept(job, fetched.answers, archive)
    known = await asyncio.to_thread(recall) if recall and job.provider.reads_rows_alone else None
    async with _turn(means.reading):
        listing = await asyncio.to_thread(_read, job, fetched, known)
    if isinstance(listing, Failure):
        return UnusableAnswers(listing, kept)
    listing = msgspec.structs.replace(listing, warnings=(*kept.warnings, *listing.warnings))
    whole = not fetched.notes
    seen = _seen(job, fetched, listing) if whole and listing.complete else None
    return Commit(job.provider, listing, seen, job.rules, job.scope, whole, kept.answers, place=job.place, known=known)


@contextlib.asynccontextmanager
async def _turn(reading: asyncio.Semaphore) -> AsyncIterator[None]:
    """A turn at reading, or none after PATIENCE."""
    has_turn = False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            has_turn = await reading.acquire()
    try:
        yield
    finally:
        if has_turn:
            reading.release()


async def _kept(job: Job, answers: Answers, archive: Archive | None, *, whole: bool = True) -> Archived:
    return await asyncio.to_thread(archive.keep, job.slug, job.scope, answers, whole=whole) if archive else Archived()


def _read(job: Job, fetched: Fetched, known: KnownRows | None = None) -> Listing | Failure:
    try:
        listing = read(job.provider, job.options, fetched.answers, known)
    except StopIteration as error:  # of a provider's own module: no future can hold it, and whoever waits for the thread would for ever
        raise RuntimeError("StopIteration") from error
    if isinstance(listing, Failure):
        return listing
    for row in listing.rejected:
        log.debug(f"Skipping {row.id or f'row {row.position}'}: {row.reason}", provider=job.slug)
    for row_id in listing.duplicates:
        log.debug(f"Skipping {row_id}: listed twice, the first one counts", provider=job.slug)
    return msgspec.structs.replace(listing, warnings=(*listing.warnings, *fetched.notes))


def _seen(job: Job, fetched: Fetched, listing: Listing) -> Seen:
    """What lets the next sync skip an unchanged answer of a complete listing, with every call answered."""
    validators = msgspec.structs.asdict(fetched.validators) if fetched.validators else None
    skipped = len(listing.rejected) + len(listing.duplicates)
    listed = Counts(fetched=listing.fetched, transformed=listing.fetched - skipped, skipped=skipped)
    return Seen(
        scope=job.scope,
        version=job.provider.version,
        digest=fetched.digest,
        validators=validators,
        listed=listed,
        skips=listing.skips,
    )


def _unchanged(job: Job, seen: Seen | None) -> NotModified:
    """The listing that `seen` tells of, once more; the rows that were skipped in it are skipped again, for the same reasons."""
    for line in seen.skips if seen else ():
        log.debug(f"Skipping {line}", provider=job.slug)
    return NotModified(_sighted(seen))


def _skipped(seen: Seen | None) -> tuple[str, ...]:
    """The warnings of an unchanged listing."""
    return tuple(f"skipped {line}" for line in seen.skips) if seen else ()


def _sighted(seen: Seen | None) -> Counts:
    """The counts of a listing that did not change: everything in it was seen again."""
    listed = seen.listed if seen else Counts()
    return msgspec.structs.replace(listed, unchanged=listed.transformed, synced=listed.transformed)


def _unexpected(job: Job, error: Exception) -> Failed:
    """An exception of ours as this provider's failure."""
    if isinstance(error, DatabaseError):
        return Failed(Failure(FailureKind.INTERNAL, error.message, error.hint))
    log.debug("a bug in modelsync", provider=job.slug, exc_info=error)
    hint = "Nothing of this provider was changed; run it again with --verbose and report what that shows"
    return Failed(Failure(FailureKind.INTERNAL, f"a bug in modelsync ({type(error).__name__})", hint))


def _result(
    job: Job, outcome: Outcome, *, seconds: float = 0.0, warnings: tuple[str, ...] = (), provider_id: int | None = None
) -> ProviderResult:
    return ProviderResult(slug=job.slug, outcome=outcome, seconds=seconds, warnings=warnings, provider_id=provider_id)
