"""Routes: what is asked of a handler's parameters, and how an answer comes of a request."""

import inspect
import typing
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Matched

from modelsync.api.openapi import Responses
from modelsync.api.requests import OTHERWISE, Body, Invalid, Query, body_of, no_body_of, query_of
from modelsync.model.mistakes import plain_words
from modelsync.server.state import Service

Handler = Callable[..., Awaitable[Response]]


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler takes, by the types of its parameters: names of the path with their types, and a struct of the query and of the body.

    A Request and the Service are given to whichever parameter is of their type.
    """

    path: dict[str, Any]
    query: tuple[str, type[Query]] | None
    body: tuple[str, type[Body]] | None
    request: tuple[str, ...]
    service: tuple[str, ...]


def parameters_of(handler: Handler) -> Parameters:
    """What a handler takes."""
    hints = typing.get_type_hints(handler, include_extras=True)
    kinds = {name: hints[name] for name in inspect.signature(handler).parameters}
    query = [(name, kind) for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Query)]
    body = [(name, kind) for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Body)]
    request, service = ([name for name, kind in kinds.items() if kind is given] for given in (Request, Service))
    known = {*request, *service, *(name for name, _ in (*query, *body))}
    return Parameters(
        path={name: kind for name, kind in kinds.items() if name not in known},
        query=query[0] if query else None,
        body=body[0] if body else None,
        request=tuple(request),
        service=tuple(service),
    )


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the API: a method at a path, what answers it, and what OpenAPI says of its answers."""

    method: str
    path: str
    handler: Handler
    parameters: Parameters
    responses: Responses
    tags: tuple[str, ...]

    def matched(self) -> Matched:
        """The same as the framework finds it."""
        route: Matched

        async def answer(request: Request) -> Response:
            request.scope["route"] = route  # for the log and the metrics
            return await self.handler(**await self._arguments(request))

        route = Matched(self.path, answer, methods=[self.method], name=self.handler.__name__)
        return route

    async def _arguments(self, request: Request) -> dict[str, Any]:
        inputs = self.parameters
        if self.method != "GET":
            await self._refuse_undeclared(request)
        values: dict[str, Any] = dict.fromkeys(inputs.request, request) | dict.fromkeys(inputs.service, request.app.state.service)
        for name, kind in inputs.path.items():
            try:
                values[name] = msgspec.convert(request.path_params[name], kind)
            except msgspec.ValidationError as problem:
                raise Invalid(f"{name}: {plain_words(str(problem)) or OTHERWISE}") from None
        if inputs.query is not None:
            values[inputs.query[0]] = query_of(inputs.query[1], request.query_params)
        if inputs.body is not None:
            values[inputs.body[0]] = await body_of(inputs.body[1], request)
        return values

    async def _refuse_undeclared(self, request: Request) -> None:
        """Raise Invalid for what is said to an act that does not listen to it: whoever says that it is a dry run must not get a sync."""
        if self.parameters.body is None:
            await no_body_of(request)
        if self.parameters.query is None:
            query_of(Query, request.query_params)


class Router:
    """Routes under one prefix, in the order in which they are looked through."""

    def __init__(self, *, prefix: str = "", tags: tuple[str, ...]) -> None:
        self._prefix = prefix
        self._tags = tags
        self.routes: list[Route] = []

    def _add(self, method: str, path: str, responses: Responses) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            inputs = parameters_of(handler)
            route = Route(method=method, path=self._prefix + path, handler=handler, parameters=inputs, responses=responses, tags=self._tags)
            self.routes.append(route)
            return handler

        return add

    def get(self, path: str, *, responses: Responses) -> Callable[[Handler], Handler]:
        """A page that is read."""
        return self._add("GET", path, responses)

    def post(self, path: str, *, responses: Responses) -> Callable[[Handler], Handler]:
        """Something that is done."""
        return self._add("POST", path, responses)

    def patch(self, path: str, *, responses: Responses) -> Callable[[Handler], Handler]:
        """A part that is changed."""
        return self._add("PATCH", path, responses)

    def delete(self, path: str, *, responses: Responses) -> Callable[[Handler], Handler]:
        """Something that goes."""
        return self._add("DELETE", path, responses)
