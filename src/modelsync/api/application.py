"""The application: routes, what surrounds them, and what errors look like."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Route

from modelsync import __version__
from modelsync.api import docs_page, openapi
from modelsync.api.parameters import said_once
from modelsync.api.routes import changes, health, models, openai, operating, providers, syncing, writing
from modelsync.app import App
from modelsync.providers import registry
from modelsync.server.cache import Pages
from modelsync.server.forwarded import Forwarded
from modelsync.server.gate import Edge
from modelsync.server.head import Heads
from modelsync.server.responses import error
from modelsync.server.state import Service
from modelsync.sync.store import Store

ROUTES = (health, syncing, operating, providers, models, writing, openai, changes)
"""In the order in which they are looked through for each request: what is asked every second comes first."""


def create(program: App, store: Store) -> FastAPI:
    """The ASGI application over an open catalog, which it closes at its end."""
    registry.prepare(program.settings.providers)  # the structs of this face came after the program's own
    service = Service(program, store)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    app = FastAPI(
        title="modelsync",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        dependencies=[Depends(said_once)],
    )
    app.state.service = service
    for routes in ROUTES:
        app.include_router(routes.router)
    docs_page.add(app)
    app.add_middleware(Pages, service=service)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(Heads)
    app.add_middleware(Edge, service=service)
    if service.settings.cors_origins:
        shown = ["ETag", "X-Catalog-Revision", "X-Catalog-As-Of", "X-Request-ID"]
        app.add_middleware(CORSMiddleware, allow_origins=service.settings.cors_origins, allow_methods=["GET"], expose_headers=shown)
    app.add_middleware(Forwarded, proxies=service.settings.trusted_proxies)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.openapi = lambda: openapi.document(app, public=service.settings.public)  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)  # noqa: S101 - registered for these
    words = {404: "There is no such page", 405: "This page does not take this method"}
    headers = {"Allow": _allowed(request)} if problem.status_code == 405 else dict(problem.headers or {})
    return error(problem.status_code, words.get(problem.status_code, str(problem.detail)), **headers)


def _allowed(request: Request) -> str:
    """Every method that some route at this path takes: a framework knows only that of the first one it found, and wraps what it includes.

    `/models/stats` also looks like `/models/{id}`; the path that is written out counts.
    """
    path = request.scope["path"]
    known = [route for routes in ROUTES for route in routes.router.routes] + request.app.routes
    routes = [route for route in known if isinstance(route, APIRoute | Route) and route.path_regex.match(path)]
    exact = [route for route in routes if route.path == path] or routes
    methods = {method for route in exact for method in route.methods or ()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


async def _invalid(_: Request, problem: Exception) -> Response:
    """Where it is wrong, and why; never what was sent."""
    assert isinstance(problem, RequestValidationError)  # noqa: S101 - registered for these
    return error(422, "; ".join(_told(each) for each in problem.errors()[:5]) or "The request cannot be read")


def _told(each: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in each["loc"][1:]) or str(each["loc"][0])
    told = _WORDS.get(each["type"]) or each["msg"].removeprefix("Value error, ")
    return f"{place}: {told}".removesuffix(".")


_WORDS = {"extra_forbidden": "there is no such parameter", "string_pattern_mismatch": "it is not of the right form: see /docs"}
