"""Prices side by side: each as it was believed last and as it is claimed now, how far apart they are, and how people read them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from statistics import median

import msgspec

from modelsync.model.model import NO_PRICES, Prices, claimed, price_facts
from modelsync.model.points import PRICE_NAMES, flat_point, is_per_token, numbers
from modelsync.model.prices import HIGHEST_PER_TOKEN, HIGHEST_PER_UNIT, LOWEST_PER_TOKEN
from modelsync.planning.plan import Change, is_corrected


class Pair(msgspec.Struct, frozen=True):
    """One price as it was believed last and as it is claimed now, USD per token or per its own unit.

    `beside` is the flat price that a tier of which nothing was believed yet stands in for; `ordinary` what the same tokens cost without
    the cache or the reasoning that the price is for, of which nothing was believed yet. `replaces` says that a price per one unit came in
    the place of those per other units.
    """

    field: str
    old: Decimal | None
    new: Decimal
    beside: Decimal | None = None
    ordinary: Decimal | None = None
    replaces: bool = False

    @property
    def per_token(self) -> bool:
        """Whether it is USD per token."""
        return is_per_token(self.field)

    @property
    def base(self) -> Decimal | None:
        """What the new price is compared with."""
        return self.beside if self.old is None else self.old


def repriced(changes: Iterable[Change]) -> list[Change]:
    """The changes that claim another price than the one that is known."""
    return [change for change in changes if change.stated is not None and change.model.prices != known_prices(change) and _differ(change)]


def out_of_bounds(changes: Iterable[Change]) -> list[str]:
    """The models with a believed price out of bounds that moves: an accident, or a person's word."""
    known = (change for change in changes if change.before is not None)
    return [change.id for change in known if any(pair.old is not None and not is_in_bounds(pair.old, pair) for pair in pairs_of(change))]


def powers(moved: Iterable[Sequence[Pair]]) -> Counter[int]:
    """How many models moved by which powers of ten."""
    return Counter(power for pairs in moved for power in {power_of_ten(pair.old, pair.new) for pair in pairs} - {0})


def is_beside(known: Mapping[str, Decimal], point: str, shown: str | None) -> bool:
    """Whether the price that was shown as the old one is still the one that is believed, by what is known of all points.

    One without a price of its own was shown beside what its tokens cost otherwise, or beside the flat price that was claimed with it.
    """
    old = known.get(point)
    beside = _beside(point, known) if old is None else [old]
    if beside:
        return shown is not None and Decimal(shown) in beside
    return shown is None or flat_point(point) != point


def known_prices(change: Change) -> Prices:
    """The price that is believed before a change."""
    return change.before.believed.prices if change.before else NO_PRICES


def known_numbers(change: Change) -> Mapping[str, Decimal]:
    """The same by point, with what was believed last of prices that do not stand."""
    return change.before.believed_numbers if change.before else {}


def _differ(change: Change) -> bool:
    return price_facts(claimed(change.model.prices)) != price_facts(known_prices(change))


def pairs_of(change: Change) -> Iterator[Pair]:
    """Every claimed price that is not the one that was believed last, beside that; a new tier's beside the flat price."""
    known, claims = known_numbers(change), numbers(claimed(change.model.prices))
    live = numbers(known_prices(change)) if change.before and change.before.last else known
    read = {point: usd for point in known if (usd := claims.get(point) if is_corrected(change, point) else known[point]) is not None}
    for point, new in claims.items():
        old = known.get(point)
        if live.get(point) == new:
            continue
        flat = flat_point(point)
        ordinary = None if old else _ORDINARY.get(flat)
        beside = None
        if old is None:
            beside = nearest(point, new, read, claims)
        yield Pair(
            point,
            old,
            new,
            beside,
            None if ordinary is None else read.get(ordinary) or claims.get(ordinary),
            old is None and _is_per_piece(point) and _is_replaced(change, live, read),
        )


def nearest(point: str, new: Decimal, known: Mapping[str, Decimal], claims: Mapping[str, Decimal]) -> Decimal | None:
    """What a tier's price is compared with of which nothing was believed yet; nothing for every other price."""
    flat = flat_point(point)
    near = _beside(point, known)
    if near:
        return min(near, key=lambda usd: _distance(usd, new))
    return claims.get(flat) if flat != point else None


