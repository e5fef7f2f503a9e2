"""AiHubMix: expected values are worked out by hand. Its prices are USD per 1M tokens, whatever its documentation says."""

import pytest

from modelsync.errors import Failure
from modelsync.model.model import NO_PRICES, Model, Prices
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.aihubmix import PROVIDER
from modelsync.testing import D, answer, drive, good, listing, one, sample


def rows(*changes):
    return {"models": {"data": [{"model_id": "quill", **change} for change in changes], "message": "", "success": True}}


def test_the_sample_reads_to_these_models():
    models = good(PROVIDER, {"models": {"data": sample("aihubmix")["lists"]["models"]}}).models
    assert models["quill-5"] == Model(
        id="quill-5",
        model_name="Quill 5",
        description="Writes and reasons.",
        context_length=400000,
        max_output_tokens=128000,
        input_modalities=("text", "image", "file"),  # its "pdf"
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        supports_structured_output=True,
        metadata={
            "developer_id": 12,
            "types": ["llm"],
            "features": ["function_calling", "long_context", "structured_outputs", "thinking", "tools"],
        },
        prices=Prices(
            prompt=D("0.0000015"),  # 1.5 / 1,000,000
            completion=D("0.000012"),
            cache_read=D("0.00000015"),
            cache_write=D("0.000001875"),
            raw=models["quill-5"].prices.raw,
        ),
    )
    assert models["quill-5-nano"] == Model(
        id="quill-5-nano",
        description="The smallest Quill.",
        context_length=200000,  # written as text
        max_output_tokens=32000,
        input_modalities=("text",),
        output_modalities=("text",),  # its type is "LLM"
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=False,
        metadata={"types": ["llm"], "features": ["tools"]},
        prices=Prices(
            prompt=D("0.00000005"),  # 0.05 / 1,000,000
            completion=D("0.0000004"),
            cache_read=D("0.000000005"),
            raw=models["quill-5-nano"].prices.raw,
        ),
    )


def test_the_price_of_gpt_5_is_per_million_and_not_per_thousand():
    assert one(PROVIDER, rows({"types": "llm", "pricing": {"input": 1.25}})).prices.prompt == D("0.00000125")


@pytest.mark.parametrize(
    "types", ["tts", "stt", "image_generation", "t2i", "video", "t2v", "rerank", "llm,image_generation", "new", "", None]
)
def test_what_is_not_known_to_be_billed_by_the_token_has_no_token_price(types):
    prices = one(PROVIDER, rows({"types": types, "pricing": {"input": 15, "output": 0, "cache_read": 1}})).prices
    assert prices == Prices(others={"input": "15", "cache_read": "1"}, incomplete=("cache_read", "input"))


@pytest.mark.parametrize("types", ["LLM", "t2t", "embedding", ["llm"]])
def test_words_and_vectors_are_billed_by_the_token(types):
    assert one(PROVIDER, rows({"types": types, "pricing": {"input": 1.25}})).prices.prompt == D("0.00000125")


def test_zero_is_free_for_words_and_not_stated_for_pictures():
    models = good(PROVIDER, {"models": {"data": sample("aihubmix")["lists"]["models"]}}).models
    assert (models["quill-4-free"].prices.prompt, models["quill-4-free"].prices.completion) == (0, 0)
    assert (models["pigment-2"].prices.prompt, models["pigment-2"].prices.completion) == (None, None)
    assert models["herald-tts"].prices == NO_PRICES


def test_unknown_limits_and_empty_features_are_not_stated():
    model = good(PROVIDER, {"models": {"data": sample("aihubmix")["lists"]["models"]}}).models["quill-4-free"]
    assert (model.max_output_tokens, model.description) == (None, None)
    assert (model.supports_function_calling, model.supports_reasoning, model.supports_structured_output) == (None, None, None)


@pytest.mark.parametrize(
    ("types", "outputs"),
    [
        ("image_generation", ("image",)),
        ("t2v", ("video",)),
        ("tts", ("audio",)),
        ("stt", ("text",)),
        ("embedding", ("embeddings",)),
        ("reranking", ("rerank",)),
        ("llm, image_generation", ("text", "image")),
        ("something_new", None),
        ("", None),
    ],
)
def test_the_type_says_what_comes_out(types, outputs):
    assert one(PROVIDER, rows({"types": types})).output_modalities == outputs


def test_arrays_are_read_like_comma_separated_strings():
    model = one(PROVIDER, rows({"features": ["tools", "thinking"], "input_modalities": ["image", "text"], "types": ["llm"]}))
    assert (model.supports_function_calling, model.supports_reasoning, model.modality) == (True, True, "text+image->text")


def test_success_false_is_a_failure_even_when_rows_came():
    assert isinstance(listing(PROVIDER, {"models": {"data": [{"model_id": "quill"}], "success": False, "message": "later"}}), Failure)


def test_one_request_without_a_key_brings_everything():
    requests = [request for request, _ in drive(PROVIDER, lambda _: answer({"data": []}))]
    assert [(request.url, request.endpoint.key) for request in requests] == [("https://aihubmix.com/api/v1/models", KeyUse.NEVER)]
