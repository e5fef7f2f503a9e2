"""What monitoring counts, read all at once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import holds, models, provider_state, providers, sync_results, sync_runs
from modelsync.database.session import Session
from modelsync.database.tables import pauses
from modelsync.database.tables import providers as provider_rows
from modelsync.database.tables import runs as records
from modelsync.database.tables.holds import listed
from modelsync.formats.held import left_in_place
from modelsync.queries import counts

Samples = dict[tuple[str, ...], float]


class MetricValues(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of each metric: counts, or seconds for `durations`, by their labels; `successes` are times by provider,
    `held_since` by provider and kind."""

    now: datetime
    models: Samples
    active: Samples
    holds: Samples
    held_since: Mapping[tuple[str, ...], datetime]
    rejections: Samples
    left_in_place: Samples
    incomplete: Samples
    paused: bool
    runs: Samples
    outcomes: Samples
    durations: Samples
    failures: Samples
    successes: Mapping[str, datetime | None]
    revision: int


class MetricsReader:
    """Counts what is in an open store, which has its tables."""

    def __init__(self, store: Session) -> None:
        self._store = store

    def now(self) -> MetricValues:
        """Everything as it is."""
        result, state, run = sync_results.c, provider_state.c, sync_runs.c
        of_models = sa.select(providers.c.slug, models.c.status, sa.func.count()).join(providers, providers.c.id == models.c.provider_id)
        active = sa.select(providers.c.slug, sa.func.count()).join(providers, providers.c.id == models.c.provider_id)
        of_holds = sa.select(holds.c.provider, holds.c.kind, sa.func.count()).group_by(holds.c.provider, holds.c.kind)
        oldest = sa.select(holds.c.provider, holds.c.kind, sa.func.min(holds.c.created_at)).group_by(holds.c.provider, holds.c.kind)
        last = sa.select(sa.func.max(result.id)).group_by(result.provider)
        with self._store.reading() as connection:
            now = self._store.now(connection)
            status = sa.case((records.is_dead(now), "interrupted"), else_=run.status)
            runs = sa.select(status.label("status")).subquery()  # a column has this name too, so it is grouped by outside
            where = provider_rows.shown_states(self._store.providers)
            states = connection.execute(sa.select(state.provider, state.failures_in_a_row, state.last_success_at).where(where)).all()
            return MetricValues(
                now=now,
                models=_samples(connection, of_models.group_by(providers.c.slug, models.c.status)),
                active=_samples(connection, active.where(models.c.is_active.is_(sa.true())).group_by(providers.c.slug)),
                holds=_samples(connection, of_holds.where(holds.c.status == "open")),
                held_since={(slug, kind): at for slug, kind, at in connection.execute(oldest.where(holds.c.status == "open")).all()},
                rejections=_samples(connection, of_holds.where(holds.c.status == "rejected")),
                left_in_place={(slug,): number for slug, number in left_in_place(listed(connection, status="rejected")).items()},
                incomplete={(slug,): prices.models for slug, prices in counts.incomplete_prices(connection).items()},
                paused=pauses.standing(connection) is not None,
                runs=_samples(connection, sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status)),
                outcomes=_samples(
                    connection, sa.select(result.provider, result.outcome, sa.func.count()).group_by(result.provider, result.outcome)
                ),
                durations=_samples(connection, sa.select(result.provider, result.duration_seconds).where(result.id.in_(last))),
                failures={(row.provider,): float(row.failures_in_a_row) for row in states},
                successes={row.provider: row.last_success_at for row in states},
                revision=connection.execute(sa.select(sa.func.coalesce(sa.func.sum(state.revision), 0))).scalar_one(),
            )


def _samples(connection: sa.Connection, query: sa.Select[*tuple[Any, ...]]) -> Samples:
    """What a query counts, as samples: its rows are labels and, last, a number."""
    return {tuple(map(str, labels)): float(number) for *labels, number in connection.execute(query)}
