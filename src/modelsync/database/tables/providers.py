"""The rows of `providers`: made from a provider's facts, kept in step with what its models and its syncs show."""

import secrets
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from modelsync.database.schema import models, provider_state, providers
from modelsync.providers.base import Provider

EDITION_BITS = 48
"""So that a sum over thousands of providers fits into 63 bits."""

DOWN_AFTER = 3
"""Failures in a row after which a provider counts as down; before that it is degraded."""


def id_of(connection: sa.Connection, slug: str) -> int | None:
    """The id of a provider's row, None before its first sync."""
    return connection.execute(sa.select(providers.c.id).where(providers.c.slug == slug)).scalar_one_or_none()


def ensure(connection: sa.Connection, provider: Provider, now: datetime) -> int:
    """The provider's id; its row is made on first sight, and its facts never touched again, because operators may edit them."""
    provider_id = id_of(connection, provider.slug)
    if provider_id is not None:
        return provider_id
    values = {**facts(provider), "created_at": now, "updated_at": now}
    move_revision(connection, provider.slug)
    return int(connection.execute(sa.insert(providers).values(values).returning(providers.c.id)).scalar_one())


def facts(provider: Provider) -> dict[str, object]:
    """What a provider's row says at first."""
    return {
        "slug": provider.slug,
        "name": provider.name,
        "description": provider.description,
        "base_url": provider.base_url,
        "api_key_env_var": provider.auth.variables[0],
        "site_url": provider.site_url,
        "logo_url": provider.logo_url,
        "status_page_url": provider.status_page_url,
        "privacy_policy_url": provider.privacy_policy_url,
        "terms_of_service_url": provider.terms_of_service_url,
        "metadata": {"docs_url": provider.docs_url, "price_unit": provider.price_unit, "verified": provider.verified},
    }


def shown_states(known: Iterable[str]) -> sa.ColumnElement[bool]:
    """Of the rows of `provider_state`, those of providers that this program knows or that are in the catalog.

    The row of a deleted provider stays, because the catalog's revision is a sum over all of them and must not fall.
    """
    slug = provider_state.c.provider
    return sa.or_(slug.in_(known), slug.in_(sa.select(providers.c.slug)))


def switched_off(connection: sa.Connection, slug: str) -> bool:
    """Whether a provider's row says that it is not active."""
    return connection.execute(sa.select(providers.c.is_active).where(providers.c.slug == slug)).scalar_one_or_none() is False


def health_of(failures_in_a_row: int) -> str:
    """healthy after a success, degraded after a failure, down after three in a row."""
    return "healthy" if failures_in_a_row == 0 else "degraded" if failures_in_a_row < DOWN_AFTER else "down"


def set_health(connection: sa.Connection, slug: str, failures_in_a_row: int) -> None:
    """Derive a provider's health from the sync record, unless an operator decided it. It is part of the catalog: a change is a revision."""
    health = health_of(failures_in_a_row)
    mine = (providers.c.slug == slug, providers.c.health_status != health, providers.c.health_pinned.is_(sa.false()))
    if connection.execute(sa.update(providers).where(*mine).values(health_status=health)).rowcount:
        move_revision(connection, slug)


def move_revision(connection: sa.Connection, slug: str) -> None:
    """Something of this provider's part of the catalog was written."""
    connection.execute(sa.update(provider_state).where(provider_state.c.provider == slug).values(next_revision()))


def next_revision() -> dict[str, object]:
    """What `provider_state` says after a write: one more of them, and a number that no other write has, in a restored catalog either."""
    return {"revision": provider_state.c.revision + 1, "edition": secrets.randbits(EDITION_BITS)}


def derive_abilities(connection: sa.Connection, provider_id: int) -> None:
    """What a provider supports is what at least one of its active models is stated to support."""

    def some(condition: sa.ColumnElement[bool]) -> sa.Case[bool | None]:
        exists = sa.exists().where(models.c.provider_id == provider_id, models.c.is_active, condition)
        return sa.case((exists, sa.true()), else_=sa.null())

    flags = ("supports_streaming", "supports_function_calling", "supports_vision")
    values = {name: some(models.c[name].is_(sa.true())) for name in flags}
    values["supports_image_generation"] = some(models.c.modality.like("%->%image%"))
    connection.execute(sa.update(providers).where(providers.c.id == provider_id).values(values))
