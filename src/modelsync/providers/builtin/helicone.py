"""Helicone AI Gateway. Prices: JSON numbers with float noise, USD per 1M tokens; per search, as USD, in the raw registry entry."""

from decimal import Decimal
from typing import Any

import msgspec

from modelsync.model.model import NO_PRICES, PER_TOKEN, Model, Prices
from modelsync.model.prices import USD_PER_1M_TOKENS, USD_PER_SEARCH, Price, number, read_prices
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, in_our_words, iso_time, sees, stated, stated_true
from modelsync.providers.tiers import read_tier, with_tier, with_unread

PRICES = {
    "prompt": Price("prompt", USD_PER_1M_TOKENS),
    "completion": Price("completion", USD_PER_1M_TOKENS),
    "cacheRead": Price("cache_read", USD_PER_1M_TOKENS),
    "cacheWrite": Price("cache_write", USD_PER_1M_TOKENS),
    "thinking": Price("reasoning", USD_PER_1M_TOKENS),
    "internal_reasoning": Price("reasoning", USD_PER_1M_TOKENS),
    "web_search": Price("web_search", USD_PER_SEARCH, zero_is_free=False),  # only from the registry entry, see below
}
# The server multiplies these by a million too, so they mean nothing: 10000 was 0.01 USD per search. They are kept as received.
NOT_PER_TOKEN = ("web_search", "image", "audio", "video")
# The registry's `input` and `output` are per token by their definition; whether those of films and sound are, no row shows.
TOKEN_UNITS = TokenUnits(field="outputModalities", types=frozenset({"text", "image+text", "audio+text", "audio+image+text", "image"}))
STREAMS = Documented("supports_streaming", "https://docs.helicone.ai/rest/ai-gateway/post-v1-chat-completions")
TOKEN_PRICES = {name: price for name, price in PRICES.items() if price.to in PER_TOKEN}


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """The registry's own entry of one deployment; its prices are USD per token."""

    provider_model_id: str | None = None
    context_length: Count | None = None
    max_completion_tokens: Count | None = None
    pricing: tuple[dict[str, msgspec.Raw], ...] | None = None


class Upstream(msgspec.Struct, frozen=True, rename="camel"):
    """One deployment of a model, in one region of one provider."""

    provider: str | None = None
    provider_slug: str | None = None
    supports_ptb: bool | None = None  # can be paid with Helicone's credits
    pricing: dict[str, msgspec.Raw] | None = None
    pricing_tiers: tuple[dict[str, msgspec.Raw], ...] | None = None
    endpoint: Entry | None = None


class Row(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str | None = None
    author: str | None = None
    description: str | None = None
    context_length: Count | None = None
    max_output: Count | None = None
    training_date: str | None = None  # named wrongly: the registry's date of creation
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    supported_parameters: tuple[str, ...] | None = None
    endpoints: tuple[Upstream, ...] | None = None


def normalize(row: Row) -> Model:
    inputs, outputs = in_our_words(row.input_modalities), in_our_words(row.output_modalities)
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=count(row.context_length),
        max_output_tokens=count(row.max_output),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs),
        supports_function_calling=stated(row.supported_parameters, "tools", "tool_choice"),
        supports_vision=sees(inputs),
        supports_reasoning=stated(row.supported_parameters, "reasoning", "include_reasoning"),
        supports_structured_output=stated_true(row.supported_parameters, "structured_outputs"),
        released_at=iso_time(row.training_date),
        metadata={
            "author": row.author,
            "supportedParameters": sorted(row.supported_parameters or ()),
            "endpoints": sorted((told(upstream) for upstream in row.endpoints or ()), key=text),
        },
        prices=prices(row, zero_is_free=outputs in (None, ("text",))),
    )


