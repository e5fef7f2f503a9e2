"""OpenRouter. Prices: decimal strings, USD per token (per request for `request`, per search for `web_search`)."""

from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from modelsync.model.model import WEEKDAYS, Model, Prices
from modelsync.model.prices import DYNAMIC, USD_PER_REQUEST, USD_PER_SEARCH, USD_PER_TOKEN, Price, read_prices
from modelsync.providers import openai_like, paging
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, iso_time, unix_time
from modelsync.providers.tiers import read_tier, with_tier, with_unread

# `image` is missing on purpose: per image on some rows and per image token on others, no unit can be declared. So is `discount`, a part
# of the price that is perhaps taken off already. Both are kept as received, and make the price incomplete.
UNREAD = ("image", "discount")
PRICES = {
    "prompt": Price("prompt", USD_PER_TOKEN),
    "completion": Price("completion", USD_PER_TOKEN),
    # Optional prices came as "0" in 2025 and are left out since 2026: both say that there is no such price.
    "input_cache_read": Price("cache_read", USD_PER_TOKEN, zero_is_free=False),
    "input_cache_write": Price("cache_write", USD_PER_TOKEN, zero_is_free=False),
    "input_cache_write_1h": Price("cache_write_1h", USD_PER_TOKEN, zero_is_free=False),
    "internal_reasoning": Price("reasoning", USD_PER_TOKEN, zero_is_free=False),
    "audio": Price("audio_input", USD_PER_TOKEN, zero_is_free=False),
    "audio_output": Price("audio_output", USD_PER_TOKEN, zero_is_free=False),
    "input_audio_cache": Price("audio_cache_read", USD_PER_TOKEN, zero_is_free=False),
    "image_token": Price("image_input", USD_PER_TOKEN, zero_is_free=False),
    "image_output": Price("image_output", USD_PER_TOKEN, zero_is_free=False),
    "request": Price("request", USD_PER_REQUEST, zero_is_free=False),
    "web_search": Price("web_search", USD_PER_SEARCH, zero_is_free=False),
}
# Films, speech, transcripts and ranking are billed by other things, and a list of all kinds has them too.
TOKEN_UNITS = TokenUnits(
    field="architecture.output_modalities",
    reason="the documentation says so of every row; all recorded ones state what they write",
    types=frozenset({"", "text", "image+text", "audio+text", "audio+image+text", "image", "embeddings"}),
)
STREAMS = Documented("supports_streaming", "https://openrouter.ai/docs/api/reference/streaming")
ROUTED = {b"-1": DYNAMIC}  # openrouter/auto and other routers: the price is that of the model chosen

WORDS = {"speech": "audio", "transcription": "text"}  # of output_modalities


class Architecture(openai_like.Modalities, frozen=True):
    tokenizer: str | None = None


Tokens = Annotated[float, msgspec.Meta(ge=0, le=10**9, multiple_of=1)]  # "number" in the schema: 9.0 is 9
Clock = Annotated[float, msgspec.Meta(ge=0, le=2400, multiple_of=1)]  # HHMM
LAST_MINUTE = 59


class Condition(msgspec.Struct, frozen=True):
    """All that are stated must hold. A window of time on some days, or those whole days."""

    min_prompt_tokens: Tokens | None = None  # strictly more than
    utc_start: Clock | None = None
    utc_end: Clock | None = None
    utc_days: tuple[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], ...] | None = None


class TopProvider(msgspec.Struct, frozen=True):
    context_length: Count | None = None  # of one upstream host, can be smaller than the model's
    max_completion_tokens: Count | None = None
    is_moderated: bool | None = None


class Row(openai_like.Row, frozen=True):
    context_length: Count | None = None
    architecture: Architecture = Architecture()
    pricing: dict[str, msgspec.Raw] = {}
    top_provider: TopProvider = TopProvider()
    supported_parameters: tuple[str, ...] | None = None
    hugging_face_id: str | None = None
    expiration_date: str | None = None


def normalize(row: Row) -> Model:
    shown = openai_like.modalities(row.architecture.input_modalities, row.architecture.output_modalities, WORDS)
    writes_text = shown["output_modalities"] in (None, ("text",))
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=count(row.context_length),
        max_output_tokens=count(row.top_provider.max_completion_tokens),
        supports_streaming=STREAMS.of(shown["input_modalities"], shown["output_modalities"]),
        released_at=unix_time(row.created),
        expires_at=iso_time(row.expiration_date),  # 2098-12-31 means "no end": outside the years read
        hugging_face_id=row.hugging_face_id or None,
        metadata={"tokenizer": row.architecture.tokenizer, "supported_parameters": sorted(row.supported_parameters or ())},
        prices=prices(row, billed_elsewhere=not writes_text and not row.id.endswith(":free")),
        **shown,
        **openai_like.PARAMETERS.stated_by(row.supported_parameters),
    )


