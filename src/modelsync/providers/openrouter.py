"""OpenRouter. Prices: decimal strings, USD per token (per request for `request`, per search for `web_search`)."""

import msgspec

from modelsync import paging
from modelsync.model import Model, Prices, modalities, tier_of
from modelsync.money import USD_PER_REQUEST, USD_PER_SEARCH, USD_PER_TOKEN, Price, canonical, read_prices
from modelsync.provider import Bearer, Endpoint, KeyUse, Provider
from modelsync.wire import iso_time, stated, unix_time

# `image` is missing on purpose: per image on some rows and per image token on others, no unit can be declared. It is kept as received.
PRICES = {
    "prompt": Price("prompt", USD_PER_TOKEN),
    "completion": Price("completion", USD_PER_TOKEN),
    # Optional prices came as "0" in 2025 and are left out since 2026: both say that there is no such price.
    "input_cache_read": Price("cache_read", USD_PER_TOKEN, zero_is_free=False),
    "input_cache_write": Price("cache_write", USD_PER_TOKEN, zero_is_free=False),
    "input_cache_write_1h": Price("cache_write_1h", USD_PER_TOKEN, zero_is_free=False),
    "internal_reasoning": Price("reasoning", USD_PER_TOKEN, zero_is_free=False),
    "audio": Price("audio_input", USD_PER_TOKEN, zero_is_free=False),
    "input_audio_cache": Price("audio_cache_read", USD_PER_TOKEN, zero_is_free=False),
    "image_token": Price("image_input", USD_PER_TOKEN, zero_is_free=False),
    "image_output": Price("image_output", USD_PER_TOKEN, zero_is_free=False),
    "request": Price("request", USD_PER_REQUEST, zero_is_free=False),
    "web_search": Price("web_search", USD_PER_SEARCH, zero_is_free=False),
}
DYNAMIC = {b"-1": "dynamic"}  # openrouter/auto and other routers: the price is that of the model chosen


class Architecture(msgspec.Struct, frozen=True):
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    tokenizer: str | None = None


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    min_prompt_tokens: int | None = None  # strictly more than
    utc_start: int | None = None
    utc_end: int | None = None


class TopProvider(msgspec.Struct, frozen=True):
    context_length: int | None = None  # of one upstream host, can be smaller than the model's
    max_completion_tokens: int | None = None
    is_moderated: bool | None = None


class Row(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None
    description: str | None = None
    created: float | None = None
    context_length: int | None = None
    architecture: Architecture = Architecture()
    pricing: dict[str, msgspec.Raw] = {}
    top_provider: TopProvider = TopProvider()
    supported_parameters: tuple[str, ...] | None = None
    hugging_face_id: str | None = None
    expiration_date: str | None = None


def normalize(row: Row) -> Model:
    inputs = modalities(row.architecture.input_modalities)
    outputs = modalities(row.architecture.output_modalities)
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=row.context_length,
        max_output_tokens=row.top_provider.max_completion_tokens,
        input_modalities=inputs,
        output_modalities=outputs,
        supports_function_calling=stated(row.supported_parameters, "tools", "tool_choice"),
        supports_vision=None if inputs is None else "image" in inputs,
        supports_reasoning=stated(row.supported_parameters, "reasoning", "include_reasoning"),
        supports_structured_output=stated(row.supported_parameters, "structured_outputs"),
        released_at=unix_time(row.created),
        expires_at=iso_time(row.expiration_date),  # 2098-12-31 means "no end": outside the years read
        hugging_face_id=row.hugging_face_id or None,
        metadata={"tokenizer": row.architecture.tokenizer, "supported_parameters": sorted(row.supported_parameters or ())},
        prices=prices(row, billed_elsewhere=outputs not in (None, ("text",)) and not row.id.endswith(":free")),
    )


def prices(row: Row, *, billed_elsewhere: bool) -> Prices:
    """`billed_elsewhere`: models that make sound or pictures list "0" per token and cost money per song or picture."""
    flat = read_prices(PRICES, row.pricing, sentinels=DYNAMIC, zero_is_free=not billed_elsewhere, ignore=frozenset({"overrides"}))
    overrides = row.pricing.get("overrides")
    if overrides is None:
        return flat
    try:
        read = [(condition(wire), read_prices(PRICES, wire, ignore=frozenset(wire))) for wire in overrides_in(overrides)]
    except msgspec.MsgspecError as error:
        kept = {**flat.others, "overrides": canonical(bytes(overrides))}
        return msgspec.structs.replace(flat, others=kept, problems=(*flat.problems, f"price overrides: {error}; kept as received"))
    tiers = tuple(tier_of(tier, above=when.min_prompt_tokens, utc_start=when.utc_start, utc_end=when.utc_end) for when, tier in read)
    return msgspec.structs.replace(flat, tiers=tiers, problems=flat.problems + tuple(text for _, tier in read for text in tier.problems))


def overrides_in(raw: msgspec.Raw) -> list[dict[str, msgspec.Raw]]:
    return msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]] | None) or []


def condition(wire: dict[str, msgspec.Raw]) -> Condition:
    """When an override holds. A condition of a new kind is an error: without it the override would seem to hold always."""
    return msgspec.json.decode(msgspec.json.encode({name: raw for name, raw in wire.items() if name not in PRICES}), type=Condition)


PROVIDER = Provider(
    slug="openrouter",
    name="OpenRouter",
    description="One API for the models of many providers",
    site_url="https://openrouter.ai",
    docs_url="https://openrouter.ai/docs/api-reference/list-available-models",
    status_page_url="https://status.openrouter.ai",
    privacy_policy_url="https://openrouter.ai/privacy",
    terms_of_service_url="https://openrouter.ai/terms",
    base_url="https://openrouter.ai/api/v1",
    price_unit="USD per token (decimal strings)",
    verified="complete recordings of 2025-05-23 and 2026-01-19",
    auth=Bearer(("OPENROUTER_API_KEY",)),
    endpoints=(
        Endpoint(
            # Without output_modalities only models that write text are listed.
            url="https://openrouter.ai/api/v1/models?output_modalities=all",
            row=Row,
            paging=paging.next_link("links.next"),
            key=KeyUse.OPTIONAL,
            units=PRICES,
        ),
    ),
    normalize=normalize,
)
