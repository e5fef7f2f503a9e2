"""NEAR AI Cloud. Prices: amount / 10^scale USD per token (per image for `costPerImage`); `textPricing` in USD per 1M tokens."""

from collections.abc import Iterable
from typing import Any

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.prices import USD_PER_1M_TOKENS, USD_PER_IMAGE, USD_PER_TOKEN, Price, read_prices, scaled
from modelsync.providers import openai_like, paging
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import Count, count, iso_time
from modelsync.providers.tiers import read_tier, with_new_prices, with_tier, with_unread

PRICES = {
    # 0 is free, or not yet priced, or less than a billionth of a dollar: which of them cannot be told.
    "inputCostPerToken": Price("prompt", USD_PER_TOKEN, zero_is_free=False),
    "outputCostPerToken": Price("completion", USD_PER_TOKEN, zero_is_free=False),
    "costPerImage": Price("image", USD_PER_IMAGE, zero_is_free=False),
    "cacheReadCostPerToken": Price("cache_read", USD_PER_TOKEN),  # left out where there is no such price, so 0 is free
    "uncachedInput": Price("prompt", USD_PER_1M_TOKENS, zero_is_free=False),
    "output": Price("completion", USD_PER_1M_TOKENS, zero_is_free=False),
    "cachedInput": Price("cache_read", USD_PER_1M_TOKENS),
    "cacheWrite": Price("cache_write", USD_PER_1M_TOKENS),
}
TOKEN_UNITS = TokenUnits(reason="the name or the unit word of each price says that it is per token")
STREAMS = Documented("supports_streaming", "https://docs.near.ai/cloud/guides/openai-compatibility")


class Architecture(msgspec.Struct, frozen=True, rename="camel"):
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None


class Facts(msgspec.Struct, frozen=True, rename="camel"):
    """The row's `metadata`. Its providerConfig, how NEAR reaches the host, is not kept."""

    model_display_name: str | None = None
    model_description: str | None = None
    context_length: Count | None = None
    max_output_length: Count | None = None
    architecture: Architecture | None = None
    hugging_face_id: str | None = None
    deprecation_date: str | None = None
    is_ready: bool | None = None
    supported_features: tuple[str, ...] | None = None
    supported_sampling_parameters: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None
    datacenters: tuple[dict[str, str], ...] | None = None
    verifiable: bool | None = None
    attestation_supported: bool | None = None
    owned_by: str | None = None
    provider_type: str | None = None
    quantization: str | None = None
    model_icon: str | None = None
    openrouter_slug: str | None = None


class TextPricing(msgspec.Struct, frozen=True, rename="camel"):
    version: int
    currency: str
    unit: str
    tiers: dict[str, dict[str, msgspec.Raw]]
    long_context_threshold: int | None = None


TEXT_FIELDS = {field.encode_name for field in msgspec.structs.fields(TextPricing)}


class Row(msgspec.Struct, frozen=True, rename="camel"):
    model_id: str
    input_cost_per_token: msgspec.Raw = msgspec.Raw()
    output_cost_per_token: msgspec.Raw = msgspec.Raw()
    cost_per_image: msgspec.Raw = msgspec.Raw()
    cache_read_cost_per_token: msgspec.Raw = msgspec.Raw()
    text_pricing: msgspec.Raw = msgspec.Raw()
    metadata: Facts | None = None


class Offer(msgspec.Struct, frozen=True):
    row: Row
    more: dict[str, Any]  # its undeclared fields, new prices among them


def normalize(offer: Offer) -> Model:
    row = offer.row
    facts = row.metadata or Facts()
    architecture = facts.architecture or Architecture()
    shown = openai_like.modalities(architecture.input_modalities, architecture.output_modalities)
    return Model(
        id=row.model_id,
        model_name=facts.model_display_name,
        description=facts.model_description,
        context_length=count(facts.context_length),
        max_output_tokens=count(facts.max_output_length),
        supports_streaming=STREAMS.of(shown["input_modalities"], shown["output_modalities"]),
        available=facts.is_ready is not False,
        expires_at=iso_time(facts.deprecation_date),
        hugging_face_id=facts.hugging_face_id,
        metadata=kept(facts),
        prices=with_new_prices(prices(row), offer.more),
        **shown,
        **openai_like.FEATURES.stated_by(facts.supported_features),
    )


