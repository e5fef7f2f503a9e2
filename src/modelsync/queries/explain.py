"""How a value of the catalog came to be: pure functions over what is known of one model."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from modelsync.model.fields import ALIAS, BENEATH, PINNABLE, READER, is_in_price_document, value_of
from modelsync.model.model import Model, claimed, content_hash
from modelsync.model.prices import plain
from modelsync.model.records import RecordedPin
from modelsync.planning.holding import RecordedHold
from modelsync.planning.plan import StoredModel
from modelsync.providers.base import Provider
from modelsync.queries.reasons import (
    Absent,
    Frozen,
    Incomplete,
    LastBelieved,
    NotStated,
    PerhapsNotStated,
    Pinned,
    Reason,
    Unread,
    held_absence,
    held_price,
)
from modelsync.queries.wire import OTHERS, WireText, is_nothing, wire_texts

DERIVED: Mapping[str, tuple[str, ...]] = {
    ALIAS: (ALIAS,),
    "modality": ("input_modalities", "output_modalities"),
    "status": ("status",),
}
"""Columns that no provider states, and the recorded fields that move them."""

FIELDS = (*PINNABLE, "modality", "status", OTHERS)
"""The fields that can be explained; and `metadata.<name>` beside them."""

_METADATA = "metadata."
_PRESENCE = ("added", "missing", "retired", "revived")


class PastChange(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded change of the model, and what started its run; `fields` are `{field: [old, new]}` in JSON values."""

    run_id: int
    trigger: str
    kind: str
    fields: Mapping[str, tuple[Any, Any]]
    changed_at: datetime


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has of one model: its rows, and those of `pins`, of `holds` about its price, and of its history, newest first.

    `absences` are the holds about its absence that are open or rejected, `last_prices` what was believed last of prices that do not stand.
    `kept_runs` are the runs of which the provider's answers are kept, newest first.
    """

    provider: Provider
    stored: StoredModel
    first_seen_at: datetime
    now: datetime
    pins: Sequence[RecordedPin] = ()
    holds: Sequence[RecordedHold] = ()
    absences: Sequence[RecordedHold] = ()
    last_prices: Sequence[LastBelieved] = ()
    changes: Sequence[PastChange] = ()
    kept_runs: Sequence[int] = ()
    frozen: Frozen | None = None


class LastChange(msgspec.Struct, frozen=True, kw_only=True):
    """The last recorded change of a field; the model's coming when it never changed since. `trigger` says what started the run.

    `corrected` are the versions of the provider's module, before and after, where only the reading of the same text changed.
    """

    run_id: int
    trigger: str
    at: datetime
    kind: str
    old: Any = None
    new: Any = None
    corrected: tuple[int, int] | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One field: its value and where that is from, in JSON values; prices are texts in USD per token, or per their own unit.

    `source` is provider, carried over, held, pinned, rolled back or derived, None for a value that nobody states. `stated` is what the
    provider said last, as far as it is known. `wire` are the wire texts that give a price, or all there are
    (`wire_is_whole_price`) when no single one does; `stated_wire` those of the stated price where it differs. `answers_of` are the runs
    whose kept answers show it: that of the last change, and the latest.
    """

    field: str
    value: Any
    source: str | None
    since: datetime | None
    stated: Any
    reasons: tuple[Reason, ...] = ()
    last_change: LastChange | None = None
    declared_unit: str | None = None
    price_stated_at: datetime | None = None
    wire: tuple[WireText, ...] = ()
    wire_is_whole_price: bool = False
    stated_wire: tuple[WireText, ...] = ()
    model_updated_at: datetime
    answers_of: tuple[int, ...] = ()


def fields_of(known: Known) -> tuple[str, ...]:
    """Every field of a model that can be explained."""
    upstream = known.stored.upstream
    names = {*known.stored.model.metadata, *(upstream.stated.metadata if upstream else ())}
    return (*FIELDS, *(f"{_METADATA}{name}" for name in sorted(names)))


def overview(known: Known) -> tuple[Explanation, ...]:
    """All fields that have a value, or had one that is remembered, or of which the provider states one."""
    explanations = (explain_field(known, field) for field in fields_of(known))
    return tuple(each for each in explanations if not (is_nothing(each.value) and is_nothing(each.stated)) or _is_remembered(each))


def _is_remembered(explanation: Explanation) -> bool:
    return any(isinstance(reason, LastBelieved) for reason in explanation.reasons)


def explain_field(known: Known, field: str) -> Explanation:
    """How one field's value came to be."""
    value, stated = _value(known.stored, known.stored.model, field), _stated(known, field)
    last = _last_change(known, field)
    wire, is_whole = wire_texts(known.provider, field, known.stored.model) if is_in_price_document(field) else ((), False)
    return Explanation(
        field=field,
        value=plain(value),
        source=_source(known, field, value),
        since=None if field.startswith(_METADATA) else last.at if last else known.first_seen_at,
        stated=plain(stated),
        reasons=tuple(_reasons(known, field)),
        last_change=last,
        declared_unit=known.provider.price_unit if is_in_price_document(field) else None,
        price_stated_at=known.stored.priced_at if is_in_price_document(field) else None,
        wire=wire,
        wire_is_whole_price=is_whole,
        stated_wire=_stated_wire(known, field) if plain(stated) != plain(value) else (),
        model_updated_at=known.stored.updated_at,
        answers_of=_answers(known, last),
    )


def _value(stored: StoredModel, model: Model, field: str) -> object:
    """A field of a model that is stored or stated; what only the catalog decides is that of the stored one. Prices in USD per token."""
    if field == ALIAS:
        return stored.alias or model.id
    if field == "status":
        return stored.status
    if field == "modality":
        return model.modality
    return model.prices.others if field == OTHERS else value_of(model, field)


