"""Opening a catalog: its tables, its migrations, and everything that must not be touched."""

import hashlib
import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import alembic.autogenerate
import alembic.command
import alembic.config
import pytest
from alembic.migration import MigrationContext

from modelsync.database.migrate import Schema
from modelsync.database.schema import metadata
from modelsync.errors import DatabaseError
from modelsync.providers import registry
from modelsync.queries.filters import ModelFilter
from modelsync.queries.reader import Reader
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support.store import commit, lease_for, listing, model, opened, upgraded_to
from support.sync import everything, execute, models_of, query, sqlite_path

TABLES = {"providers", "models", "model_changes", "sync_runs", "sync_results", "provider_state", "alembic_version"}


def tables(database_url: str) -> set[str]:
    if database_url.startswith("sqlite"):
        found = query(database_url, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    else:
        found = query(
            database_url,
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
        )
    return {row["name"] for row in found}


def files(database_url: str) -> dict[str, str]:
    """SQLite's files by their content."""
    path = sqlite_path(database_url)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.parent.glob(f"{path.name}*")}


def refused(database_url: str, *, read_only: bool = False) -> str:
    with pytest.raises(DatabaseError) as caught:
        Store.open(database_url, registry.load(), read_only=read_only)
    return str(caught.value)


# The schema


def test_an_empty_database_gets_its_tables(empty_database_url: str) -> None:
    assert Schema(empty_database_url).version() is None
    with opened(empty_database_url):
        assert tables(empty_database_url) >= TABLES
    assert Schema(empty_database_url).version() == Schema.head


def test_migrations_and_tables_agree(database_url: str) -> None:
    with opened(database_url) as store, store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = alembic.autogenerate.compare_metadata(context, metadata)
    assert {_short(difference) for difference in found} == (OWN_WAYS_OF_SQLITE if database_url.startswith("sqlite") else NOT_FOR_POSTGRES)


# Exact prices are text in SQLite, so its migration sorts by generated columns, and indexes these instead of the text.
OWN_WAYS_OF_SQLITE = {
    (what, f"{prefix}pricing_{name}{end}")
    for name in ("prompt", "completion")
    for what, prefix, end in (("remove_column", "", "_real"), ("remove_index", "ix_models_", "_real"), ("add_index", "ix_models_", ""))
} | {("add_index", "ix_models_is_active")}
NOT_FOR_POSTGRES = {("add_index", "ix_models_listed")}


def _short(difference: Any) -> tuple[str, str]:
    return difference[0], difference[3 if "column" in difference[0] else 1].name


def test_upgrading_twice_is_upgrading_once(empty_database_url: str) -> None:
    schema = Schema(empty_database_url)
    assert schema.upgrade() == (None, Schema.head)
    with opened(empty_database_url) as store:
        commit(store, model("a"))
        before = everything(empty_database_url)
    assert schema.upgrade() == (Schema.head, Schema.head)
    assert everything(empty_database_url) == before


def test_many_open_an_empty_database_at_once(empty_database_url: str) -> None:
    came: list[object] = []
    ready = threading.Barrier(6)

    def run() -> None:
        ready.wait()
        try:
            with opened(empty_database_url) as store:
                came.append(store.begin_run("test"))
        except DatabaseError as error:
            came.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(came, key=str) == [1, 2, 3, 4, 5, 6]
    assert query(empty_database_url, "SELECT count(*) AS rows FROM alembic_version") == [{"rows": 1}]


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused(database_url: str, *, read_only: bool) -> None:
    with opened(database_url) as store:
        commit(store, model("a"))
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    before = everything(database_url)
    expected = f"The catalog (schema 9999) is newer than this modelsync ({Schema.head}). Nothing was touched; update modelsync"
    assert refused(database_url, read_only=read_only) == expected
    with pytest.raises(DatabaseError, match="newer than this modelsync"):
        Schema(database_url).upgrade()
    assert everything(database_url) == before


def test_an_older_schema_says_what_to_run(database_url: str) -> None:
    with opened(database_url):
        pass
    execute(database_url, "UPDATE alembic_version SET version_num = '0000'")
    assert refused(database_url).endswith("Back it up, then run: modelsync db upgrade")


@pytest.mark.parametrize("read_only", [False, True])
def test_another_programs_models_are_refused(empty_database_url: str, *, read_only: bool) -> None:
    execute(empty_database_url, "CREATE TABLE models (name TEXT)", "INSERT INTO models VALUES ('theirs')")
    if read_only:
        with opened(empty_database_url, read_only=True) as store:  # an empty catalog, to look at
            assert list(Reader(store).matching(ModelFilter())) == []
    else:
        assert refused(empty_database_url).startswith("The database has a table `models` of another program. Use a database")
    assert (tables(empty_database_url), query(empty_database_url, "SELECT * FROM models")) == ({"models"}, [{"name": "theirs"}])


# Reading only


def test_reading_leaves_no_trace(database_url: str) -> None:
    with opened(database_url) as store:
        commit(store, model("a"))
    sqlite = database_url.startswith("sqlite")
    before = files(database_url) if sqlite else everything(database_url)
    with opened(database_url, read_only=True) as store:
        assert [row.provider_model_id for row in Reader(store).matching(ModelFilter())] == ["a"]
        with pytest.raises(DatabaseError):
            store.begin_run("test")
        with pytest.raises(DatabaseError):
            store.ensure_provider_exists("groq")
    assert (files(database_url) if sqlite else everything(database_url)) == before
    if sqlite:
        assert list(before) == ["catalog.db"]


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/none.db", read_only=True) as store:
        assert list(Reader(store).matching(ModelFilter())) == []
        assert store.seen("openrouter", "a", 1) is None
    assert Schema(f"sqlite:///{tmp_path}/none.db").version() is None
    assert list(tmp_path.iterdir()) == []