def _beside(point: str, known: Mapping[str, Decimal]) -> list[Decimal]:
    """What a tier's tokens cost otherwise, by what is believed: the flat price, or where there is none, each other tier's."""
    flat = flat_point(point)
    if flat == point:
        return []
    if known.get(flat):
        return [known[flat]]
    return [usd for other, usd in known.items() if usd and flat_point(other) == flat]


def _distance(one: Decimal, other: Decimal) -> Decimal:
    """How many times one price is another one; from a free one each is far."""
    return factor(one, other) if one and other else Decimal("Infinity")


def _is_per_piece(point: str) -> bool:
    """Whether it is the price of a picture, a request, a second …"""
    return point in ("pricing_image", "pricing_request") or point.startswith("pricing.per_unit[")


def _is_replaced(change: Change, live: Mapping[str, Decimal], known: Mapping[str, Decimal]) -> bool:
    """Whether a price per piece is not stated any more: the new one may be the same, or be per another piece.

    One that stands; where none does, one that was believed last.
    """
    stated = numbers(claimed(change.stated.prices)) if change.stated else {}
    pieces = [point for point, usd in known.items() if usd and _is_per_piece(point)]
    return any(point not in stated for point in [point for point in pieces if point in live] or pieces)


_ORDINARY = {
    "pricing.cache_read": "pricing_prompt",
    "pricing.cache_write": "pricing_prompt",
    "pricing.cache_write_1h": "pricing_prompt",
    "pricing.reasoning": "pricing_completion",
    "pricing.audio_cache_read": "pricing.audio_input",
}


def prices_of(pair: Pair, elsewhere: Sequence[Prices]) -> list[Decimal]:
    """The same price at other providers."""
    name = PRICE_NAMES.get(pair.field)
    return [value for prices in elsewhere if name and (value := getattr(prices, name)) is not None]


def median_of(pair: Pair, elsewhere: Sequence[Prices]) -> Decimal | None:
    """The middle of what others charge for the same, above zero; None when nobody lists it."""
    prices = [price for price in prices_of(pair, elsewhere) if price]
    return median(prices) if prices else None


def is_in_bounds(value: Decimal, pair: Pair) -> bool:
    """Whether any model could cost this, USD per token or per the pair's own unit."""
    return value.is_zero() or (LOWEST_PER_TOKEN <= value <= HIGHEST_PER_TOKEN if pair.per_token else 0 < value <= HIGHEST_PER_UNIT)


def factor(one: Decimal, other: Decimal) -> Decimal:
    """How many times the one is the other, at least 1. Both are above zero."""
    return max(one / other, other / one)


def power_of_ten(old: Decimal | None, new: Decimal) -> int:
    """n where new is exactly old times 10 to the n, otherwise 0."""
    if not old or not new:
        return 0
    (one, power_of_one), (other, power_of_other) = _digits(old), _digits(new)
    return power_of_other - power_of_one if one == other else 0


def _digits(value: Decimal) -> tuple[tuple[int, ...], int]:
    """The significant digits of a number, and the power of ten of the last of them."""
    _, digits, exponent = value.as_tuple()
    end = len(digits)
    while end > 1 and digits[end - 1] == 0:
        end -= 1
    return digits[:end], int(exponent) + len(digits) - end


def ratio(old: Decimal, new: Decimal) -> str:
    """How many times more or less, in words."""
    return f"×{_short(new / old)}" if new > old else f"÷{_short(old / new)}"


def _short(value: Decimal) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}".rstrip("0").rstrip(".")


def pair_text(pair: Pair) -> str:
    """Both sides in words; per token in USD per million tokens."""
    old = "unknown" if pair.base is None else usd_text(pair.base, per_token=pair.per_token)
    return f"{old} → {usd_text(pair.new, per_token=pair.per_token)}{' per 1M tokens' if pair.per_token else ''}"


def digits(value: Decimal) -> str:
    """A number in plain digits, none of them superfluous."""
    return f"{value.normalize():f}"


def usd_text(value: Decimal, *, per_token: bool) -> str:
    """USD in words; per token per million tokens."""
    amount = (value * 1_000_000 if per_token else value).normalize()
    return f"${amount:,f}"
