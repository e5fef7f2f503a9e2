"""What persons decide about holds, and about what holds at all: confirm, reject, reopen, a provider's limits, a pause.

Every act locks the state of its providers first, as a sync does, and is tried again when another transaction was in its way.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import groupby

import msgspec
import sqlalchemy as sa

from modelsync.database.parts import in_parts
from modelsync.database.schema import models, provider_state
from modelsync.database.session import Session
from modelsync.database.tables import events, holds, leases, pauses, providers, runs
from modelsync.errors import Settled, UsageError
from modelsync.model.actors import Person
from modelsync.model.model import Prices, claimed
from modelsync.model.points import changed, flat_point, numbers
from modelsync.model.prices import plain
from modelsync.operations.models import Act, act_within
from modelsync.planning import holding
from modelsync.planning.guard import Guard
from modelsync.planning.holding import RecordedHold, Standing, Stood
from modelsync.planning.pairs import is_beside
from modelsync.planning.plan import Change, ChangeKind, StoredModel
from modelsync.planning.quarantine import with_confirmed
from modelsync.sync import context

STEP = 200
"""Holds, or models of one hold, that one transaction decides: a fraction of a second."""

Claims = Mapping[str, Mapping[str, str]]
"""Claimed values by model and point, as digits."""

PAUSE = 0.02
"""Seconds between two transactions, in which others come to write."""


def decide(session: Session, hold_ids: Iterable[int], decision: str, person: Person) -> list[RecordedHold]:
    """Confirm or reject open holds, in steps and as one run: a confirmed price is live at once. The holds as they are then.

    UsageError, NotThere or Settled, and nothing decided, when one of them cannot be. One that a sync supersedes meanwhile is left out.
    """
    with session.reading() as connection:
        rows = holds.numbered(connection, hold_ids)
        for row in rows:
            holds.decidable(connection, row, decision)
    decided: list[RecordedHold] = []
    run_id: int | None = None
    for slug, of_provider in groupby(sorted(rows, key=lambda row: row.provider), key=lambda row: row.provider):
        for part in in_parts(list(of_provider), STEP):
            done = session.transact(partial(_decide, session, slug, part, decision, person))
            decided += done
            numbers_done = [row.id for row in done]
            touched = sorted({row_id for row in done for row_id in holding.claims(row)})
            for ids in in_parts(touched, STEP) if decision == "confirm" else ():
                run_id = session.transact(partial(_believe, session, slug, numbers_done, ids, person, run_id))
                time.sleep(PAUSE)
    if rows and not decided:
        hint = "`modelsync held --status all` shows what became"
        raise Settled("Another person, or a sync, was faster: none of this is open any more", hint)
    return sorted(decided, key=lambda row: row.id)


def _decide(
    session: Session, slug: str, rows: Sequence[RecordedHold], decision: str, person: Person, connection: sa.Connection
) -> list[RecordedHold]:
    """Decide those holds of one provider that are open still, which are returned. What stands is noted first: the way back."""
    confirmed = [row for row in rows if decision == "confirm" and row.kind in holding.OF_PRICES]
    if confirmed:
        act = act_within(session, connection, slug, person)
        models_by_id = act.models({row_id for row in confirmed for row_id in row.ids})
        holds.note_stood(connection, {row.id: _standing(models_by_id, row) for row in confirmed})
    else:
        leases.lock(connection, slug)
        runs.forget_listing(connection, slug)
    return holds.decide(connection, rows, decision, person.name, person.reason, session.now(connection))


def _believe(
    session: Session, slug: str, decided: Sequence[int], ids: Sequence[str], person: Person, run_id: int | None, connection: sa.Connection
) -> int | None:
    """Make the prices of these models that were confirmed live, where they still are what was shown and nobody took that back.

    A sync, or another person, may have come between two steps.
    """
    act = act_within(session, connection, slug, person)
    rows = [row for row in holds.numbered(connection, decided) if row.status == "confirmed"]
    refused = {each for row in holds.of_prices(connection, slug, "rejected") for each in _steps(row)}
    models_by_id = act.models(ids)
    changes = []
    for row_id, before in models_by_id.items():
        parts = [holding.shown(row).get(row_id, {}) for row in rows if row_id in row.about]
        standing = ((point, claim) for part in parts if _stands(before, part) for point, (_, claim) in part.items())
        points = {point for point, claim in standing if (row_id, point, claim) not in refused}
        if points and before.upstream:
            changes.append(_believing(before, points))
    return act.apply("confirm", changes, run_id)


def _steps(row: Standing) -> Iterator[tuple[str, str, str]]:
    return ((row_id, point, claim) for row_id, points in holding.claims(row).items() for point, claim in points.items())


def _stands(before: StoredModel, shown: Mapping[str, tuple[str | None, str]]) -> bool:
    """Whether the provider still claims what was shown of a model, beside the price that was shown."""
    known = before.believed_numbers
    return _is_claimed(before, {point: claim for point, (_, claim) in shown.items()}) and all(
        is_beside(known, point, old) for point, (old, _) in shown.items()
    )


def _is_claimed(before: StoredModel, points: Mapping[str, str]) -> bool:
    stated = numbers(claimed(before.stated.prices))
    return all(stated.get(point) == Decimal(value) for point, value in points.items())


def _believing(before: StoredModel, points: Iterable[str]) -> Change:
    """The model with its stated price at these points."""
    unstated = before.upstream.unstated if before.upstream else {}
    price = with_confirmed(before.believed.prices, before.stated.prices, points)
    model = msgspec.structs.replace(before.believed, prices=price)
    return Change(ChangeKind.UPDATED, model.id, model, before.content_hash, before=before, unstated=unstated, reader=before.reader)


def reopen(session: Session, number: int, person: Person) -> RecordedHold:
    """Take a decision about a hold back: it waits again, and a price that was confirmed goes back to what it was. The hold as it is then.

    Where what it shows is not so any more it is superseded: by another one, if the provider still claims that price.

    NotThere when there is no such hold, UsageError when it is open, Settled when it was not decided, or what it decided is done.
    """
    with session.reading() as connection:
        (row,) = holds.numbered(connection, [number])

    def work(connection: sa.Connection) -> RecordedHold:
        """Look at the hold again once its provider is locked: a sync or another person may have come first."""
        act = act_within(session, connection, row.provider, person) if row.kind in holding.OF_PRICES else None
        state = leases.lock(connection, row.provider)
        if act is None:
            runs.forget_listing(connection, row.provider)
        (now,) = holds.numbered(connection, [number])
        _refuse_to_reopen(connection, act, now)
        if now.kind == holding.SCOPE:
            runs.excuse(connection, state, _not_retired(connection, now))
        if act is not None and now.status in ("confirmed", "closed"):
            holds.end_confirmed(connection, number)
            act.apply("reopen", list(_taken_back(act, now)))
        over = None if act is None or _is_as_shown(act, now) else _what_follows(act, now)
        return holds.reopen(connection, now, person.name, person.reason, session.now(connection), over)

    return session.transact(work)


def _is_as_shown(act: Act, row: RecordedHold) -> bool:
    """Whether the provider still claims what a hold says, of every model, beside the price that it shows."""
    claims, shown = holding.claims(row), holding.shown(row)
    models_by_id = act.models(claims)
    return models_by_id.keys() == claims.keys() and all(_stands(before, shown[row_id]) for row_id, before in models_by_id.items())


def _what_follows(act: Act, row: RecordedHold) -> str:
    """Why a hold does not wait again; a person is asked anew at once about those of its prices that the provider does not deny."""
    asks_anew = act.ask_anew([row])
    return f"what it showed is not so any more{f'; hold {holds.successor(act.connection, row)} asks anew' if asks_anew else ''}"


def _refuse_to_reopen(connection: sa.Connection, act: Act | None, row: RecordedHold) -> None:
    number, status = row.id, row.status
    if status == "open":
        raise UsageError(f"Hold {number} is open: nobody has decided it", "`modelsync confirm` or `modelsync reject` decides it")
    if status in ("superseded", "released"):
        raise Settled(f"Hold {number} was not decided: it is {status}", "`modelsync held --status all` shows every hold")
    done = status == "closed" and (act is None or not list(_taken_back(act, row)))
    if done or (status == "confirmed" and _all_retired(connection, row)):
        hint = "`modelsync keep` brings back a retired model, `modelsync pin` sets a price, `modelsync rollback` goes back further"
        raise Settled(f"What hold {number} decided is done, and stands no more as it was decided", hint)


def _all_retired(connection: sa.Connection, row: RecordedHold) -> bool:
    """Whether a confirmed absence has led to its end: every model that it is still about is retired."""
    return bool(row.about) and row.kind not in holding.OF_PRICES and not _not_retired(connection, row)


def _not_retired(connection: sa.Connection, row: RecordedHold) -> frozenset[str]:
    """The models that the decision about an absence is still about, and that are in the catalog."""
    mine = (models.c.provider_id == providers.id_of(connection, row.provider), sa.text("status <> 'retired'"))
    query = sa.select(models.c.provider_model_id).where(*mine)
    parts = in_parts(sorted(row.about), STEP)
    return frozenset(row_id for part in parts for row_id in connection.execute(query.where(models.c.provider_model_id.in_(part))).scalars())


def _taken_back(act: Act, row: RecordedHold) -> Iterator[Change]:
    """The models of which a confirmed price is still the believed one, with what stood before."""
    claims, stood = holding.claims(row), _stood(row)
    for row_id, before in act.models(claims).items():
        known, then = before.believed_numbers, stood.get(row_id, Stood())
        points = [point for point, claim in claims[row_id].items() if row_id in stood and known.get(point) == Decimal(claim)]
        if points:
            prices = _as_it_stood(before.believed.prices, points, then)
            live = numbers(prices)
            others = {point: usd for point, usd in known.items() if point not in points}
            own = {point: usd for point, usd in {**then.last, **then.live}.items() if point in points}
            last = {point: usd for point, usd in {**others, **own}.items() if point not in live}
            model = msgspec.structs.replace(before.believed, prices=prices)
            change = Change(ChangeKind.UPDATED, row_id, model, before.content_hash, stated=before.stated, before=before, held=True)
            yield msgspec.structs.replace(change, last=last, reader=before.reader)


def _as_it_stood(now: Prices, points: Iterable[str], then: Stood) -> Prices:
    """A price without what was confirmed at these points: with the numbers that stood, with nothing, or as varying by request."""
    live = numbers(now)
    if then.dynamic and not now.dynamic:
        numbers_then = {point: then.live.get(point) if point in points else usd for point, usd in live.items() if point in then.live}
        return changed(Prices(dynamic=True, others=now.others, incomplete=now.incomplete), numbers_then, now)
    return msgspec.structs.replace(changed(now, {point: then.live.get(point) for point in points if point in live}, now), raw={})


def _stood(row: RecordedHold) -> Mapping[str, Stood]:
    """What stood when a hold was confirmed, by model; of one that an earlier program confirmed, what it showed as the old price."""
    if row.stood is not None:
        return msgspec.convert(row.stood, dict[str, Stood], strict=False)
    return {row_id: Stood(live=_shown_before(points)) for row_id, points in holding.shown(row).items()}


def _shown_before(points: Mapping[str, tuple[str | None, str]]) -> dict[str, Decimal]:
    """The old prices of a hold. A tier's may be the flat price that it came beside, which costs the same; not one that was only claimed."""
    return {
        point: Decimal(old)
        for point, (old, _) in points.items()
        if old is not None and points.get(flat_point(point), (old, old)) != (None, old)
    }


