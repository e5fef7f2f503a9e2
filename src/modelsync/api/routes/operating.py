"""`/admin`: what waits for a person, what persons decided, and how values came to be."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from modelsync.api import shapes
from modelsync.api.answers import error, said
from modelsync.api.asked import AtTime, AuditQuery, Between, ChangeQuery, FieldOfModel, HoldQuery, Id, OfModel, PinQuery, Removal, moment
from modelsync.api.bodies import Decision, PinBody, Rollback, Thaw, Why, pins_of
from modelsync.api.documented import answers
from modelsync.api.routes.changes import page, wanted
from modelsync.api.routes.common import Server, person
from modelsync.api.service import Service
from modelsync.errors import UsageError
from modelsync.explanation import explain, fields_of, overview
from modelsync.money import plain
from modelsync.past import differing
from modelsync.registry import select
from modelsync.store import ChangeFilter, Explanations, Person, deciding, operators, rollback, thaw

router = APIRouter(prefix="/admin", tags=["operating"])

_HOLD = tuple(shapes.Hold.__struct_fields__)
_PIN = tuple(shapes.Pin.__struct_fields__)


def _only(names: tuple[str, ...], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names} for row in rows]


# Holds


@router.get("/held", responses=answers(shapes.Holds))
async def list_held(server: Server, query: Annotated[HoldQuery, Query()]) -> Response:
    """What waits for a person, oldest first."""
    rows = await server.do(server.catalog.holds, query.provider, query.kind)
    return said({"data": _only(_HOLD, rows), "total": len(rows)})


async def _decided(server: Service, decision: str, ids: list[int], by: Person) -> Response:
    rows = await server.do(deciding.decide, server.store, ids, decision, by)
    return said({"decision": decision, "data": _only(_HOLD, rows)})


async def _chosen(server: Service, body: Decision) -> list[int]:
    if bool(body.ids) == bool(body.provider or body.kind):
        raise UsageError("Say which holds: ids, or provider, or kind", "GET /admin/held lists them")
    return body.ids or [row["id"] for row in await server.do(server.catalog.holds, body.provider, body.kind)]


@router.post("/held/confirm", responses=answers(shapes.Decided, 400, 404))
async def confirm_held(request: Request, server: Server, body: Decision) -> Response:
    """Accept what is held: by numbers, or all of some providers or of a kind. A confirmed price is live at once."""
    return await _decided(server, "confirm", await _chosen(server, body), person(request, body.reason))


@router.post("/held/reject", responses=answers(shapes.Decided, 400, 404))
async def reject_held(request: Request, server: Server, body: Decision) -> Response:
    """Refuse what is held: the catalog stays as it is, until the provider says something else."""
    return await _decided(server, "reject", await _chosen(server, body), person(request, body.reason))


@router.post("/held/{hold_id:int}/confirm", responses=answers(shapes.Decided, 400, 404))
async def confirm_one(request: Request, server: Server, hold_id: Id, body: Why) -> Response:
    """Accept one hold."""
    return await _decided(server, "confirm", [hold_id], person(request, body.reason))


@router.post("/held/{hold_id:int}/reject", responses=answers(shapes.Decided, 400, 404))
async def reject_one(request: Request, server: Server, hold_id: Id, body: Why) -> Response:
    """Refuse one hold."""
    return await _decided(server, "reject", [hold_id], person(request, body.reason))


# Pins


@router.get("/pins", responses=answers(shapes.Pins))
async def list_pins(server: Server, query: Annotated[PinQuery, Query()]) -> Response:
    """What is pinned, and what the provider says beneath it."""
    rows = [row for row in await server.do(server.catalog.pins, query.provider) if row["moved"] or query.moved == "false"]
    return said({"data": _only(_PIN, rows), "total": len(rows)})


@router.post("/pins", responses=answers(shapes.Pins, 400, 404))
async def pin(request: Request, server: Server, body: PinBody) -> Response:
    """Set fields of a model to values that win over every sync. The pins of that model are answered."""
    until = moment(body.until) if body.until else None
    by = person(request, body.reason)
    await server.do(operators.pin, server.store, body.provider, body.model, pins_of(body.values), by, until)
    rows = [row for row in await server.do(server.catalog.pins, [body.provider]) if row["provider_model_id"] == body.model]
    return said({"data": _only(_PIN, rows), "total": len(rows)})


@router.delete("/pins", responses=answers(shapes.Unpinned, 404))
async def unpin(request: Request, server: Server, query: Annotated[Removal, Query()]) -> Response:
    """Remove pins of a model: what the provider said last shows at once."""
    by = person(request, query.reason)
    removed = await server.do(operators.unpin, server.store, query.provider, query.model, query.field, by)
    if not removed:
        return error(404, "Nothing of that is pinned; GET /admin/pins lists pins")
    return said(shapes.Unpinned(query.provider, query.model, removed))


# The past


@router.get("/changes", responses=answers(shapes.Changes, 400))
async def admin_changes(request: Request, server: Server, query: Annotated[ChangeQuery, Query()]) -> Response:
    """What changed, newest first: as /changes, where the catalog is closed."""
    return await page(request, server, wanted(query), query.limit)


@router.get("/history", responses=answers(shapes.Changes))
async def admin_history(request: Request, server: Server, query: Annotated[OfModel, Query()]) -> Response:
    """Everything that ever happened to one model, by its provider and its id there; the last 500 changes."""
    return await page(request, server, ChangeFilter(providers=(query.provider,), model=query.model, limit=500), 500)


@router.get("/diff", responses=answers(shapes.Differences, 400))
async def diff(server: Server, query: Annotated[Between, Query()]) -> Response:
    """The catalog at two times compared; the later one is now, unless it is given."""
    times = [moment(query.before), moment(query.after) if query.after else datetime.now(UTC)]
    if times[0] > times[1]:
        return error(400, "before is later than after; give the earlier time first")
    old, new = await server.do(server.history.at, times, tuple(query.provider))
    rows = [each.shown() for each in differing(old, new)]
    counts = {"models_before": len(old), "models_after": len(new), "total": len(rows)}
    return said({"before": times[0], "after": times[1], **counts, "data": rows})


@router.get("/as-of", responses=answers(shapes.PastModels, 400))
async def as_of(server: Server, query: Annotated[AtTime, Query()]) -> Response:
    """Models as they stood at a time, in the columns that history keeps. Models that were purged since are not in it."""
    then = moment(query.at)
    if then > datetime.now(UTC):
        return error(400, "at is in the future; give an earlier time, or GET /models")
    found = await server.do(server.history.models_at, then, query.filter(None, changed_since=None))
    rows = found[query.offset : query.offset + query.limit]
    began_at = await server.do(server.history.began_at)
    page_of = {"total": len(found), "returned": len(rows), "limit": query.limit, "offset": query.offset}
    return said({"at": then, "began_at": began_at, "data": plain(rows), **page_of})


@router.post("/rollback", responses=answers(shapes.RolledBack, 400, 404))
async def roll_back(request: Request, server: Server, body: Rollback) -> Response:
    """Bring a provider's models back to what they were after a run, and keep syncs out until it is thawed. Pins are kept."""
    run_id, models = await server.do(rollback, server.store, body.provider, body.to, person(request, body.reason))
    return said(shapes.RolledBack(body.provider, run_id, models))


