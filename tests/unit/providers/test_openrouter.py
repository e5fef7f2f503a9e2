"""OpenRouter: expected values are worked out by hand from its documentation (decimal strings, USD per token)."""

import gc
import json
import random
import tracemalloc
from datetime import UTC, datetime

import pytest

from modelsync.model.model import Model, Prices, Tier
from modelsync.providers.builtin.openrouter import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample

ROW = {
    "id": "x/y",
    "pricing": {"prompt": "0.000001", "completion": "0.000002"},
    "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
}


def test_the_sample_reads_to_these_models():
    models = good(PROVIDER, {"models": {"data": sample("openrouter")["lists"]["models"]}}).models
    assert models["acme/scribe-2"] == Model(
        id="acme/scribe-2",
        model_name="Acme: Scribe 2",
        description="Long-context writing model.",
        context_length=400000,
        max_output_tokens=128000,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_reasoning=True,
        supports_structured_output=True,
        released_at=datetime(2026, 3, 1, tzinfo=UTC),
        metadata=models["acme/scribe-2"].metadata,
        prices=Prices(
            prompt=D("0.00000125"),  # $1.25 per million
            completion=D("0.00001"),
            cache_read=D("0.000000125"),
            cache_write=D("0.0000015625"),  # without the float noise of the wire
            web_search=D("0.01"),
            tiers=(Tier(above=200000, prompt=D("0.0000025"), completion=D("0.000015")),),
            raw=models["acme/scribe-2"].prices.raw,
        ),
    )
    assert models["acme/scribe-2"].metadata["canonical_slug"] == "acme/scribe-2-20260301"
    assert models["acme/scribe-2"].modality == "text+image->text"
    assert models["orchard/pip-7b"].prices.prompt == D("0.0000002")
    assert models["orchard/pip-7b"].expires_at == datetime(2026, 12, 31, tzinfo=UTC)
    assert models["orchard/pip-7b"].hugging_face_id == "orchard/pip-7b-instruct"


def test_minus_one_is_a_dynamic_price_and_no_amount():
    prices = good(PROVIDER, {"models": {"data": sample("openrouter")["lists"]["models"]}}).models["openrouter/auto"].prices
    assert (prices.dynamic, prices.prompt, prices.completion) == (True, None, None)


def test_zero_is_free_for_text_and_unknown_for_what_is_billed_per_song():
    models = good(PROVIDER, {"models": {"data": sample("openrouter")["lists"]["models"]}}).models
    assert models["acme/scribe-2:free"].prices.prompt == 0
    assert models["lyra/chorus-1"].prices.prompt is None
    assert models["lyra/chorus-1"].expires_at is None  # 2098-12-31 is "no end"


def test_the_image_price_is_kept_as_received_because_its_unit_differs_by_row():
    model = one(PROVIDER, {"models": {"data": [ROW | {"pricing": {"prompt": "0.000001", "image": "0.024"}}]}})
    assert (model.prices.image, model.prices.others, model.prices.incomplete) == (None, {"image": '"0.024"'}, ("image",))


def test_sound_has_prices_of_its_own():
    gemini = {"prompt": "0.0000005", "completion": "0.000002", "audio": "0.000001", "audio_output": "0.000064"}
    prices = one(PROVIDER, {"models": {"data": [ROW | {"pricing": gemini}]}}).prices
    assert (prices.audio_input, prices.audio_output, prices.incomplete) == (D("0.000001"), D("0.000064"), ())


@pytest.mark.parametrize("outputs", [["text"], ["text", "image"], ["audio", "text"], ["image"], ["embeddings"], [], None])
def test_what_is_billed_by_the_token(outputs):
    row = ROW | {"architecture": {"output_modalities": outputs}}
    assert one(PROVIDER, {"models": {"data": [row]}}).prices.prompt == D("0.000001")


@pytest.mark.parametrize("outputs", [["video"], ["speech"], ["transcription"], ["rerank"], ["audio"], ["text", "hologram"]])
def test_what_is_not_known_to_be_billed_by_the_token_has_no_token_price(outputs):
    overrides = [{"min_prompt_tokens": 9, "prompt": "0.000002"}]
    pricing = ROW["pricing"] | {"request": "0.1", "overrides": overrides}
    prices = one(PROVIDER, {"models": {"data": [ROW | {"pricing": pricing, "architecture": {"output_modalities": outputs}}]}}).prices
    assert (prices.prompt, prices.completion, prices.request, prices.tiers) == (None, None, D("0.1"), ())
    assert prices.incomplete == ("completion", "overrides[0].prompt", "prompt")


def test_new_price_fields_are_kept_and_zero_ones_are_not():
    model = one(PROVIDER, {"models": {"data": [ROW | {"pricing": {"prompt": "0.000001", "brand_new": "0.5", "other_new": "0"}}]}})
    assert (model.prices.others, model.prices.incomplete) == ({"brand_new": '"0.5"'}, ("brand_new",))


def test_overrides_by_time_and_by_length_become_tiers():
    overrides = [{"utc_start": 1600, "utc_end": 100, "prompt": "0.0000005"}, {"min_prompt_tokens": 32000, "completion": "0.000004"}]
    model = one(PROVIDER, {"models": {"data": [ROW | {"pricing": ROW["pricing"] | {"overrides": overrides}}]}})
    assert model.prices.tiers == (Tier(utc_start=1600, utc_end=100, prompt=D("0.0000005")), Tier(above=32000, completion=D("0.000004")))


