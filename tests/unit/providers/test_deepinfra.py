"""DeepInfra: USD per 1M tokens in the model list, US cents per token in the details; the expected values show the arithmetic."""

from datetime import UTC, datetime

import pytest

from modelsync.errors import Failure, FailureKind
from modelsync.model.model import Model, Prices, UnitPrice
from modelsync.providers.builtin.deepinfra import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample

ROW = {"id": "x/y", "object": "model", "created": 0, "metadata": None}
TOKENS = {"type": "tokens", "cents_per_input_token": 4.5e-05, "cents_per_output_token": 0.000225}


def models():
    lists = sample("deepinfra")["lists"]
    return good(PROVIDER, {"models": {"data": lists["models"]}, "details": lists["details"]}).models


def own(**metadata: object):
    return one(PROVIDER, {"models": {"data": [ROW | {"metadata": metadata}]}})


def detailed(**details: object):
    return one(PROVIDER, {"models": {"data": [ROW]}, "details": [{"model_name": "x/y"} | details]})


def test_the_sample_reads_to_these_models():
    listed = models()
    vista = listed["larkfield/Quill-Vista-120B"]
    assert vista == Model(
        id="larkfield/Quill-Vista-120B",
        description="Sees and writes.",
        context_length=262144,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        supports_structured_output=True,
        released_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
        metadata={
            "object": "model",
            "owned_by": "deepinfra",
            "root": "larkfield/Quill-Vista-120B",
            "reported_type": "text-generation",
            "cover_img_url": "https://images.invalid/larkfield/Quill-Vista-120B.webp",
            "quantization": "fp4",
            "private": 0,
            "is_partner": False,
            "type": "text-generation",
            "max_tokens": 262144,
            "tags": ["json", "multimodal", "openai", "prompt_cache", "reasoning", "structured-output", "tools", "vision"],
        },
        prices=Prices(
            prompt=D("0.00000035"),  # 0.35 / 1,000,000
            completion=D("0.0000026"),  # 2.5999999999999996 without float noise
            cache_read=D("0.000000054444"),  # 0.054444446 / 1,000,000, to 1e-12
            others={
                "full": '"$0.35 in $2.6 out <= 32K, $0.7 in $5.2 out above"',
                "rate_per_service_tier_priority": "1.5",
            },
            incomplete=("full", "rate_per_service_tier_priority"),  # the tiers are told in words only
            raw=vista.prices.raw,
        ),
    )
    embed = listed["otterden/Pebble-Embed-v2"]
    assert embed == Model(
        id="otterden/Pebble-Embed-v2",
        context_length=8192,
        input_modalities=("text",),
        output_modalities=("embeddings",),
        metadata=embed.metadata,
        prices=Prices(prompt=D("0.00000001"), raw=embed.prices.raw),  # 0.000001 cents / 100
    )


def test_only_the_model_list_says_what_is_a_model():
    assert "larkfield/Quill-1-retired" not in models()


def test_the_two_lists_have_different_units_for_the_same_price():
    listed = own(pricing={"input_tokens": 0.45, "output_tokens": 2.25}).prices
    details = detailed(pricing=TOKENS).prices
    assert listed.prompt == details.prompt == D("0.00000045")  # 0.45 / 1,000,000 and 0.000045 cents / 100
    assert listed.completion == details.completion == D("0.00000225")
    assert detailed(pricing=TOKENS | {"cents_per_input_token": 0.0001}).prices.prompt == D("0.000001")  # $1 per 1M


def test_details_do_not_replace_what_the_list_states():
    document = ROW | {"metadata": {"context_length": 1000, "description": "own", "pricing": {"input_tokens": 1, "output_tokens": 0}}}
    more = {"model_name": "x/y", "max_tokens": 2000, "description": "more", "pricing": TOKENS}
    model = one(PROVIDER, {"models": {"data": [document]}, "details": [more]})
    assert (model.context_length, model.description) == (1000, "own")
    assert (model.prices.prompt, model.prices.completion) == (D("0.000001"), 0)


def test_rates_are_multipliers_of_the_input_price():
    prices = detailed(pricing=TOKENS | {"rate_per_input_token_cached": 0.15555556, "rate_per_input_token_cache_write": 1.25}).prices
    assert prices.cache_read == D("0.00000007")  # 0.00000045 x 0.15555556 = 0.000000070000002, to 1e-12
    assert prices.cache_write == D("0.0000005625")  # 0.00000045 x 1.25 = 0.0000005625
    quick = models()["larkfield/Quill-8B-Turbo"].prices
    assert quick.cache_read == D("0.00000001")  # 0.00000003 x 0.33333333 = 0.0000000099999999, to 1e-12


@pytest.mark.parametrize("rate", [0, None, "x", -1, 1e300])
def test_a_rate_that_cannot_be_is_no_price(rate):
    prices = detailed(pricing=TOKENS | {"rate_per_input_token_cached": rate}).prices
    assert (prices.prompt, prices.cache_read) == (D("0.00000045"), None)
    assert prices.incomplete == (("rate_per_input_token_cached",) if rate else ())


def test_a_rate_without_an_input_price_is_told():
    prices = detailed(pricing={"type": "tokens", "cents_per_output_token": 0.000225, "rate_per_input_token_cached": 0.5}).prices
    assert (prices.completion, prices.cache_read, prices.incomplete) == (D("0.00000225"), None, ("rate_per_input_token_cached",))


