"""What bodies of requests may say, and how the catalog takes it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from modelsync.api.parameters import MOST, HoldKind, ModelId, Number, Reason, Slug, Slugs, Time, Words
from modelsync.api.requests import END, Body, OpenBody, read
from modelsync.errors import UsageError
from modelsync.model.fields import PINNABLE, Pin, is_pinnable, kind_of
from modelsync.model.overrides import pin_of, storable

PINS: dict[str, Any] = {"properties": {field: kind_of(field) for field in PINNABLE}, "patternProperties": {r"^metadata\..+$": {}}}
"""The fields that can be pinned, as a JSON Schema of objects with them."""


def sent(body: Body, *, but: str) -> dict[str, object]:
    """The fields that were sent, but one."""
    return {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET and name != but}


class Why(Body, frozen=True, kw_only=True):
    """The reason of an act; others will read it."""

    reason: Annotated[Reason, Meta(examples=["they confirmed it"])]


class Decision(Why, frozen=True, kw_only=True):
    """Which holds: their numbers, or all of some providers, or of a kind."""

    ids: Annotated[tuple[Number, ...], Meta(max_length=MOST)] = ()
    provider: Slugs = ()
    kind: HoldKind | None = None


Share = Annotated[float, Meta(ge=0, le=1)]
Most = Annotated[int, Meta(ge=0, le=1_000_000)]
Factor = Annotated[float, Meta(ge=2, le=1000)]
FirstPrice = Annotated[float, Meta(ge=1e-11, le=1e-2)]


class GuardLimits(Why, frozen=True, kw_only=True):
    """Limits of the guard for one provider; null gives one back to the settings."""

    shrink_share: Annotated[
        Share | UnsetType | None, Meta(description="Share of its models that may be absent at once.", examples=[0.4])
    ] = UNSET
    shrink_models: Annotated[Most | UnsetType | None, Meta(description="Models that may always be absent at once.")] = UNSET
    price_factor: Annotated[
        Factor | UnsetType | None, Meta(description="A price that moves by this factor or more, either way, is held.", examples=[20])
    ] = UNSET
    price_first_sight: Annotated[
        FirstPrice | UnsetType | None, Meta(description="USD per token above which a first price is held.", examples=[0.002])
    ] = UNSET

    def limits(self) -> dict[str, object]:
        """What was sent, as the catalog keeps it: factors and prices with the digits that were written."""
        exact = ("price_factor", "price_first_sight")
        given = sent(self, but="reason")
        return {name: Decimal(f"{value:.15g}") if name in exact and value is not None else value for name, value in given.items()}


class ScheduleBody(Why, frozen=True, kw_only=True):
    """When a provider is synced by itself."""

    when: Annotated[
        Words,
        Meta(
            description="6h, a cron expression with its zone, adaptive, off, on (as before), or default: of the settings.",
            examples=["6h"],
        ),
    ]


class PinBody(Why, frozen=True, kw_only=True):
    """Values that win over every sync. Prices are USD per token, as texts or numbers."""

    provider: Slug
    model: ModelId
    values: Annotated[
        dict[str, Any],
        Meta(
            min_length=1,
            max_length=100,
            examples=[{"pricing_prompt": "0.00000125"}],
            extra_json_schema={**PINS, "additionalProperties": False},
        ),
    ]
    until: Annotated[Time | None, Meta(description="When it ends.")] = None


class Rollback(Why, frozen=True, kw_only=True):
    """Back to what a provider's models were after a run."""

    provider: Slug
    to: Annotated[Number, Meta(description="The run.")]


class Thaw(Why, frozen=True, kw_only=True):
    """Let a provider sync again."""

    provider: Slug


_HOST = r"[A-Za-z0-9._~-]+(:[0-9]{1,5})?"
Link = Annotated[str, Meta(max_length=500, pattern=rf"^https?://{_HOST}([/?#][^\u0000-\u0020\u007f-\u00a0]*)?{END}")]
"""An address for people, without a user in it."""
LongText = Annotated[str, Meta(max_length=5000, pattern=rf"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*{END}")]
Variable = Annotated[str, Meta(pattern=rf"^[A-Z][A-Z0-9_]{{0,99}}{END}")]
Document = Annotated[dict[str, Any], Meta(max_length=100, extra_json_schema={"additionalProperties": True})]


