"""Copying every row of a catalog into another one, in whichever of the two databases each is; and comparing both afterwards.

Rows are read as Python values, and documents as their JSON text: so NULL and the document `null` stay two things, and numbers exact.
"""

import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from modelsync.database.bulk import Unfit
from modelsync.database.errors import explaining
from modelsync.database.schema import JsonDocument, metadata, pauses, sync_runs
from modelsync.database.session import Session
from modelsync.database.tables.pauses import COPIED
from modelsync.errors import DatabaseError
from modelsync.model.limits import printable

TABLES: Sequence[sa.Table] = metadata.sorted_tables
"""Every table, each after those that it refers to."""

PART = 250
"""Rows in memory at once: descriptions and metadata may be long."""


_Row = sa.Row[*tuple[Any, ...]]
_Column = sa.Column[Any]
_Value = sa.ColumnElement[Any]


class Stays(NamedTuple):
    """What of a table stays behind, and why: what columns have `instead` in the copy, and which `rows` are not in it."""

    why: str
    instead: Mapping[str, _Value] = {}
    rows: sa.ColumnElement[bool] | None = None


_RUN = sync_runs.c
_UNDER_WAY = _RUN.status == "running"

STAYS: Mapping[str, Stays] = {
    "provider_state": Stays(
        "leases: a sync that is under way may not commit into the copy. Their count (ticket_seq) goes on there",
        instead=dict.fromkeys(("ticket_token", "ticket_run_id", "ticket_until"), sa.null()),
    ),
    "sync_runs": Stays(
        "runs that are under way: nobody goes on with them in the copy, where they were interrupted at their last sign of life",
        instead={
            "status": sa.case((_UNDER_WAY, "interrupted"), else_=_RUN.status),
            "finished_at": sa.case((_UNDER_WAY, sa.func.coalesce(_RUN.heartbeat_at, _RUN.started_at)), else_=_RUN.finished_at),
        },
    ),
    "workers": Stays("processes that sync this catalog by themselves: none of them syncs the copy", rows=sa.true()),
    "pauses": Stays("pauses that say where this catalog was copied", rows=pauses.c.reason.startswith(COPIED)),
}
"""All that does not come along, by table. What is not named here does."""


class Side(NamedTuple):
    """An open database, and its transaction: the snapshot of the source, or the one that writes the target."""

    session: Session
    connection: sa.Connection

    @property
    def is_postgres(self) -> bool:
        """Whether it is Postgres, and not SQLite."""
        return self.session.dialect == "postgresql"


def see_all(side: Side) -> None:
    """Let Postgres fail where row level security would hide rows from this role: a copy without them would look whole."""
    if side.is_postgres:
        side.connection.exec_driver_sql("SET LOCAL row_security = off")


def keep_others_out(target: Side) -> None:
    """Nobody else writes into the target before this transaction ends; in SQLite that is so anyway."""
    if target.is_postgres:
        names = ", ".join(f'"{table.name}"' for table in TABLES)
        target.connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


def first_filled(side: Side) -> str | None:
    """The first table that has a row; None for an empty catalog."""
    filled = (table.name for table in TABLES if side.connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first())
    return next(filled, None)


def copy_rows(source: Side, target: Side, table: sa.Table) -> int:
    """Write a table's rows into the target, where it is empty; how many. DatabaseError for one that the target cannot hold."""
    names, count = [column.name for column in table.columns], 0
    with closing(_parts(source, table, leaving=True)) as parts:
        for part in parts:
            with _naming(table, part):
                target.session.bulk.insert_rows(target.connection, table.name, names, _fitted(source, target, table, part))
            count += len(part)
    if any(column.identity is not None for column in table.columns):
        target.session.bulk.let_numbers_go_on(target.connection, table.name)
    return count


def compare_rows(source: Side, target: Side, table: sa.Table) -> int:
    """Read a table's rows from both, and compare every value; how many rows. DatabaseError for the first that differs."""
    count = 0
    with closing(_rows(source, table, leaving=True)) as of_source, closing(_rows(target, table)) as of_target:
        for theirs, ours in zip_longest(of_source, of_target):
            if theirs is None or ours is None:
                raise _differs(table, theirs or ours, "is on one side only")
            if (name := _difference(table, theirs, ours)) is not None:
                raise _differs(table, theirs, f"has another {name} there")
            count += 1
    return count


# Reading


