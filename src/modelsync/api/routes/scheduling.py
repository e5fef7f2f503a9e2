"""`/admin/schedule`: when each provider is synced by itself; and `/admin/workers`, the processes that do it."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.bodies import ScheduleBody
from modelsync.api.openapi import answers
from modelsync.api.parameters import Slug
from modelsync.api.routes.common import person
from modelsync.api.routing import Router
from modelsync.operations.schedules import write_schedule
from modelsync.providers.registry import select
from modelsync.queries.schedules import ScheduledProvider, advice, scheduled
from modelsync.queries.workers import shown_workers
from modelsync.server.responses import json_answer
from modelsync.server.state import Service

router = Router(prefix="/admin", tags=("operating",))


async def _schedules(server: Service, slugs: Iterable[str]) -> schemas.Schedules:
    given = server.program.settings.schedules
    now, rows = await server.do(scheduled, server.store, {slug: given[slug] for slug in slugs})
    return schemas.Schedules(now, rows, len(rows))


@router.get("/workers", responses=answers(schemas.Workers))
async def list_workers(server: Service) -> Response:
    """The processes that sync by themselves, on every machine: who is alive, what each is at, and what it leaves to others."""
    rows = await server.do(shown_workers, server.store)
    return json_answer(schemas.Workers(rows, len(rows)))


@router.get("/schedule", responses=answers(schemas.Schedules))
async def list_schedules(server: Service) -> Response:
    """When each provider is synced by itself: where that is from, the last attempt, the next, and why then."""
    return json_answer(await _schedules(server, server.store.providers))


@router.get("/schedule-advice", responses=answers(schemas.Advices))
async def schedule_advice(server: Service) -> Response:
    """How often each provider's list changes, by what its syncs found, and the interval that follows from it."""
    rows = await server.do(advice, server.store, server.store.providers)
    return json_answer(schemas.Advices(rows, len(rows)))


@router.get("/schedule/{slug}", responses=answers(ScheduledProvider, 404))
async def get_schedule(server: Service, slug: Slug) -> Response:
    """When one provider is synced by itself."""
    select(server.store.providers, [slug])
    return json_answer((await _schedules(server, [slug])).data[0])


@router.patch("/schedule/{slug}", responses=answers(ScheduledProvider, 400, 404, 409))
async def set_schedule(request: Request, server: Service, slug: Slug, body: ScheduleBody) -> Response:
    """Set when a provider is synced by itself; that stands over the settings. 409 for `on` when nobody has switched it off."""
    select(server.store.providers, [slug])
    await server.do(write_schedule, server.store, slug, body.when, person(request, body.reason))
    return json_answer((await _schedules(server, [slug])).data[0])
