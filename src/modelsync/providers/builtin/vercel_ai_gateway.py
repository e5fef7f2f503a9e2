"""Vercel AI Gateway. Prices: decimal strings, USD per token (per 1,000 searches for `web_search`, per image for `image`)."""

from typing import TypeVar

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.prices import (
    USD_PER_1K_SEARCHES,
    USD_PER_1M_TOKENS,
    USD_PER_IMAGE,
    USD_PER_SECOND,
    USD_PER_TOKEN,
    Price,
    excerpt,
    read_prices,
)
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, filled, in_our_words, sees, stated_true, unix_time
from modelsync.providers.tiers import read_tier, with_tier, with_unread

PRICES = {
    "input": Price("prompt", USD_PER_TOKEN),
    "output": Price("completion", USD_PER_TOKEN),
    "input_cache_read": Price("cache_read", USD_PER_TOKEN, zero_is_free=False),
    "input_cache_write": Price("cache_write", USD_PER_TOKEN, zero_is_free=False),
    "web_search": Price("web_search", USD_PER_1K_SEARCHES, zero_is_free=False),  # "10", where OpenRouter has "0.01" per search
    "image": Price("image", USD_PER_IMAGE, zero_is_free=False),
    "cost_per_second": Price("per_unit", USD_PER_SECOND, zero_is_free=False),
    "cost_per_million_tokens": Price("per_unit", USD_PER_1M_TOKENS, zero_is_free=False),
}
# Pictures, films and speech are billed by other things, reranking by the search; the documentation shows prices per token of these two.
TOKEN_UNITS = TokenUnits(field="type", types=frozenset({"language", "embedding"}))
STREAMS = Documented("supports_streaming", "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions/streaming")
NO_COST = b'"no cost in the unit of the list"'
TIERED = ("input", "output", "input_cache_read", "input_cache_write")

# For answers without `modalities`: what each documented `type` takes and gives, and the inputs that tags name.
INPUT_OF_TYPE = {"language": "text", "reranking": "text", "speech": "text", "transcription": "audio"}
OUTPUT_OF_TYPE = {
    "language": "text",
    "embedding": "embeddings",
    "reranking": "rerank",
    "image": "image",
    "video": "video",
    "transcription": "text",
    "speech": "audio",
}
INPUT_OF_TAG = {"vision": "image", "file-input": "file"}


