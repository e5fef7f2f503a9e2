"""OpenAPI: the answers' schemas made of their shapes, and what every route may also answer."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from modelsync import __version__
from modelsync.api import examples
from modelsync.api import schemas as shapes
from modelsync.api.exports import CSV, NDJSON
from modelsync.model.actors import Scope
from modelsync.server import access
from modelsync.server.responses import JSON

_REFERENCE = "#/components/schemas/{name}"
_WORDS = {
    400: "A value that cannot be used.",
    401: "The key is missing or not valid.",
    403: "The key is not good for this.",
    404: "It does not exist.",
    409: "It is in conflict with what is there.",
    413: "The body is too long.",
    414: "The address is too long.",
    422: "A parameter or a field that cannot be.",
    429: "Too many requests: try again after Retry-After seconds.",
    500: "A fault of modelsync's.",
    502: "The provider's answer could not be used.",
    503: "The database does not answer now, or no admin key is configured.",
}
_ALWAYS = (414, 429, 500, 503)
_WITH_KEY = (401, 403)

Responses = dict[int | str, dict[str, Any]]


def answers(shape: type[msgspec.Struct], *errors: int, status: int = 200) -> Responses:
    """The answers of a route: its shape, and errors."""
    return also(shape, status, (shape.__doc__ or "").split("\n")[0]) | {code: _error(code) for code in errors}


def exports(*media: str, also: type[msgspec.Struct] | None = None) -> Responses:
    """The answers of a route that gives rows as text: in these media types, or in all of them beside a page in JSON."""
    content: dict[str, Any] = {name: {"schema": {"type": "string"}} for name in media or (CSV, NDJSON)}
    if also is not None:
        content[JSON] = {"schema": {"$ref": _REFERENCE.format(name=also.__name__)}}
    return {200: {"description": "The models that match.", "content": content}, 400: _error(400)}


def also(shape: type[msgspec.Struct], status: int, told: str) -> Responses:
    """One more answer of a route, in a shape."""
    return {status: {"description": told, "content": {JSON: {"schema": {"$ref": _REFERENCE.format(name=shape.__name__)}}}}}


def _error(code: int) -> dict[str, Any]:
    return {"description": _WORDS[code], "content": {JSON: {"schema": {"$ref": _REFERENCE.format(name="Error")}}}}


@lru_cache(maxsize=1)
def _components() -> Mapping[str, Any]:
    return msgspec.json.schema_components(shapes.ALL, ref_template=_REFERENCE)[1]


def document(app: FastAPI, *, public: bool) -> dict[str, Any]:
    """The OpenAPI document of an application."""
    found = get_openapi(
        title="modelsync",
        version=__version__,
        summary="A catalog of AI models, in step with what providers' own APIs say.",
        description='Prices are texts with exact digits, in USD per token. null is "not stated"; a price of 0 is stated to be free.',
        routes=app.routes,
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= _components()
    key = {"type": "http", "scheme": "bearer", "description": "ADMIN_API_KEY, or a key of `modelsync keys`."}
    found["components"]["securitySchemes"] = {"key": key}
    for path, methods in found["paths"].items():
        for method, route in methods.items():
            _complete(route, access.needed(method.upper(), path, public=public))
    return found


def _complete(route: dict[str, Any], scope: Scope | None) -> None:
    """What every route may also answer, and which key it needs."""
    told: dict[str, Any] = route["responses"]
    for answer in told.values():
        if answer.get("content", {}).get(JSON) == {"schema": {}}:  # FastAPI's own, of routes that never answer in JSON
            del answer["content"][JSON]
    codes = [*_ALWAYS, *(_WITH_KEY if scope else ()), *((400, 413) if "requestBody" in route else ())]
    if "parameters" in route or "requestBody" in route:
        codes.append(422)
    told.update({str(code): _error(code) for code in codes if str(code) not in told or code == 422})
    route["security"] = [{"key": []}] if scope else []
    if scope:
        route["description"] = f"{route.get('description', '')}\n\nNeeds a key of scope {scope} or more.".strip()
    examples.add(route)
    route["responses"] = dict(sorted(told.items()))