def overridden(*overrides):
    listing = good(PROVIDER, {"models": {"data": [ROW | {"pricing": ROW["pricing"] | {"overrides": list(overrides)}}]}})
    return listing.models["x/y"].prices


LONG = {"min_prompt_tokens": 200000, "prompt": "0.000004"}
LONG_TIER = Tier(above=200000, prompt=D("0.000004"))


def test_windows_on_some_days_of_the_week_are_tiers():
    prices = overridden(
        LONG,
        {"utc_days": ["sunday", "saturday"], "utc_start": 0, "utc_end": 600, "prompt": "0.0000005"},
        {"utc_days": ["monday"], "completion": "0.000001"},
        {"utc_days": ["friday"], "min_prompt_tokens": 9.0, "prompt": "0.000003"},
    )
    assert prices.tiers == (
        LONG_TIER,
        Tier(utc_start=0, utc_end=600, utc_days=("saturday", "sunday"), prompt=D("0.0000005")),
        Tier(utc_days=("monday",), completion=D("0.000001")),
        Tier(above=9, utc_days=("friday",), prompt=D("0.000003")),
    )
    assert prices.incomplete == ()
    assert prices.raw["overrides[1].prompt"] == "0.0000005 USD per token"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ({"season": "winter", "prompt": "0.0000001"}, "overrides.season"),
        ({"min_prompt_tokens": 9, "region": 3, "prompt": "0.0000001"}, "overrides.region"),
        ({"min_prompt_tokens": "many", "prompt": "0.0000001"}, "overrides[1]"),
        ({"min_prompt_tokens": -5, "prompt": "0.0000001"}, "overrides[1]"),
        ({"utc_days": ["caturday"], "prompt": "0.0000001"}, "overrides[1]"),
        ({"utc_days": [0], "prompt": "0.0000001"}, "overrides[1]"),
        ({"utc_start": 600, "prompt": "0.0000001"}, "overrides[1]"),
        ({"utc_start": 0, "utc_end": 9900, "prompt": "0.0000001"}, "overrides[1]"),
        ({"utc_start": 60, "utc_end": 199, "prompt": "0.0000001"}, "overrides[1]"),
        ({"prompt": "0.0000001"}, "overrides[1]"),  # always?
        ("half price on sundays", "overrides[1]"),
    ],
)
def test_an_override_that_is_not_understood_costs_itself_only(override, told):
    prices = overridden(LONG, override)
    assert (prices.prompt, prices.tiers, prices.incomplete) == (D("0.000001"), (LONG_TIER,), (told,))
    assert json.loads(prices.others["overrides[1]"]) == override


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"completion": "dear"}, "completion"),
        ({"completion": "-0.1"}, "completion"),
        ({"completion": "0.5"}, "completion"),  # no tier's price can wait for a person
        ({"image": "0.02"}, "image"),
        ({"request": "0.02"}, "request"),  # a tier has prices per token only
    ],
)
def test_a_price_of_an_override_that_is_not_read_is_told(more, field):
    prices = overridden(LONG | more)
    assert (prices.tiers, prices.incomplete) == ((LONG_TIER,), (f"overrides[0].{field}",))


def test_overrides_that_are_no_list_are_kept_as_received():
    listing = good(PROVIDER, {"models": {"data": [ROW | {"pricing": ROW["pricing"] | {"overrides": {"prompt": "1"}}}]}})
    prices = listing.models["x/y"].prices
    assert (prices.prompt, prices.others, prices.incomplete) == (D("0.000001"), {"overrides": '{"prompt":"1"}'}, ("overrides",))


def test_pages_are_followed_by_their_relative_link():
    pages = {
        "https://openrouter.ai/api/v1/models?output_modalities=all": {"data": [ROW], "links": {"next": "/api/v1/models?offset=1"}},
        "https://openrouter.ai/api/v1/models?offset=1": {"data": [ROW | {"id": "x/z"}], "links": {"next": None}},
    }
    assert [request.url for request, _ in drive(PROVIDER, lambda request: answer(pages[request.url]))] == list(pages)


@pytest.mark.parametrize("field", ["a name of a price", "a thousand prices", "an ability", "an input", "an output"])
def test_what_a_list_says_is_not_kept_in_memory_once_it_is_read(field: str):
    def row(number: int) -> dict[str, object]:
        text, chance = f"{number}{'x' * 100_000}", random.Random(number)
        fields: dict[str, dict[str, object]] = {
            "a name of a price": {"pricing": {text: "1"}},
            "a thousand prices": {"pricing": {f"{place}": chance.randrange(1, 10) for place in range(1000)}},
            "an ability": {"supported_parameters": [text]},
            "an input": {"architecture": {"input_modalities": [text]}},
            "an output": {"architecture": {"output_modalities": [text]}},
        }
        return {"id": f"m{number}", **fields[field]}

    good(PROVIDER, {"models": {"data": [ROW]}})
    body = {"models": {"data": [row(number) for number in range(100)]}}
    tracemalloc.start()
    good(PROVIDER, body)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
