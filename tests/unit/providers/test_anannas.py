"""Anannas: expected values are worked out by hand from its documentation (decimal strings, USD per token)."""

import pytest

from modelsync.model.model import NO_PRICES, Model, Prices
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.anannas import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample


def test_the_sample_reads_to_these_models():
    models = good(PROVIDER, {"models": {"data": sample("anannas")["lists"]["models"]}}).models
    assert models["tropic/pulp-2"] == Model(
        id="tropic/pulp-2",
        model_name="Pulp 2",
        description="Writes, calls tools, thinks.",
        context_length=262144,
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_reasoning=True,
        metadata={
            "provider": "tropic",
            "capabilities": ["json_mode", "multimodal", "reasoning", "streaming", "text", "tool_calling"],
            "supported_parameters": [],
        },
        prices=Prices(
            prompt=D("0.00000025"),  # $0.25 per million
            completion=D("0.000002"),
            raw=models["tropic/pulp-2"].prices.raw,
        ),
    )
    assert models["grove/sapling-8b"] == Model(  # the other shape
        id="grove/sapling-8b",
        context_length=131072,
        max_output_tokens=8192,
        supports_function_calling=True,
        supports_reasoning=True,
        supports_structured_output=True,
        metadata={
            "object": "model",
            "capabilities": [],
            "supported_parameters": ["reasoning", "structured_outputs", "temperature", "tools"],
        },
        # Kept as received: their unit is not known.
        prices=Prices(others={"input": "0.12", "output": "0.36"}, incomplete=("input", "output")),
    )


def test_zero_is_free_and_no_price_is_no_price():
    models = good(PROVIDER, {"models": {"data": sample("anannas")["lists"]["models"]}}).models
    assert (models["tropic/pulp-2-free"].prices.prompt, models["tropic/pulp-2-free"].prices.completion) == (0, 0)
    assert models["grove/unpriced-1"].prices == NO_PRICES


def test_a_price_per_request_is_taken_and_a_zero_one_is_not():
    models = good(PROVIDER, {"models": {"data": sample("anannas")["lists"]["models"]}}).models
    assert models["tropic/canvas-1"].prices.request == D("0.04")
    assert models["tropic/pulp-2"].prices.request is None


@pytest.mark.parametrize(
    ("capabilities", "prompt"), [(["text", "image_output"], D("0.000001")), (["audio_output"], None), (["hologram"], None), (None, None)]
)
def test_only_what_writes_text_has_a_price_per_token(capabilities, prompt):
    row = {"id": "x/y", "capabilities": capabilities, "pricing": {"prompt": "0.000001", "request": "0.04"}}
    prices = one(PROVIDER, {"models": {"data": [row]}}).prices
    assert (prices.prompt, prices.request, prices.incomplete) == (prompt, D("0.04"), () if prompt else ("prompt",))


def test_a_zero_without_a_known_unit_is_not_read_as_free():
    assert one(PROVIDER, {"models": {"data": [{"id": "x/y", "pricing": {"input": 0, "output": 0}}]}}).prices == NO_PRICES


def test_multimodal_does_not_say_that_it_sees_and_absence_says_nothing():
    model = good(PROVIDER, {"models": {"data": sample("anannas")["lists"]["models"]}}).models["tropic/canvas-1"]
    assert (model.output_modalities, model.input_modalities, model.supports_vision) == (("text", "image"), None, None)
    assert (model.supports_function_calling, model.supports_streaming, model.supports_reasoning) == (None, None, None)


def test_an_unknown_context_is_not_stated():
    assert one(PROVIDER, {"models": {"data": [{"id": "x/y"}]}}).context_length is None


def test_the_undocumented_stamp_is_not_kept():
    first, second = (one(PROVIDER, {"models": {"data": [{"id": "x/y", "created": stamp}]}}) for stamp in (1795000000, 1795003600))
    assert first == second


def test_one_request_brings_everything_with_or_without_a_key():
    requests = [request for request, _ in drive(PROVIDER, lambda _: answer({"data": []}), has_key=False)]
    assert [(request.url, request.endpoint.key) for request in requests] == [("https://api.anannas.ai/v1/models", KeyUse.OPTIONAL)]
