"""Going back: a provider's models as they stood after an earlier run, as a new and audited change; syncs wait until it is thawed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.parts import in_parts
from modelsync.database.rows import json_value
from modelsync.database.schema import model_changes, provider_state, sync_results, sync_runs
from modelsync.database.session import Session
from modelsync.database.tables import holds, pins
from modelsync.errors import NotThere
from modelsync.model.actors import Person
from modelsync.model.fields import FACTS, typed
from modelsync.model.model import Model, Prices
from modelsync.model.points import PRICE_NAMES, numbers
from modelsync.model.timeline import Past, RunChange, believed_before, last_believed, of_belief
from modelsync.operations.models import Act, act_on
from modelsync.planning import holding
from modelsync.planning.plan import BY_HAND, Change, ChangeKind, FieldChange, StoredModel, differences
from modelsync.sync.context import kept

NOT_READ = ""
"""The content hash of a model that no sync has read so: the first one after thawing looks at it."""


def rollback(session: Session, slug: str, run_id: int, person: Person) -> tuple[int | None, int]:
    """Bring a provider's models to what was believed after a run, and keep syncs out. The new run's id (None: nothing to do) and how many.

    Models that came later are retired, unless somebody keeps them active; pins are kept; a model that no listing ever had is not the
    provider's, and left alone. NotThere when that run changed nothing of this provider's.
    """

    def work(act: Act) -> tuple[int | None, int]:
        later = _later_than(act, run_id)
        ways = _ways_back(act, later)
        act.note("rollback", f"to run {run_id}")
        new_run = act.apply("rollback", [change for change, _ in ways])
        _end_leaves(act)
        _freeze(act, f"rolled back to run {run_id}: {person.reason}")
        return new_run, sum(moves for _, moves in ways)

    return act_on(session, slug, person, work)


def _ways_back(act: Act, later: sa.ColumnElement[bool]) -> list[tuple[Change, bool]]:
    """What of the provider's models is to be undone of the changes that are `later`. Only what has changed since can differ.

    With each, whether anything moves that is believed, and not only what is remembered of its prices.
    """
    since = _recorded(act, later)
    models = act.models(since)
    theirs = {row_id: before for row_id, before in models.items() if before.content_hash != BY_HAND}
    until = _recorded(act, sa.not_(later), ids=theirs)
    active = kept(pins.standing(act.connection, act.slug, act.now))
    ways = []
    for row_id, before in theirs.items():
        earlier = until.get(row_id, [])
        told = of_belief([*earlier, *since[row_id]])
        now = _believed(act.slug, before)
        then = believed_before(now, told[len(earlier) :][::-1])
        target = _target(now, then, stays_active=row_id in active)
        last = {point: price.usd for point, price in last_believed(told[: len(earlier)]).items()}
        change = _back(before, target if target != now else None, last)
        stands = numbers(change.model.prices)
        if target != now or {point: usd for point, usd in last.items() if point not in stands} != before.last:
            ways.append((change, target != now))
    return ways


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


def _believed(slug: str, before: StoredModel) -> Past:
    """What is believed of a model, as the state from which the past is read."""
    facts = {field.field: json_value(field.new) for field in differences(Model(id=before.model.id), before.believed)}
    return Past(slug, before.model.id, before.status, {**facts, "is_active": before.believed.available})


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


def _recorded(act: Act, when: sa.ColumnElement[bool], ids: Iterable[str] | None = None) -> dict[str, list[RunChange]]:
    """What was recorded of this provider's models then, of all or of some, by model and oldest first."""
    change = model_changes.c
    columns = (change.provider_model_id, change.kind, change.fields, sync_runs.c.trigger, change.changed_at)
    query = sa.select(*columns).join(sync_runs, sync_runs.c.id == change.run_id).where(change.provider_id == act.provider_id, when)
    parts = [sa.true()] if ids is None else [change.provider_model_id.in_(part) for part in in_parts(sorted(ids))]
    changes: dict[str, list[RunChange]] = {}
    for part in parts:
        for row_id, *facts in act.connection.execute(query.where(part).order_by(change.id)):
            changes.setdefault(row_id, []).append(RunChange(*facts))
    return changes


def _target(now: Past, then: Past | None, *, stays_active: bool) -> Past:
    """What is to be believed of a model: what was. One that was not there yet is retired, unless it stays because somebody keeps it active.

    Whether one is missing only syncs find out.
    """
    if stays_active:
        then = then or now
        active = now.status if now.status == "missing" else "active"
        facts = {**then.facts, "is_active": True} if then.status == "retired" else then.facts
        return msgspec.structs.replace(then, status=active, facts=facts)
    if then is None or then.status == "retired":
        gone = then or now
        return msgspec.structs.replace(gone, status="retired", facts={**gone.facts, "is_active": False})
    return msgspec.structs.replace(then, status="missing" if now.status == "missing" else "active")


def _back(before: StoredModel, then: Past | None, last: Mapping[str, Decimal]) -> Change:
    """One model back to what it was (None: as it is), and what is remembered of its prices too."""
    model, kind, fields = before.believed, ChangeKind.UPDATED, tuple[FieldChange, ...]()
    if then is not None:
        kind, fields = _way(before.status, then.status)
        model = _model(then.facts, before.believed)
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
