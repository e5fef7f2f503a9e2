"""Requests as structs: each declared field is read by its type, and any other is refused."""

import json
import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, TypeVar

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request

from modelsync.model.mistakes import plain_words

END = r"$(?![\s\S])"
"""The end of a text in a pattern: Python's `$` matches before a last newline too. That of JSON Schema does not, and OpenAPI says `$`."""

MOST_PROBLEMS = 5
"""Problems of one request that its answer names."""


class Invalid(Exception):
    """A request that says what cannot be: each problem begins with its place. `status` is that of the answer."""

    def __init__(self, *problems: str, status: int = 422) -> None:
        super().__init__("; ".join(problems[:MOST_PROBLEMS]))
        self.status = status


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query parameters."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON object: 0 is no false there, and "1" no number."""


class OpenBody(Body, frozen=True, kw_only=True):
    """A JSON object with declared fields, and others beside them, in `fields`."""

    fields: dict[str, Any] = {}


RequestType = TypeVar("RequestType", bound=msgspec.Struct)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One declared field. `words` are all that it may say, in the order of their declaration, where that is a choice.

    `checks` are functions of a value that raise ValueError, from `Meta(extra={"check": …})` of its type.
    """

    name: str
    kind: Any
    required: bool
    is_list: bool
    number: type[int] | type[float] | None
    words: tuple[str, ...]
    checks: tuple[Any, ...]


@cache
def fields_of(kind: type[msgspec.Struct]) -> Mapping[str, Field]:
    """The declared fields of a kind of request, by name."""
    declared = (field for field in msgspec.structs.fields(kind) if not (issubclass(kind, OpenBody) and field.name == "fields"))
    return {field.name: _field(field) for field in declared}


def _field(field: msgspec.structs.FieldInfo) -> Field:
    parts = list(_parts(field.type))
    checks = tuple(part.extra["check"] for part in parts if isinstance(part, msgspec.Meta) and part.extra)
    words = tuple(word for part in parts if typing.get_origin(part) is typing.Literal for word in typing.get_args(part))
    is_list = any(typing.get_origin(part) is tuple for part in parts)
    number = int if int in parts else float if float in parts else None
    return Field(name=field.name, kind=field.type, required=field.required, is_list=is_list, number=number, words=words, checks=checks)


def _parts(kind: object) -> Iterator[object]:
    """A type, and what it is made of: the alternatives of a union, the items of a tuple, and what is annotated."""
    yield kind
    origin = typing.get_origin(kind)
    if origin in (tuple, typing.Union, UnionType, typing.Annotated):
        for part in typing.get_args(kind):
            yield from _parts(part)


def read(kind: type[RequestType], given: Mapping[str, object], *, strict: bool, place: str = "") -> RequestType:
    """What was given, as a request of this kind; not `strict`, its numbers are written as texts. Raises Invalid."""
    declared = fields_of(kind)
    others = {name: value for name, value in given.items() if name not in declared}
    open_to_others = issubclass(kind, OpenBody)
    problems = [f"{place}{_name(name)}: there is no such parameter" for name in (() if open_to_others else others)]
    values: dict[str, Any] = {"fields": others} if open_to_others else {}
    for name, field in declared.items():
        if name not in given:
            problems += [f"{place}{name}: it is missing"] * field.required
            continue
        try:
            values[name] = _value(field, given[name], strict=strict)
        except ValueError as problem:
            problems.append(f"{place}{name}{_problem_text(problem, field)}")
    if problems:
        raise Invalid(*problems)
    return kind(**values)


def _name(name: str) -> str:
    """A name that somebody else chose, as an answer may hold it."""
    return name[:100] if name and name.isprintable() else ascii(name[:100])


def _value(field: Field, given: object, *, strict: bool) -> object:
    for text in given if isinstance(given, list) else [given]:
        if isinstance(text, str) and any("\ud800" <= char <= "\udfff" for char in text):
            raise ValueError("it holds half a character")
    if field.number is not None:
        given = _whole(given) if strict else _number(str(given), field.number)
    value = msgspec.convert(given, field.kind)
    for check in field.checks:
        if value is not None:
            check(value)
    return value


def _whole(value: object) -> object:
    """1.0 is a whole number in JSON Schema."""
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    """A number in a query as everybody writes one: Python would also take 1_0 for ten, and msgspec null for none."""
    if not re.fullmatch(r"-?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?", text):
        raise ValueError("it is no number")
    if kind is float:
        return float(text)
    if not re.fullmatch(r"-?[0-9]+(\.0+)?", text):
        raise ValueError("it is no whole number")
    return int(text.partition(".")[0])


OTHERWISE = "it is not of the right form: see /docs"


def _problem_text(problem: ValueError, field: Field) -> str:
    """What is wrong, and where inside the field; never what was sent."""
    if not isinstance(problem, msgspec.ValidationError):
        return f": {problem}"
    what, _, inside = str(problem).partition(" - at `$")
    place = inside.rstrip("`").replace("[", ".").replace("]", "")
    return f"{place}: it is none of {', '.join(field.words)}" if "enum value" in what else f"{place}: {plain_words(what) or OTHERWISE}"


def query_of(kind: type[RequestType], given: QueryParams) -> RequestType:
    """The query of a request. Raises Invalid, also for a parameter that comes twice where there is one: whoever says `field=a&field=b` does
    not mean the last of them."""
    declared = fields_of(kind)
    lists = {name for name, field in declared.items() if field.is_list}
    twice = [name for name in given if name in declared and name not in lists and len(given.getlist(name)) > 1]
    if twice:
        raise Invalid(*(f"{name}: it can be given only once" for name in twice))
    return read(kind, {name: given.getlist(name) if name in lists else given[name] for name in given}, strict=False)


async def no_body_of(request: Request) -> None:
    """Raise Invalid for a body where none is taken. An empty object says nothing, and many programs send it."""
    if not re.fullmatch(rb"\s*(\{\s*\}|null)?\s*", await _content(request)):
        raise Invalid("body: none is taken here, and nothing was done; see /docs for what this takes")


async def body_of(kind: type[RequestType], request: Request) -> RequestType:
    """The body of a request. Raises Invalid."""
    content = await _content(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not re.fullmatch(r"application/([^/]+\+)?json", media):
        raise Invalid("body: send JSON, with Content-Type: application/json")
    try:
        given = json.loads(content)  # msgspec would say of 1e400 or half a character that all of it is no JSON, and not where
    except json.JSONDecodeError:
        raise Invalid("body: it is no JSON") from None
    except (ValueError, RecursionError):
        raise Invalid("body: it cannot be read", status=400) from None
    if not isinstance(given, dict):
        raise Invalid("body: it is no JSON object")
    return read(kind, given, strict=True)


async def _content(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:
        raise Invalid("body: it did not come whole", status=400) from None