def prices(row: Row, *, zero_is_free: bool) -> Prices:
    """The price at the model's author, else the lowest that credits can pay, else the lowest.

    `zero_is_free` is False where no text is written: `prompt` and `completion` are always sent, and a 0 then says nothing.
    """
    reading: dict[str, Any] = {"per_token": TOKEN_UNITS.hold_for(row.output_modalities), "zero_is_free": zero_is_free}
    found = [(upstream, flat(upstream, **reading)) for upstream in row.endpoints or ()]
    if not found:
        return NO_PRICES
    upstream, chosen = min(found, key=lambda pair: rank(row.author, *pair))
    steps = [(threshold(wire), f"pricingTiers[{position}]", wire) for position, wire in enumerate(upstream.pricing_tiers or ())]
    for start, name, wire in sorted(steps, key=lambda step: step[0] or 0):
        if start is None:
            chosen = with_unread(chosen, name, msgspec.json.encode(wire))
        elif start:
            repeated = {other for other in NOT_PER_TOKEN if wire.get(other) == (upstream.pricing or {}).get(other)}
            tier = read_tier(TOKEN_PRICES, wire, structure={"threshold", *repeated}, **reading)
            chosen = with_tier(chosen, name, tier, above=start - 1)
    return chosen


def flat(upstream: Upstream, **reading: Any) -> Prices:
    registry = (upstream.endpoint.pricing or ({},))[0] if upstream.endpoint else {}
    wire = dict(upstream.pricing or {})
    if search := registry.get("web_search"):
        wire["web_search"] = search
        found = read_prices(PRICES, wire, **reading)
    else:
        found = read_prices(TOKEN_PRICES, wire, **reading)
    return with_unread(found, "cacheMultipliers.write1h", hour_long(registry))


def hour_long(registry: dict[str, msgspec.Raw]) -> bytes:
    """The multiplier of the input price for a cache of an hour, which the server's own `pricing` leaves out."""
    try:
        return bytes(msgspec.json.decode(registry.get("cacheMultipliers", b"{}"), type=dict[str, msgspec.Raw]).get("write1h", b""))
    except msgspec.MsgspecError:
        return b""


def per_token(wire: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    return {name: raw for name, raw in wire.items() if name not in NOT_PER_TOKEN}


def threshold(wire: dict[str, msgspec.Raw]) -> int | None:
    """The number of tokens, inclusive, from which a tier holds; 0 for the flat one, None for what is no number of tokens."""
    value = number(bytes(wire.get("threshold", b"0")))
    return int(value) if isinstance(value, Decimal) and value >= 0 else None


def rank(author: str | None, upstream: Upstream, found: Prices) -> tuple[bool, int, Decimal, bytes]:
    """Smallest for the endpoint whose price is taken, whatever the order they came in. Those with an unbelievable price come last."""
    unpriced = found.prompt is None or bool(found.problems)
    order = 0 if author and upstream.provider == author else 1 if upstream.supports_ptb else 2
    return unpriced, order, (found.prompt or Decimal(0)) + (found.completion or Decimal(0)), text(told(upstream))


def told(upstream: Upstream) -> dict[str, object]:
    """One endpoint in short, as metadata: prices in USD per 1M tokens, without float noise."""
    entry = upstream.endpoint or Entry()
    amounts = {name: number(bytes(raw)) for name, raw in per_token(upstream.pricing or {}).items()}
    values = {
        "provider": upstream.provider_slug or upstream.provider,
        "providerModelId": entry.provider_model_id,
        "supportsPtb": upstream.supports_ptb,
        "contextLength": count(entry.context_length),
        "maxCompletionTokens": count(entry.max_completion_tokens),
        "usdPer1M": {name: f"{amount:f}" for name, amount in sorted(amounts.items()) if isinstance(amount, Decimal)},
    }
    return {name: value for name, value in values.items() if value not in (None, {})}


def text(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


PROVIDER = Provider(
    slug="helicone",
    version=3,
    name="Helicone AI Gateway",
    description="One API for the models of many providers, with logs",
    site_url="https://www.helicone.ai",
    docs_url="https://docs.helicone.ai/rest/models/get-v1public-model-registry-models",
    status_page_url="https://status.helicone.ai",
    privacy_policy_url="https://www.helicone.ai/privacy",
    terms_of_service_url="https://www.helicone.ai/terms",
    base_url="https://ai-gateway.helicone.ai/v1",
    price_unit="USD per 1M tokens (numbers)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="the server's published source; no recording is known",
    auth=ApiKey(("HELICONE_API_KEY",)),
    endpoints=(
        Endpoint(
            # The gateway's own /v1/models has neither prices nor lengths.
            url="https://api.helicone.ai/v1/public/model-registry/models",
            row=Row,
            rows=("data.models",),
            totals=("data.total",),
            further=(),
            key=KeyUse.NEVER,
            units=PRICES,
        ),
    ),
    normalize=normalize,
)
