"""Fireworks AI: expected values are its amounts (units + nanos / 1,000,000,000 USD per 1M tokens) worked out by hand."""

from datetime import UTC, datetime

import pytest

from modelsync.model.model import Model, Prices
from modelsync.providers.builtin.fireworks import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample

ID = "accounts/fireworks/models/"
ROW = {"name": f"{ID}y", "kind": "HF_BASE_MODEL", "supportsServerless": True}
INPUT, CACHED, OUTPUT = "LLM input tokens (uncached)", "LLM input tokens (cached)", "LLM output tokens"


def models(**options: object):
    return good(PROVIDER, {"models": {"models": sample("fireworks")["lists"]["models"]}}, **options)


def read(**changes: object):
    return one(PROVIDER, {"models": {"models": [ROW | changes]}})


def modes(*skus: dict, mode: str = "default"):
    return [{"name": f"{ID}y/serverlessModes/{mode}", "skuInfos": skus}]


def sku(name: str, unit: str = "1M tokens", **amount: object):
    return {"sku": name, "unit": unit, "amount": {"currencyCode": "USD"} | amount}


def test_the_sample_reads_to_these_models():
    listed = models().models
    quill = listed[f"{ID}quill-v2p1"]
    assert quill == Model(
        id=f"{ID}quill-v2p1",
        model_name="Quill V2.1",
        description="Long-context writing model.",
        context_length=163840,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        released_at=datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC),
        expires_at=datetime(2026, 12, 15, tzinfo=UTC),
        hugging_face_id="larkfield/Quill-V2.1",
        metadata={
            "status": {"code": "OK", "message": ""},
            "public": True,
            "baseModelDetails": {"parameterCount": "120000000000", "moe": True},
            "kind": "HF_BASE_MODEL",
            "state": "READY",
            "supportsServerless": True,
            "deprecationDate": "2026-12-15",
            "huggingFaceUrl": "https://huggingface.co/larkfield/Quill-V2.1",
        },
        prices=Prices(
            prompt=D("0.00000048"),  # 0 + 480,000,000 / 1e9 = 0.48 USD per 1M
            cache_read=D("0.000000048"),
            completion=D("0.00000192"),  # 1 + 920,000,000 / 1e9 = 1.92 USD per 1M
            others={"fast: LLM output tokens, USD per 1M tokens": '"3.840000000"'},
            incomplete=("fast: LLM output tokens, USD per 1M tokens",),
            raw=quill.prices.raw,
        ),
    )
    embed = listed[f"{ID}pebble-embed-2"]
    assert embed == Model(
        id=f"{ID}pebble-embed-2",
        model_name="Pebble Embed 2",
        context_length=8192,
        input_modalities=("text",),
        output_modalities=("embeddings",),
        released_at=datetime(2025, 8, 20, tzinfo=UTC),
        metadata={"public": True, "kind": "EMBEDDING_MODEL", "state": "READY", "supportsServerless": True},
    )
    assert listed[f"{ID}brush-1"].modality == "text->image"


def test_an_amount_is_units_and_nanos():
    prices = read(serverlessModes=modes(sku(INPUT, units="0", nanos=560000000), sku(OUTPUT, units="1", nanos=680000000))).prices
    assert (prices.prompt, prices.completion) == (D("0.00000056"), D("0.00000168"))


def test_a_price_per_thousand_tokens():
    small = models().models[f"{ID}quill-v2-small"].prices
    assert small.prompt == D("0.0000002")  # 200,000 / 1e9 = 0.0002 USD per 1,000


def test_an_amount_of_zero_is_not_free():
    assert models().models[f"{ID}quill-v2-small"].prices.completion is None


