"""fal. Prices: USD per the unit that each price names (image, megapixel, second …), never per token."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from modelsync.errors import Failure, FailureKind
from modelsync.model.model import NO_PRICES, Model, Prices, modalities
from modelsync.model.prices import USD_PER_IMAGE, Price, Unit, read_prices
from modelsync.providers import paging
from modelsync.providers.base import (
    Answer,
    ApiKey,
    Endpoint,
    Flow,
    KeyUse,
    PagingError,
    Provider,
    Request,
    RowsByEndpoint,
    TokenUnits,
    Wire,
)
from modelsync.providers.parsing import iso_time
from modelsync.providers.tiers import with_unread


def per(unit: str, usd: str = "1", *, name: str | None = None) -> Price:
    return Price("per_unit", Unit(f"USD per {name or unit}", unit, Decimal(usd)), zero_is_free=False)


# By the price's unit word in the singular. 0 is what an endpoint without a flat price shows. Words like "units" say nothing: kept raw.
UNITS = {
    "image": Price("image", USD_PER_IMAGE, zero_is_free=False),
    "megapixel": per("megapixel"),
    "video": per("video"),
    "second": per("second"),
    "compute second": per("compute second"),
    "minute": per("minute"),
    "character": per("character"),
    "1000 character": per("character", "1e-3", name="1,000 characters"),
}
TOKEN_UNITS = TokenUnits(reason="no price is per token")

# What the words of a category like "text-to-speech" stand for (fal's list of categories); a category that is one word says less.
SIDES = {"text": "text", "image": "image", "video": "video", "audio": "audio", "speech": "audio", "3d": "3d"}
SPECIAL = {"llm": ("text", "text"), "vision": ("image", "")}

BATCH = 50


class Facts(msgspec.Struct, frozen=True):
    """What describes an endpoint. Not kept: is_favorited (the key's owner's), pinned, highlighted, updated_at, duration_estimate."""

    display_name: str | None = None
    description: str | None = None
    category: str | None = None
    date: str | None = None
    tags: tuple[str, ...] | None = None
    status: str | None = None  # deprecated endpoints still answer
    license_type: str | None = None
    kind: str | None = None
    group: dict[str, str] | None = None
    model_url: str | None = None
    github_url: str | None = None
    stream_url: str | None = None
    training_endpoint_ids: tuple[str, ...] | None = None
    inference_endpoint_ids: tuple[str, ...] | None = None


ELSEWHERE = {"display_name", "description", "date"}  # become fields of the model; the other facts its metadata


class Row(msgspec.Struct, frozen=True):
    endpoint_id: str
    metadata: Facts = Facts()
    openapi: msgspec.Raw = msgspec.Raw()  # a whole API description, when asked for


class Named(msgspec.Struct, frozen=True):
    endpoint_id: str | None = None


class PriceRow(msgspec.Struct, frozen=True):
    endpoint_id: str
    unit_price: msgspec.Raw = msgspec.Raw()
    unit: str = ""
    currency: str = "USD"


class Offer(msgspec.Struct, frozen=True):
    """A row and its price."""

    id: str
    facts: Facts
    price: PriceRow | None
    more: dict[str, Any] = {}  # what else the price's row says: tiers, a discount


def normalize(offer: Offer) -> Model:
    facts = offer.facts
    before, after = sides(facts.category)
    kept = {name: value for name, value in msgspec.structs.asdict(facts).items() if value and name not in ELSEWHERE}
    return Model(
        id=offer.id,
        model_name=facts.display_name,
        description=facts.description,
        input_modalities=modalities([before]),
        output_modalities=modalities([after]),
        supports_streaming=True if facts.stream_url else None,
        supports_vision=True if before == "image" else None,  # a category names the main input, not every one
        released_at=iso_time(facts.date),
        metadata={name: sorted(value) if isinstance(value, tuple) else value for name, value in kept.items()},
        prices=with_others(prices(offer.price), offer.more) if offer.price else NO_PRICES,
    )


def sides(category: str | None) -> tuple[str, str]:
    """What goes in and what comes out, "" where the category does not say."""
    before, _, after = (category or "").partition("-to-")
    return SPECIAL.get(before) or (SIDES.get(before, "") if after else "", SIDES.get(after, ""))


def prices(row: PriceRow) -> Prices:
    word = " ".join(row.unit.lower().replace("_", " ").replace(",", "").split()).removesuffix("s")
    unit = word if row.currency.upper() == "USD" else f"{word} in {row.currency}"
    return read_prices(UNITS, {unit or "unit_price": row.unit_price})


def with_others(found: Prices, more: Mapping[str, object]) -> Prices:
    for name, value in more.items():
        found = with_unread(found, name, msgspec.json.encode(value))
    return found


def combine(rows: RowsByEndpoint, _options: object) -> Iterable[Wire]:
    known: dict[str, Wire] = {}
    for wire in rows["prices"]:
        known.setdefault(wire.row.endpoint_id, wire)
    for wire in rows["models"]:
        row: Row = wire.row
        priced = known.get(row.endpoint_id, Wire(None, {}))
        yield Wire(Offer(row.endpoint_id, row.metadata, priced.row, priced.rest), wire.rest, wire.position)


def requests(provider: Provider, options: msgspec.Struct, has_key: bool) -> Flow:
    """The list, then with a key the prices of everything listed; without an endpoint_id there are none."""
    models, costs = provider.endpoints
    pages = yield from paging.collect(models.paging(models, models.at(options)))
    ids = list(dict.fromkeys(name for page in pages if isinstance(page, Answer) for name in endpoint_ids(page)))
    for start in range(0, len(ids) if has_key else 0, BATCH):
        batch = paging.with_query(costs.at(options), endpoint_id=",".join(ids[start : start + BATCH]))
        came = yield Request(costs, batch)
        if isinstance(came, Failure) and came.kind is FailureKind.CONFIG:
            return  # the key may not read prices, whichever are asked for


def endpoint_ids(page: Answer) -> list[str]:
    found = [name_in(raw) for raw in paging.rows_at(page, "models")]
    return [name for name in found if name and "," not in name]


def name_in(raw: msgspec.Raw) -> str | None:
    """A row's id, whatever else is in the row."""
    try:
        return msgspec.json.decode(raw, type=Named).endpoint_id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def next_page(answer: Answer, url: str) -> str | None:
    cursor, more = paging.value_at(answer, "next_cursor"), paging.value_at(answer, "has_more")
    if more and not cursor:
        raise PagingError("more pages are announced without a cursor")
    return paging.with_query(url, cursor=cursor) if cursor and more is not False else None


