"""Groq. Prices: none on the wire; should OpenRouter-style ones appear, they are decimal strings in USD per token."""

import msgspec

from modelsync.model.model import Model
from modelsync.model.prices import USD_PER_REQUEST, USD_PER_TOKEN, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, in_our_words, sees, unix_time

# Never seen in a recording, so a 0 there is no proof that a model is free.
PRICES = {
    "prompt": Price("prompt", USD_PER_TOKEN, zero_is_free=False),
    "completion": Price("completion", USD_PER_TOKEN, zero_is_free=False),
    "request": Price("request", USD_PER_REQUEST, zero_is_free=False),
}

# Speech is billed by the hour or by the character. What a row does not state, the table below says.
TOKEN_UNITS = TokenUnits(field="output_modalities", types=frozenset({"text"}))
STREAMS = Documented("supports_streaming", "https://console.groq.com/docs/api-reference#chat-create")

TEXT, SPEECH, SIGHT = ("text",), ("audio",), ("text", "image")

# What goes in and out, by a part of the id; the first that matches. From console.groq.com/docs/models and /docs/vision (2026) and from
# the recordings of 2025. An id that is not here states no modality.
KINDS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("whisper", SPEECH, TEXT),
    ("playai-tts", TEXT, SPEECH),
    ("canopylabs/orpheus", TEXT, SPEECH),
    ("guard", TEXT, ("moderation",)),  # llama-guard, llama-prompt-guard, gpt-oss-safeguard
    ("llama-4-", SIGHT, TEXT),
    ("qwen3.6-27b", SIGHT, TEXT),
    ("qwen3.8-27b", SIGHT, TEXT),
    ("llama-3.1-", TEXT, TEXT),
    ("llama-3.3-", TEXT, TEXT),
    ("llama3-", TEXT, TEXT),
    ("gpt-oss-", TEXT, TEXT),
    ("kimi-k2-", TEXT, TEXT),
    ("qwen3-32b", TEXT, TEXT),
    ("deepseek-r1-distill-", TEXT, TEXT),
    ("gemma2-", TEXT, TEXT),
    ("allam-", TEXT, TEXT),
    ("groq/compound", TEXT, TEXT),
    ("compound-beta", TEXT, TEXT),
)
NO_DATE = 1693721698  # the same on many models of different years


class Row(openai_like.Row, frozen=True):
    active: bool | None = None
    context_window: Count | None = None
    max_completion_tokens: Count | None = None  # may exceed the context: text to speech counts its output differently
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    pricing: dict[str, msgspec.Raw] = {}
    hugging_face_id: str | None = None


def normalize(row: Row) -> Model:
    inputs, outputs = in_our_words(row.input_modalities), in_our_words(row.output_modalities)
    known_inputs, known_outputs = kind(row.id)
    heard = SPEECH[0] in (row.input_modalities or known_inputs or ())
    reads, writes = inputs or known_inputs, outputs or known_outputs
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=count(row.context_window),
        max_output_tokens=count(row.max_completion_tokens),
        input_modalities=reads,
        output_modalities=writes,
        supports_streaming=STREAMS.of(reads, writes),
        supports_vision=sees(inputs),  # never from the table
        available=row.active is not False,
        released_at=None if row.created == NO_DATE else unix_time(row.created),
        hugging_face_id=row.hugging_face_id or None,
        prices=read_prices(PRICES, row.pricing, per_token=not heard and TOKEN_UNITS.hold_for(row.output_modalities or known_outputs)),
    )


def kind(model_id: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    return next(((inputs, outputs) for part, inputs, outputs in KINDS if part in model_id), (None, None))


PROVIDER = Provider(
    slug="groq",
    version=3,
    name="Groq",
    description="Fast inference of open models on Groq's own processors",
    site_url="https://groq.com",
    docs_url="https://console.groq.com/docs/api-reference#models-list",
    status_page_url="https://groqstatus.com",
    privacy_policy_url="https://groq.com/privacy-policy",
    terms_of_service_url="https://groq.com/terms-of-use",
    base_url="https://api.groq.com/openai/v1",
    price_unit="none stated",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="recordings of 2025-09-11 and 2025-10",
    auth=ApiKey(("GROQ_API_KEY",)),
    endpoints=(Endpoint(url="https://api.groq.com/openai/v1/models", row=Row, key=KeyUse.REQUIRED, units=PRICES),),
    normalize=normalize,
)
