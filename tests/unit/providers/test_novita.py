"""Novita AI: integers in 1/10,000 USD per million tokens, so one unit is 1e-10 USD per token."""

from datetime import UTC, datetime

import pytest

from modelsync.model.model import Model, Prices, Tier
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.novita import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample


def read_sample():
    return good(PROVIDER, {"models": {"data": sample("novita")["lists"]["models"]}})


def prices(**fields):
    return one(PROVIDER, {"models": {"data": [{"id": "a", **fields}]}}).prices


def test_the_sample_reads_to_these_models():
    models = read_sample().models
    quill, pippin = models["acme/quill-120b"], models["Pippin/L9-8B-Mixed-v3.2"]
    assert quill == Model(
        id="acme/quill-120b",
        model_name="Acme Quill 120B",
        description="Writes at length.",
        context_length=204800,
        max_output_tokens=131072,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        supports_structured_output=True,
        released_at=datetime(2026, 3, 1, tzinfo=UTC),
        metadata={
            "object": "model",
            "owned_by": "unknown",
            "root": "",
            "parent": "",
            "status": 1,
            "model_type": "chat",
            "tags": ["HOT", "NEW"],
            "features": ["function-calling", "reasoning", "serverless", "structured-outputs"],
            "endpoints": ["chat/completions", "completions"],
        },
        prices=Prices(
            prompt=D("0.0000014"),  # 14000 / 10,000 = $1.40 per million
            completion=D("0.0000044"),
            cache_read=D("0.00000026"),  # 2600 / 10,000 = $0.26 per million
            raw=quill.prices.raw,
        ),
    )
    assert pippin == Model(
        id="Pippin/L9-8B-Mixed-v3.2",
        model_name="Pippin/L9-8B-Mixed-v3.2",  # rows of 2024 have no display_name
        context_length=8192,
        released_at=datetime(2024, 5, 1, tzinfo=UTC),
        metadata={"object": "model", "owned_by": "unknown", "root": "", "parent": "", "status": 1, "cus_id": "pippin-l9-8b"},
        prices=Prices(prompt=D("0.000000075"), completion=D("0.000000075"), raw=pippin.prices.raw),  # 750: $0.075 per million
    )


def test_the_vendors_own_example():
    assert prices(input_token_price_per_m=3900).prompt == D("0.00000039")  # llama-3.3-70b-instruct, $0.39 per million


def test_status_4_is_listed_but_cannot_be_called_and_0_is_left_out():
    listing = read_sample()
    assert not listing.models["shelf_70b"].available
    assert "acme/never-shown" not in listing.models
    assert listing.left_out == 1
    assert one(PROVIDER, {"models": {"data": [{"id": "a"}]}}).available


def test_minus_one_is_no_price_and_zero_is_free():
    models = read_sample().models
    assert (models["shelf_70b"].prices.prompt, models["shelf_70b"].prices.dynamic) == (None, False)
    assert (models["acme/gift-3b"].prices.prompt, models["acme/gift-3b"].prices.completion) == (0, 0)


@pytest.mark.parametrize(("currency", "prompt"), [(None, D("0.000001")), ("usd", D("0.000001")), ("IDR", None), ("CNY", None)])
def test_a_price_in_another_currency_is_no_price(currency, prompt):
    read = prices(currency=currency, input_token_price_per_m=10000, pricing={"completion": {"price_per_m": 1}})
    assert read.prompt == prompt
    assert read.stated is (prompt is not None)


def test_nested_prices_are_integers_in_the_same_unit_or_decimals_in_dollars_per_million():
    read = prices(
        cached_input_token_price_per_m={"price_per_m": 1500},
        pricing={
            "prompt": {"price_per_m": 2690},
            "completion": {"price_per_m_decimal": "0.34"},
            "input_cache_write": {"price_per_m": 5000},
        },
    )
    assert read.prompt == D("0.000000269")  # 2690 / 10,000 = $0.269 per million
    assert read.completion == D("0.00000034")
    assert read.cache_read == D("0.00000015")
    assert read.cache_write == D("0.0000005")


