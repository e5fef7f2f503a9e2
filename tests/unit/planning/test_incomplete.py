"""Warnings about prices that are not the whole price."""

from modelsync.model.model import Model, Prices
from modelsync.planning.incomplete import incomplete_warnings, unread_fields


def model(row_id, *incomplete):
    return Model(id=row_id, prices=Prices(incomplete=incomplete))


def warnings_of(models):
    return incomplete_warnings({each.id: unread_fields(each.prices) for each in models})


def test_there_is_one_warning_for_each_field():
    models = [model("b", "image"), model("a", "discount", "image"), model("c"), model("d", "image")]
    expected = (
        "price incomplete: `discount` is stated for 1 model and not read (a)",
        "price incomplete: `image` is stated for 3 models and not read (a, …)",
    )
    assert warnings_of(models) == warnings_of(reversed(models)) == expected


def test_many_are_counted_and_not_listed():
    (warning,) = warnings_of(model(f"m{number:04}", "image") for number in range(1200))
    assert warning == "price incomplete: `image` is stated for 1,200 models and not read (m0000, …)"


def test_where_it_stands_in_a_list_is_no_other_field():
    models = [model("a", "overrides[0].image", "overrides[1].image"), model("b", "overrides[12].image")]
    assert warnings_of(models) == ("price incomplete: `overrides[].image` is stated for 2 models and not read (a, …)",)


def test_a_name_without_end_is_cut():
    assert len(warnings_of([model("a", "x" * 100_000)])[0]) < 200


def test_complete_prices_are_no_warning():
    assert warnings_of([model("a"), Model(id="b")]) == ()
