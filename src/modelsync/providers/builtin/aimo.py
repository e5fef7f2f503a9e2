"""AiMo Network. Prices: the unit is not known, so they are kept as received until one price of a known model has been seen."""

from decimal import Decimal

import msgspec

from modelsync.model.model import Model
from modelsync.model.prices import Price, Unit, canonical, number, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count

UNIT: Unit | None = None
"""What one wire unit of a price means; None while nobody can say. Setting it is all that is needed to read the prices."""


def price_table(unit: Unit | None) -> dict[str, Price]:
    return {name: Price(name, unit) for name in ("prompt", "completion")} if unit else {}


PRICES = price_table(UNIT)
TOKEN_UNITS = TokenUnits(reason="no unit is declared for any price")


class Options(msgspec.Struct, frozen=True):
    """`base_url`: the network has moved from one host to another several times."""

    base_url: str = "https://beta.aimo.network/api/v1"


class Offer(msgspec.Struct, frozen=True):
    """One host of a model, with its own price."""

    id: str | None = None  # a Solana public key
    name: str | None = None
    pricing: dict[str, msgspec.Raw] | None = None


class Row(msgspec.Struct, frozen=True):
    name: str  # what requests use; there may be no id
    display_name: str | None = None
    created: float | None = None  # of unknown meaning
    context_length: Count | None = None
    architecture: openai_like.Modalities | None = None
    providers: tuple[Offer, ...] | None = None


def normalize(row: Row) -> Model:
    architecture = row.architecture or openai_like.Modalities()
    offers = sorted(row.providers or (), key=order)
    return Model(
        id=row.name,
        model_name=row.display_name,
        context_length=count(row.context_length),
        metadata={"providers": [told(offer) for offer in offers]},
        prices=read_prices(PRICES, (offers[0].pricing or {}) if offers else {}),
        **openai_like.modalities(architecture.input_modalities, architecture.output_modalities),
    )


def order(offer: Offer) -> tuple[bool, Decimal, str]:
    """The cheapest first, those without a readable price last, equal ones by their key: hosts come in any order."""
    amounts = [number(bytes((offer.pricing or {}).get(name, b""))) for name in ("prompt", "completion")]
    known = [amount for amount in amounts if isinstance(amount, Decimal) and amount >= 0]
    return len(known) < len(amounts), sum(known, Decimal(0)), offer.id or ""


def told(offer: Offer) -> dict[str, object]:
    """What an offer says, as metadata."""
    return {"id": offer.id, "name": offer.name, "pricing": {name: canonical(bytes(raw)) for name, raw in (offer.pricing or {}).items()}}


def models_url(options: Options) -> str:
    return f"{options.base_url.rstrip('/')}/models"


PROVIDER = Provider(
    slug="aimo",
    version=2,
    name="AiMo Network",
    description="Models offered by independent hosts, paid per request",
    site_url="https://aimo.network",
    docs_url="https://docs.aimo.network",
    base_url="https://beta.aimo.network/api/v1",
    price_unit="unknown: prices are kept as received",
    token_units=TOKEN_UNITS,
    verified="unverified: no recording and no schema is known, and it may be closed",
    auth=ApiKey(("AIMO_API_KEY",)),
    endpoints=(Endpoint(url=models_url, row=Row, key=KeyUse.OPTIONAL, units=PRICES),),
    normalize=normalize,
    options=Options,
)
