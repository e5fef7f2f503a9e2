"""Chutes. Prices: numbers, USD per 1M tokens, in spite of OpenRouter's names for them."""

import msgspec

from modelsync.model.model import Model
from modelsync.model.prices import USD_PER_1M_TOKENS, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count

PRICES = {
    "prompt": Price("prompt", USD_PER_1M_TOKENS),
    "completion": Price("completion", USD_PER_1M_TOKENS),
    "input_cache_read": Price("cache_read", USD_PER_1M_TOKENS),
}
TOKEN_UNITS = TokenUnits(reason="the host lists nothing but language models, served by vLLM or SGLang")
STREAMS = Documented("supports_streaming", "https://chutes.ai/docs/examples/llm-chat")


class Row(msgspec.Struct, frozen=True):
    id: str
    created: msgspec.Raw = msgspec.Raw()  # when the server process last started: changes daily
    permission: msgspec.Raw = msgspec.Raw()  # new random ids and times in every answer
    price: msgspec.Raw = msgspec.Raw()  # `pricing` again, and in TAO, which follows an exchange rate
    context_length: Count | None = None
    max_model_len: Count | None = None  # what the served weights could do; can be more than is offered
    max_output_length: Count | None = None
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    supported_features: tuple[str, ...] | None = None
    supported_sampling_parameters: tuple[str, ...] | None = None
    pricing: dict[str, msgspec.Raw] | None = None


def normalize(row: Row) -> Model:
    lists = {"supported_features": row.supported_features, "supported_sampling_parameters": row.supported_sampling_parameters}
    shown = openai_like.modalities(row.input_modalities, row.output_modalities)
    return Model(
        id=row.id,
        context_length=count(row.context_length) or count(row.max_model_len),
        max_output_tokens=count(row.max_output_length),
        supports_streaming=STREAMS.of(shown["input_modalities"], shown["output_modalities"]),
        metadata={"max_model_len": count(row.max_model_len)} | {name: sorted(words) for name, words in lists.items() if words is not None},
        prices=read_prices(PRICES, row.pricing or {}),
        **shown,
        **openai_like.FEATURES.stated_by(row.supported_features),
    )


PROVIDER = Provider(
    slug="chutes",
    version=3,
    name="Chutes",
    description="Open models on decentralized, confidential computing",
    site_url="https://chutes.ai",
    docs_url="https://chutes.ai/docs",
    status_page_url="https://status.chutes.ai",
    privacy_policy_url="https://chutes.ai/privacy",
    terms_of_service_url="https://chutes.ai/terms",
    base_url="https://llm.chutes.ai/v1",
    price_unit="USD per 1M tokens (numbers)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="36 daily recordings, 2026-06-11 to 2026-07-16",
    auth=ApiKey(("CHUTES_API_KEY",)),
    endpoints=(
        Endpoint(
            # api.chutes.ai/v1/models is another host and not the list: it answers 401.
            url="https://llm.chutes.ai/v1/models",
            row=Row,
            key=KeyUse.OPTIONAL,
            units=PRICES,
        ),
    ),
    normalize=normalize,
)
