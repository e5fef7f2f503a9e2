"""The rows of `holds`: what a sync found and did not believe, until it passes by itself or a person decides."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.parts import in_parts
from modelsync.database.schema import UtcTime, holds, model_changes, models, providers, sync_results, sync_runs
from modelsync.database.tables import events
from modelsync.errors import NotThere, Settled, UsageError
from modelsync.model.prices import plain
from modelsync.planning import holding
from modelsync.planning.holding import Hold, RecordedHold, Sight, Standing, Stood
from modelsync.planning.listing import Listing
from modelsync.planning.pairs import is_beside
from modelsync.planning.plan import Plan
from modelsync.planning.policy import Context
from modelsync.planning.quarantine import WAITS

MEMORY = timedelta(days=7)
"""How far back the largest listing is looked for."""

DECISIONS = {"confirm": "confirmed", "reject": "rejected"}
STATUSES = ("open", "rejected", "confirmed", "superseded", "released", "closed")
"""What can be of a hold: it waits; a person decided; it is another question now, or none; it is done."""

STANDING = ("open", *DECISIONS.values())
_GONE = ("superseded", "released")

column = holds.c


def _hold(row: sa.RowMapping) -> RecordedHold:
    """A hold by its columns."""
    return RecordedHold(**{**row, "ids": tuple(row["ids"]), "over": frozenset(row["over"] or ())})


def _selected(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[RecordedHold]:
    """The holds that fulfil all conditions, oldest first."""
    return [_hold(row) for row in connection.execute(sa.select(holds).where(*conditions).order_by(column.id)).mappings()]


def standing(connection: sa.Connection, slug: str) -> tuple[RecordedHold, ...]:
    """The holds of a provider that are open or decided, oldest first."""
    return tuple(_selected(connection, column.provider == slug, column.status.in_(STANDING)))


def context(connection: sa.Connection, slug: str, now: datetime, *, stored: int, may_be_empty: bool) -> Context:
    """What the rules have to know of a provider's past: its largest listing of late, and what was decided about its holds."""
    results = sync_results.c
    recent = (results.provider == slug, results.outcome.in_(("synced", "not_modified")), results.finished_at >= now - MEMORY)
    most = connection.execute(sa.select(sa.func.max(results.transformed)).where(*recent)).scalar() or 0
    by_a_person = sa.select(column.ids, column.over).where(
        column.provider == slug, column.status.in_(("confirmed", "closed")), column.kind.not_in(holding.OF_PRICES)
    )
    confirmed = {row_id for ids, over in connection.execute(by_a_person) for row_id in {*ids}.difference(over or ())}
    return Context(
        most_listed=max(most, stored),
        retired_lately=len(_retired_since(connection, slug, now - MEMORY) - confirmed),
        may_be_empty=may_be_empty,
        standing=standing(connection, slug),
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


def confirmed_prices(connection: sa.Connection, slug: str, ids: Set[str]) -> dict[str, frozenset[tuple[str, str]]]:
    """The prices of these models that a person once confirmed and nobody took back, as points with their digits."""
    by_a_person = sa.and_(column.status == "superseded", column.resolved_by.is_not(None), column.resolved_by != "sync")
    decided = sa.or_(column.status.in_(("confirmed", "closed")), by_a_person)
    conditions = (column.provider == slug, decided, column.kind.in_(holding.OF_PRICES))
    points_by_id: dict[str, set[tuple[str, str]]] = {}
    for row in _selected(connection, *conditions) if ids else ():
        for row_id, points in holding.claims(row).items():
            if row_id in ids:
                points_by_id.setdefault(row_id, set()).update(points.items())
    return {row_id: frozenset(points) for row_id, points in points_by_id.items()}


def of_price(connection: sa.Connection, slug: str, row_id: str) -> list[RecordedHold]:
    """What stands of one model's held price: open or rejected holds, oldest first."""
    return [row for row in of_prices(connection, slug) if row_id in row.ids]


def of_absence(connection: sa.Connection, slug: str, row_id: str) -> list[RecordedHold]:
    """What stands of one model's absence: open or rejected holds that are still about it, oldest first."""
    kinds = (*holding.OF_ABSENCE, holding.OTHER_CATALOG)
    rows = _selected(connection, column.provider == slug, column.status.in_(("open", "rejected")), column.kind.in_(kinds))
    return [row for row in rows if row_id in row.about]


def of_prices(connection: sa.Connection, slug: str, *statuses: str) -> list[RecordedHold]:
    """Holds about a provider's prices, oldest first; without statuses those that keep stated prices out."""
    return _selected(
        connection, column.provider == slug, column.status.in_(statuses or ("open", "rejected")), column.kind.in_(holding.OF_PRICES)
    )


# What a listing does to them


def note(connection: sa.Connection, slug: str, rows: Iterable[Standing], plan: Plan, sight: Sight, now: datetime) -> None:
    """Open the plan's holds, renew those that stand already, and end the ones that this listing did away with."""
    moves = holding.moves(rows, plan.holds, sight)
    _renew(connection, [move.row.id for move in moves.moved if move.status == move.row.status == "open"], now)
    for move in moves.moved:
        if move.status == move.row.status == "open":
            continue
        if move.row.status == "open":
            resolve(connection, move.row.id, move.status, now, "sync", _WHY[move.status])
        else:
            mine = column.id == move.row.id
            connection.execute(sa.update(holds).where(mine).values(status=move.status, over=sorted(move.over) or None))
    open_new(connection, slug, moves.new, now)


_WHY = {"superseded": "the provider says something else now", "released": "a later listing did away with it"}


def sight(listing: Listing, plan: Plan, retired: frozenset[str]) -> Sight:
    """What a listing can tell of the holds of its provider."""
    return Sight(
        seen=listing.seen,
        read=listing.models,
        complete=listing.complete,
        refused=plan.refused is not None,
        retired=retired,
        corrected={change.id: change.corrected.points for change in plan.written if change.corrected},
    )


def release_whole(connection: sa.Connection, slug: str, now: datetime) -> None:
    """The last believed listing is back as it was: whatever was held, or refused, of whole listings since is done away with."""
    for row in standing(connection, slug):
        if row.kind in holding.OF_WHOLE_LISTS and row.status == "open":
            resolve(connection, row.id, "released", now, "sync", "the last listing is back as it was")
        elif row.kind in holding.OF_WHOLE_LISTS and row.status == "rejected":
            connection.execute(sa.update(holds).where(column.id == row.id).values(status="released"))


def end_retired(connection: sa.Connection, slug: str, provider_id: int, now: datetime) -> None:
    """An answer that did not change shows no price; what was held of models that are retired by now waits for nobody.

    Unless a person took it back: it waits while its models are retired.
    """
    for row in of_prices(connection, slug, "open", "confirmed"):
        if row.needs_person:
            continue
        not_retired = (models.c.provider_id == provider_id, models.c.status != "retired", models.c.provider_model_id.in_(row.about))
        if connection.execute(sa.select(sa.exists().where(*not_retired))).scalar_one():
            continue
        if row.status == "open":
            resolve(connection, row.id, "released", now, "sync", _WHY["released"])
        else:
            connection.execute(sa.update(holds).where(column.id == row.id).values(status="closed"))


def open_new(connection: sa.Connection, slug: str, new: Iterable[Hold], now: datetime) -> None:
    """New holds; one whose content was there before gets its number back, and its agreement begins anew."""
    new = list(new)
    kinds = {hold.kind for hold in new}
    before = (column.provider == slug, column.status.in_(("open", *_GONE)), column.kind.in_(kinds))
    known = {row.content: row for row in _selected(connection, *before)} if new else {}
    fresh: list[dict[str, Any]] = []
    for hold in new:
        shown = {"message": hold.message, "hint": hold.hint, "ids": list(hold.ids), "detail": hold.detail}
        values = {"status": "open", "last_seen_at": now, "agreed_at": None, "over": None, "needs_person": hold.needs_person, **shown}
        row = known.get(hold.content)
        if row is None:
            fresh.append({"provider": slug, "kind": hold.kind, "times_seen": 1, "created_at": now, **values})
        else:
            back = {"times_seen": row.times_seen + 1, "resolved_at": None, "resolved_by": None, "reason": None}
            connection.execute(sa.update(holds).where(column.id == row.id).values(**values, **back))
    if fresh:
        connection.execute(sa.insert(holds), fresh)


def _renew(connection: sa.Connection, numbers: Sequence[int], now: datetime) -> None:
    """A later listing says the same."""
    values = {
        "times_seen": column.times_seen + 1,
        "last_seen_at": now,
        "agreed_at": sa.func.coalesce(column.agreed_at, sa.literal(now, UtcTime())),
    }
    for part in in_parts(numbers):
        connection.execute(sa.update(holds).where(column.id.in_(part)).values(values))


def resolve(connection: sa.Connection, hold_id: int, status: str, now: datetime, actor: str, reason: str | None) -> bool:
    """Whether it was open, and is not any more."""
    values = {"status": status, "resolved_at": now, "resolved_by": actor, "reason": reason, "needs_person": False}
    return bool(connection.execute(sa.update(holds).where(column.id == hold_id, column.status == "open").values(values)).rowcount)


Numbers = Mapping[str, Decimal]
"""What is believed of a model's price, by point."""


def end_moved(
    connection: sa.Connection, standing: Iterable[Standing], moved: Mapping[str, tuple[Numbers, Numbers]]
) -> list[tuple[str, Standing]]:
    """End what a person's act did away with, when it moved the prices of these models: what they were, and what they are now.

    An open hold was shown beside other prices: the next listing asks anew. A confirmation of a price that was moved again is over: the
    next listing must not use it. Returns what to audit, and of which hold.
    """
    done: list[tuple[str, Standing]] = []
    for row in standing:
        if row.status == "open" and _was_shown_beside_another(row, moved):
            connection.execute(sa.update(holds).where(column.id == row.id).values(status="superseded", reason=MOVED, needs_person=False))
            done.append(("supersede hold", row))
        elif row.status == "confirmed":
            left = {row_id for row_id, points in holding.claims(row).items() if _is_left(points, *moved.get(row_id, _STILL))}
            if end_leave(connection, row, left):
                done.append(("end confirmation", row))
    return done


MOVED = "a person moved the price that it was shown beside"


def _was_shown_beside_another(row: Standing, moved: Mapping[str, tuple[Numbers, Numbers]]) -> bool:
    shown = ((moved[row_id][1], points) for row_id, points in holding.shown(row).items() if row_id in moved)
    return any(not is_beside(now, point, old) for now, points in shown for point, (old, _) in points.items())


_STILL: tuple[Numbers, Numbers] = ({}, {})


def _is_left(points: Mapping[str, str], before: Numbers, now: Numbers) -> bool:
    """Whether an act moved a price at one of these points, to something else than what was confirmed."""
    return any(before.get(point) != now.get(point) != Decimal(usd) for point, usd in points.items())


def end_leave(connection: sa.Connection, row: Standing, ids: Set[str]) -> bool:
    """End a confirmation for these models: no listing may use it any more. Without a model left the hold is closed. Whether any ended."""
    over = row.over.union(ids)
    if over == row.over:
        return False
    status = "confirmed" if frozenset(row.ids) - over else "closed"
    connection.execute(sa.update(holds).where(column.id == row.id).values(status=status, over=sorted(over)))
    return True


# What persons do


def listed(connection: sa.Connection, slugs: Iterable[str] = (), kind: str | None = None, status: str = "open") -> list[RecordedHold]:
    """Holds of a status, or of `all`, oldest first."""
    conditions = [column.status == status] if status != "all" else []
    conditions += [column.provider.in_(list(slugs))] if slugs else []
    conditions += [column.kind == kind] if kind is not None else []
    return _selected(connection, *conditions)


def numbered(connection: sa.Connection, numbers: Iterable[int]) -> list[RecordedHold]:
    """Holds by number, each once, in the order given. NotThere when one does not exist."""
    unique = list(dict.fromkeys(numbers))
    by_number = {row.id: row for part in in_parts(unique) for row in _selected(connection, column.id.in_(part))}
    for number in unique:
        if number not in by_number:
            raise NotThere(f"There is no hold {number}", "`modelsync held` lists them")
    return [by_number[number] for number in unique]


def decidable(connection: sa.Connection, row: RecordedHold, decision: str) -> None:
    """Nothing, when a hold can be decided so. Settled when it is not open, UsageError when it holds nothing to decide about."""
    if row.status == "superseded":
        raise Settled(f"Hold {row.id} was superseded: {row.reason or _WHY['superseded']}", _instead(successor(connection, row)))
    if row.status != "open":
        raise Settled(f"There is no open hold {row.id}: it is {row.status}", "`modelsync held` lists those that are open")
    if row.kind in holding.UNDECIDABLE and decision == "confirm":
        hint = "It ends with the next usable listing; MODELSYNC_PROVIDERS can leave a provider out"
        raise UsageError(f"Hold {row.id} has nothing to confirm: {row.message}", hint)


def successor(connection: sa.Connection, row: RecordedHold) -> int | None:
    """The open hold that took the place of a superseded one: about the same models, or the same question of a whole list."""
    whole = (row.kind, holding.SHRINK) if row.kind == holding.OTHER_CATALOG else (row.kind,)
    alike = next(kinds for kinds in (holding.OF_PRICES, holding.OF_ABSENCE, whole) if row.kind in kinds)
    query = sa.select(column.id, column.ids).where(column.provider == row.provider, column.status == "open", column.kind.in_(alike))
    candidates = connection.execute(query.order_by(column.id.desc())).all()
    of_models = row.kind in (*holding.OF_PRICES, *holding.OF_ABSENCE)
    return next((number for number, ids in candidates if not of_models or not set(row.ids).isdisjoint(ids)), None)


def _instead(number: int | None) -> str:
    if number is None:
        return "Nothing took its place yet; the next sync asks anew if there is something to ask, and `modelsync held` lists it"
    return f"Hold {number} took its place; `modelsync held --ids` shows it"


def decide(
    connection: sa.Connection, rows: Sequence[RecordedHold], decision: str, actor: str, reason: str, now: datetime
) -> list[RecordedHold]:
    """Confirm or reject holds that are open, with an audit row each; those that still were, as they are then."""
    values = {"status": DECISIONS[decision], "resolved_at": now, "resolved_by": actor, "reason": reason, "needs_person": False}
    mine = (column.id.in_([row.id for row in rows]), column.status == "open")
    done = set(connection.execute(sa.update(holds).where(*mine).values(values).returning(column.id)).scalars())
    decided = [msgspec.structs.replace(row, **values) for row in rows if row.id in done]
    _audit(connection, f"{decision} hold", decided, actor, reason, now)
    return decided


def note_stood(connection: sa.Connection, stood: Mapping[int, Mapping[str, Stood]]) -> None:
    """What stands at the points of these holds, which are about to be confirmed: the way back."""
    statement = sa.update(holds).where(column.id == sa.bindparam("hold"), column.status == "open").values(stood=sa.bindparam("found"))
    connection.execute(statement, [{"hold": number, "found": plain(found)} for number, found in stood.items()])


def end_confirmed(connection: sa.Connection, number: int) -> None:
    """A confirmed hold is about to be taken back: no listing may use it from here on."""
    connection.execute(sa.update(holds).where(column.id == number, column.status == "confirmed").values(status="closed"))


def reopen(connection: sa.Connection, row: RecordedHold, actor: str, reason: str, now: datetime, over: str | None) -> RecordedHold:
    """Take a decision back, with an audit row: the hold waits again, or is superseded, where what it showed is `over` for this reason."""
    of_prices = row.kind in holding.OF_PRICES
    again = msgspec.structs.replace(
        row,
        status="open" if over is None else "superseded",
        reason=over,
        resolved_at=None if over is None else now,
        resolved_by=None,
        agreed_at=None,
        over=frozenset() if of_prices else row.over,
        needs_person=over is None and row.kind in holding.WAIT_AGAIN,
        # No later listing ends a price that was taken back.
        hint=f"{row.hint.partition('. ')[0]}. {WAITS}" if row.kind == holding.PRICE else row.hint,
    )
    values = {name: getattr(again, name) for name in _REOPENED} | {"over": sorted(again.over) or None}
    connection.execute(sa.update(holds).where(column.id == row.id).values(values))
    _audit(connection, "reopen hold", [row], actor, reason, now)
    return again


_REOPENED = ("status", "reason", "resolved_at", "resolved_by", "agreed_at", "needs_person", "hint")


def _audit(connection: sa.Connection, action: str, rows: Sequence[RecordedHold], actor: str, reason: str, now: datetime) -> None:
    events.note_all(connection, action, [f"{row.provider} {row.kind} {row.id}" for row in rows], actor, reason, now)
