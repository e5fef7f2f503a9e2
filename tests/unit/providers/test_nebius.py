"""Nebius Token Factory: the verbose list with a key; decimal strings in USD per token ("0.00000015" is $0.15 per million)."""

import pytest

from modelsync.model.model import Model, Prices, content_hash
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.nebius import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample


def models():
    return good(PROVIDER, {"models": {"data": sample("nebius")["lists"]["models"]}}).models


def row(**fields):
    return {"models": {"data": [{"id": "x/Y", "architecture": {"modality": "text->text"}, **fields}]}}


def test_the_sample_reads_to_these_models():
    pippin, lens = models()["orchard/Pippin-70B-Instruct"], models()["lyra/Lens-30B-a3b"]
    assert pippin == Model(
        id="orchard/Pippin-70B-Instruct",
        model_name="Pippin 70B Instruct",
        context_length=128000,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=False,
        supports_structured_output=True,
        metadata={
            "object": "model",
            "owned_by": "system",
            "quantization": "fp8",
            "tokenizer": "Llama3",
            "supported_features": ["Tools", "structured_outputs"],
            "supported_sampling_parameters": ["temperature", "top_p"],
        },
        prices=Prices(prompt=D("0.00000015"), completion=D("0.0000004"), raw=pippin.prices.raw),
    )
    assert lens == Model(
        id="lyra/Lens-30B-a3b",
        model_name="Lens 30B a3b",
        description="Reads pictures and thinks.",
        context_length=163000,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        metadata={
            "object": "model",
            "owned_by": "system",
            "tokenizer": "Lens",
            "supported_features": ["function-calling", "reasoning", "vision"],
        },
        prices=Prices(prompt=D("0.000001"), completion=D("0.000003"), raw=lens.prices.raw),
    )


def test_the_fast_flavour_and_names_that_differ_in_case_are_models_of_their_own():
    found = models()
    assert found["orchard/Pippin-70B-Instruct-fast"].prices.prompt == D("0.00000025")
    assert found["orchard/Pippin-70B-Instruct-fast"].context_length == 8000
    assert found["lyra/lens-30b-A3B"].prices.prompt == D("0.0000005")


def test_an_embedding_has_no_output_price_and_an_image_model_none_per_token():
    embed, brush = models()["acme/Embed-8B"], models()["acme/brush-xl"]
    assert (embed.modality, embed.prices.prompt, embed.prices.completion) == ("text->embeddings", D("0.00000001"), None)
    assert (brush.modality, brush.prices.prompt, brush.prices.image) == ("text->image", None, D("0.0013"))
    assert brush.context_length is None


@pytest.mark.parametrize(
    ("modality", "prompt"),
    [
        ("text + image -> text", D("0.000001")),
        ("text->embedding", D("0.000001")),
        ("text->image", None),
        ("text->hologram", None),
        ("text", None),
        (None, None),
    ],
)
def test_only_words_and_vectors_have_a_price_per_token(modality, prompt):
    prices = one(PROVIDER, row(architecture={"modality": modality}, pricing={"prompt": "0.000001", "image": "0.04"})).prices
    assert (prices.prompt, prices.image, prices.incomplete) == (prompt, D("0.04"), () if prompt else ("prompt",))


def test_a_request_price_is_per_request():
    assert one(PROVIDER, row(pricing={"request": "0.002"})).prices.request == D("0.002")


def test_prices_that_are_not_known_are_kept_as_received():
    prices = one(PROVIDER, row(pricing={"prompt": "0.000001", "price_per_minute": "0.004"})).prices
    assert (prices.others, prices.incomplete) == ({"price_per_minute": '"0.004"'}, ("price_per_minute",))


def test_created_is_the_time_of_the_answer_and_changes_nothing():
    first, second = (one(PROVIDER, row(created=created)) for created in (1_790_000_000, 1_790_086_400))
    assert content_hash(first) == content_hash(second)
    assert first.released_at is None


def test_a_feature_that_is_not_listed_is_not_stated():
    model = one(PROVIDER, row(supported_features=["tools"]))
    assert (model.supports_function_calling, model.supports_reasoning) == (True, None)


def test_the_list_is_asked_verbosely_and_needs_a_key():
    asked = drive(PROVIDER, lambda request: answer({"data": []}))
    assert [request.url for request, _ in asked] == ["https://api.tokenfactory.nebius.com/v1/models?verbose=true"]
    assert PROVIDER.endpoints[0].key is KeyUse.REQUIRED
    assert drive(PROVIDER, lambda request: answer({"data": []}), has_key=False) == []
