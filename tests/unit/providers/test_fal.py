"""fal: a price per the unit it names, joined from a second call of 50 endpoints at a time."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from modelsync.errors import Failure, FailureKind
from modelsync.model.model import NO_PRICES, Model, Prices, UnitPrice, content_hash
from modelsync.providers.base import PagingError
from modelsync.providers.builtin.fal import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample

LISTS = sample("fal")["lists"]


def read(models, prices=()):
    return good(PROVIDER, {"models": {"models": models}, "prices": {"prices": prices}}).models


def priced(price, unit, **fields):
    return read([{"endpoint_id": "a/b"}], [{"endpoint_id": "a/b", "unit_price": price, "unit": unit, "currency": "USD", **fields}])[
        "a/b"
    ].prices


def query(request):
    return parse_qs(urlsplit(request.url).query)


def test_the_sample_reads_to_these_models():
    models = read(LISTS["models"], LISTS["prices"])
    assert models["fal-ai/lumen/dev"] == Model(
        id="fal-ai/lumen/dev",
        model_name="LUMEN.1 [dev]",
        description="Pictures from words.",
        input_modalities=("text",),
        output_modalities=("image",),
        supports_streaming=True,
        released_at=datetime(2026, 2, 1, tzinfo=UTC),
        metadata={
            "category": "text-to-image",
            "status": "active",
            "tags": ["fast", "realism"],
            "license_type": "commercial",
            "kind": "inference",
            "group": {"key": "lumen", "label": "Text to Image"},
            "model_url": "https://fal.run/fal-ai/lumen/dev",
            "stream_url": "https://fal.run/fal-ai/lumen/dev/stream",
            "training_endpoint_ids": ["fal-ai/lumen-trainer"],
        },
        prices=Prices(image=D("0.03"), raw={"image": "0.03 USD per image"}),
    )
    assert models["fal-ai/lumen-trainer"] == Model(
        id="fal-ai/lumen-trainer",
        model_name="LUMEN trainer",
        description="Fine-tunes LUMEN.",
        released_at=datetime(2025, 11, 2, tzinfo=UTC),
        metadata={
            "category": "training",
            "status": "deprecated",
            "tags": ["lora", "training"],
            "kind": "training",
            "inference_endpoint_ids": ["fal-ai/lumen/dev"],
        },
        prices=Prices(others={"unit": "2"}, incomplete=("unit",)),  # "units" of nobody knows what
    )
    assert models["fal-ai/bare"] == Model(id="fal-ai/bare")


@pytest.mark.parametrize(
    ("price", "word", "per", "usd"),
    [
        (0.003, "megapixels", "megapixel", "0.003"),
        ("0.003", "megapixel", "megapixel", "0.003"),
        (0.1, "seconds", "second", "0.1"),
        (0.5, "videos", "video", "0.5"),
        (0.00111, "compute seconds", "compute second", "0.00111"),
        (0.00111, "compute_seconds", "compute second", "0.00111"),
        (0.6, "minutes", "minute", "0.6"),
        (0.1, "1000 characters", "character", "0.0001"),  # 0.1 / 1000
        (0.1, "1,000 characters", "character", "0.0001"),
    ],
)
def test_unit_words_in_singular_and_plural(price, word, per, usd):
    prices = priced(price, word)
    assert [(unit.per, unit.usd) for unit in prices.per_unit] == [(per, D(usd))]
    assert (prices.prompt, prices.completion, prices.image) == (None, None, None)


@pytest.mark.parametrize("word", ["image", "images", "Images"])
def test_a_price_per_image_is_the_image_price_and_no_token_price(word):
    prices = priced(0.025, word)
    assert (prices.image, prices.prompt, prices.completion, prices.per_unit) == (D("0.025"), None, None, ())


def test_what_is_not_understood_stays_raw():
    assert priced(0.002, "1000 tokens") == Prices(others={"1000 token": "0.002"}, incomplete=("1000 token",))
    assert priced(0.3, "images", currency="EUR") == Prices(others={"image in EUR": "0.3"}, incomplete=("image in EUR",))
    assert priced(0, "images").image is None
    assert priced(3, "") == Prices(others={"unit_price": "3"}, incomplete=("unit_price",))


def test_what_else_a_price_says_makes_it_incomplete():
    found = priced(0.025, "images", discount=0.1, tiers=[], note=None)
    assert (found.image, found.others, found.incomplete) == (D("0.025"), {"discount": "0.1"}, ("discount",))


def test_the_unit_word_of_a_price_tells_what_is_counted():
    assert priced(0.003, "megapixels").per_unit == (UnitPrice("megapixel", D("0.003"), "megapixel"),)


@pytest.mark.parametrize(
    ("category", "modality", "vision"),
    [
        ("text-to-image", "text->image", None),
        ("image-to-video", "image->video", True),
        ("text-to-speech", "text->audio", None),
        ("speech-to-text", "audio->text", None),
        ("audio-to-audio", "audio->audio", None),
        ("image-to-3d", "image->3d", True),
        ("llm", "text->text", None),
        ("vision", None, True),
        ("training", None, None),
        ("image-to-json", None, True),
        (None, None, None),
    ],
)
def test_the_category_names_the_modalities(category, modality, vision):
    model = read([{"endpoint_id": "a/b", "metadata": {"category": category}}])["a/b"]
    assert (model.modality, model.supports_vision) == (modality, vision)


def test_marks_of_the_page_and_of_the_keys_owner_do_not_change_a_model():
    (row, *_), seen = LISTS["models"], {"is_favorited": True, "pinned": True, "highlighted": False, "updated_at": "2027-01-01T00:00:00Z"}
    changed = {**row, "metadata": {**row["metadata"], **seen, "duration_estimate": 9}}
    assert content_hash(read([row])["fal-ai/lumen/dev"]) == content_hash(read([changed])["fal-ai/lumen/dev"])


def test_the_key_is_sent_as_fal_wants_it():
    assert (PROVIDER.auth.scheme, PROVIDER.auth.variables, PROVIDER.needs_key) == ("Key", ("FAL_KEY", "FAL_API_KEY"), False)


# The flow: 120 endpoints on two pages


def catalog(request):
    """Two pages of 60, then whatever prices are asked for."""
    asked = query(request)
    if request.endpoint.name == "prices":
        return answer({"prices": [{"endpoint_id": name, "unit_price": 1, "unit": "videos"} for name in asked["endpoint_id"][0].split(",")]})
    last = asked.get("cursor") == ["Mg=="]
    names = [f"a/{number}" for number in range(60 if last else 0, 120 if last else 60)]
    return answer({"models": [{"endpoint_id": name} for name in names], "next_cursor": None if last else "Mg==", "has_more": not last})


def test_pages_by_cursor_then_prices_for_fifty_at_a_time():
    asked = [(request.endpoint.name, query(request)) for request, _ in drive(PROVIDER, catalog)]
    assert asked[:2] == [("models", {"limit": ["100"]}), ("models", {"limit": ["100"], "cursor": ["Mg=="]})]
    assert [name for name, _ in asked] == ["models", "models", "prices", "prices", "prices"]
    batches = [parameters["endpoint_id"][0].split(",") for _, parameters in asked[2:]]
    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert sorted(name for batch in batches for name in batch) == sorted(f"a/{number}" for number in range(120))


def test_without_a_key_no_prices_are_asked_for():
    assert [request.endpoint.name for request, _ in drive(PROVIDER, catalog, has_key=False)] == ["models", "models"]


def test_a_batch_that_fails_does_not_stop_the_others_but_a_refused_key_does():
    def failing(kind):
        tried = []

        def respond(request):
            if request.endpoint.name == "models":
                return catalog(request)
            tried.append(request)
            return Failure(kind, "", "")

        drive(PROVIDER, respond)
        return len(tried)

    assert failing(FailureKind.UPSTREAM) == 3
    assert failing(FailureKind.CONFIG) == 1


def test_missing_prices_leave_a_complete_listing():
    listing = good(PROVIDER, {"models": {"models": LISTS["models"]}})
    assert listing.complete
    assert all(model.prices == NO_PRICES for model in listing.models.values())
    assert one(PROVIDER, {"models": {"models": LISTS["models"][:1]}, "prices": {"error": {"type": "auth"}}}).prices == NO_PRICES


def test_a_list_that_says_it_goes_on_and_does_not_is_no_list():
    with pytest.raises(PagingError):
        drive(PROVIDER, lambda request: answer({"models": [], "next_cursor": None, "has_more": True}))
    with pytest.raises(PagingError):
        drive(PROVIDER, lambda request: answer({"models": [], "next_cursor": "Mg==", "has_more": True}))


def test_rows_without_a_readable_id_do_not_disturb_the_flow():
    rows = json.loads('[{"endpoint_id": 7}, {}, "x", {"endpoint_id": "a/b"}]')
    urls = [query(request) for request, _ in drive(PROVIDER, lambda request: answer({"models": rows, "prices": []}))]
    assert urls == [{"limit": ["100"]}, {"endpoint_id": ["a/b"]}]
