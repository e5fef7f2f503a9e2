"""A price document as single numbers, each under the field and the condition it holds for, and back.

A point's name is the one that changes, holds and pins use: `pricing_prompt`, `pricing.cache_read`,
`pricing.tiers[above 200000].prompt`, `pricing.per_unit[second]`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

from modelsync.model.model import NO_PRICES, PER_TOKEN, Prices, Tier, UnitPrice, condition_of

PRICE_COLUMNS = {"prompt": "pricing_prompt", "completion": "pricing_completion", "image": "pricing_image", "request": "pricing_request"}
"""Prices that have a column of their own, and its name; the others are `pricing.…`."""

PRICE_NAMES = {column: name for name, column in PRICE_COLUMNS.items()}
"""The same the other way round."""

FLAT = {PRICE_COLUMNS.get(name, f"pricing.{name}"): name for name in (*PER_TOKEN, "request", "image", "web_search")}
"""The points that are no tiers and no prices per unit, and the field of `Prices` that each is."""

DYNAMIC = "pricing.dynamic"

_parts = re.compile(r"(pricing\.(?:tiers|per_unit))\[(.*)\](?:\.(\w+))?", re.DOTALL)
_CONDITIONS = tuple(name for name in Tier.__struct_fields__ if name not in PER_TOKEN)


def numbers(prices: Prices) -> dict[str, Decimal]:
    """Every number of a price document, by point."""
    if prices is NO_PRICES:
        return {}
    found = {point: value for point, value in zip(FLAT, _flat(prices), strict=True) if value is not None}
    for tier in prices.tiers:
        when = condition_of(tier)
        found.update({_of_tier(when, name): value for name in PER_TOKEN if (value := getattr(tier, name)) is not None})
    if prices.per_unit:
        found.update({point: price.usd for point, price in _units(prices)})
    return found


_flat = attrgetter(*FLAT.values())


def changed(prices: Prices, values: Mapping[str, Decimal | None], source: Prices) -> Prices:
    """`prices` with other numbers at some points; None takes a number away.

    What a new tier's condition or a new unit is comes from `source`, another document that has the point.
    """
    if not values:
        return prices
    flat = {FLAT[point]: value for point, value in values.items() if point in FLAT}
    tiers = _changed_tiers(prices, values, source) if any(point.startswith("pricing.tiers[") for point in values) else prices.tiers
    units = _changed_units(prices, values, source) if any(point.startswith("pricing.per_unit[") for point in values) else prices.per_unit
    dynamic = {"dynamic": False} if DYNAMIC in values else {}
    return msgspec.structs.replace(prices, **flat, **dynamic, tiers=tiers, per_unit=units)


def is_per_token(point: str) -> bool:
    """Whether a point is USD per token."""
    return FLAT.get(point) in PER_TOKEN or point.startswith("pricing.tiers[")


def flat_point(point: str) -> str:
    """The flat price that a tier's price stands in for; every other point is its own."""
    match = _parts.fullmatch(point)
    return PRICE_COLUMNS.get(match[3], f"pricing.{match[3]}") if match and match[3] else point


def split(point: str) -> tuple[str, str]:
    """A point's field and condition, as `last_prices` has them: `pricing.tiers.prompt` and `above 200000`."""
    match = _parts.fullmatch(point)
    if match is None:
        return point, ""
    return (f"{match[1]}.{match[3]}" if match[3] else match[1]), match[2]


def field_of(point: str) -> str:
    """The field of a change that has a point: all tiers are one, and all prices per unit."""
    return "pricing.tiers" if point.startswith("pricing.tiers[") else split(point)[0]


def joined(field: str, condition: str) -> str:
    """The point with this field and condition; the inverse of `split`."""
    if field == "pricing.per_unit":
        return f"{field}[{condition}]"
    head, _, name = field.rpartition(".")
    return f"{head}[{condition}].{name}" if head == "pricing.tiers" else field


def _of_tier(when: str, name: str) -> str:
    return f"pricing.tiers[{when}].{name}"


def _units(prices: Prices) -> Iterator[tuple[str, UnitPrice]]:
    """The prices per unit by point: named by what is counted, and by the unit too where that alone says nothing or is there twice."""
    names = [price.what or price.per for price in prices.per_unit]
    for name, price in zip(names, prices.per_unit, strict=True):
        yield f"pricing.per_unit[{name if names.count(name) == 1 else f'{price.per} {price.what}'}]", price


def _changed_tiers(prices: Prices, by_point: Mapping[str, Decimal | None], source: Prices) -> tuple[Tier, ...]:
    bases = {condition_of(tier): tier for tier in (*prices.tiers, *_bare(source.tiers, prices.tiers))}
    tiers: list[Tier] = []
    for when, tier in bases.items():
        values: dict[str, Any] = {name: by_point[point] for name in PER_TOKEN if (point := _of_tier(when, name)) in by_point}
        new = msgspec.structs.replace(tier, **values) if values else tier
        if any(getattr(new, name) is not None for name in PER_TOKEN) or (tier in prices.tiers and not values):
            tiers.append(new)
    return tuple(sorted(tiers, key=lambda tier: (tier.above or 0, condition_of(tier)))) if len(bases) > len(prices.tiers) else tuple(tiers)


def _bare(tiers: Iterable[Tier], others: Iterable[Tier]) -> Iterator[Tier]:
    """The tiers whose condition none of `others` has, without their prices."""
    known = {condition_of(tier) for tier in others}
    for tier in tiers:
        if condition_of(tier) not in known:
            yield Tier(**{name: getattr(tier, name) for name in _CONDITIONS})


def _changed_units(prices: Prices, by_point: Mapping[str, Decimal | None], source: Prices) -> tuple[UnitPrice, ...]:
    bases = {**dict(_units(source)), **dict(_units(prices))}
    present = {point for point, _ in _units(prices)}
    units = (
        msgspec.structs.replace(price, usd=usd)
        for point, price in bases.items()
        if (usd := by_point.get(point, price.usd if point in present else None)) is not None
    )
    return tuple(sorted(units, key=lambda price: price.what))
