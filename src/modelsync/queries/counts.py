"""Counting in SQL: models and providers, by what they are."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from modelsync.database.schema import models, providers
from modelsync.queries import filters
from modelsync.queries.filters import is_free

HEALTH = ("healthy", "degraded", "down", "unknown")


class ModelCounts(msgspec.Struct, frozen=True, kw_only=True):
    """total = active + inactive; missing and retired by status; priced = free + paid, of prompt and completion prices; by modality."""

    total: int
    active: int
    missing: int
    retired: int
    priced: int
    free: int
    unpriced: int
    inactive: int
    by_modality: dict[str, int]


class ProviderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """total = active + inactive = healthy + degraded + down + unknown."""

    total: int
    active: int
    inactive: int
    healthy: int
    degraded: int
    down: int
    unknown: int


class IncompletePrices(msgspec.Struct, frozen=True):
    """How many models of a provider have a price that is not whole, and how many of them lack which field."""

    models: int
    fields: dict[str, int]


def of_models(connection: sa.Connection, provider_id: int | None = None) -> ModelCounts:
    """All models, or those of one provider."""
    column = models.c
    mine = [column.provider_id == provider_id] if provider_id is not None else []
    counts = {
        "total": None,
        "active": column.is_active.is_(sa.true()),
        "missing": column.status == "missing",
        "retired": column.status == "retired",
        "priced": column.pricing_prompt.is_not(None),
        "free": is_free(),
        "unpriced": column.pricing_prompt.is_(None),
    }
    numbers = [(sa.func.count() if of is None else sa.func.count().filter(of)).label(name) for name, of in counts.items()]
    totals = dict(connection.execute(sa.select(*numbers).select_from(models).where(*mine)).mappings().one())
    return ModelCounts(**totals, inactive=totals["total"] - totals["active"], by_modality=by_modality(connection, provider_id))


def by_modality(connection: sa.Connection, provider_id: int | None = None) -> dict[str, int]:
    """How many models of each modality, most first; "unknown" where nothing is stated."""
    name = sa.func.coalesce(models.c.modality, "unknown")
    count = sa.func.count()
    query = sa.select(name, count).group_by(name).order_by(count.desc(), name)
    return _pairs(connection, query.where(models.c.provider_id == provider_id) if provider_id is not None else query)


def by_provider(connection: sa.Connection, provider_id: int | None = None) -> dict[str, int]:
    """How many models of each provider."""
    query = sa.select(providers.c.slug, sa.func.count(models.c.id)).outerjoin(models, models.c.provider_id == providers.c.id)
    query = query.where(providers.c.id == provider_id) if provider_id is not None else query
    return _pairs(connection, query.group_by(providers.c.slug).order_by(providers.c.slug))


def is_incomplete(dialect: str) -> sa.ColumnElement[bool]:
    """Whether a model's price is not whole: fields that a call may pay are stated, and not read."""
    length = sa.func.jsonb_array_length if dialect == "postgresql" else sa.func.json_array_length
    return sa.func.coalesce(length(*_incomplete(dialect)), 0) > 0


def _incomplete_fields(dialect: str) -> sa.TableValuedAlias:
    """The names of what is not read of one model's price, as rows beside it."""
    each = sa.func.jsonb_array_elements_text if dialect == "postgresql" else sa.func.json_each
    return each(*_incomplete(dialect)).table_valued("value")


def _incomplete(dialect: str) -> tuple[filters.Element | str, ...]:
    """The arguments by which a database's JSON functions find these names."""
    if dialect == "postgresql":
        return (sa.type_coerce(models.c.pricing, postgresql.JSONB)["incomplete"],)
    return sa.type_coerce(models.c.pricing, sa.Text), "$.incomplete"


def incomplete_prices(connection: sa.Connection) -> dict[str, IncompletePrices]:
    """Models, retired ones aside, whose price is not whole, by provider: how many, and how many of them lack which field."""
    where = (models.c.status != "retired", is_incomplete(connection.dialect.name))
    of_model = models.join(providers, providers.c.id == models.c.provider_id)
    count = sa.select(providers.c.slug, sa.func.count()).select_from(of_model).where(*where).group_by(providers.c.slug)
    by_slug = {slug: IncompletePrices(number, {}) for slug, number in connection.execute(count.order_by(providers.c.slug))}
    each = _incomplete_fields(connection.dialect.name)
    names = sa.select(providers.c.slug, each.c.value, sa.func.count()).select_from(of_model.join(each, sa.true())).where(*where)
    for slug, name, number in connection.execute(names.group_by(providers.c.slug, each.c.value).order_by(each.c.value)):
        by_slug[slug].fields[name] = number
    return by_slug


def of_providers(connection: sa.Connection) -> ProviderCounts:
    """All providers of the catalog."""
    column = providers.c
    numbers = [
        sa.func.count().label("total"),
        sa.func.count().filter(column.is_active.is_(sa.true())).label("active"),
        sa.func.count().filter(column.is_active.is_(sa.false())).label("inactive"),
        *(sa.func.count().filter(column.health_status == health).label(health) for health in HEALTH),
    ]
    return ProviderCounts(**connection.execute(sa.select(*numbers).select_from(providers)).mappings().one())


def _pairs(connection: sa.Connection, query: sa.Select[Any, int]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}
