"""A catalog that programs read: models with exact prices, changes, and its state."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Self, get_args

import msgspec

from modelsync.errors import UsageError
from modelsync.model.model import Prices
from modelsync.model.timeline import RecordedChange
from modelsync.programs.functions import listed, program
from modelsync.providers import registry
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.history import ChangeFilter, History
from modelsync.queries.reader import Reader
from modelsync.queries.rows import ModelRow
from modelsync.queries.status import Status, read_status
from modelsync.sync.store import Store

ModelStatus = Literal["active", "missing", "retired"]
ModelOrder = Literal["provider", "name", "price", "context", "changed", "ends"]
KindOfChange = Literal["added", "updated", "missing", "retired", "revived"]


class CatalogModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model as the catalog has it. None is "not stated"; times are UTC.

    `pricing_prompt` and `pricing_completion` are USD per token, `pricing_image` USD per image, `pricing_request` USD per request: None is
    unknown, 0 is stated to be free. `prices` is the whole price, with what has no field of its own (cache, tiers, per second).
    `price_incomplete` says that a call may pay more than that. `model_id` is the id that this catalog offers it under.
    """

    id: int
    provider: str
    provider_id: int
    provider_model_id: str
    model_id: str
    model_name: str | None
    description: str | None
    context_length: int | None
    max_output_tokens: int | None
    modality: str | None
    input_modalities: tuple[str, ...] | None
    output_modalities: tuple[str, ...] | None
    pricing_prompt: Decimal | None
    pricing_completion: Decimal | None
    pricing_image: Decimal | None
    pricing_request: Decimal | None
    prices: Prices = msgspec.field(name="pricing")
    price_incomplete: bool
    supports_streaming: bool | None
    supports_function_calling: bool | None
    supports_vision: bool | None
    supports_reasoning: bool | None
    supports_structured_output: bool | None
    is_active: bool
    status: ModelStatus
    missing_since: datetime | None
    released_at: datetime | None
    expires_at: datetime | None
    hugging_face_id: str | None
    content_hash: str
    metadata: dict[str, Any]
    first_seen_at: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def dynamic_price(self) -> bool:
        """Whether its price varies by request: neither unknown nor free, though there is no number."""
        return self.prices.dynamic


class Catalog:
    """A catalog that is read while the `with` block runs: at an address as `--database` takes it, or the settings' own.

    Nothing is written; where there is no catalog yet, it is an empty one. Every method reads one state of the catalog and blocks for as
    long as that takes; it can be called from several threads. Entering raises SettingsError, or DatabaseError when it cannot be opened.
    """

    def __init__(self, database: str | None = None) -> None:
        """Nothing is opened before the `with` block."""
        self._database = database
        self._store: Store | None = None

    def __enter__(self) -> Self:
        if self._store is None:
            self._store = program(self._database).open_store(read_only=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back, as the end of the `with` block does."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def models(
        self,
        query: str = "",
        *,
        providers: Iterable[str] | None = None,
        modality: str | None = None,
        status: ModelStatus | None = None,
        min_context: int | None = None,
        max_price: float | Decimal | None = None,
        free: bool | None = None,
        vision: bool = False,
        tools: bool = False,
        reasoning: bool = False,
        inactive: bool = False,
        sort: ModelOrder = "provider",
        reverse: bool = False,
        limit: int | None = None,
    ) -> list[CatalogModel]:
        """The models that all words and filters match, as `modelsync models` finds them.

        `max_price` is USD per million prompt tokens, as people say it, while the prices of a model are per token; models without a
        known price are left out then. `vision`, `tools` and `reasoning` are for models that are stated to have them, `min_context` is in
        tokens. Retired models, and those that are not served, come with `inactive` or a `status` only. Unknown values are sorted last.

        Raises UsageError for an unknown provider, and for a value that no filter has.
        """
        store = self._open()
        _check("status", status, status is None or status in get_args(ModelStatus))
        _check("sort", sort, sort in get_args(ModelOrder))
        _check("max_price", max_price, max_price is None or 0 <= max_price <= MOST_DOLLARS)
        _check("limit", limit, limit is None or limit >= 0)
        abilities = {"supports_vision": vision, "supports_function_calling": tools, "supports_reasoning": reasoning}
        model_filter = ModelFilter(
            providers=_slugs(store, providers),
            query=query,
            modality=modality,
            status=status,
            active=None if inactive or status is not None else True,
            min_context=min_context,
            max_price=None if max_price is None else float(max_price),
            free=free,
            supports={name: True for name, is_needed in abilities.items() if is_needed},
            limit=limit,
        )
        return [_model(row) for row in Reader(store).matching(model_filter, Order(sort, reverse))]

    def model(self, slug: str, provider_model_id: str) -> CatalogModel | None:
        """One model by its provider and its id there, exactly; None when the catalog has none."""
        row, _ = Reader(self._open()).model_of(slug, provider_model_id)
        return None if row is None else _model(row)

    def changes(
        self,
        *,
        since: datetime | None = None,
        providers: Iterable[str] | None = None,
        model: str | None = None,
        field: str | None = None,
        kind: KindOfChange | None = None,
        limit: int | None = None,
    ) -> list[RecordedChange]:
        """Recorded changes from a time on, newest first.

        `fields` of each has the old and the new value by name, as JSON has them: prices are texts.

        Raises UsageError for an unknown provider, for a time without a zone, and for a value that no filter has.
        """
        store = self._open()
        _check("kind", kind, kind is None or kind in get_args(KindOfChange))
        _check("limit", limit, limit is None or limit >= 0)
        if since is not None and since.tzinfo is None:
            raise UsageError(f"since={since} has no zone", "Give it one, as datetime.now(UTC) has")
        chosen = ChangeFilter(since=since, providers=_slugs(store, providers), model=model, field=field, kind=kind, limit=limit)
        return History(store).changes(chosen)

    def status(self) -> Status:
        """How fresh the catalog is, by provider, what it holds, and what needs review."""
        return read_status(self._open())

    def _open(self) -> Store:
        if self._store is None:
            raise UsageError("The catalog is not open", "Read it inside `with modelsync.Catalog() as catalog:`")
        return self._store


MOST_DOLLARS = 1e9
"""The highest price per million tokens that can be asked for."""


def _check(name: str, value: object, is_possible: bool) -> None:
    """UsageError for a value that types forbid, in a program whose types nobody checks: it would be an empty answer."""
    if not is_possible:
        raise UsageError(f"{name}={value!r} is not possible", "docs/python.md and help(modelsync.Catalog) say what is")


registry.prepare(registry.load())  # as in functions, with what is imported here
_decoder = msgspec.json.Decoder(CatalogModel)


def _model(row: ModelRow) -> CatalogModel:
    """A row's texts as values. Rows are made to be JSON: their documents and times are those of the database as they are."""
    return _decoder.decode(msgspec.json.encode(row))


def _slugs(store: Store, providers: Iterable[str] | None) -> tuple[str, ...]:
    """NotThere for an unknown one."""
    named = listed(providers)
    return tuple(provider.slug for provider in registry.select(store.providers, named)) if named else ()
