"""`/admin`: what waits for a person, what persons decided, and how values came to be."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.bodies import Decision, GuardLimits, PinBody, Rollback, Thaw, Why, pins_of
from modelsync.api.openapi import answers
from modelsync.api.parameters import (
    AtTime,
    AuditQuery,
    Between,
    ChangeQuery,
    FieldOfModel,
    HoldQuery,
    Id,
    OfModel,
    PinQuery,
    Removal,
    Slug,
    is_true,
    moment,
)
from modelsync.api.routes.changes import filter_of, page
from modelsync.api.routes.common import holds, person
from modelsync.api.routing import Router
from modelsync.errors import UsageError
from modelsync.model.actors import Person
from modelsync.model.prices import plain
from modelsync.model.timeline import differing
from modelsync.operations import decisions
from modelsync.operations import models as operators
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning import guard
from modelsync.providers.registry import select
from modelsync.queries.catalog import PinRecord
from modelsync.queries.explain import explain_field, fields_of, overview
from modelsync.queries.explain_rows import ExplanationReader
from modelsync.queries.history import ChangeFilter
from modelsync.server.responses import error, json_answer
from modelsync.server.state import Service

router = Router(prefix="/admin", tags=("operating",))


def _pins(rows: Iterable[PinRecord]) -> schemas.Pins:
    pins = msgspec.convert(list(rows), list[schemas.Pin], from_attributes=True)
    return schemas.Pins(pins, len(pins))


# Holds


@router.get("/held", responses=answers(schemas.Holds))
async def list_held(server: Service, query: HoldQuery) -> Response:
    """What waits for a person, oldest first; or the holds of another status, with who decided them, when and why."""
    rows = await server.do(server.catalog.holds, query.provider, query.kind, query.status)
    return json_answer(schemas.Holds(holds(rows), len(rows)))


async def _decided(server: Service, decision: str, ids: Sequence[int], by: Person) -> Response:
    rows = await server.do(decisions.decide, server.store, ids, decision, by)
    return json_answer(schemas.Decided(decision, holds(rows)))


async def _chosen(server: Service, body: Decision) -> Sequence[int]:
    if bool(body.ids) == bool(body.provider or body.kind):
        raise UsageError("Say which holds: ids, or provider, or kind", "GET /admin/held lists them")
    return body.ids or [row.id for row in await server.do(server.catalog.holds, body.provider, body.kind)]


@router.post("/held/confirm", responses=answers(schemas.Decided, 400, 404, 409))
async def confirm_held(request: Request, server: Service, body: Decision) -> Response:
    """Accept what is held: by numbers, or all of some providers or of a kind. A confirmed price is live where it is stated now."""
    return await _decided(server, "confirm", await _chosen(server, body), person(request, body.reason))


@router.post("/held/reject", responses=answers(schemas.Decided, 400, 404, 409))
async def reject_held(request: Request, server: Service, body: Decision) -> Response:
    """Refuse what is held: the catalog stays as it is. A price stays out until it is reopened, an absence until the model is listed."""
    return await _decided(server, "reject", await _chosen(server, body), person(request, body.reason))


@router.post("/held/{hold_id:int}/confirm", responses=answers(schemas.Decided, 400, 404, 409))
async def confirm_one(request: Request, server: Service, hold_id: Id, body: Why) -> Response:
    """Accept one hold. 409 when it was decided already, or the provider says something else now: the answer names the hold of that."""
    return await _decided(server, "confirm", [hold_id], person(request, body.reason))


@router.post("/held/{hold_id:int}/reject", responses=answers(schemas.Decided, 400, 404, 409))
async def reject_one(request: Request, server: Service, hold_id: Id, body: Why) -> Response:
    """Refuse one hold."""
    return await _decided(server, "reject", [hold_id], person(request, body.reason))


@router.post("/held/{hold_id:int}/reopen", responses=answers(schemas.Decided, 400, 404, 409))
async def reopen_one(request: Request, server: Service, hold_id: Id, body: Why) -> Response:
    """Take a decision back: the hold waits again, and a price that was confirmed goes back to what it was.

    400 when nobody has decided it; 409 when it cannot be taken back, because a later listing did away with it or it is done.
    """
    row = await server.do(decisions.reopen, server.store, hold_id, person(request, body.reason))
    return json_answer(schemas.Decided("reopen", holds([row])))


# How much is believed, and whether anything is synced


def _guard(server: Service, slug: str, limits: guard.Guard) -> schemas.Guard:
    general = guard.of_settings(server.program.settings.rules)
    set_here, settings = (plain(msgspec.structs.asdict(each)) for each in (limits, general))
    return schemas.Guard(provider=slug, guard=set_here, settings=settings)


async def _one_guard(server: Service, slug: str) -> Response:
    limits = (await server.do(server.catalog.guards)).get(slug, guard.NO_GUARD)
    return json_answer(_guard(server, slug, limits))


@router.get("/guards", responses=answers(schemas.Guards))
async def list_guards(server: Service) -> Response:
    """The providers for which limits of the guard are set."""
    rows = [_guard(server, slug, limits) for slug, limits in (await server.do(server.catalog.guards)).items()]
    return json_answer(schemas.Guards(rows, len(rows)))


@router.get("/guards/{slug}", responses=answers(schemas.Guard, 404))
async def get_guard(server: Service, slug: Slug) -> Response:
    """How much a provider's syncs may believe by themselves: limits that are set for it, and those of the settings."""
    select(server.store.providers, [slug])
    return await _one_guard(server, slug)


