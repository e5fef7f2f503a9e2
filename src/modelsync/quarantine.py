"""Prices that are not believed by themselves: the old price stays, the stated one waits beside it.

The numbers come from 1,786 real price edits: all visible unit mistakes are factors of a thousand or more, one edit in thirty is over ten.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import msgspec

from modelsync.layers import PRICE_COLUMNS
from modelsync.model import NO_PRICES, PER_TOKEN, Model, Prices, Tier, UnitPrice, claimed, price_facts
from modelsync.money import HIGHEST_PER_TOKEN, HIGHEST_PER_UNIT, LOWEST_PER_TOKEN
from modelsync.plan import Change, Hold

PRICE = "price"
UNIT_CHANGE = "unit-change"
KINDS = (PRICE, UNIT_CHANGE)
"""The kinds of holds about prices."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a price is not believed: it moved by `factor` or more, or is `median_factor` or more off its median at other providers.

    It is released by itself once two later listings, `release_hours` apart, state the same and another provider agrees within
    `agree_factor`. When `unit_share` of a provider's prices move by the same power of ten, none of its changes are believed.
    """

    factor: Decimal = Decimal(10)
    median_factor: Decimal = Decimal(100)
    agree_factor: Decimal = Decimal(3)
    release_hours: float = 6.0
    unit_share: float = 0.3


class Standing(msgspec.Struct, frozen=True):
    """A price hold that stands: what it is about, and when a later listing first stated the same."""

    detail: Mapping[str, Any]
    agreed_at: datetime | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a judgement needs beside a change: the time, prices of the same models elsewhere, what stands and what was refused, by id.

    `priced` is the number of the provider's models with a price. `refused_units` are the details of changes of unit that a person refused.
    """

    now: datetime | None = None
    elsewhere: Mapping[str, Sequence[Prices]] = {}
    priced: int = 0
    standing: Mapping[str, Standing] = {}
    refused: Mapping[str, Mapping[str, Any]] = {}
    refused_units: Sequence[Mapping[str, Any]] = ()


class Judged(msgspec.Struct, frozen=True):
    """Changes with every unbelieved price taken back, the holds for a person, and those that a person has refused before."""

    changes: tuple[Change, ...]
    holds: tuple[Hold, ...] = ()
    rejected: tuple[Hold, ...] = ()


class Pair(msgspec.Struct, frozen=True):
    """One price as it is known and as it is claimed now, USD per token or per its own unit."""

    field: str
    old: Decimal | None
    new: Decimal
    per_token: bool


def repriced(changes: Iterable[Change]) -> list[Change]:
    """The changes that claim another price than the one that is known."""
    return [change for change in changes if change.stated is not None and change.model.prices != _known(change) and _differ(change)]


def powers_of_ten(changes: Iterable[Change]) -> Counter[int]:
    """How many models have a price that moved by exactly 10 to the n, by n."""
    found: Counter[int] = Counter()
    for change in changes:
        if change.before is not None:
            found.update({_power(pair.old, pair.new) for pair in _moved(_known(change), claimed(change.model.prices))} - {0})
    return found


def same_model(model: Model) -> frozenset[str]:
    """The names by which a model is known at other providers too: the last parts of its id and of its repository."""
    names = (model.id, model.hugging_face_id)
    return frozenset(last_part(name) for name in names if name)


def last_part(name: str) -> str:
    """The part of an id that providers share: `openai/GPT-4o` is `gpt-4o`."""
    return name.rpartition("/")[2].casefold()


def judge(changes: tuple[Change, ...], evidence: Evidence, limits: Limits) -> Judged:
    """Every price change believed or held."""
    moving = {change.id for change in repriced(changes)}
    power = _unit_change((change for change in changes if change.id in moving), evidence.priced, limits)
    if power:
        return _all_held(changes, moving, power, evidence)
    kept: list[Change] = []
    holds: list[Hold] = []
    rejected: list[Hold] = []
    for change in changes:
        hold = _doubted(change, evidence, limits) if change.id in moving else None
        kept.append(_as_known(change) if hold else change)
        if hold and evidence.refused.get(change.id) == hold.detail:
            rejected.append(hold)
        elif hold:
            holds.append(hold)
    return Judged(tuple(kept), tuple(holds), tuple(rejected))


def _unit_change(moving: Iterable[Change], priced: int, limits: Limits) -> int | None:
    """The power of ten by which so many prices moved together that the unit must have changed."""
    found = powers_of_ten(moving).most_common(1)
    if not found or found[0][1] < 2 or found[0][1] < limits.unit_share * priced:
        return None
    return found[0][0]


