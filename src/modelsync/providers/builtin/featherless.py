"""Featherless. Prices: none; a flat subscription, so every price is not stated."""

import msgspec

from modelsync.model.model import Model
from modelsync.providers.base import ApiKey, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, unix_time

TOKEN_UNITS = TokenUnits(reason="the list has no prices")


class Features(msgspec.Struct, frozen=True):
    tool_use: bool | None = None


class Row(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None
    created: float | None = None
    context_length: Count | None = None  # the model's; a plan may allow less
    max_completion_tokens: Count | None = None
    features: Features | None = None


def normalize(row: Row) -> Model:
    return Model(
        id=row.id,
        model_name=row.name,
        context_length=count(row.context_length),
        max_output_tokens=count(row.max_completion_tokens),
        # The list serves one text completion API and states no modality; pictures work with some models, which is not told here.
        input_modalities=("text",),
        output_modalities=("text",),
        supports_function_calling=row.features.tool_use if row.features else None,
        released_at=unix_time(row.created),
    )


def precedence(row: Row) -> float:
    """Some ids come twice and differ only in `created`; the oldest is taken, whatever the order of the answer."""
    return row.created or float("inf")


PROVIDER = Provider(
    slug="featherless",
    version=2,
    name="Featherless",
    description="Thousands of open models for one flat subscription",
    site_url="https://featherless.ai",
    docs_url="https://featherless.ai/docs/api-reference-models",
    privacy_policy_url="https://featherless.ai/privacy",
    terms_of_service_url="https://featherless.ai/terms",
    base_url="https://api.featherless.ai/v1",
    price_unit="none (flat subscription)",
    token_units=TOKEN_UNITS,
    verified="complete recording of 2026-04",
    auth=ApiKey(("FEATHERLESS_API_KEY", "FEATHERLESS_AI_API_KEY", "FEATHERLESSAI_API_KEY")),
    endpoints=(
        Endpoint(
            # Without paging parameters everything comes at once, about 8 MB.
            url="https://api.featherless.ai/v1/models",
            row=Row,
            totals=("total", "pagination.total_items"),
            further=(),
            key=KeyUse.OPTIONAL,
        ),
    ),
    normalize=normalize,
    sync_hours=6,
    precedence=precedence,
    deadline=120.0,
)