@router.patch("/guards/{slug}", responses=answers(schemas.Guard, 400, 404))
async def set_guard(request: Request, server: Service, slug: Slug, body: GuardLimits) -> Response:
    """Set the limits that were sent, from the next sync on; null gives one back to the settings."""
    select(server.store.providers, [slug])
    limits = body.limits()
    if not limits:
        return error(400, "There is nothing to set: send the limits to change")
    await server.do(decisions.set_guard, server.store, slug, limits, person(request, body.reason))
    return await _one_guard(server, slug)


@router.post("/pause", responses=answers(schemas.Paused, 409))
async def pause(request: Request, server: Service, body: Why) -> Response:
    """Stop every sync of every provider, those under way included, until it is resumed. Reading goes on, and so do decisions."""
    if not await server.do(decisions.pause, server.store, person(request, body.reason)):
        return error(409, "Syncs are paused already; /admin/model-sync/status tells by whom and why")
    return json_answer(schemas.Paused(True))


@router.post("/resume", responses=answers(schemas.Paused, 409))
async def resume(request: Request, server: Service, body: Why) -> Response:
    """Let every provider sync again."""
    if not await server.do(decisions.resume, server.store, person(request, body.reason)):
        return error(409, "Nothing is paused; /admin/model-sync/status tells what keeps a provider from syncing")
    return json_answer(schemas.Paused(False))


# Pins


@router.get("/pins", responses=answers(schemas.Pins))
async def list_pins(server: Service, query: PinQuery) -> Response:
    """What is pinned, and what the provider says beneath it."""
    return json_answer(_pins(row for row in await server.do(server.catalog.pins, query.provider) if row.moved or not is_true(query.moved)))


@router.post("/pins", responses=answers(schemas.Pins, 400, 404))
async def pin(request: Request, server: Service, body: PinBody) -> Response:
    """Set fields of a model to values that win over every sync. The pins of that model are answered."""
    until = moment(body.until) if body.until else None
    by = person(request, body.reason)
    await server.do(operators.pin, server.store, body.provider, body.model, pins_of(body.values), by, until)
    return json_answer(_pins(row for row in await server.do(server.catalog.pins, [body.provider]) if row.provider_model_id == body.model))


@router.delete("/pins", responses=answers(schemas.Unpinned, 404))
async def unpin(request: Request, server: Service, query: Removal) -> Response:
    """Remove pins of a model: what the provider said last shows at once."""
    by = person(request, query.reason)
    removed = await server.do(operators.unpin, server.store, query.provider, query.model, query.field, by)
    if not removed:
        return error(404, "Nothing of that is pinned; GET /admin/pins lists pins")
    return json_answer(schemas.Unpinned(query.provider, query.model, removed))


