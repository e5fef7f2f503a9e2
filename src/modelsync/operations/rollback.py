"""Going back: a provider's models as they stood after an earlier run, as a new and audited change; syncs wait until it is thawed."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.rows import BY_HAND, json_value
from modelsync.database.schema import last_prices, model_changes, models, provider_state, sync_results, sync_runs
from modelsync.database.session import Session
from modelsync.database.tables import holds, pins
from modelsync.errors import NotThere
from modelsync.model.actors import Person
from modelsync.model.fields import FACTS, PINNABLE, Pin, pinned, typed, value_of
from modelsync.model.model import Model, Prices
from modelsync.model.points import PRICE_NAMES, numbers
from modelsync.model.timeline import PINNING, Key, LastPrice, Past, Recorded, RunChange, beneath, last_believed, present, undone
from modelsync.operations.models import Act, act_on
from modelsync.planning import holding
from modelsync.planning.plan import Change, ChangeKind, FieldChange, StoredModel
from modelsync.sync.context import kept

NOT_READ = ""
"""The content hash of a model that no sync has read so: the first one after thawing looks at it."""


def rollback(session: Session, slug: str, run_id: int, person: Person) -> tuple[int | None, int]:
    """Bring a provider's models to what they were after a run, and keep syncs out. The new run's id (None: nothing to do) and how many.

    Models that came later are retired, unless somebody keeps them active; pins are kept; a model that no listing ever had is not the
    provider's, and left alone. NotThere when that run changed nothing of this provider's.
    """

    def work(act: Act) -> tuple[int | None, int]:
        """Write what differs, and models with last prices too: what is remembered of these goes back with them."""
        now, later = _present(act), _later_than(act, run_id)
        shown = undone(now, _changes_after(act, later))
        standing = pins.standing(act.connection, slug, act.now)
        believed_then = undone(shown, _pinned_until(act, later, shown))
        shown_then, targets = (_targets(now, then, kept_active=kept(standing)) for then in (shown, believed_then))
        moving = {key[1] for key in now if now[key] != shown_then[key]}
        touched = sorted(moving | _with_last_prices(act) & {row_id for _, row_id in now})
        full, believed = act.models(touched), _believed_until(act, later, touched)
        changes = [
            _back(full[row_id], targets[slug, row_id] if row_id in moving else None, standing.get(row_id, ()), believed.get(row_id, {}))
            for row_id in touched
        ]
        act.note("rollback", f"to run {run_id}")
        new_run = act.apply("rollback", changes)
        _end_leaves(act)
        _freeze(act, f"rolled back to run {run_id}: {person.reason}")
        return new_run, sum(now[slug, row_id] != targets[slug, row_id] for row_id in moving)

    return act_on(session, slug, person, work)


def _end_leaves(act: Act) -> None:
    """End confirmations that do not stand, because a process died before they did: the first listing after thawing must not use them."""
    for row in holds.of_prices(act.connection, act.slug, "confirmed"):
        claims = holding.claims(row)
        unused = {
            row_id
            for row_id, before in act.models(row.about).items()
            if any(numbers(before.believed.prices).get(point) != Decimal(usd) for point, usd in claims[row_id].items())
        }
        if holds.end_leave(act.connection, row, unused):
            act.note("end confirmation", f"{row.kind} {row.id}")


def thaw(session: Session, slug: str, person: Person) -> bool:
    """Let a provider sync again; whether it was frozen."""

    def work(act: Act) -> bool:
        mine = (provider_state.c.provider == slug, provider_state.c.frozen_at.is_not(None))
        statement = sa.update(provider_state).where(*mine).values(frozen_at=None, frozen_reason=None)
        thawed = bool(act.connection.execute(statement.returning(provider_state.c.provider)).all())
        if thawed:
            act.note("thaw", "")
        return thawed

    return act_on(session, slug, person, work)


def _freeze(act: Act, reason: str) -> None:
    """No sync commits from now on, one that is under way included; and the first one after thawing reads everything."""
    values = {"frozen_at": act.now, "frozen_reason": reason, "digest": None, "validators": None, "ticket_token": None, "ticket_until": None}
    act.connection.execute(sa.update(provider_state).where(provider_state.c.provider == act.slug).values(values))


def _present(act: Act) -> dict[Key, Past]:
    """The provider's models as they stand; what somebody added and it never listed is not among them."""
    models_by_key = {}
    theirs = (models.c.provider_id == act.provider_id, models.c.content_hash != BY_HAND)
    query = sa.select(models).where(*theirs).execution_options(yield_per=500)
    for row in act.connection.execute(query).mappings():
        values = {**row, **{name: json_value(row[name]) for name in FACTS}}
        models_by_key[act.slug, row["provider_model_id"]] = present(act.slug, values)
    return models_by_key


def _later_than(act: Act, run_id: int) -> sa.ColumnElement[bool]:
    """The condition that a change of this provider's was recorded after a run."""
    column = model_changes.c
    mine = column.provider_id == act.provider_id
    last = act.connection.execute(sa.select(sa.func.max(column.id)).where(mine, column.run_id == run_id)).scalar()
    if last is not None:
        after: sa.ColumnElement[bool] = column.id > last
        return after
    results = sync_results.c
    of_run = (results.run_id == run_id, results.provider == act.slug, results.outcome.in_(("synced", "not_modified")))
    finished = act.connection.execute(sa.select(results.finished_at).where(*of_run)).scalar()
    if finished is None:
        hint = "`modelsync runs` lists runs, `modelsync runs N` their providers"
        raise NotThere(f"Run {run_id} committed nothing of {act.slug}", hint)
    later: sa.ColumnElement[bool] = column.changed_at > finished
    return later