class ProviderFacts(Body, frozen=True, kw_only=True):
    """What an operator may say of a provider. What its models support is derived from them."""

    name: Words | UnsetType | None = UNSET
    description: LongText | UnsetType | None = UNSET
    base_url: Link | UnsetType | None = UNSET
    api_key_env_var: Variable | UnsetType | None = UNSET
    site_url: Link | UnsetType | None = UNSET
    logo_url: Link | UnsetType | None = UNSET
    status_page_url: Link | UnsetType | None = UNSET
    privacy_policy_url: Link | UnsetType | None = UNSET
    terms_of_service_url: Link | UnsetType | None = UNSET
    is_active: bool | UnsetType | None = UNSET
    metadata: Document | UnsetType | None = UNSET
    reason: Annotated[Reason, Meta(description="Others will read it.")] = "over the API"

    def columns(self) -> dict[str, object]:
        """What was sent, by column; a null empties what may be empty, else changes nothing. UsageError for metadata that is no JSON."""
        given = sent(self, but="reason")
        try:
            storable(given.get("metadata"))
        except ValueError as error:
            raise UsageError(f"metadata cannot be so: {error}", "Send plain JSON values") from None
        return {name: value for name, value in given.items() if value is not None or name not in NEEDED}


NEEDED = ("name", "is_active", "metadata")


class NewProvider(ProviderFacts, frozen=True, kw_only=True):
    """A provider that the catalog does not have."""

    slug: Slug
    name: Words


class Health(Body, frozen=True, kw_only=True):
    """A provider's health as an operator decides it; null gives that back to the sync record."""

    health_status: Literal["healthy", "degraded", "down", "unknown"] | None
    reason: Reason = "over the API"


class Fields(OpenBody, frozen=True, kw_only=True):
    """Fields of a model as an operator wants them."""

    def pins(self) -> list[Pin]:
        """The fields as pins. UsageError for one that cannot be pinned, or has no such value."""
        return pins_of(self.fields)


class ModelFacts(Fields, frozen=True, kw_only=True):
    """Fields of a model as an operator wants them, and why."""

    reason: Reason = "over the API"


class NamedModel(Fields, frozen=True, kw_only=True):
    """A model by its provider and its id there."""

    provider_id: Number | None = None
    provider: Slug | None = None
    provider_model_id: ModelId


class NewModel(NamedModel, frozen=True, kw_only=True):
    """A model that its provider does not list."""

    reason: Reason = "over the API"


class Bulk(Body, frozen=True, kw_only=True):
    """Models to create or to change; all of them, or none, and for one reason."""

    models: Annotated[
        tuple[dict[str, Any], ...],
        Meta(min_length=1, max_length=MOST, extra_json_schema={"x-items": {"$ref": "#/components/schemas/NamedModel"}}),
    ]
    reason: Reason = "over the API"

    def named(self) -> list[NamedModel]:
        """The models. Raises Invalid."""
        return [read(NamedModel, each, strict=True, place=f"models.{number}.") for number, each in enumerate(self.models)]


def pins_of(values: Mapping[str, object]) -> list[Pin]:
    """Fields and JSON values as pins. UsageError for one that cannot be pinned, or has no such value."""
    pins = []
    for field, value in values.items():
        if not is_pinnable(field) or len(field) > LONGEST_FIELD or not field.isprintable():
            raise UsageError(f"{field[:LONGEST_FIELD]!a} cannot be set", f"The fields are {', '.join(PINNABLE)} and metadata.<name>")
        try:
            pins.append(pin_of(field, value))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{field} cannot have this value: {error}", "Prices are USD per token, lists are JSON lists") from None
    return pins


LONGEST_FIELD = 100

ALL = (
    Decision,
    GuardLimits,
    ScheduleBody,
    PinBody,
    Rollback,
    Thaw,
    Why,
    ProviderFacts,
    NewProvider,
    Health,
    ModelFacts,
    NamedModel,
    NewModel,
    Bulk,
)
"""Every body."""
