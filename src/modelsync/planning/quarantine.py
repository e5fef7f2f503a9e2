"""Prices that are not believed by themselves: the old price stays, the stated one waits beside it."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from modelsync.model.model import Prices, claimed
from modelsync.model.points import DYNAMIC, changed, numbers
from modelsync.planning.cases import Case, Evidence, cases_of
from modelsync.planning.doubts import PriceLimits, doubt, is_released, way_out
from modelsync.planning.holding import PRICE, UNIT_CHANGE, Content, Hold, Refusal, Standing
from modelsync.planning.layers import effective_prices
from modelsync.planning.pairs import (
    Pair,
    digits,
    known_numbers,
    median_of,
    nearest,
    pair_text,
    power_of_ten,
    repriced,
)
from modelsync.planning.plan import Change, StoredModel
from modelsync.planning.unit_changes import Doubts, UnitChange, has_slipped, is_asked, left_as_they_are, unit_change, unit_changes


class Judged(msgspec.Struct, frozen=True, gc=False):
    """Changes with every unbelieved price taken back, the holds for a person, and what a person has refused before."""

    changes: tuple[Change, ...]
    holds: tuple[Hold, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def judge(changes: tuple[Change, ...], evidence: Evidence, limits: PriceLimits) -> Judged:
    """Every price change believed, held or refused, in this order: what a person refused stays out before any rule could let it in."""
    cases = cases_of(repriced(changes), evidence.standing)
    power = unit_change([(case.change, case.open) for case in cases.values()], evidence.priced, limits)
    doubts = {row_id: doubted for row_id, case in cases.items() if (doubted := _doubts(case, power, evidence, limits))}
    units = unit_changes(cases, doubts, power, evidence)
    if units or has_slipped(cases, doubts, evidence, limits):
        doubts = {row_id: doubted for row_id, case in cases.items() if (doubted := _with_first_prices(case, doubts.get(row_id, {})))}
    left = left_as_they_are(doubts, evidence)
    asks = {row_id: {pair: why for pair, why in doubted.items() if not is_asked(row_id, pair, left)} for row_id, doubted in doubts.items()}
    holds = [*map(_as_it_is, left), *_holds(cases, asks, units, evidence, limits)]
    held = {row_id for hold in holds for row_id in hold.ids}
    kept = tuple(
        _judged(change, cases[change.id], doubts.get(change.id, {}) if change.id in held else {}) if change.id in cases else change
        for change in changes
    )
    return Judged(kept, tuple(holds), tuple(_refusals(cases.values())))


def _holds(cases: Mapping[str, Case], asks: Doubts, units: Iterable[UnitChange], evidence: Evidence, limits: PriceLimits) -> list[Hold]:
    """What a person is asked: of each change of unit together, of each other model by itself."""
    waiting = {row.content: row for row in evidence.standing if row.status == "open"}
    holds, together = list[Hold](), set[str]()
    for unit in units:
        moved = {row_id: asks[row_id] for row_id in sorted(unit.ids) if unit.moved(asks[row_id])}
        taken_back = any(cases[row_id].pending.get(pair) for row_id, doubted in moved.items() for pair in doubted)
        holds += [_unit_hold(moved, unit.power, needs_person=taken_back)] if moved else []
        together |= moved.keys()
    alone = (_hold(cases[row_id], ask, waiting, evidence, limits) for row_id, ask in asks.items() if ask and row_id not in together)
    return [*holds, *(hold for hold in alone if hold is not None)]


def _as_it_is(row: Standing) -> Hold:
    """A question that this listing neither ends nor changes, once more."""
    hint = "The old prices stay, and it waits as it was asked: this list does not show each of its prices"
    return Hold(row.kind, row.message, hint, row.ids, row.detail, row.needs_person)


def with_confirmed(believed: Prices, stated: Prices, points: Iterable[str]) -> Prices:
    """The believed price with what is claimed at the points that a person confirmed, and at no other.

    Whatever else is claimed is for the next listing to judge. Wire texts are kept only where they are those of every number.
    """
    claim = claimed(stated)
    whole = effective_prices(claim, believed)
    new: dict[str, Decimal | None] = {point: usd for point, usd in numbers(claim).items() if point in points}
    moved = changed(believed, {**new, DYNAMIC: None} if believed.dynamic and not claim.dynamic else new, claim)
    if numbers(whole) == numbers(moved) and whole.dynamic == moved.dynamic:
        return whole
    return msgspec.structs.replace(moved, raw={})


def _unit_hold(moved: Doubts, power: int | None, *, needs_person: bool) -> Hold:
    how = "together before, and none of them is back" if power is None else f"by {_tens(power)} together"
    whose = "the price of 1 model is" if len(moved) == 1 else f"the prices of {len(moved):,} models are"
    return Hold(
        UNIT_CHANGE,
        f"prices moved {how}, so the unit must have changed; {whose} held: {_some(moved)}",
        "The old prices stay. Confirm it only if the provider really changed its prices so; no later listing can do that by itself",
        tuple(moved),
        {row_id: _detail(doubts) for row_id, doubts in moved.items()},
        needs_person=needs_person,
    )


def _tens(power: int) -> str:
    return f"×{10**power:,}" if power > 0 else f"÷{10**-power:,}"


def _some(moved: Mapping[str, Iterable[Pair]]) -> str:
    """The first of many models, each with a price of it."""
    first = [
        f"{row_id} {pair.field} {pair_text(pair)}" for row_id, pairs in sorted(moved.items())[:3] for pair in itertools.islice(pairs, 1)
    ]
    return "; ".join([*first, "…"] if len(moved) > 3 else first)


def _detail(pairs: Iterable[Pair]) -> dict[str, list[str | None]]:
    return {pair.field: [None if pair.base is None else digits(pair.base), digits(pair.new)] for pair in pairs}


def _doubts(case: Case, power: int | None, evidence: Evidence, limits: PriceLimits) -> dict[Pair, str]:
    """What of a price is not believed, and why."""
    elsewhere = evidence.elsewhere.get(case.change.id, ())
    paid = any(usd for usd in known_numbers(case.change).values())
    reasons: dict[Pair, str] = {}
    for pair in case.open:
        meant = pair.old is not None and (pair.field, digits(pair.old)) in evidence.confirmed.get(case.change.id, ())
        reason = doubt(pair, median_of(pair, elsewhere), limits, paid=paid, meant=meant) or _of_the_list(pair, power)
        if reason or pair in case.pending:
            reasons[pair] = reason or ASKED
    return reasons


def _of_the_list(pair: Pair, power: int | None) -> str | None:
    """Why a price that moved with the unit of its list is not believed."""
    return "it moved with the others" if power and power_of_ten(pair.old, pair.new) == power else None


def _with_first_prices(case: Case, doubts: Mapping[Pair, str]) -> dict[Pair, str]:
    """What is doubted in a list whose unit changed: every first price too."""
    first = "first seen in a list whose unit changed"
    return {pair: doubts.get(pair, first) for pair in case.open if pair in doubts or (pair.old is None and pair.new)}


ASKED = "asked before, and only a person lets it in"


def _hold(
    case: Case, doubts: Mapping[Pair, str], waiting: Mapping[Content, Standing], evidence: Evidence, limits: PriceLimits
) -> Hold | None:
    """What a person is asked of one model's price; None when what `waiting` says of the same question releases it."""
    row_id, elsewhere = case.change.id, evidence.elsewhere.get(case.change.id, ())
    prices = "; ".join(f"{pair.field} {pair_text(pair)} ({reason})" for pair, reason in doubts.items())
    needs_person = any(case.pending.get(pair) for pair in doubts)
    was_asked = not case.pending.keys().isdisjoint(doubts)
    hint = f"{_meanwhile(case.known)}. {WAITS if was_asked else way_out(doubts, elsewhere, limits)}"
    hold = Hold(PRICE, f"{row_id}: {prices}", hint, (row_id,), _detail(doubts), needs_person)
    return None if not was_asked and is_released(doubts, waiting.get(hold.content), elsewhere, evidence.now, limits) else hold


