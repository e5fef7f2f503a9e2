"""What operators decide about the rows of providers. Each act is one transaction, audited, and a new revision of the catalog."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from modelsync.database.schema import model_changes, models, providers
from modelsync.database.session import Session
from modelsync.database.tables import events, leases
from modelsync.database.tables.providers import facts, health_of, id_of, move_revision
from modelsync.errors import AlreadyThere, NotThere
from modelsync.model.actors import Person

column = providers.c


def create(session: Session, values: Mapping[str, Any], person: Person) -> int:
    """A provider with these columns, its id; one that this program knows gets its facts where nothing is said.

    AlreadyThere when its slug is taken.
    """
    slug = values["slug"]
    known = session.providers.get(slug)
    stated = facts(known) if known else {"metadata": {}}

    def work(connection: sa.Connection) -> int:
        leases.lock(connection, slug)
        if id_of(connection, slug) is not None:
            raise AlreadyThere(f"There is a provider {slug} already", "Change it with PATCH")
        now = session.now(connection)
        statement = sa.insert(providers).values({**stated, **values, "created_at": now, "updated_at": now})
        provider_id = int(connection.execute(statement.returning(column.id)).scalar_one())
        _note(session, connection, slug, "create provider", "", person)
        return provider_id

    return session.transact(work)


def change(session: Session, provider_id: int, values: Mapping[str, object], person: Person) -> None:
    """Set columns of a provider. NotThere when there is none with this id."""

    def work(connection: sa.Connection) -> None:
        slug = _locked(connection, provider_id)
        connection.execute(sa.update(providers).where(column.id == provider_id).values({**values, "updated_at": session.now(connection)}))
        _note(session, connection, slug, "change provider", " ".join(sorted(values)), person)

    session.transact(work)


def set_health(session: Session, provider_id: int, health: str | None, person: Person) -> None:
    """Decide a provider's health, or with None let the sync record decide it again. NotThere when there is none with this id."""

    def work(connection: sa.Connection) -> None:
        slug = _locked(connection, provider_id)
        state = leases.state_of(connection, slug)
        failures = state["failures_in_a_row"] if state else 0
        derived = health_of(failures) if state and (failures or state["last_success_at"]) else "unknown"
        values = {"health_status": health or derived, "health_pinned": health is not None, "updated_at": session.now(connection)}
        connection.execute(sa.update(providers).where(column.id == provider_id).values(values))
        _note(session, connection, slug, "pin health" if health else "unpin health", health or "", person)

    session.transact(work)


def delete(session: Session, provider_id: int, person: Person) -> None:
    """Delete a provider that nothing hangs on. NotThere when there is none; AlreadyThere while it has models or a history."""

    def work(connection: sa.Connection) -> None:
        slug = _locked(connection, provider_id)
        for table, what in ((models, "models"), (model_changes, "a history")):
            if connection.execute(sa.select(sa.exists().where(table.c.provider_id == provider_id))).scalar_one():
                raise AlreadyThere(f"{slug} has {what}", "Deactivate it: deleting a provider never deletes anything else")
        connection.execute(sa.delete(providers).where(column.id == provider_id))
        _note(session, connection, slug, "delete provider", "", person)

    session.transact(work)


def _locked(connection: sa.Connection, provider_id: int) -> str:
    slug = connection.execute(sa.select(column.slug).where(column.id == provider_id)).scalar()
    if slug is None:
        raise NotThere(f"There is no provider {provider_id}", "GET /providers lists them")
    leases.lock(connection, slug)
    return str(slug)


def _note(session: Session, connection: sa.Connection, slug: str, action: str, target: str, person: Person) -> None:
    events.note(connection, action, f"{slug} {target}".strip(), person.name, person.reason, session.now(connection))
    move_revision(connection, slug)
