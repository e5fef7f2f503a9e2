"""DeepInfra. Prices: numbers, USD per 1M tokens in the model list; US cents per token, second, character or image unit in the details."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from modelsync.model.model import NO_PRICES, PRICE_FIELDS, Model, Prices, modalities
from modelsync.model.prices import (
    CENTS_PER_CHARACTER,
    CENTS_PER_IMAGE_UNIT,
    CENTS_PER_SECOND,
    CENTS_PER_TOKEN,
    NONE,
    USD_PER_1M_TOKENS,
    Price,
    bounded,
    canonical,
    number,
    read_prices,
)
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, NoOptions, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import Count, count, iso_time, stated_true, unix_time
from modelsync.providers.tiers import with_unread

PRICES = {
    "input_tokens": Price("prompt", USD_PER_1M_TOKENS),
    "output_tokens": Price("completion", USD_PER_1M_TOKENS),
    "cache_read_tokens": Price("cache_read", USD_PER_1M_TOKENS, zero_is_free=False),
}
# A 0 in the details stands for a price that is not set, as with some voices.
DETAIL_PRICES = {
    "cents_per_input_token": Price("prompt", CENTS_PER_TOKEN, zero_is_free=False),
    "cents_per_output_token": Price("completion", CENTS_PER_TOKEN, zero_is_free=False),
    "cents_per_sec": Price("per_unit", CENTS_PER_SECOND, zero_is_free=False),
    "cents_per_input_sec": Price("per_unit", CENTS_PER_SECOND, zero_is_free=False),
    "cents_per_output_sec": Price("per_unit", CENTS_PER_SECOND, zero_is_free=False),
    "cents_per_input_chars": Price("per_unit", CENTS_PER_CHARACTER, zero_is_free=False),
    "cents_per_image_unit": Price("per_unit", CENTS_PER_IMAGE_UNIT, zero_is_free=False),
}
# Multipliers of the input price, and no prices: 0.2 means that cached input costs a fifth.
RATES = {"rate_per_input_token_cached": "cache_read", "rate_per_input_token_cache_write": "cache_write"}
# `short` is the price in words; `discount_ends_at` a time. `full` and `table` are not among them: they are where tiers are told.
STRUCTURE = frozenset(
    {"type", "short", "default_width", "default_height", "default_iterations", "usage_from_cost", "discount_ends_at", *RATES}
)
DEPLOYMENT = frozenset({"cents_per_sec"})
IGNORED = {
    "cents_per_sec": "of type uptime: seconds of a deployment of one's own, which no call pays",
    "full": "where it sets no bounds: the same price in words",
}
TIERS_IN_WORDS = re.compile("[<>≤≥]|above|below|over|under|up to", re.IGNORECASE)

TOKEN_UNITS = TokenUnits(reason="the name of each price says what it is for: input_tokens, cents_per_input_token, cents_per_sec")
STREAMS = Documented("supports_streaming", "https://docs.deepinfra.com/chat/streaming")

# By `type` of the details. In the model list only models that write text have metadata (both recordings).
TYPES = {
    "text-generation": ("text", "text"),
    "text-to-image": ("text", "image"),
    "text-to-video": ("text", "video"),
    "text-to-speech": ("text", "audio"),
    "automatic-speech-recognition": ("audio", "text"),
    "embeddings": ("text", "embeddings"),
    "reranker": ("text", "rerank"),
}
INPUT_TAGS = {"vision": "image", "multimodal": "image", "input-audio": "audio", "input-video": "video"}


class Metadata(msgspec.Struct, frozen=True):
    description: str | None = None
    context_length: Count | None = None
    max_tokens: Count | None = None  # mostly the context length again, so no limit of the answer
    pricing: dict[str, msgspec.Raw] | None = None
    tags: tuple[str, ...] | None = None


class Row(msgspec.Struct, frozen=True):
    id: str
    created: float | None = None  # 0 in all recorded rows
    metadata: Metadata | None = None


class Details(msgspec.Struct, frozen=True):
    model_name: str
    type: str | None = None
    description: str | None = None
    max_tokens: Count | None = None  # here the context length
    tags: tuple[str, ...] | None = None
    pricing: dict[str, msgspec.Raw] | None = None
    deprecated: float | None = None  # Unix seconds; in the future while the model is still served
    create_ts: str | None = None


class Joined(msgspec.Struct, frozen=True):
    row: Row
    details: Details | None


def join(rows: RowsByEndpoint, _options: NoOptions) -> Iterable[Wire]:
    """The model list decides what is a model; the details only add to its rows."""
    details = {wire.row.model_name: wire for wire in reversed(rows["details"])}
    for wire in rows["models"]:
        more = details.get(wire.row.id)
        yield Wire(Joined(wire.row, more.row if more else None), {**(more.rest if more else {}), **wire.rest}, wire.position)


def normalize(joined: Joined) -> Model:
    row, own = joined.row, joined.row.metadata or Metadata()
    more = joined.details or Details(row.id)
    tags = sorted({*(own.tags or ()), *(more.tags or ())})
    kind = more.type or ("text-generation" if row.metadata else None)
    reads, writes = TYPES.get(kind or "", (None, None))
    inputs = modalities([reads, *(INPUT_TAGS[tag] for tag in tags if tag in INPUT_TAGS)]) if reads else None
    outputs = (writes,) if writes else None
    return Model(
        id=row.id,
        description=own.description or more.description,
        context_length=count(own.context_length) or count(more.max_tokens),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs),
        supports_function_calling=stated_true(tags, "tools"),
        supports_vision=stated_true(tags, "vision", "multimodal"),
        # "non-reasoning" says what is the default, and stands beside "reasoning" on models that can do both.
        supports_reasoning=stated_true(tags, "reasoning", "reasoning_effort", "can-disable-reasoning"),
        supports_structured_output=stated_true(tags, "structured-output"),
        released_at=unix_time(row.created) or iso_time(more.create_ts),
        expires_at=unix_time(more.deprecated),
        metadata={"type": kind, "tags": tags or None, "max_tokens": count(own.max_tokens)},
        prices=prices(own.pricing or {}, more.pricing or {}),
    )


def prices(own: Mapping[str, msgspec.Raw], more: Mapping[str, msgspec.Raw]) -> Prices:
    """The model list's prices; what it does not state comes from the details, in their other unit."""
    first = read_prices(PRICES, own)
    deployment = bytes(more.get("type", b"")) == b'"uptime"'  # seconds of a deployment of one's own, not of a call
    ignored = (DEPLOYMENT if deployment else NONE) | (NONE if TIERS_IN_WORDS.search(canonical(bytes(more.get("full", b"")))) else {"full"})
    second = read_prices({} if deployment else DETAIL_PRICES, more, ignored=ignored, structure=STRUCTURE)
    missing = {name: getattr(second, name) for name in PRICE_FIELDS if getattr(first, name) == getattr(NO_PRICES, name)}
    doubtful = {**{name: value for name, value in second.implausible.items() if name in missing}, **first.implausible}
    both = msgspec.structs.replace(
        first,
        **missing | {"others": second.others | first.others, "incomplete": tuple(sorted({*first.incomplete, *second.incomplete}))},
        raw={**second.raw, **first.raw},
        problems=first.problems + second.problems,
        implausible=doubtful,
        implausible_units=first.implausible_units or second.implausible_units,
    )
    return multiplied(both, more)


