"""Novita AI. Prices: integers in 1/10,000 USD per 1M tokens (14000 is $1.40 per million); `price_per_m_decimal` is USD per 1M tokens."""

from collections.abc import Iterator, Mapping

import msgspec

from modelsync import paging
from modelsync.model import Model, Prices, modalities, tier_of
from modelsync.money import TENTHOUSANDTHS_PER_1M_TOKENS, USD_PER_1M_TOKENS, Price, read_prices
from modelsync.provider import Bearer, Endpoint, KeyUse, Provider
from modelsync.wire import stated_true, unix_time

TOKENS = {"prompt": "prompt", "completion": "completion", "input_cache_read": "cache_read", "input_cache_write": "cache_write"}
CACHED = "cached_input_token_price_per_m"

# The same price can come in several shapes; where it does, the last of this order is taken.
PRICES = {
    "input_token_price_per_m": Price("prompt", TENTHOUSANDTHS_PER_1M_TOKENS),
    "output_token_price_per_m": Price("completion", TENTHOUSANDTHS_PER_1M_TOKENS),
    CACHED: Price("cache_read", TENTHOUSANDTHS_PER_1M_TOKENS, zero_is_free=False),
    f"{CACHED}.price_per_m": Price("cache_read", TENTHOUSANDTHS_PER_1M_TOKENS, zero_is_free=False),
}
for _name, _to in TOKENS.items():
    _free = _to in ("prompt", "completion")
    PRICES[f"pricing.{_name}.price_per_m"] = Price(_to, TENTHOUSANDTHS_PER_1M_TOKENS, zero_is_free=_free)
    PRICES[f"pricing.{_name}.price_per_m_decimal"] = Price(_to, USD_PER_1M_TOKENS, zero_is_free=_free)

BEFORE_DISCOUNT = frozenset(f"pricing.{name}.origin_price_per_m{end}" for name in TOKENS for end in ("", "_decimal"))
UNPRICED = {b"-1": "unpriced"}
LIVE = 1


class Bracket(msgspec.Struct, frozen=True):
    min_tokens: int | None = None
    pricing: dict[str, msgspec.Raw] = {}


class Row(msgspec.Struct, frozen=True):
    id: str
    created: float | None = None
    display_name: str | None = None
    title: str | None = None
    description: str | None = None
    context_size: int | None = None
    max_output_tokens: int | None = None
    input_token_price_per_m: msgspec.Raw = msgspec.Raw()
    output_token_price_per_m: msgspec.Raw = msgspec.Raw()
    cached_input_token_price_per_m: msgspec.Raw = msgspec.Raw()
    pricing: dict[str, msgspec.Raw] = {}
    is_tiered_billing: bool | None = None
    tiered_billing_configs: tuple[Bracket, ...] = ()
    currency: str | None = None
    model_type: str | None = None
    tags: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    status: int | None = None


def normalize(row: Row) -> Model | None:
    if row.status is not None and row.status <= 0:
        return None
    inputs = modalities(row.input_modalities)
    return Model(
        id=row.id,
        model_name=row.display_name or row.title,
        description=row.description,
        context_length=row.context_size,
        max_output_tokens=row.max_output_tokens,
        input_modalities=inputs,
        output_modalities=modalities(row.output_modalities),
        supports_function_calling=stated_true(row.features, "function-calling"),
        supports_vision=stated_true(row.features, "vision") if inputs is None else "image" in inputs,
        supports_reasoning=stated_true(row.features, "reasoning"),
        supports_structured_output=stated_true(row.features, "structured-outputs"),
        available=row.status in (None, LIVE),  # 4: taken off the shelf, still listed
        released_at=unix_time(row.created),
        metadata=metadata(row),
        prices=prices(row),
    )


def metadata(row: Row) -> dict[str, object]:
    facts = {
        "status": row.status,
        "currency": row.currency,
        "model_type": row.model_type,
        "tags": sorted(row.tags),
        "features": sorted(row.features),
        "endpoints": sorted(row.endpoints),
        "pricing": {name: msgspec.json.decode(raw) for name, raw in row.pricing.items()},
    }
    return {name: value for name, value in facts.items() if value or value == 0}


def prices(row: Row) -> Prices:
    """With brackets the first one is the base price, and the flat fields may be 0 without meaning free."""
    dollars = (row.currency or "USD").strip().upper() in ("", "USD")
    brackets = sorted((each for each in row.tiered_billing_configs if each.min_tokens is not None), key=lambda each: each.min_tokens or 0)
    tiered = bool(row.is_tiered_billing or brackets)
    base = brackets.pop(0).pricing if brackets and (brackets[0].min_tokens or 0) <= 1 else row.pricing

    def read(wire: Mapping[str, msgspec.Raw]) -> Prices:
        free = row.model_type in (None, "", "chat") and not tiered  # an embedding states 0 for the output that it does not have
        return read_prices(PRICES if dollars else {}, wire, sentinels=UNPRICED, zero_is_free=free, ignore=BEFORE_DISCOUNT)

    flat = {name: getattr(row, name) for name in ("input_token_price_per_m", "output_token_price_per_m", CACHED)}
    whole = read(dict(spread(flat)) | dict(spread(base, "pricing.")))
    if not (brackets and dollars):
        return whole
    # One bracket ends at the number where the next begins; that number is read as the last of the lower one.
    tiers = (tier_of(read(dict(spread(each.pricing, "pricing."))), above=each.min_tokens) for each in brackets)
    return msgspec.structs.replace(whole, tiers=tuple(tiers))


def spread(fields: Mapping[str, msgspec.Raw], prefix: str = "") -> Iterator[tuple[str, msgspec.Raw]]:
    """Each price by its dotted path; a price is a number, or an object that holds the number in one or two units."""
    for name, raw in fields.items():
        if bytes(raw).startswith(b"{"):
            yield from spread(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", raw


PROVIDER = Provider(
    slug="novita",
    name="Novita AI",
    description="Open models on Novita's GPU cloud",
    site_url="https://novita.ai",
    docs_url="https://novita.ai/docs/api-reference/model-apis-llm-list-models",
    status_page_url="https://status.novita.ai",
    privacy_policy_url="https://novita.ai/legal/privacy-policy",
    terms_of_service_url="https://novita.ai/legal/terms-of-service",
    base_url="https://api.novita.ai/openai/v1",
    price_unit="1/10,000 USD per 1M tokens (integers)",
    verified="recording of 2024; nested and tiered prices after other readers of this list",
    auth=Bearer(("NOVITA_API_KEY",)),
    endpoints=(
        # With a key the list is what that account may call.
        Endpoint(url="https://api.novita.ai/openai/v1/models", row=Row, paging=paging.single, key=KeyUse.NEVER, units=PRICES),
    ),
    normalize=normalize,
)
