"""Novita AI. Prices: integers in 1/10,000 USD per 1M tokens (14000 is $1.40 per million); `price_per_m_decimal` is USD per 1M tokens."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.prices import TENTHOUSANDTHS_PER_1M_TOKENS, UNPRICED, USD_PER_1M_TOKENS, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import Count, count, in_our_words, sees, stated_true, unix_time
from modelsync.providers.tiers import read_tier, with_new_prices, with_tier, with_unread

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

BEFORE_DISCOUNT = "the price before a discount, which nobody pays"
IGNORED = {f"pricing.{name}.origin_price_per_m{end}": BEFORE_DISCOUNT for name in TOKENS for end in ("", "_decimal")}
# The list of 2024 states no type and has nothing but language models; all rows recorded since are "chat".
TOKEN_UNITS = TokenUnits(field="model_type", types=frozenset({"", "chat", "embedding"}))
STREAMS = Documented("supports_streaming", "https://novita.ai/docs/guides/llm-api")
NO_PRICE = {b"-1": UNPRICED}
ABILITIES = openai_like.AbilityWords(function_calling=("function-calling",), structured_output=("structured-outputs",))
LIVE = 1
BRACKETS = "tiered_billing_configs"


class Bracket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The prices of prompts of so many tokens. With any other condition they are not understood."""

    min_tokens: int
    max_tokens: int | None = None  # where the next one begins
    pricing: dict[str, msgspec.Raw] = {}


class Row(msgspec.Struct, frozen=True):
    id: str
    created: float | None = None
    display_name: str | None = None
    title: str | None = None
    description: str | None = None
    context_size: Count | None = None
    max_output_tokens: Count | None = None
    input_token_price_per_m: msgspec.Raw = msgspec.Raw()
    output_token_price_per_m: msgspec.Raw = msgspec.Raw()
    cached_input_token_price_per_m: msgspec.Raw = msgspec.Raw()
    pricing: dict[str, msgspec.Raw] = {}
    is_tiered_billing: bool | None = None
    tiered_billing_configs: tuple[msgspec.Raw, ...] | None = None
    currency: str | None = None
    model_type: str | None = None
    tags: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    status: int | None = None


class Offer(msgspec.Struct, frozen=True):
    row: Row
    more: dict[str, Any]  # its undeclared fields, new prices among them


def combine(rows: RowsByEndpoint, _options: object) -> Iterable[Wire]:
    return (Wire(Offer(wire.row, wire.rest), wire.rest, wire.position) for wire in rows["models"])


def normalize(offer: Offer) -> Model | None:
    row = offer.row
    if row.status is not None and row.status <= 0:
        return None
    inputs, outputs = in_our_words(row.input_modalities), in_our_words(row.output_modalities)
    seen = sees(inputs)
    return Model(
        id=row.id,
        model_name=row.display_name or row.title,
        description=row.description,
        context_length=count(row.context_size),
        max_output_tokens=count(row.max_output_tokens),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs, chat=row.model_type == "chat"),
        supports_vision=stated_true(row.features, "vision") if seen is None else seen,
        available=row.status in (None, LIVE),  # 4: taken off the shelf, still listed
        released_at=unix_time(row.created),
        metadata=metadata(row),
        prices=with_new_prices(prices(row), offer.more),
        **ABILITIES.stated_by(row.features),
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
    named = [(f"{BRACKETS}[{position}]", raw, bracket(raw)) for position, raw in enumerate(row.tiered_billing_configs or ())]
    understood = sorted(((each, name) for name, _, each in named if each), key=lambda pair: pair[0].min_tokens)
    tiered = bool(row.is_tiered_billing or named)
    base = understood.pop(0)[0].pricing if understood and understood[0][0].min_tokens <= 1 else row.pricing
    table = PRICES if (row.currency or "USD").strip().upper() in ("", "USD") else {}
    reading: dict[str, Any] = {
        "per_token": TOKEN_UNITS.hold_for(row.model_type),
        "sentinels": NO_PRICE,
        "zero_is_free": row.model_type in (None, "", "chat") and not tiered,  # an embedding states 0 for the output that it does not have
        "ignored": IGNORED,
    }
    flat = {name: getattr(row, name) for name in ("input_token_price_per_m", "output_token_price_per_m", CACHED)}
    wire = dict(spread(flat)) | dict(spread(row.pricing, "pricing.")) | dict(spread(base, "pricing."))
    found = read_prices(table, wire, **reading)
    for name, raw, each in named:
        found = found if each else with_unread(found, name, bytes(raw))
    for each, name in understood:
        # One bracket ends at the number where the next begins; that number is read as the last of the lower one.
        found = with_tier(found, name, read_tier(table, dict(spread(each.pricing, "pricing.")), **reading), above=each.min_tokens)
    return found if named or not row.is_tiered_billing else with_unread(found, "is_tiered_billing", b"true")


def bracket(raw: msgspec.Raw) -> Bracket | None:
    try:
        return msgspec.json.decode(raw, type=Bracket)
    except msgspec.MsgspecError:
        return None


def spread(fields: Mapping[str, msgspec.Raw], prefix: str = "") -> Iterator[tuple[str, msgspec.Raw]]:
    """Each price by its dotted path; a price is a number, or an object that holds the number in one or two units."""
    for name, raw in fields.items():
        if bytes(raw).startswith(b"{"):
            yield from spread(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", raw


PROVIDER = Provider(
    slug="novita",
    version=3,
    name="Novita AI",
    description="Open models on Novita's GPU cloud",
    site_url="https://novita.ai",
    docs_url="https://novita.ai/docs/api-reference/model-apis-llm-list-models",
    status_page_url="https://status.novita.ai",
    privacy_policy_url="https://novita.ai/legal/privacy-policy",
    terms_of_service_url="https://novita.ai/legal/terms-of-service",
    base_url="https://api.novita.ai/openai/v1",
    price_unit="1/10,000 USD per 1M tokens (integers)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="recording of 2024; nested and tiered prices after other readers of this list",
    auth=ApiKey(("NOVITA_API_KEY",)),
    endpoints=(
        # With a key the list is what that account may call.
        Endpoint(url="https://api.novita.ai/openai/v1/models", row=Row, key=KeyUse.NEVER, units=PRICES, ignored=IGNORED),
    ),
    normalize=normalize,
    combine=combine,
)