# The past


@router.get("/changes", responses=answers(schemas.Changes, 400))
async def admin_changes(request: Request, server: Service, query: ChangeQuery) -> Response:
    """What changed, newest first: as /changes, where the catalog is closed."""
    return await page(request, server, filter_of(query), query.limit)


@router.get("/history", responses=answers(schemas.Changes))
async def admin_history(request: Request, server: Service, query: OfModel) -> Response:
    """Everything that ever happened to one model, by its provider and its id there; the last 500 changes."""
    return await page(request, server, ChangeFilter(providers=(query.provider,), model=query.model, limit=500), 500)


@router.get("/diff", responses=answers(schemas.Differences, 400))
async def diff(server: Service, query: Between) -> Response:
    """The catalog at two times compared; the later one is now, unless it is given."""
    times = [moment(query.before), moment(query.after) if query.after else datetime.now(UTC)]
    if times[0] > times[1]:
        return error(400, "before is later than after; give the earlier time first")
    old, new = await server.do(server.history.at, times, tuple(query.provider))
    rows = [each.shown() for each in differing(old, new)]
    counts = {"models_before": len(old), "models_after": len(new), "total": len(rows)}
    return json_answer({"before": times[0], "after": times[1], **counts, "data": rows})


@router.get("/as-of", responses=answers(schemas.PastModels, 400))
async def as_of(server: Service, query: AtTime) -> Response:
    """Models as they stood at a time, in the columns that history keeps. Models that were purged since are not in it."""
    then = moment(query.at)
    if then > datetime.now(UTC):
        return error(400, "at is in the future; give an earlier time, or GET /models")
    models = await server.do(server.history.models_at, then, query.filter(None, past=True))
    rows = models[query.offset : query.offset + query.limit]
    began_at = await server.do(server.history.began_at)
    page_of = {"total": len(models), "returned": len(rows), "limit": query.limit, "offset": query.offset}
    return json_answer({"at": then, "began_at": began_at, "data": rows, **page_of})


@router.post("/rollback", responses=answers(schemas.RolledBack, 400, 404))
async def roll_back(request: Request, server: Service, body: Rollback) -> Response:
    """Bring a provider's models back to what they were after a run, and keep syncs out until /admin/thaw. Pins are kept."""
    run_id, models = await server.do(rollback, server.store, body.provider, body.to, person(request, body.reason))
    return json_answer(schemas.RolledBack(body.provider, run_id, models))


@router.post("/thaw", responses=answers(schemas.Thawed, 404, 409))
async def thaw_provider(request: Request, server: Service, body: Thaw) -> Response:
    """Let a provider sync again that a rollback froze."""
    if not await server.do(thaw, server.store, body.provider, person(request, body.reason)):
        return error(409, f"{body.provider} is not paused; /admin/model-sync/status names those that are")
    return json_answer(schemas.Thawed(body.provider, True))


@router.get("/explain", responses=answers(schemas.Explanations, 400, 404))
async def explain_model(server: Service, query: FieldOfModel) -> Response:
    """How the values of a model came to be: the wire value, the unit, the rule, pins and holds; of all fields, or of one."""
    (provider,) = select(server.store.providers, [query.provider])
    known = await server.do(ExplanationReader(server.store).known, provider, query.model)
    if known is None:
        return error(404, "The catalog has no such model of this provider; GET /models?q= finds ids")
    if query.field is not None and query.field not in fields_of(known):
        return error(400, f"There is no such field; the fields are {', '.join(fields_of(known))}")
    explanations = overview(known) if query.field is None else (explain_field(known, query.field),)
    fields = [plain(msgspec.to_builtins(each)) for each in explanations]
    return json_answer(schemas.Explanations(query.provider, query.model, fields))


@router.get("/audit", responses=answers(schemas.Audit, 400))
async def audit(server: Service, query: AuditQuery) -> Response:
    """What persons decided, newest first."""
    since = moment(query.since) if query.since else None
    rows = await server.do(server.catalog.audit, since, query.actor, query.limit)
    return json_answer({"data": rows, "returned": len(rows), "limit": query.limit})
