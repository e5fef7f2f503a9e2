"""OpenAPI: parameters, bodies and answers made of their structs, and what every route may also answer."""

import copy
import inspect
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from modelsync import __version__
from modelsync.api import bodies, examples, schemas
from modelsync.api.exports import CSV, NDJSON
from modelsync.api.requests import END, OpenBody, Query, fields_of
from modelsync.model.actors import Scope
from modelsync.server import access
from modelsync.server.responses import JSON

if TYPE_CHECKING:
    from modelsync.api.routing import Route

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

Schema = dict[str, Any]
"""A part of the document, in JSON values."""

Responses = dict[int | str, Schema]


def answers(schema: type[msgspec.Struct], *errors: int, status: int = 200) -> Responses:
    """The answers of a route: its schema, and errors."""
    return also(schema, status, (schema.__doc__ or "").split("\n")[0]) | {code: _error(code) for code in errors}


def exports(*media: str, also: type[msgspec.Struct] | None = None) -> Responses:
    """The answers of a route that gives rows as text: in these media types, or in all of them beside a page in JSON."""
    content: dict[str, Any] = {name: {"schema": {"type": "string"}} for name in media or (CSV, NDJSON)}
    if also is not None:
        content[JSON] = {"schema": {"$ref": _REFERENCE.format(name=also.__name__)}}
    return {200: {"description": "The models that match.", "content": content}, 400: _error(400)}


def also(schema: type[msgspec.Struct], status: int, description: str) -> Responses:
    """One more answer of a route, by its schema."""
    return {status: {"description": description, "content": {JSON: {"schema": {"$ref": _REFERENCE.format(name=schema.__name__)}}}}}


def _error(code: int) -> dict[str, object]:
    return {"description": _WORDS[code], "content": {JSON: {"schema": {"$ref": _REFERENCE.format(name="Error")}}}}


# The document


def document(routes: "Iterable[Route]", *, public: bool) -> Schema:
    """The OpenAPI document of these routes."""
    paths: dict[str, Schema] = {}
    for route in routes:
        path = route.matched().path_format
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, access.needed(route.method, path, public=public))
    key = {"type": "http", "scheme": "bearer", "description": "ADMIN_API_KEY, or a key of `modelsync keys`."}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "modelsync",
            "version": __version__,
            "summary": "A catalog of AI models, up to date with what providers' own APIs say.",
            "description": 'Prices are texts with exact digits, in USD per token. null is "not stated"; a price of 0 is stated to be free.',
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(_components().items())), "securitySchemes": {"key": key}},
    }


def _components() -> Schema:
    components = msgspec.json.schema_components((*schemas.ALL, *bodies.ALL), ref_template=_REFERENCE)[1]
    for kind in bodies.ALL:
        if issubclass(kind, OpenBody):  # the fields that can be pinned stand beside the declared ones
            declared = {name: schema for name, schema in components[kind.__name__]["properties"].items() if name != "fields"}
            components[kind.__name__] |= {**bodies.PINS, "properties": declared | bodies.PINS["properties"], "additionalProperties": False}
        for field in fields_of(kind).values():
            _in_order(components[kind.__name__]["properties"][field.name], field.words)
    return {name: _written(schema) for name, schema in components.items()}


def _in_order(schema: Schema, words: tuple[str, ...]) -> None:
    """Choices as they were declared, the usual one first: msgspec sorts them."""
    for each in (schema, *schema.get("anyOf", ())):
        if "enum" in each:
            each["enum"] = list(words)


def _written(schema: object) -> Any:
    """A schema as clients read it: patterns in the words of JSON Schema, what a type says better under `x-…`, and no null by default."""
    if isinstance(schema, list | tuple):
        return [_written(value) for value in schema]
    if not isinstance(schema, dict):
        return schema.replace(END, "$") if isinstance(schema, str) else schema
    keywords = {name: _written(value) for name, value in schema.items() if (name, value) not in (("default", None), ("required", []))}
    better = {name.removeprefix("x-"): value for name, value in keywords.items() if name.startswith("x-")}
    kind = {"type": "string"} if "enum" in keywords else {}
    return kind | {name: value for name, value in keywords.items() if not name.startswith("x-")} | better


def _operation(route: "Route", scope: Scope | None) -> Schema:
    """One route, what it may also answer, and which key it needs."""
    inputs, description = route.parameters, inspect.cleandoc(route.handler.__doc__ or "")
    parameters = [*_parameters(route), *(_query(inputs.query[1]) if inputs.query else ())]
    writes = route.method != "GET"
    codes = [*_ALWAYS, *(_WITH_KEY if scope else ()), *((400, 413) if writes else ()), *([422] if parameters or writes else [])]
    responses = {str(code): answer for code, answer in route.responses.items()}
    responses |= {str(code): _error(code) for code in codes if str(code) not in responses}
    operation: Schema = {
        "tags": list(route.tags),
        "summary": route.handler.__name__.replace("_", " ").title(),
        "description": f"{description}\n\nNeeds a key of scope {scope} or more." if scope else description,
        "operationId": route.handler.__name__,
        "responses": {code: copy.deepcopy(answer) for code, answer in sorted(responses.items())},
        "security": [{"key": []}] if scope else [],
    }
    if parameters:
        operation["parameters"] = parameters
    if inputs.body:
        schema = {"$ref": _REFERENCE.format(name=inputs.body[1].__name__)}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    examples.add(operation)
    return operation


def _parameters(route: "Route") -> Iterator[Schema]:
    """What stands in the path."""
    for name, kind in route.parameters.path.items():
        yield {"name": name, "in": "path", "required": True, "schema": _written(msgspec.json.schema(kind))}


def _query(kind: type[Query]) -> Iterator[Schema]:
    """Query parameters, from their struct."""
    properties = msgspec.json.schema_components((kind,), ref_template=_REFERENCE)[1][kind.__name__]["properties"]
    for name, field in fields_of(kind).items():
        _in_order(properties[name], field.words)
        schema = _written(properties[name])
        description = {"description": schema["description"]} if "description" in schema else {}
        yield {"name": name, "in": "query", "required": field.required, "schema": schema, **description}
