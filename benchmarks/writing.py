"""First load, nothing changed and 1 % changed, on both databases, against the plain drivers that do the same work."""

import gc
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import catalogs
import msgspec
import syncs
from catalogs import EVERY
from databases import Database, Row, both, opened
from measure import Figure, Rounds, Scale, Way, alternate, count, floor, of, ratio, timed

from modelsync.database.rows import COLUMNS, KEPT, change_fields, incoming
from modelsync.database.schema import models
from modelsync.planning.known import KnownRows
from modelsync.planning.listing import Listing
from modelsync.planning.plan import Change, ChangeKind
from modelsync.sync.store import Store

FIRST_LOAD = {"SQLite": 1.15, "Postgres": 1.3}
UPSERTING_ALL = {"SQLite": 25.0, "Postgres": 100.0}
GOALS_FROM = 100_000
"""In smaller catalogs what every sync costs outweighs the rows: their ratios only show the growth."""
QUIET_LOG, QUIET_FILE = 256 * 1024, 16 * 1024
"""Bytes that the record of a sync may cost when no model changes: a few rows, and in the log the pages they are on."""


class Catalog(msgspec.Struct, frozen=True):
    """One catalog as an answer and as a listing, and the same with 1 % of its models at another price."""

    body: bytes
    listing: Listing
    changed_body: bytes
    changed: Listing


def catalog(size: int) -> Catalog:
    """Of so many models."""
    body, changed_body = (catalogs.openrouter_body(size, changed=changed) for changed in (False, True))
    listing = catalogs.listing(body, known=KnownRows())
    return Catalog(body, listing, changed_body, catalogs.changed(listing))


def measure(scale: Scale) -> Iterator[Figure]:
    """Everything, at one size after the other, on one database after the other."""
    with both() as found:
        for size in scale.sizes:
            made = catalog(size)
            for database in found:
                for figure in of(_measured(database, scale, made), database.name, size):
                    yield figure if figure.hard or size >= GOALS_FROM else msgspec.structs.replace(figure, goal=None)


def _measured(database: Database, scale: Scale, made: Catalog) -> Iterator[Figure]:
    yield from _first_load(database, scale, made)
    for figures in (_counted, _timed):  # apart, because counting exactly costs time
        store = opened(database.fresh())
        syncs.commit(store, made.listing)
        yield from figures(database, store, scale, made)
        store.close()


# First load


def _first_load(database: Database, scale: Scale, made: Catalog) -> Iterator[Figure]:
    expected = (len(made.listing.models),) * 2
    written: list[tuple[int, int]] = []
    rows, history = (database.prepared(each) for each in _rows(made.listing, provider_id=1, run_id=1))

    def plain() -> float:
        store = opened(database.fresh())
        assert (store.ensure_provider_exists(syncs.PROVIDER.slug), store.begin_run("benchmark")) == (1, 1)
        store.close()
        seconds = floor(lambda: database.load(rows, history))()
        written.append(database.stored())
        return seconds

    def ours() -> float:
        store = opened(database.fresh())
        gc.collect()
        seconds, _ = syncs.commit(store, made.listing)
        store.close()
        written.append(database.stored())
        return seconds

    ways: dict[str, Way] = {"floor": plain, "ours": ours}
    # A round of 100,000 models takes twenty seconds. Long ones differ less: few do, and none has to come first.
    measured, unmeasured = (scale.rounds, 1) if expected[0] < GOALS_FROM else (min(3, scale.rounds), 0)
    rounds = alternate(measured, ways, unmeasured=unmeasured)
    yield count("first load, rounds that wrote every row and its history", written.count(expected), len(written), "rounds")
    note = f"{expected[0] / rounds.median('ours'):,.0f} models/s, with a history row each"
    above = rounds.ratios("ours", "floor")
    yield ratio("first load, × the plain driver", above, FIRST_LOAD[database.name], note=note, seconds=rounds.median("ours"))


