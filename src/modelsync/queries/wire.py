"""Prices on the wire: which texts of a provider give a price of the catalog."""

from decimal import Decimal

import msgspec

from modelsync.model.fields import value_of
from modelsync.model.model import PER_TOKEN, Model
from modelsync.model.points import PRICE_NAMES
from modelsync.model.prices import Price, number
from modelsync.providers.base import Provider

OTHERS = "pricing.others"
"""The field of what is stated of a price and not read: no wire text gives it."""


class WireText(msgspec.Struct, frozen=True):
    """A price as it was written, with its unit, under the name it had on the wire."""

    field: str
    text: str


def is_nothing(value: object) -> bool:
    """Whether a value is as good as not stated: null, false, or empty. 0 is a price."""
    return value is None or value is False or value in ([], {}, ())


def wire_texts(provider: Provider, field: str, model: Model) -> tuple[tuple[WireText, ...], bool]:
    """The wire texts that the provider's declared units turn into this very price; or all, and True, when none does so alone."""
    raw = model.prices.raw
    feeding = tuple(WireText(name, text) for name, text in raw.items() if _gives(provider, name, text, field, model))
    if feeding or is_nothing(value_of(model, field) if field != OTHERS else None):
        return feeding, False
    return tuple(WireText(name, text) for name, text in raw.items()), True


def _gives(provider: Provider, wire_field: str, text: str, field: str, model: Model) -> bool:
    """Whether a wire text, in the unit that the provider declares for its field, is the price that the model has in `field` (USD)."""
    name = PRICE_NAMES.get(field, field.removeprefix("pricing."))
    declared: list[Price] = [price for endpoint in provider.endpoints if (price := endpoint.units.get(wire_field)) is not None]
    for price in declared:
        amount = number(text.removesuffix(f" {price.unit.name}").encode()) if text.endswith(f" {price.unit.name}") else None
        if price.to != name or not isinstance(amount, Decimal):
            continue
        if name == "per_unit":
            return any(each.what == wire_field for each in model.prices.per_unit)
        if name in (*PER_TOKEN, "request", "image", "web_search") and amount * price.unit.usd == value_of(model, field):
            return True
    return False
