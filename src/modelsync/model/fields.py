"""The fields of a model by the names that changes, pins and tables use: which can be pinned, and of what type each is."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from modelsync.model import times
from modelsync.model.model import PER_TOKEN, PRICE_FIELDS, Model, Tier, UnitPrice
from modelsync.model.points import PRICE_COLUMNS


class Pin(msgspec.Struct, frozen=True):
    """One field's value as an operator decided it, in the field's own type."""

    field: str
    value: Any


READER = "pricing.reader"
"""The field under which a change records that only the reading changed: the versions of the provider's module, before and after."""

BELIEVED = "pricing.believed"
"""The field under which a person's act records what it moved of prices that were believed last and do not stand: digits by point."""

BENEATH = "beneath"
"""The field under which a change records what a pin hides: what was believed and what is, where that moves otherwise than is seen."""

LISTED = "listed"
"""The field under which a change records that a provider lists a model that a person had added."""

BESIDE = (READER, BELIEVED, BENEATH, LISTED)
"""What a change tells beside the facts of a model."""

ALIAS = "model_id"
"""The id under which the catalog offers a model: no fact of the provider's, and so only ever pinned."""

_FOLLOWING = ("others", "incomplete")
"""What follows the provider by itself, and is nobody's to decide."""
_FOLLOWING_FIELDS = tuple(f"pricing.{name}" for name in _FOLLOWING)

_COMPOUND: Mapping[str, Any] = {"per_unit": tuple[UnitPrice, ...], "tiers": tuple[Tier, ...], "dynamic": bool}
_PRICES = {PRICE_COLUMNS.get(name, f"pricing.{name}"): name for name in PRICE_FIELDS if name not in _FOLLOWING}
_FACTS = {
    "is_active" if field.name == "available" else field.name: field
    for field in msgspec.structs.fields(Model)
    if field.name not in ("id", "metadata", "prices")
}
_TIMES = ("released_at", "expires_at")
_METADATA = "metadata."

FACTS = (*_FACTS, ALIAS)
"""Columns whose history is kept, beside status and prices."""

MODEL_COLUMNS = (*(name for name in _FACTS if name != "is_active"), "metadata")
"""Columns that are fields of `Model` under the same name."""

PINNABLE = (ALIAS, *_FACTS, *_PRICES)
"""The fields that can be pinned, by the names that changes use; and `metadata.<name>` beside them."""


RECORDED = ("status", *PINNABLE, *_FOLLOWING_FIELDS, *BESIDE)
"""The names that changes have fields under."""


def is_pinnable(field: str) -> bool:
    """Whether there is such a field."""
    return field in PINNABLE or (field.startswith(_METADATA) and field != _METADATA)


def typed(field: str, value: object) -> Any:
    """A JSON value in the type of a field; a time without a zone is UTC. ValueError when it is none."""
    if field.startswith(_METADATA):
        return value
    if field in _PRICES:
        name = _PRICES[field]
        kind: Any = _COMPOUND.get(name, Decimal)
        return None if value is None and kind is Decimal else msgspec.convert(value, kind)
    if field in _TIMES:
        return None if value is None else times.in_utc(value)
    return msgspec.convert(value, str if field == ALIAS else _FACTS[field].type)


def kind_of(field: str) -> dict[str, Any]:
    """A pinnable field's JSON Schema; prices may be numbers too. Lists of prices are only named."""
    if field in _PRICES:
        kind = _COMPOUND.get(_PRICES[field])
        if kind is None:
            kinds = [{"type": name} for name in ("string", "number", "null")]
            return {"anyOf": kinds, "description": "USD per token, or per its own unit."}
        return {"type": "boolean"} if kind is bool else {"type": "array", "items": {"type": "object"}}
    return {"type": "string"} if field == ALIAS else msgspec.json.schema(_FACTS[field].type)


def is_price_per_token(field: str) -> bool:
    """Whether a field is a price in USD per token."""
    return _PRICES.get(field) in PER_TOKEN


def is_time(field: str) -> bool:
    """Whether a field is a time."""
    return field in _TIMES


def is_price(field: str) -> bool:
    """Whether a field belongs to the price document."""
    return field in _PRICES


def is_in_price_document(field: str) -> bool:
    """The same of what follows the provider by itself, too: `pricing.others` cannot be pinned."""
    return is_price(field) or field in _FOLLOWING_FIELDS


def value_of(model: Model, field: str) -> Any:
    """What a model has in a field that can be pinned."""
    if field == ALIAS:
        return model.id
    if field in _PRICES or field in _FOLLOWING_FIELDS:
        return getattr(model.prices, _PRICES.get(field, field.removeprefix("pricing.")))
    if field.startswith(_METADATA):
        return model.metadata.get(field.removeprefix(_METADATA))
    return getattr(model, "available" if field == "is_active" else field)


def pinned(model: Model, pins: Iterable[Pin]) -> Model:
    """The model as operators want it."""
    facts: dict[str, Any] = {}
    prices: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for pin in pins:
        if pin.field in _PRICES:
            prices[_PRICES[pin.field]] = pin.value
        elif pin.field.startswith(_METADATA):
            metadata[pin.field.removeprefix(_METADATA)] = pin.value
        elif pin.field != ALIAS:
            facts["available" if pin.field == "is_active" else pin.field] = pin.value
    if prices:
        facts["prices"] = msgspec.structs.replace(model.prices, **prices)
    if metadata:
        facts["metadata"] = {**model.metadata, **metadata}
    return msgspec.structs.replace(model, **facts) if facts else model
