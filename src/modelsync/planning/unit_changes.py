"""When so many prices move by one power of ten that the unit of the list must have changed, and how long that waits."""

from collections.abc import Iterable, Mapping, Sequence

from modelsync.model.model import Model, claimed
from modelsync.model.points import numbers
from modelsync.planning.cases import Case, Evidence
from modelsync.planning.doubts import PriceLimits
from modelsync.planning.holding import UNIT_CHANGE, Standing, claims, shows_prices
from modelsync.planning.pairs import Pair, digits, factor, powers
from modelsync.planning.plan import Change


def unit_change(moved: Iterable[tuple[Change, Sequence[Pair]]], priced: int, limits: PriceLimits) -> int | None:
    """The power of ten by which so many prices moved together that the unit must have changed."""
    commonest = powers(pairs for change, pairs in moved if change.before is not None).most_common(1)
    if not commonest or commonest[0][1] < 2 or commonest[0][1] < limits.unit_share * priced:
        return None
    return commonest[0][0]


def unit_that_waits(cases: Mapping[str, Case], doubts: Mapping[str, Iterable[Pair]], evidence: Evidence) -> int | None:
    """The power of ten of a change of unit that waits, of which some models still claim what was shown, and none is back.

    However few these are by now: that others vary, or that the list has grown, is no answer. While the listing does not show how every
    price of it stands, the question stands as it is.
    """
    off = _off(cases, doubts)
    for row in evidence.standing:
        if row.kind == UNIT_CHANGE and row.status == "open" and shows_prices(row, evidence.read, evidence.retired):
            unit = claims(row)
            as_shown = [
                [pair for pair in doubts.get(row_id, ()) if points.get(pair.field) == digits(pair.new)] for row_id, points in unit.items()
            ]
            commonest = powers(as_shown).most_common(1)
            if commonest and not _any_is_back(unit, off, evidence.read):
                return commonest[0][0]
    return None


def has_slipped(cases: Mapping[str, Case], doubts: Mapping[str, Iterable[Pair]], evidence: Evidence, limits: PriceLimits) -> bool:
    """Whether the unit of this list is another one than is believed, though not every price of it moved by the same power of ten.

    So many prices wait that are far off that a first one is no better; or a change of unit waits and this listing does not end that, or was
    rejected and is listed so, and none of its models that this listing shows is back at a price that is believed.
    """
    if unit_change([(case.change, case.pairs) for case in cases.values()], evidence.priced, limits):
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
