"""What persons decide about models: pins, models of their own, held prices, going back. Each act is one transaction, audited."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from modelsync.database.bulk import BulkWriter
from modelsync.database.schema import last_prices, model_changes, models, upstream_values
from modelsync.database.session import Session
from modelsync.database.tables import events, holds, leases, pins, providers, runs
from modelsync.database.tables.models import write
from modelsync.errors import AlreadyThere, NotThere, UsageError
from modelsync.model.actors import Person
from modelsync.model.fields import BELIEVED, Pin, value_of
from modelsync.model.limits import check_id
from modelsync.model.model import Model
from modelsync.model.points import numbers
from modelsync.planning import holding
from modelsync.planning.holding import Standing
from modelsync.planning.plan import BY_HAND, Change, ChangeKind, FieldChange, Plan, Stored, StoredModel, settled
from modelsync.planning.quarantine import asked_anew
from modelsync.sync import context

Result = TypeVar("Result")


class Wish(msgspec.Struct, frozen=True):
    """A model as somebody wants it, there already or not."""

    slug: str
    row_id: str
    pins: tuple[Pin, ...]


class Act(msgspec.Struct, frozen=True):
    """An act under way: one provider's part of the catalog, locked, inside a transaction."""

    connection: sa.Connection
    bulk: BulkWriter
    slug: str
    provider_id: int
    now: datetime
    seq: int
    person: Person

    def models(self, ids: Iterable[str]) -> dict[str, StoredModel]:
        """Models as they stand, by id."""
        return context.full_rows(self.connection, self.provider_id, list(ids))

    def numbers(self, ids: Iterable[str]) -> dict[str, int]:
        """The numbers of models, by id."""
        mine = (models.c.provider_id == self.provider_id, models.c.provider_model_id.in_(list(ids)))
        rows = self.connection.execute(sa.select(models.c.provider_model_id, models.c.id).where(*mine))
        return {row[0]: row[1] for row in rows}

    def model(self, row_id: str) -> StoredModel:
        """One model as it stands. NotThere when there is none."""
        model = self.models([row_id]).get(row_id)
        if model is None:
            raise NotThere(f"{self.slug} has no model {row_id} in the catalog", "`modelsync models` finds ids")
        return model

    def note(self, action: str, target: str) -> None:
        """An audit row."""
        events.note(self.connection, action, f"{self.slug} {target}".strip(), self.person.name, self.person.reason, self.now)

    def apply(self, trigger: str, changes: Sequence[Change], run_id: int | None = None) -> int | None:
        """Write changes, under what is pinned now, as a run of their own or as more of one; its id, None when nothing changed."""
        standing = holds.of_prices(self.connection, self.slug, *holds.STANDING)
        held = {row_id for row in standing if row.status != "confirmed" for row_id in row.ids}
        before = {change.id: change.before.content_hash for change in changes if change.before}
        known = Stored(before, pins=pins.standing(self.connection, self.slug, self.now))
        moved = _moved_prices(changes)
        marked = tuple(
            msgspec.structs.replace(change, held=change.held or change.id in held, fields=(*change.fields, *_unseen(change)))
            for change in sorted(changes, key=lambda change: change.id)
        )
        plan = settled(Plan(marked), known)
        if not plan.writes:
            return run_id
        ended = holds.end_moved(self.connection, standing, moved)
        for action, row in ended:
            self.note(action, f"{row.kind} {row.id}")
        run_id = runs.acted(self.connection, trigger, self.slug, self.now, len(plan.changes), run_id)
        write(self.connection, self.bulk, run_id, self.provider_id, plan, self.seq, self.now)
        self.ask_anew([row for _, row in ended if row.status == "open" and row.needs_person])
        return run_id

    def ask_anew(self, rows: Sequence[Standing]) -> bool:
        """Ask about the prices of holds that the provider does not deny, beside what is believed by now. Whether there are any."""
        claims = [(row.kind, holding.claims(row)) for row in rows]
        models_by_id = self.models({row_id for _, points in claims for row_id in points}) if rows else {}
        of_rows = ((kind, {row_id: models_by_id[row_id] for row_id in points if row_id in models_by_id}, points) for kind, points in claims)
        anew = {hold.content: hold for each in of_rows if (hold := asked_anew(*each))}
        holds.open_new(self.connection, self.slug, anew.values(), self.now)
        return bool(anew)


