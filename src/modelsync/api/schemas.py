"""What answers look like: the schema in OpenAPI is made of these. Prices are texts with exact digits; times are UTC."""

from typing import Annotated, Any

import msgspec

from modelsync.model import records
from modelsync.model.records import Moment as Time
from modelsync.model.records import RecordedAct, RecordedPause
from modelsync.queries.counts import IncompletePrices, ModelCounts, ProviderCounts
from modelsync.queries.rows import ModelRow, ProviderRow
from modelsync.queries.schedules import Advice, ScheduledProvider
from modelsync.queries.workers import ShownWorker


class Error(msgspec.Struct, frozen=True):
    """What is wrong, in one sentence."""

    detail: str


class Model(ModelRow, frozen=True):
    """One model. null is "not stated", everywhere; a price of "0" is stated to be free."""


class Fresh(msgspec.Struct, frozen=True, kw_only=True):
    """Of which state of the catalog an answer is; `as_of` is the time of the last successful sync."""

    revision: int
    as_of: Time | None


class Paged(msgspec.Struct, frozen=True, kw_only=True):
    """How many match in all, and which of them an answer has."""

    total: int
    returned: int
    limit: int
    offset: int


class Units(msgspec.Struct, frozen=True):
    """The units of what is in an answer, and of the filters that led to it."""

    prices: str = "USD per token"
    min_price: str = "USD per million prompt tokens"
    max_price: str = "USD per million prompt tokens"
    lengths: str = "tokens"


class ModelPage(Paged, frozen=True, kw_only=True):
    """Some of the models that match, how many do in all, and where to go on. `as_of` is the time of the last successful sync."""

    data: list[Model]
    next_cursor: str | None
    revision: int
    as_of: Time | None
    units: Units


class OneModel(Model, frozen=True, kw_only=True):
    """One model, and how fresh that is."""

    revision: int
    as_of: Time | None


class ModelStats(ModelCounts, frozen=True, kw_only=True):
    """total = active + inactive = priced + unpriced (by the prompt price); free ones are priced."""

    by_provider: dict[str, int]
    revision: int
    as_of: Time | None


class Provider(ProviderRow, frozen=True):
    """One provider: facts, what at least one of its active models supports, and its health as its syncs or an operator show it."""


class ProviderPage(Paged, frozen=True, kw_only=True):
    """Some of the providers that match, and how many do in all."""

    data: list[Provider]
    revision: int
    as_of: Time | None


class OneProvider(Provider, frozen=True, kw_only=True):
    """One provider, and how fresh that is."""

    revision: int
    as_of: Time | None


class ProviderStats(ProviderCounts, frozen=True, kw_only=True):
    """total = active + inactive = healthy + degraded + down + unknown."""

    revision: int
    as_of: Time | None


class Deleted(msgspec.Struct, frozen=True):
    """What is gone."""

    deleted: bool
    id: int


class Upserted(msgspec.Struct, frozen=True):
    """What a bulk write did: all of it, or nothing."""

    created: int
    updated: int
    ids: list[int]


class Slugs(msgspec.Struct, frozen=True):
    """The providers that can be synced, sorted."""

    providers: list[str]
    count: int


class SyncResponse(msgspec.Struct, frozen=True):
    """What came of a sync, or that it has begun. `details` is that of one provider, or of all."""

    success: bool
    message: str
    details: dict[str, Any]


class ProvidersInStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Providers in the catalog, and those that can be synced."""

    in_database: int
    with_fetch_functions: int
    fetchable_in_db: int
    fetchable_not_in_db: int
    stats: dict[str, int]


class ModelsInStatus(msgspec.Struct, frozen=True):
    """Models by what they are."""

    stats: dict[str, Any]


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How far a provider's part of the catalog is of now. Ages are in seconds."""

    provider: str
    last_success_at: Time | None
    age_seconds: float | None
    state: str
    models: int
    held: int
    error: str | None
    refused: Annotated[
        str | None, msgspec.Meta(description="Who rejected the list that the provider shows now, and how to take that back.")
    ]
    frozen_at: Time | None
    frozen_reason: str | None
    drift: list[dict[str, Any]]
    guard: Annotated[dict[str, Any], msgspec.Meta(description="Limits of the guard that are set for it.")]


class HeldNow(msgspec.Struct, frozen=True):
    """What waits for a person, by kind."""

    total: int
    by_kind: dict[str, int]


class Incomplete(IncompletePrices, frozen=True):
    """Models of a provider whose price is not whole, and how many of them lack which field."""


class Pause(RecordedPause, frozen=True):
    """Who keeps every sync out, since when, and why."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the catalog and of its syncs."""

    providers: ProvidersInStatus
    models: ModelsInStatus
    fetchable_providers: list[str]
    fetchable_in_db: list[str]
    fetchable_not_in_db: list[str]
    freshness: list[Freshness]
    held: HeldNow
    rejected: "Rejections"
    incomplete_prices: Annotated[dict[str, Incomplete], msgspec.Meta(description="By provider; retired models are left out.")]
    pause: Pause | None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the models that a list names: fetched = transformed + skipped, transformed = created + updated + unchanged."""

    fetched: int
    transformed: int
    skipped: int
    synced: int
    created: int
    updated: int
    unchanged: int
    missing: int
    retired: int
    held: int


class Run(Counts, frozen=True, kw_only=True):
    """One run, with the sums over its providers."""

    id: int
    status: str
    trigger: str
    started_at: Time
    finished_at: Time | None
    duration_seconds: float | None
    providers_processed: int
    heartbeat_at: Time | None


class Result(Counts, frozen=True, kw_only=True):
    """One provider's part of a run."""

    provider: str
    outcome: str
    error_kind: str | None
    error: str | None
    warnings: list[str]
    duration_seconds: float
    finished_at: Time


