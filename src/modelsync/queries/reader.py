"""The catalog as it is, for whoever asks often: pages of models and providers, one of them, counts, each with its revision."""

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Generic

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import UtcTime, models, provider_state, providers, time_text
from modelsync.database.session import Session
from modelsync.errors import TooSlow
from modelsync.model.timeline import RecordedChange
from modelsync.queries import counts, filters, stretches
from modelsync.queries.counts import ModelCounts, ProviderCounts
from modelsync.queries.filters import BY_PROVIDER, ModelFilter, Order
from modelsync.queries.history import ChangeFilter, recorded
from modelsync.queries.rows import ModelRow, ProviderRow, Row, RowShape
from modelsync.queries.stretches import Matches, Part

PAGE = 100
"""Rows of a page, where nobody says how many."""

MOST_COUNTED = 1000
"""Filters whose numbers of matches are remembered."""


Selected = sa.Row[Any]
"""What a database gives for a model: the columns of its row, and then the keys it is ordered by."""


class Revision(msgspec.Struct, frozen=True):
    """Which state of the catalog an answer shows.

    `number` grows with every write; `edition` tells two databases apart that counted to the same number (a restored one);
    `as_of` is the time of the last successful sync of any provider.
    """

    number: int
    edition: int
    as_of: datetime | None


class Page(msgspec.Struct, Generic[Row], frozen=True):
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