@router.post("/thaw", responses=answers(shapes.Thawed, 404, 409))
async def thaw_provider(request: Request, server: Server, body: Thaw) -> Response:
    """Let a provider sync again that a rollback froze."""
    if not await server.do(thaw, server.store, body.provider, person(request, body.reason)):
        return error(409, f"{body.provider} is not frozen; /admin/model-sync/status names those that are")
    return said(shapes.Thawed(body.provider, True))


@router.get("/explain", responses=answers(shapes.Explanations, 400, 404))
async def explain_model(server: Server, query: Annotated[FieldOfModel, Query()]) -> Response:
    """How the values of a model came to be: the wire value, the unit, the rule, pins and holds; of all fields, or of one."""
    (provider,) = select([query.provider])
    known = await server.do(Explanations(server.store).known, provider, query.model)
    if known is None:
        return error(404, "The catalog has no such model of this provider; GET /models?q= finds ids")
    if query.field is not None and query.field not in fields_of(known):
        return error(400, f"There is no such field; the fields are {', '.join(fields_of(known))}")
    found = overview(known) if query.field is None else (explain(known, query.field),)
    fields = [plain(msgspec.to_builtins(each)) for each in found]
    return said(shapes.Explanations(query.provider, query.model, fields))


@router.get("/audit", responses=answers(shapes.Audit, 400))
async def audit(server: Server, query: Annotated[AuditQuery, Query()]) -> Response:
    """What persons decided, newest first."""
    since = moment(query.since) if query.since else None
    rows = await server.do(server.catalog.audit, since, query.actor, query.limit)
    return said({"data": rows, "returned": len(rows), "limit": query.limit})