Moved = Mapping[str, tuple[Mapping[str, Decimal], Mapping[str, Decimal]]]
"""What was believed of prices and what is, by model and point."""


def _unseen(change: Change) -> Iterable[FieldChange]:
    """What is believed last of prices that do not stand after an act, where it moved or stood: going back needs to know."""
    if change.before is None:
        return
    before, now, live = change.before.believed_numbers, _last_known(change), numbers(change.model.prices)
    stood = numbers(change.before.believed.prices)
    unseen = sorted(
        point for point in before.keys() | now.keys() if point not in live and (point in stood or before.get(point) != now.get(point))
    )
    if unseen:
        yield FieldChange(BELIEVED, {point: before.get(point) for point in unseen}, {point: now.get(point) for point in unseen})


def _last_known(change: Change) -> dict[str, Decimal]:
    """What is believed last of a price after a change, whether it stands or not."""
    before = change.before.believed_numbers if change.before else {}
    return {**(before if change.last is None else change.last), **numbers(change.model.prices)}


def _moved_prices(changes: Iterable[Change]) -> Moved:
    """Of the models where that differs, whether it stands or not."""
    known = {change.id: (change.before.believed_numbers, _last_known(change)) for change in changes if change.before is not None}
    return {row_id: (before, now) for row_id, (before, now) in known.items() if before != now}


def act_on(session: Session, slug: str, person: Person, work: Callable[[Act], Result]) -> Result:
    """Act on one provider's part of the catalog: a sync that is under way commits before or after, never between.

    The work is done again when another transaction was in its way. Raises NotThere when the catalog does not have the provider.
    """
    return session.transact(lambda connection: work(act_within(session, connection, slug, person)))


def act_within(session: Session, connection: sa.Connection, slug: str, person: Person) -> Act:
    """An act on one provider's part of the catalog, inside a transaction: locked, and the next listing looked at whole."""
    provider_id = providers.id_of(connection, slug)
    if provider_id is None:
        raise NotThere(f"The catalog has nothing of {slug} yet", f"Sync it first: modelsync sync --providers {slug}")
    state = leases.lock(connection, slug)
    runs.forget_listing(connection, slug)
    return Act(connection, session.bulk, slug, provider_id, session.now(connection), state["complete_seq"], person)


# Pins


def pin(session: Session, slug: str, row_id: str, new_pins: Sequence[Pin], person: Person, expires_at: datetime | None = None) -> None:
    """Set values that win over every sync. NotThere when the catalog does not have the model."""

    def work(act: Act) -> None:
        if expires_at is not None and expires_at <= act.now:
            raise UsageError("The pin would have expired already", "Give a later time, or none")
        before = act.model(row_id)
        _put(act, row_id, before.believed, new_pins, expires_at)
        act.apply("pin", [_revised(row_id, before, _revives(before, new_pins))])

    act_on(session, slug, person, work)


def unpin(session: Session, slug: str, row_id: str, fields: Sequence[str], person: Person) -> list[str]:
    """Remove the pins of these fields, or all of a model: what the provider said last shows at once. The fields that were pinned."""

    def work(act: Act) -> list[str]:
        before = act.model(row_id)
        standing = pins.listed(act.connection, [slug], row_id)
        removed = pins.remove(act.connection, slug, row_id, fields or [row.field for row in standing])
        for field in removed:
            act.note("unpin", f"{row_id} {field}")
        act.apply("unpin", [_revised(row_id, before)])
        return removed

    return act_on(session, slug, person, work)


def add(session: Session, slug: str, row_id: str, new_pins: Sequence[Pin], person: Person) -> None:
    """A model that the provider does not list. It stays active until somebody unpins that. AlreadyThere when it is."""
    _check(row_id)

    def work(act: Act) -> None:
        if act.models([row_id]):
            raise AlreadyThere(f"{slug} already has a model {row_id}", "Change it with `modelsync pin`")
        act.apply("add", [_new(act, row_id, new_pins)])

    act_on(session, slug, person, work)


