"""The application: routes, what surrounds them, and what errors look like."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Matched

from modelsync.api import docs_page
from modelsync.api.finder import Finder
from modelsync.api.requests import Invalid
from modelsync.api.routes import changes, health, models, openai, operating, providers, scheduling, syncing, writing
from modelsync.app import App
from modelsync.providers import registry
from modelsync.server.cache import AnswerCache
from modelsync.server.forwarded import Forwarded
from modelsync.server.gate import Gate
from modelsync.server.head import HeadRequests
from modelsync.server.responses import error
from modelsync.server.state import Service
from modelsync.sync.store import Store

ROUTES = (health, syncing, operating, scheduling, providers, models, writing, openai, changes)
"""In the order in which they are looked through for each request: what is asked every second comes first."""


PACKED_ASIDE = 8 * 1024
"""Bytes from which an answer is packed in a thread: a page takes as long as several requests."""


def create(program: App, store: Store) -> Starlette:
    """The ASGI application over an open catalog, which it closes at its end."""
    registry.prepare(program.settings.providers)  # the structs of this face came after the program's own
    service = Service(program, store)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await service.close()

    routes = [route for module in ROUTES for route in module.router.routes]
    pages = docs_page.pages(routes, public=service.settings.public)
    app = Starlette()
    app.router = Finder([*(route.matched() for route in routes), *pages], redirect_slashes=False, lifespan=lifespan)
    app.state.service = service
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5, thread_minimum_size=PACKED_ASIDE, exclude_content_types=())
    app.add_middleware(AnswerCache, service=service)
    app.add_middleware(HeadRequests)
    app.add_middleware(Gate, service=service)
    if service.settings.cors_origins:
        shown = ["ETag", "X-Catalog-Revision", "X-Catalog-As-Of", "X-Request-ID"]
        app.add_middleware(CORSMiddleware, allow_origins=service.settings.cors_origins, allow_methods=["GET"], expose_headers=shown)
    app.add_middleware(Forwarded, proxies=service.settings.trusted_proxies)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Invalid, _invalid)
    return app


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)  # noqa: S101 - registered for these
    words = {404: "There is no such page", 405: "This page does not take this method"}
    headers = {"Allow": _allowed(request)} if problem.status_code == 405 else dict(problem.headers or {})
    return error(problem.status_code, words.get(problem.status_code, str(problem.detail)), **headers)


def _allowed(request: Request) -> str:
    """Every method that some route at this path takes: the framework knows only that of the first one it found.

    `/models/stats` also looks like `/models/{id}`; the path that is written out counts.
    """
    path = request.scope["path"]
    routes = [route for route in request.app.routes if isinstance(route, Matched) and route.path_regex.match(path)]
    exact = [route for route in routes if route.path == path] or routes
    return ", ".join(sorted({method for route in exact for method in route.methods or ()}))


async def _invalid(_: Request, problem: Exception) -> Response:
    """Where it is wrong, and why; never what was sent."""
    assert isinstance(problem, Invalid)  # noqa: S101 - registered for these
    return error(problem.status, str(problem))