def test_an_unknown_sku_unit_or_currency_is_kept_as_received():
    small = models().models[f"{ID}quill-v2-small"].prices
    assert small.others == {"LLM batch tokens, USD per 1M tokens": '"0.090000000"'}
    hourly = read(serverlessModes=modes(sku(INPUT, unit="hour", units="5"))).prices
    assert (hourly.prompt, hourly.others, hourly.incomplete) == (None, {f"{INPUT}, USD per hour": '"5.000000000"'}, ())
    euros = read(serverlessModes=modes(sku(INPUT, currencyCode="EUR", units="5"))).prices
    assert (euros.prompt, euros.others) == (None, {f"{INPUT}, EUR per 1M tokens": '"5.000000000"'})
    assert (small.incomplete, euros.incomplete) == (("LLM batch tokens, USD per 1M tokens",), (f"{INPUT}, EUR per 1M tokens",))


def test_a_price_with_a_condition_of_a_new_kind_is_not_the_flat_one():
    flat, long = sku(OUTPUT, units="1"), sku(INPUT, units="2") | {"minContext": 32000}
    prices = read(serverlessModes=modes(flat, long)).prices
    assert (prices.completion, prices.prompt) == (D("0.000001"), None)
    assert prices.incomplete == (f"{INPUT}, minContext=32000, USD per 1M tokens",)


def test_an_amount_that_is_no_amount_costs_its_own_price_only():
    prices = read(serverlessModes=modes(sku(OUTPUT, units="1"), sku(INPUT) | {"amount": "0.5"}, sku(CACHED) | {"amount": None})).prices
    assert (prices.completion, prices.prompt, prices.incomplete) == (D("0.000001"), None, (f"{INPUT}, USD per 1M tokens",))


@pytest.mark.parametrize("amount", [{"units": 1.5}, {"units": "-1"}, {"units": "1", "nanos": 1_000_000_000}, {"units": "1", "nanos": -5}])
def test_an_amount_that_cannot_be_is_no_price(amount):
    prices = read(serverlessModes=modes(sku(INPUT, **amount))).prices
    assert (prices.prompt, len(prices.problems)) == (None, 1)


def test_a_price_stated_twice_with_different_amounts_is_no_price():
    assert read(serverlessModes=modes(sku(INPUT, units="1"), sku(INPUT, units="2"))).prices.prompt is None
    assert read(serverlessModes=modes(sku(INPUT, units="1"), sku(INPUT, units="1"))).prices.prompt == D("0.000001")


def test_prices_of_another_way_to_call_are_not_the_model_s():
    assert not read(serverlessModes=modes(sku(INPUT, units="1"), mode="priority")).prices.stated


def test_models_for_a_deployment_of_one_s_own_are_left_out_unless_asked_for():
    listed = models()
    assert (f"{ID}quill-v1-deploy" in listed.models, listed.left_out) == (False, 1)
    everything = models(include_deployable=True)
    assert (f"{ID}quill-v1-deploy" in everything.models, everything.left_out) == (True, 0)


def test_a_model_that_is_being_uploaded_cannot_be_called():
    assert models().models[f"{ID}quill-v3-preview"].available is False


def test_an_end_without_a_day_is_kept_and_is_no_date():
    small = models().models[f"{ID}quill-v2-small"]
    assert (small.expires_at, small.metadata["deprecationDate"]) == (None, "2027-03-00")


def test_what_proto3_leaves_out_is_not_stated():
    model = read()
    assert (model.supports_vision, model.supports_function_calling, model.context_length) == (None, None, None)
    assert read(supportsTools=False).supports_function_calling is False


def test_an_unknown_kind_has_no_modality():
    assert read(kind="HF_PEFT_ADDON").modality is None


def test_another_update_time_is_no_change():
    assert read(updateTime="2026-01-01T00:00:00Z") == read(updateTime="2026-02-01T00:00:00Z")


def test_pages_are_followed_by_their_token():
    start = "https://api.fireworks.ai/v1/accounts/fireworks/models?pageSize=200"
    pages = {
        start: {"models": [ROW], "nextPageToken": "a b"},
        f"{start}&pageToken=a+b": {"models": [ROW | {"name": f"{ID}z"}], "nextPageToken": ""},
    }
    assert [request.url for request, _ in drive(PROVIDER, lambda request: answer(pages[request.url]))] == list(pages)
    assert drive(PROVIDER, lambda request: answer(pages[request.url]), has_key=False) == []
