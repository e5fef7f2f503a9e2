"""`/admin/model-sync`: start syncs, and see what came of them."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.openapi import Responses, also, answers
from modelsync.api.parameters import AnySlug, Id, RunQuery, SyncAll, SyncOne, is_true
from modelsync.api.routing import Router
from modelsync.errors import NotThere
from modelsync.formats.held import by_kind, standing
from modelsync.planning.outcome import Busy, Failed, Held, Report, document, of_one
from modelsync.providers.registry import select
from modelsync.queries.status import Status, read_status
from modelsync.server.responses import error, json_answer
from modelsync.server.state import Service
from modelsync.server.syncs import Running, TooMany
from modelsync.sync.run import Stopped

router = Router(prefix="/admin/model-sync", tags=("model-sync",))

_UNUSABLE = "The provider's answer could not be used; nothing of it was changed."
_SYNCED: Responses = {
    **answers(schemas.SyncResponse),
    **also(schemas.SyncResponse, 202, "It has begun (Prefer: respond-async): its run is at Location."),
    **also(schemas.SyncResponse, 502, _UNUSABLE),
}


@router.get("/providers", responses=answers(schemas.Slugs))
async def syncable_providers(server: Service) -> Response:
    """The providers that can be synced."""
    slugs = list(server.store.providers)
    return json_answer(schemas.Slugs(slugs, len(slugs)))


@router.post("/provider/{provider_slug}", responses=_SYNCED | answers(schemas.SyncResponse, 404, 409))
async def sync_provider(request: Request, server: Service, provider_slug: AnySlug, query: SyncOne) -> Response:
    """Sync one provider. 404 names the known ones; 409 the run that is at it; 200 with success false when its key is missing, or syncs are
    paused. A list that a person has rejected is no failure: 200 with success true, status held, and who rejected it.

    With `Prefer: respond-async` the answer is 202 and a Location to poll, at once.
    """
    known = server.store.providers
    if provider_slug not in known:
        return error(404, f"There is no provider {provider_slug[:100]!a}; known are {', '.join(known)}")
    dry_run = is_true(query.dry_run)
    busy = None if dry_run else await server.do(server.syncs.busy, provider_slug)
    if busy is not None:
        return _busy(provider_slug, busy)
    return await _synced(request, server, [provider_slug], _answer_of_one, dry_run=dry_run)


@router.post("/all", responses=_SYNCED | answers(schemas.SyncResponse, 400))
async def sync_all(request: Request, server: Service, query: SyncAll) -> Response:
    """Sync all providers, or the named ones, at once. 502 when none succeeded; a provider that another run is at is one of the errors.

    With `Prefer: respond-async` the answer is 202 and a Location to poll, at once.
    """
    try:
        select(server.store.providers, query.providers)
    except NotThere as problem:
        return error(400, str(problem))
    return await _synced(request, server, query.providers or None, _answer_of_all, dry_run=is_true(query.dry_run))


async def _synced(
    request: Request, server: Service, slugs: Sequence[str] | None, answer: Callable[[Report], Response], *, dry_run: bool
) -> Response:
    try:
        running = await server.syncs.begin(slugs, dry_run=dry_run)
    except TooMany:
        return error(429, "So many syncs are running already that this one was not begun; try again later", **{"Retry-After": "10"})
    if running.run_id is not None and "respond-async" in request.headers.get("prefer", ""):
        return _begun(running)
    try:
        report = await asyncio.shield(running.report)  # a client that goes away stops nothing
    except Stopped:
        return error(503, "The server is ending: providers already done are in the catalog, the others are untouched")
    finally:
        server.forget()
    return answer(report)


def _begun(running: Running) -> Response:
    message = f"Run {running.run_id} has begun"
    headers = {"Location": f"/admin/model-sync/runs/{running.run_id}", "Preference-Applied": "respond-async"}
    return json_answer(schemas.SyncResponse(True, message, {"run_id": running.run_id, "status": "running"}), 202, **headers)


def _answer_of_one(report: Report) -> Response:
    (result,) = report.results
    if isinstance(result.outcome, Busy):
        return _busy(result.slug, result.outcome.run_id)
    unusable = isinstance(result.outcome, Failed | Held) and not result.is_refused
    return json_answer(of_one(report), 502 if unusable else 200)


def _answer_of_all(report: Report) -> Response:
    return json_answer(document(report), 200 if report.succeeded else 502)


def _busy(slug: str, run_id: int | None) -> Response:
    return error(409, f"{slug} is being synced by run {run_id} already: /admin/model-sync/runs/{run_id} tells how that goes")


@router.get("/status", responses=answers(schemas.Status))
async def sync_status(server: Service) -> Response:
    """What the catalog holds, which providers can be synced, how fresh each is, what waits, what was rejected, and what keeps syncs out."""
    return json_answer(_status(await server.do(read_status, server.store, server.settings.query_seconds), list(server.store.providers)))


def _status(status: Status, fetchable: list[str]) -> dict[str, object]:
    in_database = [slug for slug in fetchable if slug in status.in_catalog]
    absent = [slug for slug in fetchable if slug not in status.in_catalog]
    numbers = {"in_database": status.providers.total, "with_fetch_functions": len(fetchable)}
    return {
        "providers": {**numbers, "fetchable_in_db": len(in_database), "fetchable_not_in_db": len(absent), "stats": status.providers},
        "models": {"stats": msgspec.structs.asdict(status.models) | {"by_provider": status.models_by_provider}},
        "fetchable_providers": fetchable,
        "fetchable_in_db": in_database,
        "fetchable_not_in_db": absent,
        "freshness": status.freshness,
        "held": schemas.HeldNow(len(status.held), by_kind(status.held)),
        "rejected": standing(status.rejected),
        "incomplete_prices": status.incomplete_prices,
        "pause": status.pause,
    }


@router.get("/runs", responses=answers(schemas.Runs))
async def list_runs(server: Service, query: RunQuery) -> Response:
    """Past and running syncs, newest first."""
    rows, total = await server.do(server.catalog.runs, query.limit, query.offset, query.status, query.provider)
    return json_answer({"data": rows, "total": total, "returned": len(rows), "limit": query.limit, "offset": query.offset})


@router.get("/runs/{run_id:int}", responses=answers(schemas.OneRun, 404))
async def get_run(server: Service, run_id: Id) -> Response:
    """One run, and each provider's result in it."""
    recorded = await server.do(server.catalog.run, run_id)
    if recorded is None:
        return error(404, f"There is no run {run_id}; GET /admin/model-sync/runs lists them")
    run, results = recorded
    return json_answer({"run": run, "results": msgspec.convert(results, list[schemas.Result], from_attributes=True)})
