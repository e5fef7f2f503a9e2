"""The tables of the catalog, for both databases. Migrations create them; a test proves that both agree."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from modelsync.model import times


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware UTC time: `timestamptz` in Postgres, sortable ISO text (2026-11-22T20:10:00.000000Z) in SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """The column type of a dialect."""
        return dialect.type_descriptor(sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """To the database. ValueError for a time without a zone."""
        if value is None:
            return None
        return times.aware(value) if dialect.name == "postgresql" else time_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """From the database. Without a zone, as somebody may have written it by hand, it is UTC."""
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        return time.replace(tzinfo=UTC) if isinstance(time, datetime) and time.tzinfo is None else time


class Money(sa.TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC without scale in Postgres, canonical text in SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """The column type of a dialect."""
        return dialect.type_descriptor(sa.Numeric() if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> Any:
        """To the database."""
        return value if value is None or dialect.name == "postgresql" else f"{value:f}"

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        """From the database, without trailing zeros."""
        return None if value is None else Decimal(value)


class JsonDocument(sa.TypeDecorator[Any]):
    """A JSON document: `jsonb` in Postgres, text in SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """The column type of a dialect."""
        return dialect.type_descriptor(postgresql.JSONB(none_as_null=True) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """To the database."""
        return value if value is None or dialect.name == "postgresql" else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """From the database."""
        return value if value is None or dialect.name == "postgresql" else msgspec.json.decode(value)


@lru_cache(maxsize=256)  # all rows of one sync share its time
def time_text(value: datetime) -> str:
    """The text form of a time in SQLite. ValueError for one without a zone."""
    return times.aware(value).astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", Key, sa.Identity(), primary_key=True)


def _flags(*names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text) for name in names]


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in names]


COUNT_COLUMNS = ("fetched", "transformed", "skipped", "synced", "created", "updated", "unchanged", "missing", "retired", "held")

