"""Chutes: expected values are its prices, USD per 1M tokens, divided by a million by hand."""

import pytest

from modelsync.model.model import Model, Prices, content_hash
from modelsync.providers.builtin.chutes import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample

ROW = {"id": "x/y", "created": 1790000101, "pricing": {"prompt": 0.104, "completion": 0.416, "input_cache_read": 0.052}}
SAMPLING = ["seed", "stop", "temperature", "top_k", "top_p"]


def models():
    return good(PROVIDER, {"models": {"data": sample("chutes")["lists"]["models"]}}).models


def read(**changes: object):
    return one(PROVIDER, {"models": {"data": [ROW | changes]}})


def test_the_sample_reads_to_these_models():
    listed = models()
    assert listed["larkfield/Quill-32B-TEE"] == Model(
        id="larkfield/Quill-32B-TEE",
        context_length=65536,
        max_output_tokens=32768,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=False,
        supports_reasoning=True,
        supports_structured_output=True,
        metadata={
            "object": "model",
            "owned_by": "sglang",
            "root": "larkfield/Quill-32B-FP8",
            "chute_id": "5a1b7c1e-0d7c-5b1e-8a70-2f6c1d9e4b01",
            "confidential_compute": True,
            "max_model_len": 65536,
            "quantization": "fp8",
            "supported_features": ["json_mode", "reasoning", "structured_outputs", "tools"],
            "supported_sampling_parameters": SAMPLING,
        },
        prices=Prices(
            prompt=D("0.000000125"),  # 0.125 / 1,000,000
            completion=D("0.0000005"),
            cache_read=D("0.0000000125"),  # 0.012499999999999999 is 0.0125 with float noise
            raw=listed["larkfield/Quill-32B-TEE"].prices.raw,
        ),
    )
    assert listed["Omnibell-30B-TEE"] == Model(
        id="Omnibell-30B-TEE",
        context_length=40960,  # of the served weights: the offer's own is not stated
        metadata={
            "object": "model",
            "owned_by": "sglang",
            "root": "otterden/Omnibell-30B",
            "chute_id": "0e4a1b8d-6a2b-5d49-b5f8-1c8a7e3d9903",
            "confidential_compute": True,
            "max_model_len": 40960,
        },
        prices=Prices(
            prompt=D("0.00000002"), completion=D("0.00000004"), cache_read=D("0.00000001"), raw=listed["Omnibell-30B-TEE"].prices.raw
        ),
    )


def test_prices_are_per_million_tokens():
    prices = read(pricing={"prompt": 0.104, "completion": 15.0, "input_cache_read": 0.010399999999999998}).prices
    assert (prices.prompt, prices.completion, prices.cache_read) == (D("0.000000104"), D("0.000015"), D("0.0000000104"))


def test_the_offered_context_goes_before_what_the_weights_could_do():
    vista = models()["larkfield/Quill-Vista-12B-turbo-TEE"]
    assert (vista.context_length, vista.max_output_tokens, vista.metadata["max_model_len"]) == (131072, 131072, 262144)


def test_a_feature_list_says_no_to_what_it_leaves_out_and_json_mode_is_not_structured_output():
    vista = models()["larkfield/Quill-Vista-12B-turbo-TEE"]
    assert (vista.supports_vision, vista.supports_function_calling, vista.supports_structured_output) == (True, False, False)
    assert vista.input_modalities == ("text", "image", "video")


def test_without_an_override_record_abilities_are_not_stated():
    plain = models()["Omnibell-30B-TEE"]
    assert (plain.supports_vision, plain.supports_function_calling, plain.supports_reasoning) == (None, None, None)


def test_zero_is_free():
    prices = models()["otterden/Freebell-7B-TEE"].prices
    assert (prices.prompt, prices.completion) == (0, 0)


@pytest.mark.parametrize(
    "volatile",
    [
        {"created": 1790086501},
        {"price": {"input": {"tao": 0.00053, "usd": 0.104}}},
        {"permission": [{"id": "modelperm-1", "created": 1790086501}]},
        {"supported_features": ["reasoning", "tools"], "supported_sampling_parameters": ["seed", "stop"]},
    ],
)
def test_what_changes_every_day_is_no_change(volatile):
    before = ROW | {
        "price": {"input": {"tao": 0.00049, "usd": 0.104}},
        "permission": [{"id": "modelperm-0", "created": 1790000101}],
        "supported_features": ["tools", "reasoning"],
        "supported_sampling_parameters": ["stop", "seed"],
    }
    assert content_hash(read(**(before | volatile))) == content_hash(read(**before))


def test_another_price_is_a_change():
    assert content_hash(read(pricing={"prompt": 0.105, "completion": 0.416})) != content_hash(read())


def test_one_public_answer_holds_everything():
    asked = drive(PROVIDER, lambda request: answer({"data": [ROW]}), has_key=False)
    assert [request.url for request, _ in asked] == ["https://llm.chutes.ai/v1/models"]
