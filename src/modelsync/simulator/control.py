"""The interface under /_simulator by which the day, faults, lists and answers are set over HTTP."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelsync.simulator.catalog import Row, as_written
from modelsync.simulator.faults import KINDS, Fault
from modelsync.simulator.wires import Wires
from modelsync.simulator.world import World

Handler = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=msgspec.Struct)

INTERFACE = {
    "GET /_simulator": "the state: day, page size, rows of each list, faults, verbatim answers, requests counted",
    "DELETE /_simulator": "back to the start",
    "POST /_simulator/day": '{"day": 1}',
    "POST /_simulator/page-size": '{"page_size": 3}, null for the providers\' own sizes',
    "POST /_simulator/faults": '{"provider": "groq", "fault": "status"}; also path, times, status, retry_after, seconds, location',
    "DELETE /_simulator/faults": "end all faults; ?provider=groq only those set for one",
    "GET /_simulator/requests": "the requests seen, ?provider=groq for one; never a key",
    "DELETE /_simulator/requests": "forget them",
    "POST /_simulator/lists": '{"provider": "groq", "list": "models", "rows": [...]} replaces a list',
    "DELETE /_simulator/lists": "show the samples again",
    "POST /_simulator/answers": '{"provider": "groq", "path": "/openai/v1/models", "body": "..."} answers verbatim; also headers, status',
    "DELETE /_simulator/answers": "forget verbatim answers",
    "GET /_simulator/service-account": "the service account JSON that google-vertex takes",
}


class Day(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /_simulator/day."""

    day: int


class PageSize(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /_simulator/page-size."""

    page_size: int | None


class NewList(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /_simulator/lists."""

    provider: str
    name: str = msgspec.field(name="list")
    rows: list[Row]


class NewAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /_simulator/answers."""

    provider: str
    path: str
    body: str
    headers: dict[str, str] = {}
    status: int = 200


def answered(document: object, status: int = 200) -> Response:
    """A JSON answer of the control interface."""
    return Response(msgspec.json.encode(document), status, media_type="application/json")


def routes(world: World) -> list[Route]:
    """All routes of the control interface, and the index at /."""

    def get(path: str, answer: Callable[[Request], object]) -> Route:
        async def handler(request: Request) -> Response:
            return answered(answer(request))

        return Route(path, handler, methods=["GET"])

    def delete(path: str, clear: Callable[[Request], None]) -> Route:
        async def handler(request: Request) -> Response:
            clear(request)
            return answered(world.state())

        return Route(path, handler, methods=["DELETE"])

    def post(path: str, body: type[Body], change: Callable[[Body], None]) -> Route:
        return Route(path, _posted(world, body, change), methods=["POST"])

    return [
        get("/", lambda _: index(world.wires)),
        get("/_simulator", lambda _: world.state()),
        delete("/_simulator", lambda _: world.reset()),
        post("/_simulator/day", Day, lambda body: world.set_day(body.day)),
        post("/_simulator/page-size", PageSize, lambda body: world.set_page_size(body.page_size)),
        post("/_simulator/faults", Fault, lambda body: world.add_fault(**msgspec.structs.asdict(body))),
        delete("/_simulator/faults", lambda request: world.clear_faults(request.query_params.get("provider"))),
        get("/_simulator/requests", lambda request: {"requests": world.requests(request.query_params.get("provider"))}),
        delete("/_simulator/requests", lambda _: world.clear_requests()),
        post("/_simulator/lists", NewList, lambda body: world.set_list(body.provider, body.name, body.rows)),
        delete("/_simulator/lists", lambda _: world.clear_lists()),
        post(
            "/_simulator/answers",
            NewAnswer,
            lambda body: world.set_answer(body.provider, body.path, body.body, headers=body.headers, status=body.status),
        ),
        delete("/_simulator/answers", lambda _: world.clear_answers()),
        get("/_simulator/service-account", lambda _: msgspec.Raw(world.account.document().encode())),
    ]


def index(wires: Wires) -> Row:
    """What this server is, for somebody who opens it in a browser."""
    return {
        "what": "Every provider's model list as its API would send it, at /<provider><the provider's own path>",
        "providers": {slug: {wire.name: f"/{slug}{wire.path}" for wire in wires.of(slug)} for slug in wires.slugs},
        "keys": "demo-<provider>, as the provider wants it; google-vertex: GET /_simulator/service-account",
        "control": INTERFACE,
        "faults": KINDS,
    }


def _posted(world: World, body: type[Body], change: Callable[[Body], None]) -> Handler:
    decoder = msgspec.json.Decoder(body, float_hook=as_written)

    async def handler(request: Request) -> Response:
        try:
            change(decoder.decode(await request.body()))
        except (ValueError, msgspec.DecodeError) as error:
            return answered({"error": str(error)}, 400)
        return answered(world.state())

    return handler
