"""What paths and queries may say. An unknown name is a mistake, not a wish to be ignored."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta

from modelsync.api.requests import END, Query
from modelsync.errors import UsageError
from modelsync.model import times
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.reader import PAGE

BIGGEST = 2**53 - 1
"""The biggest whole number that every JSON reader has exactly."""

MOST = 500
"""Rows of a page, at most."""

Flag = Literal["true", "false", "True", "False"]
"""Python's HTTP clients write `params={"dry_run": True}` as `dry_run=True`."""


def is_true(flag: str) -> bool:
    """What a flag says."""
    return flag.lower() == "true"


_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
NO_CONTROLS = rf"^[^{_CONTROLS}]*{END}"
"""No control characters, in the words of JSON Schema, so that clients can know."""
NOT_BLANK = rf"^[^{_CONTROLS}]*[^{_CONTROLS} ][^{_CONTROLS}]*{END}"


MOST_WORDS = 8
"""Words that are looked for at once: each is compared with every id and name."""

_BLANKS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Python splits words at, beside control characters."""
_WORD = f"[^{_CONTROLS}{_BLANKS}]"
FEW_WORDS = rf"^[{_BLANKS}]*({_WORD}+[{_BLANKS}]+){{0,{MOST_WORDS - 1}}}{_WORD}*[{_BLANKS}]*$"
"""So many words, in the words of JSON Schema."""


def _check_count(text: str) -> None:
    if len(text.split()) > MOST_WORDS:
        raise ValueError(f"these are more than {MOST_WORDS} words; leave some out")


def _time(text: str) -> None:
    """RFC 3339, as `format: date-time` has it; the zone may be left out."""
    try:
        is_time = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) and datetime.fromisoformat(text)
    except ValueError:  # which would repeat what was sent
        is_time = None
    if not is_time:
        raise ValueError(f"it is not a time such as {times.EXAMPLES}")


Slug = Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9-]{{0,62}}{END}")]
"""Lower-case letters, digits and hyphens."""
AnySlug = Annotated[str, Meta(max_length=100)]
"""A slug to look up; one of another form is just not known."""
Slugs = Annotated[tuple[Slug, ...], Meta(max_length=50)]
Text = Annotated[str, Meta(max_length=200, pattern=NO_CONTROLS)]
Words = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_CONTROLS)]
Search = Annotated[
    str, Meta(max_length=200, pattern=NO_CONTROLS, extra_json_schema={"x-pattern": FEW_WORDS}, extra={"check": _check_count})
]
SearchForSome = Annotated[Search, Meta(min_length=1)]
ModelId = Annotated[str, Meta(min_length=1, max_length=512, pattern=NO_CONTROLS)]
Reason = Annotated[str, Meta(max_length=500, pattern=NOT_BLANK)]
Number = Annotated[int, Meta(ge=1, le=BIGGEST)]
Id = Number
Cursor = Annotated[str, Meta(max_length=6000)]
"""Cursors hold ids and names, whatever their length."""
ListedId = Annotated[str, Meta(max_length=600, pattern=NO_CONTROLS)]
Time = Annotated[
    str, Meta(max_length=40, examples=["2026-11-22T10:00:00Z"], extra_json_schema={"format": "date-time"}, extra={"check": _time})
]
Span = Annotated[str, Meta(max_length=9, pattern=rf"^[0-9]{{1,4}}(h|d|w){END}", examples=["30d"])]
"""Hours, days or weeks."""
Count = Annotated[int, Meta(ge=0, le=BIGGEST)]
Dollars = Annotated[float, Meta(ge=0, le=1e9)]
Limit = Annotated[int, Meta(ge=1, le=MOST)]
Offset = Annotated[int, Meta(ge=0, le=10_000_000)]


def moment(text: str) -> datetime:
    """A time in UTC. UsageError when its year is out of range, whatever its form."""
    try:
        return times.moment(text)
    except ValueError as error:
        raise UsageError(f"{text} cannot be asked for: {error}", f"Write {times.EXAMPLES}") from None


class Paged(Query, frozen=True, kw_only=True):
    """A part of a list."""

    limit: Annotated[Limit, Meta(description="Rows of a page.")] = PAGE
    offset: Annotated[Offset, Meta(description="Rows to leave out before it.")] = 0


class Filters(Query, frozen=True, kw_only=True):
    """Which models; all conditions hold together."""

    provider: Annotated[Slugs, Meta(description="Only of these providers; repeatable.", examples=[["openrouter"]])] = ()
    provider_id: Annotated[Number | None, Meta(description="Only of the provider with this number.")] = None
    q: Annotated[Search, Meta(description=f"Words looked for in ids and names, {MOST_WORDS} at most.", examples=["claude sonnet"])] = ""
    modality: Annotated[Text | None, Meta(description="Exactly this one.", examples=["text+image->text"])] = None
    input_modality: Annotated[Text | None, Meta(description="Takes this, among others.", examples=["image"])] = None
    output_modality: Annotated[Text | None, Meta(description="Gives this, among others.", examples=["text"])] = None
    supports_streaming: Annotated[Flag | None, Meta(description="Stated to stream, or not to.")] = None
    supports_function_calling: Annotated[Flag | None, Meta(description="Stated to call functions, or not to.")] = None
    supports_vision: Annotated[Flag | None, Meta(description="Stated to take images, or not to.")] = None
    supports_reasoning: Annotated[Flag | None, Meta(description="Stated to reason, or not to.")] = None
    supports_structured_output: Annotated[Flag | None, Meta(description="Stated to answer in a given structure, or not to.")] = None
    is_active: Annotated[
        Literal["true", "false", "True", "False", "all"] | None,
        Meta(description="Default true, or with a status `all`: hidden and retired models too."),
    ] = None
    status: Annotated[Literal["active", "missing", "retired"] | None, Meta(description="missing: not in the last complete lists.")] = None
    min_context: Annotated[Count | None, Meta(description="Tokens.")] = None
    max_context: Annotated[Count | None, Meta(description="Tokens.")] = None
    min_price: Annotated[Dollars | None, Meta(description="USD per million prompt tokens; unknown prices are left out.")] = None
    max_price: Annotated[Dollars | None, Meta(description="USD per million prompt tokens; unknown prices are left out.")] = None
    free: Annotated[Flag | None, Meta(description="Stated to be free, or stated to cost something.")] = None
    ending_within: Annotated[Span | None, Meta(description="Announced to end from this hour on, within this time.", examples=["30d"])] = (
        None
    )
    changed_since: Annotated[Time | None, Meta(description="Changed at this time or later.")] = None

    def filter(self, limit: int | None, *, past: bool = False) -> ModelFilter:
        """What the catalog understands. Of the `past`, history does not tell when a model changed."""
        active = self.is_active or ("all" if self.status else "true")
        return ModelFilter(
            providers=tuple(self.provider),
            provider_id=self.provider_id,
            query=self.q,
            modality=self.modality,
            input_modality=self.input_modality,
            output_modality=self.output_modality,
            supports={name: is_true(value) for name in SUPPORTS if (value := getattr(self, name)) is not None},
            status=self.status,
            active=None if active == "all" else is_true(active),
            min_context=self.min_context,
            max_context=self.max_context,
            min_price=self.min_price,
            max_price=self.max_price,
            free=None if self.free is None else is_true(self.free),
            ends=_ending(self.ending_within) if self.ending_within else None,
            changed_since=moment(self.changed_since) if self.changed_since and not past else None,
            limit=limit,
        )


def _ending(span: str) -> tuple[datetime, datetime]:
    """From the beginning of this hour: within it the same question has the same answer."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return hour, hour + times.span(span)