def _last_stated(known: Known) -> Model:
    """The model as the provider stated it last; as it stands, where that is not known."""
    upstream = known.stored.upstream
    stated = upstream.stated if upstream else known.stored.model
    return msgspec.structs.replace(stated, prices=claimed(stated.prices))


def _stated(known: Known, field: str) -> object:
    if field == ALIAS:
        return known.stored.model.id
    if field == "status" or (known.stored.upstream is None and not _says_it_all(known.stored)):
        return None
    return _value(known.stored, _last_stated(known), field)


def _says_it_all(stored: StoredModel) -> bool:
    """Whether the model is exactly what the last listing said: its hash is that of what was stated."""
    served = msgspec.structs.replace(stored.model, available=True)
    return stored.content_hash in (content_hash(stored.model), content_hash(served))


# Where a value is from


def _source(known: Known, field: str, value: object) -> str | None:
    """Who the value is from, as `Explanation.source` names it: the first of these that is so."""
    if _pin(known, field):
        return "pinned"
    if field in DERIVED or (field == "is_active" and known.stored.status == "retired"):
        return "derived"
    if _believed_by(known, field) == "rollback":
        return "rolled back"
    if _is_held(known, field):
        return "held"
    if value is None or (is_in_price_document(field) and is_nothing(value)):
        return None
    return "carried over" if _is_carried(known, field) else "provider"


def _believed_by(known: Known, field: str) -> str | None:
    """What started the run that moved what is believed of a field last."""
    for row in known.changes:
        before, now = row.fields.get(BENEATH, ({}, {}))
        if (before[field] != now[field]) if field in now else field in row.fields:
            return row.trigger
    return None


def _pin(known: Known, field: str) -> RecordedPin | None:
    return next((row for row in known.pins if row.field == field), None)


def _is_held(known: Known, field: str) -> bool:
    upstream = known.stored.upstream
    if upstream is None or not known.holds or not is_in_price_document(field):
        return False
    stated = _stated(known, field)
    return not is_nothing(stated) and stated != _value(known.stored, upstream.believed, field)


def _is_carried(known: Known, field: str) -> bool:
    upstream = known.stored.upstream
    if upstream is None or field in DERIVED:
        return False
    return is_nothing(_stated(known, field)) and not is_nothing(_value(known.stored, upstream.believed, field))


def _is_perhaps_carried(known: Known, field: str) -> bool:
    stored = known.stored
    if stored.upstream is not None or field in DERIVED or not stored.content_hash or _says_it_all(stored):
        return False
    return not is_nothing(_value(stored, stored.model, field))


def _reasons(known: Known, field: str) -> Iterator[Reason]:
    """Everything that keeps the value from being what the provider says now, the decisions of persons first."""
    stored, pin = known.stored, _pin(known, field)
    if pin is not None:
        ended = pin.expires_at is not None and pin.expires_at <= known.now
        yield Pinned(author=pin.author, reason=pin.reason, at=pin.created_at, until=pin.expires_at, ended=ended)
    if _is_held(known, field):
        yield from map(held_price, known.holds)
    if _is_carried(known, field):
        unstated_since = [mark.since for point, mark in stored.upstream.unstated.items() if _is_of(field, point)] if stored.upstream else []
        yield NotStated(since=min(unstated_since, default=None))
    elif _is_perhaps_carried(known, field):
        yield PerhapsNotStated()
    yield from (last for last in known.last_prices if _is_of(field, last.point))
    if is_in_price_document(field) and stored.model.prices.incomplete:
        yield Incomplete(tuple(Unread(name, stored.model.prices.others.get(name)) for name in stored.model.prices.incomplete))
    if field in ("status", "is_active"):
        yield from map(held_absence, known.absences)
    if stored.status != "active":
        yield Absent(status=stored.status, since=_absent_since(known))
    if known.frozen is not None:
        yield known.frozen


def _is_of(field: str, point: str) -> bool:
    """Whether a point of a price belongs to a field: itself, or a part of it."""
    return point == field or point.startswith(f"{field}[")


def _absent_since(known: Known) -> datetime | None:
    """Missing since the listing that says so; retired since the change."""
    if known.stored.status == "missing":
        return known.stored.missing_since
    return next((row.changed_at for row in known.changes if row.kind == known.stored.status), None)


def _last_change(known: Known, field: str) -> LastChange | None:
    """None where history does not tell, as of metadata."""
    if field.startswith(_METADATA):
        return None
    names = DERIVED.get(field, (field,))
    for row in known.changes:
        moved = next((name for name in names if name in row.fields), None)
        if moved is None and not (row.kind == "added" or (field == "status" and row.kind in _PRESENCE)):
            continue
        old, new = row.fields[moved] if moved is not None and moved == field else (None, None)
        versions = row.fields.get(READER) if is_in_price_document(field) else None
        corrected = (versions[0], versions[1]) if versions else None  # a list, as JSON has it
        return LastChange(run_id=row.run_id, trigger=row.trigger, at=row.changed_at, kind=row.kind, old=old, new=new, corrected=corrected)
    return None


def _answers(known: Known, last: LastChange | None) -> tuple[int, ...]:
    of_change = [last.run_id] if last is not None and last.run_id in known.kept_runs else []
    return tuple(dict.fromkeys([*of_change, *known.kept_runs[:1]]))


def _stated_wire(known: Known, field: str) -> tuple[WireText, ...]:
    return wire_texts(known.provider, field, _last_stated(known))[0] if is_in_price_document(field) else ()
