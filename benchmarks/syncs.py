"""One sync without its fetch: what is measured of it, and what others measure beside it."""

import time

import catalogs
import msgspec

from modelsync.database.tables.leases import Lease
from modelsync.database.tables.runs import Seen
from modelsync.model.records import Counts
from modelsync.planning.known import KnownRows
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import NotModified, ProviderResult, Synced
from modelsync.providers.builtin import openrouter
from modelsync.sync.request import Commit
from modelsync.sync.store import Store

PROVIDER = openrouter.PROVIDER
SEEN = Seen(scope="benchmark", version=PROVIDER.version, digest="0", validators=None, listed=Counts())


def lease(store: Store) -> Lease:
    """The right to commit, in a new run."""
    taken = store.take_lease(PROVIDER.slug, store.begin_run("benchmark"), 600.0)
    assert isinstance(taken, Lease), taken
    return taken


def commit(store: Store, listing: Listing, known: KnownRows | None = KnownRows()) -> tuple[float, Counts]:  # noqa: B008 - a value
    """Commit a listing: the seconds of the transaction, which remembers its rows as a sync's does, and its counts."""
    taken = lease(store)
    started = time.perf_counter()
    result = store.commit(taken, Commit(PROVIDER, listing, SEEN, known=known), 0.0)
    seconds = time.perf_counter() - started
    assert isinstance(result.outcome, Synced), result
    return seconds, result.counts


def commit_page(store: Store, body: bytes) -> Listing:
    """Read one page of a long list and commit it as `bulk_upsert_models` does: what is not on it is left alone."""
    listing = msgspec.structs.replace(catalogs.listing(body), complete=False)
    commit(store, listing, known=None)
    return listing


def confirm(store: Store, body: bytes) -> None:
    """What an answer costs whose digest is known."""
    answer, taken = catalogs.answer(body), lease(store)
    seen = store.seen(PROVIDER.slug, SEEN.scope, SEEN.version)
    assert seen is not None, answer.sha256
    store.confirm(taken, seen, ProviderResult(slug=PROVIDER.slug, outcome=NotModified(seen.listed), seconds=0.0))


def answered(store: Store, body: bytes) -> float:
    """The seconds of an answer from its bytes to the end of its commit: rows that are known are not decoded."""
    taken = lease(store)
    started = time.perf_counter()
    known = store.known(PROVIDER.slug, PROVIDER.version)
    result = store.commit(taken, Commit(PROVIDER, catalogs.listing(body, known=known), SEEN, known=known), 0.0)
    seconds = time.perf_counter() - started
    assert isinstance(result.outcome, Synced), result
    return seconds
