"""What the store has of one model, for explaining its values."""

import sqlalchemy as sa

from modelsync.database.schema import answers, last_prices, model_changes, models, provider_state, sync_runs
from modelsync.database.session import Session
from modelsync.database.tables import holds, pins, providers
from modelsync.model.points import joined
from modelsync.providers.base import Provider
from modelsync.queries.explain import Known, PastChange
from modelsync.queries.reasons import Frozen, LastBelieved
from modelsync.sync import context


class ExplanationReader:
    """Reads what explains the values of a model from an open store."""

    def __init__(self, store: Session) -> None:
        self._store = store

    def known(self, provider: Provider, row_id: str) -> Known | None:
        """All that is known of one model; None when there is none."""
        with self._store.reading() as connection:
            provider_id = providers.id_of(connection, provider.slug)
            stored = context.full_rows(connection, provider_id, [row_id]) if provider_id is not None else {}
            if row_id not in stored:
                return None
            mine = (models.c.provider_id == provider_id, models.c.provider_model_id == row_id)
            return Known(
                provider=provider,
                stored=stored[row_id],
                first_seen_at=connection.execute(sa.select(models.c.first_seen_at).where(*mine)).scalar_one(),
                now=self._store.now(connection),
                pins=pins.listed(connection, [provider.slug], row_id),
                holds=holds.of_price(connection, provider.slug, row_id),
                absences=holds.of_absence(connection, provider.slug, row_id),
                last_prices=_last_prices(connection, provider_id, row_id),
                changes=_changes(connection, provider_id, row_id),
                kept_runs=_kept_runs(connection, provider.slug),
                frozen=_frozen(connection, provider.slug),
            )

    def ids(self, slug: str) -> list[str]:
        """The ids of a provider's models."""
        with self._store.reading() as connection:
            provider_id = providers.id_of(connection, slug)
            query = sa.select(models.c.provider_model_id).where(models.c.provider_id == provider_id)
            return list(connection.execute(query).scalars()) if provider_id is not None else []


def _changes(connection: sa.Connection, provider_id: int | None, row_id: str) -> list[PastChange]:
    """A model's history, newest first, with what started each run."""
    column = model_changes.c
    query = (
        sa.select(column.run_id, column.kind, column.fields, column.changed_at, sync_runs.c.trigger)
        .join(sync_runs, sync_runs.c.id == column.run_id)
        .where(column.provider_id == provider_id, column.provider_model_id == row_id)
        .order_by(column.id.desc())
    )
    return [PastChange(**row) for row in connection.execute(query).mappings()]


def _last_prices(connection: sa.Connection, provider_id: int | None, row_id: str) -> list[LastBelieved]:
    """What was believed last of prices that do not stand now, in the order of their names."""
    column = last_prices.c
    mine = (column.provider_id == provider_id, column.provider_model_id == row_id)
    query = sa.select(last_prices).where(*mine).order_by(column.field, column.condition)
    rows = connection.execute(query).mappings()
    return [LastBelieved(point=joined(row["field"], row["condition"]), usd=f"{row['usd']:f}", until=row["since"]) for row in rows]


def _kept_runs(connection: sa.Connection, slug: str) -> list[int]:
    query = sa.select(answers.c.run_id).where(answers.c.provider == slug).distinct().order_by(answers.c.run_id.desc())
    return list(connection.execute(query).scalars())


def _frozen(connection: sa.Connection, slug: str) -> Frozen | None:
    column = provider_state.c
    query = sa.select(column.frozen_at, column.frozen_reason).where(column.provider == slug, column.frozen_at.is_not(None))
    row = connection.execute(query).one_or_none()
    return Frozen(since=row.frozen_at, reason=row.frozen_reason or "") if row is not None else None
