"""Anannas. Prices: decimal strings, USD per token (per request for `request`); `input` and `output` have no known unit."""

import msgspec

from modelsync.model.model import Model, modalities
from modelsync.model.prices import USD_PER_REQUEST, USD_PER_TOKEN, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, stated_true

# `input` and `output`, the numbers of the other item shape, are missing on purpose: nothing says their unit. They are kept as received.
PRICES = {
    "prompt": Price("prompt", USD_PER_TOKEN),
    "completion": Price("completion", USD_PER_TOKEN),
    "request": Price("request", USD_PER_REQUEST, zero_is_free=False),
}

# Documented as per token for all models; those that write no text are not known to be billed so.
TOKEN_UNITS = TokenUnits(field="capabilities", types=frozenset({"text"}))

# The documented `capabilities` that say what comes out (docs.anannas.ai/models). `multimodal` does not say which inputs it means.
OUTPUT_OF_CAPABILITY = {"text": "text", "image_output": "image", "audio_output": "audio"}


class Row(openai_like.Row, frozen=True):
    """Both item shapes: the documented one, and the one that `?details=true` was seen to answer with.

    `created` is undocumented and not kept: other gateways send the time of the answer there.
    """

    context_length: Count | None = None
    context_window: Count | None = None
    max_output: Count | None = None
    pricing: dict[str, msgspec.Raw] | None = None
    capabilities: tuple[str, ...] | None = None
    supported_parameters: tuple[str, ...] | None = None


def normalize(row: Row) -> Model:
    capabilities, parameters = row.capabilities or (), row.supported_parameters or ()
    abilities = (*capabilities, *parameters)
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=count(row.context_length) or count(row.context_window),
        max_output_tokens=count(row.max_output),
        output_modalities=modalities(OUTPUT_OF_CAPABILITY[name] for name in capabilities if name in OUTPUT_OF_CAPABILITY),
        # The documented example leaves out abilities that its model has: absence says nothing.
        supports_streaming=stated_true(capabilities, "streaming"),
        supports_function_calling=stated_true(abilities, "tool_calling", "tools", "tool_choice"),
        supports_reasoning=stated_true(abilities, "reasoning", "include_reasoning"),
        supports_structured_output=stated_true(parameters, "structured_outputs"),
        metadata={"capabilities": sorted(capabilities), "supported_parameters": sorted(parameters)},
        prices=read_prices(PRICES, row.pricing or {}, per_token=TOKEN_UNITS.hold_for("text" if "text" in capabilities else None)),
    )


PROVIDER = Provider(
    slug="anannas",
    version=2,
    name="Anannas",
    description="One API for the models of many providers",
    site_url="https://anannas.ai",
    docs_url="https://docs.anannas.ai/models",
    privacy_policy_url="https://anannas.ai/privacy-policy",
    base_url="https://api.anannas.ai/v1",
    price_unit="USD per token (decimal strings)",
    token_units=TOKEN_UNITS,
    verified="unverified: the vendor's documentation only, no recording is known",
    auth=ApiKey(("ANANNAS_API_KEY",)),
    endpoints=(
        Endpoint(
            # With ?details=true the prices come under other names and in an unknown unit.
            url="https://api.anannas.ai/v1/models",
            row=Row,
            key=KeyUse.OPTIONAL,
            units=PRICES,
        ),
    ),
    normalize=normalize,
)
