"""Reading for many readers: rows as JSON text straight from the database, a page and its revision from one state of the catalog."""

import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import Document, Money, UtcTime, models, provider_state, providers, time_text
from modelsync.database.session import Session
from modelsync.errors import TooSlow
from modelsync.queries import counts, filters
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.history import ChangeFilter, recorded

Row = dict[str, Any]
"""One row by the names of its columns: what `msgspec.json.encode` makes the right JSON of, prices as texts with exact digits."""

_POSTGRES_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_BOOLEANS = {None: None, 0: False, 1: True}

PAGE = 100
"""Rows of a page, where nobody says how many."""

MOST_TOTALS = 1000
"""Filters whose number of matches is remembered."""

LEFT_OUT = frozenset({"missing_since_seq"})
"""Columns of models that no answer shows."""


class _Pricing(msgspec.Struct, frozen=True):
    """What is asked of a price document that is otherwise handed on as it is."""

    dynamic: bool = False


def is_dynamic(row: Row) -> bool:
    """Whether a model's price varies by request: neither unknown nor free."""
    return msgspec.json.decode(row["pricing"], type=_Pricing).dynamic


class Revision(msgspec.Struct, frozen=True):
    """Which state of the catalog an answer shows.

    `number` grows with every write; `edition` tells two databases apart that counted to the same number (a restored one);
    `as_of` is the time of the last successful sync of any provider.
    """

    number: int
    edition: int
    as_of: datetime | None


class Page(msgspec.Struct, frozen=True):
    """Some of the rows that match, how many do, where the next page begins, and of which state of the catalog they are."""

    rows: list[Row]
    total: int
    next_cursor: str | None
    revision: Revision


class ProviderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which providers: all conditions hold together. `query` words are looked for in slugs, names and descriptions."""

    active: bool | None = None
    health: str | None = None
    query: str = ""


class Serving:
    """Questions to an open catalog, asked often: no check of the schema, no Python values between database and JSON.

    Each may take `seconds` at most, or it is stopped: TooSlow.
    """

    def __init__(self, store: Session, seconds: float | None = None) -> None:
        self._store = store
        self._seconds = seconds
        self._totals: dict[bytes, tuple[tuple[int, int], int]] = {}
        shown = [column for column in models.columns if column.name not in LEFT_OUT]
        self._columns = [_as_json(column, store.dialect) for column in shown]
        self._model = _Rows(shown, store.dialect, first=("provider",), last=("price_incomplete",))
        self._provider = _Rows(list(providers.columns), store.dialect, last=("model_count",))

    def revision(self) -> Revision:
        """The present state of the catalog."""
        with self._store.reading(self._seconds) as connection:
            return _revision(connection)

    def models(self, wanted: ModelFilter, order: Order, offset: int = 0, cursor: str | None = None) -> Page:
        """A page of at most `wanted.limit` models, from a cursor or after `offset` rows. UsageError for a cursor that cannot be one."""
        dialect = self._store.dialect
        where = filters.conditions(wanted, dialect)
        at = filters.cursor(cursor, order) if cursor else None
        limit, ordering = wanted.limit or 0, filters.ordering(order, dialect)
        # The order is found over narrow rows, and only those of the page are read whole.
        ids = filters.listed(order, dialect).where(*where, *([filters.after(at, order, dialect)] if at else []))
        ids = ids.order_by(*ordering).limit(limit + 1).offset(0 if at else offset)
        keys = [key.label(f"key_{number}") for number, key in enumerate(filters.sort_keys(order, dialect))]
        page = self._select(*keys).where(models.c.id.in_(ids.subquery().select())).order_by(*ordering)
        with self._store.reading(self._seconds) as connection:
            found = connection.execute(page).all()
            revision = _revision(connection)
            total = self._total(connection, wanted, where, revision)
        shown = found[:limit]
        rows = [self._model(row) for row in shown]
        more = len(found) > limit and bool(shown)
        next_cursor = filters.Cursor(order.by, order.descending, tuple(map(_key, shown[-1][len(self._model.names) :]))) if more else None
        return Page(rows, total, str(next_cursor) if next_cursor else None, revision)

    def _total(self, connection: sa.Connection, wanted: ModelFilter, where: Sequence[sa.ColumnElement[bool]], revision: Revision) -> int:
        """How many models match; counted once for all pages of one state of the catalog."""
        key = msgspec.json.encode(msgspec.structs.replace(wanted, limit=None))
        known = self._totals.get(key)
        if known is not None and known[0] == (revision.number, revision.edition):
            return known[1]
        total = int(connection.execute(sa.select(sa.func.count()).select_from(models).where(*where)).scalar_one())
        if len(self._totals) >= MOST_TOTALS:
            self._totals.clear()
        self._totals[key] = (revision.number, revision.edition), total
        return total

    def every_model(self, wanted: ModelFilter, order: Order) -> Iterator[Row | Revision]:
        """The state of the catalog, and then all models that match in it, streamed."""
        dialect = self._store.dialect
        query = self._select().where(*filters.conditions(wanted, dialect)).order_by(*filters.ordering(order, dialect))
        ends_at = math.inf if self._seconds is None else time.monotonic() + self._seconds
        with self._store.reading(self._seconds) as connection:
            yield _revision(connection)
            with connection.execution_options(yield_per=500).execute(query.limit(wanted.limit)) as rows:
                for row in rows:
                    if time.monotonic() > ends_at:  # on Postgres each of many statements may take `seconds`
                        raise TooSlow(f"{self._store.shown} took longer than it may", "Nothing was written; ask for less at once")
                    yield self._model(row)

    def model(self, row_id: int) -> tuple[Row | None, Revision]:
        """One model by its number."""
        return self._one(models.c.id == row_id)

    def model_of(self, slug: str, provider_model_id: str) -> tuple[Row | None, Revision]:
        """One model by its provider and its id there."""
        return self._one(sa.and_(providers.c.slug == slug, models.c.provider_model_id == provider_model_id))

    def model_stats(self, provider_id: int | None) -> tuple[dict[str, Any], Revision]:
        """Models by what they are, of one provider or all."""
        with self._store.reading(self._seconds) as connection:
            found = counts.of_models(connection, provider_id)
            return {**found, "by_provider": counts.by_provider(connection, provider_id)}, _revision(connection)

    def providers(self, wanted: ProviderFilter, limit: int, offset: int) -> Page:
        """A page of providers, by slug, each with how many models it has."""
        where = list(_provider_conditions(wanted, self._store.dialect))
        with self._store.reading(self._seconds) as connection:
            query = self._select_providers().where(*where).order_by(providers.c.slug).limit(limit).offset(offset)
            rows = [self._provider(row) for row in connection.execute(query)]
            total = int(connection.execute(sa.select(sa.func.count()).select_from(providers).where(*where)).scalar_one())
            return Page(rows, total, None, _revision(connection))

    def provider(self, provider_id: int) -> tuple[Row | None, Revision]:
        """One provider by its number."""
        return self._one_provider(providers.c.id == provider_id)

    def provider_of(self, slug: str) -> tuple[Row | None, Revision]:
        """One provider by its slug."""
        return self._one_provider(providers.c.slug == slug)

    def provider_stats(self) -> tuple[dict[str, int], Revision]:
        """Providers by activity and health."""
        with self._store.reading(self._seconds) as connection:
            return counts.of_providers(connection), _revision(connection)

    def changes(self, wanted: ChangeFilter) -> tuple[list[dict[str, Any]], Revision]:
        """Changes, newest first."""
        with self._store.reading(self._seconds) as connection:
            return recorded(connection, wanted), _revision(connection)

    def _one_provider(self, condition: sa.ColumnElement[bool]) -> tuple[Row | None, Revision]:
        with self._store.reading(self._seconds) as connection:
            row = connection.execute(self._select_providers().where(condition)).one_or_none()
            return None if row is None else self._provider(row), _revision(connection)

    def _select_providers(self) -> sa.Select[Any]:
        count = sa.select(sa.func.count()).where(models.c.provider_id == providers.c.id).correlate(providers).scalar_subquery()
        return sa.select(*(_as_json(column, self._store.dialect) for column in providers.columns), count)

    def _one(self, condition: sa.ColumnElement[bool]) -> tuple[Row | None, Revision]:
        with self._store.reading(self._seconds) as connection:
            row = connection.execute(self._select().where(condition)).one_or_none()
            return None if row is None else self._model(row), _revision(connection)

    def _select(self, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
        incomplete = sa.type_coerce(counts.is_incomplete(self._store.dialect), sa.Boolean)
        return sa.select(providers.c.slug, *self._columns, incomplete, *more).select_from(_joined())


def _provider_conditions(wanted: ProviderFilter, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
    column = providers.c
    if wanted.active is not None:
        yield column.is_active.is_(sa.true() if wanted.active else sa.false())
    if wanted.health is not None:
        yield column.health_status == wanted.health
    yield from filters.with_words(wanted.query, (column.slug, column.name, column.description), dialect)


def _joined() -> sa.FromClause:
    return models.join(providers, providers.c.id == models.c.provider_id)


class _Rows:
    """How rows of a table become rows of JSON; what follows their columns is cut off."""

    def __init__(self, columns: Sequence[sa.Column[Any]], dialect: str, first: Sequence[str] = (), last: Sequence[str] = ()) -> None:
        self.names = (*first, *(column.name for column in columns), *last)
        kinds = {len(first) + place: column.type for place, column in enumerate(columns)}
        self._documents = [place for place, kind in kinds.items() if isinstance(kind, Document)]
        self._flags = [place for place, kind in kinds.items() if isinstance(kind, sa.Boolean) and dialect == "sqlite"]

    def __call__(self, row: Sequence[Any]) -> Row:
        """One row."""
        values = list(row)
        for place in self._documents:
            if values[place] is not None:
                values[place] = msgspec.Raw(values[place])
        for place in self._flags:
            values[place] = _BOOLEANS[values[place]]
        return dict(zip(self.names, values, strict=False))


def _as_json(column: sa.Column[Any], dialect: str) -> sa.ColumnElement[Any]:
    """A column as the text that its JSON is made of."""
    kind = column.type
    if dialect == "sqlite":
        return sa.type_coerce(column, sa.Integer if isinstance(kind, sa.Boolean) else sa.Text) if _is_ours(kind) else column
    if isinstance(kind, UtcTime):
        return sa.func.to_char(sa.func.timezone("UTC", column), _POSTGRES_TIME)
    return sa.cast(column, sa.Text) if isinstance(kind, Money | Document) else column


def _is_ours(kind: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(kind, UtcTime | Money | Document | sa.Boolean)


def _key(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else value


def _revision(connection: sa.Connection) -> Revision:
    state = provider_state.c
    numbers, editions = (sa.func.coalesce(sa.func.sum(column), 0) for column in (state.revision, state.edition))
    query = sa.select(numbers, editions, sa.func.max(state.last_success_at, type_=UtcTime()))
    number, edition, as_of = connection.execute(query).one()
    return Revision(int(number), int(edition), as_of.astimezone(UTC) if as_of else None)