providers = sa.Table(
    "providers",
    metadata,
    _id(),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    *_texts("description", "base_url", "api_key_env_var", "site_url", "logo_url", "status_page_url"),
    *_texts("privacy_policy_url", "terms_of_service_url"),
    sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
    *_flags("supports_streaming", "supports_function_calling", "supports_vision", "supports_image_generation"),
    sa.Column("health_status", sa.Text, nullable=False, server_default="unknown"),
    # An operator decided the health; the sync record does not move it.
    sa.Column("health_pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("metadata", JsonDocument, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
)

LISTED = (
    *("provider_id", "provider_model_id", "is_active", "status", "model_name", "context_length", "pricing_prompt", "pricing_completion"),
    *("modality", "input_modalities", "output_modalities", "updated_at", "supports_streaming", "supports_function_calling"),
    *("supports_vision", "supports_reasoning", "supports_structured_output"),
)
"""Everything that models are chosen and sorted by: a tenth of a row. Postgres takes no index entries as long as names may be."""

IS_PRICED = "status <> 'retired' AND pricing <> '{}'"
"""Models with a price, in the words of an index on both databases."""

models = sa.Table(
    "models",
    metadata,
    _id(),
    sa.Column("provider_id", Key, sa.ForeignKey("providers.id"), nullable=False),
    sa.Column("provider_model_id", sa.Text, nullable=False),
    sa.Column("model_id", sa.Text, nullable=False),
    *_texts("model_name", "description"),
    sa.Column("context_length", sa.BigInteger),
    sa.Column("max_output_tokens", sa.BigInteger),
    sa.Column("modality", sa.Text),
    sa.Column("input_modalities", JsonDocument),
    sa.Column("output_modalities", JsonDocument),
    sa.Column("pricing_prompt", Money),
    sa.Column("pricing_completion", Money),
    sa.Column("pricing_image", Money),
    sa.Column("pricing_request", Money),
    sa.Column("pricing", JsonDocument, nullable=False),
    *_flags("supports_streaming", "supports_function_calling", "supports_vision", "supports_reasoning", "supports_structured_output"),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("missing_since", UtcTime),
    sa.Column("missing_since_seq", Key),
    sa.Column("released_at", UtcTime),
    sa.Column("expires_at", UtcTime),
    sa.Column("hugging_face_id", sa.Text),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("metadata", JsonDocument, nullable=False),
    sa.Column("first_seen_at", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.UniqueConstraint("provider_id", "provider_model_id"),
    # Reading all hashes of one provider never touches the rows themselves.
    sa.Index("ix_models_hashes", "provider_id", "provider_model_id", "content_hash"),
    # Counting what is active reads no row; nor does, in SQLite, anything that models are chosen and sorted by.
    sa.Index("ix_models_is_active", "is_active", "provider_id", "provider_model_id").ddl_if(dialect="postgresql"),
    sa.Index("ix_models_listed", *LISTED).ddl_if(dialect="sqlite"),
    sa.Index("ix_models_pricing_prompt", "pricing_prompt").ddl_if(dialect="postgresql"),
    sa.Index("ix_models_pricing_completion", "pricing_completion").ddl_if(dialect="postgresql"),
    sa.Index("ix_models_priced", "provider_id", sqlite_where=sa.text(IS_PRICED), postgresql_where=sa.text(IS_PRICED)),
    sa.Index(
        "ix_models_missing", "provider_id", sqlite_where=sa.text("status <> 'active'"), postgresql_where=sa.text("status <> 'active'")
    ),
)

sync_runs = sa.Table(
    "sync_runs",
    metadata,
    _id(),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("duration_seconds", sa.Double),
    *_counts("providers_processed"),
    *_counts(*COUNT_COLUMNS),
    # Renewed while the run is alive.
    sa.Column("heartbeat_at", UtcTime),
    sa.Index("ix_sync_runs_started_at", "started_at"),
)

sync_results = sa.Table(
    "sync_results",
    metadata,
    _id(),
    sa.Column("run_id", Key, sa.ForeignKey("sync_runs.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("error_kind", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("warnings", JsonDocument, nullable=False),
    sa.Column("duration_seconds", sa.Double, nullable=False),
    sa.Column("finished_at", UtcTime, nullable=False),
    *_counts(*COUNT_COLUMNS),
    # The version of the provider's module that read what was committed.
    sa.Column("version", sa.Integer),
    sa.UniqueConstraint("run_id", "provider"),
    sa.Index("ix_sync_results_provider", "provider", "run_id"),
    sa.Index("ix_sync_results_finished_at", "finished_at"),
)

model_changes = sa.Table(
    "model_changes",
    metadata,
    _id(),
    sa.Column("run_id", Key, sa.ForeignKey("sync_runs.id"), nullable=False),
    sa.Column("provider_id", Key, sa.ForeignKey("providers.id"), nullable=False),
    sa.Column("provider_model_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("fields", JsonDocument, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Index("ix_model_changes_model", "provider_id", "provider_model_id", "id"),
    sa.Index("ix_model_changes_run", "run_id"),
    sa.Index(
        "ix_model_changes_retired",
        "provider_id",
        "changed_at",
        sqlite_where=sa.text("kind = 'retired'"),
        postgresql_where=sa.text("kind = 'retired'"),
    ),
)

provider_state = sa.Table(
    "provider_state",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    # The lease of the sync that is running: nobody else commits while it is valid, and it commits only while it is.
    sa.Column("ticket_seq", Key, nullable=False, server_default="0"),
    sa.Column("ticket_token", sa.Text),
    sa.Column("ticket_run_id", Key),
    sa.Column("ticket_until", UtcTime),
    sa.Column("committed_seq", Key, nullable=False, server_default="0"),
    # What may be taken as unchanged: valid for this scope (options, key, origin) and this version of the normalizer.
    sa.Column("scope", sa.Text),
    sa.Column("normalizer_version", sa.Integer),
    sa.Column("digest", sa.Text),
    sa.Column("validators", JsonDocument),
    sa.Column("listed", JsonDocument),
    # Complete listings: how many, and when the last one.
    sa.Column("complete_seq", Key, nullable=False, server_default="0"),
    sa.Column("last_complete_at", UtcTime),
    # The scope in which absence was counted last, and the models that are not listed because it changed.
    sa.Column("absence_scope", sa.Text),
    # The same without the key.
    sa.Column("absence_place", sa.Text),
    sa.Column("outside_scope", JsonDocument),
    sa.Column("last_success_at", UtcTime),
    sa.Column("last_attempt_at", UtcTime),
    sa.Column("failures_in_a_row", sa.Integer, nullable=False, server_default="0"),
    # How often this provider's part of the catalog was written; the sum over all providers is the catalog's revision.
    sa.Column("revision", Key, nullable=False, server_default="0"),
    # Another number at random with every such write: a catalog that was restored, and written anew, counts to the same revisions.
    sa.Column("edition", Key, nullable=False, server_default="0"),
    # Set while a rollback keeps syncs out.
    sa.Column("frozen_at", UtcTime),
    sa.Column("frozen_reason", sa.Text),
    # How often each field of the wire was filled, by type, in the last complete listing; and how that last moved.
    sa.Column("wire_fields", JsonDocument),
    sa.Column("drift", JsonDocument),
    sa.Column("drift_at", UtcTime),
    # The version of the provider's module that has seen every active model.
    sa.Column("read_version", sa.Integer),
    # How many rows the last listing lacked of those it says it has, and how many listings in a row lacked as many.
    sa.Column("shortfall", Key, nullable=False, server_default="0"),
    sa.Column("shortfall_listings", sa.Integer, nullable=False, server_default="0"),
    # Limits of the guard that an operator set for this provider.
    sa.Column("guard", JsonDocument),
    # When it is synced by itself: what a person set, without which the settings say; and whether a person switched that off.
    sa.Column("schedule", sa.Text),
    sa.Column("schedule_off", sa.Boolean, nullable=False, server_default=sa.false()),
    # When the last attempt began that serves its schedule; how many that were set off by it failed in a row since one did not; and how many
    # leases were not given back since, because their processes died.
    sa.Column("last_served_at", UtcTime),
    sa.Column("retries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("unended", sa.Integer, nullable=False, server_default="0"),
    # Until when the provider asked not to be asked.
    sa.Column("not_before", UtcTime),
)

known_rows = sa.Table(
    "known_rows",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    # Which program read the rows, with which version of the provider's module; and the provider's edition that they stand in.
    sa.Column("reader", sa.Text, nullable=False),
    sa.Column("edition", Key, nullable=False),
    # A digest of the provider's ids; and beside them in their order 16 bytes of the digest of each row, and one byte that says which list
    # of `incomplete` has the price fields of it that are not read.
    sa.Column("ids", sa.LargeBinary, nullable=False),
    sa.Column("digests", sa.LargeBinary, nullable=False),
    sa.Column("kinds", sa.LargeBinary, nullable=False),
    sa.Column("incomplete", JsonDocument, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    _id(),
    # A process that syncs by itself: where it runs, and since when.
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    # Renewed while it lives.
    sa.Column("heartbeat_at", UtcTime, nullable=False),
    # The providers that it can sync, with the scope (options, key, address) that it asks each in; and those that it syncs now.
    sa.Column("offers", JsonDocument, nullable=False),
    sa.Column("syncing", JsonDocument, nullable=False),
)

pauses = sa.Table(
    "pauses",
    metadata,
    _id(),
    # While there is a row, no sync of any provider begins or commits.
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

holds = sa.Table(
    "holds",
    metadata,
    _id(),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("ids", JsonDocument, nullable=False),
    sa.Column("times_seen", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("last_seen_at", UtcTime, nullable=False),
    sa.Column("resolved_at", UtcTime),
    *_texts("resolved_by", "reason"),
    # Of a held price: the fields with their live and stated values, and when a later listing first stated the same.
    sa.Column("detail", JsonDocument),
    sa.Column("agreed_at", UtcTime),
    # The ids that a decision is not about any more: of an absence listed since, of a price listed or decided since.
    sa.Column("over", JsonDocument),
    # No rule ends it until the provider says something else: a person took a decision about it back.
    sa.Column("needs_person", sa.Boolean, nullable=False, server_default=sa.false()),
    # Of held prices that a person confirmed: what stood of each model at these points, and what was believed last.
    sa.Column("stood", JsonDocument),
    sa.Index("ix_holds_provider", "provider", "status"),
)

upstream_values = sa.Table(
    "upstream_values",
    metadata,
    sa.Column("provider_id", Key, sa.ForeignKey("providers.id"), primary_key=True),
    sa.Column("provider_model_id", sa.Text, primary_key=True),
    # What the provider said last; what stands where no pin says otherwise; and since when which prices are not stated.
    sa.Column("stated", JsonDocument, nullable=False),
    sa.Column("believed", JsonDocument, nullable=False),
    sa.Column("silent", JsonDocument, nullable=False),
)

last_prices = sa.Table(
    "last_prices",
    metadata,
    # A price that was believed last and does not stand now: the model has no price at this point, or it varies.
    sa.Column("provider_id", Key, sa.ForeignKey("providers.id"), primary_key=True),
    sa.Column("provider_model_id", sa.Text, primary_key=True),
    sa.Column("field", sa.Text, primary_key=True),
    sa.Column("condition", sa.Text, primary_key=True),
    sa.Column("usd", Money, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
)

pins = sa.Table(
    "pins",
    metadata,
    _id(),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("provider_model_id", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("value", JsonDocument),
    # The value that stood beneath when the pin was set.
    sa.Column("beneath", JsonDocument),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.UniqueConstraint("provider", "provider_model_id", "field"),
)

answers = sa.Table(
    "answers",
    metadata,
    _id(),
    sa.Column("run_id", Key, sa.ForeignKey("sync_runs.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("bytes", Key, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.UniqueConstraint("run_id", "provider", "position"),
    sa.Index("ix_answers_digest", "digest"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False),
    # SHA-256 of the key, in hex: the key itself is nowhere.
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    _id(),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
)