class Runs(Paged, frozen=True, kw_only=True):
    """Runs, newest first."""

    data: list[Run]


class OneRun(msgspec.Struct, frozen=True):
    """A run and each provider's result in it."""

    run: Run
    results: list[Result]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a model in one run: `fields` are `{field: {"old": …, "new": …}}`. Prices are USD per token."""

    id: int
    provider: str
    provider_model_id: str
    kind: str
    fields: dict[str, Any]
    changed_at: records.Time
    run_id: int


class Changes(Fresh, frozen=True, kw_only=True):
    """Changes, newest first; `next_before` is the `before` of the next page."""

    data: list[Change]
    returned: int
    limit: int
    next_before: int | None


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync found and did not believe, and what became of it. `detail` is `{field: [live, stated]}` of held prices.

    `over` are ids that the decision is not about any more: listed again, or their price was listed or decided since; `commands` decide it,
    or take the decision back.
    """

    id: int
    provider: str
    kind: str
    status: Annotated[str, msgspec.Meta(description="open, rejected, confirmed, superseded, released or closed.")]
    message: str
    hint: str
    ids: list[str]
    times_seen: int
    created_at: Time
    last_seen_at: Time
    resolved_at: Time | None
    resolved_by: Annotated[str | None, msgspec.Meta(description='Who decided; "sync" where a later listing did away with it.')]
    reason: str | None
    detail: Any
    needs_person: Annotated[bool, msgspec.Meta(description="No rule ends it until the provider says something else.")]
    over: list[str]
    commands: list[str]


class Holds(msgspec.Struct, frozen=True):
    """Holds of a status, oldest first."""

    data: list[Hold]
    total: int


class Rejections(msgspec.Struct, frozen=True):
    """What persons rejected and have not taken back; `left_in_place` counts, by provider, models that stay because of it, not listed."""

    total: int
    left_in_place: dict[str, int]
    data: list[Hold]


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the guard that are set for a provider (null: those of the settings hold), and what the settings say."""

    provider: str
    guard: dict[str, Any]
    settings: dict[str, Any]


class Guards(msgspec.Struct, frozen=True):
    """Every provider for which a limit is set."""

    data: list[Guard]
    total: int


class Schedules(msgspec.Struct, frozen=True):
    """Every provider's schedule, and the database's time."""

    now: Time
    data: list[ScheduledProvider]
    total: int


class Workers(msgspec.Struct, frozen=True):
    """Every process that syncs by itself, those that died within a day too."""

    data: list[ShownWorker]
    total: int


class Advices(msgspec.Struct, frozen=True):
    """What is known of how often each provider's list changes."""

    data: list[Advice]
    total: int


class Paused(msgspec.Struct, frozen=True):
    """Whether every sync is kept out."""

    paused: bool


class Decided(msgspec.Struct, frozen=True):
    """The holds that were decided."""

    decision: str
    data: list[Hold]


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A value that an operator decided; `upstream` is what the provider says beneath it now, and whether that `moved` since."""

    provider: str
    provider_model_id: str
    field: str
    value: Any
    beneath: Any
    upstream: Any
    moved: bool
    author: str
    reason: str
    created_at: Time
    expires_at: Time | None


class Pins(msgspec.Struct, frozen=True):
    """Every pin."""

    data: list[Pin]
    total: int


class Unpinned(msgspec.Struct, frozen=True):
    """The fields that were pinned."""

    provider: str
    provider_model_id: str
    fields: list[str]


class RolledBack(msgspec.Struct, frozen=True):
    """The run of the rollback (null: nothing to do), and how many models it moved. The provider is paused until it is resumed."""

    provider: str
    run_id: int | None
    models: int


class Thawed(msgspec.Struct, frozen=True):
    """The provider syncs again."""

    provider: str
    thawed: bool


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A model that differs between two times."""

    kind: str
    provider: str
    provider_model_id: str
    fields: dict[str, Any]


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """The catalog at two times compared."""

    before: Time
    after: Time
    models_before: int
    models_after: int
    data: list[Difference]
    total: int


class PastModels(Paged, frozen=True, kw_only=True):
    """Models as they stood at a time, in the columns that history keeps; `began_at` is when that begins."""

    at: Time
    began_at: Time | None
    data: list[dict[str, Any]]


class Explanations(msgspec.Struct, frozen=True):
    """How the values of a model came to be, field by field."""

    provider: str
    provider_model_id: str
    fields: list[dict[str, Any]]


class AuditRow(RecordedAct, frozen=True):
    """What somebody decided, when and why."""


class Audit(msgspec.Struct, frozen=True):
    """What persons decided, newest first."""

    data: list[AuditRow]
    returned: int
    limit: int


class OpenAIModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model in the shape of OpenAI's API; `created` is in seconds since 1970.

    Prices are texts in USD per token; null is unknown, unless the price is `dynamic`: it varies by request. While it is `incomplete`, a
    call may pay more than these.
    """

    id: str
    object: str
    created: int
    owned_by: str
    name: str | None
    context_length: int | None
    max_output_tokens: int | None
    pricing: dict[str, Any]


class OpenAIList(msgspec.Struct, frozen=True):
    """All active models in the shape of OpenAI's API."""

    object: str
    data: list[OpenAIModel]


class Alive(msgspec.Struct, frozen=True):
    """The server answers."""

    status: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the catalog can be read, its schema, and how many providers are how fresh."""

    status: str
    database: str
    schema: str | None
    freshness: dict[str, int]


ALL = tuple(
    value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == __name__
)
"""Every shape."""
