"""Alibaba Cloud Model Studio. Prices: decimal strings in the unit each price names, USD in Singapore and the US, else not stated."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from modelsync.errors import Failure
from modelsync.model.model import NO_PRICES, Model, Prices
from modelsync.model.prices import USD_PER_1M_TOKENS, USD_PER_IMAGE, Price, Unit, excerpt, read_prices, says_nothing
from modelsync.providers import paging
from modelsync.providers.base import ApiKey, Endpoint, Flow, KeyUse, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import Count, count, in_our_words, iso_time, sees, stated_true
from modelsync.providers.tiers import read_tier, with_tier

USD_PER_SECOND = Unit("USD per second", "second", Decimal(1))
TOKEN_WORDS = frozenset({"per 1m tokens", "per million tokens"})


def per_token(to: str) -> Price:
    return Price(to, USD_PER_1M_TOKENS, zero_is_free=False)


# By price type; where two give the same price, the later one counts. 0 marks what is not sold that way.
PRICES = {
    "thinking_input_token": per_token("prompt"),  # of models that always think; others have input_token
    "embedding_token": per_token("prompt"),
    "text_input_token": per_token("prompt"),
    "input_token": per_token("prompt"),
    "text_output_token": per_token("completion"),
    "output_token": per_token("completion"),
    "thinking_output_token": per_token("reasoning"),
    # Implicit caching has no price to write; a model with a price to write has an explicit cache, whose price to read is another.
    "text_input_token_cache": per_token("cache_read"),
    "input_token_cache": per_token("cache_read"),
    "input_token_cache_read": per_token("cache_read"),
    "input_token_cache_creation_5m": per_token("cache_write"),
    "input_token_cache_creation_1h": per_token("cache_write_1h"),
    "vision_input_token": per_token("image_input"),
    "audio_input_token": per_token("audio_input"),
    "audio_output_token": per_token("audio_output"),
    "audio_input_token_cache": per_token("audio_cache_read"),
    "image_number": Price("image", USD_PER_IMAGE, zero_is_free=False),
    "content_duration": Price("per_unit", USD_PER_SECOND, zero_is_free=False),
}
TOKEN_UNITS = TokenUnits(reason="each price names its own unit beside it")
WORDS = {"token": TOKEN_WORDS, "image": {"per image"}, "second": {"per second"}}  # the unit words that each unit goes by

# K is 1,024: "128K<Token<=252K" is the last range of a model that takes 258,048 tokens.
SIZES = {"": 1, "k": 1024, "m": 1_000_000}
ABOVE = re.compile(r"(?:(\d+)([km]?)<=?)?(?:input|token)(?:<=?\d+[km]?)?|(?:input|token)>(\d+)([km]?)")


class Region(msgspec.Struct, frozen=True):
    """Where a region answers: its own host, and the name it has in the hosts of workspaces."""

    host: str | None
    workspaces: str | None
    usd: bool = False


REGIONS = {
    "singapore": Region("dashscope-intl.aliyuncs.com", "ap-southeast-1", usd=True),
    "us": Region("dashscope-us.aliyuncs.com", "us-east-1", usd=True),
    "beijing": Region("dashscope.aliyuncs.com", "cn-beijing"),
    "hong-kong": Region("cn-hongkong.dashscope.aliyuncs.com", None),
    "frankfurt": Region(None, "eu-central-1"),
    "tokyo": Region(None, "ap-northeast-1"),
}


class Options(msgspec.Struct, frozen=True):
    """The region that the key belongs to, and the id of its workspace: a workspace's key works on the workspace's host only."""

    region: Literal["singapore", "us", "beijing", "hong-kong", "frankfurt", "tokyo"] = "singapore"
    workspace: str = ""

    def __post_init__(self) -> None:
        region = REGIONS[self.region]
        if self.workspace and not re.fullmatch(r"[A-Za-z0-9-]{1,63}", self.workspace):
            raise ValueError("workspace must be the id of a workspace: letters, digits and hyphens")
        if self.workspace and not region.workspaces:
            raise ValueError(f"{self.region} has no hosts for workspaces")
        if not self.workspace and not region.host:
            raise ValueError(f"{self.region} needs a workspace")

    @property
    def origin(self) -> str:
        region = REGIONS[self.region]
        return f"https://{self.workspace}.{region.workspaces}.maas.aliyuncs.com" if self.workspace else f"https://{region.host}"


WirePrice = dict[str, msgspec.Raw]
UNCONDITIONAL = {"type", "price", "price_unit", "price_name", "time_band"}


def key(price: WirePrice) -> str:
    """The type, when it is a flat price in the type's unit; else all that sets this price apart, which no table knows."""
    kind, band, unit = (excerpt(bytes(price.get(name, b""))).removesuffix("null") for name in ("type", "time_band", "price_unit"))
    unit = " ".join(unit.lower().split())
    more = [
        f"{name}={excerpt(bytes(price[name]))}" for name in sorted(price.keys() - UNCONDITIONAL) if not says_nothing(bytes(price[name]))
    ]
    known = PRICES.get(kind)
    if known and unit in WORDS[known.unit.per] and band in ("", "standard") and not more:
        return kind
    return " ".join(word for word in (kind, band, *more, unit or "in no unit") if word)