SUPPORTS = tuple(name for name in Filters.__struct_fields__ if name.startswith("supports_"))


class ModelQuery(Filters, frozen=True, kw_only=True):
    """Which models, in which order, and which part of them."""

    sort: Annotated[
        Literal["provider", "name", "price", "context", "changed", "ends"], Meta(description="What is unknown comes last, both ways.")
    ] = "provider"
    order: Literal["asc", "desc"] = "asc"
    limit: Annotated[Limit | None, Meta(description=f"Rows of a page: {PAGE} of JSON; of CSV and NDJSON all.")] = None
    offset: Annotated[Offset, Meta(description="Rows to leave out before it.")] = 0
    cursor: Annotated[Cursor | None, Meta(description="next_cursor of the page before, with the same filters and order.")] = None

    @property
    def sorting(self) -> Order:
        """The order."""
        return Order(self.sort, self.order == "desc")


class StatsQuery(Query, frozen=True, kw_only=True):
    """Of which models."""

    provider_id: Annotated[Number | None, Meta(description="Only its models.")] = None


class PastOfModel(Query, frozen=True, kw_only=True):
    """Which part of a model's history."""

    before: Annotated[Number | None, Meta(description="next_before of the page before.")] = None
    limit: Limit = PAGE


class WordsAndPage(Paged, frozen=True, kw_only=True):
    """Words, and which part of what has them."""

    q: Annotated[SearchForSome, Meta(description=f"Words looked for in ids and names, {MOST_WORDS} at most.", examples=["gpt"])]


