"""What stands in the catalog: what a provider states, over it what it stated before, over that what operators pinned."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.points import DYNAMIC, changed, numbers


class Unstated(msgspec.Struct, frozen=True):
    """Since when, and since which complete listing, something is not stated any more."""

    since: datetime
    seq: int


class Upstream(msgspec.Struct, frozen=True):
    """The upstream values of a model that does not simply stand as the provider said last.

    `stated` is what it said last; `believed` stands where no pin says otherwise; `unstated` are the points of its price no longer stated.
    """

    stated: Model
    believed: Model
    unstated: Mapping[str, Unstated] = {}


# Not stated is not erased


def effective(stated: Model, known: Model) -> Model:
    """What is believed: what the provider states, and for all that it does not state, what was known before."""
    unstated = {
        name: getattr(known, name) for name in Model.__struct_fields__ if getattr(stated, name) is None and getattr(known, name) is not None
    }
    return msgspec.structs.replace(stated, **unstated, prices=effective_prices(stated.prices, known.prices))


def effective_prices(stated: Prices, known: Prices) -> Prices:
    """The same of a price: what is stated, and at the points that are not stated, what was known before."""
    if stated.dynamic:
        return stated
    if not stated.stated:
        return msgspec.structs.replace(known, others=stated.others or known.others, incomplete=stated.incomplete, problems=stated.problems)
    now = numbers(stated)
    return changed(stated, {point: usd for point, usd in numbers(known).items() if point not in now}, known)


def unstated_points(stated: Prices, believed: Prices) -> Iterable[str]:
    """The points of a price that are believed and not stated, a tier's and a unit's each for itself.

    What is only kept as received follows the provider by itself.
    """
    now = numbers(stated)
    yield from (point for point in numbers(believed) if point not in now)
    if believed.dynamic and not stated.dynamic:
        yield DYNAMIC


def without_prices(prices: Prices, points: Iterable[str]) -> Prices:
    """The same with the prices at some points unknown."""
    return changed(prices, dict.fromkeys(points), prices)