def _changes_after(act: Act, later: sa.ColumnElement[bool]) -> list[Recorded]:
    """What was recorded of this provider after a run, newest first."""
    column = model_changes.c
    query = sa.select(model_changes).where(column.provider_id == act.provider_id, later).order_by(column.id.desc())
    return [Recorded(act.slug, row["provider_model_id"], row["kind"], row["fields"]) for row in act.connection.execute(query).mappings()]


def _with_last_prices(act: Act) -> set[str]:
    column = last_prices.c
    query = sa.select(column.provider_model_id).where(column.provider_id == act.provider_id).distinct()
    return set(act.connection.execute(query).scalars())


def _believed_until(act: Act, later: sa.ColumnElement[bool], ids: Sequence[str]) -> dict[str, dict[str, LastPrice]]:
    """The prices that were believed last before the changes that are `later`, by model. What a pin hid is not in the history."""
    return {row_id: last_believed(changes) for row_id, changes in _changes_until(act, later, ids).items()}


def _pinned_until(act: Act, later: sa.ColumnElement[bool], shown: Mapping[Key, Past]) -> list[Recorded]:
    """What persons' values came to stand over before the changes that are `later`, as changes to be undone: these are nobody's belief.

    Unless it is what is believed now: a pin that ends when the provider says the same leaves no change.
    """
    column = model_changes.c
    of_persons = (column.provider_id == act.provider_id, sa.not_(later), sync_runs.c.trigger.in_(PINNING))
    query = sa.select(column.provider_model_id).join(sync_runs, sync_runs.c.id == column.run_id).where(*of_persons).distinct()
    ids = sorted(act.connection.execute(query).scalars())
    hidden = {row_id: beneath(of_model) for row_id, of_model in _changes_until(act, later, ids).items()}
    changes = []
    for row_id, before in act.models(hidden).items():
        facts = past.facts if (past := shown.get((act.slug, row_id))) is not None else {}
        fields = {field: (old, None) for field, old in hidden[row_id].items() if not _is_believed(before, field, facts.get(field))}
        changes.append(Recorded(act.slug, row_id, "updated", fields))
    return changes


def _is_believed(before: StoredModel, field: str, value: object) -> bool:
    return field in PINNABLE and typed(field, value) == value_of(before.believed, field)


def _changes_until(act: Act, later: sa.ColumnElement[bool], ids: Sequence[str]) -> dict[str, list[RunChange]]:
    """What was recorded of some models before the changes that are `later`, oldest first."""
    change, run = model_changes.c, sync_runs.c
    changes: dict[str, list[RunChange]] = {}
    for start in range(0, len(ids), 500):
        mine = (change.provider_id == act.provider_id, change.provider_model_id.in_(ids[start : start + 500]), sa.not_(later))
        query = sa.select(change.provider_model_id, run.trigger, change.changed_at, change.fields).join(sync_runs, run.id == change.run_id)
        for row_id, *columns in act.connection.execute(query.where(*mine).order_by(change.id)):
            changes.setdefault(row_id, []).append(RunChange(*columns))
    return changes


def _targets(now: Mapping[Key, Past], then: Mapping[Key, Past], *, kept_active: Collection[str]) -> dict[Key, Past]:
    return {key: _target(past, then.get(key), stays_active=key[1] in kept_active) for key, past in now.items()}


def _target(now: Past, then: Past | None, *, stays_active: bool) -> Past:
    """What a model is to be: what it was. One that was not there yet is retired, unless it stays because somebody keeps it active.

    Whether one is missing only syncs find out.
    """
    then = then or (now if stays_active else msgspec.structs.replace(now, status="retired", facts={**now.facts, "is_active": False}))
    if then.status == "retired" and not stays_active:
        return msgspec.structs.replace(then, facts={**then.facts, "is_active": False})
    facts = {**then.facts, "is_active": True} if stays_active else then.facts
    return msgspec.structs.replace(then, status="missing" if now.status == "missing" else "active", facts=facts)


def _back(before: StoredModel, then: Past | None, kept: tuple[Pin, ...], believed: Mapping[str, LastPrice]) -> Change:
    """One model back to what it was (None: as it is), and what is remembered of its prices too.

    One that is as it was keeps all that is believed of it: what shows may be a pin's, whose time has come since.
    """
    model, kind, fields = before.believed, ChangeKind.UPDATED, tuple[FieldChange, ...]()
    if then is not None:
        kind, fields = _way(before.status, then.status)
        model = _model(then.facts, before.believed)
        model = pinned(model, [Pin(pin.field, value_of(before.believed, pin.field)) for pin in kept])
    last = {point: each.usd for point, each in believed.items()}
    return Change(kind, before.model.id, model, NOT_READ, fields, before=before, last=last, reader=before.reader)


def _way(now: str, then: str) -> tuple[ChangeKind, tuple[FieldChange, ...]]:
    if now == then:
        return ChangeKind.UPDATED, ()
    return ChangeKind.RETIRED if then == "retired" else ChangeKind.REVIVED, (FieldChange("status", now, then),)


def _model(facts: Mapping[str, Any], known: Model) -> Model:
    """The facts of the past as a model; what history does not keep (metadata, wire texts) as it is known."""
    values: dict[str, Any] = {}
    prices: dict[str, Any] = {}
    for name in FACTS:
        if name not in ("model_id", "is_active"):
            values[name] = typed(name, facts.get(name))
    for field, value in facts.items():
        if field in ("pricing.others", "pricing.incomplete"):
            prices[field.removeprefix("pricing.")] = value if field == "pricing.others" else tuple(value)
        elif field.startswith("pricing"):
            prices[PRICE_NAMES.get(field, field.removeprefix("pricing."))] = typed(field, value)
    return msgspec.structs.replace(known, **values, available=bool(facts.get("is_active")), prices=Prices(**prices))
