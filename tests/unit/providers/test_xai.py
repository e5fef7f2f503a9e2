"""xAI: four lists joined by id; every integer is a number of ticks of 1e-10 USD."""

from datetime import UTC, datetime

import pytest

from modelsync.errors import Failure
from modelsync.model.model import NO_PRICES, Model, Prices, Tier, UnitPrice, content_hash
from modelsync.providers.builtin.xai import PROVIDER
from modelsync.testing import D, answer, drive, good, listing, sample

LISTS = sample("xai")["lists"]


def documents(*, models=(), language=(), image=(), video=(), account=None):
    found = {"models": {"data": models}, "language": {"models": language}, "image": {"models": image}, "video": {"models": video}}
    return found | ({"account": account} if account is not None else {})


def read(**lists):
    return good(PROVIDER, documents(**lists)).models


def prices_of(**fields):
    return read(models=[{"id": "m", **fields}])["m"].prices


SAMPLE = documents(**{**LISTS, "account": LISTS["account"][0]})


def test_the_sample_reads_to_these_models():
    result = good(PROVIDER, SAMPLE)
    assert (result.complete, result.warnings) == (True, ())
    assert list(result.models) == ["brook-5", "brook-5-mini", "brook-4", "brook-paint", "brook-code", "brook-film"]
    brook = result.models["brook-5"]
    assert brook == Model(
        id="brook-5",
        context_length=256000,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_vision=True,
        supports_reasoning=True,
        released_at=datetime(2026, 3, 1, tzinfo=UTC),
        metadata={
            "object": "model",
            "owned_by": "xai",
            "version": "1.0",
            "aliases": ["brook", "brook-5-latest"],
            "reasoning_effort": ["high", "low"],
            "default_reasoning_effort": "low",
        },
        prices=Prices(
            prompt=D("0.000003"),  # 30000 ticks: $3 per million
            completion=D("0.000015"),
            cache_read=D("0.00000075"),
            image_input=D("0.000003"),  # null in /models, stated in /language-models
            web_search=D("0.025"),  # 250000000 ticks: $25 per thousand
            tiers=(Tier(above=128000, prompt=D("0.000006"), completion=D("0.00003")),),
            raw=brook.prices.raw,
        ),
    )
    paint = result.models["brook-paint"]
    assert paint == Model(
        id="brook-paint",
        context_length=2048,
        input_modalities=("text",),
        output_modalities=("image",),
        supports_vision=False,
        released_at=datetime(2026, 3, 20, 9, 46, 40, tzinfo=UTC),
        metadata={"object": "model", "owned_by": "xai", "version": "1.0.0", "max_prompt_length": 2048},
        prices=Prices(
            image=D("0.02"),  # 200000000 ticks
            per_unit=(UnitPrice("image", D("0.07"), "high 2k"), UnitPrice("image", D("0.02"), "low 1k")),
            raw=paint.prices.raw,
        ),
    )


def test_a_model_that_only_one_list_has_is_a_model():
    models = good(PROVIDER, SAMPLE).models
    assert models["brook-code"].prices.prompt == D("0.0000002")  # 2000 ticks
    assert (models["brook-film"].modality, models["brook-film"].prices) == ("text+image->video", NO_PRICES)


def test_models_without_prices_as_listed_in_2025_take_them_from_the_list_by_kind():
    prices = good(PROVIDER, SAMPLE).models["brook-4"].prices
    assert (prices.prompt, prices.completion, prices.cache_read, prices.image_input) == (D("0.000002"), D("0.00001"), None, None)
    alone = read(models=[{"id": "brook-4", "created": 1751328000, "object": "model", "owned_by": "xai"}])["brook-4"]
    assert (alone.prices, alone.modality, alone.supports_vision) == (NO_PRICES, None, None)


@pytest.mark.parametrize(
    ("field", "ticks", "to", "usd"),
    [
        ("prompt_text_token_price", 12500, "prompt", "0.00000125"),
        ("completion_text_token_price", 25000, "completion", "0.0000025"),
        ("cached_prompt_text_token_price", 7500, "cache_read", "0.00000075"),
        ("prompt_image_token_price", 20000, "image_input", "0.000002"),
        ("generated_image_token_price", 100000, "image_output", "0.00001"),
        ("image_price", 200000000, "image", "0.02"),
        ("search_price", 250000000, "web_search", "0.025"),
    ],
)
def test_every_price_is_in_ticks(field, ticks, to, usd):
    assert getattr(prices_of(**{field: ticks}), to) == D(usd)


def test_what_models_states_goes_before_what_a_list_by_kind_states():
    both = read(models=[{"id": "m", "prompt_text_token_price": 1000}], language=[{"id": "m", "prompt_text_token_price": 9000}])
    assert both["m"].prices.prompt == D("0.0000001")


def test_zero_is_no_price_in_a_list_by_kind_and_free_only_for_text_in_models():
    zeros = {"prompt_text_token_price": 0, "completion_text_token_price": 0, "cached_prompt_text_token_price": 0, "search_price": 0}
    assert read(language=[{"id": "m", **zeros}])["m"].prices == NO_PRICES
    free = prices_of(**zeros, image_price=None)
    assert (free.prompt, free.completion, free.cache_read, free.web_search) == (0, 0, None, None)
    picture = prices_of(**zeros, image_price=200000000)
    assert (picture.prompt, picture.completion, picture.image) == (None, None, D("0.02"))
    assert read(models=[{"id": "m", **zeros}], video=[{"id": "m"}])["m"].prices.prompt is None


