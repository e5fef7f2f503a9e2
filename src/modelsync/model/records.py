"""What the catalog records beside models, as values: runs and their results, pins, pauses, acts of persons. Times are UTC."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

Moment = Annotated[datetime, Meta(tz=True)]
"""With a zone, as `format: date-time` is."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one provider, or of a whole run.

    skipped = rejected + duplicates; transformed = fetched - skipped = created + updated + unchanged; synced is what the database confirmed
    of these (0 in a dry run); missing counts catalog models that a complete listing does not have.
    """

    fetched: int = 0
    transformed: int = 0
    skipped: int = 0
    synced: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    retired: int = 0
    held: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class RecordedRun(Counts, frozen=True, kw_only=True):
    """One run, with the sums over its providers. `duration_seconds` is None while it is under way, or when nobody saw its end."""

    id: int
    status: str
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    duration_seconds: float | None
    providers_processed: int
    heartbeat_at: datetime | None


class RecordedResult(Counts, frozen=True, kw_only=True):
    """One provider's part of a run."""

    id: int
    run_id: int
    provider: str
    outcome: str
    error_kind: str | None
    error: str | None
    warnings: tuple[str, ...]
    duration_seconds: float
    finished_at: datetime


class RecordedPin(msgspec.Struct, frozen=True, kw_only=True):
    """A field that an operator decided, as JSON values: `value` wins over every sync, `beneath` is what the provider said at that time."""

    id: int
    provider: str
    provider_model_id: str
    field: str
    value: Any
    beneath: Any
    author: str
    reason: str
    created_at: datetime
    expires_at: datetime | None


class RecordedPause(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps every sync out, since when, and why."""

    at: Moment
    actor: str
    reason: str


class RecordedAct(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decided, when and why; `sync` is an actor too."""

    id: int
    at: Moment
    actor: str
    action: str
    target: str
    reason: str | None


class Drift(msgspec.Struct, frozen=True):
    """How a provider's fields moved on the wire, in words, and when that was noticed."""

    at: datetime
    message: str


class _Dynamic(msgspec.Struct, frozen=True):
    """What is asked of a price document that is otherwise handed on as it is."""

    dynamic: bool = False


class _Incomplete(msgspec.Struct, frozen=True):
    """The same of its fields that are stated and not read."""

    incomplete: tuple[str, ...] | None = None


# Models, as JSON has them

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
PerToken = Annotated[str | None, Meta(description="USD per token.")]
Tokens = Annotated[int | None, Meta(description="Tokens.")]
Stated = Annotated[bool | None, Meta(description="null where the provider does not say.")]
Document = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
Names = Annotated[Raw, Meta(extra_json_schema={"type": "array", "items": {"type": "string"}})]


class RecordedModel(msgspec.Struct, frozen=True):
    """A model now or in the past, with what history keeps. None is "not stated"; documents are as they were written."""

    provider: Annotated[str, Meta(description="The provider's slug.")]
    provider_model_id: Annotated[str, Meta(description="The id to call it by, byte for byte as the provider writes it.")]
    model_id: Annotated[str | None, Meta(description="The id this catalog offers it under: the same, unless it is pinned.")]
    model_name: str | None
    description: str | None
    context_length: Tokens
    max_output_tokens: Tokens
    modality: Annotated[str | None, Meta(description="Both sides in one word: text+image->text.")]
    input_modalities: Names | None
    output_modalities: Names | None
    pricing_prompt: PerToken
    pricing_completion: PerToken
    pricing_image: Annotated[str | None, Meta(description="USD per image.")]
    pricing_request: Annotated[str | None, Meta(description="USD per request.")]
    pricing: Annotated[Document, Meta(description="The whole price: these, and those that have no field of their own.")]
    supports_streaming: Stated
    supports_function_calling: Stated
    supports_vision: Stated
    supports_reasoning: Stated
    supports_structured_output: Stated
    is_active: Annotated[bool | None, Meta(description="Whether it can be called, as far as its provider or an operator says.")]
    status: Annotated[str, Meta(description="active; missing while the last complete listings lacked it; retired after long enough.")]
    released_at: Time | None
    expires_at: Time | None
    hugging_face_id: str | None

    @property
    def dynamic_price(self) -> bool:
        """Whether its price varies by request: neither unknown nor free."""
        return msgspec.json.decode(self.pricing, type=_Dynamic).dynamic

    @property
    def price_incomplete(self) -> bool:
        """Whether its price is not whole: fields that a call may pay are stated, and not read."""
        return bool(msgspec.json.decode(self.pricing, type=_Incomplete).incomplete)
