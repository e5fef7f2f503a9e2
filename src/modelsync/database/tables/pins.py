"""The rows of `pins`: what operators decided about single fields."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from modelsync.database.schema import pins, providers
from modelsync.database.tables import events
from modelsync.model.fields import Pin, typed
from modelsync.model.prices import plain
from modelsync.model.records import RecordedPin

column = pins.c


def standing(connection: sa.Connection, slug: str, now: datetime) -> dict[str, tuple[Pin, ...]]:
    """A provider's pins that have not expired, by model."""
    valid = sa.or_(column.expires_at.is_(None), column.expires_at > now)
    query = sa.select(pins).where(column.provider == slug, valid).order_by(column.id)
    by_model: dict[str, tuple[Pin, ...]] = {}
    for row in connection.execute(query).mappings():
        pin = Pin(row["field"], typed(row["field"], row["value"]))
        by_model[row["provider_model_id"]] = (*by_model.get(row["provider_model_id"], ()), pin)
    return by_model


def of_prices(connection: sa.Connection) -> set[tuple[int, str]]:
    """The models of which an operator decided a price, by their provider's number and their id."""
    query = sa.select(providers.c.id, column.provider_model_id).join(providers, providers.c.slug == column.provider)
    return {(row[0], row[1]) for row in connection.execute(query.where(column.field.like("pricing%")))}


def listed(connection: sa.Connection, slugs: Iterable[str] = (), model: str | None = None) -> list[RecordedPin]:
    """The rows, by provider, model and field."""
    conditions: list[sa.ColumnElement[bool]] = [column.provider.in_(list(slugs))] if slugs else []
    conditions += [column.provider_model_id == model] if model is not None else []
    query = sa.select(pins).where(*conditions).order_by(column.provider, column.provider_model_id, column.field)
    return [RecordedPin(**row) for row in connection.execute(query).mappings()]


def put(connection: sa.Connection, slug: str, row_id: str, pin: Pin, upstream: object, **values: object) -> None:
    """Set a pin, in place of one on the same field."""
    remove(connection, slug, row_id, [pin.field])
    facts = {"provider": slug, "provider_model_id": row_id, "field": pin.field, "value": plain(pin.value), "beneath": plain(upstream)}
    connection.execute(sa.insert(pins).values(**facts, **values))


def remove(connection: sa.Connection, slug: str, row_id: str, fields: Iterable[str]) -> list[str]:
    """Remove the pins of some fields; those that there were."""
    mine = (column.provider == slug, column.provider_model_id == row_id, column.field.in_(list(fields)))
    return sorted(connection.execute(sa.delete(pins).where(*mine).returning(column.field)).scalars())


def expire(connection: sa.Connection, slug: str, now: datetime) -> bool:
    """Remove the pins whose time has come, each with an audit row; whether any pin of this provider will expire later."""
    over = sa.delete(pins).where(column.provider == slug, column.expires_at <= now)
    expired = connection.execute(over.returning(column.provider_model_id, column.field)).all()
    events.note_all(connection, "unpin", [f"{slug} {row_id} {field}" for row_id, field in expired], events.SYNC, "the pin expired", now)
    later = sa.select(sa.exists().where(column.provider == slug, column.expires_at.is_not(None)))
    return bool(connection.execute(later).scalar_one())
