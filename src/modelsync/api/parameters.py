"""What paths and queries may say, checked by pydantic. An unknown name is a mistake, not a wish to be ignored."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, get_origin

from fastapi import Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from modelsync.errors import UsageError
from modelsync.model import times
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.reader import PAGE

BIGGEST = 2**53 - 1
"""The biggest whole number that every JSON reader has exactly."""

MOST = 500
"""Rows of a page, at most."""

Flag = Annotated[Literal["true", "false", "True", "False"], AfterValidator(str.lower)]
"""Python's HTTP clients write `params={"dry_run": True}` as `dry_run=True`."""
FlagOrAll = Annotated[Literal["true", "false", "True", "False", "all"], AfterValidator(str.lower)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Lower-case letters, digits and hyphens."""


_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
NO_CONTROLS = rf"^[^{_CONTROLS}]*$"
"""No control characters, in the words of JSON Schema, so that clients can know."""
SAYING_SOMETHING = rf"^[^{_CONTROLS}]*[^{_CONTROLS} ][^{_CONTROLS}]*$"


MOST_WORDS = 8
"""Words that are looked for at once: each is compared with every id and name."""

_BLANKS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Python splits words at, beside control characters."""
_WORD = f"[^{_CONTROLS}{_BLANKS}]"
FEW_WORDS = rf"^[{_BLANKS}]*({_WORD}+[{_BLANKS}]+){{0,{MOST_WORDS - 1}}}{_WORD}*[{_BLANKS}]*$"
"""So many words, in the words of JSON Schema."""


def _few(text: str) -> str:
    if len(text.split()) > MOST_WORDS:
        raise ValueError(f"these are more than {MOST_WORDS} words; leave some out")
    return text


Text = Annotated[str, StringConstraints(max_length=200, pattern=NO_CONTROLS)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROLS)]
Few = AfterValidator(_few)
Search = Annotated[str, StringConstraints(max_length=200, pattern=NO_CONTROLS), Few, Field(json_schema_extra={"pattern": FEW_WORDS})]
SearchForSome = Annotated[Search, StringConstraints(min_length=1)]
ModelId = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=NO_CONTROLS)]
Reason = Annotated[str, StringConstraints(max_length=500, pattern=SAYING_SOMETHING)]
Id = Annotated[int, Path(ge=1, le=BIGGEST)]
Cursor = Annotated[str, StringConstraints(max_length=6000)]
"""Cursors hold ids and names, whatever their length."""
ListedId = Annotated[str, Path(max_length=600, pattern=NO_CONTROLS)]


def _written(value: Any) -> Any:
    """A number in a query as everybody writes one: Python would also take 1_0 for ten."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?", value):
        raise ValueError("it is no number")
    return value


Written = BeforeValidator(_written)


def whole(value: Any) -> Any:
    """1.0 is a whole number in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Number = Annotated[int, Field(ge=1, le=BIGGEST), BeforeValidator(whole)]

Count = Annotated[int, Field(ge=0, le=BIGGEST), Written]
Dollars = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False), Written]


def moment(text: str) -> datetime:
    """A time in UTC. UsageError when it is outside the years: a request can be right in form and still ask for too much."""
    try:
        return times.moment(text)
    except ValueError as error:
        raise UsageError(f"{text} cannot be asked for: {error}", f"Write {times.EXAMPLES}") from None


def _time(text: str) -> str:
    """RFC 3339, as `format: date-time` has it; the zone may be left out."""
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f"it is not a time such as {times.EXAMPLES}")
    datetime.fromisoformat(text)
    return text


Time = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_time),
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T10:00:00Z"]),
]


class Asked(BaseModel):
    """Query parameters; what is not declared is refused."""

    model_config = ConfigDict(extra="forbid")


async def said_once(request: Request) -> None:
    """Refuse a parameter that comes twice where there is one: whoever says `field=a&field=b` does not mean the last of them.

    Raises RequestValidationError.
    """
    given = request.query_params
    if len(given) == len(given.multi_items()):
        return
    shapes = [parameter.field_info.annotation for parameter in request.scope["route"].dependant.query_params]
    fields = {name: field for shape in shapes for name, field in shape.model_fields.items()}
    for name in given:
        if len(given.getlist(name)) > 1 and name in fields and get_origin(fields[name].annotation) is not list:
            raise RequestValidationError([{"loc": ("query", name), "type": "repeated", "msg": "it can be given only once"}])


