"""Rows of models and providers as values of JSON: the text of the database goes into an answer as it is."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from modelsync.database import schema
from modelsync.model.records import Document, RecordedModel, Time
from modelsync.queries.filters import Element

_POSTGRES_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_BOOLEANS = {None: None, 0: False, 1: True}


class ModelRow(RecordedModel, frozen=True):
    """One model of the catalog."""

    model_id: Annotated[str, Meta(description="The id this catalog offers it under: the same, unless it is pinned.")]
    is_active: Annotated[bool, Meta(description="Whether it can be called, as far as its provider or an operator says.")]
    id: int
    provider_id: int
    missing_since: Time | None
    content_hash: str
    metadata: Annotated[Document, Meta(description="What the provider says beside that, as it says it.")]
    first_seen_at: Time
    created_at: Time
    updated_at: Time
    price_incomplete: Annotated[bool, Meta(description="A call may pay more: `pricing.incomplete` names what is stated and not read.")]


class CountedModelRow(ModelRow, frozen=True):
    """The same with the number of the complete listing that it went missing in, as the command line shows it."""

    missing_since_seq: int | None


class ProviderRow(msgspec.Struct, frozen=True):
    """One provider of the catalog, with how many models it has."""

    id: int
    slug: str
    name: str
    description: str | None
    base_url: str | None
    api_key_env_var: str | None
    site_url: str | None
    logo_url: str | None
    status_page_url: str | None
    privacy_policy_url: str | None
    terms_of_service_url: str | None
    is_active: bool
    supports_streaming: bool | None
    supports_function_calling: bool | None
    supports_vision: bool | None
    supports_image_generation: bool | None
    health_status: str
    health_pinned: bool
    metadata: Document
    created_at: Time
    updated_at: Time
    model_count: int


Row = TypeVar("Row", bound=msgspec.Struct)


class RowShape(Generic[Row]):
    """How what is selected becomes rows of a kind: each field is the column of its name, or one of the `others`."""

    def __init__(self, kind: type[Row], table: sa.Table, dialect: str, **others: Element) -> None:
        self._kind = kind
        elements = [others[name] if name in others else table.c[name] for name in kind.__struct_fields__]
        self.columns = [_as_json(element, dialect) for element in elements]
        self._documents = [place for place, element in enumerate(elements) if isinstance(element.type, schema.JsonDocument)]
        self._flags = [place for place, element in enumerate(elements) if isinstance(element.type, sa.Boolean) and dialect == "sqlite"]

    def row(self, selected: Sequence[Any]) -> Row:
        """A row of what was selected: its columns first, whatever else after them."""
        values = list(selected[: len(self.columns)])
        for place in self._documents:
            if values[place] is not None:
                values[place] = msgspec.Raw(values[place])
        for place in self._flags:
            values[place] = _BOOLEANS[values[place]]
        return self._kind(*values)


def _as_json(element: Element, dialect: str) -> Element:
    """A column as the text that its JSON is made of."""
    kind = element.type
    if dialect == "sqlite":
        ours = isinstance(kind, schema.UtcTime | schema.Money | schema.JsonDocument | sa.Boolean)
        return sa.type_coerce(element, sa.Integer if isinstance(kind, sa.Boolean) else sa.Text) if ours else element
    if isinstance(kind, schema.UtcTime):
        return sa.func.to_char(sa.func.timezone("UTC", element), _POSTGRES_TIME)
    return sa.cast(element, sa.Text) if isinstance(kind, schema.Money | schema.JsonDocument) else element
