"""`/v1/models`: the list that clients of OpenAI's API speak. Ids are `<provider's slug>/<the provider's id>`."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.exports import Format, Rows, every, sent
from modelsync.api.openapi import answers
from modelsync.api.parameters import ListedId
from modelsync.api.routing import Router
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.rows import ModelRow
from modelsync.server.responses import JSON, error, of_catalog
from modelsync.server.state import Service

router = Router(prefix="/v1", tags=("openai",))


def _shown(row: ModelRow) -> schemas.OpenAIModel:
    prices = {"prompt": row.pricing_prompt, "completion": row.pricing_completion}
    return schemas.OpenAIModel(
        id=f"{row.provider}/{row.provider_model_id}",
        object="model",
        created=int(datetime.fromisoformat(row.released_at or row.first_seen_at).timestamp()),
        owned_by=row.provider,
        name=row.model_name,
        context_length=row.context_length,
        max_output_tokens=row.max_output_tokens,
        pricing={**prices, "dynamic": row.dynamic_price, "incomplete": row.price_incomplete},
    )


def _list(rows: Rows) -> Iterator[bytes]:
    yield b'{"object":"list","data":['
    for number, row in enumerate(rows):
        yield (b"," if number else b"") + msgspec.json.encode(_shown(row))
    yield b"]}"


LIST = Format(JSON, _list)


@router.get("/models", responses=answers(schemas.OpenAIList))
async def list_openai_models(request: Request, server: Service) -> Response:
    """All active models, in the shape of OpenAI's API."""
    return await sent(request, server, LIST, lambda reader: every(reader, ModelFilter(active=True), Order()))


@router.get("/models/{model:path}", responses=answers(schemas.OpenAIModel, 404))
async def get_openai_model(request: Request, server: Service, model: ListedId) -> Response:
    """One active model; its id may hold slashes."""
    slug, _, row_id = model.partition("/")
    row, revision = await server.read(server.reader.model_of, slug, row_id)
    if row is None or not row.is_active:
        return error(404, "There is no such model; GET /v1/models lists them")
    return of_catalog(request, revision, _shown(row))
