"""Holds: what a sync found and did not believe, until it passes by itself or a person decides."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from modelsync import quarantine
from modelsync.errors import NotThere, UsageError
from modelsync.plan import Hold, Plan
from modelsync.policy import Context
from modelsync.quarantine import Standing
from modelsync.reading import Listing
from modelsync.store.schema import audit_log, holds, model_changes, models, providers, sync_results, sync_runs

MEMORY = timedelta(days=7)
"""How far back the largest listing is looked for."""

DECISIONS = {"confirm": "confirmed", "reject": "rejected"}
UNDECIDABLE = frozenset({"empty", "invalid"})
"""Kinds that hold nothing which could be applied."""

OF_WHOLE_LISTS = ("empty", "invalid", "other-catalog")
"""Kinds that keep a whole listing out."""

OF_PRICES = quarantine.KINDS
"""Kinds about prices, not about absence."""

column = holds.c


def context(connection: sa.Connection, slug: str, now: datetime, *, stored: int, may_be_empty: bool) -> Context:
    """What the rules have to know of a provider's past: its largest listing of late, and what was decided about its holds."""
    results = sync_results.c
    recent = (results.provider == slug, results.outcome.in_(("synced", "not_modified")), results.finished_at >= now - MEMORY)
    most = connection.execute(sa.select(sa.func.max(results.transformed)).where(*recent)).scalar() or 0
    decided: dict[str, set[str]] = {"confirmed": set(), "rejected": set(), "closed": set()}
    kinds = set()
    query = sa.select(holds).where(column.provider == slug, column.status.in_(decided), column.kind.not_in(OF_PRICES))
    for row in connection.execute(query).mappings():
        decided[row["status"]].update(row["ids"])
        if row["status"] == "confirmed":
            kinds.add(row["kind"])
    retired = _retired_since(connection, slug, now - MEMORY) - decided["confirmed"] - decided["closed"]
    return Context(
        most_listed=max(most, stored),
        retired_lately=len(retired),
        may_be_empty=may_be_empty,
        accepted=frozenset(decided["confirmed"]),
        doubted=frozenset(decided["rejected"]),
        accepted_kinds=frozenset(kinds - {"shrink"}),
    )


def _retired_since(connection: sa.Connection, slug: str, since: datetime) -> set[str]:
    """Models that were retired since then, still are, and not by a person's rollback."""
    change, run, model = model_changes.c, sync_runs.c, models.c
    mine = sa.select(providers.c.id).where(providers.c.slug == slug).scalar_subquery()
    recent = (change.provider_id == mine, sa.text("kind = 'retired'"), change.changed_at >= since)  # as the partial index says it
    same = sa.and_(model.provider_id == change.provider_id, model.provider_model_id == change.provider_model_id)
    query = sa.select(change.provider_model_id).join(sync_runs, run.id == change.run_id).join(models, same)
    still = (run.trigger != "rollback", sa.text("models.status = 'retired'"))
    return set(connection.execute(query.where(*recent, *still)).scalars())


def prices(connection: sa.Connection, slug: str) -> tuple[dict[str, Standing], dict[str, Any], list[dict[str, Any]]]:
    """What stands of held prices: open ones and refused ones by model, and the changes of unit that were refused."""
    standing: dict[str, Standing] = {}
    refused: dict[str, Any] = {}
    units: list[dict[str, Any]] = []
    for row in _of_prices(connection, slug):
        if row["kind"] == quarantine.UNIT_CHANGE:
            units += [row["detail"]] if row["status"] == "rejected" else []
        elif row["status"] == "rejected":
            refused[row["ids"][0]] = row["detail"]
        else:
            standing[row["ids"][0]] = Standing(row["detail"], row["agreed_at"])
    return standing, refused, units


def with_held_price(connection: sa.Connection, slug: str) -> frozenset[str]:
    """The models whose stated price is not believed."""
    return frozenset(row_id for row in _of_prices(connection, slug) for row_id in row["ids"])


def of_price(connection: sa.Connection, slug: str, row_id: str) -> list[dict[str, Any]]:
    """What stands of one model's held price: open or rejected holds, oldest first."""
    return [dict(row) for row in _of_prices(connection, slug) if row_id in row["ids"]]


def _of_prices(connection: sa.Connection, slug: str) -> list[sa.RowMapping]:
    wanted = (column.provider == slug, column.status.in_(("open", "rejected")), column.kind.in_(OF_PRICES))
    return list(connection.execute(sa.select(holds).where(*wanted).order_by(column.id)).mappings().all())


def note(connection: sa.Connection, slug: str, listing: Listing, plan: Plan, now: datetime) -> None:
    """Open the plan's holds, renew those that stand already, and release the ones that this listing did away with.

    A decision stands as long as what it was made about: a confirmed absence until it is complete, a rejected one until it is over, a
    rejected price until another one is stated. A listing says nothing of what it does not show: an incomplete one nothing of absence,
    one that is refused nothing of its parts.
    """
    found = {_key(hold.kind, hold.ids): hold for hold in (*plan.holds, *([plan.refused] if plan.refused else []))}
    refused = {_key(hold.kind, hold.ids): hold for hold in plan.rejected}
    query = sa.select(holds).where(column.provider == slug, column.status.in_(("open", *DECISIONS.values()))).order_by(column.id)
    for row in connection.execute(query).mappings().all():
        key = _key(row["kind"], row["ids"])
        standing = found.get(key)
        if standing and _is_the_same(standing, row):
            _renew(connection, row, found.pop(key), now)
        elif (row["status"] == "rejected" and key in refused) or not _is_answered(row, listing, plan):
            continue
        elif row["status"] == "open":
            _resolve(connection, row["id"], "released", now, "sync", "a later listing did away with it")
        elif row["kind"] in OF_PRICES or not _concerned(row, listing, plan):
            _end(connection, row)
    for hold in found.values():
        _open(connection, slug, hold, now)


