"""Fireworks AI. Prices: whole units and nanos of USD, per the unit named beside them (mostly 1M tokens); most lists have none."""

from collections.abc import Iterable, Iterator

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.prices import USD_PER_1K_TOKENS, USD_PER_1M_TOKENS, Price, excerpt, read_prices
from modelsync.providers import paging
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import Count, count, iso_time

SKUS = {"LLM input tokens (uncached)": "prompt", "LLM input tokens (cached)": "cache_read", "LLM output tokens": "completion"}
UNITS = {"USD per 1M tokens": USD_PER_1M_TOKENS, "USD per 1K tokens": USD_PER_1K_TOKENS}
# A 0 is no gift here: what a flat-rate plan covers is listed with 0, and proto3 writes an unset number as 0.
PRICES = {f"{sku}, {words}": Price(to, unit, zero_is_free=False) for sku, to in SKUS.items() for words, unit in UNITS.items()}
HOURLY = ", USD per hour"
IGNORED = {HOURLY: "the hour of a deployment of one's own, which no call pays"}
TOKEN_UNITS = TokenUnits(reason="each price says what it is for, and how many tokens it buys")
STREAMS = Documented("supports_streaming", "https://docs.fireworks.ai/api-reference/post-chatcompletions")

Words = tuple[str, ...]
TEXT: Words = ("text",)
# By `kind` of docs.fireworks.ai/api-reference/list-models: the list has no modality fields. Other kinds are adapters and drafts.
MODALITIES: dict[str, tuple[Words, Words]] = {
    "HF_BASE_MODEL": (TEXT, TEXT),
    "EMBEDDING_MODEL": (TEXT, ("embeddings",)),
    "FLUMINA_BASE_MODEL": (TEXT, ("image",)),
}
HUGGING_FACE = "https://huggingface.co/"


class Money(msgspec.Struct, frozen=True, rename="camel"):
    currency_code: str = ""
    # Raw, so that one of a wrong type makes the price unreadable, not 0. An int64 is a string; what is 0 is left out.
    units: msgspec.Raw = msgspec.Raw(b"0")
    nanos: msgspec.Raw = msgspec.Raw(b"0")