def _standing(models: Mapping[str, StoredModel], row: RecordedHold) -> dict[str, Stood]:
    """What stands of the models of a hold about prices, at the points that it shows."""
    stood: dict[str, Stood] = {}
    for row_id, shown in holding.shown(row).items():
        if row_id not in models:
            continue
        before = models[row_id]
        points, price = shown.keys(), before.believed.prices
        live = {point: usd for point, usd in numbers(price).items() if point in points or price.dynamic}
        last = {point: usd for point, usd in before.last.items() if point in points}
        stood[row_id] = Stood(live=live, last=last, dynamic=price.dynamic)
    return stood


# What holds at all


def set_guard(session: Session, slug: str, limits: Mapping[str, object], person: Person) -> Guard:
    """Set limits of the guard for one provider; None gives one back to the settings. All that are set then."""

    def work(connection: sa.Connection) -> Guard:
        state = leases.lock(connection, slug)
        guard = msgspec.structs.replace(context.guard_of(state), **limits)
        values = {"guard": plain(guard) or None}
        connection.execute(sa.update(provider_state).where(provider_state.c.provider == slug).values(values))
        runs.forget_listing(connection, slug)
        new_limits = ", ".join(f"{name} {'default' if value is None else value}" for name, value in sorted(limits.items()))
        events.note(connection, "guard", f"{slug} {new_limits}", person.name, person.reason, session.now(connection))
        return guard

    return session.transact(work)


def pause(session: Session, person: Person) -> bool:
    """Stop every sync, those that are under way included, until `resume`; whether they were not paused already."""
    return session.transact(lambda connection: pauses.pause(connection, person.name, person.reason, session.now(connection)))


def resume(session: Session, person: Person) -> bool:
    """Let every provider sync again; whether they were paused."""
    return session.transact(lambda connection: pauses.resume(connection, person.name, person.reason, session.now(connection)))
