"""First load, nothing changed and 1 % changed, on both databases, against the plain drivers."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import catalogs
import msgspec
from catalogs import EVERY
from databases import Database, both, opened
from measure import Figure, Scale, Way, alternate, count, timed

from modelsync.database.rows import COLUMNS, KEPT, incoming
from modelsync.database.schema import models
from modelsync.database.tables.leases import Lease
from modelsync.database.tables.runs import Seen
from modelsync.model.records import Counts
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import NotModified, ProviderResult, Synced
from modelsync.planning.plan import Change, ChangeKind
from modelsync.providers.builtin import openrouter
from modelsync.sync.request import Commit
from modelsync.sync.store import Store

PROVIDER = openrouter.PROVIDER
FIRST_LOAD = {"SQLite": 1.15, "Postgres": 1.3}
SEEN = Seen(scope="benchmark", version=PROVIDER.version, digest="0", validators=None, listed=Counts())
QUIET_LOG, QUIET_FILE = 256 * 1024, 16 * 1024
"""Bytes that the record of a sync may cost when no model changes: a few rows, and in the log the pages they are on."""


def measure(scale: Scale) -> Iterator[Figure]:
    """Everything, on one database after the other."""
    body = catalogs.openrouter_body(scale.models)
    base = catalogs.listing(body)
    with both() as found:
        for database in found:
            for figure in _measured(database, scale, body, base):
                yield msgspec.structs.replace(figure, what=f"{database.name}: {figure.what}")


def _measured(database: Database, scale: Scale, body: bytes, base: Listing) -> Iterator[Figure]:
    yield _first_load(database, scale, base)
    for figures in (_counted, _timed):  # apart, because counting exactly costs time
        store = opened(database)
        _sync(store, base)
        yield from figures(database, store, scale, body, base)
        store.close()


# One sync without its fetch


def _lease(store: Store) -> Lease:
    lease = store.take_lease(PROVIDER.slug, store.begin_run("benchmark"), 600.0)
    assert isinstance(lease, Lease), lease
    return lease


def _sync(store: Store, listing: Listing) -> tuple[float, Counts]:
    """Commit a listing: the seconds of the transaction, and its counts."""
    lease = _lease(store)
    started = time.perf_counter()
    result = store.commit(lease, Commit(PROVIDER, listing, SEEN), 0.0)
    seconds = time.perf_counter() - started
    assert isinstance(result.outcome, Synced), result
    return seconds, result.counts


def _confirm(store: Store, body: bytes) -> None:
    """What an answer costs whose digest is known."""
    answer, lease = catalogs.answer(body), _lease(store)
    seen = store.seen(PROVIDER.slug, SEEN.scope, SEEN.version)
    assert seen is not None, answer.sha256
    store.confirm(lease, seen, ProviderResult(slug=PROVIDER.slug, outcome=NotModified(seen.listed), seconds=0.0))


def _changed(base: Listing) -> Listing:
    """The same catalog with 1 % of its models at another price."""
    numbers = range(0, len(base.models), EVERY)
    others = catalogs.listing(catalogs.document(catalogs.openrouter_row(number, changed=True) for number in numbers))
    return Listing(models={**base.models, **others.models}, hashes={**base.hashes, **others.hashes})


# The figures


def _first_load(database: Database, scale: Scale, base: Listing) -> Figure:
    rows = database.prepared(_rows(base))

    def plain() -> float:
        opened(database).close()
        return timed(lambda: database.load(rows))()

    def ours() -> float:
        store = opened(database)
        seconds, _ = _sync(store, base)
        store.close()
        return seconds

    medians = alternate(scale.rounds, {"floor": plain, "ours": ours})
    note = f"{len(rows) / medians['ours']:,.0f} models/s, with a history row each"
    goal = FIRST_LOAD[database.name]
    return Figure("first load, × the plain driver's bulk insert", medians["ours"] / medians["floor"], goal, note=note)


def _rows(listing: Listing) -> list[tuple[Any, ...]]:
    """A listing as rows, as they are written at first sight."""
    now = datetime.now(UTC)
    return [
        incoming(Change(ChangeKind.ADDED, row_id, model, listing.hashes[row_id]), 1, 1, now) for row_id, model in listing.models.items()
    ]


def _counted(database: Database, store: Store, _scale: Scale, _body: bytes, base: Listing) -> Iterator[Figure]:
    """What two syncs really write."""
    versions, sizes = database.versions(), database.sizes()
    _, counts = _sync(store, base)
    now = database.sizes()
    yield count("nothing changed, models confirmed", counts.unchanged, len(base.models))
    yield count("nothing changed, model rows written", len(database.versions() - versions), 0)
    if "log" in now:
        yield count("nothing changed, growth of the table", now["heap"] - sizes["heap"], 0, "bytes")
        yield Figure("nothing changed, log (WAL)", now["log"] - sizes["log"], QUIET_LOG, "bytes", hard=True)
    else:
        yield Figure("nothing changed, growth of the file", now["heap"] - sizes["heap"], QUIET_FILE, "bytes", hard=True)
    expected = len(range(0, len(base.models), EVERY))
    _, counts = _sync(store, _changed(base))
    yield count("1 % changed, models updated", counts.updated, expected)
    yield count("1 % changed, model rows written", len(database.versions() - versions), expected)


def _timed(database: Database, store: Store, scale: Scale, body: bytes, base: Listing) -> Iterator[Figure]:
    """Comparing with what is stored, against reading what is stored."""
    states = [base, _changed(base)]

    def other_state() -> float:
        states.reverse()
        return _sync(store, states[0])[0]

    ways: dict[str, Way] = {
        "hashes": timed(database.hashes),
        "changed": other_state,
        "same": lambda: _sync(store, states[0])[0],
        "decode": timed(lambda: msgspec.json.decode(body)),
        "read": timed(lambda: catalogs.listing(body)),
        "confirm": timed(lambda: _confirm(store, body)),
    }
    medians = alternate(scale.rounds, ways)
    hashes, floor = medians["hashes"], medians["decode"] + medians["hashes"]
    whole = medians["read"] + medians["same"]
    yield Figure("nothing changed, × reading the hashes", medians["same"] / hashes, 1.3, note=f"{medians['same']:.3f} s")
    yield Figure("nothing changed, end to end, × (untyped decode + hashes)", whole / floor, 1.3, note=f"{whole:.2f} s")
    yield Figure("same digest, × (untyped decode + hashes)", medians["confirm"] / floor, 0.2, note="sha256 of the body included")
    yield Figure("1 % changed, × reading the hashes", medians["changed"] / hashes, 2.0, note=f"{medians['changed']:.3f} s")
    faster = _upsert_all(store, _rows(base)) / medians["same"]
    yield Figure("nothing changed, faster than upserting all", faster, 12.0, least=True, note="SQLAlchemy executemany, once")


def _upsert_all(store: Store, rows: Sequence[tuple[Any, ...]]) -> float:
    """The seconds of what others do: every row of every sync through SQLAlchemy."""
    if store.dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    statement = insert(models)
    written = {name: statement.excluded[name] for name in COLUMNS if name not in KEPT}
    statement = statement.on_conflict_do_update(index_elements=["provider_id", "provider_model_id"], set_=written)
    values = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    started = time.perf_counter()
    with store.writing() as connection:
        connection.execute(statement, values)
    return time.perf_counter() - started
