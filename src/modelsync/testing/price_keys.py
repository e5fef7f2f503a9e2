"""The ways to what is called a price in a row: `pricing.overrides[].prompt`, where `[]` is any element of a list."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

PRICE_WORD = re.compile(r"pric|cost|cents|^rate|discount|billing|sku|^unit|tier|long_context|currency|credit|^fee", re.IGNORECASE)


def price_keys(row: object, values: tuple[str, ...] = ()) -> Iterator[str]:
    """The keys of all values in a row that a price word is on the way to; what is null states none.

    `values` are the ways to values that belong to the key: `prices[].type=input_token`.
    """
    for way, value in leaves(row):
        if value is not None and is_price(way):
            yield f"{way}={value}" if way in values else way


def is_price(way: str) -> bool:
    """Whether a name on the way is one of a price."""
    return any(PRICE_WORD.search(name) for name in way.split("."))


def leaves(value: object, way: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is neither object nor list, and the way to it."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{way}.{name}" if way else name)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, f"{way}[]")
    else:
        yield way, value


def placed(way: str, value: object) -> object:
    """A row with nothing but a value at the end of a way."""
    first, _, rest = way.partition(".")
    inner = placed(rest, value) if rest else value
    name, is_list = first.removesuffix("[]"), first.endswith("[]")
    return {name: [inner] if is_list else inner}


def merged(base: Any, more: Any) -> Any:
    """`base` under `more`: objects by name, lists by position."""
    if isinstance(base, dict) and isinstance(more, dict):
        return {**base, **{name: merged(base.get(name), value) for name, value in more.items()}}
    if isinstance(base, list) and isinstance(more, list) and more and isinstance(more[0], dict):
        return [*(merged(old, new) for old, new in zip(base, more, strict=False)), *base[len(more) :], *more[len(base) :]]
    return more


def other_amounts(row: object) -> Iterator[tuple[str, object]]:
    """For each amount that is called a price, its way and the row with twice as much there."""

    def moved(value: object, way: str) -> Iterator[tuple[str, object]]:
        if isinstance(value, dict):
            for name, part in value.items():
                for inner, other in moved(part, f"{way}.{name}" if way else name):
                    yield inner, {**value, name: other}
        elif isinstance(value, list):
            for position, part in enumerate(value):
                for inner, other in moved(part, f"{way}[]"):
                    yield inner, [*value[:position], other, *value[position + 1 :]]
        elif is_price(way) and (twice := _twice(value)) is not None:
            yield way, twice

    yield from moved(row, "")


def _twice(value: object) -> object:
    """An amount doubled, as it is written; a millionth or 1 for nothing; None for what is no amount."""
    if isinstance(value, str):
        try:
            return f"{Decimal(value) * 2 or Decimal('0.000001'):f}"
        except InvalidOperation:
            return None
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value * 2 or 1
