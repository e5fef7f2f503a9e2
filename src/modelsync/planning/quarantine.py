"""Prices that are not believed by themselves: the old price stays, the stated one waits beside it."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal

import msgspec

from modelsync.model.model import Model, Prices, claimed
from modelsync.model.points import DYNAMIC, changed, numbers
from modelsync.planning.doubts import PriceLimits, doubt, is_released, way_out
from modelsync.planning.holding import PRICE, UNIT_CHANGE, Content, Hold, Refusal, Standing, claims, shown, shows_prices
from modelsync.planning.layers import effective_prices
from modelsync.planning.pairs import (
    Pair,
    digits,
    factor,
    is_in_bounds,
    known_numbers,
    known_prices,
    median_of,
    nearest,
    pair_text,
    pairs_of,
    power_of_ten,
    powers,
    repriced,
)
from modelsync.planning.plan import Change, StoredModel, is_corrected


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a judgement needs beside a change: the time, prices of the same models elsewhere by id, and the holds that stand.

    `read` are the models that the listing shows, `retired` those that were retired before it, and `priced` is the number of the provider's
    models with a price. `confirmed` are prices out of bounds that a person once confirmed, by id, as pairs of a point and its digits: these
    are no accidents.
    """

    now: datetime | None = None
    read: Mapping[str, Model] = {}
    retired: frozenset[str] = frozenset()
    elsewhere: Mapping[str, Sequence[Prices]] = {}
    priced: int = 0
    standing: tuple[Standing, ...] = ()
    confirmed: Mapping[str, Set[tuple[str, str]]] = {}


