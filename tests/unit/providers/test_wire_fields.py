"""What rows look like on the wire, and which differences between two listings are worth a word."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from modelsync.planning.drift import Shape, Snapshot, Tally, merged, moved, shapes
from modelsync.providers.builtin import deepinfra, openrouter
from modelsync.testing import good

Row = dict[str, Any]


def shape(rows: Iterable[Row]) -> Shape:
    listed = list(rows)
    tally = Tally(len(listed))
    for row in listed:
        tally.see(row)
    found = tally.shape()
    assert found is not None
    return found


def snapshot(rows: Iterable[Row], scope: str = "a", version: int = 1) -> Snapshot:
    return Snapshot(scope, version, {"models": shape(rows)})


def drift(before: Iterable[Row], now: Iterable[Row]) -> list[str]:
    return [text.removeprefix("drift: ") for text in moved(snapshot(before), snapshot(now))]


def rows(count: int, filled: int, value: Any = "x", field: str = "note") -> list[Row]:
    """So many rows, of which the first so many have the field."""
    return [{"id": f"m{number}", **({field: value} if number < filled else {})} for number in range(count)]


# Counting


def test_every_field_and_one_level_below_objects_is_counted_by_type():
    found = shape(
        [
            {"id": "a", "pricing": {"prompt": "1", "image": 2}, "tags": ["x"], "free": False, "tier": {"inner": {"deep": 1}}},
            {"id": "b", "pricing": {"prompt": 1.5, "image": None}, "tags": [], "free": None, "score": 0},
        ]
    )
    assert found.rows == 2
    assert found.fields == {
        "id": {"string": 2},
        "pricing": {"object": 2},
        "pricing.prompt": {"string": 1, "number": 1},
        "pricing.image": {"number": 1},
        "tags": {"array": 1},
        "free": {"boolean": 1},
        "score": {"number": 1},
        "tier": {"object": 1},
        "tier.inner": {"object": 1},
    }


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_what_is_empty_is_not_filled(nothing: object):
    assert shape([{"id": "a", "note": nothing}]).fields == {"id": {"string": 1}}


@pytest.mark.parametrize("something", [0, 0.0, False])
def test_zero_and_false_are_values(something: object):
    assert shape([{"note": something}]).filled("note") == 1


@pytest.mark.parametrize(("total", "looked_at"), [(1, 1), (1_000, 1_000), (1_001, 500), (2_500, 833), (15_698, 981)])
def test_at_most_a_thousand_rows_are_looked_at(total: int, looked_at: int):
    assert shape({"id": str(number)} for number in range(total)).rows == looked_at  # every row, every second, third, sixteenth


def test_the_sample_is_taken_from_the_whole_list():
    found = shape([*rows(1_500, 1_500, field="early"), *rows(1_500, 1_500, field="late")])  # every third of 3,000
    assert (found.rows, found.filled("early"), found.filled("late")) == (1_000, 500, 500)


def test_no_row_makes_no_shape():
    assert shapes({"models": Tally(0)}) == {}


@pytest.mark.parametrize(("filled", "kept"), [(9, False), (10, True)])
def test_a_field_of_less_than_one_row_in_a_hundred_is_noise(filled: int, kept: bool):
    assert ("note" in shape(rows(1_000, filled)).fields) == kept


@pytest.mark.parametrize(("fields", "counted"), [(200, True), (201, False)])
def test_an_object_of_more_than_200_fields_is_a_map(fields: int, counted: bool):
    found = shape([{"id": "a", "prices": {f"f{number}": 1 for number in range(fields)}}])
    assert ("prices.f0" in found.fields) == counted


@pytest.mark.parametrize(("width", "kept"), [(199, 199), (200, 200), (201, 0)])
def test_a_row_of_more_than_200_fields_is_not_counted(width: int, kept: int):
    assert len(shape([{f"f{number}": 1 for number in range(width)}]).fields) == kept


@pytest.mark.parametrize(("parts", "kept"), [(2, 300), (3, 300)])
def test_the_300_most_filled_fields_are_kept(parts: int, kept: int):
    row = {f"p{part}": {f"f{number:03}": 1 for number in range(149)} for part in range(parts)}  # 150 fields a part
    assert len(shape([row]).fields) == kept


@pytest.mark.parametrize(("length", "told"), [(99, 99), (100, 100), (101, 100)])
def test_names_of_fields_are_cut_at_100_characters(length: int, told: int):
    (name,) = shape([{"n" * length: 1}]).fields
    assert len(name) == told


def test_after_5000_different_looks_no_more_rows_are_taken():
    """Each row looks new in 19 objects and as a whole: 20 looks. 250 rows have 5,000; with the next one there are more."""
    wild = [{f"o{part}": {f"f{number}": 1} for part in range(19)} | {f"own{number}": 1} for number in range(500)]
    assert shape(wild).rows == 251


def test_what_is_kept_is_bounded():
    wild = [{"id": "a", "prices": {f"model-{number}": 1 for number in range(201)}} for _ in range(10)]
    assert set(shape(wild).fields) == {"id", "prices"}  # a map, not a row
    many = [{f"field-{number}-{row}": 1 for number in range(100)} for row in range(20)]
    assert len(shape(many).fields) == 300
    (name,) = shape([{"n" * 500: 1}]).fields
    assert name == "n" * 100


def test_a_listing_carries_the_shape_of_each_endpoint_of_rows_that_could_be_read_and_not():
    read = good(openrouter.PROVIDER, {"models": {"data": [{"id": "a", "pricing": {"prompt": "0"}}, {"id": 7, "pricing": "free"}]}})
    assert len(read.rejected) == 1
    assert read.wire_fields == {
        "models": Shape(
            2,
            {
                "id": {"string": 1, "number": 1},
                "pricing": {"object": 1, "string": 1},
                "pricing.prompt": {"string": 1},
            },
        )
    }


def test_each_endpoint_of_a_provider_has_its_own():
    read = good(deepinfra.PROVIDER, {"models": {"data": [{"id": "a"}]}, "details": [{"model_name": "a", "type": "text-generation"}]})
    assert {name: found.rows for name, found in read.wire_fields.items()} == {"models": 1, "details": 1}


def test_a_shape_survives_json():
    found = snapshot(rows(20, 7))
    assert msgspec.convert(json.loads(msgspec.json.encode(found)), Snapshot) == found


# Differences


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ((10, 10), (10, 0), ["`note` was filled in 100 % of rows and now in 0 %; look whether it has another name now"]),
        ((10, 9), (10, 4), ["`note` was filled in 90 % of rows and now in 40 %; look whether it has another name now"]),
        ((10, 9), (10, 5), []),  # half of the rows still have it
        ((10, 8), (10, 4), []),  # it was never usual
        ((30, 10), (30, 0), ["`note` was filled in 33 % of rows and now in 0 %; look whether it has another name now"]),
        ((30, 9), (30, 0), []),  # so few may have gone together
        ((300, 14), (300, 0), []),  # less than one in twenty
        ((30, 30), (6, 2), ["`note` was filled in 100 % of rows and now in 33 %; look whether it has another name now"]),
        ((10, 0), (10, 5), ["`note` is new, and filled in 50 % of rows"]),
        ((10, 0), (10, 4), []),
        ((10, 1), (10, 10), []),  # not new
        ((10, 1), (10, 0), []),  # one model had it
        ((300, 15), (300, 0), ["`note` was filled in 5 % of rows and now in 0 %; look whether it has another name now"]),  # one in twenty
        ((300, 15), (300, 3), []),  # rare is not gone
        ((1000, 1000), (1000, 499), ["`note` was filled in 100 % of rows and now in 49 %; look whether it has another name now"]),
        ((1000, 900), (1000, 499), ["`note` was filled in 90 % of rows and now in 49 %; look whether it has another name now"]),
        ((1000, 899), (1000, 499), []),
        ((1000, 0), (1000, 500), ["`note` is new, and filled in 50 % of rows"]),
        ((1000, 0), (1000, 499), []),
        ((5, 5), (5, 2), ["`note` was filled in 100 % of rows and now in 40 %; look whether it has another name now"]),  # no small list
        ((5, 0), (5, 5), ["`note` is new, and filled in 100 % of rows"]),
        ((5, 0), (4, 4), []),
        ((4, 0), (5, 5), []),
        ((5, 5), (4, 1), []),
        ((2, 2), (2, 0), ["`note` was filled in 100 % of rows and now in 0 %; look whether it has another name now"]),
        # Small lists: only what all rows had and none has.
        ((4, 4), (4, 0), ["`note` was filled in 100 % of rows and now in 0 %; look whether it has another name now"]),
        ((4, 4), (4, 1), []),
        ((4, 3), (4, 0), []),
        ((4, 0), (4, 4), []),
        ((1, 1), (1, 0), []),
        ((10, 10), (2, 0), ["`note` was filled in 100 % of rows and now in 0 %; look whether it has another name now"]),
        ((10, 10), (1, 0), []),
    ],
)
def test_shares_that_moved(before: tuple[int, int], now: tuple[int, int], said: list[str]):
    assert drift(rows(*before), rows(*now)) == said


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (rows(10, 10, "0.1"), rows(10, 10, 0.1), ["`note` was a string and is now a number"]),
        (rows(10, 10, 1), rows(10, 10, 1.5), []),  # both are JSON numbers
        (rows(10, 10, {"a": 1}), rows(10, 10, ["a"]), ["`note` was an object and is now an array"]),
        (rows(10, 4, "x"), rows(10, 4, 1), []),  # too few to say
        (rows(10, 5, "x"), rows(10, 5, 1), ["`note` was a string and is now a number"]),
        (rows(2, 2, "x"), rows(2, 2, 1), ["`note` was a string and is now a number"]),
        (rows(1, 1, "x"), rows(1, 1, 1), []),  # one model
        ([*rows(7, 7, "x"), *rows(3, 3, 1)], rows(10, 10, 1), []),  # it was mixed before
        ([*rows(79, 79, "x"), *rows(21, 21, 1)], rows(100, 100, 1), []),
        ([*rows(80, 80, "x"), *rows(20, 20, 1)], rows(100, 100, 1), ["`note` was a string and is now a number"]),
        (rows(4, 4, "x"), rows(4, 4, 1), ["`note` was a string and is now a number"]),  # all there are
        (rows(4, 3, "x"), rows(4, 3, 1), []),
        (rows(10, 10, "x"), [*rows(8, 8, 1), *rows(2, 2, "x")], ["`note` was a string and is now a number"]),
    ],
)
def test_types_that_moved(before: list[Row], now: list[Row], said: list[str]):
    found = [text for text in drift(before, now) if "`note`" in text]
    assert found == said


def test_prices_are_named_as_such():
    before = [{"id": "a", "pricing": {"prompt": "0.1", "image": "1"}}] * 9
    now = [{"id": "a", "pricing": {"prompt": 0.1}}] * 9
    assert drift(before, now) == [
        "`pricing.image` was filled in 100 % of rows and now in 0 %; look whether a price unit moved",
        "`pricing.prompt` was a string and is now a number; look whether a price unit moved",
    ]


def test_an_object_that_moved_speaks_for_its_fields():
    before = [{"id": "a", "pricing": {"prompt": "0.1", "image": "1"}}] * 9
    now = [{"id": "a", "price": {"prompt": "0.1", "image": "1"}}] * 9
    assert drift(before, now) == [
        "`price` is new, and filled in 100 % of rows",
        "`pricing` was filled in 100 % of rows and now in 0 %; look whether a price unit moved",
    ]


def test_the_order_of_rows_and_fields_says_nothing():
    listed = [{"id": str(number), "a": 1, "b": {"c": "x", "d": None}} for number in range(30)]
    turned = [dict(reversed(row.items())) for row in reversed(listed)]
    assert snapshot(listed) == snapshot(turned)


def test_an_endpoint_is_named_where_there_are_several():
    before = Snapshot("a", 1, {"models": shape(rows(9, 9)), "details": shape(rows(9, 9))})
    now = Snapshot("a", 1, {"models": shape(rows(9, 9)), "details": shape(rows(9, 0))})
    (said,) = moved(before, now)
    assert said == "drift: `note` of details was filled in 100 % of rows and now in 0 %; look whether it has another name now"


# What cannot be compared


@pytest.mark.parametrize("other", [{"scope": "b"}, {"version": 2}])
def test_another_scope_or_another_version_of_the_reading_begins_anew(other: dict[str, Any]):
    before, now = snapshot(rows(9, 9)), snapshot(rows(9, 0), **other)
    assert moved(before, now) == ()
    assert merged(before, now) == now


def test_nothing_is_said_at_first():
    assert moved(None, snapshot(rows(9, 9))) == ()


def test_an_endpoint_that_did_not_answer_is_compared_when_it_does_again():
    both = Snapshot("a", 1, {"models": shape(rows(9, 9)), "details": shape(rows(9, 9))})
    one = snapshot(rows(9, 9))
    assert moved(both, one) == ()
    remembered = merged(both, one)
    assert remembered == both
    assert len(moved(remembered, Snapshot("a", 1, {"details": shape(rows(9, 0))}))) == 1


def test_a_new_endpoint_is_no_drift():
    assert moved(snapshot(rows(9, 9)), Snapshot("a", 1, {"models": shape(rows(9, 9)), "details": shape(rows(9, 9, field="cents"))})) == ()