def _all_held(changes: tuple[Change, ...], moving: set[str], power: int, evidence: Evidence) -> Judged:
    kept = tuple(_as_known(change) if change.id in moving else change for change in changes)
    detail = {change.id: _detail(_moved(_known(change), claimed(change.model.prices))) for change in changes if change.id in moving}
    factor = f"×{10**power:,}" if power > 0 else f"÷{10**-power:,}"
    hold = Hold(
        UNIT_CHANGE,
        f"prices moved by {factor} together, so the unit must have changed; {len(moving):,} price changes are held",
        "The old prices stay. Confirm it only if the provider really changed its prices so; no later listing can do that by itself",
        tuple(sorted(moving)),
        detail,
    )
    refused = any(detail.items() <= each.items() for each in evidence.refused_units)
    return Judged(kept, rejected=(hold,)) if refused else Judged(kept, holds=(hold,))


def _detail(pairs: Iterable[Pair]) -> dict[str, list[str | None]]:
    return {pair.field: [_digits(pair.old), _digits(pair.new)] for pair in pairs}


def _doubted(change: Change, evidence: Evidence, limits: Limits) -> Hold | None:
    known, claims = _known(change), claimed(change.model.prices)
    elsewhere = evidence.elsewhere.get(change.id, ())
    paid = any(price_facts(known)[:_FLAT_ONES]) or any(price.usd for price in known.per_unit)
    doubts = {pair: reason for pair in _moved(known, claims) if (reason := _doubt(pair, _median(pair, elsewhere), limits, paid=paid))}
    if not doubts:
        return None
    detail = _detail(doubts)
    if _is_released(detail, doubts, evidence.standing.get(change.id), elsewhere, evidence.now, limits):
        return None
    told = "; ".join(f"{pair.field} {_told(pair)} ({reason})" for pair, reason in doubts.items())
    stays = "Its price is unknown until then" if known == NO_PRICES else "The old price stays"
    return Hold(PRICE, f"{change.id}: {told}", f"{stays}. {_way_out(doubts, elsewhere, limits)}", (change.id,), detail)


def _doubt(pair: Pair, middle: Decimal | None, limits: Limits, *, paid: bool) -> str | None:
    """Why a price is not believed; None when it is."""
    old, new = pair.old, pair.new
    if not _is_plausible(new, per_token=pair.per_token):
        bounds = (LOWEST_PER_TOKEN, HIGHEST_PER_TOKEN) if pair.per_token else (Decimal(0), HIGHEST_PER_UNIT)
        return f"outside {' to '.join(_usd(bound, per_token=pair.per_token) for bound in bounds)}"
    if old is not None and _leaves_an_accident(pair, middle, limits):
        return None
    if old and not new:
        return "it was not free before"
    if old is not None and new and not old and paid:
        return "it was free before"
    if old and new and _factor(old, new) >= limits.factor:
        return f"{_ratio(old, new)} at once"
    if middle and new and _factor(middle, new) >= limits.median_factor:
        return f"{_ratio(middle, new)} compared with other providers"
    return None


def _leaves_an_accident(pair: Pair, middle: Decimal | None, limits: Limits) -> bool:
    """Whether the old price was the implausible one: out of bounds, or far from what the model costs elsewhere while the new one is not."""
    assert pair.old is not None  # noqa: S101 - the caller has looked
    if not _is_plausible(pair.old, per_token=pair.per_token):
        return True
    if not (middle and pair.old and pair.new):
        return False
    return _factor(middle, pair.old) >= limits.median_factor > _factor(middle, pair.new)


def _is_released(
    detail: Mapping[str, Any],
    doubts: Iterable[Pair],
    standing: Standing | None,
    elsewhere: Sequence[Prices],
    now: datetime | None,
    limits: Limits,
) -> bool:
    """Whether two later listings said the same, long enough apart, and another provider agrees on every price in doubt."""
    if standing is None or standing.detail != detail or standing.agreed_at is None or now is None:
        return False
    long_enough = now - standing.agreed_at >= timedelta(hours=limits.release_hours)
    return long_enough and all(any(_agrees(pair.new, price, limits) for price in _prices_of(pair, elsewhere)) for pair in doubts)


def _agrees(new: Decimal, other: Decimal, limits: Limits) -> bool:
    return new == other if not (new and other) else _factor(new, other) <= limits.agree_factor


def _way_out(doubts: Iterable[Pair], elsewhere: Sequence[Prices], limits: Limits) -> str:
    if all(_prices_of(pair, elsewhere) for pair in doubts):
        return (
            f"It is believed once two later listings, {limits.release_hours:g} hours apart, state the same and another provider "
            "agrees; or confirm or reject it"
        )
    return "No other provider lists this price, so it waits for you: confirm or reject it"