class Range(msgspec.Struct, frozen=True):
    range_name: str | None = None
    prices: tuple[WirePrice, ...] = ()

    @property
    def wire(self) -> dict[str, msgspec.Raw]:
        """Its prices by key. The first of several with one key counts; another amount under it has a key that no table knows."""
        found: dict[str, msgspec.Raw] = {}
        for number, price in enumerate(self.prices, 1):
            amount = price.get("price", msgspec.Raw())
            if found.setdefault(key(price), amount) != amount:
                found[f"{key(price)} ({number})"] = amount
        return found


class Info(msgspec.Struct, frozen=True):
    context_window: Count | None = None
    max_input_tokens: Count | None = None
    max_output_tokens: Count | None = None
    max_reasoning_tokens: Count | None = None
    reasoning_max_input_tokens: Count | None = None
    reasoning_max_output_tokens: Count | None = None


ELSEWHERE = {"context_window", "max_output_tokens"}  # become fields of the model; the other limits its metadata


class Modality(msgspec.Struct, frozen=True):
    request_modality: tuple[str, ...] | None = None
    response_modality: tuple[str, ...] | None = None


class Row(msgspec.Struct, frozen=True):
    model: str
    name: str | None = None
    description: str | None = None
    features: tuple[str, ...] | None = None
    capabilities: tuple[str, ...] | None = None
    published_time: str | None = None
    inference_metadata: Modality | None = None
    model_info: Info | None = None
    prices: tuple[Range, ...] | None = None


class PlainRow(msgspec.Struct, frozen=True):
    """A row of the OpenAI-compatible list, where `created` varies from answer to answer and is not kept."""

    id: str
    created: float | None = None


class Offer(msgspec.Struct, frozen=True):
    id: str
    row: Row
    usd: bool


def normalize(offer: Offer) -> Model:
    row, info, modality = offer.row, offer.row.model_info or Info(), offer.row.inference_metadata or Modality()
    inputs = in_our_words(modality.request_modality)
    seen = sees(inputs)
    limits = {name: count(value) for name, value in msgspec.structs.asdict(info).items() if name not in ELSEWHERE}
    lists = {"features": sorted(row.features or ()), "capabilities": sorted(row.capabilities or ())}
    return Model(
        id=offer.id,
        model_name=row.name,
        description=row.description,
        context_length=count(info.context_window),
        max_output_tokens=count(info.max_output_tokens) or count(info.reasoning_max_output_tokens),
        input_modalities=inputs,
        output_modalities=in_our_words(modality.response_modality),
        supports_function_calling=stated_true(row.features, "function-calling"),
        supports_vision=stated_true(row.capabilities, "vu") if seen is None else seen,
        supports_reasoning=stated_true(row.capabilities, "reasoning"),
        supports_structured_output=stated_true(row.features, "structured-outputs"),
        released_at=iso_time(row.published_time),
        metadata={name: value for name, value in (limits | lists).items() if value},
        prices=prices(row.prices or ()) if offer.usd else NO_PRICES,
    )


def prices(ranges: Iterable[Range]) -> Prices:
    """The prices of the range that begins at 0 are the flat ones; ranges that are no prompt lengths stay raw."""
    starts: dict[int, Range] = {}
    apart: dict[str, msgspec.Raw] = {}
    for group in ranges:
        above = beginning(group.range_name or "")
        if above is None or starts.setdefault(above, group).wire != group.wire:
            apart |= {f"{group.range_name} {name}": price for name, price in group.wire.items()}
    first = starts.pop(0, Range())
    found = flat(first.wire | apart)
    for above, group in sorted(starts.items()):
        found = with_tier(found, group.range_name or "", always_thinking(read_tier(PRICES, in_order(group.wire)), group.wire), above=above)
    return found


