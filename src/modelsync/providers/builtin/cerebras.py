"""Cerebras. Prices: decimal strings, USD per token, in the native format only (`?format=huggingface` answers per million)."""

import msgspec

from modelsync.model.model import Model, modalities
from modelsync.model.prices import USD_PER_TOKEN, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, sees, sides, unix_time

PRICES = {
    "prompt": Price("prompt", USD_PER_TOKEN),
    "completion": Price("completion", USD_PER_TOKEN),
}
TOKEN_UNITS = TokenUnits(reason="every model of the public list is called by chat completions, which are billed by the token")
STREAMS = Documented("supports_streaming", "https://inference-docs.cerebras.ai/capabilities/streaming")

WORDS = {"vision": "image"}


class Limits(msgspec.Struct, frozen=True):
    max_context_length: Count | None = None
    max_completion_tokens: Count | None = None
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None


class Row(openai_like.Row, frozen=True):
    hugging_face_id: str | None = None
    pricing: dict[str, msgspec.Raw] = {}
    capabilities: dict[str, bool | None] = {}
    architecture: openai_like.Architecture = openai_like.Architecture()
    limits: Limits = Limits()
    datacenter_locations: tuple[str, ...] = ()


def normalize(row: Row) -> Model:
    able, limits = row.capabilities, row.limits
    inputs, outputs = sides(row.architecture.modality, WORDS)
    if inputs and able.get("vision"):
        inputs = modalities((*inputs, "image"))
    if inputs and not outputs:
        outputs = ("text",)  # the word ("text") has no second side; all models here are called by chat completions, which answer in text
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=count(limits.max_context_length),
        max_output_tokens=count(limits.max_completion_tokens),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs) if able.get("streaming") is None else able["streaming"],
        supports_function_calling=able.get("function_calling", able.get("tools")),
        supports_vision=able.get("vision") if able.get("vision") is not None else sees(inputs) or None,
        supports_reasoning=able.get("reasoning"),
        supports_structured_output=able.get("structured_outputs"),
        released_at=unix_time(row.created),  # 0 in the older list with a key: then no date
        hugging_face_id=row.hugging_face_id or None,
        metadata={
            "tokenizer": row.architecture.tokenizer,
            "instruct_type": row.architecture.instruct_type,
            "requests_per_minute": count(limits.requests_per_minute),
            "tokens_per_minute": count(limits.tokens_per_minute),
            "capabilities": able or None,
            "datacenter_locations": sorted(row.datacenter_locations) or None,
        },
        prices=read_prices(PRICES, row.pricing),
    )


PROVIDER = Provider(
    slug="cerebras",
    version=3,
    name="Cerebras",
    description="Fast inference on wafer-scale processors",
    site_url="https://www.cerebras.ai",
    docs_url="https://inference-docs.cerebras.ai/api-reference/models/public-models",
    status_page_url="https://status.cerebras.ai",
    privacy_policy_url="https://www.cerebras.ai/privacy-policy",
    terms_of_service_url="https://www.cerebras.ai/terms-of-service",
    base_url="https://api.cerebras.ai/v1",
    price_unit="USD per token (decimal strings, native format)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="vendor documentation example of the public list; no recording",
    auth=ApiKey(("CEREBRAS_API_KEY",)),
    endpoints=(
        # With a key, /v1/models has neither prices nor context and only what that key may call.
        Endpoint(url="https://api.cerebras.ai/public/v1/models", row=Row, key=KeyUse.NEVER, units=PRICES),
    ),
    normalize=normalize,
)
