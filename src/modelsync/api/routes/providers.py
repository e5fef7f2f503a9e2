"""Providers: reading them, and what operators decide of them."""

from functools import partial
from typing import Annotated

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.bodies import Health, NewProvider, ProviderFacts
from modelsync.api.openapi import answers
from modelsync.api.parameters import Id, Paged, ProviderQuery, Slug, WordsAndPage, is_true
from modelsync.api.requests import END
from modelsync.api.routes.common import person
from modelsync.api.routes.models import stats_of
from modelsync.api.routing import Router
from modelsync.operations import providers
from modelsync.queries.reader import ProviderFilter, Revision
from modelsync.queries.rows import ProviderRow
from modelsync.server.responses import error, json_answer, of_catalog, stamped
from modelsync.server.state import Service

router = Router(tags=("providers",))

HealthStatus = Annotated[str, Meta(pattern=f"^(healthy|degraded|down|unknown){END}")]


async def _page(request: Request, server: Service, provider_filter: ProviderFilter, paged: Paged) -> Response:
    find = partial(server.reader.providers, provider_filter, paged.limit, paged.offset)
    page = await (server.search(request, find) if provider_filter.query else server.read(find))
    body = {"data": page.rows, "total": page.total, "returned": len(page.rows), "limit": paged.limit, "offset": paged.offset}
    return of_catalog(request, page.revision, stamped(body, page.revision))


def _one(request: Request, selected: tuple[ProviderRow | None, Revision], name: object) -> Response:
    row, revision = selected
    if row is None:
        return error(404, f"There is no provider {name}; GET /providers lists them")
    return of_catalog(request, revision, stamped(row, revision))


@router.get("/providers", responses=answers(schemas.ProviderPage))
async def list_providers(request: Request, server: Service, query: ProviderQuery) -> Response:
    """Providers in the catalog, by slug."""
    active = None if query.is_active is None else is_true(query.is_active)
    return await _page(request, server, ProviderFilter(active=active, health=query.health_status, query=query.q), query)


@router.get("/providers/stats", responses=answers(schemas.ProviderStats))
async def provider_stats(request: Request, server: Service) -> Response:
    """How many providers there are of what."""
    counts, revision = await server.search(request, server.reader.provider_stats)
    return of_catalog(request, revision, stamped(counts, revision))


@router.get("/providers/search", responses=answers(schemas.ProviderPage))
async def search_providers(request: Request, server: Service, query: WordsAndPage) -> Response:
    """Providers with all of these words in their slugs, names and descriptions."""
    return await _page(request, server, ProviderFilter(query=query.q), query)


@router.get("/providers/health/{health_status}", responses=answers(schemas.ProviderPage))
async def providers_by_health(request: Request, server: Service, health_status: HealthStatus, query: Paged) -> Response:
    """Providers of one health."""
    return await _page(request, server, ProviderFilter(health=health_status), query)


@router.get("/providers/slug/{slug}", responses=answers(schemas.OneProvider, 404))
async def get_provider_by_slug(request: Request, server: Service, slug: Slug) -> Response:
    """One provider by its slug."""
    return _one(request, await server.read(server.reader.provider_of, slug), slug)


@router.get("/providers/{provider_id:int}", responses=answers(schemas.OneProvider, 404))
async def get_provider(request: Request, server: Service, provider_id: Id) -> Response:
    """One provider by its number."""
    return _one(request, await server.read(server.reader.provider, provider_id), provider_id)


@router.get("/providers/{provider_id:int}/models/stats", responses=answers(schemas.ModelStats, 404))
async def provider_model_stats(request: Request, server: Service, provider_id: Id) -> Response:
    """How many models a provider has of what."""
    row, _ = await server.read(server.reader.provider, provider_id)
    if row is None:
        return error(404, f"There is no provider {provider_id}; GET /providers lists them")
    return await stats_of(request, server, provider_id)


async def _shown(server: Service, provider_id: int, status: int = 200) -> Response:
    """A provider as it stands after an act."""
    row, revision = await server.read(server.reader.provider, provider_id)
    if row is None:
        return error(404, f"There is no provider {provider_id} any more")
    return json_answer(stamped(row, revision), status)


@router.post("/providers", responses=answers(schemas.OneProvider, 400, 409, status=201))
async def create_provider(request: Request, server: Service, body: NewProvider) -> Response:
    """Make a provider's row; one that modelsync knows gets its facts where nothing is said. Only known ones can be synced."""
    provider_id = await server.do(providers.create, server.store, body.columns(), person(request, body.reason))
    return await _shown(server, provider_id, 201)


@router.patch("/providers/{provider_id:int}", responses=answers(schemas.OneProvider, 400, 404))
async def change_provider(request: Request, server: Service, provider_id: Id, body: ProviderFacts) -> Response:
    """Change what was sent, and nothing else. A provider that is not active is not synced."""
    values = body.columns()
    if not values:
        return error(400, "There is nothing to update: send the fields to change")
    await server.do(providers.change, server.store, provider_id, values, person(request, body.reason))
    return await _shown(server, provider_id)


@router.patch("/providers/{provider_id:int}/health", responses=answers(schemas.OneProvider, 404))
async def set_provider_health(request: Request, server: Service, provider_id: Id, body: Health) -> Response:
    """Decide a provider's health, whatever its syncs show; null lets them show it again."""
    await server.do(providers.set_health, server.store, provider_id, body.health_status, person(request, body.reason))
    return await _shown(server, provider_id)


@router.post("/providers/{provider_id:int}/activate", responses=answers(schemas.OneProvider, 404))
async def activate_provider(request: Request, server: Service, provider_id: Id) -> Response:
    """Let a provider be synced."""
    await server.do(providers.change, server.store, provider_id, {"is_active": True}, person(request, "over the API"))
    return await _shown(server, provider_id)


@router.post("/providers/{provider_id:int}/deactivate", responses=answers(schemas.OneProvider, 404))
async def deactivate_provider(request: Request, server: Service, provider_id: Id) -> Response:
    """Keep a provider from being synced; its models stay as they are."""
    await server.do(providers.change, server.store, provider_id, {"is_active": False}, person(request, "over the API"))
    return await _shown(server, provider_id)


@router.delete("/providers/{provider_id:int}", responses=answers(schemas.Deleted, 404, 409))
async def delete_provider(request: Request, server: Service, provider_id: Id) -> Response:
    """Delete a provider that has neither models nor a history: nothing else is ever deleted with it."""
    await server.do(providers.delete, server.store, provider_id, person(request, "over the API"))
    return json_answer(schemas.Deleted(True, provider_id))
