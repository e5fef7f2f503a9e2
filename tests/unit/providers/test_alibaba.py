"""Alibaba: prices in the unit each one names, ranges of prompt length as tiers, dollars only where the region bills in dollars."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from modelsync.errors import Failure, FailureKind
from modelsync.model.model import NO_PRICES, Model, Prices, Tier, UnitPrice, content_hash
from modelsync.providers.base import PagingError
from modelsync.providers.builtin.alibaba import PROVIDER, Options, beginning
from modelsync.testing import D, answer, drive, good, listing, sample

LISTS = sample("alibaba")["lists"]


def native(rows, total=None):
    output = {"total": len(rows) if total is None else total, "page_no": 1, "page_size": 100, "models": rows}
    return {"code": None, "message": None, "success": True, "request_id": "r", "output": output}


def read(rows, **options):
    return good(PROVIDER, {"models": native(rows)}, **options).models


def price(kind, amount, unit="Per 1M tokens", **fields):
    return {"type": kind, "price": amount, "price_unit": unit, **fields}


def prices_of(*prices, name="Default"):
    return read([{"model": "m", "prices": [{"range_name": name, "prices": prices}]}])["m"].prices


def unread(others):
    return Prices(others=others, incomplete=tuple(sorted(others)))


def test_the_sample_reads_to_these_models():
    models = read(LISTS["models"])
    assert models["lotus4-max"] == Model(
        id="lotus4-max",
        model_name="Lotus4-Max",
        description="The strongest Lotus.",
        context_length=262144,
        max_output_tokens=65536,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_function_calling=True,
        supports_vision=False,
        supports_reasoning=True,
        supports_structured_output=True,
        released_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
        metadata={
            "provider": "qwen",
            "inference_provider": "aliyun-bailian",
            "equivalent_snapshot": "lotus4-max-2026-03-01",
            "features": ["function-calling", "structured-outputs"],
            "capabilities": ["Reasoning", "TG"],
            "max_input_tokens": 258048,
            "max_reasoning_tokens": 81920,
            "reasoning_max_output_tokens": 32768,
        },
        prices=Prices(
            prompt=D("0.0000012"),  # "1.2" per million
            completion=D("0.000006"),
            reasoning=D("0.000008"),
            cache_read=D("0.00000012"),  # of the explicit cache, because there is a price to write one
            cache_write=D("0.0000015"),
            tiers=(Tier(above=32768, prompt=D("0.0000024"), completion=D("0.000012")),),
            raw=models["lotus4-max"].prices.raw,
        ),
    )
    assert models["lotus3-old"] == Model(id="lotus3-old", model_name="Lotus3-Old")
    plus = models["lotus4-plus"]
    assert (plus.modality, plus.supports_vision, plus.supports_reasoning) == ("text+image+video->text", True, None)
    assert (plus.prices.completion, plus.prices.others) == (D("0.0000024"), {"output_token idle per 1m tokens": '"1.2"'})
    assert models["lotus-embed-4"].prices.prompt == D("0.00000007")
    assert models["crane-t2i"].prices.image == D("0.03")
    assert models["heron-tts"].prices == Prices(
        others={"cosy_tts_number per 10k characters": '"0.1"'}, incomplete=("cosy_tts_number per 10k characters",)
    )


@pytest.mark.parametrize("unit", ["Per 1M tokens", "per million tokens", "PER  1M TOKENS"])
def test_prices_per_million_tokens(unit):
    prices = prices_of(price("input_token", "2", unit), price("output_token", "6", unit))
    assert (prices.prompt, prices.completion) == (D("0.000002"), D("0.000006"))


@pytest.mark.parametrize(
    ("kind", "to"),
    [
        ("text_input_token", "prompt"),
        ("embedding_token", "prompt"),
        ("thinking_output_token", "reasoning"),
        ("input_token_cache", "cache_read"),
        ("input_token_cache_read", "cache_read"),
        ("input_token_cache_creation_5m", "cache_write"),
        ("vision_input_token", "image_input"),
        ("audio_input_token", "audio_input"),
        ("audio_output_token", "audio_output"),
    ],
)
def test_token_types(kind, to):
    assert getattr(prices_of(price(kind, "0.5")), to) == D("0.0000005")


def test_images_and_seconds():
    assert prices_of(price("image_number", "0.03", "Per image")).image == D("0.03")
    assert prices_of(price("content_duration", "0.1", "Per second")).per_unit == (UnitPrice("second", D("0.1"), "content_duration"),)


def test_a_model_that_always_thinks_has_its_thinking_price_as_completion():
    prices = prices_of(price("thinking_input_token", "0.4"), price("thinking_output_token", "4"))
    assert (prices.prompt, prices.completion, prices.reasoning) == (D("0.0000004"), D("0.000004"), D("0.000004"))
    both = prices_of(price("thinking_input_token", "0.9"), price("input_token", "0.4"), price("output_token", "1.2"))
    assert (both.prompt, both.completion) == (D("0.0000004"), D("0.0000012"))


def test_another_unit_for_a_known_type_is_kept_raw():
    assert prices_of(price("input_token", "2", "Per 1K tokens")) == unread({"input_token per 1k tokens": '"2"'})
    assert prices_of(price("image_number", "2")) == unread({"image_number per 1m tokens": '"2"'})
    assert prices_of(price("input_token", "2", None)) == unread({"input_token in no unit": '"2"'})


def test_busy_and_idle_prices_are_not_the_flat_price():
    prices = prices_of(price("input_token", "2", time_band="busy"), price("input_token", "1", time_band="idle"))
    assert prices == unread({"input_token busy per 1m tokens": '"2"', "input_token idle per 1m tokens": '"1"'})


def test_a_price_with_a_condition_of_a_new_kind_is_not_the_flat_price():
    prices = prices_of(price("input_token", "2"), price("output_token", "9", batch=True), price("output_token", "6", batch=False))
    assert (prices.prompt, prices.completion) == (D("0.000002"), D("0.000006"))
    assert (prices.others, prices.incomplete) == (
        {"output_token batch=true per 1m tokens": '"9"'},
        ("output_token batch=true per 1m tokens",),
    )


def test_two_amounts_for_one_price_are_told():
    prices = prices_of(price("input_token", "2"), price("input_token", "3"), price("input_token", "2"))
    assert (prices.prompt, prices.others, prices.incomplete) == (D("0.000002"), {"input_token (2)": '"3"'}, ("input_token (2)",))


def test_two_ranges_that_begin_at_the_same_length_are_told():
    ranges = [
        {"range_name": "Default", "prices": [price("input_token", "1")]},
        {"range_name": "Input<=32k", "prices": [price("input_token", "2")]},
        {"range_name": "", "prices": [price("input_token", "1")]},
    ]
    prices = read([{"model": "m", "prices": ranges}])["m"].prices
    assert (prices.prompt, prices.tiers, prices.incomplete) == (D("0.000001"), (), ("Input<=32k input_token",))


def test_zero_is_no_price():
    assert prices_of(price("input_token", "0"), price("output_token", "0")).prompt is None


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("Default", 0),
        ("", 0),
        ("Input<=32k", 0),
        ("0<Token<=32k", 0),
        ("0 < Token ≤ 32K", 0),
        ("32k<Input<=256k", 32768),  # 32 x 1024
        ("128K<Token≤252K", 131072),  # 128 x 1024
        ("128K≤Token≤256K", 131072),
        ("256k<Input<=1m", 262144),
        ("Input>256k", 262144),
        ("1m<Input", 1000000),
        ("720P", None),
        ("Input<=32k, Output<=0.2k", None),
    ],
)
def test_where_a_range_begins(name, above):
    assert beginning(name) == above


def test_ranges_that_are_no_prompt_lengths_are_kept_raw():
    assert prices_of(price("content_duration", "0.1", "Per second"), name="720P") == unread({"720P content_duration": '"0.1"'})


def test_a_range_is_a_tier_with_what_it_has_per_token_and_the_rest_is_told():
    ranges = [
        {"range_name": "0<Token<=32k", "prices": [price("input_token", "1.2")]},
        {
            "range_name": "32k<Token",
            "prices": [price("input_token", "2.4"), price("output_token", "dear"), price("image_number", "1", "Per image")],
        },
    ]
    prices = read([{"model": "m", "prices": ranges}])["m"].prices
    assert prices.tiers == (Tier(above=32768, prompt=D("0.0000024")),)
    assert prices.incomplete == ("32k<Token.image_number", "32k<Token.output_token")
    assert prices.raw["32k<Token.input_token"] == "2.4 USD per 1M tokens"


def test_tiers_come_in_order_whatever_the_order_of_the_ranges():
    ranges = [
        {"range_name": "128k<Token<=252k", "prices": [price("input_token", "3")]},
        {"range_name": "0<Token<=32k", "prices": [price("input_token", "1.2")]},
        {"range_name": "32k<Token<=128k", "prices": [price("input_token", "2.4")]},
    ]
    prices = read([{"model": "m", "prices": ranges}])["m"].prices
    assert prices.prompt == D("0.0000012")
    assert prices.tiers == (Tier(above=32768, prompt=D("0.0000024")), Tier(above=131072, prompt=D("0.000003")))


@pytest.mark.parametrize(
    ("options", "stated"),
    [
        ({}, True),
        ({"region": "us"}, True),
        ({"region": "singapore", "workspace": "llm-1"}, True),
        ({"region": "beijing"}, False),
        ({"region": "hong-kong"}, False),
        ({"region": "tokyo", "workspace": "llm-1"}, False),
    ],
)
def test_prices_are_dollars_only_where_the_region_bills_in_dollars(options, stated):
    prices = read(LISTS["models"], **options)["lotus4-max"].prices
    assert prices.prompt == D("0.0000012") if stated else prices == NO_PRICES


# Where to ask


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ({}, "dashscope-intl.aliyuncs.com"),
        ({"region": "beijing"}, "dashscope.aliyuncs.com"),
        ({"region": "us"}, "dashscope-us.aliyuncs.com"),
        ({"region": "hong-kong"}, "cn-hongkong.dashscope.aliyuncs.com"),
        ({"region": "singapore", "workspace": "llm-1"}, "llm-1.ap-southeast-1.maas.aliyuncs.com"),
        ({"region": "beijing", "workspace": "llm-1"}, "llm-1.cn-beijing.maas.aliyuncs.com"),
        ({"region": "us", "workspace": "llm-1"}, "llm-1.us-east-1.maas.aliyuncs.com"),
        ({"region": "frankfurt", "workspace": "llm-1"}, "llm-1.eu-central-1.maas.aliyuncs.com"),
        ({"region": "tokyo", "workspace": "llm-1"}, "llm-1.ap-northeast-1.maas.aliyuncs.com"),
    ],
)
def test_hosts(options, host):
    urls = [request.url for request, _ in drive(PROVIDER, lambda request: answer(native([])), **options)]
    assert urls == [f"https://{host}/api/v1/models?language=en-US&page_no=1&page_size=100"]


@pytest.mark.parametrize(
    "options",
    [
        {"region": "tokyo"},
        {"region": "frankfurt"},
        {"region": "hong-kong", "workspace": "llm-1"},
        {"workspace": "evil.example/x"},
        {"region": "mars"},
    ],
)
def test_options_that_name_no_host_are_refused(options):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Options)


def test_pages_are_read_until_the_total_is_reached_and_repeated_ids_are_reported():
    def respond(request):
        page = int(parse_qs(urlsplit(request.url).query)["page_no"][0])
        return answer(native([{"model": f"m{number}"} for number in range((page - 1) * 100, min(page * 100, 241))], 241))

    answers = drive(PROVIDER, respond)
    assert [parse_qs(urlsplit(request.url).query)["page_no"] for request, _ in answers] == [["1"], ["2"], ["3"]]
    listing = good(PROVIDER, {"models": native([{"model": "m"}, {"model": "m"}])})
    assert (listing.duplicates, listing.complete) == (("m",), True)


# When there is no native list


def compatible_after(native_came):
    """What is asked, and what is read, when the native list gives this."""

    def respond(request):
        return native_came if request.endpoint.name == "models" else answer({"object": "list", "data": LISTS["compatible"]})

    return [request.endpoint.name for request, _ in drive(PROVIDER, respond)]


def test_the_compatible_list_is_asked_only_when_there_is_no_native_one():
    assert compatible_after(answer(native(LISTS["models"]))) == ["models"]
    assert compatible_after(Failure(FailureKind.UPSTREAM, "404", "")) == ["compatible"]


def test_a_refusal_with_status_200_ends_the_sync_instead_of_falling_back():
    with pytest.raises(PagingError):
        compatible_after(answer({"code": "Throttling", "message": "slow down", "success": False, "request_id": "r"}))


def test_a_page_that_is_repeated_under_another_request_id_is_no_whole_list():
    numbers = iter(range(1000))

    def respond(request):
        page = native([{"model": f"m{number}"} for number in range(100)], 300)
        return answer(page | {"request_id": str(next(numbers))})

    with pytest.raises(PagingError):
        drive(PROVIDER, respond)


def test_the_compatible_list_fills_in_ids_and_leaves_absent_models_alone():
    found = good(PROVIDER, {"models": native(LISTS["models"][:1], 9), "compatible": {"data": LISTS["compatible"]}})
    assert list(found.models) == ["lotus4-max", "lotus4-plus", "lotus3-old", "lotus4-max-2026-03-01"]
    assert found.models["lotus4-max"].prices.prompt == D("0.0000012")
    assert found.models["lotus4-plus"] == Model(id="lotus4-plus", metadata={"object": "model", "owned_by": "system"})
    assert not found.complete


def test_an_error_with_status_200_is_no_list():
    refused = {"code": "Throttling", "message": "slow down", "success": False, "output": {"models": []}}
    assert isinstance(listing(PROVIDER, {"models": refused}), Failure)


def test_created_of_the_compatible_list_is_no_fact():
    first, second = (
        good(PROVIDER, {"compatible": {"data": [{"id": "m", "object": "model", "created": created}]}}).models["m"] for created in (1, 2)
    )
    assert content_hash(first) == content_hash(second)
