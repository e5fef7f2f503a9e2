"""How far what the catalog says of a provider can be trusted to be of now."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from modelsync.formats.held import commands, refusing, told

STALE_AFTER = timedelta(hours=48)
"""A provider without a successful sync for longer is stale."""


def freshness(
    slug: str,
    known: Mapping[str, Any],
    now: datetime,
    held: int,
    rejected: Iterable[Mapping[str, Any]] = (),
    guard: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A provider's state: fresh, stale (no success for two days), failing (the last tries failed) or never (not synced yet).

    `known` is what the catalog knows of it, `held` how much of it waits for a person, `rejected` the rejections that stand, and `guard`
    the limits that are set for it. A list that a person rejected is no success: `refused` says whose word that is. Ages are in seconds.
    """
    success = known.get("last_success_at")
    age = (now - success).total_seconds() if success else None
    failing = known.get("failures_in_a_row", 0) > 0
    state = "failing" if failing else "never" if age is None else "stale" if age > STALE_AFTER.total_seconds() else "fresh"
    drifts = [{**drift, "age_seconds": (now - datetime.fromisoformat(drift["at"])).total_seconds()} for drift in known.get("drift", ())]
    return {
        "provider": slug,
        "last_success_at": success,
        "age_seconds": age,
        "state": state,
        "models": known["models"],
        "held": held,
        "error": known.get("last_error"),
        "refused": _refused(slug, known, rejected),
        "frozen_at": known.get("frozen_at"),
        "frozen_reason": known.get("frozen_reason"),
        "drift": drifts,
        "guard": {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in (guard or {}).items()},
    }


def _refused(slug: str, known: Mapping[str, Any], rejected: Iterable[Mapping[str, Any]]) -> str | None:
    """Why the last listing was not applied, when that is a person's word."""
    row = refusing(rejected, slug) if known.get("last_outcome") == "held" and known.get("last_error") is None else None
    return None if row is None else f"the list is not applied: {told(row)}; `{commands(row)[0]}` takes that back"
