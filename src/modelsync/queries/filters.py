"""Which models, and in which order: filters as conditions, and cursors that go on where a page ended."""

import base64
import binascii
import re
import string
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from modelsync.database.schema import models, providers, time_text
from modelsync.errors import UsageError

column = models.c
Element = sa.ColumnElement[Any]
"""A column, or what is made of columns, of whatever type."""

PER_MILLION = 1_000_000
SMALLEST = Decimal("1e-300")


class ModelFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which models: all conditions hold together.

    `query` words are looked for in ids and names; contexts are in tokens, prices in USD per million prompt tokens; `supports` asks for what
    is stated of columns such as supports_vision; `free` for models stated to be free (False: stated to cost something); `ends` for models
    that are announced to end from one time to another, and are not retired yet. Ends of ranges belong to them.
    """

    providers: tuple[str, ...] = ()
    provider_id: int | None = None
    query: str = ""
    modality: str | None = None
    input_modality: str | None = None
    output_modality: str | None = None
    supports: Mapping[str, bool] = {}
    status: str | None = None
    active: bool | None = None
    min_context: int | None = None
    max_context: int | None = None
    min_price: float | None = None
    max_price: float | None = None
    free: bool | None = None
    changed_since: datetime | None = None
    ends: tuple[datetime, datetime] | None = None
    limit: int | None = None


def conditions(model_filter: ModelFilter, dialect: str) -> list[sa.ColumnElement[bool]]:
    """The filter as SQL, over models joined with their providers."""
    price, provider_ids = PROMPT_PRICE, sa.select(providers.c.id).where(providers.c.slug.in_(model_filter.providers))
    chosen: list[tuple[object, Callable[[], sa.ColumnElement[bool]]]] = [
        (model_filter.providers or None, lambda: column.provider_id.in_(provider_ids)),
        (model_filter.provider_id, lambda: column.provider_id == model_filter.provider_id),
        (model_filter.modality, lambda: column.modality == model_filter.modality),
        (model_filter.input_modality, lambda: _lists(column.input_modalities, str(model_filter.input_modality), dialect)),
        (model_filter.output_modality, lambda: _lists(column.output_modalities, str(model_filter.output_modality), dialect)),
        (model_filter.status, lambda: column.status == model_filter.status),
        (model_filter.active, lambda: column.is_active == model_filter.active),
        (model_filter.min_context, lambda: column.context_length >= model_filter.min_context),
        (model_filter.max_context, lambda: column.context_length <= model_filter.max_context),
        (model_filter.min_price, lambda: price >= _bound(model_filter.min_price or 0)),
        (model_filter.max_price, lambda: price <= _bound(model_filter.max_price or 0)),
        (model_filter.free, lambda: is_free() if model_filter.free else sa.not_(is_free())),
        (model_filter.ends, lambda: ends_within(*(model_filter.ends or ()))),
        (model_filter.changed_since, lambda: column.updated_at >= model_filter.changed_since),
    ]
    words = with_words(model_filter.query, (column.provider_model_id, column.model_name), dialect)
    stated = [column[name].is_(sa.true() if value else sa.false()) for name, value in sorted(model_filter.supports.items())]
    return [*words, *stated, *(condition() for value, condition in chosen if value is not None)]


def distinct_words(query: str) -> tuple[str, ...]:
    """The words of a query that are to be looked for: once each, whatever the case of ASCII, and none that another one has in it."""
    words = dict.fromkeys(query.translate(_LOWER).split())
    return tuple(word for word in words if not any(word in other and word != other for other in words))


_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def with_words(query: str, names: Sequence[Element], dialect: str) -> list[sa.ColumnElement[bool]]:
    """Conditions that every word of a query is in one of the texts, whatever its case.

    On Postgres the texts of a row are joined in lower case, once for all words. (A word holds no blank, so none spans two texts.)
    In SQLite LIKE ignores the case of ASCII by itself.
    """
    patterns = ["%" + re.sub(r"([\\%_])", r"\\\1", word) + "%" for word in distinct_words(query)]
    if not patterns:
        return []
    if dialect == "postgresql":
        whole = sa.func.lower(sa.func.concat_ws(" ", *names))
        return [whole.op("LIKE", is_comparison=True)(sa.all_(postgresql.array([sa.func.lower(pattern) for pattern in patterns])))]
    return [sa.or_(*(name.like(pattern, escape="\\") for name in names)) for pattern in patterns]


def ends_within(first: datetime, last: datetime) -> sa.ColumnElement[bool]:
    """Announced to end in this time, and not retired yet."""
    return sa.and_(column.expires_at >= first, column.expires_at <= last, column.status != "retired")


def is_free() -> sa.ColumnElement[bool]:
    """Stated to cost nothing, in and out."""
    return sa.and_(column.pricing_prompt == Decimal(0), column.pricing_completion == Decimal(0))


def _lists(names: Element, name: str, dialect: str) -> sa.ColumnElement[bool]:
    """Whether a JSON list of texts has one."""
    if dialect == "postgresql":
        return sa.type_coerce(names, postgresql.JSONB).contains([name])
    each = sa.func.json_each(sa.type_coerce(names, sa.Text)).table_valued("value")
    return sa.exists(sa.select(sa.literal(1)).select_from(each).where(each.c.value == name))


PROMPT_PRICE = sa.cast(column.pricing_prompt, sa.Float)
"""The prompt price as a number that compares."""


def per_token(price: float) -> Decimal:
    """A price per million tokens as USD per token, with the digits that were written: dividing as floats is off by a last bit."""
    return Decimal(str(price)) / PER_MILLION


def _bound(price: float) -> Element:
    """The end of a range of prices, made a number by the database just as it made the prices numbers.

    Postgres refuses numbers nearer to 0 than it can hold, as 5e-324; no price is one.
    """
    usd = per_token(price)
    return sa.cast(sa.literal(f"{usd:f}" if usd > SMALLEST else "0"), sa.Float)


# Order

SORTS = ("provider", "name", "price", "context", "changed", "ends")
"""What models can be sorted by; what is unknown comes last both ways."""

PERHAPS_UNKNOWN = frozenset({"price", "context", "ends"})
"""The others are always known: without a condition on NULL the database can follow an index."""


class Order(msgspec.Struct, frozen=True):
    """One of SORTS, and which way."""

    by: str = "provider"
    descending: bool = False

    def way(self, key: Element) -> Element:
        """A key as ORDER BY has it."""
        return key.desc() if self.descending else key.asc()

    def beyond(self, key: Element, value: Element) -> sa.ColumnElement[bool]:
        """Whether a key comes after a value, and is not equal to it."""
        return key < value if self.descending else key > value

    def from_(self, key: Element, value: Element) -> sa.ColumnElement[bool]:
        """Whether a key comes after a value, or is equal to it."""
        return key <= value if self.descending else key >= value


BY_PROVIDER = Order()

FEW = 20_000
"""Rows that can be skipped before a page at little cost: going past them in an index takes some ten milliseconds."""


def is_bounded(model_filter: ModelFilter, order: Order, offset: int) -> bool:
    """Whether an index finds a page of models whatever the size of the catalog: by provider and id, from near a beginning or a cursor.

    Most models are active; of those that are not, a page may be anywhere.
    """
    active = False if model_filter.active is False else None
    indexed = msgspec.structs.replace(model_filter, active=active, limit=None, provider_id=None, providers=model_filter.providers[1:])
    return indexed == ModelFilter() and order.by == "provider" and offset <= FEW


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the order it was made in, and the keys of its last row."""

    by: str
    descending: bool
    keys: tuple[str | int | float | None, ...]

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