WAITS = "It needs your review: confirm or reject it"


def asked_anew(kind: str, models: Mapping[str, StoredModel], claims: Mapping[str, Mapping[str, str]]) -> Hold | None:
    """The question about prices that are not denied, as points with their digits, beside what is believed now; None when all are."""
    prices = {row_id: pairs for row_id, before in models.items() if (pairs := _not_denied(before, claims[row_id]))}
    details = {row_id: _detail(pairs) for row_id, pairs in sorted(prices.items())}
    detail: Mapping[str, object] | None = details if kind == UNIT_CHANGE else next(iter(details.values()), None)
    return Hold(kind, f"{_some(prices)} ({ASKED})", f"The old prices stay. {WAITS}", tuple(details), detail, True) if prices else None


def _not_denied(before: StoredModel, claims: Mapping[str, str]) -> list[Pair]:
    """The prices of a model that its provider claims, or says nothing of, and that do not stand, beside what is believed."""
    known, live, stated = before.believed_numbers, numbers(before.believed.prices), numbers(claimed(before.stated.prices))
    pairs = []
    for point, claim in claims.items():
        new = Decimal(claim)
        denied = before.stated.prices.dynamic if point not in stated else stated[point] != new
        if not denied and live.get(point) != new:
            old = known.get(point)
            pairs.append(Pair(point, old, new, nearest(point, new, known, stated) if old is None else None))
    return pairs


def _meanwhile(known: Prices) -> str:
    if numbers(known):
        return "The old price stays"
    return "It still counts as varying by request" if known.dynamic else "Its price is unknown until then"


def _judged(change: Change, case: Case, doubts: Mapping[Pair, str]) -> Change:
    """The change with the price that is believed: the known one while anything is doubted, else the claimed one without what was refused.

    A point of which nothing was believed yet waits beside a refused one: the same slip may be in both. While the price still varies by
    request because what a person refused would end that, only the numbers beside it follow.
    """
    if doubts:
        return _with_price(change, case.known)
    if not case.refused:
        return change
    known, claims = case.known, claimed(change.model.prices)
    before = numbers(known)
    new = {pair for pair in case.pairs if pair.field not in before} if known.dynamic else {pair for pair in case.pairs if pair.old is None}
    waits = case.refused.keys() | new - case.accepted
    prices = changed(claims, {pair.field: before.get(pair.field) for pair in case.pairs if pair in waits}, known)
    return _with_price(change, msgspec.structs.replace(prices, dynamic=prices.dynamic or (known.dynamic and not case.accepted)))


def _with_price(change: Change, prices: Prices) -> Change:
    return msgspec.structs.replace(change, model=msgspec.structs.replace(change.model, prices=prices), held=True)


def _refusals(cases: Iterable[Case]) -> Iterator[Refusal]:
    """One sentence for every decision that keeps prices out."""
    ids_by_decision: dict[int, tuple[Standing, list[str]]] = {}
    for case in cases:
        for row in case.refused.values():
            ids = ids_by_decision.setdefault(row.id, (row, []))[1]
            if case.change.id not in ids:
                ids.append(case.change.id)
    for row, ids in ids_by_decision.values():
        what = f"the stated price of {ids[0]}" if len(ids) == 1 else f"the stated prices of {len(ids):,} models"
        yield Refusal(row, f"{what} stays out")
