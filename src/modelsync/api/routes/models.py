"""Reading models: pages, exports, counts, one of them."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.exports import CSV, NDJSON, exported, preferred_media
from modelsync.api.openapi import answers, exports
from modelsync.api.parameters import Id, ModelQuery, Paged, Slug, StatsQuery, WordsAndPage
from modelsync.api.routing import Router
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.reader import PAGE, Page
from modelsync.queries.rows import ModelRow
from modelsync.server.responses import error, of_catalog, stamped
from modelsync.server.state import Service

router = Router(tags=("models",))


def page_of(request: Request, page: Page[ModelRow], limit: int, offset: int) -> Response:
    """A page of models as JSON."""
    body = {"data": page.rows, "total": page.total, "returned": len(page.rows), "limit": limit, "offset": offset}
    stated = stamped({**body, "next_cursor": page.next_cursor, "units": schemas.Units()}, page.revision)
    return of_catalog(request, page.revision, stated)


@router.get("/models", responses=answers(schemas.ModelPage, 400) | exports(also=schemas.ModelPage))
async def list_models(request: Request, server: Service, query: ModelQuery) -> Response:
    """Models that match, a page at a time; or all of them as CSV or NDJSON, by the Accept header or as /models.csv and /models.ndjson.

    Filters apply before paging. Follow next_cursor to go through all: nothing is skipped or repeated.
    """
    media = preferred_media(request.headers.get("accept", ""))
    if media is not None:
        return await exported(request, server, query, media)
    limit = query.limit or PAGE
    page = await server.page(request, query.filter(limit), query.sorting, query.offset, query.cursor)
    return page_of(request, page, limit, query.offset)


@router.get("/models.csv", responses=exports(CSV))
async def export_models_as_csv(request: Request, server: Service, query: ModelQuery) -> Response:
    """Models that match as CSV; all of them unless there is a limit. A text that a spreadsheet would run begins with an apostrophe."""
    return await exported(request, server, query, CSV)


@router.get("/models.ndjson", responses=exports(NDJSON))
async def export_models_as_ndjson(request: Request, server: Service, query: ModelQuery) -> Response:
    """Models that match, one JSON document on each line; all of them unless there is a limit."""
    return await exported(request, server, query, NDJSON)


@router.get("/models/stats", responses=answers(schemas.ModelStats))
async def model_stats(request: Request, server: Service, query: StatsQuery) -> Response:
    """How many models there are of what."""
    return await stats_of(request, server, query.provider_id)


async def stats_of(request: Request, server: Service, provider_id: int | None) -> Response:
    """How many models there are of what, of one provider or all."""
    counts, by_provider, revision = await server.search(request, server.reader.model_stats, provider_id)
    return of_catalog(request, revision, stamped(msgspec.structs.asdict(counts) | {"by_provider": by_provider}, revision))


@router.get("/models/search", responses=answers(schemas.ModelPage))
async def search_models(request: Request, server: Service, query: WordsAndPage) -> Response:
    """Active models with all of these words in their ids and names."""
    model_filter = ModelFilter(query=query.q, active=True, limit=query.limit)
    page = await server.page(request, model_filter, Order(), query.offset)
    return page_of(request, page, query.limit, query.offset)


@router.get("/models/provider/{slug}", responses=answers(schemas.ModelPage, 404))
async def models_of_provider(request: Request, server: Service, slug: Slug, query: Paged) -> Response:
    """A provider's active models."""
    model_filter = ModelFilter(providers=(slug,), active=True, limit=query.limit)
    page = await server.page(request, model_filter, Order(), query.offset)
    if not page.total and (await server.read(server.reader.provider_of, slug))[0] is None:
        return error(404, f"The catalog has no provider {slug}; GET /providers lists them")
    return page_of(request, page, query.limit, query.offset)


@router.get("/models/{model_id:int}", responses=answers(schemas.OneModel, 404))
async def get_model(request: Request, server: Service, model_id: Id) -> Response:
    """One model by its number."""
    row, revision = await server.read(server.reader.model, model_id)
    if row is None:
        return error(404, f"There is no model {model_id}; GET /models lists them")
    return of_catalog(request, revision, stamped(row, revision))