def _rows(listing: Listing, provider_id: int, run_id: int) -> tuple[list[Row], list[Row]]:
    """A listing as rows of models and of model_changes, as they are written at first sight."""
    now = datetime.now(UTC)
    changes = [Change(ChangeKind.ADDED, row_id, model, listing.hashes[row_id]) for row_id, model in listing.models.items()]
    history = [(run_id, provider_id, change.id, change.kind.value, change_fields(change), now) for change in changes]
    return [incoming(change, provider_id, 1, now) for change in changes], history


# Syncs into a catalog that is there


def _counted(database: Database, store: Store, _scale: Scale, made: Catalog) -> Iterator[Figure]:
    """What two syncs really write."""
    versions, sizes = database.versions(), database.sizes()
    _, counts = syncs.commit(store, made.listing)
    now = database.sizes()
    yield count("nothing changed, models confirmed", counts.unchanged, len(made.listing.models), "models")
    yield count("nothing changed, model rows written", len(database.versions() - versions), 0)
    if "log" in now:
        yield count("nothing changed, growth of the table", now["heap"] - sizes["heap"], 0, "bytes")
        yield Figure("nothing changed, log (WAL)", now["log"] - sizes["log"], QUIET_LOG, "bytes", hard=True)
    else:
        yield Figure("nothing changed, growth of the file", now["heap"] - sizes["heap"], QUIET_FILE, "bytes", hard=True)
    expected = len(range(0, len(made.listing.models), EVERY))
    _, counts = syncs.commit(store, made.changed)
    yield count("1 % changed, models updated", counts.updated, expected, "models")
    yield count("1 % changed, model rows written", len(database.versions() - versions), expected)


def _timed(database: Database, store: Store, scale: Scale, made: Catalog) -> Iterator[Figure]:
    """Comparing with what is stored, against reading what is stored."""
    bodies, listings = [made.body, made.changed_body], [made.listing, made.changed]

    def other_listing() -> float:
        bodies.reverse()
        listings.reverse()
        return syncs.commit(store, listings[0])[0]

    def other_answer() -> float:
        bodies.reverse()
        listings.reverse()
        return syncs.answered(store, bodies[0])

    ways: dict[str, Way] = {
        "hashes": floor(database.hashes),
        "changed": other_listing,
        "same": lambda: syncs.commit(store, listings[0])[0],
        "decode": floor(lambda: msgspec.json.decode(made.body)),
        "answer": other_answer,
        "confirm": timed(lambda: syncs.confirm(store, made.body)),
    }
    rounds = alternate(scale.rounds, ways)
    yield from _compared(rounds)
    yield _upserting_all(database, store, made, rounds)


def _compared(rounds: Rounds) -> Iterator[Figure]:
    for what, way, goal in (("nothing changed", "same", 1.3), ("1 % changed", "changed", 2.0)):
        yield ratio(f"{what}, × reading the hashes", rounds.ratios(way, "hashes"), goal, seconds=rounds.median(way))
    for what, way, goal, note in (
        ("same digest", "confirm", 0.15, "sha256 of the body included"),
        ("a changed answer (1 %) end to end", "answer", 0.8, "from its bytes to the commit"),
    ):
        above = rounds.ratios(way, "decode", "hashes")
        yield ratio(f"{what}, × (untyped decode + hashes)", above, goal, note=note, seconds=rounds.median(way))


def _upserting_all(database: Database, store: Store, made: Catalog, rounds: Rounds) -> Figure:
    """Against what others do: every row of every sync through SQLAlchemy, once."""
    provider_id = store.ensure_provider_exists(syncs.PROVIDER.slug)
    seconds = _upsert_all(store, _rows(made.listing, provider_id, 1)[0])
    faster = [seconds / same for same in rounds.seconds["same"]]
    note = f"SQLAlchemy executemany, once: {seconds:.2f} s"
    return ratio("nothing changed, faster than upserting all", faster, UPSERTING_ALL[database.name], least=True, note=note)


def _upsert_all(store: Store, rows: Sequence[Row]) -> float:
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
