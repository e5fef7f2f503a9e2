"""How far what the catalog says of a provider can be trusted to be of now."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from modelsync.database.schema import time_text
from modelsync.formats.held import commands, decision_text, refusing
from modelsync.model.prices import plain
from modelsync.model.records import Drift, Time
from modelsync.planning.holding import RecordedHold
from modelsync.queries.catalog import ProviderRecord

STALE_AFTER = timedelta(hours=48)
"""A provider without a successful sync for longer is stale."""

STATES = ("fresh", "stale", "failing", "never")


class AgedDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider's fields moved, when that was noticed, and how many seconds ago."""

    at: Time
    message: str
    age_seconds: float


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's state: fresh, stale (no success for two days), failing (the last tries failed) or never (not synced yet).

    `held` is how much of it waits for a person. A list that a person rejected is no success: `refused` says who did, and why. `guard` are
    the limits that are set for it. Ages are in seconds.
    """

    provider: str
    last_success_at: datetime | None
    age_seconds: float | None
    state: str
    models: int
    held: int
    error: str | None
    refused: str | None
    frozen_at: datetime | None
    frozen_reason: str | None
    drift: tuple[AgedDrift, ...]
    guard: Mapping[str, object]


def state_of(known: ProviderRecord, now: datetime) -> str:
    """One of STATES."""
    if known.failures_in_a_row > 0:
        return "failing"
    return "never" if known.last_success_at is None else "stale" if now - known.last_success_at > STALE_AFTER else "fresh"


def freshness(known: ProviderRecord, now: datetime, held: int, rejected: Iterable[RecordedHold] = ()) -> Freshness:
    """A provider's state, with `held` holds that wait for a person and the rejections that stand."""
    success = known.last_success_at
    return Freshness(
        provider=known.slug,
        last_success_at=success,
        age_seconds=(now - success).total_seconds() if success else None,
        state=state_of(known, now),
        models=known.models,
        held=held,
        error=known.last_error,
        refused=_refused(known, rejected),
        frozen_at=known.frozen_at,
        frozen_reason=known.frozen_reason,
        drift=tuple(
            AgedDrift(at=time_text(each.at), message=each.message, age_seconds=(now - each.at).total_seconds()) for each in known.drift
        ),
        guard=plain(known.guard.limits),
    )


def _aged(drift: Drift, now: datetime) -> AgedDrift:
    return AgedDrift(at=time_text(drift.at), message=drift.message, age_seconds=(now - drift.at).total_seconds())


def _refused(known: ProviderRecord, rejected: Iterable[RecordedHold]) -> str | None:
    """Why the last listing was not applied, when a person rejected it."""
    row = refusing(rejected, known.slug) if known.last_outcome == "held" and known.last_error is None else None
    return None if row is None else f"the list is not applied: {decision_text(row)}; `{commands(row)[0]}` takes that back"
