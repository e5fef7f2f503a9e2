"""Hugging Face. Prices: JSON numbers, USD per 1M tokens, one pair for each inference provider that serves a model."""

from collections.abc import Iterator
from decimal import Decimal
from math import ceil
from typing import Annotated

import msgspec

from modelsync.model.model import Model, Prices
from modelsync.model.prices import USD_PER_1M_TOKENS, Price, excerpt, read_prices
from modelsync.providers import openai_like, paging
from modelsync.providers.base import ApiKey, Documented, Endpoint, Flow, KeyUse, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import Count, count, iso_time, sides, unix_time

PRICES = {"input": Price("prompt", USD_PER_1M_TOKENS), "output": Price("completion", USD_PER_1M_TOKENS)}
TOKEN_UNITS = TokenUnits(
    field="architecture.output_modalities",
    types=frozenset({"text", ""}),
    reason="the router lists what answers chat completions; before 2026 it did not state what they write",
)
STREAMS = Documented("supports_streaming", "https://huggingface.co/docs/inference-providers/tasks/chat-completion")
HUB_PAGE = 1000

# What goes in and out of each task of the Hub, after huggingface.co/tasks. Tasks that answer with labels, boxes or numbers are not here.
PIPELINES = {
    "text-generation": "text->text",
    "summarization": "text->text",
    "translation": "text->text",
    "question-answering": "text->text",
    "fill-mask": "text->text",
    "feature-extraction": "text->embeddings",
    "sentence-similarity": "text->embeddings",
    "text-ranking": "text->rerank",
    "image-feature-extraction": "image->embeddings",
    "image-text-to-text": "text+image->text",
    "visual-question-answering": "text+image->text",
    "document-question-answering": "text+image->text",
    "image-to-text": "image->text",
    "video-text-to-text": "text+video->text",
    "audio-text-to-text": "text+audio->text",
    "automatic-speech-recognition": "audio->text",
    "text-to-speech": "text->audio",
    "text-to-audio": "text->audio",
    "audio-to-audio": "audio->audio",
    "text-to-image": "text->image",
    "image-to-image": "image->image",
    "text-to-video": "text->video",
    "image-to-video": "image->video",
    "text-to-3d": "text->3d",
    "image-to-3d": "image->3d",
}


class Options(msgspec.Struct, frozen=True):
    """`hub_limit`: how many models of the Hub to add, the most downloaded first; 0 does not ask the Hub at all."""

    hub_limit: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class Offer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One inference provider's offer. Not kept: first_token_latency_ms and throughput, which every probe changes."""

    provider: str = ""
    status: str | None = None
    context_length: Count | None = None
    pricing: dict[str, msgspec.Raw] = {}
    is_free: bool | None = None
    supports_tools: bool | None = None
    supports_structured_output: bool | None = None
    is_model_author: bool | None = None


class Row(msgspec.Struct, frozen=True):
    id: str
    created: float | None = None
    architecture: openai_like.Modalities = openai_like.Modalities()
    providers: tuple[Offer, ...] | None = None


class HubRow(msgspec.Struct, frozen=True):
    id: str
    pipeline_tag: str | None = None
    tags: tuple[str, ...] = ()
    created: str | None = msgspec.field(default=None, name="createdAt")
    disabled: bool | None = None
    # These four change from hour to hour and are not kept.
    downloads: msgspec.Raw = msgspec.Raw()
    all_downloads: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="downloadsAllTime")
    likes: msgspec.Raw = msgspec.Raw()
    trending: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="trendingScore")


def normalize(row: Row | HubRow) -> Model:
    return served(row) if isinstance(row, Row) else on_the_hub(row)


def served(row: Row) -> Model:
    """A model that the router serves. Price, context and abilities are those of one and the same offer."""
    offers = row.providers or ()
    offer = min((each for each in offers if each.status == "live"), key=rank, default=Offer())
    shown = openai_like.modalities(row.architecture.input_modalities, row.architecture.output_modalities)
    return Model(
        id=row.id,
        context_length=count(offer.context_length),
        supports_streaming=STREAMS.of(shown["input_modalities"], shown["output_modalities"]),
        supports_function_calling=offer.supports_tools,
        supports_structured_output=offer.supports_structured_output,
        available=row.providers is None or any(each.status != "error" for each in offers),
        released_at=unix_time(row.created),
        hugging_face_id=row.id,
        metadata={"providers": sorted((kept(each) for each in offers), key=msgspec.json.encode)}
        | ({"price_and_context_of": offer.provider} if offer.provider else {}),
        prices=prices(offer, per_token=TOKEN_UNITS.hold_for(row.architecture.output_modalities)),
        **shown,
    )