class Reader:
    """Questions to an open catalog. An empty one answers with nothing.

    Each may take `seconds` at most, or it is stopped: TooSlow.
    """

    def __init__(self, store: Session, seconds: float | None = None, row: type[ModelRow] = ModelRow) -> None:
        self._store = store
        self._seconds = seconds
        self._counted: dict[bytes, tuple[tuple[int, int], list[Matches]]] = {}
        incomplete = sa.type_coerce(counts.is_incomplete(store.dialect), sa.Boolean)
        of_provider = sa.select(sa.func.count()).where(models.c.provider_id == providers.c.id).correlate(providers).scalar_subquery()
        self._model = RowShape(row, models, store.dialect, provider=providers.c.slug, price_incomplete=incomplete)
        self._provider = RowShape(ProviderRow, providers, store.dialect, model_count=of_provider)

    def revision(self) -> Revision:
        """The present state of the catalog."""
        with self._store.reading(self._seconds) as connection:
            return _revision(connection)

    def models(self, model_filter: ModelFilter, order: Order, offset: int = 0, cursor: str | None = None) -> Page[ModelRow]:
        """A page of matching models, `limit` of them at most, from a cursor or after `offset` rows. UsageError for what is no cursor."""
        limit = model_filter.limit or 0
        at = filters.cursor(cursor, order) if cursor else None
        with self._store.reading(self._seconds) as connection:
            revision = _revision(connection)
            matches = self._matches(connection, model_filter, revision)
            part = stretches.Part(model_filter, order, at, 0 if at else offset, limit + 1, matches)
            selected = self._selected(connection, part)
        shown, keys = selected[:limit], len(filters.sort_keys(order, self._store.dialect))
        rows = [self._model.row(row) for row in shown]
        more = len(selected) > limit and bool(shown)
        next_cursor = filters.Cursor(order.by, order.descending, tuple(map(_key, shown[-1][-keys:]))) if more else None
        return Page(rows, sum(each.number for each in matches), str(next_cursor) if next_cursor else None, revision)

    def _selected(self, connection: sa.Connection, part: Part) -> list[Selected]:
        """The rows of a part with their keys. Their order is found over narrow rows, and only those of the part are read whole."""
        found, dialect = list[Selected](), self._store.dialect
        keys = [key.label(f"key_{number}") for number, key in enumerate(filters.sort_keys(part.order, dialect))]
        for ids in stretches.ids(part, dialect):
            some = ids.limit(part.limit - len(found)).subquery().select()
            page = self._select(*keys).where(models.c.id.in_(some)).order_by(*filters.ordering(part.order, dialect))
            found += connection.execute(page).all()
            if len(found) == part.limit:
                break
        return found

    def _matches(self, connection: sa.Connection, model_filter: ModelFilter, revision: Revision) -> list[Matches]:
        """How many models match of which provider; counted once for all pages of one state of the catalog."""
        key = msgspec.json.encode(msgspec.structs.replace(model_filter, limit=None))
        known = self._counted.get(key)
        if known is not None and known[0] == (revision.number, revision.edition):
            return known[1]
        matches = [Matches(*row) for row in connection.execute(stretches.matching(model_filter, self._store.dialect))]
        if len(self._counted) >= MOST_COUNTED:
            self._counted.clear()
        self._counted[key] = (revision.number, revision.edition), matches
        return matches

    def every_model(self, model_filter: ModelFilter, order: Order) -> Iterator[ModelRow | Revision]:
        """The state of the catalog, and then all models that match in it, streamed."""
        dialect = self._store.dialect
        query = self._select().where(*filters.conditions(model_filter, dialect)).order_by(*filters.ordering(order, dialect))
        ends_at = math.inf if self._seconds is None else time.monotonic() + self._seconds
        with self._store.reading(self._seconds) as connection:
            yield _revision(connection)
            with connection.execution_options(yield_per=500).execute(query.limit(model_filter.limit)) as rows:
                for row in rows:
                    if time.monotonic() > ends_at:  # on Postgres each of many statements may take `seconds`
                        raise TooSlow(f"{self._store.shown} took longer than it may", "Nothing was written; ask for less at once")
                    yield self._model.row(row)

    def matching(self, model_filter: ModelFilter, order: Order = BY_PROVIDER) -> Iterator[ModelRow]:
        """All models that match, streamed."""
        return (row for row in self.every_model(model_filter, order) if isinstance(row, ModelRow))

    def model(self, row_id: int) -> tuple[ModelRow | None, Revision]:
        """One model by its number."""
        return self._one(models.c.id == row_id)

    def model_of(self, slug: str, provider_model_id: str) -> tuple[ModelRow | None, Revision]:
        """One model by its provider and its id there."""
        return self._one(sa.and_(providers.c.slug == slug, models.c.provider_model_id == provider_model_id))

    def model_stats(self, provider_id: int | None = None) -> tuple[ModelCounts, dict[str, int], Revision]:
        """Counts of models, of one provider or all; and how many models each provider has."""
        with self._store.reading(self._seconds) as connection:
            return counts.of_models(connection, provider_id), counts.by_provider(connection, provider_id), _revision(connection)

    def providers(self, provider_filter: ProviderFilter, limit: int, offset: int) -> Page[ProviderRow]:
        """A page of providers, by slug, each with how many models it has."""
        where = list(_provider_conditions(provider_filter, self._store.dialect))
        with self._store.reading(self._seconds) as connection:
            query = sa.select(*self._provider.columns).where(*where).order_by(providers.c.slug).limit(limit).offset(offset)
            rows = [self._provider.row(row) for row in connection.execute(query)]
            total = int(connection.execute(sa.select(sa.func.count()).select_from(providers).where(*where)).scalar_one())
            return Page(rows, total, None, _revision(connection))

    def provider(self, provider_id: int) -> tuple[ProviderRow | None, Revision]:
        """One provider by its number."""
        return self._one_provider(providers.c.id == provider_id)

    def provider_of(self, slug: str) -> tuple[ProviderRow | None, Revision]:
        """One provider by its slug."""
        return self._one_provider(providers.c.slug == slug)

    def provider_stats(self) -> tuple[ProviderCounts, Revision]:
        """Providers by activity and health."""
        with self._store.reading(self._seconds) as connection:
            return counts.of_providers(connection), _revision(connection)

    def changes(self, change_filter: ChangeFilter) -> tuple[list[RecordedChange], Revision]:
        """Changes, newest first."""
        with self._store.reading(self._seconds) as connection:
            return recorded(connection, change_filter), _revision(connection)

    def _one_provider(self, condition: sa.ColumnElement[bool]) -> tuple[ProviderRow | None, Revision]:
        with self._store.reading(self._seconds) as connection:
            row = connection.execute(sa.select(*self._provider.columns).where(condition)).one_or_none()
            return None if row is None else self._provider.row(row), _revision(connection)

    def _one(self, condition: sa.ColumnElement[bool]) -> tuple[ModelRow | None, Revision]:
        with self._store.reading(self._seconds) as connection:
            row = connection.execute(self._select().where(condition)).one_or_none()
            return None if row is None else self._model.row(row), _revision(connection)

    def _select(self, *more: filters.Element) -> sa.Select[Any]:
        return sa.select(*self._model.columns, *more).select_from(models.join(providers, providers.c.id == models.c.provider_id))


def _provider_conditions(provider_filter: ProviderFilter, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
    column = providers.c
    if provider_filter.active is not None:
        yield column.is_active.is_(sa.true() if provider_filter.active else sa.false())
    if provider_filter.health is not None:
        yield column.health_status == provider_filter.health
    yield from filters.with_words(provider_filter.query, (column.slug, column.name, column.description), dialect)


def _key(value: str | float | datetime | None) -> str | float | None:
    return time_text(value) if isinstance(value, datetime) else value


def _revision(connection: sa.Connection) -> Revision:
    state = provider_state.c
    numbers, editions = (sa.func.coalesce(sa.func.sum(column), 0) for column in (state.revision, state.edition))
    query = sa.select(numbers, editions, sa.func.max(state.last_success_at, type_=UtcTime()))
    number, edition, as_of = connection.execute(query).one()
    return Revision(int(number), int(edition), as_of.astimezone(UTC) if as_of else None)
