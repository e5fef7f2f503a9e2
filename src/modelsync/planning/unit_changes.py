"""When so many prices move by one power of ten that the unit of the list must have changed, and how long that waits."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from modelsync.model.model import Model, claimed
from modelsync.model.points import numbers
from modelsync.planning.cases import Case, Evidence
from modelsync.planning.doubts import PriceLimits
from modelsync.planning.holding import OF_PRICES, UNIT_CHANGE, Standing, shows_prices
from modelsync.planning.holding import shown as shown_by
from modelsync.planning.pairs import Pair, digits, factor, powers
from modelsync.planning.plan import Change

Doubts = Mapping[str, Mapping[Pair, str]]
"""Prices that are not believed, with the reason, by model."""

Points = Mapping[str, tuple[str | None, str]]
"""What was shown of one model: point, the value before and the claimed one, as digits."""


class UnitChange(msgspec.Struct, frozen=True):
    """Models whose prices wait together, and the power of ten by which they moved; None for a question that goes on."""

    ids: frozenset[str]
    power: int | None = None

    def moved(self, asked: Collection[Pair]) -> bool:
        """Whether what is asked of one model is a part of the question, and not only something beside it."""
        return any(pair.old is not None for pair in asked) if self.power is None else self.power in powers([tuple(asked)])


def unit_change(moved: Iterable[tuple[Change, Sequence[Pair]]], priced: int, limits: PriceLimits) -> int | None:
    """The power of ten by which so many prices moved together that the unit must have changed."""
    commonest = powers(pairs for change, pairs in moved if change.before is not None).most_common(1)
    if not commonest or commonest[0][1] < 2 or commonest[0][1] < limits.unit_share * priced:
        return None
    return commonest[0][0]


def unit_changes(cases: Mapping[str, Case], doubts: Doubts, power: int | None, evidence: Evidence) -> list[UnitChange]:
    """The questions of this listing about units: what moved by a `power` that so many moved by, and those asked before that go on.

    One goes on for the models that are still off where it moved them, while none of its models is back. However few these are and
    whatever they cost by now: that others vary, or that the list has grown, is no answer.
    """
    taken = frozenset(row_id for row_id, doubted in doubts.items() if power and power in powers([tuple(doubted)]))
    questions = [UnitChange(taken, power)] if taken else []
    for row in _open(evidence):
        if shows_prices(row, evidence.read, evidence.retired) and not _any_is_back(row, cases, doubts, evidence.read):
            ids = frozenset(row_id for row_id, points in shown_by(row).items() if _is_off(points, doubts.get(row_id, ()))) - taken
            questions += [UnitChange(ids)] if ids else []
            taken |= ids
    return questions


def left_as_they_are(doubts: Doubts, evidence: Evidence) -> list[Standing]:
    """The questions of which this listing claims something exactly as it was asked, and does not show each of their prices.

    Of single prices only those that were taken back: any other ends with a listing of its model.
    """
    asked = (row for row in evidence.standing if row.kind == UNIT_CHANGE or (row.kind in OF_PRICES and row.needs_person))
    waiting = [row for row in asked if _waits_on(row, evidence)]
    return [row for row in waiting if any(is_asked(row_id, pair, [row]) for row_id, doubted in doubts.items() for pair in doubted)]


def is_asked(row_id: str, pair: Pair, rows: Iterable[Standing]) -> bool:
    """Whether some of these holds ask exactly this."""
    step = (None if pair.base is None else digits(pair.base), digits(pair.new))
    return any(shown_by(row).get(row_id, {}).get(pair.field) == step for row in rows)


def has_slipped(cases: Mapping[str, Case], doubts: Doubts, evidence: Evidence, limits: PriceLimits) -> bool:
    """Whether the unit of this list is another one than is believed, though not every price of it moved by the same power of ten.

    So many prices wait that are far off that a first one is no better; or a change of unit waits and this listing does not end that, or was
    rejected and is listed so, and none of its models that this listing shows is back at a price that is believed.
    """
    if unit_change([(case.change, case.pairs) for case in cases.values()], evidence.priced, limits):
        return True
    far = sum(any(_is_far(pair, limits) for pair in doubted) for doubted in doubts.values())
    if far >= max(2, limits.unit_share * evidence.priced):
        return True
    return any(
        not _any_is_back(row, cases, doubts, evidence.read)
        for row in evidence.standing
        if row.kind == UNIT_CHANGE and ((_waits_on(row, evidence) and _is_there(row, evidence)) or _is_listed_as_refused(row, cases))
    )


def _open(evidence: Evidence) -> Iterator[Standing]:
    return (row for row in evidence.standing if row.kind == UNIT_CHANGE and row.status == "open")


def _is_off(points: Points, doubted: Iterable[Pair]) -> bool:
    """Whether a price is not believed that the change of unit had moved, beside what was believed of it before."""
    return any(pair.old is not None and points.get(pair.field, (None,))[0] is not None for pair in doubted)


def _is_far(pair: Pair, limits: PriceLimits) -> bool:
    return bool(pair.old and pair.new) and factor(pair.old or pair.new, pair.new) >= limits.factor


def _waits_on(row: Standing, evidence: Evidence) -> bool:
    return row.status == "open" and not shows_prices(row, evidence.read, evidence.retired)


def _is_there(row: Standing, evidence: Evidence) -> bool:
    """Whether some model of it is not retired, or is listed again: a list that has none of them is in no other unit for them."""
    return any(row_id not in evidence.retired or row_id in evidence.read for row_id in row.ids)


def _is_listed_as_refused(row: Standing, cases: Mapping[str, Case]) -> bool:
    """Whether some of what was rejected is still listed so; else it is long past."""
    return row.status == "rejected" and any(row in case.refused.values() for row_id in row.ids if (case := cases.get(row_id)))


def _any_is_back(row: Standing, cases: Mapping[str, Case], doubts: Doubts, read: Mapping[str, Model]) -> bool:
    return any(
        _is_back(points, cases.get(row_id), doubts.get(row_id, {}), model)
        for row_id, points in shown_by(row).items()
        if (model := read.get(row_id)) is not None
    )


def _is_back(points: Points, case: Case | None, doubted: Mapping[Pair, str], model: Model) -> bool:
    """Whether a listing states a price of a model that is believed where its unit had changed, and none that is not.

    That it varies is no price, and no answer; nor is a price of which nothing was believed before.
    """
    pairs = case.pairs if case is not None else ()
    if any(pair.old is not None and (pair in doubted or (case is not None and pair in case.refused)) for pair in pairs):
        return False
    stated = numbers(claimed(model.prices)).keys() - {pair.field for pair in pairs if pair.old is None}
    return any(old is not None and point in stated for point, (old, _) in points.items())
