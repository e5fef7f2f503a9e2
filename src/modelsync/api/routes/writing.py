"""What operators write about models: pins, and models of their own. No sync undoes it."""

from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.bodies import Bulk, ModelFacts, NamedModel, NewModel
from modelsync.api.openapi import answers
from modelsync.api.parameters import Id
from modelsync.api.routes.common import person
from modelsync.api.routing import Router
from modelsync.errors import NotThere, UsageError
from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.operations import models
from modelsync.operations.models import Wish
from modelsync.server.responses import error, json_answer, stamped
from modelsync.server.state import Service

router = Router(tags=("models",))
_OVER = "over the API"


async def _named(server: Service, model_id: int) -> tuple[str, str]:
    """A model's provider and its id there."""
    row, _ = await server.read(server.reader.model, model_id)
    if row is None:
        raise NotThere(f"There is no model {model_id}", "GET /models lists them")
    return row.provider, row.provider_model_id


async def _slug(server: Service, body: NamedModel) -> str:
    if body.provider is not None and body.provider_id is None:
        return body.provider
    if body.provider is not None or body.provider_id is None:
        raise UsageError("Say which provider: provider or provider_id", "GET /providers lists them")
    row, _ = await server.read(server.reader.provider, body.provider_id)
    if row is None:
        raise NotThere(f"There is no provider {body.provider_id}", "GET /providers lists them")
    return row.slug


async def _shown(server: Service, slug: str, row_id: str, status: int = 200) -> Response:
    """A model as it stands after an act."""
    row, revision = await server.read(server.reader.model_of, slug, row_id)
    if row is None:
        return error(404, "There is no such model any more")
    return json_answer(stamped(row, revision), status)


@router.post("/models", responses=answers(schemas.OneModel, 400, 404, 409, status=201))
async def create_model(request: Request, server: Service, body: NewModel) -> Response:
    """Add a model that its provider does not list. It stays active until somebody says otherwise."""
    slug = await _slug(server, body)
    await server.do(models.add, server.store, slug, body.provider_model_id, body.pins(), person(request, body.reason))
    return await _shown(server, slug, body.provider_model_id, 201)


@router.post("/models/bulk-upsert", responses=answers(schemas.Upserted, 400, 404))
async def bulk_upsert_models(request: Request, server: Service, body: Bulk) -> Response:
    """Add models, and pin fields of those that are there: all of it, or nothing."""
    wishes = [Wish(await _slug(server, each), each.provider_model_id, tuple(each.pins())) for each in body.named()]
    created, ids = await server.do(models.upsert, server.store, wishes, person(request, body.reason))
    return json_answer(schemas.Upserted(created, len(ids) - created, ids))


@router.patch("/models/{model_id:int}", responses=answers(schemas.OneModel, 400, 404))
async def change_model(request: Request, server: Service, model_id: Id, body: ModelFacts) -> Response:
    """Pin the fields that were sent, and nothing else: they win over every sync until they are unpinned."""
    pins = body.pins()
    if not pins:
        return error(400, "There is nothing to update: send the fields to change")
    return await _pinned(server, model_id, pins, person(request, body.reason))


async def _pinned(server: Service, model_id: int, pins: list[Pin], by: Person) -> Response:
    slug, row_id = await _named(server, model_id)
    await server.do(models.pin, server.store, slug, row_id, pins, by)
    return await _shown(server, slug, row_id)


@router.post("/models/{model_id:int}/activate", responses=answers(schemas.OneModel, 404))
async def activate_model(request: Request, server: Service, model_id: Id) -> Response:
    """Keep a model active, whether its provider lists it or not."""
    return await _pinned(server, model_id, [Pin("is_active", True)], person(request, _OVER))


@router.post("/models/{model_id:int}/deactivate", responses=answers(schemas.OneModel, 404))
async def deactivate_model(request: Request, server: Service, model_id: Id) -> Response:
    """Take a model out of use, whatever its provider says."""
    return await _pinned(server, model_id, [Pin("is_active", False)], person(request, _OVER))


@router.delete("/models/{model_id:int}", responses=answers(schemas.Deleted, 404, 409))
async def delete_model(request: Request, server: Service, model_id: Id) -> Response:
    """Delete a model that somebody added, with its history. One that its provider listed is never deleted: deactivate it."""
    slug, row_id = await _named(server, model_id)
    await server.do(models.remove, server.store, slug, row_id, person(request, _OVER))
    return json_answer(schemas.Deleted(True, model_id))