@pytest.mark.parametrize(
    ("more", "incomplete"),
    [
        ({"full": "$0.45 in $2.25 out"}, ()),
        ({"full": "$0.45 in up to 32K, $0.9 beyond"}, ("full",)),
        ({"full": "$0.45 in \u2264 32K"}, ("full",)),
        ({"short": "$0.45 / 1M", "default_width": 1024, "discount_ends_at": "2026-12-01"}, ()),
        ({"discount": 0.2}, ("discount",)),
        ({"table": [{"above": 32000, "input": 0.9}]}, ("table",)),
        ({"rate_per_service_tier_flex": 0.8}, ("rate_per_service_tier_flex",)),
        ({"default_price_cents": 3}, ("default_price_cents",)),
        ({"cents_per_hologram": 3}, ("cents_per_hologram",)),
    ],
)
def test_what_the_details_say_beside_a_price_per_token(more, incomplete):
    prices = detailed(pricing=TOKENS | more).prices
    assert (prices.prompt, prices.incomplete) == (D("0.00000045"), incomplete)


def test_what_either_list_leaves_unread_is_told():
    row = ROW | {"metadata": {"pricing": {"input_tokens": 1, "input_images": 2}}}
    prices = one(PROVIDER, {"models": {"data": [row]}, "details": [{"model_name": "x/y", "pricing": TOKENS | {"discount": 0.1}}]}).prices
    assert (prices.others, prices.incomplete) == ({"input_images": "2", "discount": "0.1"}, ("discount", "input_images"))


@pytest.mark.parametrize(
    ("pricing", "expected"),
    [
        ({"type": "time", "cents_per_sec": 0.05}, UnitPrice("second", D("0.0005"), "cents_per_sec")),
        ({"type": "input_length", "cents_per_input_sec": 0.00075}, UnitPrice("second", D("0.0000075"), "cents_per_input_sec")),
        ({"type": "output_length", "cents_per_output_sec": 5.0}, UnitPrice("second", D("0.05"), "cents_per_output_sec")),
        (
            {"type": "input_character_length", "cents_per_input_chars": 6.2e-05},
            UnitPrice("character", D("0.00000062"), "cents_per_input_chars"),
        ),
        ({"type": "image_units", "cents_per_image_unit": 0.3}, UnitPrice("image unit", D("0.003"), "cents_per_image_unit")),
    ],
)
def test_prices_per_something_else_are_cents_too(pricing, expected):
    assert detailed(pricing=pricing).prices.per_unit == (expected,)


def test_a_deployment_s_price_is_not_that_of_a_call():
    prices = detailed(pricing={"type": "uptime", "cents_per_sec": 0.1}).prices
    assert (prices.per_unit, prices.others, prices.incomplete) == ((), {"cents_per_sec": "0.1"}, ())


def test_zero_in_the_details_is_no_price():
    assert not detailed(pricing={"type": "input_character_length", "cents_per_input_chars": 0.0}).prices.stated


def test_an_end_may_lie_in_the_future():
    quick = models()["larkfield/Quill-8B-Turbo"]
    assert quick.expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert quick.metadata["replaced_by"] == "larkfield/Quill-Vista-120B"
    assert quick.description == "Small and quick."  # the list's own is empty


def test_tags_only_switch_abilities_on():
    quick = models()["larkfield/Quill-8B-Turbo"]
    assert (quick.supports_function_calling, quick.supports_vision, quick.supports_structured_output) == (None, None, None)
    assert quick.supports_reasoning is None  # "non-reasoning" is a default, not an inability
    assert detailed(type="text-generation", tags=["reasoning", "non-reasoning"]).supports_reasoning is True
    assert own(tags=["reasoning_effort"]).supports_reasoning is True


@pytest.mark.parametrize(
    ("kind", "modality"),
    [
        ("text-to-image", "text->image"),
        ("text-to-video", "text->video"),
        ("text-to-speech", "text->audio"),
        ("automatic-speech-recognition", "audio->text"),
        ("reranker", "text->rerank"),
        ("weather", None),
    ],
)
def test_the_type_says_the_modality(kind, modality):
    assert detailed(type=kind).modality == modality


def test_without_details_only_models_with_metadata_are_known_to_write_text():
    assert own(context_length=8192, tags=["vision"]).modality == "text+image->text"
    clip = models()["otterden/Reelbell-clip"]
    assert (clip.modality, clip.context_length, clip.released_at, clip.prices.stated) == (None, None, None, False)


def test_the_list_is_enough_when_the_details_fail():
    def respond(request):
        return answer({"data": [ROW]}) if request.endpoint.name == "models" else Failure(FailureKind.TRANSIENT, "503", "Try again later")

    assert [request.url for request, _ in drive(PROVIDER, respond, has_key=False)] == ["https://api.deepinfra.com/v1/openai/models"]
    listing = good(PROVIDER, {"models": {"data": [ROW]}, "details": {"error": "no"}})
    assert (list(listing.models), len(listing.warnings)) == (["x/y"], 1)


def test_both_lists_are_asked():
    asked = drive(PROVIDER, lambda request: answer({"data": [ROW]} if request.endpoint.name == "models" else []))
    assert [request.url for request, _ in asked] == [
        "https://api.deepinfra.com/v1/openai/models",
        "https://api.deepinfra.com/models/list",
    ]