def _end(connection: sa.Connection, row: sa.RowMapping) -> None:
    """A decision has done its work: what was confirmed is complete (closed), what was rejected is over (released)."""
    status = "closed" if row["status"] == "confirmed" else "released"
    connection.execute(sa.update(holds).where(column.id == row["id"]).values(status=status))


def release_whole(connection: sa.Connection, slug: str, gone: frozenset[str], now: datetime) -> None:
    """The last believed listing is back as it was: whatever was held of whole listings since is done away with.

    It may be one that a person confirmed: that decision stands while models that it was about are `gone`, and not retired.
    """
    wanted = (column.provider == slug, column.kind.in_(OF_WHOLE_LISTS), column.status.in_(("open", *DECISIONS.values())))
    for row in connection.execute(sa.select(holds).where(*wanted)).mappings().all():
        if row["status"] == "open":
            _resolve(connection, row["id"], "released", now, "sync", "the last listing is back as it was")
        elif row["status"] == "rejected" or gone.isdisjoint(row["ids"]):
            _end(connection, row)


def _key(kind: str, ids: Iterable[str]) -> tuple[str, ...]:
    """What a hold is about: each held price is one of its own."""
    return (kind, *ids) if kind == quarantine.PRICE else (kind,)


def _is_the_same(hold: Hold, row: sa.RowMapping) -> bool:
    if hold.kind == quarantine.PRICE:
        return bool(row["status"] == "open" and hold.detail == row["detail"])
    if hold.kind == quarantine.UNIT_CHANGE:
        return bool(row["status"] == "open")
    return row["status"] == "open" or set(hold.ids) <= set(row["ids"])


def _is_answered(row: sa.RowMapping, listing: Listing, plan: Plan) -> bool:
    """Whether this listing can tell how what was held stands now."""
    if row["kind"] in OF_PRICES:
        return plan.refused is None and any(row_id in listing.models for row_id in row["ids"])
    return listing.complete and (plan.refused is None or not row["ids"])


def _concerned(row: sa.RowMapping, listing: Listing, plan: Plan) -> bool:
    """Whether a decided hold still is about any model."""
    ids = set(row["ids"])
    return bool(ids & set(plan.gone)) if row["status"] == "confirmed" else not ids <= listing.seen


def _open(connection: sa.Connection, slug: str, hold: Hold, now: datetime) -> None:
    values = {"provider": slug, "kind": hold.kind, "status": "open", "times_seen": 1, "created_at": now, "last_seen_at": now}
    connection.execute(sa.insert(holds).values(**values, message=hold.message, hint=hold.hint, ids=list(hold.ids), detail=hold.detail))


def _renew(connection: sa.Connection, row: sa.RowMapping, hold: Hold, now: datetime) -> None:
    """A later listing says the same; what was decided stays about the ids it was made about, even where fewer are gone now."""
    values: dict[str, Any] = {"times_seen": row["times_seen"] + 1, "last_seen_at": now, "agreed_at": row["agreed_at"] or now}
    if row["status"] == "open":
        values |= {"message": hold.message, "hint": hold.hint, "ids": list(hold.ids), "detail": hold.detail}
    connection.execute(sa.update(holds).where(column.id == row["id"]).values(values))


def _resolve(connection: sa.Connection, hold_id: int, status: str, now: datetime, actor: str, reason: str | None) -> bool:
    """Whether it was open, and is not any more."""
    values = {"status": status, "resolved_at": now, "resolved_by": actor, "reason": reason}
    return bool(connection.execute(sa.update(holds).where(column.id == hold_id, column.status == "open").values(values)).rowcount)


def opened(connection: sa.Connection, slugs: Iterable[str] = (), kind: str | None = None) -> list[dict[str, Any]]:
    """The holds that wait for a person, oldest first."""
    wanted = [column.status == "open"]
    if slugs:
        wanted.append(column.provider.in_(list(slugs)))
    if kind is not None:
        wanted.append(column.kind == kind)
    return [dict(row) for row in connection.execute(sa.select(holds).where(*wanted).order_by(column.id)).mappings()]


def decide(
    connection: sa.Connection, hold_ids: Iterable[int], decision: str, actor: str, reason: str, now: datetime
) -> list[dict[str, Any]]:
    """Confirm or reject open holds, each an audit row. UsageError for one that is not open or holds nothing to decide about."""
    found = {row["id"]: row for row in opened(connection)}
    decided = []
    for hold_id in dict.fromkeys(hold_ids):
        row = found.get(hold_id)
        if row is None:
            raise NotThere(f"There is no open hold {hold_id}", "`modelsync held` lists them")
        if row["kind"] in UNDECIDABLE and decision == "confirm":
            raise UsageError(
                f"Hold {hold_id} has nothing to confirm: {row['message']}",
                "It ends with the next usable listing; MODELSYNC_PROVIDERS can leave a provider out",
            )
        if not _resolve(connection, hold_id, DECISIONS[decision], now, actor, reason):
            raise NotThere(f"Hold {hold_id} was decided by somebody else just now", "`modelsync held` lists what is open")
        values = {"at": now, "actor": actor, "action": f"{decision} hold", "target": f"{row['provider']} {row['kind']} {hold_id}"}
        connection.execute(sa.insert(audit_log).values(**values, reason=reason))
        decided.append({**row, "status": DECISIONS[decision]})
    return decided
