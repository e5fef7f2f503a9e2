"""The past, read backwards from the present: changes undone one by one, newest first."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from modelsync.model.fields import ALIAS, BELIEVED, BENEATH, BESIDE, FACTS, LISTED, READER, is_price, typed
from modelsync.model.model import Prices
from modelsync.model.points import DYNAMIC, PRICE_NAMES, numbers
from modelsync.model.records import RecordedModel

_NO_PRICE_FACTS = ("raw", "source", "stated_at", "reader", "implausible", "implausible_units")


Move = tuple[Any, Any]
"""Old and new, in JSON values."""

Moves = Mapping[str, Move]
"""Moves by field."""


class Past(msgspec.Struct, frozen=True):
    """One model's facts at some time: JSON values by the names that changes use. Prices are `pricing_prompt` … and `pricing.…`."""

    provider: str
    provider_model_id: str
    status: str
    facts: Mapping[str, Any]


class Recorded(msgspec.Struct, frozen=True):
    """One recorded change, with `{field: [old, new]}` in JSON values."""

    provider: str
    provider_model_id: str
    kind: str
    fields: Moves


class RunChange(msgspec.Struct, frozen=True):
    """One recorded change of a model with what started its run, and when that was."""

    kind: str
    fields: Moves
    trigger: str
    at: datetime


class RecordedChange(Recorded, frozen=True, kw_only=True):
    """One change as it is listed: the run that brought it, what started that, and when it was."""

    id: int
    run_id: int
    provider_id: int
    changed_at: datetime
    trigger: str = ""


Key = tuple[str, str]


def present(provider: str, row: Mapping[str, Any]) -> Past:
    """A row of the catalog, its values as JSON has them, as the state from which the past is read."""
    document = row["pricing"]
    prices = {f"pricing.{name}": value for name, value in document.items() if name not in (*PRICE_NAMES.values(), *_NO_PRICE_FACTS)}
    flat = {column: document.get(name) for column, name in PRICE_NAMES.items()}
    facts = {name: value for name, value in ({name: row[name] for name in FACTS} | flat | prices).items() if value is not None}
    return Past(provider, row["provider_model_id"], row["status"], facts)


def row_of(past: Past) -> RecordedModel:
    """A past state in the columns of the catalog, as far as history keeps them; the inverse of `present`."""
    facts = past.facts
    columns: dict[str, Any] = {name: facts.get(name) for name in (*FACTS, *PRICE_NAMES)}
    flat = {name: facts[column] for column, name in PRICE_NAMES.items() if column in facts}
    others = {field.removeprefix("pricing."): value for field, value in facts.items() if field.startswith("pricing.")}
    sides = {name: facts.get(name) for name in ("input_modalities", "output_modalities")}
    modality = "->".join("+".join(side) for side in sides.values() if side) if all(sides.values()) else None
    written = {name: None if side is None else _document(side) for name, side in sides.items()}
    named = {"provider": past.provider, "provider_model_id": past.provider_model_id, "status": past.status, "modality": modality}
    return RecordedModel(**{**columns, **written, **named, "pricing": _document({**flat, **others})})


