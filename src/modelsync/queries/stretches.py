"""Pages as queries, one after the other, each of which a database can answer by following an index, and begin in the midst of it."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import models, providers
from modelsync.queries import filters
from modelsync.queries.filters import PERHAPS_UNKNOWN, Cursor, Element, ModelFilter, Order

Ids = sa.Select[int]
column = models.c

DENSE = 10
"""Times as many models of a provider must match as a page has: then its rows are found by going through all of them in their order,
and otherwise by looking for what matches, and sorting that."""


class Matches(msgspec.Struct, frozen=True):
    """How many models of a provider match; at least one."""

    provider_id: int
    slug: str
    number: int


class Part(msgspec.Struct, frozen=True):
    """What is wanted of an order: `limit` rows, after a cursor or after `offset` rows. `matches` are by slug."""

    model_filter: ModelFilter
    order: Order
    at: Cursor | None
    offset: int
    limit: int
    matches: Sequence[Matches]


def matching(model_filter: ModelFilter, dialect: str) -> sa.Select[int, str, int]:
    """How many models match of which provider, by slug: what Matches are made of."""
    count = sa.select(column.provider_id, sa.func.count().label("number")).where(*filters.conditions(model_filter, dialect))
    each = count.group_by(column.provider_id).subquery()
    joined = providers.join(each, each.c.provider_id == providers.c.id)
    return sa.select(providers.c.id, providers.c.slug, each.c.number).select_from(joined).order_by(providers.c.slug)


def ids(part: Part, dialect: str) -> Iterator[Ids]:
    """The ids of a part's models, without a limit; a query is only needed when those before gave less than that."""
    if not part.matches:
        return
    if part.order.by == "provider":
        yield from _by_provider(part, dialect)
        return
    where = filters.conditions(part.model_filter, dialect)
    for conditions, ordering in _stretches(part, dialect):
        yield sa.select(column.id).where(*where, *conditions).order_by(*ordering).offset(part.offset)


def _stretches(part: Part, dialect: str) -> list[tuple[Sequence[sa.ColumnElement[bool]], Sequence[Element]]]:
    """Conditions and orders: of what is known, and of what is not, which comes last."""
    order, at = part.order, part.at
    key, unique = filters.sort_keys(order, dialect)
    if order.by not in PERHAPS_UNKNOWN:
        return [(_after(at, order, dialect), (order.way(key), unique.asc()))]
    if part.offset:  # it may lead beyond what is known
        return [((), filters.ordering(order, dialect))]
    if at is not None and at.keys[0] is None:
        return [((key.is_(None), unique > at.keys[-1]), (unique.asc(),))]
    known = (key.is_not(None), *_after(at, order, dialect))
    return [(known, (order.way(key), unique.asc())), ((key.is_(None),), (unique.asc(),))]


def _after(at: Cursor | None, order: Order, dialect: str) -> tuple[sa.ColumnElement[bool], ...]:
    """After a known value and an id. The first condition says nothing that the second does not, but by it an index is begun there."""
    if at is None:
        return ()
    key, unique = filters.sort_keys(order, dialect)
    value = _bound(at.keys[0], key, dialect)
    return order.from_(key, value), sa.or_(order.beyond(key, value), unique > at.keys[-1])


def _by_provider(part: Part, dialect: str) -> Iterator[Ids]:
    """Provider after provider by slug, and of each its models by id. Which ones the page is in follows from how many of each match."""
    there = list(reversed(part.matches) if part.order.descending else part.matches)
    of_one = msgspec.structs.replace(part.model_filter, providers=(), provider_id=None)
    where = filters.conditions(of_one, dialect)
    row_id, offset = column.provider_model_id, part.offset
    if part.at is not None:
        slug, last = part.at.keys[:2]
        place = next((place for place, each in enumerate(there) if each.slug == slug), None)
        if place is None:  # none of its models match any more
            yield _sorted(part, (part.order.beyond(providers.c.slug, _bound(slug, providers.c.slug, dialect)), *where))
            return
        yield _of_one(part, there[place], (part.order.beyond(row_id, _bound(last, row_id, dialect)), *where))
        there = there[place + 1 :]
    while there and there[0].number <= offset:
        offset -= there.pop(0).number
    if offset and there:
        yield _of_one(part, there.pop(0), where).offset(offset)
    whole = list(takewhile(lambda number: number < part.limit, accumulate(each.number for each in there)))
    if len(whole) > 1:
        yield _sorted(part, (column.provider_id.in_([each.provider_id for each in there[: len(whole)]]), *where))
        there = there[len(whole) :]
    for each in there[:2]:
        yield _of_one(part, each, where)


def _of_one(part: Part, each: Matches, where: Sequence[sa.ColumnElement[bool]]) -> Ids:
    """Models of one provider by their id there."""
    found = sa.select(column.id, column.provider_model_id).where(column.provider_id == each.provider_id, *where)
    if each.number >= DENSE * part.limit:
        return found.with_only_columns(column.id).order_by(part.order.way(column.provider_model_id))
    few = found.cte("few").prefix_with("MATERIALIZED", dialect="postgresql")
    return sa.select(few.c.id).order_by(part.order.way(few.c.provider_model_id))


def _sorted(part: Part, where: Sequence[sa.ColumnElement[bool]]) -> Ids:
    """Models of several providers."""
    joined = models.join(providers, providers.c.id == column.provider_id)
    order = (part.order.way(providers.c.slug), part.order.way(column.provider_model_id))
    return sa.select(column.id).select_from(joined).where(*where).order_by(*order)


def _bound(value: object, key: Element, dialect: str) -> Element:
    return sa.cast(sa.literal(value), key.type) if dialect == "postgresql" else sa.literal(value)
