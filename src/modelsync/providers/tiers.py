"""Prices that hold under a condition, beside the flat ones. What is not understood costs its own tier only, and is named."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from modelsync.model.model import PER_TOKEN, Prices, tier_of
from modelsync.model.prices import Price, canonical, read_prices, says_nothing

_PRICE = re.compile("pric|cost|fee", re.IGNORECASE)


def read_tier(table: Mapping[str, Price], wire: Mapping[str, msgspec.Raw], **reading: Any) -> Prices:
    """The prices of one tier, read as `read_prices` does. A tier has prices per token only: any other is kept as received."""
    return read_prices({field: price for field, price in table.items() if price.to in PER_TOKEN}, wire, claims=False, **reading)


def with_tier(flat: Prices, name: str, read: Prices, **condition: Any) -> Prices:
    """`flat` with one more tier. `name` is where the wire has it: `overrides[0]`; its texts and what was not read go below that name.

    Without a name, the fields of the tier have names of their own on the wire.
    """
    has_prices = any(getattr(read, field) is not None for field in PER_TOKEN)
    return msgspec.structs.replace(
        flat,
        tiers=(*flat.tiers, tier_of(read, **condition)) if has_prices else flat.tiers,
        others=flat.others | _below(name, read.others),
        incomplete=_names(flat, *(_path(name, field) for field in read.incomplete)),
        raw=flat.raw | _below(name, read.raw),
        problems=(*flat.problems, *read.problems),
    )


def with_unread(flat: Prices, name: str, raw: bytes, *, label: str | None = None) -> Prices:
    """`flat` beside something that a call may pay and that is not understood: kept as received under its `name` on the wire.

    `label` is the name that people are shown, where one says more: `overrides.season` instead of `overrides[1]`.
    """
    if says_nothing(raw):
        return flat
    return msgspec.structs.replace(flat, others=flat.others | {name: canonical(raw)}, incomplete=_names(flat, label or name))


def with_new_prices(flat: Prices, rest: Mapping[str, object]) -> Prices:
    """`flat` beside those undeclared fields of a row that are called prices or costs: for rows whose prices are fields of their own."""
    for name, value in rest.items():
        if _PRICE.search(name):
            flat = with_unread(flat, name, msgspec.json.encode(value))
    return flat


def _below(name: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {_path(name, field): text for field, text in texts.items()}


def _path(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field


def _names(flat: Prices, *more: str) -> tuple[str, ...]:
    return tuple(sorted({*flat.incomplete, *more}))