class Mode(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""  # …/serverlessModes/default, priority, fast or spot
    sku_infos: tuple[dict[str, msgspec.Raw], ...] | None = None


class Date(msgspec.Struct, frozen=True):
    year: int = 0
    month: int = 0
    day: int = 0  # 0 for "some day of that month"


class Row(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    display_name: str | None = None
    description: str | None = None
    create_time: str | None = None
    update_time: msgspec.Raw = msgspec.Raw()  # moves without a change of the model
    state: str | None = None
    kind: str | None = None
    context_length: Count | None = None
    supports_image_input: bool | None = None
    supports_tools: bool | None = None
    supports_serverless: bool | None = None
    deprecation_date: Date | None = None
    hugging_face_url: str | None = None
    serverless_modes: tuple[Mode, ...] | None = None


class Offer(msgspec.Struct, frozen=True):
    row: Row
    wanted: bool


class Options(msgspec.Struct, frozen=True):
    """`include_deployable`: list also the models that run only on a deployment of one's own."""

    include_deployable: bool = False


def offers(rows: RowsByEndpoint, options: Options) -> Iterable[Wire]:
    """Each row with what the option says of it. proto3 leaves out what is false: a row without supportsServerless is not serverless."""
    every = options.include_deployable
    return [Wire(Offer(wire.row, every or bool(wire.row.supports_serverless)), wire.rest, wire.position) for wire in rows["models"]]


def normalize(offer: Offer) -> Model | None:
    row = offer.row
    if not offer.wanted:
        return None
    inputs, outputs = MODALITIES.get(row.kind or "", (None, None))
    if inputs and row.supports_image_input:
        inputs = (*inputs, "image")
    date = row.deprecation_date
    end = f"{date.year:04}-{date.month:02}-{date.day:02}" if date else None
    metadata = {
        "kind": row.kind,
        "state": row.state,
        "supportsServerless": row.supports_serverless,
        "deprecationDate": end,
        "huggingFaceUrl": row.hugging_face_url,
    }
    return Model(
        id=row.name,
        model_name=row.display_name,
        description=row.description,
        context_length=count(row.context_length),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs),
        supports_function_calling=row.supports_tools,
        supports_vision=row.supports_image_input,
        available=row.state != "UPLOADING",
        released_at=iso_time(row.create_time),
        expires_at=iso_time(end),  # None for a day of 0
        hugging_face_id="/".join((row.hugging_face_url or "").partition(HUGGING_FACE)[2].split("/")[:2]) or None,
        metadata={name: value for name, value in metadata.items() if value is not None},
        prices=prices(row.serverless_modes or ()),
    )


def prices(modes: Iterable[Mode]) -> Prices:
    """The default mode's; those of the others (priority, fast, spot) belong to another way to call and are kept as received."""
    fields: dict[str, msgspec.Raw] = {}
    for field, amount in amounts(modes):
        fields[field] = amount if fields.get(field, amount) == amount else msgspec.Raw(b'"stated twice"')
    return read_prices(PRICES, fields, ignored={field for field in fields if field.endswith(HOURLY)})


def amounts(modes: Iterable[Mode]) -> Iterator[tuple[str, msgspec.Raw]]:
    """Each price under a name of all that sets it apart, a condition of a new kind too."""
    for mode in modes:
        way = mode.name.rpartition("/")[2]
        for sku in mode.sku_infos or ():
            told = {name: excerpt(bytes(sku.get(name, b""))) for name in ("sku", "unit")}
            more = "".join(f", {name}={excerpt(bytes(sku[name]))}" for name in sorted(sku.keys() - {"sku", "unit", "amount"}))
            amount = money(sku.get("amount", msgspec.Raw(b"null")))
            if amount:
                field = f"{told['sku']}{more}, {amount.currency_code} per {told['unit']}"
                yield field if way == "default" else f"{way}: {field}", decimal(amount)


def money(raw: msgspec.Raw) -> Money | None:
    """An amount; None where there is none. What is no amount is one that cannot be read."""
    try:
        return msgspec.json.decode(raw, type=Money | None)
    except msgspec.MsgspecError:
        return Money(currency_code="USD", units=raw)


def decimal(amount: Money) -> msgspec.Raw:
    """Units and nanos as one number: 0 and 560,000,000 is 0.560000000."""
    units, nanos = bytes(amount.units).strip(b'"'), bytes(amount.nanos)
    whole = units.isdigit() and nanos.isdigit() and len(nanos) <= 9
    text = units + b"." + nanos.zfill(9) if whole else units + b" units and " + nanos + b" nanos"
    return msgspec.Raw(msgspec.json.encode(text.decode("utf-8", "replace")))


PROVIDER = Provider(
    slug="fireworks",
    version=3,
    name="Fireworks AI",
    description="Fast serverless and dedicated inference of open models",
    site_url="https://fireworks.ai",
    docs_url="https://docs.fireworks.ai/api-reference/list-models",
    status_page_url="https://status.fireworks.ai",
    privacy_policy_url="https://fireworks.ai/privacy-policy",
    terms_of_service_url="https://fireworks.ai/terms-of-service",
    base_url="https://api.fireworks.ai/inference/v1",
    price_unit="USD in whole units and nanos, per 1M tokens",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="vendor documentation; no recording of the endpoint, prices after one third-party test",
    auth=ApiKey(("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY")),
    endpoints=(
        Endpoint(
            url="https://api.fireworks.ai/v1/accounts/fireworks/models?pageSize=200",
            row=Row,
            rows=("models",),
            paging=paging.next_token("nextPageToken", "pageToken"),
            totals=("totalSize",),
            further=("nextPageToken",),
            leaves_out_empty=True,
            key=KeyUse.REQUIRED,
            units=PRICES,
            ignored=IGNORED,
        ),
    ),
    normalize=normalize,
    combine=offers,
    options=Options,
)
