"""When each provider is synced by itself: its schedule, the last attempt, the next time, and why then."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from modelsync.database.tables import leases
from modelsync.model.records import Moment
from modelsync.planning.estimate import Poll, estimate, quickest
from modelsync.planning.schedule import GivenSchedule, Off, interval_text, paced, written
from modelsync.sync import schedules
from modelsync.sync.store import Store


class ScheduledProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's schedule, as it is written, and its `source`: default, a setting, or a person.

    When its last attempt began and when the next one is due (None: never), `why` then; and the run that syncs it now. `kept_out` says what
    keeps every sync of it from happening, whenever it is due.
    """

    provider: str
    schedule: str
    source: str
    last_attempt_at: Moment | None
    next_at: Moment | None
    why: str
    running: int | None
    kept_out: str | None

    def is_due(self, now: datetime) -> bool:
        """Whether a sync of it could begin now."""
        return self.next_at is not None and self.next_at <= now and self.running is None and self.kept_out is None


def scheduled(store: Store, given: Mapping[str, GivenSchedule]) -> tuple[datetime, list[ScheduledProvider]]:
    """The database's time, and providers with their schedules, by what is `given` for each by the settings, in the order of their names."""
    with store.reading() as connection:
        now, states = store.now(connection), schedules.states(connection, given)
        return now, [_readable(connection, store, slug, states.get(slug), given[slug], now) for slug in sorted(given)]


def _readable(
    connection: sa.Connection, store: Store, slug: str, state: sa.RowMapping | None, given: GivenSchedule, now: datetime
) -> ScheduledProvider:
    """A provider's row; one that makes no sense, as of a state that somebody wrote by hand, keeps no other provider from its own."""
    try:
        return _row(connection, store, slug, state, given, now)
    except (ValueError, TypeError, ArithmeticError) as error:
        why = f"its row of provider_state cannot be read ({type(error).__name__}): correct it"
        never = {"last_attempt_at": None, "next_at": None, "running": None}
        return ScheduledProvider(provider=slug, schedule=written(given.schedule), source=given.source, why=why, kept_out=why, **never)


def _row(
    connection: sa.Connection, store: Store, slug: str, state: sa.RowMapping | None, given: GivenSchedule, now: datetime
) -> ScheduledProvider:
    chosen = schedules.effective(state, given)
    due = schedules.due(connection, state, store.providers[slug], given, now)
    return ScheduledProvider(
        provider=slug,
        schedule=written(chosen.schedule),
        source=chosen.source,
        last_attempt_at=state["last_attempt_at"] if state else None,
        next_at=due.at,
        why=due.why,
        running=leases.running(state, now) if state else None,
        kept_out=None if isinstance(chosen.schedule, Off) else leases.kept_out(connection, slug),
    )


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """How often a provider's list changes, by what its syncs found, and the interval that follows from it.

    `changes_per_day` lies between `low` and `high` with 95 % (`high` is None when every sync found a change): from `polls` syncs of which
    `changed` found a change, in `days` days. All are None, and the counts 0, when there are too few.
    """

    provider: str
    changes_per_day: float | None
    low: float | None
    high: float | None
    polls: int
    changed: int
    days: float
    interval: str
    why: str


def advice(store: Store, slugs: Iterable[str]) -> list[Advice]:
    """What is known of how often lists change, in the order of their names."""
    with store.reading() as connection:
        return [_advice(store, slug, schedules.polls(connection, slug)) for slug in sorted(slugs)]


def _advice(store: Store, slug: str, polls: Sequence[Poll]) -> Advice:
    provider, found = store.providers[slug], estimate(polls)
    pace = paced(quickest(polls), timedelta(hours=provider.sync_hours), provider.cached_for)
    return Advice(
        provider=slug,
        changes_per_day=found.per_day if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        polls=found.polls if found else 0,
        changed=found.changed if found else 0,
        days=found.days if found else 0.0,
        interval=interval_text(timedelta(seconds=pace.seconds)),
        why=pace.why,
    )
