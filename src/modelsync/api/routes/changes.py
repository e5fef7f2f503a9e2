"""What changed: as JSON, and as feeds to subscribe to."""

from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.openapi import Responses, answers
from modelsync.api.parameters import ChangeQuery, Id, PastOfModel, moment
from modelsync.api.routing import Router
from modelsync.formats import feeds
from modelsync.model.timeline import RecordedChange
from modelsync.queries.history import ChangeFilter
from modelsync.server.responses import REVISION, error, json_time, of_catalog, stamped
from modelsync.server.state import Service

router = Router(tags=("changes",))


def filter_of(query: ChangeQuery) -> ChangeFilter:
    """What the catalog understands."""
    return ChangeFilter(
        since=moment(query.since) if query.since else None,
        providers=query.provider,
        model=query.model,
        field=query.field,
        kind=query.kind,
        before=query.before,
        limit=query.limit,
    )


def _shown(row: RecordedChange) -> schemas.Change:
    return schemas.Change(
        id=row.id,
        provider=row.provider,
        provider_model_id=row.provider_model_id,
        kind=row.kind,
        fields={field: {"old": old, "new": new} for field, (old, new) in row.fields.items()},
        changed_at=json_time(row.changed_at),
        run_id=row.run_id,
    )


async def page(request: Request, server: Service, filters: ChangeFilter, limit: int) -> Response:
    """Changes as JSON."""
    rows, revision = await server.search(request, server.reader.changes, filters)
    more = rows[-1].id if len(rows) == limit else None
    body = {"data": list(map(_shown, rows)), "returned": len(rows), "limit": limit, "next_before": more}
    return of_catalog(request, revision, stamped(body, revision))


@router.get("/changes", responses=answers(schemas.Changes, 400))
async def list_changes(request: Request, server: Service, query: ChangeQuery) -> Response:
    """What changed, newest first: models that came, went and came back, and every field's old and new value."""
    return await page(request, server, filter_of(query), query.limit)


@router.get("/models/{model_id:int}/history", responses=answers(schemas.Changes, 404))
async def model_history(request: Request, server: Service, model_id: Id, query: PastOfModel) -> Response:
    """Everything that ever happened to one model, newest first."""
    row, _ = await server.read(server.reader.model, model_id)
    if row is None:
        return error(404, f"There is no model {model_id}; GET /models lists them")
    filters = ChangeFilter(providers=(row.provider,), model=row.provider_model_id, before=query.before, limit=query.limit)
    return await page(request, server, filters, query.limit)


def _feed(media: str, description: str) -> Responses:
    shape = {"type": "string"} if "xml" in media else {"type": "object"}
    return answers(schemas.Changes, 400) | {200: {"description": description, "content": {media: {"schema": shape}}}}


@router.get("/changes/feed.atom", responses=_feed(feeds.ATOM, "An Atom feed (RFC 4287)."))
async def atom_feed(request: Request, server: Service, query: ChangeQuery) -> Response:
    """The same changes as an Atom feed: subscribe with the filters of your choice."""
    return await _as_feed(request, server, query, feeds.ATOM)


@router.get("/changes/feed.json", responses=_feed(feeds.JSON_FEED, "A JSON Feed (version 1.1)."))
async def json_feed(request: Request, server: Service, query: ChangeQuery) -> Response:
    """The same changes as a JSON Feed: subscribe with the filters of your choice."""
    return await _as_feed(request, server, query, feeds.JSON_FEED)


async def _as_feed(request: Request, server: Service, query: ChangeQuery, media: str) -> Response:
    rows, revision = await server.search(request, server.reader.changes, filter_of(query))
    request.scope[REVISION] = revision
    make = feeds.atom if media == feeds.ATOM else feeds.json_feed
    return Response(make(rows, feeds.Address(str(request.base_url).rstrip("/"), str(request.url))), media_type=media)
