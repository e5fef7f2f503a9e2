"""Nebius Token Factory. Prices: decimal strings, USD per token (per image for `image`, per request for `request`)."""

import msgspec

from modelsync.model.model import Model
from modelsync.model.prices import USD_PER_IMAGE, USD_PER_REQUEST, USD_PER_TOKEN, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, filled, sees, sides

# Every row fills in "0" where it has no such price: the output of an embedding, the tokens of an image model. No model is known to be free.
PRICES = {
    "prompt": Price("prompt", USD_PER_TOKEN, zero_is_free=False),
    "completion": Price("completion", USD_PER_TOKEN, zero_is_free=False),
    "image": Price("image", USD_PER_IMAGE, zero_is_free=False),
    "request": Price("request", USD_PER_REQUEST, zero_is_free=False),
}
# By what comes out: the words on the right of the arrow.
TOKEN_UNITS = TokenUnits(field="architecture.modality", types=frozenset({"text", "embedding"}))
STREAMS = Documented("supports_streaming", "https://docs.tokenfactory.nebius.com/api-reference/examples/text-generation")
ABILITIES = openai_like.AbilityWords(function_calling=("tools", "function-calling"))


class Row(openai_like.Row, frozen=True):
    """Ids that differ only in case are different models. `created` is not kept: it is the minute of the answer, not a release."""

    context_length: Count | None = None
    architecture: openai_like.Architecture = openai_like.Architecture()
    pricing: dict[str, msgspec.Raw] = {}
    supported_features: tuple[str, ...] = ()
    features: tuple[str, ...] = ()  # the older name, with older words
    supported_sampling_parameters: tuple[str, ...] = ()


def normalize(row: Row) -> Model:
    architecture = row.architecture
    inputs, outputs = sides(architecture.modality)
    written = (architecture.modality or "").partition("->")[2].split("+")
    features = (*row.supported_features, *row.features)
    return Model(
        id=row.id,
        model_name=row.name,
        description=row.description,
        context_length=count(row.context_length),
        input_modalities=inputs,
        output_modalities=outputs,
        supports_streaming=STREAMS.of(inputs, outputs),
        supports_vision=sees(inputs),
        metadata=filled(
            tokenizer=architecture.tokenizer,
            instruct_type=architecture.instruct_type,
            supported_features=sorted(features),
            supported_sampling_parameters=sorted(row.supported_sampling_parameters),
        ),
        prices=read_prices(PRICES, row.pricing, per_token=TOKEN_UNITS.hold_for(written)),
        **ABILITIES.stated_by(features),
    )


PROVIDER = Provider(
    slug="nebius",
    version=3,
    name="Nebius Token Factory",
    description="Open models on Nebius's cloud (formerly AI Studio)",
    site_url="https://tokenfactory.nebius.com",
    docs_url="https://docs.tokenfactory.nebius.com/api-reference/examples/list-of-models",
    status_page_url="https://status.nebius.com",
    privacy_policy_url="https://docs.tokenfactory.nebius.com/legal/privacy-policy",
    terms_of_service_url="https://docs.tokenfactory.nebius.com/legal/terms-of-service",
    base_url="https://api.tokenfactory.nebius.com/v1",
    price_unit="USD per token (decimal strings)",
    token_units=TOKEN_UNITS,
    documented=(STREAMS,),
    verified="other readers of this list; no recording",
    auth=ApiKey(("NEBIUS_API_KEY", "NEBIUS_TOKEN_FACTORY_API_KEY")),
    endpoints=(
        Endpoint(
            # Without verbose=true there are neither prices nor context lengths.
            url="https://api.tokenfactory.nebius.com/v1/models?verbose=true",
            row=Row,
            key=KeyUse.REQUIRED,
            units=PRICES,
        ),
    ),
    normalize=normalize,
)
