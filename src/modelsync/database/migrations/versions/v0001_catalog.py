"""The catalog: providers, models, runs, results, changes, state."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
MONEY = sa.Numeric().with_variant(sa.Text(), "sqlite")
DOCUMENT = JSONB().with_variant(sa.Text(), "sqlite")
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTS = ("fetched", "transformed", "skipped", "synced", "created", "updated", "unchanged", "missing", "retired", "held")


def _id() -> sa.Column[int]:
    return sa.Column("id", KEY, sa.Identity(), nullable=False)


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False, server_default="0") for name in names]


def _flags(*names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean()) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text()) for name in names]


def upgrade() -> None:
    """Create all tables."""
    _providers()
    _models()
    _runs()
    _changes_and_state()


def _providers() -> None:
    op.create_table(
        "providers",
        _id(),
        _needed("slug", sa.Text()),
        _needed("name", sa.Text()),
        *_texts("description", "base_url", "api_key_env_var", "site_url", "logo_url", "status_page_url"),
        *_texts("privacy_policy_url", "terms_of_service_url"),
        sa.Column("is_active", sa.Boolean(), nullable=False, server_default=sa.true()),
        *_flags("supports_streaming", "supports_function_calling", "supports_vision", "supports_image_generation"),
        sa.Column("health_status", sa.Text(), nullable=False, server_default="unknown"),
        _needed("metadata", DOCUMENT),
        _needed("created_at", TIME),
        _needed("updated_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_providers"),
        sa.UniqueConstraint("slug", name="uq_providers_slug"),
    )


def _models() -> None:
    op.create_table(
        "models",
        _id(),
        _needed("provider_id", KEY),
        _needed("provider_model_id", sa.Text()),
        _needed("model_id", sa.Text()),
        *_texts("model_name", "description"),
        sa.Column("context_length", sa.BigInteger()),
        sa.Column("max_output_tokens", sa.BigInteger()),
        *_texts("modality"),
        sa.Column("input_modalities", DOCUMENT),
        sa.Column("output_modalities", DOCUMENT),
        *(sa.Column(f"pricing_{name}", MONEY) for name in ("prompt", "completion", "image", "request")),
        _needed("pricing", DOCUMENT),
        *_flags("supports_streaming", "supports_function_calling", "supports_vision", "supports_reasoning", "supports_structured_output"),
        _needed("is_active", sa.Boolean()),
        _needed("status", sa.Text()),
        sa.Column("missing_since", TIME),
        sa.Column("missing_since_seq", KEY),
        sa.Column("released_at", TIME),
        sa.Column("expires_at", TIME),
        *_texts("hugging_face_id"),
        _needed("content_hash", sa.Text()),
        _needed("metadata", DOCUMENT),
        _needed("first_seen_at", TIME),
        _needed("created_at", TIME),
        _needed("updated_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name="fk_models_provider_id"),
        sa.UniqueConstraint("provider_id", "provider_model_id", name="uq_models_provider_id_provider_model_id"),
    )
    op.create_index("ix_models_hashes", "models", ["provider_id", "provider_model_id", "content_hash"])
    absent = sa.text("status <> 'active'")
    op.create_index("ix_models_missing", "models", ["provider_id"], sqlite_where=absent, postgresql_where=absent)
    if op.get_bind().dialect.name == "sqlite":
        # Exact decimals are text there; these sort and filter them as numbers.
        for name in ("pricing_prompt", "pricing_completion"):
            op.execute(f"ALTER TABLE models ADD COLUMN {name}_real REAL GENERATED ALWAYS AS (CAST({name} AS REAL)) VIRTUAL")
            op.create_index(f"ix_models_{name}_real", "models", [f"{name}_real"])
    else:
        for name in ("pricing_prompt", "pricing_completion"):
            op.create_index(f"ix_models_{name}", "models", [name])


def _runs() -> None:
    op.create_table(
        "sync_runs",
        _id(),
        _needed("status", sa.Text()),
        _needed("trigger", sa.Text()),
        _needed("started_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("duration_seconds", sa.Double()),
        *_counts("providers_processed", *COUNTS),
        sa.PrimaryKeyConstraint("id", name="pk_sync_runs"),
    )
    op.create_table(
        "sync_results",
        _id(),
        _needed("run_id", KEY),
        _needed("provider", sa.Text()),
        _needed("outcome", sa.Text()),
        *_texts("error_kind", "error"),
        _needed("warnings", DOCUMENT),
        _needed("duration_seconds", sa.Double()),
        _needed("finished_at", TIME),
        *_counts(*COUNTS),
        sa.PrimaryKeyConstraint("id", name="pk_sync_results"),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name="fk_sync_results_run_id"),
        sa.UniqueConstraint("run_id", "provider", name="uq_sync_results_run_id_provider"),
    )
    op.create_index("ix_sync_results_provider", "sync_results", ["provider", "run_id"])


def _changes_and_state() -> None:
    op.create_table(
        "model_changes",
        _id(),
        _needed("run_id", KEY),
        _needed("provider_id", KEY),
        _needed("provider_model_id", sa.Text()),
        _needed("kind", sa.Text()),
        _needed("fields", DOCUMENT),
        _needed("changed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_model_changes"),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name="fk_model_changes_run_id"),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name="fk_model_changes_provider_id"),
    )
    op.create_index("ix_model_changes_model", "model_changes", ["provider_id", "provider_model_id", "id"])
    op.create_index("ix_model_changes_run", "model_changes", ["run_id"])
    op.create_table(
        "provider_state",
        _needed("provider", sa.Text()),
        sa.Column("ticket_seq", KEY, nullable=False, server_default="0"),
        *_texts("ticket_token"),
        sa.Column("ticket_run_id", KEY),
        sa.Column("ticket_until", TIME),
        sa.Column("committed_seq", KEY, nullable=False, server_default="0"),
        *_texts("scope"),
        sa.Column("normalizer_version", sa.Integer()),
        *_texts("digest"),
        sa.Column("validators", DOCUMENT),
        sa.Column("listed", DOCUMENT),
        sa.Column("complete_seq", KEY, nullable=False, server_default="0"),
        sa.Column("last_complete_at", TIME),
        sa.Column("last_success_at", TIME),
        sa.Column("last_attempt_at", TIME),
        sa.Column("failures_in_a_row", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("provider", name="pk_provider_state"),
    )
