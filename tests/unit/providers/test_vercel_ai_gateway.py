"""Vercel AI Gateway: expected values are worked out by hand from its documentation (decimal strings, USD per token)."""

from datetime import UTC, datetime

import pytest

from modelsync.model.model import NO_PRICES, Model, Prices, Tier, UnitPrice
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.vercel_ai_gateway import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample


def the_sample():
    return good(PROVIDER, {"models": {"object": "list", "data": sample("vercel-ai-gateway")["lists"]["models"]}}).models


def model(**row):
    return one(PROVIDER, {"models": {"data": [{"id": "x/y", **row}]}})


def test_the_sample_reads_to_these_models():
    models = the_sample()
    assert models["delta/strata-4"] == Model(
        id="delta/strata-4",
        model_name="Strata 4",
        description="Thinks about long documents.",
        context_length=1000000,
        max_output_tokens=64000,
        input_modalities=("text", "image", "file"),  # its "pdf"
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        supports_structured_output=True,
        released_at=datetime(2026, 7, 1, tzinfo=UTC),  # 1782864000 = 20635 days
        metadata={
            "object": "model",
            "owned_by": "delta",
            "supported_specifications": ["v3", "v4"],
            "knowledge": "2026-01",
            "type": "language",
            "tags": ["file-input", "reasoning", "tool-use", "vision", "web-search"],
            "supported_parameters": ["max_tokens", "structured_outputs", "tool_choice", "tools"],
            "regions": ["eu", "us"],
        },
        prices=Prices(
            prompt=D("0.000002"),
            completion=D("0.000012"),
            cache_read=D("0.0000002"),
            cache_write=D("0.0000025"),
            web_search=D("0.01"),  # 10 / 1,000 searches
            tiers=(Tier(above=200000, prompt=D("0.000004"), completion=D("0.000018")),),  # from 200,001 tokens on
            others={"regional": '{"eu":{"input":"0.0000022","output":"0.0000132"}}'},
            incomplete=("regional",),
            raw=models["delta/strata-4"].prices.raw,
        ),
    )
    assert models["delta/embed-1"] == Model(
        id="delta/embed-1",
        model_name="Delta Embed 1",
        description="Vectors of text.",
        context_length=8191,
        input_modalities=("text",),
        output_modalities=("embeddings",),  # from its type: only the input is listed
        supports_vision=False,
        released_at=datetime(2025, 7, 1, tzinfo=UTC),
        metadata={"object": "model", "owned_by": "delta", "type": "embedding"},
        prices=Prices(prompt=D("0.00000002"), raw=models["delta/embed-1"].prices.raw),  # its output of "0" is no price
    )


def test_free_is_zero_and_no_price_is_no_price():
    models = the_sample()
    assert (models["delta/strata-4-free"].prices.prompt, models["delta/strata-4-free"].prices.completion) == (0, 0)
    assert models["delta/murmur-1"].prices == NO_PRICES
    assert model(type="image", pricing={"input": "0", "output": "0"}).prices.prompt is None


def test_a_picture_is_priced_each_and_its_zero_context_is_not_stated():
    flux = the_sample()["prism/flux-lite"]
    assert (flux.prices.image, flux.prices.prompt) == (D("0.04"), None)
    assert (flux.context_length, flux.max_output_tokens) == (None, None)


def test_videos_are_priced_by_the_second_or_by_a_million_tokens():
    assert the_sample()["prism/reel-2"].prices.per_unit == (
        UnitPrice("second", D("0.2"), "video audio=false resolution=720p"),
        UnitPrice("second", D("0.4"), "video audio=true resolution=720p"),
        UnitPrice("token", D("0.0000056"), "video tokens, no_video_input"),  # 5.6 / 1,000,000
        UnitPrice("token", D("0.0000033"), "video tokens, with_video_input"),
    )


def test_the_end_date_is_in_milliseconds_and_created_is_no_date():
    murmur = the_sample()["delta/murmur-1"]
    assert murmur.expires_at == datetime(2027, 2, 26, tzinfo=UTC)  # 1803600000 seconds = 20875 days
    assert murmur.released_at == datetime(2024, 3, 13, tzinfo=UTC)
    assert model(created=1755815280).released_at is None
    assert "created" not in murmur.metadata


def test_tiers_alone_say_the_flat_price_too_and_may_fall_and_have_different_bounds():
    prices = model(
        type="language",
        pricing={
            "input_tiers": [
                {"cost": "0.0000013", "max": 32000},
                {"cost": "0.000002", "min": 32000, "max": 128000},
                {"cost": "3e-6", "min": 128000},
            ],
            "output_tiers": [{"cost": "0.0000078", "min": 0, "max": 128000}, {"cost": "0.000012", "min": 128000}],
            "input_cache_read_tiers": [{"cost": "0.0000003", "min": 0, "max": 128000}, {"cost": "0.0000002", "min": 128000}],
        },
    ).prices
    assert (prices.prompt, prices.completion, prices.cache_read) == (D("0.0000013"), D("0.0000078"), D("0.0000003"))
    assert prices.tiers == (
        Tier(above=31999, prompt=D("0.000002"), completion=D("0.0000078"), cache_read=D("0.0000003")),
        Tier(above=127999, prompt=D("0.000003"), completion=D("0.000012"), cache_read=D("0.0000002")),
    )