def test_a_nested_number_without_a_unit_is_kept_as_received():
    read = prices(pricing={"prompt": 3, "completion": {"price_per_m": 100}})
    assert (read.prompt, read.others) == (None, {"pricing.prompt": "3"})


def test_flat_zeros_of_a_model_with_brackets_are_not_free():
    stairs = read_sample().models["lyra/stairs-1m"].prices
    assert (stairs.prompt, stairs.completion) == (D("0.0000004"), D("0.0000024"))  # $0.40 and $2.40 per million
    assert stairs.tiers == (Tier(above=256000, prompt=D("0.0000005"), completion=D("0.000003")),)
    assert prices(is_tiered_billing=True, input_token_price_per_m=0).prompt is None


def test_a_bracket_that_is_not_understood_costs_itself_only():
    def priced(amount, **more):
        return {"pricing": {"prompt": {"price_per_m": amount}}, **more}

    brackets = [
        priced(4000, min_tokens=1, max_tokens=32000),
        priced(5000, min_tokens=32000, region="eu"),
        priced(6000, min_tokens=64000),
        priced(7000),
        priced("dear", min_tokens=128000),
    ]
    found = prices(tiered_billing_configs=brackets)
    assert found.prompt == D("0.0000004")  # 4000 / 10,000 = $0.40 per million
    assert found.tiers == (Tier(above=64000, prompt=D("0.0000006")),)
    where = "tiered_billing_configs"
    assert found.incomplete == (f"{where}[1]", f"{where}[3]", f"{where}[4].pricing.prompt.price_per_m")
    assert found.raw[f"{where}[2].pricing.prompt.price_per_m"] == "6000 1/10,000 USD per 1M tokens"


def test_tiers_that_are_announced_and_not_told_make_the_price_incomplete():
    assert prices(is_tiered_billing=True, input_token_price_per_m=4000).incomplete == ("is_tiered_billing",)
    assert prices(is_tiered_billing=False, input_token_price_per_m=4000).incomplete == ()


@pytest.mark.parametrize("kind", ["image", "rerank", "hologram"])
def test_what_is_not_known_to_be_billed_by_the_token_has_no_token_price(kind):
    found = prices(
        model_type=kind,
        input_token_price_per_m=4000,
        tiered_billing_configs=[{"min_tokens": 9, "pricing": {"prompt": {"price_per_m": 5000}}}],
    )
    assert (found.prompt, found.tiers) == (None, ())
    assert found.incomplete == ("input_token_price_per_m", "tiered_billing_configs[0].pricing.prompt.price_per_m")


def test_an_embedding_has_no_output_price_and_streams_nothing():
    embed = read_sample().models["acme/embed-600m"]
    assert (embed.output_modalities, embed.supports_streaming) == (("text",), None)
    assert (embed.prices.prompt, embed.prices.completion, embed.prices.incomplete) == (D("0.00000007"), None, ())
    assert embed.prices.others == {  # nobody pays the price before a discount
        "pricing.prompt.origin_price_per_m": "900",
        "pricing.prompt.origin_price_per_m_decimal": '"0.09"',
    }
    assert embed.metadata["pricing"]["prompt"]["origin_price_per_m"] == 900


def test_a_feature_that_is_not_listed_is_not_stated_and_vision_is_an_older_feature():
    model = one(PROVIDER, {"models": {"data": [{"id": "a", "features": ["serverless", "vision"]}]}})
    assert (model.supports_function_calling, model.supports_vision) == (None, True)


def test_the_list_is_asked_once_and_never_with_a_key():
    asked = drive(PROVIDER, lambda request: answer({"data": []}))
    assert [request.url for request, _ in asked] == ["https://api.novita.ai/openai/v1/models"]
    assert asked[0][0].endpoint.key is KeyUse.NEVER