def beginning(name: str) -> int | None:
    """The prompt length above which a range begins: 0 for "Default" and "0<Token<=32k", 32768 for "32k<Input<=256k"."""
    text = "".join(name.lower().replace("≤", "<=").split())
    match = ABOVE.fullmatch(text)
    if match is None:
        return 0 if text in ("", "default") else None
    return int(match[1] or match[3] or 0) * SIZES[match[2] or match[4] or ""]


def flat(wire: dict[str, msgspec.Raw]) -> Prices:
    return always_thinking(read_prices(PRICES, in_order(wire)), wire)


def in_order(wire: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    order = {name: position for position, name in enumerate(PRICES)}
    return dict(sorted(wire.items(), key=lambda item: order.get(item[0], len(order))))


def always_thinking(found: Prices, wire: dict[str, msgspec.Raw]) -> Prices:
    """A model that only thinks has no other output price."""
    thinks = found.completion is None and "output_token" not in wire
    return msgspec.structs.replace(found, completion=found.reasoning) if thinks else found


def combine(rows: RowsByEndpoint, options: Options) -> Iterable[Wire]:
    """The native list, and what only the compatible one has."""
    usd = REGIONS[options.region].usd
    for wire in rows["models"]:
        yield Wire(Offer(wire.row.model, wire.row, usd), wire.rest, wire.position)
    listed = {wire.row.model for wire in rows["models"]}
    for wire in rows["compatible"]:
        if wire.row.id not in listed:
            yield Wire(Offer(wire.row.id, Row(wire.row.id), usd), wire.rest, wire.position)


def partial(rows: RowsByEndpoint, _options: Options) -> str | None:
    """The compatible list is not the native one with less in each row: what it lacks may be there all the same."""
    return "only the OpenAI-compatible list of ids could be read, so absent models are left as they are" if rows["compatible"] else None


def requests(provider: Provider, options: Options, _has_key: bool) -> Flow:
    """The native list; the OpenAI-compatible one only where the native one is not there (404)."""
    native, compatible = provider.endpoints
    came = yield from paging.collect(native.paging(native, native.at(options)))
    if any(isinstance(answer, Failure) for answer in came):
        yield from compatible.paging(compatible, compatible.at(options))


PROVIDER = Provider(
    slug="alibaba",
    version=2,
    name="Alibaba Cloud Model Studio",
    description="Qwen and other models on Alibaba Cloud (DashScope)",
    site_url="https://www.alibabacloud.com/product/modelstudio",
    docs_url="https://www.alibabacloud.com/help/en/model-studio/list-models",
    status_page_url="https://status.alibabacloud.com",
    privacy_policy_url="https://www.alibabacloud.com/help/en/legal/latest/alibaba-cloud-international-website-privacy-policy",
    terms_of_service_url="https://www.alibabacloud.com/help/en/legal/latest/alibaba-cloud-international-website-terms-of-use",
    base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    price_unit="USD per 1M tokens (decimal strings; other units as each price names them)",
    token_units=TOKEN_UNITS,
    verified="vendor docs and quoted rows; no recording",
    auth=ApiKey(
        (
            "DASHSCOPE_API_KEY",
            "ALIBABA_CLOUD_API_KEY",
            "ALIBABA_API_KEY",
            "ALIYUN_API_KEY",
            "MODELSTUDIO_API_KEY",
            "ALIBABA_CLOUD_API_KEY_INTERNATIONAL",
            "ALIBABA_CLOUD_API_KEY_CHINA",
        )
    ),
    endpoints=(
        Endpoint(
            url=lambda options: f"{options.origin}/api/v1/models?language=en-US",
            row=Row,
            rows=("output.models",),
            paging=paging.counted(
                rows="output.models",
                total="output.total",
                parameter="page_no",
                size_parameter="page_size",
                size=100,
                first=1,
                by_page=True,
            ),
            totals=("output.total",),
            further=(),
            key=KeyUse.REQUIRED,
            may_be_absent=True,
            units=PRICES,
        ),
        Endpoint(
            name="compatible",
            url=lambda options: f"{options.origin}/compatible-mode/v1/models",
            row=PlainRow,
            key=KeyUse.REQUIRED,
        ),
    ),
    normalize=normalize,
    combine=combine,
    partial=partial,
    requests=requests,
    options=Options,
)