_Id = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_Length = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]*\Z")]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_KEYS: Mapping[str, Any] = {
    "provider": tuple[_Text, _Text, _Id],
    "name": tuple[_Text, _Id],
    "price": tuple[float | None, _Id],
    "context": tuple[_Length | None, _Id],
    "changed": tuple[_Time, _Id],
    "ends": tuple[_Time | None, _Id],
}
"""What the keys of each order are: a cursor comes from outside, and no database is asked about anything else."""


def cursor(text: str, order: Order) -> Cursor:
    """A cursor as it was handed out. UsageError when it is none, or one of another order."""
    try:
        decoded = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
        read = msgspec.convert(decoded.keys, _KEYS[decoded.by])
        keys = [time_text(key) if isinstance(key, datetime) else key for key in read]
    except (binascii.Error, ValueError, KeyError, OverflowError, msgspec.MsgspecError):
        raise UsageError("The cursor cannot be read", "Use next_cursor of the page before, as it is") from None
    if (decoded.by, decoded.descending) != (order.by, order.descending):
        raise UsageError("The cursor is of another order", "Give the same sort and order as for the page before")
    return msgspec.structs.replace(decoded, keys=tuple(keys))


def sort_keys(order: Order, dialect: str) -> list[Element]:
    """What rows are ordered by; the last is unique, so that no page repeats or skips a row."""
    name = sa.func.lower(sa.func.coalesce(column.model_name, column.provider_model_id), type_=sa.Text())
    # Times as the text that cursors hold: SQLite has them so, and Postgres compares it as a time.
    changed, ends = (each if dialect == "postgresql" else sa.type_coerce(each, sa.Text) for each in (column.updated_at, column.expires_at))
    keys: Mapping[str, Sequence[Element]] = {
        "provider": (providers.c.slug, column.provider_model_id),
        "name": (name,),
        "price": (PROMPT_PRICE,),
        "context": (column.context_length,),
        "changed": (changed,),
        "ends": (ends,),
    }
    return [*keys[order.by], column.id]


def ordering(order: Order, dialect: str) -> list[Element]:
    """ORDER BY: what is unknown last, both ways; rows that are equal by id."""
    *keys, unique = sort_keys(order, dialect)
    ways = [order.way(key) for key in keys]
    if order.by == "provider":  # no two rows are equal, and without an id to sort them by an index is followed backwards, too
        return ways
    return [*([keys[0].is_(None)] if order.by in PERHAPS_UNKNOWN else []), *ways, unique.asc()]