def _parts(side: Side, table: sa.Table, *, leaving: bool = False) -> Generator[Sequence[_Row]]:
    """A table's rows in the order of its key, some at once; `leaving` those as they come along."""
    stays = STAYS.get(table.name, Stays("")) if leaving else Stays("")
    columns = [_readable(stays.instead.get(column.name, column), column).label(column.name) for column in table.columns]
    query = sa.select(*columns).order_by(*(_sortable(side, column) for column in table.primary_key.columns))
    if stays.rows is not None:
        query = query.where(sa.not_(stays.rows))
    with explaining(side.session.shown), _of_its_type(side, table):
        result = side.connection.execute(query, execution_options={"yield_per": PART})
        with closing(result):  # Postgres has a cursor open for it
            yield from result.partitions()


def _rows(side: Side, table: sa.Table, *, leaving: bool = False) -> Generator[_Row]:
    with closing(_parts(side, table, leaving=leaving)) as parts:
        for part in parts:
            yield from part


def _readable(value: _Value, column: _Column) -> _Value:
    return sa.cast(value, sa.Text) if isinstance(column.type, JsonDocument) else value


def _sortable(side: Side, column: _Column) -> _Value:
    """A key in the order of its bytes, as SQLite sorts: a server's language may sort otherwise."""
    return column.collate("C") if side.is_postgres and isinstance(column.type, sa.Text) else column


@contextmanager
def _of_its_type(side: Side, table: sa.Table) -> Iterator[None]:
    """A DatabaseError where SQLite holds something that is no value of its column's type: a time, a decimal."""
    try:
        yield
    except (ValueError, ArithmeticError) as error:
        raise DatabaseError(f"{side.session.shown}: {table.name} holds a value that is none of its column ({error})", LEFT) from error


LEFT = "Nothing was copied"

# Fitting


def _fitted(source: Side, target: Side, table: sa.Table, part: Sequence[_Row]) -> Iterator[tuple[object, ...]]:
    """Rows read from the source as the target takes them. Unfit for one that it cannot hold."""
    documents = [isinstance(column.type, JsonDocument) for column in table.columns]
    if source.is_postgres == target.is_postgres:
        yield from map(tuple, part)
    elif target.is_postgres:
        for place, row in enumerate(part):
            if any(map(_holds_nul, row, documents)):
                raise Unfit(place, "it holds a NUL character, which Postgres cannot store")
            yield tuple(row)
    else:
        for row in part:
            yield tuple([_canonical(value) if is_one and value else value for value, is_one in zip(row, documents, strict=True)])


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it; a backslash before it makes it the text \u0000


def _holds_nul(value: object, is_document: bool) -> bool:
    if not isinstance(value, str):
        return False
    return "\0" in value or (is_document and "\\u0000" in value and _NUL.search(value) is not None)


def _canonical(text: str) -> str:
    """A document of Postgres as this program writes it in SQLite: without blanks, and numbers as Python has them."""
    return _written.encode(json.loads(text, parse_float=_exact)).decode()


_written = msgspec.json.Encoder(decimal_format="number")


def _exact(text: str) -> float | Decimal:
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else Decimal(text)


@contextmanager
def _naming(table: sa.Table, part: Sequence[_Row]) -> Iterator[None]:
    """A DatabaseError that names the row which the target refuses, or at least its table."""
    try:
        yield
    except Unfit as refused:
        raise DatabaseError(f"{_named(table, part[refused.place])} cannot be written there ({refused})", LEFT) from refused
    except ValueError as error:
        raise DatabaseError(f"a row of {table.name} cannot be written there ({error})", LEFT) from error


# Comparing


def _difference(table: sa.Table, theirs: _Row, ours: _Row) -> str | None:
    """The first column in which two rows differ."""
    for column, one, other in zip(table.columns, theirs, ours, strict=True):
        if one != other and not (isinstance(column.type, JsonDocument) and one and other and _of_document(one) == _of_document(other)):
            return str(column.name)
    return None


def _number(text: str) -> tuple[Decimal]:
    """A number, which is equal to no boolean."""
    return (Decimal(text),)


_of_document = json.JSONDecoder(parse_float=_number, parse_int=_number).decode


def _named(table: sa.Table, row: _Row) -> str:
    """A row in words: `models id 7`. Keys are no secrets."""
    keys = [f"{column.name} {printable(str(getattr(row, column.name)))}" for column in table.primary_key.columns]
    return f"{table.name} {', '.join(keys)}"


def _differs(table: sa.Table, row: _Row, how: str) -> DatabaseError:
    return DatabaseError(f"The copy is not what was copied: {_named(table, row)} {how}", LEFT)
