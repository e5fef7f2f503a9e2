"""What a person may set a field to: within the limits that hold for what providers say, too. Pure, for every face."""

import math
from datetime import datetime
from decimal import Decimal

import msgspec

from modelsync.model import times
from modelsync.model.fields import ALIAS, Pin, is_price, is_price_per_token, typed
from modelsync.model.limits import MAX_DESCRIPTION, MAX_METADATA, MAX_NAME, MAX_TOKENS, check_id
from modelsync.model.model import PER_TOKEN, Tier, UnitPrice
from modelsync.model.prices import NO_NUMBER, bounded

DEEPEST = 32
"""Lists in lists of a JSON value."""

_LONGEST = {"model_name": MAX_NAME, "description": MAX_DESCRIPTION}


def pin_of(field: str, value: object) -> Pin:
    """A field that can be pinned, with a JSON value for it (prices in USD per token). ValueError when it cannot have that one."""
    return Pin(field, _believable(field, typed(field, storable(value))))


def storable(value: object, deep: int = 0) -> object:
    """A JSON value that both databases can hold, and every reader can read."""
    if deep >= DEEPEST and isinstance(value, dict | list):
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= char <= "\udfff" for char in value)):
        raise ValueError("it holds a character that no database can hold")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds a number that JSON does not have")
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        storable(part, deep + 1)
    return value


def _believable(field: str, value: object) -> object:
    """A value within the limits that hold for what providers say too."""
    if is_price(field):
        return _price("token" if is_price_per_token(field) else field, value)
    if isinstance(value, datetime):
        return times.within(value)
    if field == ALIAS:
        check_id(str(value))
    elif isinstance(value, str) and len(value) > _LONGEST.get(field, MAX_METADATA):
        raise ValueError(f"it is longer than {_LONGEST.get(field, MAX_METADATA):,} characters")
    elif isinstance(value, list | dict | tuple) and len(msgspec.json.encode(value)) > MAX_METADATA:
        raise ValueError(f"it is longer than {MAX_METADATA:,} bytes")
    elif field in ("context_length", "max_output_tokens") and isinstance(value, int) and not 0 < value <= MAX_TOKENS:
        raise ValueError(f"it is outside 1 to {MAX_TOKENS:,}")
    return value


def _price(per: str, value: object) -> object:
    """A price, or prices, in canonical form and within the bounds that a provider's must keep."""
    match value:
        case Decimal():
            price = bounded(value, per) if value.is_finite() else NO_NUMBER
            if isinstance(price, Decimal):
                return price
            raise ValueError(price.reason if price else "it is no number")
        case UnitPrice():
            return msgspec.structs.replace(value, usd=_price(value.per, value.usd))
        case Tier():
            return msgspec.structs.replace(value, **{name: _price("token", getattr(value, name)) for name in PER_TOKEN})
        case tuple():
            return tuple(_price(per, each) for each in value)
        case _:
            return value
