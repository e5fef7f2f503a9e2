"""Featherless: no prices, ids that come twice, and everything in one answer."""

from datetime import UTC, datetime

from modelsync.model.model import NO_PRICES, Model
from modelsync.providers.builtin.featherless import PROVIDER
from modelsync.testing import answer, drive, good, one, sample

ROW = {"id": "x/y", "is_gated": False, "created": 1767225600, "owned_by": "Feather", "context_length": 8192}


def models():
    return good(PROVIDER, {"models": {"data": sample("featherless")["lists"]["models"]}})


def test_the_sample_reads_to_these_models():
    listed = models().models
    rest = {"is_gated": False, "owned_by": "Feather", "available_on_current_plan": True}
    assert listed["Larkfield/Quillwren-8B"] == Model(
        id="Larkfield/Quillwren-8B",
        context_length=32768,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_function_calling=True,
        released_at=datetime(2026, 1, 1, tzinfo=UTC),
        metadata=rest | {"model_class": "llama31-8b"},
    )
    assert listed["Larkfield/Moonrook-1B-merge"] == Model(
        id="Larkfield/Moonrook-1B-merge",
        context_length=8192,
        max_output_tokens=4096,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_function_calling=None,  # a missing flag is no "no"
        released_at=datetime(2026, 2, 1, tzinfo=UTC),
        metadata=rest | {"model_class": "llama32-1b"},
    )


def test_a_subscription_is_no_price_and_not_free():
    assert all(model.prices == NO_PRICES for model in models().models.values())


def test_an_id_that_comes_twice_is_one_model_whatever_the_order():
    rows = [ROW | {"created": 1770508800}, ROW]
    for ordered in (rows, rows[::-1]):
        listing = good(PROVIDER, {"models": {"data": ordered}})
        assert listing.duplicates == ("x/y",)
        assert listing.models["x/y"].released_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_row_without_a_date_does_not_hide_the_one_with_it():
    listing = good(PROVIDER, {"models": {"data": [{"id": "x/y"}, ROW]}})
    assert listing.models["x/y"].context_length == 8192


def test_ids_that_differ_only_in_case_are_different_models():
    assert {"saltmarsh/Heron-3B-ita", "saltmarsh/heron-3b-Ita"} <= models().models.keys()


def test_a_name_is_read_where_the_documentation_shows_one():
    assert one(PROVIDER, {"models": {"data": [ROW | {"name": "Y"}]}}).model_name == "Y"


def test_everything_comes_in_one_answer():
    asked = drive(PROVIDER, lambda request: answer({"data": [ROW]}), has_key=False)
    assert [request.url for request, _ in asked] == ["https://api.featherless.ai/v1/models"]