class Judged(msgspec.Struct, frozen=True):
    """Changes with every unbelieved price taken back, the holds for a person, and what a person has refused before."""

    changes: tuple[Change, ...]
    holds: tuple[Hold, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def same_model(model: Model) -> frozenset[str]:
    """The names by which a model is known at other providers too: the last parts of its id and of its repository."""
    names = (model.id, model.hugging_face_id)
    return frozenset(last_part(name) for name in names if name)


def last_part(name: str) -> str:
    """The part of an id that providers share: `openai/GPT-4o` is `gpt-4o`."""
    return name.rpartition("/")[2].casefold()


class Case(msgspec.Struct, frozen=True):
    """A change of price to be judged: what moved, what of that a person has refused, with the decision, and what a person confirmed.

    `pending` is what was asked of a person already, and no rule lets in, and whether only a person ends that. What only a mended reading
    moved is not among `pairs`, but `corrected`.
    """

    change: Change
    pairs: tuple[Pair, ...]
    refused: Mapping[Pair, Standing] = {}
    accepted: frozenset[Pair] = frozenset()
    pending: Mapping[Pair, bool] = {}
    corrected: tuple[Pair, ...] = ()

    @property
    def open(self) -> tuple[Pair, ...]:
        """What nobody has decided."""
        decided = self.refused.keys() | self.accepted
        return tuple(pair for pair in self.pairs if pair not in decided) if decided else self.pairs

    @property
    def known(self) -> Prices:
        """The price that is believed, read as it is read now: what stays while anything of the stated one is doubted.

        What is only kept as received, and what of it is not read, follows the provider by itself.
        """
        claims = self.change.model.prices
        before = msgspec.structs.replace(known_prices(self.change), others=claims.others, incomplete=claims.incomplete)
        if self.change.corrected is None:
            return before
        read: dict[str, Decimal | None] = dict.fromkeys(self.change.corrected.points - {pair.field for pair in self.pairs})
        return changed(before, {**read, **{pair.field: pair.new for pair in self.corrected}}, claimed(claims))


def judge(changes: tuple[Change, ...], evidence: Evidence, limits: PriceLimits) -> Judged:
    """Every price change believed, held or refused, in this order: what a person refused stays out before any rule could let it in."""
    words = _Words(_refused(evidence.standing), _confirmed(evidence.standing), _pending(evidence.standing))
    cases = {change.id: _case(change, words) for change in repriced(changes)}
    power = _unit_change([(case.change, case.open) for case in cases.values()], evidence.priced, limits)
    power = power or _unit_that_waits(cases, _all_doubts(cases, None, evidence, limits), evidence)
    doubts = _all_doubts(cases, power, evidence, limits)
    if power or _has_slipped(cases, doubts, evidence, limits):
        doubts = {row_id: doubted for row_id, case in cases.items() if (doubted := _with_first_prices(case, doubts.get(row_id, {})))}
    waiting = {row.content: row for row in evidence.standing if row.status == "open"}
    moved = {row_id: doubted for row_id, doubted in doubts.items() if power and power in powers([tuple(doubted)])}
    taken_back = any(cases[row_id].pending.get(pair) for row_id, doubted in moved.items() for pair in doubted)
    holds = [_unit_hold(moved, power, needs_person=taken_back)] if power and moved else []
    holds += [
        hold
        for row_id, doubted in doubts.items()
        if row_id not in moved and (hold := _hold(cases[row_id], doubted, waiting, evidence, limits)) is not None
    ]
    held = {row_id for hold in holds for row_id in hold.ids}
    kept = tuple(
        _judged(change, cases[change.id], doubts.get(change.id, {}) if change.id in held else {}) if change.id in cases else change
        for change in changes
    )
    return Judged(kept, tuple(holds), tuple(_refusals(cases.values())))


def _refused(standing: Iterable[Standing]) -> dict[str, dict[tuple[str, str], Standing]]:
    """What persons rejected, by model, and by point and value: it stays out whatever stands."""
    rejected: dict[str, dict[tuple[str, str], Standing]] = {}
    for row in standing:
        if row.status == "rejected":
            for row_id, values in claims(row).items():
                rejected.setdefault(row_id, {}).update(dict.fromkeys(values.items(), row))
    return rejected


def _confirmed(standing: Iterable[Standing]) -> dict[str, set[tuple[str, str | None, str]]]:
    """What persons confirmed, by model: points with the values on both sides, because no other step was shown to them."""
    confirmed: dict[str, set[tuple[str, str | None, str]]] = {}
    for row in standing:
        if row.status == "confirmed":
            for row_id, points in shown(row).items():
                if row_id in row.about:
                    confirmed.setdefault(row_id, set()).update((point, *values) for point, values in points.items())
    return confirmed


def _pending(standing: Iterable[Standing]) -> dict[str, dict[tuple[str, str], bool]]:
    """What was asked of persons that no rule lets in, by model: points with the claimed values, and whether only a person ends that.

    While a change of unit waits, what moved by it comes in by no other listing; what it only stands beside may.
    """
    pending: dict[str, dict[tuple[str, str], bool]] = {}
    for row in standing:
        for row_id, points in shown(row).items() if row.status == "open" and (row.needs_person or row.kind == UNIT_CHANGE) else ():
            for point, (old, new) in points.items():
                if row.needs_person or power_of_ten(None if old is None else Decimal(old), Decimal(new)):
                    mine = pending.setdefault(row_id, {})
                    mine[point, new] = row.needs_person or mine.get((point, new), False)
    return pending


class _Words(msgspec.Struct, frozen=True):
    """What persons said of prices and what only they can say, by model."""

    refused: Mapping[str, Mapping[tuple[str, str], Standing]]
    confirmed: Mapping[str, Set[tuple[str, str | None, str]]]
    pending: Mapping[str, Mapping[tuple[str, str], bool]]


def _case(change: Change, words: _Words) -> Case:
    """What moved of one model's price, in USD per token or per its own unit, beside what persons decided and are asked about it."""
    refused, confirmed, pending = words.refused.get(change.id, {}), words.confirmed.get(change.id, set()), words.pending.get(change.id, {})
    every = tuple(pairs_of(change))
    corrected = tuple(
        pair
        for pair in every
        if is_corrected(change, pair.field) and is_in_bounds(pair.new, pair) and (pair.field, digits(pair.new)) not in refused
    )
    pairs = tuple(pair for pair in every if pair not in corrected) if corrected else every
    if not (refused or confirmed or pending):
        return Case(change, pairs, corrected=corrected)
    out = {pair: refused[key] for pair in pairs if (key := (pair.field, digits(pair.new))) in refused}
    steps = {pair: (pair.field, None if pair.base is None else digits(pair.base), digits(pair.new)) for pair in pairs}
    accepted = frozenset(pair for pair, step in steps.items() if step in confirmed and pair not in out)
    waits = {pair: pending[key] for pair in pairs if (key := (pair.field, digits(pair.new))) in pending and pair not in accepted}
    return Case(change, pairs, out, accepted, waits, corrected)


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


def _unit_change(moved: Iterable[tuple[Change, Sequence[Pair]]], priced: int, limits: PriceLimits) -> int | None:
    """The power of ten by which so many prices moved together that the unit must have changed."""
    commonest = powers(pairs for change, pairs in moved if change.before is not None).most_common(1)
    if not commonest or commonest[0][1] < 2 or commonest[0][1] < limits.unit_share * priced:
        return None
    return commonest[0][0]


def _unit_that_waits(cases: Mapping[str, Case], doubts: Mapping[str, Iterable[Pair]], evidence: Evidence) -> int | None:
    """The power of ten of a change of unit that waits, of which some models still claim what was shown, and none is back.

    However few these are by now: that others vary, or that the list has grown, is no answer. While the listing does not show how every
    price of it stands, the question stands as it is.
    """
    off = _off(cases, doubts)
    for row in evidence.standing:
        if row.kind == UNIT_CHANGE and row.status == "open" and shows_prices(row, evidence.read, evidence.retired):
            unit = claims(row)
            as_shown = [
                [pair for pair in off.get(row_id, ()) if points.get(pair.field) == digits(pair.new)] for row_id, points in unit.items()
            ]
            commonest = powers(as_shown).most_common(1)
            if commonest and not _any_is_back(unit, off, evidence.read):
                return commonest[0][0]
    return None


def _has_slipped(cases: Mapping[str, Case], doubts: Mapping[str, Iterable[Pair]], evidence: Evidence, limits: PriceLimits) -> bool:
    """Whether the unit of this list is another one than is believed, though not every price of it moved by the same power of ten.

    So many prices wait that are far off that a first one is no better; or a change of unit waits and this listing does not end that, or was
    rejected and is listed so, and none of its models that this listing shows is back at a price that is believed.
    """
    if _unit_change([(case.change, case.pairs) for case in cases.values()], evidence.priced, limits):
        return True
    far = sum(any(_is_far(pair, limits) for pair in doubted) for doubted in doubts.values())
    if far >= max(2, limits.unit_share * evidence.priced):
        return True
    off = _off(cases, doubts)
    return any(
        not _any_is_back(claims(row), off, evidence.read)
        for row in evidence.standing
        if row.kind == UNIT_CHANGE and (_waits_on(row, evidence) or _is_listed_as_refused(row, cases))
    )


def _off(cases: Mapping[str, Case], doubts: Mapping[str, Iterable[Pair]]) -> dict[str, list[Pair]]:
    """The prices that are not believed beside an older one."""
    return {row_id: [pair for pair in (*case.refused, *doubts.get(row_id, ())) if pair.old is not None] for row_id, case in cases.items()}


def _is_far(pair: Pair, limits: PriceLimits) -> bool:
    return bool(pair.old and pair.new) and factor(pair.old or pair.new, pair.new) >= limits.factor


def _waits_on(row: Standing, evidence: Evidence) -> bool:
    return row.status == "open" and not shows_prices(row, evidence.read, evidence.retired)


def _is_listed_as_refused(row: Standing, cases: Mapping[str, Case]) -> bool:
    """Whether some of what was rejected is still listed so; else it is long past."""
    return row.status == "rejected" and any(row in case.refused.values() for row_id in row.ids if (case := cases.get(row_id)))


def _any_is_back(unit: Mapping[str, Mapping[str, str]], off: Mapping[str, Sequence[Pair]], read: Mapping[str, Model]) -> bool:
    return any(_is_back(points, read.get(row_id)) for row_id, points in unit.items() if not off.get(row_id))


def _is_back(points: Mapping[str, str], model: Model | None) -> bool:
    """Whether a listing states a price of a model where its unit had changed; that it varies is no price, and no answer."""
    return model is not None and not points.keys().isdisjoint(numbers(claimed(model.prices)))


def _unit_hold(moved: Mapping[str, Mapping[Pair, str]], power: int, *, needs_person: bool) -> Hold:
    factor = f"×{10**power:,}" if power > 0 else f"÷{10**-power:,}"
    return Hold(
        UNIT_CHANGE,
        f"prices moved by {factor} together, so the unit must have changed; the prices of {len(moved):,} models are held: {_some(moved)}",
        "The old prices stay. Confirm it only if the provider really changed its prices so; no later listing can do that by itself",
        tuple(sorted(moved)),
        {row_id: _detail(doubts) for row_id, doubts in sorted(moved.items())},
        needs_person=needs_person,
    )


def _some(moved: Mapping[str, Iterable[Pair]]) -> str:
    """The first of many models, each with a price of it."""
    first = [
        f"{row_id} {pair.field} {pair_text(pair)}" for row_id, pairs in sorted(moved.items())[:3] for pair in itertools.islice(pairs, 1)
    ]
    return "; ".join([*first, "…"] if len(moved) > 3 else first)


def _detail(pairs: Iterable[Pair]) -> dict[str, list[str | None]]:
    return {pair.field: [None if pair.base is None else digits(pair.base), digits(pair.new)] for pair in pairs}


def _all_doubts(cases: Mapping[str, Case], power: int | None, evidence: Evidence, limits: PriceLimits) -> dict[str, dict[Pair, str]]:
    return {row_id: doubted for row_id, case in cases.items() if (doubted := _doubts(case, power, evidence, limits))}


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


WAITS = "It waits for you: confirm or reject it"


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