def test_a_threshold_is_no_context_window_and_without_prices_no_tier():
    row = {"id": "m", "long_context_threshold": 128000, "prompt_text_token_price_long_context": 0, "prompt_text_token_price": 1000}
    model = read(language=[row])["m"]
    assert (model.context_length, model.prices.tiers) == (None, ())


def test_long_prices_without_a_threshold_are_told():
    prices = prices_of(prompt_text_token_price=1000, prompt_text_token_price_long_context=2000)
    assert (prices.prompt, prices.tiers) == (D("0.0000001"), ())
    assert prices.incomplete == ("prompt_text_token_price_long_context",)


def test_a_long_price_that_cannot_be_read_is_told():
    long = {"prompt_text_token_price_long_context": 2000, "completion_text_token_price_long_context": "dear"}
    prices = prices_of(prompt_text_token_price=1000, long_context_threshold=9, **long)
    assert prices.tiers == (Tier(above=9, prompt=D("0.0000002")),)
    assert prices.incomplete == ("completion_text_token_price_long_context",)


def test_prices_per_token_in_the_list_of_pictures_are_none():
    legacy = dict.fromkeys(("prompt_text_token_price", "prompt_image_token_price", "generated_image_token_price"), 100000)
    prices = read(models=[{"id": "i", "image_price": 200000000}], image=[{"id": "i", **legacy}])["i"].prices
    assert (prices.prompt, prices.image_input, prices.image_output, prices.image) == (None, None, None, D("0.02"))
    assert prices.incomplete == tuple(sorted(legacy))
    alone = read(models=[{"id": "i", "image_price": 200000000, "prompt_text_token_price": 100000}])["i"].prices
    assert (alone.prompt, alone.incomplete) == (None, ("prompt_text_token_price",))


@pytest.mark.parametrize("outputs", [["video"], ["hologram"], ["text", "hologram"]])
def test_what_is_not_known_to_be_billed_by_the_token_has_no_token_price(outputs):
    row = {"id": "m", "output_modalities": outputs, "prompt_text_token_price": 1000, "long_context_threshold": 9}
    prices = read(language=[row | {"prompt_text_token_price_long_context": 2000}])["m"].prices
    assert (prices.prompt, prices.tiers) == (None, ())
    assert prices.incomplete == ("prompt_text_token_price", "prompt_text_token_price_long_context")


def test_a_price_per_picture_that_is_not_understood_costs_itself_only():
    pricing = [
        {"quality": "low", "price_per_image": 200000000},
        {"quality": "low", "style": "oil", "price_per_image": 300000000},
        {"quality": "high"},
        {"quality": "odd", "price_per_image": "dear"},
    ]
    prices = prices_of(image_price=200000000, pricing=pricing)
    assert prices.per_unit == (UnitPrice("image", D("0.02"), "low"),)
    assert prices.incomplete == ("high", "low style=oil", "odd")


def test_an_unbelievable_price_is_not_stated_and_never_read_in_another_unit():
    result = good(PROVIDER, documents(models=[{"id": "m", "prompt_text_token_price": 300000000}]))  # 0.03 USD per token
    assert result.models["m"].prices.prompt is None
    assert len(result.warnings) == 1


def test_the_lists_of_pictures_and_films_say_what_comes_out():
    models = read(image=[{"id": "i"}], video=[{"id": "v"}], language=[{"id": "l", "output_modalities": ["image"]}])
    assert [models[name].output_modalities for name in "ivl"] == [("image",), ("video",), ("image",)]


def test_the_fingerprint_is_no_fact():
    first, second = (read(language=[{"id": "m", "fingerprint": mark}])["m"] for mark in ("fp_1", "fp_2"))
    assert content_hash(first) == content_hash(second)


def test_a_key_with_restricted_rights_makes_the_listing_incomplete():
    def complete(account):
        return good(PROVIDER, documents(models=[{"id": "m"}], account=account)).complete

    assert not complete({"acls": ["api-key:model:brook-5", "api-key:endpoint:*"]})
    assert not complete({"acls": []})
    assert complete({"acls": ["api-key:model:*"]})
    assert complete({})
    assert complete({"error": "forbidden"})
    assert good(PROVIDER, documents(models=[{"id": "m"}])).complete


@pytest.mark.parametrize("broken", ["models", "language", "image", "video"])
def test_each_of_the_four_lists_is_required(broken):
    assert isinstance(listing(PROVIDER, SAMPLE | {broken: {"error": "down"}}), Failure)


def test_all_five_addresses_are_asked_once():
    assert [request.url for request, _ in drive(PROVIDER, lambda request: answer({}))] == [
        "https://api.x.ai/v1/models",
        "https://api.x.ai/v1/language-models",
        "https://api.x.ai/v1/image-generation-models",
        "https://api.x.ai/v1/video-generation-models",
        "https://api.x.ai/v1/api-key",
    ]