class ProviderQuery(Paged, frozen=True, kw_only=True):
    """Which providers."""

    is_active: Flag | None = None
    health_status: Literal["healthy", "degraded", "down", "unknown"] | None = None
    q: Annotated[Search, Meta(description=f"Words looked for in slugs, names and descriptions, {MOST_WORDS} at most.")] = ""


class ChangeQuery(Query, frozen=True, kw_only=True):
    """Which changes."""

    since: Annotated[Time | None, Meta(description="From this time on.")] = None
    provider: Annotated[Slugs, Meta(description="Only of these providers; repeatable.")] = ()
    model: Annotated[ModelId | None, Meta(description="Only of the model with this id.")] = None
    field: Annotated[Text | None, Meta(description="Only of this field.", examples=["pricing_prompt"])] = None
    kind: Literal["added", "updated", "missing", "retired", "revived"] | None = None
    before: Annotated[Number | None, Meta(description="next_before of the page before.")] = None
    limit: Limit = PAGE


class AuditQuery(Query, frozen=True, kw_only=True):
    """Which acts of persons."""

    since: Time | None = None
    actor: Text | None = None
    limit: Limit = PAGE


class RunQuery(Paged, frozen=True, kw_only=True):
    """Which runs."""

    status: Literal["running", "succeeded", "partial", "failed", "cancelled", "interrupted"] | None = None
    provider: Annotated[Slug | None, Meta(description="Only runs that had to do with this provider.")] = None


HoldKind = Literal["price", "unit-change", "shrink", "scope", "total", "other-catalog", "empty", "invalid"]


class HoldQuery(Query, frozen=True, kw_only=True):
    """Which holds."""

    provider: Slugs = ()
    kind: HoldKind | None = None
    status: Annotated[
        Literal["open", "rejected", "confirmed", "superseded", "released", "closed", "all"],
        Meta(
            description="open waits; rejected, confirmed: decided; superseded: another question now; released: none any more; closed: done."
        ),
    ] = "open"


class PinQuery(Query, frozen=True, kw_only=True):
    """Which pins."""

    provider: Slugs = ()
    moved: Annotated[Flag, Meta(description="Only those beneath which the provider moved.")] = "false"


class OfModel(Query, frozen=True, kw_only=True):
    """One model, by its provider and its id there: ids may hold slashes, so they are no path."""

    provider: Annotated[Slug, Meta(examples=["openrouter"])]
    model: Annotated[ModelId, Meta(examples=["openai/gpt-5"])]


class FieldOfModel(OfModel, frozen=True, kw_only=True):
    """One model, or one field of it."""

    field: Annotated[Text | None, Meta(examples=["pricing_prompt"])] = None


class Between(Query, frozen=True, kw_only=True):
    """Two times."""

    before: Time
    after: Time | None = None
    provider: Slugs = ()


class AtTime(Filters, frozen=True, kw_only=True):
    """Models at a time."""

    at: Time
    limit: Limit = PAGE
    offset: Offset = 0


class Removal(OfModel, frozen=True, kw_only=True):
    """Which pins to remove, and why."""

    field: Annotated[tuple[Text, ...], Meta(max_length=100, description="Only these; without any, all of the model.")] = ()
    reason: Reason


class SyncOne(Query, frozen=True, kw_only=True):
    """How to sync."""

    dry_run: Annotated[Flag, Meta(description="Fetch and compare, and write nothing at all.")] = "false"


class SyncAll(SyncOne, frozen=True, kw_only=True):
    """What to sync, and how."""

    providers: Annotated[
        tuple[Text, ...], Meta(max_length=50, description="Only these; repeatable.", examples=[["openrouter", "groq"]])
    ] = ()
