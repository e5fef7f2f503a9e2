"""Copied values: whatever they are they come along, whatever differs is found; and what a large catalog takes."""

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelsync.database import copying
from modelsync.database.copying import Side
from modelsync.database.schema import JsonDocument, Money, UtcTime, metadata
from modelsync.database.session import Session
from modelsync.errors import DatabaseError
from modelsync.operations.moving import copy_catalog
from support.copies import COMING, FIRST, LAST, Places, contents, many, odd
from support.sync import execute, query


def copied(source: str, target: str) -> None:
    copy_catalog(source, target, "tests", keep=True, watch=lambda *_: None)


@contextmanager
def side(address: str) -> Iterator[Side]:
    """A database and a transaction in it, of which nothing stays."""
    with closing(Session.open(address, {})) as session, session.writing() as connection:
        yield Side(session, connection)
        connection.rollback()


# Whatever differs is found


def another(column: sa.Column[Any], value: Any, connection: sa.Connection) -> Any:
    """The nearest other value that a column can have."""
    for key in column.foreign_keys:
        return connection.execute(sa.select(key.column).where(key.column != value).limit(1)).scalar_one()
    match column.type:
        case JsonDocument():
            return {"x": value}
        case Money():
            return (value or Decimal(0)) + Decimal("1E-20")
        case UtcTime():
            return (value or FIRST) + timedelta(microseconds=1)
        case sa.Boolean():
            return not value
        case sa.Double():
            return math.nextafter(value or 0.0, 9.0)
        case sa.LargeBinary():
            return value[:-1] + b"x"
        case sa.Text():
            return f"{value or ''} "
    return value + 1 if column.primary_key else value - 1 if value else 1


@pytest.mark.parametrize("way", [("sqlite", "postgres"), ("postgres", "sqlite")], ids="-to-".join)
def test_every_value_of_every_table_is_compared(places: Places, way: tuple[str, str]) -> None:
    source, target = places.lived(way[0]), places.empty(way[1])
    execute(source, "INSERT INTO pauses (at, actor, reason) VALUES ('2026-11-22T00:00:00.000000Z', 'a', 'b')")
    copied(source, target)
    changed = 0
    with side(source) as theirs, side(target) as ours:
        if ours.is_postgres:
            ours.connection.exec_driver_sql("ALTER TABLE audit_log DISABLE TRIGGER USER")
        else:
            ours.connection.exec_driver_sql("DROP TRIGGER audit_log_no_update")
            ours.connection.exec_driver_sql("DROP TRIGGER audit_log_no_delete")
        for table in COMING:
            keys = list(table.primary_key.columns)
            row = ours.connection.execute(sa.select(table).order_by(*(key.desc() for key in keys)).limit(1)).mappings().one()
            mine = [key == row[key.name] for key in keys]
            statements = [
                sa.update(table).where(*mine).values({column.name: another(column, row[column.name], ours.connection)})
                for column in table.columns
            ]
            statements += [
                sa.update(table).where(*mine).values({column.name: None})
                for column in table.columns
                if column.nullable and row[column.name] is not None
            ]
            statements += [] if table.name in ("providers", "sync_runs") else [sa.delete(table).where(*mine)]
            assert copying.compare_rows(theirs, ours, table) > 0
            for statement in statements:
                with ours.connection.begin_nested() as undone:
                    if table.name in ("providers", "sync_runs") and "id" in statement.compile().params:
                        continue  # others refer to it
                    ours.connection.execute(statement)
                    with pytest.raises(DatabaseError, match=f"The copy is not what was copied: {table.name} "):
                        copying.compare_rows(theirs, ours, table)
                    undone.rollback()
                changed += 1
    assert changed > 200


# Whatever they are they come along

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
moments = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))
money = st.builds(lambda digits, shift: Decimal(digits).scaleb(-shift), st.integers(0, 10**20), st.integers(0, 30))
pins = st.lists(
    st.fixed_dictionaries(
        {"value": documents, "beneath": documents, "author": texts, "reason": texts, "created_at": moments},
        optional={"expires_at": st.none() | moments},
    ),
    max_size=5,
)
last = st.lists(st.fixed_dictionaries({"field": texts, "condition": texts, "usd": money, "since": moments}), max_size=5)
blobs = st.binary(max_size=40)


