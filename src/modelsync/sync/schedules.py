"""When each provider is due, as its row says: what a person set for it, or else what the settings say, and how its syncs went."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa

from modelsync.database.schema import model_changes, provider_state, providers, sync_results
from modelsync.planning.estimate import COUNTED, Poll, quickest
from modelsync.planning.schedule import (
    PERSON,
    Adaptive,
    Attempts,
    Due,
    GivenSchedule,
    Off,
    Schedule,
    Timetable,
    next_due,
    paced,
    parsed,
)
from modelsync.providers.base import Provider

LOOKED_AT = 4 * COUNTED
"""Results that are looked through for syncs that count."""


def effective(state: sa.RowMapping | None, given: GivenSchedule) -> GivenSchedule:
    """The schedule that counts: what a person set wins over what is `given` by settings. What cannot be read, as of a time zone that this
    machine does not know, does not count: a provider that is not synced at all is the worse accident.
    """
    if state is None:
        return given
    if state["schedule_off"]:
        return GivenSchedule(Off(), PERSON)
    try:
        return GivenSchedule(parsed(state["schedule"]), PERSON) if state["schedule"] else given
    except ValueError:
        return GivenSchedule(given.schedule, f"{given.source}, as {PERSON}'s {state['schedule']} cannot be read here")


def due(connection: sa.Connection, state: sa.RowMapping | None, provider: Provider, given: GivenSchedule, now: datetime) -> Due:
    """When a provider with this state is to be synced next, and why then."""
    return next_due(_timetable(connection, effective(state, given).schedule, provider), provider.slug, _attempts(state), now)


def _timetable(connection: sa.Connection, schedule: Schedule, provider: Provider) -> Timetable:
    if not isinstance(schedule, Adaptive):
        return schedule
    return paced(quickest(polls(connection, provider.slug)), timedelta(hours=provider.sync_hours), provider.cached_for)


def _attempts(state: sa.RowMapping | None) -> Attempts:
    if state is None:
        return Attempts()
    return Attempts(
        began_at=state["last_attempt_at"],
        served_at=state["last_served_at"],
        failures=state["retries"],
        unended=state["unended"],
        not_before=state["not_before"],
    )


def states(connection: sa.Connection, slugs: Iterable[str]) -> Mapping[str, sa.RowMapping]:
    """The state of these providers, by slug; nothing of one that nobody has tried to sync."""
    rows = connection.execute(sa.select(provider_state).where(provider_state.c.provider.in_(list(slugs)))).mappings()
    return {row["provider"]: row for row in rows}


def polls(connection: sa.Connection, slug: str) -> Sequence[Poll]:
    """Its latest syncs that were committed, oldest first. One that another version of its module read than the one before says nothing:
    what that changed was not the list. What is retired had changed listings before, when it was missing first.
    """
    result, change = sync_results.c, model_changes.c
    of_provider = sa.select(providers.c.id).where(providers.c.slug == slug).scalar_subquery()
    found = sa.exists().where(change.run_id == result.run_id, change.provider_id == of_provider, change.kind != "retired")
    query = (
        sa.select(result.finished_at, result.version, found.label("changed"))
        .where(result.provider == slug, result.outcome.in_(("synced", "not_modified")), result.version.is_not(None))
        .order_by(result.run_id.desc())
        .limit(LOOKED_AT)
    )
    rows = connection.execute(query).all()[::-1]
    return [
        Poll((row.finished_at - before.finished_at).total_seconds(), bool(row.changed))
        for before, row in pairwise(rows)
        if before.version == row.version
    ]
