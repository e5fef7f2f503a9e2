"""xAI. Prices: integers, ticks of 1e-10 USD per token (per image for image_price, per search for search_price)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.prices import TICKS_PER_IMAGE, TICKS_PER_SEARCH, TICKS_PER_TOKEN, Price, excerpt, number, read_prices
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import Count, count, filled, in_our_words, sees, unix_time
from modelsync.providers.tiers import read_tier, with_new_prices, with_tier, with_unread

PRICES = {
    "prompt_text_token_price": Price("prompt", TICKS_PER_TOKEN),
    "completion_text_token_price": Price("completion", TICKS_PER_TOKEN),
    # 0 is written where there is no such price, in /models too.
    "cached_prompt_text_token_price": Price("cache_read", TICKS_PER_TOKEN, zero_is_free=False),
    "prompt_image_token_price": Price("image_input", TICKS_PER_TOKEN, zero_is_free=False),
    "generated_image_token_price": Price("image_output", TICKS_PER_TOKEN, zero_is_free=False),
    # Documented as "USD cents", but the documentation's own 200000000 for a picture of $0.02 is in ticks.
    "image_price": Price("image", TICKS_PER_IMAGE, zero_is_free=False),
    "search_price": Price("web_search", TICKS_PER_SEARCH, zero_is_free=False),
}
LONG_CONTEXT = {
    "prompt_text_token_price_long_context": Price("prompt", TICKS_PER_TOKEN, zero_is_free=False),
    "completion_text_token_price_long_context": Price("completion", TICKS_PER_TOKEN, zero_is_free=False),
    "cached_prompt_text_token_price_long_context": Price("cache_read", TICKS_PER_TOKEN, zero_is_free=False),
}
# A list by kind, or the row, says what a model writes; in /models alone nothing does. Models of pictures were listed with the same
# "price per token" three times over (documentation of 2026), beside the true one per picture.
TOKEN_UNITS = TokenUnits(field="output_modalities", types=frozenset({"", "text"}))
STREAMS = Documented("supports_streaming", "https://docs.x.ai/developers/model-capabilities/text/streaming")
OUTPUTS = {"language": None, "image": ("image",), "video": ("video",)}  # what being in a list says where the row does not
EVERY_MODEL = "api-key:model:*"


class Capabilities(msgspec.Struct, frozen=True):
    reasoning_effort: tuple[str, ...] | None = None
    default_reasoning_effort: str | None = None


ImagePrice = dict[str, msgspec.Raw]


class Row(msgspec.Struct, frozen=True):
    """A row of any of the four lists."""

    id: str
    created: float | None = None
    context_length: Count | None = None
    aliases: tuple[str, ...] | None = None
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    capabilities: Capabilities | None = None
    fingerprint: str | None = None  # of the servers' configuration: changes without the model, so it is not kept
    prompt_text_token_price: msgspec.Raw = msgspec.Raw()
    completion_text_token_price: msgspec.Raw = msgspec.Raw()
    cached_prompt_text_token_price: msgspec.Raw = msgspec.Raw()
    prompt_image_token_price: msgspec.Raw = msgspec.Raw()
    generated_image_token_price: msgspec.Raw = msgspec.Raw()
    image_price: msgspec.Raw = msgspec.Raw()
    search_price: msgspec.Raw = msgspec.Raw()
    prompt_text_token_price_long_context: msgspec.Raw = msgspec.Raw()
    completion_text_token_price_long_context: msgspec.Raw = msgspec.Raw()
    cached_prompt_text_token_price_long_context: msgspec.Raw = msgspec.Raw()
    long_context_threshold: int | None = None  # where the long-context price begins, not the context window
    pricing: tuple[ImagePrice, ...] | None = None


class Account(msgspec.Struct, frozen=True):
    acls: tuple[str, ...] | None = None


class Offer(msgspec.Struct, frozen=True):
    """What the lists say of one model: `main` is its row in /models, `special` those in the lists by kind."""

    id: str
    main: Row
    special: tuple[Row, ...]
    more: dict[str, Any] = {}  # the undeclared fields of all of them, new prices among them

    @property
    def rows(self) -> tuple[Row, ...]:
        return (self.main, *self.special)


def normalize(offer: Offer) -> Model:
    inputs = in_our_words(next((row.input_modalities for row in offer.rows if row.input_modalities), None))
    outputs = in_our_words(next((row.output_modalities for row in offer.rows if row.output_modalities), None))
    able = next((row.capabilities for row in offer.rows if row.capabilities), Capabilities())
    aliases = sorted({alias for row in offer.rows for alias in row.aliases or ()})
    effort = sorted(able.reasoning_effort or ())
    return Model(
        id=offer.id,
        context_length=next((found for row in offer.rows if (found := count(row.context_length))), None),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs),
        supports_vision=sees(inputs),
        supports_reasoning=True if able.reasoning_effort else None,
        released_at=unix_time(next((row.created for row in offer.rows if row.created), None)),
        metadata=filled(aliases=aliases, reasoning_effort=effort, default_reasoning_effort=able.default_reasoning_effort),
        prices=with_new_prices(prices(offer, text=outputs in (None, ("text",))), offer.more),
    )


def prices(offer: Offer, *, text: bool) -> Prices:
    wire = {name: stated(offer, name) for name in PRICES}
    pictures = is_amount(wire["image_price"])
    outputs = next((row.output_modalities for row in offer.rows if row.output_modalities), ("image",) if pictures else ())
    per_token = TOKEN_UNITS.hold_for(outputs)
    table, by_quality = image_prices(next((row.pricing for row in offer.rows if row.pricing), ()))
    found = read_prices(PRICES | table, wire | by_quality, per_token=per_token, zero_is_free=text and not pictures)
    threshold = next((row.long_context_threshold for row in offer.rows if row.long_context_threshold), 0)
    long = {name: stated(offer, name) for name in LONG_CONTEXT}
    if threshold:
        return with_tier(found, "", read_tier(LONG_CONTEXT, long, per_token=per_token), above=threshold)
    for name, raw in long.items():
        found = with_unread(found, name, bytes(raw))
    return found


def image_prices(pricing: Iterable[ImagePrice]) -> tuple[dict[str, Price], dict[str, msgspec.Raw]]:
    """The prices per picture by what they depend on, `high 2k`; what depends on anything else is in no table."""
    table: dict[str, Price] = {}
    wire: dict[str, msgspec.Raw] = {}
    for price in pricing:
        known = [excerpt(bytes(price[name])) for name in ("quality", "resolution") if name in price]
        more = [f"{name}={excerpt(bytes(price[name]))}" for name in sorted(price.keys() - {"price_per_image", "quality", "resolution"})]
        label = " ".join([*known, *more]).strip() or "pricing"
        wire[label] = price.get("price_per_image", msgspec.Raw(b'"no price_per_image"'))
        if not more:
            table[label] = Price("per_unit", TICKS_PER_IMAGE, zero_is_free=False)
    return table, wire


def stated(offer: Offer, name: str) -> msgspec.Raw:
    """A price as the first list states it. 0 in a list by kind is "no such price"; /models has null for that."""
    values: list[msgspec.Raw] = [getattr(row, name) for row in offer.rows]
    return next((value for value in values if is_amount(value)), values[0])


def is_amount(value: msgspec.Raw) -> bool:
    return number(bytes(value)) not in (None, Decimal(0))


def combine(rows: RowsByEndpoint, _options: object) -> Iterable[Wire]:
    """All of /models, and what only a list by kind has."""
    special: dict[str, list[Wire]] = {}
    for name, outputs in OUTPUTS.items():
        for wire in rows[name]:
            row = wire.row if wire.row.output_modalities else msgspec.structs.replace(wire.row, output_modalities=outputs)
            special.setdefault(row.id, []).append(Wire(row, wire.rest))
    main = list(rows["models"])
    listed = {wire.row.id for wire in main}
    for wire in (*main, *(Wire(Row(name), {}) for name in special if name not in listed)):
        others = special.get(wire.row.id, [])
        rest = {name: value for other in (*reversed(others), wire) for name, value in other.rest.items()}
        yield Wire(Offer(wire.row.id, wire.row, tuple(other.row for other in others), rest), rest, wire.position)


def partial(rows: RowsByEndpoint, _options: object) -> str | None:
    """A key with restricted rights is shown shorter lists, without a word."""
    rights = [wire.row.acls for wire in rows["account"] if wire.row.acls is not None]
    if all(EVERY_MODEL in acls for acls in rights):
        return None
    return f"this key may not see every model (its rights lack {EVERY_MODEL}), so absent models are left as they are"


def kind(name: str, path: str) -> Endpoint:
    return Endpoint(
        name=name,
        url=f"https://api.x.ai/v1/{path}",
        row=Row,
        rows=("data",) if name == "models" else ("models",),
        key=KeyUse.REQUIRED,
        units=PRICES | LONG_CONTEXT,
    )


PROVIDER = Provider(
    slug="xai",
    version=3,
    name="xAI",
    description="Grok models",
    site_url="https://x.ai",
    docs_url="https://docs.x.ai/developers/rest-api-reference/inference/models",
    status_page_url="https://status.x.ai",
    privacy_policy_url="https://x.ai/legal/privacy-policy",
    terms_of_service_url="https://x.ai/legal/terms-of-service-enterprise",
    base_url="https://api.x.ai/v1",
    price_unit="ticks of 1e-10 USD per token, image or search",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="vendor documentation samples of 2025 and 2026; no recording",
    auth=ApiKey(("XAI_API_KEY",)),
    endpoints=(
        kind("models", "models"),
        kind("language", "language-models"),
        kind("image", "image-generation-models"),
        kind("video", "video-generation-models"),
        Endpoint(
            name="account",
            url="https://api.x.ai/v1/api-key",
            row=Account,
            rows=(".",),
            key=KeyUse.REQUIRED,
            fills=True,
        ),
    ),
    normalize=normalize,
    combine=combine,
    partial=partial,
)