def prices(row: Row, *, billed_elsewhere: bool) -> Prices:
    """`billed_elsewhere`: models that make sound or pictures list "0" per token and cost money per song or picture."""
    per_token = TOKEN_UNITS.hold_for(row.architecture.output_modalities)
    names, texts = tuple(row.pricing), tuple(map(bytes, row.pricing.values()))
    few = len(names) <= 2 * len(PRICES) and sum(map(len, names)) + sum(map(len, texts)) <= LONGEST
    return (_remembered_prices if few else _prices)(names, texts, per_token, billed_elsewhere)


LONGEST = 1000
"""Bytes of a row's prices, names included, up to which they are remembered."""


def _prices(names: tuple[str, ...], texts: tuple[bytes, ...], per_token: bool, billed_elsewhere: bool) -> Prices:
    wire = dict(zip(names, map(msgspec.Raw, texts), strict=True))
    flat = read_prices(PRICES, wire, per_token=per_token, sentinels=ROUTED, zero_is_free=not billed_elsewhere, structure={"overrides"})
    overrides = wire.get("overrides", msgspec.Raw())
    try:
        each = msgspec.json.decode(overrides, type=list[msgspec.Raw] | None) if overrides else None
    except msgspec.MsgspecError:
        return with_unread(flat, "overrides", bytes(overrides))
    for position, override in enumerate(each or ()):
        flat = overridden(flat, f"overrides[{position}]", override, per_token=per_token)
    return flat


_remembered_prices = lru_cache(maxsize=2048)(_prices)
"""A long list has few different prices."""


def overridden(flat: Prices, name: str, override: msgspec.Raw, *, per_token: bool) -> Prices:
    """`flat` and one override. Without a condition that is not understood the override would seem to hold always: it is no tier then."""
    try:
        wire = msgspec.json.decode(override, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return with_unread(flat, name, bytes(override))
    conditions = {field: raw for field, raw in wire.items() if field not in PRICES and field not in UNREAD}
    unknown = next((field for field in conditions if field not in Condition.__struct_fields__), None)
    when = None if unknown else condition(conditions)
    if when is None:
        return with_unread(flat, name, bytes(override), label=f"overrides.{unknown}" if unknown else None)
    return with_tier(flat, name, read_tier(PRICES, wire, per_token=per_token, structure=conditions), **when)


def condition(wire: dict[str, msgspec.Raw]) -> dict[str, object] | None:
    """When an override holds, in a tier's own words; None when that is not understood, or no condition at all."""
    try:
        when = msgspec.json.decode(msgspec.json.encode(wire), type=Condition)
    except msgspec.MsgspecError:
        return None
    window = {name: int(time) for name in ("utc_start", "utc_end") if (time := getattr(when, name)) is not None}
    if len(window) == 1 or any(time % 100 > LAST_MINUTE for time in window.values()):
        return None
    above = {} if when.min_prompt_tokens is None else {"above": int(when.min_prompt_tokens)}
    days = {"utc_days": tuple(day for day in WEEKDAYS if day in when.utc_days)} if when.utc_days else {}
    return {**above, **window, **days} or None


PROVIDER = Provider(
    slug="openrouter",
    version=3,
    name="OpenRouter",
    description="One API for the models of many providers",
    site_url="https://openrouter.ai",
    docs_url="https://openrouter.ai/docs/api-reference/list-available-models",
    status_page_url="https://status.openrouter.ai",
    privacy_policy_url="https://openrouter.ai/privacy",
    terms_of_service_url="https://openrouter.ai/terms",
    base_url="https://openrouter.ai/api/v1",
    price_unit="USD per token (decimal strings)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="complete recordings of 2025-05-23 and 2026-01-19",
    auth=ApiKey(("OPENROUTER_API_KEY",)),
    endpoints=(
        Endpoint(
            # Without output_modalities only models that write text are listed.
            url="https://openrouter.ai/api/v1/models?output_modalities=all",
            row=Row,
            paging=paging.next_link("links.next"),
            totals=("total_count",),
            further=("links.next",),
            key=KeyUse.OPTIONAL,
            units=PRICES,
        ),
    ),
    normalize=normalize,
    sync_hours=6,
    cached_for=300.0,
)