# Prices side by side


def _known(change: Change) -> Prices:
    return change.before.believed.prices if change.before else NO_PRICES


def _differ(change: Change) -> bool:
    return price_facts(claimed(change.model.prices)) != price_facts(_known(change))


def _as_known(change: Change) -> Change:
    """The change without its price."""
    model = msgspec.structs.replace(change.model, prices=_known(change))
    return msgspec.structs.replace(change, model=model, held=True)


_FLAT = tuple((PRICE_COLUMNS.get(name, f"pricing.{name}"), name in PER_TOKEN) for name in (*PER_TOKEN, "request", "image", "web_search"))
_FLAT_ONES = len(_FLAT)
"""The first of the facts of a price are its flat ones, in this order."""


def _moved(known: Prices, claims: Prices) -> Iterator[Pair]:
    """Every claimed price that is not the known one, beside that: flat prices, tiers (a new one beside the flat price), other units."""
    for (field, per_token), old, new in zip(_FLAT, price_facts(known), price_facts(claims), strict=False):
        if new is not None and old != new:
            assert isinstance(new, Decimal) and (old is None or isinstance(old, Decimal))  # noqa: S101, PT018 - the flat ones are numbers
            yield Pair(field, old, new, per_token)
    if claims.tiers != known.tiers:
        yield from _moved_tiers(known, claims)
    if claims.per_unit != known.per_unit:
        yield from _moved_units(known, claims)


def _moved_tiers(known: Prices, claims: Prices) -> Iterator[Pair]:
    old_tiers = {_condition(tier): tier for tier in known.tiers}
    for tier in claims.tiers:
        for name in PER_TOKEN:
            new = getattr(tier, name)
            if new is not None:
                old = getattr(old_tiers.get(_condition(tier)), name, None)
                base = old if old is not None else getattr(known, name) or getattr(claims, name)
                if base != new:
                    yield Pair(f"pricing.tiers[{_named(tier)}].{name}", base, new, True)


def _moved_units(known: Prices, claims: Prices) -> Iterator[Pair]:
    old_units = {_unit(price): price.usd for price in known.per_unit}
    for price in claims.per_unit:
        old = old_units.get(_unit(price))
        if old != price.usd:
            yield Pair(f"pricing.per_unit[{price.what or price.per}]", old, price.usd, False)


def _condition(tier: Tier) -> tuple[int | None, int | None, int | None]:
    return tier.above, tier.utc_start, tier.utc_end


def _named(tier: Tier) -> str:
    return f"above {tier.above}" if tier.above is not None else f"{tier.utc_start}-{tier.utc_end} UTC"


def _unit(price: UnitPrice) -> tuple[str, str]:
    return price.per, price.what


_NAMES = {column: name for name, column in PRICE_COLUMNS.items()}


def _prices_of(pair: Pair, elsewhere: Sequence[Prices]) -> list[Decimal]:
    """The same price at other providers."""
    name = _NAMES.get(pair.field)
    return [value for prices in elsewhere if name and (value := getattr(prices, name)) is not None]


def _median(pair: Pair, elsewhere: Sequence[Prices]) -> Decimal | None:
    found = [price for price in _prices_of(pair, elsewhere) if price]
    return median(found) if found else None


def _is_plausible(value: Decimal, *, per_token: bool) -> bool:
    return value.is_zero() or (LOWEST_PER_TOKEN <= value <= HIGHEST_PER_TOKEN if per_token else 0 < value <= HIGHEST_PER_UNIT)


def _factor(one: Decimal, other: Decimal) -> Decimal:
    return max(one / other, other / one)


def _power(old: Decimal | None, new: Decimal) -> int:
    """n where new is exactly old times 10 to the n, otherwise 0."""
    if not old or not new:
        return 0
    power = round((new / old).log10())
    return power if old.scaleb(power) == new else 0


def _ratio(old: Decimal, new: Decimal) -> str:
    return f"×{_short(new / old)}" if new > old else f"÷{_short(old / new)}"


def _short(value: Decimal) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}".rstrip("0").rstrip(".")


def _told(pair: Pair) -> str:
    old = "unknown" if pair.old is None else _usd(pair.old, per_token=pair.per_token)
    return f"{old} → {_usd(pair.new, per_token=pair.per_token)}{' per 1M tokens' if pair.per_token else ''}"


def _digits(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _usd(value: Decimal, *, per_token: bool) -> str:
    amount = (value * 1_000_000 if per_token else value).normalize()
    return f"${amount:,f}"
