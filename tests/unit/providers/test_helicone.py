"""Helicone AI Gateway: expected values are worked out by hand from what its server does (USD per token times a million, in floats)."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from modelsync.errors import Failure
from modelsync.model.model import NO_PRICES, Model, Prices, Tier
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.helicone import PROVIDER
from modelsync.testing import D, answer, drive, good, listing, one, sample


def envelope(rows):
    return {"models": {"data": {"models": rows, "total": len(rows), "filters": {"providers": []}}, "error": None}}


def the_sample():
    return good(PROVIDER, envelope(sample("helicone")["lists"]["models"]))


def model(*endpoints, **row):
    return one(PROVIDER, envelope([{"id": "x", "author": "maker", "outputModalities": ["text"], "endpoints": endpoints, **row}]))


def at(provider, prompt, completion=1, **rest):
    return {"provider": provider, "providerSlug": provider, "pricing": {"prompt": prompt, "completion": completion}, **rest}


def test_the_sample_reads_to_these_models():
    models = the_sample().models
    assert models["cedar-4"] == Model(
        id="cedar-4",
        model_name="Arbor: Cedar 4",
        description="Writes, sees, thinks.",
        context_length=1000000,
        max_output_tokens=64000,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        released_at=datetime(2026, 3, 15, tzinfo=UTC),
        metadata={
            "author": "arbor",
            "supportedParameters": ["include_reasoning", "max_tokens", "reasoning", "response_format", "tool_choice", "tools"],
            "endpoints": [
                {
                    "provider": "arbor",
                    "providerModelId": "cedar-4-20260315",
                    "supportsPtb": True,
                    "contextLength": 1000000,
                    "maxCompletionTokens": 64000,
                    "usdPer1M": {"cacheRead": "0.3", "cacheWrite": "3.75", "completion": "15", "prompt": "3"},
                },
                {
                    "provider": "aws-bedrock",
                    "providerModelId": "arbor.cedar-4-v1:0",
                    "supportsPtb": True,
                    "contextLength": 200000,
                    "maxCompletionTokens": 64000,
                    "usdPer1M": {"completion": "14.5", "prompt": "2.9"},
                },
            ],
        },
        prices=Prices(  # of its author, though bedrock is cheaper
            prompt=D("0.000003"),  # 3 / 1,000,000
            completion=D("0.000015"),
            cache_read=D("0.0000003"),
            cache_write=D("0.00000375"),
            web_search=D("0.01"),  # from the registry entry
            tiers=(Tier(above=199999, prompt=D("0.000006"), completion=D("0.0000225")),),  # from 200,000 tokens on
            others={"cacheMultipliers.write1h": "2"},  # the price to cache for an hour is only in the registry entry
            incomplete=("cacheMultipliers.write1h",),
            raw=models["cedar-4"].prices.raw,
        ),
    )
    assert models["bloom-image-1"] == Model(
        id="bloom-image-1",
        model_name="Arbor: Bloom Image 1",
        description="Makes pictures.",
        context_length=32768,
        input_modalities=("text",),
        output_modalities=("image",),
        supports_vision=False,
        released_at=datetime(2026, 1, 20, tzinfo=UTC),
        metadata={
            "author": "arbor",
            "supportedParameters": [],
            "endpoints": [
                {
                    "provider": "arbor",
                    "providerModelId": "bloom-image-1",
                    "supportsPtb": True,
                    "contextLength": 32768,
                    "usdPer1M": {"completion": "0", "prompt": "0"},
                }
            ],
        },
        # Its 0 per token says nothing, and 40000 is no price per picture.
        prices=Prices(others={"image": "40000"}, incomplete=("image",), raw=models["bloom-image-1"].prices.raw),
    )


def test_an_anchor_and_its_float_noise():
    assert model(at("maker", 0.15)).prices.prompt == D("0.00000015")  # gpt-4o-mini, 0.15 USD per million
    assert model(at("maker", 0.09999999999999999)).prices.prompt == D("0.0000001")
    assert model(at("maker", 0.39999999999999997)).prices.prompt == D("0.0000004")


def test_without_the_author_the_cheapest_that_credits_can_pay():
    prices = the_sample().models["fern-8b-instruct"].prices
    assert (prices.prompt, prices.completion) == (D("0.0000001"), D("0.0000002"))  # groq; novita is cheaper and takes no credits


def test_without_credits_the_cheapest():
    assert model(at("b", 2), at("a", 1), at("c", 3)).prices.prompt == D("0.000001")


def test_the_order_of_endpoints_changes_nothing():
    endpoints = [at("b", 2, supportsPtb=True), at("a", 2, supportsPtb=True), at("a", 2), at("c", 20000)]
    first, *others = [model(*order) for order in permutations(endpoints)]
    assert all(other == first for other in others)
    assert [endpoint["provider"] for endpoint in first.metadata["endpoints"]] == ["a", "a", "b", "c"]


def test_a_price_entered_in_the_wrong_unit_is_not_believed():
    listed = the_sample()
    assert (listed.models["moss-nemo"].prices.prompt, listed.models["moss-nemo"].prices.completion) == (None, None)
    assert [warning.split(" = ")[0] for warning in listed.warnings] == [
        "moss-nemo: price prompt",
        "moss-nemo: price completion",
        "price incomplete: `cacheMultipliers.write1h` is stated for 1 model and not read (cedar-4)",
        "price incomplete: `image` is stated for 1 model and not read (bloom-image-1)",
    ]
    assert model(at("maker", 20000, 40000), at("b", 0.02, 0.04)).prices.prompt == D("0.00000002")  # another endpoint is believed


def test_what_the_server_multiplied_by_mistake_is_kept_as_received():
    prices = model(
        at("maker", 1, pricing={"prompt": 1, "completion": 1, "web_search": 10000, "image": 40000, "audio": 7, "video": 8})
    ).prices
    assert (prices.prompt, prices.web_search, prices.image) == (D("0.000001"), None, None)
    assert prices.others == {"web_search": "10000", "image": "40000", "audio": "7", "video": "8"}
    assert prices.incomplete == ("audio", "image", "video", "web_search")


def test_a_tier_that_is_not_understood_costs_itself_only():
    tiers = [
        {"prompt": 1, "completion": 1, "threshold": 0},
        {"prompt": 2, "completion": 2, "image": 5, "threshold": 128000},
        {"prompt": 3, "threshold": "long"},
        {"prompt": 4, "completion": "dear", "image": 7, "threshold": 200000},
    ]
    found = model({**at("maker", 1), "pricing": {"prompt": 1, "completion": 1, "image": 5}, "pricingTiers": tiers}).prices
    assert found.tiers == (
        Tier(above=127999, prompt=D("0.000002"), completion=D("0.000002")),
        Tier(above=199999, prompt=D("0.000004")),
    )
    assert found.incomplete == ("image", "pricingTiers[2]", "pricingTiers[3].completion", "pricingTiers[3].image")
    assert found.others["pricingTiers[2]"] == '{"prompt":3,"threshold":"long"}'
    assert found.raw["pricingTiers[1].prompt"] == "2 USD per 1M tokens"


@pytest.mark.parametrize("outputs", [["video"], ["hologram"], ["text", "hologram"], [], None])
def test_what_is_not_known_to_be_billed_by_the_token_has_no_token_price(outputs):
    found = model(at("maker", 1, pricingTiers=[{"prompt": 2, "threshold": 9}]), outputModalities=outputs).prices
    assert (found.prompt, found.completion, found.tiers) == (None, None, ())
    assert found.incomplete == ("completion", "pricingTiers[0].prompt", "prompt")


def test_a_zero_price_of_a_model_that_writes_is_free():
    assert model(at("maker", 0, 0)).prices.completion == 0


def test_thinking_has_its_own_price():
    assert model(at("maker", 1, pricing={"prompt": 1, "completion": 2, "thinking": 3})).prices.reasoning == D("0.000003")


@pytest.mark.parametrize(
    ("parameters", "tools", "reasoning"), [([], None, None), (["stop"], False, False), (["tool_choice", "reasoning"], True, True)]
)
def test_abilities_come_from_the_parameters(parameters, tools, reasoning):
    found = model(supportedParameters=parameters)
    assert (found.supports_function_calling, found.supports_reasoning, found.supports_structured_output) == (tools, reasoning, None)


def test_a_model_without_endpoints_has_no_price():
    assert model().prices == NO_PRICES


def test_a_result_with_an_error_is_a_failure():
    assert isinstance(listing(PROVIDER, {"models": {"data": None, "error": "Failed to fetch models"}}), Failure)


def test_one_request_without_a_key_brings_everything():
    requests = [request for request, _ in drive(PROVIDER, lambda _: answer({"data": {"models": []}}))]
    assert [(request.url, request.endpoint.key) for request in requests] == [
        ("https://api.helicone.ai/v1/public/model-registry/models", KeyUse.NEVER)
    ]