def upsert(session: Session, wishes: Sequence[Wish], person: Person) -> tuple[int, list[int]]:
    """Pin fields of models that are there, and add those that are not: all of it or nothing. How many are new, and every model's number.

    UsageError when one is named twice; NotThere when the catalog does not have a provider.
    """
    if len({(wish.slug, wish.row_id) for wish in wishes}) < len(wishes):
        raise UsageError("A model is named twice", "Name each once")
    for wish in wishes:
        _check(wish.row_id)

    def work(connection: sa.Connection) -> tuple[int, list[int]]:
        """Lock the providers in the order of their slugs, as every other act does: two of them cannot wait for each other."""
        ids: dict[tuple[str, str], int] = {}
        created = 0
        for slug in sorted({wish.slug for wish in wishes}):
            act = act_within(session, connection, slug, person)
            mine = [wish for wish in wishes if wish.slug == slug]
            known = act.models([wish.row_id for wish in mine])
            created += len(mine) - len(known)
            act.apply("upsert", [_wished(act, wish, known.get(wish.row_id)) for wish in mine])
            ids |= {(slug, row_id): number for row_id, number in act.numbers([wish.row_id for wish in mine]).items()}
        return created, [ids[wish.slug, wish.row_id] for wish in wishes]

    return session.transact(work)


def _check(row_id: str) -> None:
    try:
        check_id(row_id)
    except ValueError as error:
        raise UsageError(f"No model can be called so: {error}", "Use the id that the provider would use") from None


def _wished(act: Act, wish: Wish, before: StoredModel | None) -> Change:
    if before is None:
        return _new(act, wish.row_id, wish.pins)
    _put(act, wish.row_id, before.believed, wish.pins, None)
    return _revised(wish.row_id, before, _revives(before, wish.pins))


def _new(act: Act, row_id: str, new_pins: Sequence[Pin]) -> Change:
    facts = [pin for pin in new_pins if pin.field != "is_active"]
    active = [pin for pin in new_pins if pin.field == "is_active"] or [Pin("is_active", True)]
    _put(act, row_id, Model(id=row_id), [*active, *facts], None)
    return Change(ChangeKind.ADDED, row_id, Model(id=row_id), BY_HAND)


def remove(session: Session, slug: str, row_id: str, person: Person) -> None:
    """Delete a model that somebody added and its provider never listed, with its pins and its history.

    AlreadyThere for one that the provider listed; NotThere when there is none.
    """

    def work(act: Act) -> None:
        if act.model(row_id).content_hash != BY_HAND:
            raise AlreadyThere(f"{slug} listed {row_id}: it is not deleted", "Deactivate it, and no sync will bring it back")
        standing = pins.listed(act.connection, [slug], row_id)
        pins.remove(act.connection, slug, row_id, [row.field for row in standing])
        act.note("delete model", row_id)
        for table in (model_changes, upstream_values, last_prices, models):
            mine = (table.c.provider_id == act.provider_id, table.c.provider_model_id == row_id)
            act.connection.execute(sa.delete(table).where(*mine))
        providers.move_revision(act.connection, slug)

    act_on(session, slug, person, work)


def _put(act: Act, row_id: str, believed: Model, new_pins: Sequence[Pin], expires_at: datetime | None) -> None:
    for pin in new_pins:
        values = {"author": act.person.name, "reason": act.person.reason, "created_at": act.now, "expires_at": expires_at}
        pins.put(act.connection, act.slug, row_id, pin, value_of(believed, pin.field), **values)
        act.note("pin", f"{row_id} {pin.field}")


def _revised(row_id: str, before: StoredModel, believed: Model | None = None) -> Change:
    """The model looked at again under the pins that there are now."""
    unstated = before.upstream.unstated if before.upstream else {}
    back = believed is not None and before.status == "retired"
    fields = (FieldChange("status", "retired", "active"),) if back else ()
    kind = ChangeKind.REVIVED if back else ChangeKind.UPDATED
    return Change(
        kind, row_id, believed or before.believed, before.content_hash, fields, before=before, unstated=unstated, reader=before.reader
    )


def _revives(before: StoredModel, new_pins: Sequence[Pin]) -> Model | None:
    """A retired model that somebody wants active is active again."""
    if before.status != "retired" or not any(pin.field == "is_active" and pin.value for pin in new_pins):
        return None
    return msgspec.structs.replace(before.believed, available=True)
