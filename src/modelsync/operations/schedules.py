"""What persons decide about when a provider is synced by itself. Each act is one transaction, and audited."""

from collections.abc import Mapping

import sqlalchemy as sa

from modelsync.database.schema import provider_state
from modelsync.database.session import Session
from modelsync.database.tables import events, leases
from modelsync.errors import Settled, UsageError
from modelsync.model.actors import Person
from modelsync.planning.schedule import FORMS, Off, Schedule, parsed, written

OF_SETTINGS, ON = "default", "on"
"""What gives a provider back to the settings, and what takes `off` back."""


def write_schedule(session: Session, slug: str, text: str, person: Person) -> None:
    """Sync a provider by itself as a person writes it: by a schedule, off, on (as before off), or default: as the settings say.

    UsageError for any other text; Settled for on when no person has switched it off.
    """
    if text == ON:
        _switch_on(session, slug, person)
        return
    try:
        schedule = None if text == OF_SETTINGS else parsed(text)
    except ValueError as error:
        raise UsageError(f"{text} is no schedule: {error}", FORMS) from None
    _set(session, slug, schedule, person)


def _set(session: Session, slug: str, schedule: Schedule | None, person: Person) -> None:
    text = written(schedule) if schedule else None
    values = {"schedule_off": True} if isinstance(schedule, Off) else {"schedule": text, "schedule_off": False}

    def work(connection: sa.Connection) -> None:
        leases.lock(connection, slug)
        _write(session, connection, slug, values, text or "as the settings say", person)

    session.transact(work)


def _switch_on(session: Session, slug: str, person: Person) -> None:
    def work(connection: sa.Connection) -> None:
        if not leases.lock(connection, slug)["schedule_off"]:
            hint = "`modelsync schedule` shows each provider's, and where it is from"
            raise Settled(f"No person has switched the schedule of {slug} off", hint)
        _write(session, connection, slug, {"schedule_off": False}, ON, person)

    session.transact(work)


def _write(session: Session, connection: sa.Connection, slug: str, values: Mapping[str, object], what: str, person: Person) -> None:
    connection.execute(sa.update(provider_state).where(provider_state.c.provider == slug).values(values))
    events.note(connection, "schedule", f"{slug} {what}", person.name, person.reason, session.now(connection))
