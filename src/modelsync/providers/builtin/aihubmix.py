"""AiHubMix. Prices: JSON numbers, USD per 1M tokens, although its documentation says per 1K."""

import msgspec

from modelsync.model.model import Model, modalities
from modelsync.model.prices import USD_PER_1M_TOKENS, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, in_our_words, sees, words

# gpt-5 is listed as 1.25 / 10 / 0.125, which is OpenAI's price per 1M tokens.
PRICES = {
    "input": Price("prompt", USD_PER_1M_TOKENS),
    "output": Price("completion", USD_PER_1M_TOKENS),
    "cache_read": Price("cache_read", USD_PER_1M_TOKENS, zero_is_free=False),
    "cache_write": Price("cache_write", USD_PER_1M_TOKENS, zero_is_free=False),
}

# Of these kinds of models the prices are known to be per token. Speech, pictures and films are billed in units that the list does not say.
TOKEN_UNITS = TokenUnits(field="types", types=frozenset({"llm", "t2t", "embedding"}))
STREAMS = Documented("supports_streaming", "https://docs.aihubmix.com/en/api-playground/inferUsages")

ABILITIES = openai_like.AbilityWords(function_calling=("tools", "function_calling"), reasoning=("thinking",))

# The list has no output modalities. These are the documented values of `types` and their older names (docs.aihubmix.com, Models API).
OUTPUT_OF_TYPE = {
    "llm": "text",
    "t2t": "text",
    "stt": "text",
    "image_generation": "image",
    "t2i": "image",
    "video": "video",
    "t2v": "video",
    "tts": "audio",
    "embedding": "embeddings",
    "rerank": "rerank",
    "reranking": "rerank",
}


class Row(msgspec.Struct, frozen=True):
    model_id: str
    model_name: str | None = None
    desc: str | None = None
    types: str | tuple[str, ...] | None = None  # lists are comma-separated strings here, and some clients have met arrays
    features: str | tuple[str, ...] | None = None
    input_modalities: str | tuple[str, ...] | None = None
    max_output: Count | None = None
    context_length: Count | None = None
    pricing: dict[str, msgspec.Raw] | None = None


def normalize(row: Row) -> Model:
    kinds, features = words(row.types), words(row.features)
    inputs = in_our_words(words(row.input_modalities))
    outputs = modalities(OUTPUT_OF_TYPE[kind] for kind in kinds if kind in OUTPUT_OF_TYPE)
    return Model(
        id=row.model_id,
        model_name=row.model_name,
        description=row.desc,
        context_length=count(row.context_length),
        max_output_tokens=count(row.max_output),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs, chat=not {"llm", "t2t"}.isdisjoint(kinds)),
        supports_vision=sees(inputs),
        metadata={"types": kinds, "features": features},
        # Free models of words are listed at 0; what makes pictures, sound or video is billed in other units.
        prices=read_prices(PRICES, row.pricing or {}, per_token=TOKEN_UNITS.hold_for(kinds)),
        **ABILITIES.stated_by(features),
    )


PROVIDER = Provider(
    slug="aihubmix",
    version=3,
    name="AiHubMix",
    description="One API for the models of many providers",
    site_url="https://aihubmix.com",
    docs_url="https://docs.aihubmix.com/en/api/Models-API",
    terms_of_service_url="https://docs.aihubmix.com/cn/terms-of-use",
    base_url="https://aihubmix.com/v1",
    price_unit="USD per 1M tokens (numbers)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="the vendor's documented answer of 5 models; no recording is known",
    auth=ApiKey(("AIHUBMIX_API_KEY",)),
    endpoints=(
        Endpoint(
            # The other list, /v1/models, has no prices and shows what the key may call.
            url="https://aihubmix.com/api/v1/models",
            row=Row,
            key=KeyUse.NEVER,
            units=PRICES,
        ),
    ),
    normalize=normalize,
)
