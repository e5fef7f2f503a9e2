"""Whether the server lives, whether the catalog can be read, and numbers for monitoring."""

from starlette.responses import Response

from modelsync.api import schemas
from modelsync.api.openapi import Responses, also, answers
from modelsync.api.routing import Router
from modelsync.database.migrate import Schema
from modelsync.errors import DatabaseError
from modelsync.server.metrics import CONTENT_TYPE
from modelsync.server.responses import json_answer
from modelsync.server.state import Service

router = Router(tags=("health",))


@router.get("/health/live", responses=answers(schemas.Alive))
async def live() -> Response:
    """Always 200 while the server answers: for what would restart it."""
    return json_answer(schemas.Alive("alive"))


@router.get("/health/ready", responses=answers(schemas.Ready) | also(schemas.Ready, 503, "The catalog cannot be read."))
async def ready(server: Service) -> Response:
    """200 when the catalog can be read: for what sends requests here. How fresh it is is told, and is no reason to send none."""
    try:
        states = await server.freshness.now()
    except DatabaseError:
        return json_answer(schemas.Ready(status="not ready", database="does not answer", schema=None, freshness={}), 503)
    return json_answer(schemas.Ready(status="ready", database="ok", schema=Schema.head, freshness=states))


_NUMBERS: Responses = {200: {"description": "Numbers for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", responses=_NUMBERS)
async def metrics(server: Service) -> Response:
    """What the catalog holds, how its syncs went, and what this server answered, as Prometheus reads it."""
    return Response(await server.numbers.now(), headers={"Content-Type": CONTENT_TYPE})
