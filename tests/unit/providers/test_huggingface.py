"""Hugging Face: the router's offers (JSON numbers, USD per million tokens) and, when asked for, the Hub."""

from datetime import UTC, datetime

import msgspec
import pytest

from modelsync.errors import Failure, FailureKind
from modelsync.model.model import NO_PRICES, Model, Prices, content_hash
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.huggingface import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample

LISTS = sample("huggingface")["lists"]
ROUTER = "https://router.huggingface.co/v1/models"


def models():
    return good(PROVIDER, {"models": {"object": "list", "data": LISTS["models"]}}).models


def offer(provider="a", status="live", **fields):
    return {"provider": provider, "status": status, **fields}


def priced(provider, cost, **fields):
    return offer(provider, pricing={"input": cost, "output": cost}, **fields)


def served(*offers):
    return one(PROVIDER, {"models": {"data": [{"id": "x/Y", "providers": list(offers)}]}})


def test_the_sample_reads_to_these_models():
    quill, three = models()["acme/Quill-V9"], models()["lyra/Three-Bit"]
    assert quill == Model(
        id="acme/Quill-V9",
        context_length=1048576,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=True,
        supports_vision=True,
        supports_structured_output=False,  # of novita's offer, like price and context
        released_at=datetime(2026, 3, 1, tzinfo=UTC),
        hugging_face_id="acme/Quill-V9",
        metadata=quill.metadata,
        prices=Prices(prompt=D("0.0000009"), completion=D("0.0000034"), raw=quill.prices.raw),  # $0.90 and $3.40 per million
    )
    assert quill.metadata["price_and_context_of"] == "novita"
    assert three == Model(
        id="lyra/Three-Bit",
        context_length=65536,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_streaming=True,
        supports_function_calling=False,
        supports_vision=False,
        supports_structured_output=False,
        released_at=datetime(2026, 4, 1, tzinfo=UTC),
        hugging_face_id="lyra/Three-Bit",
        metadata=three.metadata,
        prices=Prices(raw=three.prices.raw),  # 0 and 0, but is_free is false: not known
    )


def test_a_price_is_per_million_tokens():
    assert served(offer(pricing={"input": 1.69, "output": 3.38})).prices.prompt == D("0.00000169")


def test_every_offer_is_kept_by_name_without_what_each_probe_changes():
    offers = models()["acme/Quill-V9"].metadata["providers"]
    assert [each["provider"] for each in offers] == ["deepinfra", "featherless-ai", "fireworks-ai", "novita", "together"]
    assert offers[1] == {"provider": "featherless-ai", "status": "live", "is_model_author": False}
    assert offers[3]["pricing"] == {"input": "0.9", "output": "3.4"}
    assert not {"throughput", "first_token_latency_ms"} & {name for each in offers for name in each}


def test_order_and_speed_of_offers_change_nothing():
    one_way = served(priced("a", 1, throughput=5.5), priced("b", 2, first_token_latency_ms=100))
    other_way = served(priced("b", 2, first_token_latency_ms=900), priced("a", 1, throughput=70))
    assert content_hash(one_way) == content_hash(other_way)


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        ([priced("a", 2, context_length=8), priced("b", 1, context_length=4)], "b"),  # cheapest
        ([priced("a", 2, context_length=8), priced("b", 1)], "b"),  # cheapest, even when it states no context
        ([offer("a", context_length=8), priced("b", 1)], "b"),  # a price matters more than a context
        ([priced("a", 1), priced("b", 1, context_length=4)], "b"),  # the same price: the one that states a context
        ([priced("b", 1, context_length=8), priced("a", 1, context_length=8)], "a"),  # the same: by name
        ([priced("a", 1, context_length=8), priced("b", 1, context_length=16)], "b"),  # the same price: the longer one
        ([priced("a", 1, status="error"), priced("b", 2)], "b"),  # only live ones
        ([offer("a", context_length=8), offer("b", context_length=16)], "b"),
        ([priced("a", 1, context_length=8), offer("b", pricing={"input": 0, "output": 0}, context_length=8)], "a"),  # 0 is no price
        ([priced("a", 1), offer("b", pricing={"input": 0, "output": 0}, is_free=True)], "b"),  # except where it is free
    ],
)
def test_one_offer_gives_price_and_context(offers, chosen):
    model = served(*offers)
    (expected,) = (each for each in offers if each["provider"] == chosen)
    assert model.metadata["price_and_context_of"] == chosen
    assert model.context_length == expected.get("context_length")


def test_a_free_offer_is_free():
    assert served(offer(pricing={"input": 0, "output": 0}, is_free=True)).prices.prompt == 0


def test_only_what_writes_text_or_does_not_say_has_a_price_per_token():
    row = {"id": "x", "providers": [priced("a", 1)]}
    for outputs, prompt, incomplete in (
        (["text"], D("0.000001"), ()),
        (None, D("0.000001"), ()),
        (["image"], None, ("input", "output")),
        (["text", "hologram"], None, ("input", "output")),
    ):
        prices = one(PROVIDER, {"models": {"data": [row | {"architecture": {"output_modalities": outputs}}]}}).prices
        assert (prices.prompt, prices.incomplete) == (prompt, incomplete)


