"""When a price is not believed by itself, and when it is after all.

The numbers come from 1,786 real price edits: all visible unit mistakes are factors of a thousand or more, one edit in thirty is over ten.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from modelsync.model.model import Prices
from modelsync.model.prices import HIGHEST_PER_TOKEN, HIGHEST_PER_UNIT, LOWEST_PER_TOKEN
from modelsync.planning.holding import Standing
from modelsync.planning.pairs import Pair, factor, is_in_bounds, prices_of, ratio, usd_text

FIRST_SIGHT_PER_UNIT = {"pricing_request": Decimal(1), "pricing_image": Decimal(1), "pricing.web_search": Decimal(1)}
"""Above this (USD) a first price per request, image or search is not believed: the dearest ones known are 0.035, 0.22 and 0.035."""


ANY_FIRST_SIGHT = Decimal(100)
"""The same of every other unit: the dearest known is a few dollars for a video."""


class PriceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When a price is not believed: it moved by `factor` or more, or is `median_factor` or more off its median at other providers.

    So is one per token above `first_sight` (USD per token) of which no number was believed before: the dearest list price known is 6e-4;
    and one of another unit above FIRST_SIGHT_PER_UNIT.
    It is released by itself once two later listings, `release_hours` apart, state the same and another provider agrees within
    `agree_factor`. When `unit_share` of a provider's prices move by the same power of ten, none of these are believed.
    """

    factor: Decimal = Decimal(10)
    first_sight: Decimal = Decimal("1e-3")
    median_factor: Decimal = Decimal(100)
    agree_factor: Decimal = Decimal(3)
    release_hours: float = 6.0
    unit_share: float = 0.3


def doubt(pair: Pair, middle: Decimal | None, limits: PriceLimits, *, paid: bool, meant: bool) -> str | None:
    """Why a price is not believed; None when it is. `meant` says that a person confirmed the old one."""
    old, new = pair.base, pair.new
    if pair.old == new:  # it was believed before, and only did not stand for a while
        return None
    if not is_in_bounds(new, pair):
        bounds = (LOWEST_PER_TOKEN, HIGHEST_PER_TOKEN) if pair.per_token else (Decimal(0), HIGHEST_PER_UNIT)
        return f"outside {' to '.join(usd_text(bound, per_token=pair.per_token) for bound in bounds)}"
    at_first = _doubt_at_first_sight(pair, limits)
    if at_first:
        return at_first
    if pair.old is not None and not is_in_bounds(pair.old, pair) and not meant:  # an accident is never kept
        return None
    if old and not new:
        return "it was not free before"
    if old is not None and new and not old and paid:
        return "it was free before"
    if old and new and factor(old, new) >= limits.factor:
        return f"{ratio(old, new)} at once"
    if middle and new and factor(middle, new) >= limits.median_factor:
        return f"{ratio(middle, new)} compared with other providers"
    return None


def _doubt_at_first_sight(pair: Pair, limits: PriceLimits) -> str | None:
    """Why a price is not believed of which no number above zero was believed before."""
    highest = limits.first_sight if pair.per_token else FIRST_SIGHT_PER_UNIT.get(pair.field, ANY_FIRST_SIGHT)
    if not pair.old and pair.new > highest:
        return f"above {usd_text(highest, per_token=pair.per_token)}, which no known model costs"
    if pair.ordinary and pair.new / pair.ordinary >= limits.factor:
        return f"{ratio(pair.ordinary, pair.new)} compared with ordinary tokens"
    return "it was billed by another unit before" if pair.replaces else None


def is_released(
    doubts: Iterable[Pair], standing: Standing | None, elsewhere: Sequence[Prices], now: datetime | None, limits: PriceLimits
) -> bool:
    """Whether two later listings said the same, long enough apart, and another provider agrees on every price in doubt."""
    if standing is None or standing.agreed_at is None or now is None:
        return False
    long_enough = now - standing.agreed_at >= timedelta(hours=limits.release_hours)
    return long_enough and all(any(_agrees(pair.new, price, limits) for price in prices_of(pair, elsewhere)) for pair in doubts)


def _agrees(new: Decimal, other: Decimal, limits: PriceLimits) -> bool:
    return new == other if not (new and other) else factor(new, other) <= limits.agree_factor


def way_out(doubts: Iterable[Pair], elsewhere: Sequence[Prices], limits: PriceLimits) -> str:
    """What ends a hold of these prices, in words."""
    if all(prices_of(pair, elsewhere) for pair in doubts):
        return (
            f"It is believed once two later listings, {limits.release_hours:g} hours apart, state the same and another provider "
            "agrees; or confirm or reject it"
        )
    return "No other provider lists this price, so it needs your review: confirm or reject it"
