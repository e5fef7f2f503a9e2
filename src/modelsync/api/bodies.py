"""What bodies of requests may say, checked by pydantic, and what the store is told of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from modelsync.api.parameters import MOST, HoldKind, ModelId, Number, Reason, Slug, Time, Words, whole
from modelsync.errors import UsageError
from modelsync.model.fields import PINNABLE, Pin, is_pinnable, kind_of
from modelsync.model.overrides import pin_of, storable


class Body(BaseModel):
    """A JSON body: 0 is no false there, and "1" no number; a field that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Why(Body):
    """The reason of an act; others will read it."""

    reason: Annotated[Reason, Field(examples=["they confirmed it"])]


class Decision(Why):
    """Which holds: their numbers, or all of some providers, or of a kind."""

    ids: Annotated[list[Number], Field(max_length=MOST)] = []
    provider: Annotated[list[Slug], Field(max_length=50)] = []
    kind: HoldKind | None = None


class GuardLimits(Why):
    """Limits of the guard for one provider; null gives one back to the settings."""

    shrink_share: Annotated[
        float | None, Field(ge=0, le=1, description="Share of its models that may be absent at once.", examples=[0.4])
    ] = None
    shrink_models: Annotated[
        Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole)] | None,
        Field(description="Models that may always be absent at once."),
    ] = None
    price_factor: Annotated[
        float | None, Field(ge=2, le=1000, description="A price that moves by this factor or more, either way, is held.", examples=[20])
    ] = None
    price_first_sight: Annotated[
        float | None, Field(ge=1e-11, le=1e-2, description="USD per token above which a first price is held.", examples=[0.002])
    ] = None

    def limits(self) -> dict[str, Any]:
        """What was sent, as the catalog keeps it: factors and prices with the digits that were written."""
        sent = self.model_dump(exclude_unset=True, exclude={"reason"})
        exact = ("price_factor", "price_first_sight")
        return {name: Decimal(f"{value:.15g}") if name in exact and value is not None else value for name, value in sent.items()}


def _fields() -> dict[str, Any]:
    """The fields that can be pinned, as a JSON Schema of objects with them."""
    return {"properties": {field: kind_of(field) for field in PINNABLE}, "patternProperties": {r"^metadata\..+$": {}}}


class PinBody(Why):
    """Values that win over every sync. Prices are USD per token, as texts or numbers."""

    provider: Slug
    model: ModelId
    values: Annotated[
        dict[str, Any],
        Field(
            min_length=1,
            max_length=100,
            examples=[{"pricing_prompt": "0.00000125"}],
            json_schema_extra={**_fields(), "additionalProperties": False},
        ),
    ]
    until: Annotated[Time | None, Field(description="When it ends.")] = None


class Rollback(Why):
    """Back to what a provider's models were after a run."""

    provider: Slug
    to: Annotated[Number, Field(description="The run.")]


class Thaw(Why):
    """Let a provider sync again."""

    provider: Slug


_HOST = r"[A-Za-z0-9._~-]+(:[0-9]{1,5})?"
Link = Annotated[str, StringConstraints(max_length=500, pattern=rf"^https?://{_HOST}([/?#][^\u0000-\u0020\u007f-\u00a0]*)?$")]
"""An address for people, without a user in it."""
LongText = Annotated[str, StringConstraints(max_length=5000, pattern=r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$")]


class ProviderFacts(Body):
    """What an operator may say of a provider. What its models support is derived from them."""

    name: Annotated[Words | None, Field()] = None
    description: LongText | None = None
    base_url: Link | None = None
    api_key_env_var: Annotated[str | None, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")] = None
    site_url: Link | None = None
    logo_url: Link | None = None
    status_page_url: Link | None = None
    privacy_policy_url: Link | None = None
    terms_of_service_url: Link | None = None
    is_active: bool | None = None
    metadata: Annotated[dict[str, Any] | None, Field(max_length=100)] = None
    reason: Annotated[Reason, Field(description="Others will read it.")] = "over the API"

    def columns(self) -> dict[str, Any]:
        """What was sent, by column; a null empties what may be empty, and leaves the rest as it is."""
        sent = self.model_dump(exclude_unset=True, exclude={"reason"})
        try:
            storable(sent.get("metadata"))
        except ValueError as error:
            raise UsageError(f"metadata cannot be so: {error}", "Send plain JSON values") from None
        return {name: value for name, value in sent.items() if value is not None or name not in NEEDED}


NEEDED = ("name", "is_active", "metadata")


class NewProvider(ProviderFacts):
    """A provider that the catalog does not have."""

    slug: Slug
    name: Words


class Health(Body):
    """A provider's health as an operator decides it; null gives that back to the sync record."""

    health_status: Literal["healthy", "degraded", "down", "unknown"] | None
    reason: Reason = "over the API"


def _say_the_fields(schema: dict[str, Any]) -> None:
    """In OpenAPI, the fields that can be pinned stand beside the declared ones."""
    fields = _fields()
    schema |= {**fields, "properties": schema["properties"] | fields["properties"], "additionalProperties": False}


class Fields(Body):
    """Fields of a model as an operator wants them."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_say_the_fields)

    def pins(self) -> list[Pin]:
        """The fields as pins. UsageError for one that cannot be pinned, or has no such value."""
        return pins_of(self.__pydantic_extra__ or {})


class ModelFacts(Fields):
    """Fields of a model as an operator wants them, and why."""

    reason: Reason = "over the API"


class NamedModel(Fields):
    """A model by its provider and its id there."""

    provider_id: Number | None = None
    provider: Slug | None = None
    provider_model_id: ModelId


class NewModel(NamedModel):
    """A model that its provider does not list."""

    reason: Reason = "over the API"


class Bulk(Body):
    """Models to create or to change; all of them, or none, and for one reason."""

    models: Annotated[list[NamedModel], Field(min_length=1, max_length=MOST)]
    reason: Reason = "over the API"


def pins_of(values: Mapping[str, Any]) -> list[Pin]:
    """Fields and JSON values as pins. UsageError for one that cannot be pinned, or has no such value."""
    found = []
    for field, value in values.items():
        if not is_pinnable(field) or len(field) > LONGEST_FIELD or not field.isprintable():
            raise UsageError(f"{field[:LONGEST_FIELD]!a} cannot be set", f"The fields are {', '.join(PINNABLE)} and metadata.<name>")
        try:
            found.append(pin_of(field, value))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{field} cannot have this value: {error}", "Prices are USD per token, lists are JSON lists") from None
    return found


LONGEST_FIELD = 100