class Modalities(msgspec.Struct, frozen=True):
    input: tuple[str, ...] | None = None
    output: tuple[str, ...] | None = None


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price of prompts from `min` to below `max` tokens. With any other condition it is not understood."""

    cost: msgspec.Raw
    min: int | None = None
    max: int | None = None


class Row(openai_like.Row, frozen=True):
    """`created` is the same number on every row: no date."""

    released: float | None = None
    deprecated_at: float | None = None  # in milliseconds, unlike `released`
    context_window: Count | None = None
    max_tokens: Count | None = None
    type: str | None = None
    tags: tuple[str, ...] | None = None
    supported_parameters: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    modalities: Modalities | None = None
    pricing: dict[str, msgspec.Raw] | None = None


def normalize(row: Row) -> Model:
    tags, parameters = row.tags or (), row.supported_parameters or ()
    wire = row.modalities or Modalities()
    inputs = in_our_words(wire.input or inputs_of(row.type, tags))
    outputs = in_our_words(wire.output or (OUTPUT_OF_TYPE.get(row.type or "", ""),))
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=count(row.context_window),
        max_output_tokens=count(row.max_tokens),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs, chat=row.type == "language"),
        supports_function_calling=stated_true((*tags, *parameters), "tool-use", "tools", "tool_choice"),
        supports_vision=stated_true(tags, "vision") or (sees(inputs) if wire.input else None),
        supports_reasoning=stated_true((*tags, *parameters), "reasoning", "include_reasoning"),
        supports_structured_output=stated_true(parameters, "structured_outputs"),
        released_at=unix_time(row.released),
        expires_at=unix_time(row.deprecated_at / 1000 if row.deprecated_at else None),
        metadata=filled(type=row.type, tags=sorted(tags), supported_parameters=sorted(parameters), regions=sorted(row.regions or ())),
        # Only language models and those tagged so are free at 0; the others have no such price.
        prices=prices(
            row.pricing or {},
            per_token=TOKEN_UNITS.hold_for(row.type),
            zero_is_free=row.type in (None, "language") or "free" in tags,
        ),
    )


def inputs_of(kind: str | None, tags: tuple[str, ...]) -> list[str]:
    text = INPUT_OF_TYPE.get(kind or "")
    return [text, *(INPUT_OF_TAG[tag] for tag in tags if tag in INPUT_OF_TAG)] if text else []


def prices(pricing: dict[str, msgspec.Raw], *, per_token: bool, zero_is_free: bool) -> Prices:
    """Flat, tiered and video prices. Lists of another shape, and those of regions, stay as received in `others`."""
    wire = dict(pricing)
    steps, unread = steps_in(wire)
    wire = costs_at(steps, 0) | wire
    videos = video_prices(wire)
    table = PRICES | {label: PRICES[unit] for label, (unit, _) in videos.items()}
    found = read_prices(table, wire | {label: cost for label, (_, cost) in videos.items()}, per_token=per_token, zero_is_free=zero_is_free)
    for name, raw in unread.items():
        found = with_unread(found, name, bytes(raw))
    for start in sorted({step.min for each in steps.values() for step in each if step.min}):
        tier = read_tier(PRICES, costs_at(steps, start), per_token=per_token, zero_is_free=zero_is_free)
        found = with_tier(found, f"tiers[from {start}]", tier, above=start - 1)  # `min` is inclusive and `above` is not
    return found


def steps_in(wire: dict[str, msgspec.Raw]) -> tuple[dict[str, list[Step]], dict[str, msgspec.Raw]]:
    """Take the lists of tiers out of `wire`: their steps by the price that they are of, and those that are not understood by name."""
    steps: dict[str, list[Step]] = {}
    unread: dict[str, msgspec.Raw] = {}
    for field in TIERED:
        for position, raw in enumerate(part(wire, f"{field}_tiers", list[msgspec.Raw]) or ()):
            try:
                steps.setdefault(field, []).append(msgspec.json.decode(raw, type=Step))
            except msgspec.MsgspecError:
                unread[f"{field}_tiers[{position}]"] = raw
    return steps, unread


def costs_at(steps: dict[str, list[Step]], tokens: int) -> dict[str, msgspec.Raw]:
    """The costs of a prompt of so many tokens."""
    return {
        field: step.cost
        for field, found in steps.items()
        for step in found
        if (step.min or 0) <= tokens and (not step.max or tokens < step.max)
    }


def video_prices(wire: dict[str, msgspec.Raw]) -> dict[str, tuple[str, msgspec.Raw]]:
    """Unit and cost of every video price, by a label that says when it holds: `video audio=true resolution=720p`.

    An entry without a cost in the unit of its list has one that cannot be read.
    """
    found: dict[str, tuple[str, msgspec.Raw]] = {}
    for entry in part(wire, "video_duration_pricing", tuple[dict[str, msgspec.Raw], ...]) or ():
        holds = [f"{name}={excerpt(bytes(entry[name]))}" for name in sorted(entry) if name != "cost_per_second"]
        found[" ".join(["video", *holds])] = "cost_per_second", entry.get("cost_per_second", msgspec.Raw(NO_COST))
    for name, costs in (part(wire, "video_token_pricing", dict[str, dict[str, msgspec.Raw]]) or {}).items():
        holds = [f"{other}={excerpt(bytes(costs[other]))}" for other in sorted(costs) if other != "cost_per_million_tokens"]
        label = " ".join([f"video tokens, {name}", *holds])
        found[label] = "cost_per_million_tokens", costs.get("cost_per_million_tokens", msgspec.Raw(NO_COST))
    return found


Shape = TypeVar("Shape")


def part(wire: dict[str, msgspec.Raw], field: str, shape: type[Shape]) -> Shape | None:
    """Take `field` out of `wire` when it has this shape."""
    try:
        found = msgspec.json.decode(wire.get(field, b""), type=shape)
    except msgspec.MsgspecError:
        return None
    del wire[field]
    return found


PROVIDER = Provider(
    slug="vercel-ai-gateway",
    version=3,
    name="Vercel AI Gateway",
    description="One API for the models of many providers",
    site_url="https://vercel.com/ai-gateway",
    docs_url="https://vercel.com/docs/ai-gateway/sdks-and-apis/rest-api",
    status_page_url="https://www.vercel-status.com",
    privacy_policy_url="https://vercel.com/legal/privacy-policy",
    terms_of_service_url="https://vercel.com/legal/terms",
    base_url="https://ai-gateway.vercel.sh/v1",
    price_unit="USD per token (decimal strings)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="7 single rows of 2026 (six observed, one from the documentation); no complete recording is known",
    auth=ApiKey(("AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY", "VERCEL_API_KEY")),
    endpoints=(
        Endpoint(
            url="https://ai-gateway.vercel.sh/v1/models",
            row=Row,
            key=KeyUse.NEVER,
            units=PRICES,
        ),
    ),
    normalize=normalize,
    sync_hours=6,
)
