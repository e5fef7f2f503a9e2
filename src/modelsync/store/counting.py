"""Counting in SQL: models and providers, by what they are."""

from typing import Any

import sqlalchemy as sa

from modelsync.store.schema import models, providers
from modelsync.store.selection import is_free

HEALTH = ("healthy", "degraded", "down", "unknown")


def of_models(connection: sa.Connection, provider_id: int | None = None) -> dict[str, Any]:
    """total = active + inactive; missing and retired by status; priced = free + paid, of prompt and completion prices; by_modality."""
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
    found = dict(connection.execute(sa.select(*numbers).select_from(models).where(*mine)).mappings().one())
    return {**found, "inactive": found["total"] - found["active"], "by_modality": by_modality(connection, provider_id)}


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


def of_providers(connection: sa.Connection) -> dict[str, int]:
    """total, active, inactive, and how many are of which health."""
    column = providers.c
    numbers = [
        sa.func.count().label("total"),
        sa.func.count().filter(column.is_active.is_(sa.true())).label("active"),
        sa.func.count().filter(column.is_active.is_(sa.false())).label("inactive"),
        *(sa.func.count().filter(column.health_status == health).label(health) for health in HEALTH),
    ]
    return dict(connection.execute(sa.select(*numbers).select_from(providers)).mappings().one())


def _pairs(connection: sa.Connection, query: sa.Select[Any, int]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}
