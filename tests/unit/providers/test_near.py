"""NEAR AI Cloud: expected values are worked out by hand, USD per token = amount / 10^scale."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from modelsync.model.model import NO_PRICES, Model, Prices, Tier
from modelsync.planning.listing import Listing, read
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.near import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample


def the_sample():
    return good(PROVIDER, {"models": {"models": sample("near")["lists"]["models"], "limit": 100, "offset": 0, "total": 5}})


def usd(amount, scale=9, currency="USD"):
    return {"amount": amount, "scale": scale, "currency": currency}


def prices(**row):
    return one(PROVIDER, {"models": {"models": [{"modelId": "x/y", **row}]}}).prices


def test_the_sample_reads_to_these_models():
    models = the_sample().models
    assert models["harbor/Beacon-2-FP8"] == Model(
        id="harbor/Beacon-2-FP8",
        model_name="Beacon 2",
        description="Open weights in a confidential machine.",
        context_length=202752,
        max_output_tokens=131072,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        supports_structured_output=False,  # json_mode is not it
        hugging_face_id="harbor/Beacon-2",
        metadata={
            "verifiable": True,
            "attestationSupported": True,
            "ownedBy": "harbor",
            "providerType": "vllm",
            "quantization": "fp8",
            "aliases": ["beacon", "beacon-2"],
            "supportedFeatures": ["json_mode", "reasoning", "tools"],
            "supportedSamplingParameters": ["temperature", "top_p"],
            "datacenters": ["DE", "US"],
        },
        prices=Prices(
            prompt=D("0.00000085"),  # 850 / 10^9
            completion=D("0.0000033"),  # 3300 / 10^9
            cache_read=D("0.00000017"),
            raw=models["harbor/Beacon-2-FP8"].prices.raw,
        ),
    )
    assert models["signal/flagship-6"] == Model(
        id="signal/flagship-6",
        model_name="Flagship 6",
        description="Resold from another provider.",
        context_length=1050000,
        metadata={"verifiable": False, "attestationSupported": False, "ownedBy": "signal", "providerType": "external"},
        prices=Prices(
            prompt=D("0.0000025"),  # 2500 / 10^9, and 2.50 / 1,000,000
            completion=D("0.00001"),
            cache_read=D("0.00000025"),
            cache_write=D("0.000003125"),
            tiers=(Tier(above=272000, prompt=D("0.000005"), completion=D("0.000015"), cache_read=D("0.0000005")),),
            others={"textPricing.priority": '{"short":{"output":"20.00","uncachedInput":"5.00"}}'},
            incomplete=("textPricing.priority",),
            raw=models["signal/flagship-6"].prices.raw,
        ),
    )


def test_a_listed_model_that_is_not_ready_cannot_be_called():
    model = the_sample().models["harbor/lantern-20b"]
    assert (model.available, model.expires_at) == (False, datetime(2027, 6, 30, 13, tzinfo=UTC))
    assert model.supports_function_calling is None  # no list of features says nothing


def test_zero_is_free_only_for_cache_reads():
    models = the_sample().models
    assert models["harbor/lantern-20b"].prices.cache_read == 0
    brush = models["harbor/brush-4b"].prices
    assert (brush.prompt, brush.completion) == (None, None)
    assert brush.image == D("0.015")  # 15,000,000 / 10^9 USD per image
    assert models["harbor/Beacon-2-FP8"].prices.image is None


@pytest.mark.parametrize(
    "wire",
    [
        usd(1, scale=-6),
        usd(1, scale=0),
        usd(1, currency="EUR"),
        {"amount": 1, "currency": "USD"},
        {"amount": 1, "scale": 9},
        {"amount": 1, "scale": None, "currency": "USD"},
        {"scale": 9, "currency": "USD"},
        usd(None),
        usd("many"),
        usd(-150),
        usd(150, scale=1),  # 15 USD per token
        usd(1, scale=1000),
        7,
    ],
)
def test_a_price_that_is_no_believable_amount_of_dollars_is_not_stated_and_said_so(wire):
    found = prices(inputCostPerToken=wire, outputCostPerToken=usd(550))
    assert (found.prompt, found.completion) == (None, D("0.00000055"))
    assert ["inputCostPerToken" in problem for problem in found.problems] == [True]
    assert found.incomplete == (() if found.implausible else ("inputCostPerToken",))


def test_the_old_negative_scale_is_reported_with_the_models_name():
    listed = the_sample()
    assert listed.models["harbor/elder-1"].prices.prompt is None
    assert [warning.split(" = ")[0] for warning in listed.warnings] == [
        "harbor/elder-1: price inputCostPerToken",
        "harbor/elder-1: price outputCostPerToken",
        "price incomplete: `textPricing.priority` is stated for 1 model and not read (signal/flagship-6)",
    ]


@pytest.mark.parametrize(("amount", "scale", "expected"), [(150, 9, "0.00000015"), (3.0, 6, "0.000003"), (1, 9, "0.000000001")])
def test_the_scale_counts_decimal_places(amount, scale, expected):
    assert prices(inputCostPerToken=usd(amount, scale)).prompt == D(expected)


def test_text_pricing_has_the_digits_that_billionths_cut_off():
    text = {"version": 1, "currency": "USD", "unit": "million_tokens", "tiers": {"default": {"short": {"uncachedInput": "0.0005"}}}}
    assert prices(inputCostPerToken=usd(0), textPricing=text).prompt == D("0.0000000005")  # 0.0005 / 1,000,000


@pytest.mark.parametrize("change", [{"unit": "thousand_tokens"}, {"currency": "EUR"}, {"version": 2}, {"tiers": 3}])
def test_text_pricing_in_another_unit_is_kept_as_received(change):
    text = {"version": 1, "currency": "USD", "unit": "million_tokens", "tiers": {"default": {"short": {"uncachedInput": "9"}}}}
    found = prices(inputCostPerToken=usd(150), textPricing=text | change)
    assert (found.prompt, list(found.others), found.incomplete) == (D("0.00000015"), ["textPricing"], ("textPricing",))


@pytest.mark.parametrize(
    ("change", "incomplete"),
    [
        ({"tiers": {"default": {"short": {"output": "9"}, "long": {"output": "18"}}}}, ("textPricing.default.long",)),  # longer than what?
        ({"tiers": {"default": {"short": {"output": "9"}, "huge": {"output": "18"}}}}, ("textPricing.default.huge",)),
        ({"tiers": {"default": {"short": {"output": "9"}}, "flex": {"short": {"output": "4"}}}}, ("textPricing.flex",)),
        ({"tiers": {"default": {"short": {"output": "9", "surcharge": "1"}}}}, ("surcharge",)),
        ({"tiers": {"default": {"short": {"output": "9"}, "long": None}}}, ()),
        ({"peakHours": {"output": "12"}}, ("textPricing.peakHours",)),
        (
            {"longContextThreshold": 9, "tiers": {"default": {"short": {"output": "9"}, "long": {"output": "dear"}}}},
            ("textPricing.default.long.output",),
        ),
    ],
)
def test_what_is_not_understood_in_text_pricing_costs_itself_only(change, incomplete):
    text = {"version": 1, "currency": "USD", "unit": "million_tokens", "tiers": {"default": {"short": {"output": "9"}}}}
    found = prices(inputCostPerToken=usd(150), textPricing=text | change)
    assert (found.prompt, found.completion, found.tiers, found.incomplete) == (D("0.00000015"), D("0.000009"), (), incomplete)


def test_the_answer_of_2025_without_most_fields_is_read():
    model = one(PROVIDER, {"models": {"models": [{"modelId": "x/y", "metadata": {"contextLength": 128000, "modelDisplayName": "Y"}}]}})
    assert (model.model_name, model.context_length, model.prices, model.available) == ("Y", 128000, NO_PRICES, True)


def test_an_unreadable_optional_value_does_not_cost_the_row():
    row = {"modelId": "x/y", "inputCostPerToken": usd(150), "metadata": {"contextLength": "long", "modelDisplayName": "Y"}}
    model = one(PROVIDER, {"models": {"models": [row]}})
    assert (model.context_length, model.model_name, model.prices.prompt) == (None, "Y", D("0.00000015"))


def paged(total, rows):
    """A server with `rows` models that says it has `total`."""

    def respond(request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        start, size = int(query["offset"]), int(query["limit"])
        models = [{"modelId": f"x/{number}"} for number in range(start, min(start + size, rows))]
        return answer({"models": models, "limit": size, "offset": start, "total": total})

    return respond


def test_pages_are_asked_by_offset_until_the_total_is_reached():
    requests = [request for request, _ in drive(PROVIDER, paged(250, 250))]
    assert [request.url for request in requests] == [
        f"https://cloud-api.near.ai/v1/model/list?offset={offset}&limit=100" for offset in (0, 100, 200)
    ]
    assert {request.endpoint.key for request in requests} == {KeyUse.NEVER}


def test_i41_a_list_that_ends_before_its_total_is_not_complete():
    listing = read(PROVIDER, PROVIDER.options(), drive(PROVIDER, paged(250, 200)))
    assert isinstance(listing, Listing)
    assert (len(listing.models), listing.shortfall, listing.complete) == (200, 50, False)
