"""Choosing and sorting models in SQLite without reading their rows."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """In SQLite, one index over all that models are chosen by takes the place of the narrower one."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.drop_index("ix_models_is_active", "models")
    names = "provider_id provider_model_id is_active status model_name context_length pricing_prompt pricing_completion modality"
    more = "input_modalities output_modalities updated_at"
    abilities = "supports_streaming supports_function_calling supports_vision supports_reasoning supports_structured_output"
    op.create_index("ix_models_listed", "models", f"{names} {more} {abilities}".split())