def test_a_model_with_only_errors_is_not_available():
    away = models()["lyra/Away"]
    assert (away.available, away.prices, away.context_length) == (False, NO_PRICES, None)
    assert "price_and_context_of" not in away.metadata
    assert served(offer(status="staging"), offer("b", status="error")).available
    assert one(PROVIDER, {"models": {"data": [{"id": "x"}]}}).available


def test_ids_that_differ_in_case_are_two_models_and_older_rows_state_no_modality():
    assert models()["acme/quill-v9"].metadata["price_and_context_of"] == "alpha"  # 0.8 like zeta, and first by name
    assert (models()["orchard/Pip-7B"].modality, models()["orchard/Pip-7B"].supports_vision) == (None, None)


def test_the_hub_adds_models_of_its_own_and_changes_no_other():
    listing = good(PROVIDER, {"models": {"data": LISTS["models"]}, "hub": LISTS["hub"]}, hub_limit=10)
    brush = listing.models["acme/Brush"]
    assert brush == Model(
        id="acme/Brush",
        input_modalities=("text",),
        output_modalities=("image",),
        released_at=datetime(2025, 11, 25, 2, 37, 41, tzinfo=UTC),
        hugging_face_id="acme/Brush",
        metadata={
            "_id": "aaaaaaaaaaaaaaaaaaaaaa02",
            "modelId": "acme/Brush",
            "private": False,
            "library_name": "diffusers",
            "pipeline_tag": "text-to-image",
            "tags": ["diffusers", "text-to-image"],
        },
    )
    assert listing.models["old-embed-base"].modality == "text->embeddings"
    assert listing.models["lyra/Untagged"].modality is None
    assert listing.models["acme/Quill-V9"] == models()["acme/Quill-V9"]
    assert (len(listing.models), listing.duplicates) == (8, ())


def test_the_documentation_of_the_router_says_nothing_of_what_only_the_hub_has():
    hub = [{"id": "x/Y", "pipeline_tag": "text-generation"}]
    model = good(PROVIDER, {"models": {"data": []}, "hub": hub}, hub_limit=1).models["x/Y"]
    assert (model.modality, model.supports_streaming) == ("text->text", None)


def test_counters_of_the_hub_change_nothing():
    row = {"id": "x/Y", "likes": 1, "downloads": 2, "trendingScore": 3, "downloadsAllTime": 4}
    quiet, loud = (
        good(PROVIDER, {"models": {"data": []}, "hub": [row | changes]}, hub_limit=1).models["x/Y"]
        for changes in ({}, {"likes": 9, "downloads": 8, "trendingScore": None, "downloadsAllTime": 6})
    )
    assert content_hash(quiet) == content_hash(loud)


def test_a_listing_with_the_hub_is_never_complete():
    assert good(PROVIDER, {"models": {"data": LISTS["models"]}}).complete
    asked = good(PROVIDER, {"models": {"data": LISTS["models"]}, "hub": LISTS["hub"]}, hub_limit=3)
    assert not asked.complete
    assert asked.warnings == ("only the 3 most downloaded models of the Hub were asked for",)
    assert "lyra/Untagged" not in asked.models  # the fourth


def test_the_hub_is_not_asked_by_default():
    asked = drive(PROVIDER, lambda request: answer({"data": []}))
    assert [request.url for request, _ in asked] == [ROUTER]
    assert {endpoint.key for endpoint in PROVIDER.endpoints} == {KeyUse.NEVER}


def test_pages_of_the_hub_are_followed_by_their_link_until_there_are_enough():
    first = "https://huggingface.co/api/models?sort=downloads&direction=-1&limit=1000"
    link = {"link": '<https://huggingface.co/api/models?limit=1000&cursor=abc>; rel="next"'}
    asked = drive(PROVIDER, lambda request: answer([], headers=link if request.url == first else {}), hub_limit=5000)
    assert [request.url for request, _ in asked] == [ROUTER, first, "https://huggingface.co/api/models?limit=1000&cursor=abc"]
    enough = drive(PROVIDER, lambda request: answer([], headers=link), hub_limit=1000)
    assert [request.url for request, _ in enough] == [ROUTER, first]
    few = drive(PROVIDER, lambda request: answer([], headers=link), hub_limit=5)
    assert few[1][0].url.endswith("limit=5")


def test_a_hub_that_fails_leaves_the_routers_models():
    failed = Failure(FailureKind.UPSTREAM, "no answer", "")
    asked = drive(PROVIDER, lambda request: answer({"data": []}) if request.url == ROUTER else failed, hub_limit=10)
    assert [request.url for request, _ in asked] == [ROUTER]
    broken = good(PROVIDER, {"models": {"data": LISTS["models"]}, "hub": {"error": "too many requests"}}, hub_limit=10)
    assert set(broken.models) == set(models())


def test_a_negative_limit_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"hub_limit": -1}, PROVIDER.options)