def prices(offer: Offer, *, per_token: bool = True) -> Prices:
    free = offer.is_free is True  # 0 and 0 with is_free false: not known, not free
    return read_prices(PRICES, offer.pricing, per_token=per_token, zero_is_free=free)


def rank(offer: Offer) -> tuple[int, int, Decimal, bool, int, str]:
    """The least is chosen: with both prices, with claims at least, cheapest (1 token in and 1 out), longest context, first by name."""
    stated = prices(offer)
    known = [price for price in (stated.prompt, stated.completion) if price is not None]
    return (
        2 - len(known),
        -len(stated.implausible),
        sum(known, Decimal(0)),
        offer.context_length is None,
        -(count(offer.context_length) or 0),
        offer.provider,
    )


def kept(offer: Offer) -> dict[str, object]:
    """An offer as it is kept beside the model; its prices are the wire's text, in USD per 1M tokens."""
    texts = {name: excerpt(bytes(raw)) for name, raw in sorted(offer.pricing.items())}
    rest = msgspec.to_builtins(msgspec.structs.replace(offer, pricing={}, context_length=count(offer.context_length)))
    return {"provider": offer.provider, **rest, **({"pricing": texts} if texts else {})}


def on_the_hub(row: HubRow) -> Model:
    """A model that the Hub has and the router does not serve: no price, no context, and nothing to stream."""
    inputs, outputs = sides(PIPELINES.get(row.pipeline_tag or ""))
    facts = {"pipeline_tag": row.pipeline_tag, "tags": sorted(row.tags)}
    return Model(
        id=row.id,
        input_modalities=inputs,
        output_modalities=outputs,
        available=not row.disabled,
        released_at=iso_time(row.created),
        hugging_face_id=row.id,
        metadata={name: value for name, value in facts.items() if value},
    )


def hub_url(options: Options) -> str:
    return f"https://huggingface.co/api/models?sort=downloads&direction=-1&limit={min(options.hub_limit, HUB_PAGE)}"


def requests(provider: Provider, options: Options, has_key: bool) -> Flow:  # noqa: ARG001  # neither list is asked with a key
    router, hub = provider.endpoints
    yield from router.paging(router, router.at(options))
    yield from paging.at_most(ceil(options.hub_limit / HUB_PAGE), hub.paging(hub, hub_url(options)))


def combine(rows: RowsByEndpoint, options: Options) -> Iterator[Wire]:
    """The Hub adds models of its own and changes none of the router's: who is among the most downloaded differs from day to day."""
    yield from rows["models"]
    listed = {wire.row.id for wire in rows["models"]}
    yield from (wire for wire in rows["hub"][: options.hub_limit] if wire.row.id not in listed)


def partial(_: RowsByEndpoint, options: Options) -> str | None:
    return f"only the {options.hub_limit:,} most downloaded models of the Hub were asked for" if options.hub_limit else None


PROVIDER = Provider(
    slug="huggingface",
    version=3,
    name="Hugging Face",
    description="One router to many inference providers, and the Hub of open models",
    site_url="https://huggingface.co",
    docs_url="https://huggingface.co/docs/inference-providers/hub-api",
    status_page_url="https://status.huggingface.co",
    privacy_policy_url="https://huggingface.co/privacy",
    terms_of_service_url="https://huggingface.co/terms-of-service",
    base_url="https://router.huggingface.co/v1",
    price_unit="USD per 1M tokens (JSON numbers)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="vendor documentation example of the router; one recorded page of the Hub (December 2024)",
    auth=ApiKey(("HF_TOKEN", "HUG_API_KEY")),
    endpoints=(
        Endpoint(url="https://router.huggingface.co/v1/models", row=Row, key=KeyUse.NEVER, units=PRICES),
        # With a key the Hub also lists that account's private models.
        Endpoint(
            name="hub",
            url=hub_url,
            row=HubRow,
            rows=("",),
            paging=paging.link_header,
            totals=(),
            further=(),  # asked for in part, as the option says
            key=KeyUse.NEVER,
            fills=True,
        ),
    ),
    normalize=normalize,
    sync_hours=6,
    combine=combine,
    requests=requests,
    options=Options,
    partial=partial,
)
