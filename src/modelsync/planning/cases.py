"""What a judgement of prices needs: the evidence, and of each model what moved beside what persons said of it."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal

import msgspec

from modelsync.model.model import Model, Prices, claimed
from modelsync.model.points import changed
from modelsync.planning.holding import UNIT_CHANGE, Standing, claims, shown
from modelsync.planning.pairs import Pair, digits, is_in_bounds, known_prices, pairs_of, power_of_ten
from modelsync.planning.plan import Change, is_corrected


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


def cases_of(changes: Iterable[Change], standing: Iterable[Standing]) -> dict[str, Case]:
    """What is to be judged, by model."""
    rows = tuple(standing)
    words = _Words(_refused(rows), _confirmed(rows), _pending(rows))
    return {change.id: _case(change, words) for change in changes}


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
