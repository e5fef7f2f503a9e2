"""An open store and commits into it, without any provider having been asked."""

import contextlib
from collections.abc import Iterator
from typing import Any

import alembic.command
import alembic.config
import msgspec

from modelsync.database.engine import create, parse_url
from modelsync.database.tables import leases
from modelsync.database.tables.leases import Lease
from modelsync.database.tables.runs import Seen
from modelsync.model.model import Model, Prices, content_hash
from modelsync.model.records import Counts
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import NotModified, ProviderResult
from modelsync.planning.policy import DEFAULT_RULES, Rules
from modelsync.providers import registry
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support.sync import execute, query

PROVIDER = registry.load()["openrouter"]
SLUG = PROVIDER.slug


@contextlib.contextmanager
def opened(database_url: str, *, read_only: bool = False) -> Iterator[Store]:
    store = Store.open(database_url, registry.load(), read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def model(row_id: str, prompt: Any = None, **values: Any) -> Model:
    return Model(id=row_id, prices=Prices(prompt=prompt) if prompt is not None else Prices(), **values)


def listing(*models: Model, complete: bool = True) -> Listing:
    return Listing(models={each.id: each for each in models}, hashes={each.id: content_hash(each) for each in models}, complete=complete)


def lease_for(store: Store, seconds: float = 60.0) -> Lease:
    lease = store.take_lease(SLUG, store.begin_run("test"), seconds)
    assert isinstance(lease, Lease), lease
    return lease


def commit(store: Store, *models: Model, complete: bool = True, seen: Seen | None = None) -> ProviderResult:
    return store.commit(lease_for(store), Commit(PROVIDER, listing(*models, complete=complete), seen), 0.0)


def seen(digest: str, listed: Counts | None = None) -> Seen:
    return Seen(
        scope="a", version=1, digest=digest, validators={"url": "u", "etag": '"e"', "last_modified": None}, listed=listed or Counts()
    )


def sync_unchanged(store: Store, rules: Rules = DEFAULT_RULES) -> ProviderResult:
    """The last listing again, as far as the catalog goes by it."""
    with store.reading() as connection:
        state = leases.state_of(connection, SLUG)
    assert state is not None
    known = store.seen(SLUG, state["scope"], state["normalizer_version"])
    assert known is not None
    counts = msgspec.structs.replace(known.listed, unchanged=known.listed.transformed)
    result = store.confirm(lease_for(store), known, ProviderResult(slug=SLUG, outcome=NotModified(counts), seconds=0.0), rules)
    assert result is not None
    return result


def raise_on(database_url: str, table: str, event: str, when: str = "1 = 1") -> None:
    """Let every insert into, or update of, a table fail where NEW is so."""
    if database_url.startswith("sqlite"):
        execute(database_url, f"CREATE TRIGGER breaks BEFORE {event} ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'on purpose'); END")
        return
    body = "BEGIN RAISE EXCEPTION 'on purpose'; END"
    execute(
        database_url,
        f"CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
        f"CREATE TRIGGER breaks BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION breaks()",
    )


def raise_no_more(database_url: str, table: str) -> None:
    execute(database_url, "DROP TRIGGER breaks" if database_url.startswith("sqlite") else f"DROP TRIGGER breaks ON {table}")


def watch_rows(database_url: str) -> None:
    """Note every row of `models` that is written from now on, even with the values it had."""
    execute(database_url, "CREATE TABLE touched (name TEXT)")
    for event in ("INSERT", "UPDATE", "DELETE"):
        row = "OLD" if event == "DELETE" else "NEW"
        note = f"INSERT INTO touched VALUES ({row}.provider_model_id);"
        if database_url.startswith("sqlite"):
            execute(database_url, f"CREATE TRIGGER note_{event} AFTER {event} ON models BEGIN {note} END")
        else:
            execute(
                database_url,
                f"CREATE FUNCTION note_{event}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {note} RETURN NULL; END$$",
                f"CREATE TRIGGER note_{event} AFTER {event} ON models FOR EACH ROW EXECUTE FUNCTION note_{event}()",
            )


def touched(database_url: str) -> list[str]:
    """The models written since the last look."""
    found = [row["name"] for row in query(database_url, "SELECT name FROM touched ORDER BY name")]
    execute(database_url, "DELETE FROM touched")
    return found


def upgraded_to(database_url: str, revision: str) -> None:
    """Bring an empty database to an older schema, as an older modelsync left it."""
    config = alembic.config.Config()
    config.set_main_option("script_location", "modelsync:database/migrations")
    engine = create(parse_url(database_url), read_only=False)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
    engine.dispose()
