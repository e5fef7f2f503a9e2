"""Between a model and its row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.model import Model, Prices
from modelsync.money import plain_decimals
from modelsync.plan import Change, Kind, StoredModel
from modelsync.store.schema import models, time_text

COLUMNS = tuple(column.name for column in models.columns if column.name != "id")
"""The columns of an incoming row, in order."""

KEPT = frozenset({"provider_id", "provider_model_id", "model_id", "first_seen_at", "created_at"})
"""Columns that an existing row keeps."""

MODEL_COLUMNS = (
    *("model_name", "description", "context_length", "max_output_tokens", "input_modalities", "output_modalities"),
    *("supports_streaming", "supports_function_calling", "supports_vision", "supports_reasoning", "supports_structured_output"),
    *("released_at", "expires_at", "hugging_face_id", "metadata"),
)
"""Columns that are fields of `Model` under the same name."""


def incoming(change: Change, provider_id: int, seq: int, now: datetime) -> tuple[Any, ...]:
    """The row that a change leaves behind, in the order of COLUMNS, still with Python values."""
    model, gone = change.model, change.kind is Kind.MISSING
    values: dict[str, Any] = {name: getattr(model, name) for name in MODEL_COLUMNS}
    values |= {
        "provider_id": provider_id,
        "provider_model_id": model.id,
        "model_id": model.id,
        "modality": model.modality,
        "pricing_prompt": model.prices.prompt,
        "pricing_completion": model.prices.completion,
        "pricing_image": model.prices.image,
        "pricing_request": model.prices.request,
        "pricing": price_document(model.prices, change.priced_at or now),
        "is_active": model.available,
        "status": "missing" if gone else "active",
        "missing_since": now if gone else None,
        "missing_since_seq": seq if gone else None,
        "content_hash": change.content_hash,
        "first_seen_at": now,
        "created_at": now,
        "updated_at": change.updated_at or now,
    }
    return tuple(values[name] for name in COLUMNS)


def price_document(prices: Prices, stated_at: datetime) -> dict[str, Any]:
    """The whole price document as JSON values: decimals as plain digits, with the time since when the provider states it so."""
    document: dict[str, Any] = plain_decimals(msgspec.to_builtins(prices, builtin_types=(Decimal,)))
    document.pop("problems", None)
    return {**document, "source": "provider", "stated_at": time_text(stated_at)} if document else {}


def stored_model(row: sa.RowMapping) -> StoredModel:
    """A row as it was planned once."""
    fields = {name: row[name] for name in MODEL_COLUMNS}
    for name in ("input_modalities", "output_modalities"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    document: Mapping[str, Any] = row["pricing"]
    stated_at = document.get("stated_at")
    model = Model(
        id=row["provider_model_id"],
        available=row["is_active"],
        prices=msgspec.convert({name: document[name] for name in document if name not in ("source", "stated_at")}, Prices),
        **fields,
    )
    missing = row["status"] == "missing"
    return StoredModel(model, row["updated_at"], datetime.fromisoformat(stated_at) if stated_at else None, missing)


def change_fields(change: Change) -> dict[str, list[Any]]:
    """`{field: [old, new]}` as JSON values; an added model carries none, because the past is read backwards from the present."""
    if change.kind is Kind.ADDED:
        return {}
    return {field.field: [json_value(field.old), json_value(field.new)] for field in change.fields}


def json_value(value: object) -> Any:
    """A fact as a JSON value."""
    return plain_decimals(msgspec.to_builtins(value, builtin_types=(Decimal,)))


def sqlite_values(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows as SQLite's driver takes them: times, decimals and documents as text."""
    return [tuple(_sqlite_value(value) for value in row) for row in rows]


def _sqlite_value(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return msgspec.json.encode(value).decode()


def postgres_values(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows as COPY takes them: documents as JSON text, the rest by the driver's own types."""
    return [
        tuple(msgspec.json.encode(value).decode() if isinstance(value, dict | list | tuple) else value for value in row) for row in rows
    ]
