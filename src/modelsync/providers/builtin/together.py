"""Together AI. Prices: numbers, USD per 1M tokens."""

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.prices import USD_PER_1M_TOKENS, Price, read_prices
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, unix_time

PRICES = {
    "input": Price("prompt", USD_PER_1M_TOKENS),
    "output": Price("completion", USD_PER_1M_TOKENS),
    "cached_input": Price("cache_read", USD_PER_1M_TOKENS, zero_is_free=False),
}
IGNORED = {
    "hourly": "the hour of an endpoint of one's own",
    "finetune": "training, which is no call",
    "base": "part of the price of training and of endpoints of one's own",
}
# Pictures, films and speech are billed by other things than tokens, and the list does not say by which.
TOKEN_UNITS = TokenUnits(field="type", types=frozenset({"chat", "language", "code", "embedding", "moderation", "rerank"}))
STREAMS = Documented("supports_streaming", "https://docs.together.ai/reference/chat-completions")

TEXT = ("text",)
# By `type` of docs.together.ai/reference/models: the list has no modality fields. "chat" includes models that also see, which is not told.
MODALITIES = {
    "chat": (TEXT, TEXT),
    "language": (TEXT, TEXT),
    "code": (TEXT, TEXT),
    "image": (TEXT, ("image",)),
    "video": (TEXT, ("video",)),
    "audio": (TEXT, ("audio",)),
    "transcribe": (("audio",), TEXT),
    "embedding": (TEXT, ("embeddings",)),
    "rerank": (TEXT, ("rerank",)),
    "moderation": (TEXT, ("moderation",)),
}
WRITES_TEXT = ("chat", "language", "code")


class Row(msgspec.Struct, frozen=True):
    id: str
    type: str | None = None
    created: float | None = None
    display_name: str | None = None
    context_length: Count | None = None
    pricing: dict[str, msgspec.Raw] | None = None
    running: msgspec.Raw = msgspec.Raw()  # whether an instance is up at this moment


def normalize(row: Row) -> Model:
    inputs, outputs = MODALITIES.get(row.type or "", (None, None))
    return Model(
        id=row.id,
        model_name=row.display_name,
        context_length=count(row.context_length),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs),
        released_at=unix_time(row.created),
        metadata={"type": row.type} if row.type else {},
        prices=prices(row),
    )


def prices(row: Row) -> Prices:
    """Models given away are called so by their id (`…-Free`); a 0 elsewhere stands for a price that is not in this list."""
    free = row.type in WRITES_TEXT and row.id.lower().endswith("-free")
    return read_prices(PRICES, row.pricing or {}, per_token=TOKEN_UNITS.hold_for(row.type), zero_is_free=free, ignored=IGNORED)


PROVIDER = Provider(
    slug="together",
    version=3,
    name="Together AI",
    description="Open models, serverless and dedicated",
    site_url="https://www.together.ai",
    docs_url="https://docs.together.ai/reference/models",
    status_page_url="https://status.together.ai",
    privacy_policy_url="https://www.together.ai/privacy",
    terms_of_service_url="https://www.together.ai/terms-of-service",
    base_url="https://api.together.xyz/v1",
    price_unit="USD per 1M tokens (numbers)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="vendor documentation; no recording of the endpoint",
    auth=ApiKey(("TOGETHER_API_KEY", "TOGETHERAI_API_KEY")),
    endpoints=(
        Endpoint(
            url="https://api.together.xyz/v1/models",
            row=Row,
            rows=("", "data"),
            key=KeyUse.REQUIRED,
            units=PRICES,
            ignored=IGNORED,
        ),
    ),
    normalize=normalize,
)
