"""The normalized facts of one model: immutable values, in this catalog's own words and units."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

MODALITIES = ("text", "image", "file", "audio", "video", "embeddings", "rerank", "moderation", "3d")
"""The closed list of modalities, in the order they are written. What operators pin besides follows alphabetically."""

KNOWN_MODALITIES = frozenset(MODALITIES)

PER_TOKEN = (
    "prompt",
    "completion",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "audio_cache_read",
    "image_input",
    "image_output",
)
"""The fields of `Prices` and `Tier` that are USD per token."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class UnitPrice(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A price per something that is neither a token, a request nor an image.

    `usd` is USD per one `per` (second, megapixel, character …); `what` says what is counted when the provider says it.
    """

    per: str
    usd: Decimal
    what: str = ""


class Tier(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Prices that replace the flat ones, for the whole request, while a condition holds.

    `above`: the prompt has strictly more tokens than this. `utc_start` (inclusive) and `utc_end` (exclusive): HHMM, may wrap midnight.
    `utc_days`: only on these days (WEEKDAYS, in that order) by the time of the request in UTC; none named is every day. All conditions
    that are stated must hold. A price left None is inherited from the flat prices.
    """

    above: int | None = None
    utc_start: int | None = None
    utc_end: int | None = None
    utc_days: tuple[str, ...] = ()
    prompt: Decimal | None = None
    completion: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    audio_cache_read: Decimal | None = None
    image_input: Decimal | None = None
    image_output: Decimal | None = None


class Prices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a model costs. None is "not stated", 0 is "stated to be free", `dynamic` is "varies by request".

    Everything up to `image_output` is USD per token; `request` USD per request, `image` USD per image, `web_search` USD per search.
    `cache_write` is the provider's default time to live (usually five minutes). `others` holds price fields that were not read, as
    received; `incomplete` names those of them, unreadable ones and tiers that a call may pay, so that this is not the whole price. `raw`
    (wire text and unit of each field that was read, those of tiers under names like `overrides[0].prompt`) and `problems` (why a stated
    price was not taken) explain the values and are no part of them: they never make two prices differ. `implausible` are flat prices that
    are stated outside all bounds, by field, and `implausible_units` the other ones: they wait for a person.
    """

    prompt: Decimal | None = None
    completion: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    audio_cache_read: Decimal | None = None
    image_input: Decimal | None = None
    image_output: Decimal | None = None
    request: Decimal | None = None
    image: Decimal | None = None
    web_search: Decimal | None = None
    per_unit: tuple[UnitPrice, ...] = ()
    tiers: tuple[Tier, ...] = ()
    dynamic: bool = False
    others: dict[str, str] = msgspec.field(default_factory=dict)
    incomplete: tuple[str, ...] = ()
    raw: dict[str, str] = msgspec.field(default_factory=dict)
    problems: tuple[str, ...] = ()
    implausible: dict[str, Decimal] = msgspec.field(default_factory=dict)
    implausible_units: tuple[UnitPrice, ...] = ()

    @property
    def stated(self) -> bool:
        """Whether the provider said anything about the price that we understood."""
        return any(value is not None and value is not False and value != () for value in price_facts(self)[:-2])


PRICE_FIELDS = Prices.__struct_fields__[:-4]
"""The fields that are facts: all but `raw`, `problems` and what is implausible."""

NO_PRICES = Prices()


def price_facts(prices: Prices) -> tuple[object, ...]:
    """The values of PRICE_FIELDS, in that order."""
    return msgspec.structs.astuple(prices)[:-4]


def claimed(prices: Prices) -> Prices:
    """The same with implausible prices among the facts: what the provider claims, whether it can be true or not."""
    if not prices.implausible and not prices.implausible_units:
        return prices
    units = tuple(sorted((*prices.per_unit, *prices.implausible_units), key=lambda unit_price: unit_price.what))
    return msgspec.structs.replace(prices, **prices.implausible, per_unit=units, implausible={}, implausible_units=())


def tier_of(prices: Prices, **condition: Any) -> Tier:
    """The per-token prices of `prices`, under a condition: some of `above`, `utc_start`, `utc_end` and `utc_days`."""
    return Tier(**condition, **{name: getattr(prices, name) for name in PER_TOKEN})


def condition_of(tier: Tier) -> str:
    """When a tier holds, in words: `above 200000, 1600-100 UTC, saturday+sunday`. Equal for equal conditions, and for no others."""
    parts = [] if tier.above is None else [f"above {tier.above}"]
    if tier.utc_start is not None or tier.utc_end is not None:
        parts.append(f"{tier.utc_start}-{tier.utc_end} UTC")
    return ", ".join(parts + (["+".join(tier.utc_days)] if tier.utc_days else []))


class Model(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One model as one provider offers it. None always means that the provider does not say.

    `id` is the wire id, byte-exact. Lengths are in tokens. `available` is False where the provider lists a model and says that it
    cannot be called. `metadata` is the rest of the provider's row that is stable from one answer to the next.
    """

    id: str
    model_name: str | None = None
    description: str | None = None
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    supports_streaming: bool | None = None
    supports_function_calling: bool | None = None
    supports_vision: bool | None = None
    supports_reasoning: bool | None = None
    supports_structured_output: bool | None = None
    available: bool = True
    released_at: datetime | None = None
    expires_at: datetime | None = None
    hugging_face_id: str | None = None
    metadata: Mapping[str, object] = msgspec.field(default_factory=dict)
    prices: Prices = NO_PRICES

    @property
    def modality(self) -> str | None:
        """Both sides in one word, as OpenRouter writes it: `text+image->text`. None when a side is not stated."""
        if not self.input_modalities or not self.output_modalities:
            return None
        return "+".join(self.input_modalities) + "->" + "+".join(self.output_modalities)


_canonical = msgspec.json.Encoder(order="deterministic")


def content_hash(model: Model) -> str:
    """32 hex digits over every fact and the metadata of a model; how a price was written on the wire is no fact."""
    return hash_of(encoded_facts(model))


def hash_of(facts: bytes) -> str:
    """The content hash of encoded facts."""
    return hashlib.blake2b(facts, digest_size=16).hexdigest()


def encoded_facts(model: Model) -> bytes:
    """Every fact and the metadata of a model as JSON: the same bytes for the same facts."""
    prices = model.prices
    facts = (*msgspec.structs.astuple(model)[:-1], *price_facts(prices)[:-1])
    if prices.incomplete:
        facts = (*facts, prices.incomplete)
    if prices.implausible or prices.implausible_units:
        facts = (*facts, prices.implausible, prices.implausible_units)
    return _canonical.encode(facts)


def modalities(names: Iterable[str] | None) -> tuple[str, ...] | None:
    """Modality names in canonical order, without doubles; None when none is stated."""
    known = {name.strip().lower() for name in names or ()} - {""}
    return tuple(sorted(known, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))) or None


_ORDER = {name: position for position, name in enumerate(MODALITIES)}
