"""Cerebras: the public native list, decimal strings in USD per token (the documentation's example is $0.35 and $0.75 per million)."""

from datetime import UTC, datetime

import pytest

from modelsync.model.model import Model, Prices
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.cerebras import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample


def models():
    return good(PROVIDER, {"models": {"object": "list", "data": sample("cerebras")["lists"]["models"]}}).models


def test_the_sample_reads_to_these_models():
    wafer, lens = models()["wafer-90b"], models()["lens-30b"]
    assert wafer == Model(
        id="wafer-90b",
        model_name="Orchard Wafer 90B",
        description="Reasoning at speed.",
        context_length=131072,
        max_output_tokens=32768,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=False,
        supports_reasoning=True,
        supports_structured_output=True,
        released_at=datetime(2026, 1, 1, tzinfo=UTC),
        hugging_face_id="orchard/wafer-90b",
        metadata=wafer.metadata,
        prices=Prices(prompt=D("0.00000045"), completion=D("0.0000009"), raw=wafer.prices.raw),  # $0.45 and $0.90 per million
    )
    assert wafer.metadata["datacenter_locations"] == ["CA", "US"]
    assert wafer.metadata["quantization"] == "FP16/8 (weights only)"
    assert lens == Model(
        id="lens-30b",
        model_name="Lyra Lens 30B",
        description="Reads pictures.",
        context_length=65536,
        max_output_tokens=40960,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=False,
        supports_vision=True,
        supports_reasoning=False,
        supports_structured_output=True,
        released_at=datetime(2026, 4, 1, tzinfo=UTC),
        hugging_face_id="lyra/lens-30b",
        metadata=lens.metadata,
        prices=Prices(prompt=D("0.00000099"), completion=D("0.00000149"), raw=lens.prices.raw),
    )
    assert (lens.metadata["requests_per_minute"], lens.metadata["preview"]) == (30, True)


def test_a_price_is_per_token():
    row = {"id": "a", "pricing": {"prompt": "0.00000035", "completion": "0.00000075"}}
    prices = one(PROVIDER, {"models": {"data": [row]}}).prices
    assert (prices.prompt * 1_000_000, prices.completion * 1_000_000) == (D("0.35"), D("0.75"))


def test_a_bare_row_states_nothing():
    assert models()["plain-8b"] == Model(id="plain-8b", metadata={"object": "model", "owned_by": "Cerebras"})


@pytest.mark.parametrize(
    ("modality", "able", "expected", "vision"),
    [
        ("text", {}, "text->text", None),
        ("text+vision", {}, "text+image->text", True),
        (" Text + Vision ", {"vision": None}, "text+image->text", True),
        ("text+vision", {"vision": False}, "text+image->text", False),
        ("text", {"vision": True}, "text+image->text", True),
        ("text+vision->text", {}, "text+image->text", True),
    ],
)
def test_vision_is_its_word_for_images(modality, able, expected, vision):
    model = one(PROVIDER, {"models": {"data": [{"id": "a", "architecture": {"modality": modality}, "capabilities": able}]}})
    assert (model.modality, model.supports_vision) == (expected, vision)


@pytest.mark.parametrize(
    ("modality", "able", "streams"),
    [
        ("text", {}, True),
        ("text", {"streaming": None}, True),
        ("text", {"streaming": False}, False),  # what the row says stands before what is documented of all
        (None, {"streaming": True}, True),
        (None, {}, None),
    ],
)
def test_streaming_is_what_the_row_says_and_else_what_is_documented(modality, able, streams):
    row = {"id": "a", "architecture": {"modality": modality}, "capabilities": able}
    assert one(PROVIDER, {"models": {"data": [row]}}).supports_streaming is streams


def test_an_unknown_word_is_told_and_left_out():
    row = {"id": "a", "architecture": {"modality": "text+smell"}}
    listing = good(PROVIDER, {"models": {"data": [row]}})
    assert (listing.models["a"].modality, listing.models["a"].supports_vision) == ("text->text", None)
    assert listing.warnings == ("a: unknown modality `smell`; left out",)


def test_a_deprecated_model_can_still_be_called():
    ember = models()["ember-4.5"]
    assert (ember.available, ember.metadata["deprecated"], ember.hugging_face_id) == (True, True, None)


def test_the_public_list_is_asked_once_without_a_key_and_in_the_native_format():
    asked = drive(PROVIDER, lambda request: answer({"data": []}))
    assert [request.url for request, _ in asked] == ["https://api.cerebras.ai/public/v1/models"]
    assert asked[0][0].endpoint.key is KeyUse.NEVER
    assert not PROVIDER.needs_key


def test_i41_an_ability_of_the_wrong_type_costs_the_abilities_and_nothing_else():
    row = {"id": "m", "name": "M", "capabilities": {"vision": True, "tools": "yes"}, "pricing": {"prompt": "0.000001"}}
    found = good(PROVIDER, {"models": {"data": [{"id": "first"}, row, {"id": "last"}]}})
    model = found.models["m"]
    assert (model.supports_vision, model.model_name, model.prices.prompt) == (None, "M", D("0.000001"))
    assert found.models.keys() == {"first", "m", "last"}
    assert found.warnings == ("m: unreadable capabilities[...]: it is neither true nor false; not stated",)