def test_reading_beside_the_log_of_a_killed_program(tmp_path: Path) -> None:
    """What was committed is seen, and neither file is touched: folding the log is for the next who writes."""
    with opened(f"sqlite:///{tmp_path}/alive.db") as store:
        commit(store, model("a"))
        for end in ("", "-wal"):
            shutil.copyfile(tmp_path / f"alive.db{end}", tmp_path / f"dead.db{end}")
    before = [(tmp_path / name).read_bytes() for name in ("dead.db", "dead.db-wal")]
    with opened(f"sqlite:///{tmp_path}/dead.db", read_only=True) as store:
        assert [row.provider_model_id for row in Reader(store).matching(ModelFilter())] == ["a"]
    assert [(tmp_path / name).read_bytes() for name in ("dead.db", "dead.db-wal")] == before
    with opened(f"sqlite:///{tmp_path}/dead.db") as store:
        commit(store, model("b"))
    assert list(models_of(f"sqlite:///{tmp_path}/dead.db", "openrouter")) == ["a", "b"]


def test_reading_goes_on_while_another_writes(database_url: str) -> None:
    with opened(database_url) as writer:
        commit(writer, model("a"))
        with opened(database_url, read_only=True) as reader, reader.reading() as connection:
            before = connection.exec_driver_sql("SELECT count(*) FROM models").scalar_one()
            commit(writer, model("a"), model("b"))
            assert connection.exec_driver_sql("SELECT count(*) FROM models").scalar_one() == before == 1  # one state throughout


# What goes wrong with a file


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and no database at all\n" * 200)
    before = path.read_bytes()
    for read_only in (False, True):
        told = refused(f"sqlite:///{path}", read_only=read_only)
        assert told == f"{path} is not a usable SQLite database. Nothing was written; restore a backup, or name another file"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "catalog.db"
    told = refused(f"sqlite:///{path}")
    assert told == f"{path} cannot be opened. Check that its folder exists and can be written, or name another with --database"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    assert refused(f"sqlite:///{tmp_path}").startswith(f"{tmp_path} cannot be opened. Check")


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path}/catalog.db"
    with opened(database_url) as store:
        commit(store, model("a"))
        ticket = lease_for(store)
        before = everything(database_url)
        with store.engine.connect() as connection:  # the pool hands the same connection to the commit
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
        large = listing(*(model(f"m{number}", description="x" * 5000) for number in range(200)))
        with pytest.raises(DatabaseError) as caught:
            store.commit(ticket, Commit(registry.load()["openrouter"], large, None), 0.0)
        assert (
            str(caught.value) == f"no space left for {tmp_path}/catalog.db. Nothing of this provider was written; make room and sync again"
        )
        assert everything(database_url) == before

        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        assert store.commit(ticket, Commit(registry.load()["openrouter"], large, None), 0.0).counts.created == 200


def test_a_commit_waits_for_another_programs_transaction(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path}/catalog.db"
    with opened(database_url) as store:
        ticket = lease_for(store)
        other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.8, other.execute, ["ROLLBACK"])
        release.start()
        began = time.monotonic()
        store.commit(ticket, Commit(registry.load()["openrouter"], listing(model("a")), None), 0.0)
        assert time.monotonic() - began >= 0.5
        release.join()
        other.close()
    assert list(models_of(database_url, "openrouter")) == ["a"]


def test_a_locked_database_is_told_as_that(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path}/catalog.db"
    with opened(database_url) as store:
        with store.engine.connect() as connection:  # the pool hands the same connection to the next transaction
            connection.exec_driver_sql("PRAGMA busy_timeout = 100")
        other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError) as caught:
            store.begin_run("test")
        other.close()
    assert str(caught.value) == (
        f"{tmp_path}/catalog.db is locked by another program. Nothing was written; end the other program's transaction, then retry"
    )


def test_a_postgres_that_is_not_there_is_told_without_its_password() -> None:
    told = refused("postgresql://someone:CANARY-7f3a@127.0.0.1:1/catalog?sslmode=disable")
    assert told.endswith("Nothing was written; check DATABASE_URL, and that the server is running")
    assert "CANARY" not in told


def test_an_older_schema_is_refused_until_it_is_upgraded_and_loses_nothing(empty_database_url: str) -> None:
    upgraded_to(empty_database_url, "0001")
    execute(
        empty_database_url,
        "INSERT INTO providers (slug, name, metadata, created_at, updated_at) "
        "VALUES ('openrouter', 'mine', '{}', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z')",
    )
    for read_only in (True, False):
        with pytest.raises(DatabaseError, match=f"has schema 0001, this modelsync needs {Schema.head}"):
            Store.open(empty_database_url, registry.load(), read_only=read_only)
    assert Schema(empty_database_url).upgrade() == ("0001", Schema.head)
    assert Schema(empty_database_url).upgrade() == (Schema.head, Schema.head)
    assert [row["name"] for row in query(empty_database_url, "SELECT name FROM providers")] == ["mine"]
    Store.open(empty_database_url, registry.load()).close()


def test_catalogs_are_made_in_several_threads_at_once(tmp_path: Path):
    def made(number: int) -> None:
        Store.open(f"sqlite:///{tmp_path}/{number}.db", {}).close()

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(made, range(6))) == [None] * 6