def multiplied(prices: Prices, wire: Mapping[str, msgspec.Raw]) -> Prices:
    """`prices` with the cache prices that are stated as multipliers of the input price.

    They are rounded to 1e-12 USD, as are those in the model list, which are such products too: 0.45 x 0.15555556 = 0.070000002.
    """
    found = {"cache_read": prices.cache_read}
    for field, to in RATES.items():
        raw = bytes(wire.get(field, b""))
        rate = number(raw)
        if getattr(prices, to) is not None:
            continue
        if prices.prompt and isinstance(rate, Decimal) and 0 < rate <= 10:
            found[to] = prices.prompt * rate
        else:
            prices = with_unread(prices, field, raw)
    rounded = {to: bounded(value.quantize(Decimal("1e-12")), "token") for to, value in found.items() if value}
    return msgspec.structs.replace(prices, **{to: value for to, value in rounded.items() if value and isinstance(value, Decimal)})


PROVIDER = Provider(
    slug="deepinfra",
    version=4,
    name="DeepInfra",
    description="Serverless inference of open models, by the token",
    site_url="https://deepinfra.com",
    docs_url="https://deepinfra.com/docs",
    status_page_url="https://status.deepinfra.com",
    privacy_policy_url="https://deepinfra.com/privacy",
    terms_of_service_url="https://deepinfra.com/terms",
    base_url="https://api.deepinfra.com/v1/openai",
    price_unit="USD per 1M tokens in the model list, US cents per token (or second, character, image unit) in the details",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="complete recording of 2026-02-23; the details after vendor documentation and quoted rows",
    auth=ApiKey(("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN")),
    endpoints=(
        Endpoint(
            url="https://api.deepinfra.com/v1/openai/models",
            row=Row,
            key=KeyUse.OPTIONAL,
            units=PRICES,
        ),
        Endpoint(
            name="details",
            url="https://api.deepinfra.com/models/list",
            row=Details,
            rows=("",),
            key=KeyUse.OPTIONAL,
            fills=True,
            units=DETAIL_PRICES,
            ignored=IGNORED,
        ),
    ),
    normalize=normalize,
    sync_hours=6,
    combine=join,
)