def test_random_rows_come_along_both_ways(places: Places) -> None:
    addresses = [places.catalog("sqlite"), places.catalog("postgres"), places.catalog("sqlite")]
    with ExitStack() as open_ones:
        sides = [open_ones.enter_context(side(address)) for address in addresses]
        provider = {"id": 7, "slug": "p", "name": "p", "metadata": {}, "created_at": FIRST, "updated_at": FIRST}
        for each in sides:
            each.connection.execute(sa.insert(metadata.tables["providers"]).values(provider))

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(pins, last, blobs, blobs, texts)
        def come_along(set_pins: list[Any], prices: list[Any], one: bytes, other: bytes, text: str) -> None:
            rows = {
                "pins": [{"provider": text, "provider_model_id": text, "field": str(n), **row} for n, row in enumerate(set_pins)],
                "last_prices": [{"provider_id": 7, "provider_model_id": str(n % 2), **row} for n, row in enumerate(prices)],
                "known_rows": [
                    {"provider": text, "reader": text, "edition": 1, "ids": one, "digests": other, "kinds": one, "incomplete": []}
                ],
            }
            nested = [each.connection.begin_nested() for each in sides]
            for name, its in rows.items():
                table = metadata.tables[name]
                unique = {tuple(row.get(key.name) for key in table.primary_key.columns): row for row in its}
                for row in unique.values() if name != "pins" else its:
                    sides[0].connection.execute(sa.insert(table).values(row))
                for source, target in ((sides[0], sides[1]), (sides[1], sides[2])):
                    assert copying.copy_rows(source, target, table) == copying.compare_rows(source, target, table)
                assert copying.compare_rows(sides[0], sides[2], table) == len(its if name == "pins" else unique)
                query = sa.select(table).order_by(*table.primary_key.columns)
                found = [each.connection.execute(query).all() for each in (sides[0], sides[2])]
                assert name == "pins" or found[0] == found[1]
            for each in nested:
                each.rollback()

        come_along()


def test_a_document_is_written_in_sqlite_as_this_program_writes_it(places: Places) -> None:
    first, middle, back = places.catalog("sqlite"), places.empty("postgres"), places.empty("sqlite")
    odd(first)
    copied(first, middle)
    copied(middle, back)
    statement = "SELECT value AS written FROM pins WHERE field NOT IN ('f0', 'f1', 'f2') ORDER BY id"
    theirs, ours = ([row["written"] for row in query(each, statement)] for each in (first, back))
    others = ("{", "1e300", "1e+300")  # in another order, or with all their digits
    assert [pair for pair in zip(theirs, ours, strict=True) if pair[0] != pair[1] and not pair[0].startswith(others)] == []
    assert len(theirs) > 15
    assert contents(first) == contents(back)


def test_keys_are_compared_in_one_order_whatever_the_server_sorts_by(places: Places) -> None:
    source, target = places.lived("postgres"), places.empty("sqlite")
    if not query(source, "SELECT 1 FROM pg_collation WHERE collname = 'en-x-icu'"):
        pytest.skip("this Postgres was built without ICU")
    for table in COMING:
        for column in table.primary_key.columns:
            if isinstance(column.type, sa.Text):
                execute(source, f'ALTER TABLE {table.name} ALTER COLUMN {column.name} TYPE text COLLATE "en-x-icu"')
    names = [row["provider"] for row in query(source, "SELECT provider FROM provider_state ORDER BY provider")]
    assert names != sorted(names)
    copied(source, target)
    assert contents(source) == contents(target)


def test_no_key_is_sorted_by_the_language_of_the_server(places: Places) -> None:
    """The same for a Postgres without other languages."""
    with side(places.catalog("postgres")) as one:
        asked: list[str] = []
        sa.event.listen(one.connection.engine, "before_cursor_execute", lambda *of: asked.append(of[2]))
        for table in COMING:
            copying.compare_rows(one, one, table)
            ordered = asked[-1].partition("ORDER BY ")[2].split(", ")
            assert len(ordered) == len(table.primary_key.columns)
            for column, text in zip(table.primary_key.columns, ordered, strict=True):
                assert text.endswith(' COLLATE "C"') == isinstance(column.type, sa.Text), text


# While others are at work


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_copy_is_one_state_of_what_is_being_written(places: Places, kind: str) -> None:
    source, target = places.lived(kind), places.empty("sqlite")
    before = contents(source)
    seen = []

    def watch(what: str, table: str, rows: int) -> None:
        seen.append(table)
        if len(seen) in (1, len(before) + 1):
            key = f"'a', '{len(seen)}', 'read', '2026-11-22T00:00:00.000000Z'"
            more = f"INSERT INTO api_keys (name, digest, scope, created_at) VALUES ({key})"
            execute(source, "UPDATE providers SET name = name || 'x'", "DELETE FROM last_prices", more)

    copy_catalog(source, target, "tests", keep=True, watch=watch)
    assert contents(target) == before != contents(source)
    assert len(seen) == 2 * len(before)


def test_nobody_writes_into_the_target_meanwhile(places: Places) -> None:
    source, target = places.lived("sqlite"), places.empty("postgres")

    def watch(what: str, table: str, rows: int) -> None:
        with psycopg.connect(target, options="-c lock_timeout=10ms") as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("DELETE FROM pauses")

    copy_catalog(source, target, "tests", keep=True, watch=watch)


# A large one


@pytest.mark.parametrize("way", [("sqlite", "postgres"), ("postgres", "sqlite")], ids="-to-".join)
def test_twenty_thousand_models_take_seconds(places: Places, way: tuple[str, str], record_property: Any) -> None:
    source, target = places.catalog(way[0]), places.empty(way[1])
    many(source, 20_000)
    started = time.monotonic()
    copied(source, target)
    seconds = time.monotonic() - started
    record_property("seconds", seconds)
    print(f"20,000 models {way}: {seconds:.1f} s")  # noqa: T201
    (row,) = query(target, "SELECT (SELECT count(*) FROM models) AS m, (SELECT count(*) FROM model_changes) AS c")
    assert row == {"m": 20_001, "c": 20_001}
    assert seconds < 60
