"""The route of a request: the one that the framework's own router finds, whatever is asked for."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Scope

from modelsync.api import create
from modelsync.api.finder import METHODS, Finder
from modelsync.app import build
from modelsync.settings import load

ODD = (
    "/",
    "",
    "/models/",
    "//models",
    "/Models",
    "/models/7",
    "/models/7/history",
    "/models/stats/",
    "/models/none",
    "/v1/models/a/b/c",
    "/x",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    program = build(load(DATABASE_URL=f"sqlite:///{tmp_path_factory.mktemp('found')}/catalog.db"))
    store = program.open_store()
    yield create(program, store)
    store.close()


def test_every_request_comes_to_the_route_that_looking_through_all_finds(served: Starlette):
    finder = served.router
    assert isinstance(finder, Finder)
    plain = Router([_noting(route) for route in finder.routes if isinstance(route, Route)], redirect_slashes=False)
    quick = Finder(plain.routes, redirect_slashes=False)
    paths = {route.path for route in finder.routes if isinstance(route, Route)} | {*ODD}
    for path in sorted(paths):
        for method in (*METHODS, "HEAD", "PUT", "OPTIONS", "get"):
            for root in ("", "/models"):
                came = [asyncio.run(_asked(router, method, path, root)) for router in (plain, quick)]
                assert came[0] == came[1], (method, path, root)


def test_a_path_that_is_written_out_is_not_looked_for(served: Starlette):
    assert isinstance(served.router, Finder)
    known = served.router._known
    assert {("GET", "/models"), ("GET", "/health/live"), ("POST", "/admin/model-sync/all")} <= set(known)
    assert known["GET", "/models/stats"].path == "/models/stats"


def test_of_two_routes_the_first_one_counts():
    async def answer(_: Request) -> Response:
        return Response()

    first, second = Route("/a/{name}", answer), Route("/a/b", answer)
    assert Finder([first, second])._known == {("GET", "/a/b"): first}
    assert Finder([second, first])._known == {("GET", "/a/b"): second}


def _noting(route: Route) -> Route:
    async def answer(request: Request) -> Response:
        return Response(f"{route.path} {sorted(request.path_params.items())} {request.scope['route'].path}")

    return Route(route.path, answer, methods=list(route.methods or ()))


async def _asked(router: Router, method: str, path: str, root: str) -> object:
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        said.append(message)

    scope: Scope = {"type": "http", "method": method, "path": path, "root_path": root, "query_string": b"", "headers": [], "app": None}
    try:
        await router(scope, receive, send)
    except HTTPException as problem:
        return problem.status_code, sorted((problem.headers or {}).get("Allow", "").split(", ")), scope.get("route")
    return said[0]["status"], said[1]["body"], scope.get("route")
