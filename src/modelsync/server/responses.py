"""Answers: JSON by msgspec, exact prices as texts; errors as one sentence."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelsync.errors import AlreadyThere, DatabaseError, ModelsyncError, NotThere, Settled, TooSlow
from modelsync.queries.reader import Revision
from modelsync.server.lanes import TooBusy

JSON = "application/json"

REVISION = "modelsync.revision"
"""Under this name a route leaves the state of the catalog that its answer shows; without it nothing is kept."""

STATUS = {NotThere: 404, AlreadyThere: 409, Settled: 409, DatabaseError: 503}


def json_answer(value: object, status: int = 200, **headers: str) -> Response:
    """An answer with a JSON body. Prices in it are texts already."""
    return Response(msgspec.json.encode(value), status, media_type=JSON, headers=headers or None)


def error(status: int, detail: str, **headers: str) -> Response:
    """An answer that says in one sentence what is wrong."""
    return json_answer({"detail": detail}, status, **headers)


def failed(problem: ModelsyncError) -> Response:
    """An error of ours as an answer. What is wrong with the database is the operator's matter, and in the log."""
    if isinstance(problem, TooBusy):
        return error(429 if problem.own else 503, str(problem), **{"Retry-After": "2"})
    if isinstance(problem, TooSlow):
        return error(503, "This takes too long to look up: ask with fewer words and filters, or follow next_cursor instead of an offset")
    status = next((code for kind, code in STATUS.items() if isinstance(problem, kind)), 400)
    if status == 503:
        return error(503, "The catalog's database does not answer now; try again", **{"Retry-After": "2"})
    return error(status, str(problem))


def of_catalog(request: Request, revision: Revision, value: object) -> Response:
    """An answer of the catalog: what it shows is remembered, so that it can be kept until the catalog changes."""
    request.scope[REVISION] = revision
    return json_answer(value)


def stamped(value: Mapping[str, object] | msgspec.Struct, revision: Revision) -> dict[str, object]:
    """A document with what every answer of the catalog says of itself."""
    document = msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value
    return {**document, "revision": revision.number, "as_of": shown_time(revision.as_of)}


def json_time(value: datetime) -> str:
    """A time as JSON has it everywhere: 2026-11-22T20:10:00.000000Z."""
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def shown_time(value: datetime | None) -> str | None:
    """The same, where there may be none."""
    return json_time(value) if value else None