class Paged(Asked):
    """A part of a list."""

    limit: Annotated[int, Field(ge=1, le=MOST, description="Rows of a page."), Written] = PAGE
    offset: Annotated[int, Field(ge=0, le=10_000_000, description="Rows to leave out before it."), Written] = 0


class Filters(Asked):
    """Which models; all conditions hold together."""

    provider: Annotated[
        list[Slug], Field(max_length=50, description="Only of these providers; repeatable.", examples=[["openrouter"]])
    ] = []
    provider_id: Annotated[int | None, Field(ge=1, le=BIGGEST, description="Only of the provider with this number."), Written] = None
    q: Annotated[Search, Field(description=f"Words looked for in ids and names, {MOST_WORDS} at most.", examples=["claude sonnet"])] = ""
    modality: Annotated[Text | None, Field(description="Exactly this one.", examples=["text+image->text"])] = None
    input_modality: Annotated[Text | None, Field(description="Takes this, among others.", examples=["image"])] = None
    output_modality: Annotated[Text | None, Field(description="Gives this, among others.", examples=["text"])] = None
    supports_streaming: Annotated[Flag | None, Field(description="Stated to stream, or not to.")] = None
    supports_function_calling: Annotated[Flag | None, Field(description="Stated to call functions, or not to.")] = None
    supports_vision: Annotated[Flag | None, Field(description="Stated to take images, or not to.")] = None
    supports_reasoning: Annotated[Flag | None, Field(description="Stated to reason, or not to.")] = None
    supports_structured_output: Annotated[Flag | None, Field(description="Stated to answer in a given structure, or not to.")] = None
    is_active: Annotated[FlagOrAll | None, Field(description="Default true, or with a status `all`: hidden and retired models too.")] = None
    status: Annotated[Literal["active", "missing", "retired"] | None, Field(description="missing: not in the last complete lists.")] = None
    min_context: Annotated[Count | None, Field(description="Tokens.")] = None
    max_context: Annotated[Count | None, Field(description="Tokens.")] = None
    min_price: Annotated[Dollars | None, Field(description="USD per million prompt tokens; unknown prices are left out.")] = None
    max_price: Annotated[Dollars | None, Field(description="USD per million prompt tokens; unknown prices are left out.")] = None
    free: Annotated[Flag | None, Field(description="Stated to be free, or stated to cost something.")] = None
    changed_since: Annotated[Time | None, Field(description="Changed at this time or later.")] = None

    def filter(self, limit: int | None, **more: Any) -> ModelFilter:
        """What the store understands."""
        active = self.is_active or ("all" if self.status else "true")
        given: dict[str, Any] = {
            "providers": tuple(self.provider),
            "query": self.q,
            "supports": {name: value == "true" for name in SUPPORTS if (value := getattr(self, name)) is not None},
            "active": None if active == "all" else active == "true",
            "free": None if self.free is None else self.free == "true",
            "changed_since": moment(self.changed_since) if self.changed_since else None,
            **{name: getattr(self, name) for name in SAME},
        }
        return ModelFilter(**given | more, limit=limit)


SUPPORTS = tuple(name for name in Filters.model_fields if name.startswith("supports_"))
SAME = ("provider_id", "modality", "input_modality", "output_modality", "status", "min_context", "max_context", "min_price", "max_price")


class ModelQuery(Filters):
    """Which models, in which order, and which part of them."""

    sort: Annotated[
        Literal["provider", "name", "price", "context", "changed"], Field(description="What is unknown comes last, both ways.")
    ] = "provider"
    order: Literal["asc", "desc"] = "asc"
    limit: Annotated[int | None, Field(ge=1, le=MOST, description=f"Rows of a page: {PAGE} of JSON; of CSV and NDJSON all."), Written] = (
        None
    )
    offset: Annotated[int, Field(ge=0, le=10_000_000, description="Rows to leave out before it."), Written] = 0
    cursor: Annotated[Cursor | None, Field(description="next_cursor of the page before, with the same filters and order.")] = None

    @property
    def sorting(self) -> Order:
        """The order."""
        return Order(self.sort, self.order == "desc")