def _document(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def undone(states: Mapping[Key, Past], changes: Iterable[Recorded]) -> dict[Key, Past]:
    """The states before `changes`, which come newest first: what was seen."""
    then = dict(states)
    for change in changes:
        key = (change.provider, change.provider_model_id)
        state = then.pop(key, None)
        if state is not None and change.kind != "added":
            then[key] = _before(state, change.kind, {field: pair for field, pair in change.fields.items() if field not in BESIDE})
    return then


class BeliefChange(msgspec.Struct, frozen=True):
    """What a recorded change moved of what is believed of a model."""

    change: RunChange
    moves: Moves


def believed_before(now: Past, changes: Sequence[BeliefChange]) -> Past | None:
    """What was believed of a model before `changes`, which come newest first. None when no listing had had it yet.

    A model that somebody had added is its provider's from its first listing on.
    """
    then = now
    for each in changes:
        if each.change.kind == "added" or LISTED in each.change.fields:
            return None
        then = _before(then, each.change.kind, each.moves)
    return then


def _before(state: Past, kind: str, fields: Moves) -> Past:
    status = {"missing": "active", "revived": "missing", "retired": "missing"}.get(kind, state.status)
    facts = dict(state.facts)
    for field, (old, _) in fields.items():
        if field == "status":
            status = old
        elif _left_out(field, old):
            facts.pop(field, None)
        else:
            facts[field] = old
    return Past(state.provider, state.provider_model_id, status, facts)


def _left_out(field: str, value: object) -> bool:
    """Values that are not written down: nothing, empty lists of a price document, and a price that is not dynamic."""
    return value is None or value in ([], {}) or (field == "pricing.dynamic" and value is False)


class LastPrice(msgspec.Struct, frozen=True):
    """A number that was believed, USD per token or per its own unit, and when history tells of it last."""

    usd: Decimal
    since: datetime


_UNDOING = ("reopen", "rollback")


def last_believed(changes: Iterable[BeliefChange]) -> dict[str, LastPrice]:
    """The last number that was believed at each point of one model's price, from its changes, oldest first.

    A number that a mended reading replaced is forgotten, and one that a person took back gives way to what was believed before it.
    What an act moved of prices that did not stand is recorded with it.
    """
    believed: dict[str, list[LastPrice]] = {}
    for each in changes:
        change = each.change
        corrected = READER in change.fields
        takes_back = corrected or change.trigger in _UNDOING
        for field, (old, new) in each.moves.items():
            if not is_price(field):
                continue
            for point, usd in (_numbers(field, old) if takes_back else {}).items():
                believed[point] = [] if corrected else _without(believed.get(point, []), usd)
            for value in (new,) if takes_back else (old, new):
                for point, usd in _numbers(field, value).items():
                    believed.setdefault(point, []).append(LastPrice(usd, change.at))
        for point, digits in change.fields.get(BELIEVED, (None, {}))[1].items():
            believed[point] = [] if digits is None else [LastPrice(Decimal(digits), change.at)]
    return {point: prices[-1] for point, prices in believed.items() if prices}


def _without(prices: list[LastPrice], undone: Decimal) -> list[LastPrice]:
    """The prices before the last one, when that is the one that was undone."""
    while prices and prices[-1].usd == undone:
        prices = prices[:-1]
    return prices


_PINNING = ("pin", "upsert", "add")


def of_belief(changes: Iterable[RunChange]) -> list[BeliefChange]:
    """The changes of one model, oldest first, with what each moved of what is believed: what was seen to move, but what a pin hides.

    Changes of before 2026-12 say nothing of what a pin hides (docs/decisions/0031). In these a pin moves nothing that is believed, and
    neither does its end.
    """
    told: list[BeliefChange] = []
    pinned: set[str] = set()
    for change in changes:
        told.append(BeliefChange(change, _believed(change, pinned)))
        begins = change.trigger in _PINNING and BENEATH not in change.fields
        pinned = pinned | change.fields.keys() - _revived(change) if begins else pinned - change.fields.keys()
    return told


def _revived(change: RunChange) -> Set[str]:
    """The fields that a pin moved for good: a retired model that somebody wants active is active when the pin ends, too."""
    return {"status", "is_active"} if "status" in change.fields else set()


def _believed(change: RunChange, pinned: Collection[str]) -> Moves:
    """What a change moved of what is believed, after `pinned` fields showed a pin."""
    moved = {field: pair for field, pair in change.fields.items() if field not in (ALIAS, *BESIDE)}
    if BENEATH in change.fields:
        before, now = change.fields[BENEATH]
        return moved | {field: (before[field], now[field]) for field in now}
    if change.trigger in _PINNING:
        revived = _revived(change)
        return {
            field: (old, new if field in revived else old) for field, (old, new) in moved.items() if field in revived or field not in pinned
        }
    return {field: (new if change.trigger == "unpin" or field in pinned else old, new) for field, (old, new) in moved.items()}


def _numbers(field: str, value: object) -> dict[str, Decimal]:
    if not value or field == DYNAMIC:
        return {}
    name = PRICE_NAMES.get(field, field.removeprefix("pricing."))
    return numbers(Prices(**{name: typed(field, value)}))


def tells_of(fields: Moves, field: str) -> bool:
    """Whether a change tells of a field: that it is seen to move, or moves where a pin hides it."""
    before, now = fields.get(BENEATH, ({}, {}))
    return field in fields or (field in now and before[field] != now[field])


class Difference(msgspec.Struct, frozen=True):
    """A model that two states of the catalog differ in; `fields` are `{field: (old, new)}`, of one that is in both."""

    kind: Literal["added", "missing", "updated"]
    provider: str
    provider_model_id: str
    fields: Moves

    def shown(self) -> dict[str, object]:
        """The same for JSON."""
        fields = {name: {"old": old, "new": new} for name, (old, new) in self.fields.items()}
        return {"kind": self.kind, "provider": self.provider, "provider_model_id": self.provider_model_id, "fields": fields}


def differing(before: Mapping[Key, Past], after: Mapping[Key, Past]) -> list[Difference]:
    """What two states of the catalog differ in, in the order of their keys."""
    differences: list[Difference] = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None or new is None:
            differences.append(Difference("added" if old is None else "missing", *key, {}))
            continue
        old_facts, new_facts = {"status": old.status, **old.facts}, {"status": new.status, **new.facts}
        names = sorted(name for name in old_facts.keys() | new_facts.keys() if old_facts.get(name) != new_facts.get(name))
        if names:
            differences.append(Difference("updated", *key, {name: (old_facts.get(name), new_facts.get(name)) for name in names}))
    return differences


class Line(msgspec.Struct, frozen=True):
    """One recorded change as it is shown: `fields` are `{field: (old, new)}`, `counts` how many changes made up a field's."""

    row: RecordedChange
    fields: Moves
    counts: Mapping[str, int] = {}


_BY_NAME = (BELIEVED, BENEATH)
"""What a change tells as a mapping, of which another change may tell other names."""


def collapsed(rows: Sequence[RecordedChange]) -> list[Line]:
    """Recorded changes, newest first, with all changes of one field of a model as one: first old to last new, in its newest line.

    Coming, going and returning stay lines of their own. What a pin hides is left out where it is back.
    """
    merged: dict[tuple[str, str, str], Move] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        for field, (old, new) in row.fields.items():
            key = (row.provider, row.provider_model_id, field)
            first, last = merged.get(key, ({}, {}) if field in _BY_NAME else (old, new))
            merged[key] = ({**first, **old}, {**new, **last}) if field in _BY_NAME else (old, last)
            counts[key] += field not in _BY_NAME or old != new
    lines: list[Line] = []
    shown: set[tuple[str, str, str]] = set()
    for row in rows:
        keys = {field: (row.provider, row.provider_model_id, field) for field in row.fields}
        fields: dict[str, Move] = {}
        for field, key in keys.items():
            if field == "status":
                fields[field] = (row.fields[field][0], row.fields[field][1])
            elif key not in shown:
                fields[field] = _moved(merged[key], field)
        fields = {field: pair for field, pair in fields.items() if field not in _BY_NAME or pair[1]}
        shown |= {key for field, key in keys.items() if field != "status"}
        if fields or row.kind != "updated":
            many = {name: counts[keys[name]] for name in fields if name != "status"}
            lines.append(Line(row, fields, {name: count for name, count in many.items() if count > 1}))
    return lines


def _moved(pair: Move, field: str) -> Move:
    """What changes come to; of a mapping only what is not back where it was."""
    if field not in _BY_NAME:
        return pair
    old, new = pair
    names = [name for name in new if old[name] != new[name]]
    return {name: old[name] for name in names}, {name: new[name] for name in names}
