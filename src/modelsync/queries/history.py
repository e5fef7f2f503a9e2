"""Reading history: recorded changes, and the catalog as it stood at a time."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.rows import json_value
from modelsync.database.schema import model_changes, models, providers, sync_runs
from modelsync.database.session import Session
from modelsync.errors import UsageError
from modelsync.model.fields import FACTS, RECORDED
from modelsync.model.records import RecordedModel
from modelsync.model.timeline import Key, Past, Recorded, RecordedChange, present, row_of, tells_of, undone
from modelsync.queries.filters import ModelFilter, Order, per_token


class ChangeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes: all conditions hold together. UsageError for a `field` that no change has.

    `model` is an exact id, `field` a name as changes record it; `before` is the number of a change, for the ones before it.
    """

    since: datetime | None = None
    providers: tuple[str, ...] = ()
    model: str | None = None
    field: str | None = None
    kind: str | None = None
    before: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.field is not None and self.field not in RECORDED:
            near = difflib.get_close_matches(self.field, RECORDED, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"The fields are {', '.join(RECORDED)}"
            raise UsageError(f"There is no field {self.field[:80]!a} in changes", hint)


class History:
    """Questions about the past of an open store."""

    def __init__(self, store: Session) -> None:
        self._store = store

    def changes(self, change_filter: ChangeFilter) -> list[RecordedChange]:
        """Matching changes, newest first."""
        with self._store.reading() as connection:
            return recorded(connection, change_filter)

    def at(self, moments: Sequence[datetime], slugs: Sequence[str] = ()) -> list[dict[Key, Past]]:
        """The catalog as it stood at each of `moments`, of the named providers or all, by (provider, id)."""
        with self._store.reading() as connection:
            now = self._present(connection, slugs)
            recorded = self._recorded(connection, min(moments), slugs)
        return [undone(now, (change for when, change in recorded if when > moment)) for moment in moments]

    def models_at(self, moment: datetime, model_filter: ModelFilter) -> list[RecordedModel]:
        """The models as they stood then, in the columns that history keeps, filtered like `Reader.models` whatever its limit."""
        (then,) = self.at([moment], model_filter.providers)
        rows = (row_of(then[key]) for key in sorted(then))
        return [row for row in rows if _matches(row, model_filter)]

    def began_at(self) -> datetime | None:
        """When the first change was recorded that is still known."""
        with self._store.reading() as connection:
            query = sa.select(model_changes.c.changed_at).order_by(model_changes.c.id).limit(1)
            return connection.execute(query).scalar()

    def _present(self, connection: sa.Connection, slugs: Sequence[str]) -> dict[Key, Past]:
        """The catalog as it is, in the columns that history keeps, of the named providers or all."""
        query = sa.select(models, providers.c.slug.label("provider")).join(providers, providers.c.id == models.c.provider_id)
        query = query.where(providers.c.slug.in_(slugs)) if slugs else query
        state = {}
        for row in connection.execution_options(yield_per=500).execute(query).mappings():
            values = {**row, **{name: json_value(row[name]) for name in FACTS}}
            state[row["provider"], row["provider_model_id"]] = present(row["provider"], values)
        return state

    def _recorded(self, connection: sa.Connection, since: datetime, slugs: Sequence[str]) -> list[tuple[datetime, Recorded]]:
        """The changes after a time, newest first, each with its own time; of the named providers or all."""
        column = model_changes.c
        query = (
            sa.select(model_changes, providers.c.slug.label("provider"))
            .join(providers, providers.c.id == column.provider_id)
            .where(column.changed_at > since, *([providers.c.slug.in_(slugs)] if slugs else []))
            .order_by(column.id.desc())
        )
        return [
            (row["changed_at"], Recorded(row["provider"], row["provider_model_id"], row["kind"], row["fields"]))
            for row in connection.execute(query).mappings()
        ]


def recorded(connection: sa.Connection, change_filter: ChangeFilter) -> list[RecordedChange]:
    """Matching changes, newest first."""
    column = model_changes.c
    query = sa.select(model_changes, providers.c.slug.label("provider"), sync_runs.c.trigger)
    query = query.join(providers, providers.c.id == column.provider_id).join(sync_runs, sync_runs.c.id == column.run_id)
    query = query.where(*_conditions(change_filter)).order_by(column.id.desc())
    with connection.execution_options(yield_per=500).execute(query) as rows:  # left before its end, it must be closed
        changes = (RecordedChange(**row) for row in rows.mappings())
        matching = (row for row in changes if change_filter.field is None or tells_of(row.fields, change_filter.field))
        return list(islice(matching, change_filter.limit))


def _conditions(change_filter: ChangeFilter) -> Iterator[sa.ColumnElement[bool]]:
    """The filter as SQL, over changes joined with their providers; but for `field` and `limit`, which apply to the rows that come."""
    column = model_changes.c
    if change_filter.since is not None:
        yield column.changed_at >= change_filter.since
    if change_filter.providers:
        yield providers.c.slug.in_(change_filter.providers)
    if change_filter.model is not None:
        yield column.provider_model_id == change_filter.model
    if change_filter.kind is not None:
        yield column.kind == change_filter.kind
    if change_filter.before is not None:
        yield column.id < change_filter.before


def ordered(rows: Sequence[RecordedModel], order: Order) -> list[RecordedModel]:
    """Past models in an order of the catalog's, by provider and id where they are equal; `changed` is none of the past's."""
    keys: Mapping[str, Callable[[RecordedModel], Any]] = {
        "provider": lambda row: row.provider,
        "name": lambda row: (row.model_name or row.provider_model_id).lower(),
        "price": lambda row: None if row.pricing_prompt is None else Decimal(row.pricing_prompt),
        "context": lambda row: row.context_length,
        "ends": lambda row: row.expires_at,
    }
    key = keys[order.by]
    known = sorted((row for row in rows if key(row) is not None), key=key, reverse=order.descending)
    return [*known, *(row for row in rows if key(row) is None)]


def _matches(row: RecordedModel, model_filter: ModelFilter) -> bool:
    """Whether a past row fulfils all conditions that the catalog's query puts to present ones; `changed_since` is none of them."""
    names = [str(name or "").casefold() for name in (row.provider_model_id, row.model_name)]
    return (
        all(any(word in name for name in names) for word in model_filter.query.casefold().split())
        and (not model_filter.providers or row.provider in model_filter.providers)
        and model_filter.modality in (None, row.modality)
        and model_filter.input_modality in (None, *_listed(row.input_modalities))
        and model_filter.output_modality in (None, *_listed(row.output_modalities))
        and model_filter.status in (None, row.status)
        and model_filter.active in (None, row.is_active)
        and _within(row.context_length, model_filter.min_context, model_filter.max_context)
        and _priced(row, model_filter)
        and _ends(row, model_filter)
        and all(getattr(row, name) is value for name, value in model_filter.supports.items())
    )


def _ends(row: RecordedModel, model_filter: ModelFilter) -> bool:
    if model_filter.ends is None:
        return True
    first, last = model_filter.ends
    return row.expires_at is not None and row.status != "retired" and first <= datetime.fromisoformat(row.expires_at) <= last


def _listed(document: msgspec.Raw | None) -> list[str]:
    return [] if document is None else msgspec.json.decode(document, type=list[str])


def _priced(row: RecordedModel, model_filter: ModelFilter) -> bool:
    prompt, completion = (None if price is None else Decimal(price) for price in (row.pricing_prompt, row.pricing_completion))
    low, high = (None if price is None else per_token(price) for price in (model_filter.min_price, model_filter.max_price))
    free = False if prompt or completion else True if prompt == completion == 0 else None
    return _within(prompt, low, high) and model_filter.free in (None, free)


def _within(value: int | Decimal | None, low: int | Decimal | None, high: int | Decimal | None) -> bool:
    """Whether a known value is in a range; an unknown one is only in the range without ends."""
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)