def test_a_tier_without_a_lower_bound_is_no_flat_price_of_what_it_does_not_cover():
    prices = model(type="language", pricing={"input_tiers": [{"cost": "0.000002", "min": 128000}]}).prices
    assert (prices.prompt, prices.tiers) == (None, (Tier(above=127999, prompt=D("0.000002")),))


def test_an_unbelievable_tier_is_reported():
    problems = model(type="language", pricing={"input": "0.000001", "input_tiers": [{"cost": "2", "min": 128000}]}).prices.problems
    assert [problem.split(":")[0] for problem in problems] == ["price input = 2"]


@pytest.mark.parametrize("field", ["video_duration_pricing", "video_token_pricing", "image_dimension_quality_pricing"])
def test_lists_of_an_unknown_shape_are_kept_as_received(field):
    prices = model(type="language", pricing={"input": "0.000001", field: [{"size": "1K", "price": 3}, 7]}).prices
    assert (prices.prompt, prices.others) == (D("0.000001"), {field: '[{"price":3,"size":"1K"},7]'})
    assert prices.incomplete == (field,)


def test_a_tier_that_is_not_understood_costs_itself_only():
    steps = [
        {"cost": "0.000001", "max": 32000},
        {"cost": "0.000002", "min": 32000, "region": "eu"},
        {"cost": "0.000003", "min": 64000, "max": 128000},
        7,
        {"cost": "dear", "min": 128000},
        {"min": 256000},
    ]
    prices = model(type="language", pricing={"input_tiers": steps}).prices
    assert (prices.prompt, prices.tiers) == (D("0.000001"), (Tier(above=63999, prompt=D("0.000003")),))
    assert prices.incomplete == ("input_tiers[1]", "input_tiers[3]", "input_tiers[5]", "tiers[from 128000].input")
    assert prices.others["input_tiers[1]"] == '{"cost":"0.000002","min":32000,"region":"eu"}'
    assert prices.raw["tiers[from 64000].input"] == "0.000003 USD per token"


def test_a_video_price_that_is_not_understood_costs_itself_only():
    lists = {
        "video_duration_pricing": [{"resolution": "720p", "cost_per_second": "0.2"}, {"resolution": "1080p", "cost_per_frame": "0.01"}],
        "video_token_pricing": {"no_video_input": {"cost_per_million_tokens": "5"}, "other": {"cost_per_token": "1"}},
    }
    prices = model(type="video", pricing=lists).prices
    assert prices.per_unit == (
        UnitPrice("second", D("0.2"), "video resolution=720p"),
        UnitPrice("token", D("0.000005"), "video tokens, no_video_input"),  # 5 / 1,000,000
    )
    assert prices.incomplete == ("video cost_per_frame=0.01 resolution=1080p", "video tokens, other cost_per_token=1")


@pytest.mark.parametrize("kind", ["image", "video", "speech", "transcription", "realtime", "reranking", "hologram", None])
def test_what_is_not_known_to_be_billed_by_the_token_has_no_token_price(kind):
    wire = {"input": "0.000001", "image": "0.04", "output_tiers": [{"cost": "0.000002", "min": 0}, {"cost": "0.000003", "min": 9}]}
    prices = model(type=kind, pricing=wire).prices
    assert (prices.prompt, prices.completion, prices.image, prices.tiers) == (None, None, D("0.04"), ())
    assert prices.incomplete == ("input", "output", "tiers[from 9].output")


def test_older_answers_without_modalities_are_read_by_type_and_tags():
    language = model(type="language", tags=["vision", "file-input"])
    assert (language.modality, language.supports_vision) == ("text+image+file->text", True)
    assert model(type="speech").modality == "text->audio"
    assert (model(type="realtime").modality, model(type="realtime").supports_vision) == (None, None)


def test_tags_only_switch_abilities_on():
    plain = model(tags=["implicit-caching"])
    assert (plain.supports_function_calling, plain.supports_reasoning, plain.supports_vision) == (None, None, None)


def test_one_request_without_a_key_brings_everything():
    requests = [request for request, _ in drive(PROVIDER, lambda _: answer({"data": []}))]
    assert [(request.url, request.endpoint.key) for request in requests] == [("https://ai-gateway.vercel.sh/v1/models", KeyUse.NEVER)]