PROVIDER = Provider(
    slug="fal",
    version=2,
    name="fal",
    description="Image, video, audio and 3D models behind one queue API",
    site_url="https://fal.ai",
    docs_url="https://docs.fal.ai/platform-apis/v1/models",
    status_page_url="https://status.fal.ai",
    privacy_policy_url="https://fal.ai/privacy",
    terms_of_service_url="https://fal.ai/terms",
    base_url="https://api.fal.ai/v1",
    price_unit="USD per the unit named in `unit`",
    token_units=TOKEN_UNITS,
    verified="vendor docs; unit words from a copy of replies of 2026-01-04; no recording of the list",
    auth=ApiKey(("FAL_KEY", "FAL_API_KEY"), scheme="Key"),
    endpoints=(
        Endpoint(
            url="https://api.fal.ai/v1/models?limit=100",
            row=Row,
            rows=("models",),
            paging=paging.follow(next_page),
            totals=(),
            further=("has_more", "next_cursor"),
            key=KeyUse.OPTIONAL,
        ),
        Endpoint(
            name="prices",
            url="https://api.fal.ai/v1/models/pricing",
            row=PriceRow,
            rows=("prices",),
            totals=(),
            further=("has_more", "next_cursor"),
            key=KeyUse.REQUIRED,
            fills=True,
            units=UNITS,
        ),
    ),
    normalize=normalize,
    combine=combine,
    requests=requests,
    deadline=180.0,
)