class StatsQuery(Asked):
    """Of which models."""

    provider_id: Annotated[int | None, Field(ge=1, le=BIGGEST, description="Only its models."), Written] = None


class PastOfModel(Asked):
    """Which part of a model's history."""

    before: Annotated[int | None, Field(ge=1, le=BIGGEST, description="next_before of the page before."), Written] = None
    limit: Annotated[int, Field(ge=1, le=MOST), Written] = PAGE


class WordsAndPage(Paged):
    """Words, and which part of what has them."""

    q: Annotated[SearchForSome, Field(description=f"Words looked for in ids and names, {MOST_WORDS} at most.", examples=["gpt"])]


class ProviderQuery(Paged):
    """Which providers."""

    is_active: Flag | None = None
    health_status: Literal["healthy", "degraded", "down", "unknown"] | None = None
    q: Annotated[Search, Field(description=f"Words looked for in slugs, names and descriptions, {MOST_WORDS} at most.")] = ""


class ChangeQuery(Asked):
    """Which changes."""

    since: Annotated[Time | None, Field(description="From this time on.")] = None
    provider: Annotated[list[Slug], Field(max_length=50, description="Only of these providers; repeatable.")] = []
    model: Annotated[ModelId | None, Field(description="Only of the model with this id.")] = None
    field: Annotated[Text | None, Field(description="Only of this field.", examples=["pricing_prompt"])] = None
    kind: Literal["added", "updated", "missing", "retired", "revived"] | None = None
    before: Annotated[int | None, Field(ge=1, le=BIGGEST, description="next_before of the page before."), Written] = None
    limit: Annotated[int, Field(ge=1, le=MOST), Written] = PAGE


class AuditQuery(Asked):
    """Which acts of persons."""

    since: Time | None = None
    actor: Text | None = None
    limit: Annotated[int, Field(ge=1, le=MOST), Written] = PAGE


class RunQuery(Paged):
    """Which runs."""

    status: Literal["running", "succeeded", "partial", "failed", "cancelled", "interrupted"] | None = None
    provider: Annotated[Slug | None, Field(description="Only runs that had to do with this provider.")] = None


HoldKind = Literal["price", "unit-change", "shrink", "scope", "total", "other-catalog", "empty", "invalid"]


class HoldQuery(Asked):
    """Which holds."""

    provider: Annotated[list[Slug], Field(max_length=50)] = []
    kind: HoldKind | None = None
    status: Annotated[
        Literal["open", "rejected", "confirmed", "superseded", "released", "closed", "all"],
        Field(
            description="open waits; rejected, confirmed: decided; superseded: another question now; released: none any more; closed: done."
        ),
    ] = "open"


class PinQuery(Asked):
    """Which pins."""

    provider: Annotated[list[Slug], Field(max_length=50)] = []
    moved: Annotated[Flag, Field(description="Only those beneath which the provider moved.")] = "false"


class OfModel(Asked):
    """One model, by its provider and its id there: ids may hold slashes, so they are no path."""

    provider: Annotated[Slug, Field(examples=["openrouter"])]
    model: Annotated[ModelId, Field(examples=["openai/gpt-5"])]


class FieldOfModel(OfModel):
    """One model, or one field of it."""

    field: Annotated[Text | None, Field(examples=["pricing_prompt"])] = None


class Between(Asked):
    """Two times."""

    before: Time
    after: Time | None = None
    provider: Annotated[list[Slug], Field(max_length=50)] = []


class AtTime(Filters):
    """Models at a time."""

    at: Time
    limit: Annotated[int, Field(ge=1, le=MOST), Written] = PAGE
    offset: Annotated[int, Field(ge=0, le=10_000_000), Written] = 0


class Removal(OfModel):
    """Which pins to remove, and why."""

    field: Annotated[list[Text], Field(max_length=100, description="Only these; without any, all of the model.")] = []
    reason: Reason


class SyncOne(Asked):
    """How to sync."""

    dry_run: Annotated[Flag, Field(description="Fetch and compare, and write nothing at all.")] = "false"


class SyncAll(SyncOne):
    """What to sync, and how."""

    providers: Annotated[list[Text], Field(max_length=50, description="Only these; repeatable.", examples=[["openrouter", "groq"]])] = []
