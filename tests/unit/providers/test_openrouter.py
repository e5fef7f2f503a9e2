"""OpenRouter: expected values are worked out by hand from its documentation (decimal strings, USD per token)."""

from datetime import UTC, datetime

from modelsync.model import Model, Prices, Tier
from modelsync.providers.openrouter import PROVIDER
from support import D, answer, drive, good, one, sample

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
    assert (model.prices.image, model.prices.others) == (None, {"image": '"0.024"'})


def test_new_price_fields_are_kept_and_zero_ones_are_not():
    model = one(PROVIDER, {"models": {"data": [ROW | {"pricing": {"prompt": "0.000001", "brand_new": "0.5", "other_new": "0"}}]}})
    assert model.prices.others == {"brand_new": '"0.5"'}


def test_overrides_by_time_and_by_length_become_tiers():
    overrides = [{"utc_start": 1600, "utc_end": 100, "prompt": "0.0000005"}, {"min_prompt_tokens": 32000, "completion": "0.000004"}]
    model = one(PROVIDER, {"models": {"data": [ROW | {"pricing": ROW["pricing"] | {"overrides": overrides}}]}})
    assert model.prices.tiers == (Tier(utc_start=1600, utc_end=100, prompt=D("0.0000005")), Tier(above=32000, completion=D("0.000004")))


def test_an_override_with_a_condition_of_a_new_kind_is_kept_as_received():
    overrides = [{"weekday": "sunday", "prompt": "0.0000001"}]
    listing = good(PROVIDER, {"models": {"data": [ROW | {"pricing": ROW["pricing"] | {"overrides": overrides}}]}})
    prices = listing.models["x/y"].prices
    assert (prices.prompt, prices.tiers) == (D("0.000001"), ())
    assert prices.others == {"overrides": '[{"prompt":"0.0000001","weekday":"sunday"}]'}
    assert any("weekday" in warning for warning in listing.warnings)


def test_pages_are_followed_by_their_relative_link():
    pages = {
        "https://openrouter.ai/api/v1/models?output_modalities=all": {"data": [ROW], "links": {"next": "/api/v1/models?offset=1"}},
        "https://openrouter.ai/api/v1/models?offset=1": {"data": [ROW | {"id": "x/z"}], "links": {"next": None}},
    }
    assert [request.url for request, _ in drive(PROVIDER, lambda request: answer(pages[request.url]))] == list(pages)