def combine(rows: RowsByEndpoint, _options: object) -> Iterable[Wire]:
    return (Wire(Offer(wire.row, wire.rest), wire.rest, wire.position) for wire in rows["models"])


def kept(facts: Facts) -> dict[str, object]:
    values = {
        "verifiable": facts.verifiable,
        "attestationSupported": facts.attestation_supported,
        "ownedBy": facts.owned_by,
        "providerType": facts.provider_type,
        "quantization": facts.quantization,
        "modelIcon": facts.model_icon,
        "openrouterSlug": facts.openrouter_slug,
        "aliases": sorted(facts.aliases or ()),
        "supportedFeatures": sorted(facts.supported_features or ()),
        "supportedSamplingParameters": sorted(facts.supported_sampling_parameters or ()),
        "datacenters": sorted(place.get("country_code", "") for place in facts.datacenters or ()),
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def prices(row: Row) -> Prices:
    """The flat prices, from `textPricing` where it is given: it is the same price without the rounding to billionths."""
    wire = {
        "inputCostPerToken": row.input_cost_per_token,
        "outputCostPerToken": row.output_cost_per_token,
        "costPerImage": row.cost_per_image,
        "cacheReadCostPerToken": row.cache_read_cost_per_token,
    }
    wire = {name: scaled(raw) for name, raw in wire.items()}
    text = text_pricing(row.text_pricing)
    if text is None:
        return with_unread(read_prices(PRICES, wire), "textPricing", bytes(row.text_pricing))
    default = dict(text.tiers.get("default", {}))
    found = read_prices(PRICES, wire | fields(default.pop("short", None)))
    if text.long_context_threshold is not None:
        long = fields(default.pop("long", None))
        found = with_tier(found, "textPricing.default.long", read_tier(PRICES, long), above=text.long_context_threshold)
    for name, unread in default.items():
        found = with_unread(found, f"textPricing.default.{name}", bytes(unread))
    more = {name: raw for name, raw in fields(row.text_pricing).items() if name not in TEXT_FIELDS}
    tiers = {name: msgspec.Raw(msgspec.json.encode(tier)) for name, tier in text.tiers.items() if name != "default"}
    for name, unread in (more | tiers).items():
        found = with_unread(found, f"textPricing.{name}", bytes(unread))
    return found


def fields(raw: msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    """The prices of one tier; what is no object is one that no table knows."""
    try:
        return msgspec.json.decode(raw or b"null", type=dict[str, msgspec.Raw] | None) or {}
    except msgspec.MsgspecError:
        return {"textPricing.default": raw or msgspec.Raw()}


def text_pricing(raw: msgspec.Raw) -> TextPricing | None:
    """`textPricing`, if it is of the version and unit that this module knows."""
    try:
        text = msgspec.json.decode(raw, type=TextPricing)
    except msgspec.MsgspecError:
        return None
    return text if (text.version, text.currency, text.unit) == (1, "USD", "million_tokens") else None


PROVIDER = Provider(
    slug="near",
    version=3,
    name="NEAR AI Cloud",
    description="Private inference in confidential machines, and resold models",
    site_url="https://near.ai",
    docs_url="https://docs.near.ai",
    privacy_policy_url="https://near.ai/privacy-policy",
    terms_of_service_url="https://near.ai/terms-and-policies/near-ai-cloud-terms-of-service",
    base_url="https://cloud-api.near.ai/v1",
    price_unit="amount / 10^scale USD per token",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="the server's published source of 2026-08-20; no recording is known",
    auth=ApiKey(("NEARAI_API_KEY", "NEAR_API_KEY")),
    endpoints=(
        Endpoint(
            url="https://cloud-api.near.ai/v1/model/list",
            row=Row,
            rows=("models",),
            paging=paging.counted(rows="models", total="total", parameter="offset", size_parameter="limit", size=100),
            totals=("total",),
            further=(),
            key=KeyUse.NEVER,
            units=PRICES,
        ),
    ),
    normalize=normalize,
    combine=combine,
)
