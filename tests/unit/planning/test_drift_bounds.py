"""When a field's way on the wire moved, to the last row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.planning.drift import MOST_KEPT, Shape, Snapshot, Tally, merged, moved, shapes


def shape(rows, **filled):
    """So many rows, with fields that so many of them have, as strings."""
    return Shape(rows, {name: {"string": count} for name, count in filled.items()})


def said(before, now):
    return [line.removeprefix("drift: ") for line in moved(Snapshot("s", 1, {"e": before}), Snapshot("s", 1, {"e": now}))]


def seen(*rows, total=None):
    tally = Tally(total or len(rows))
    for row in rows:
        tally.see(row)
    return tally.shape()


RARE = "`x` was filled in {} % of rows and now in {} %; look whether it has another name now"


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        (90, 49, RARE.format(90, 49)),  # usual, and rare
        (90, 50, None),
        (89, 49, None),
        (100, 0, RARE.format(100, 0)),
        (10, 0, RARE.format(10, 0)),  # some had it, and it is gone
        (9, 0, None),  # by chance, with the models that had it
        (10, 1, None),
    ],
)
def test_a_field_of_a_hundred_rows_that_sank(was, now, words):
    assert said(shape(100, x=was), shape(100, x=now)) == ([words] if words else [])


@pytest.mark.parametrize(("rows", "gone"), [(200, True), (201, False), (400, False)])
def test_a_field_that_is_gone_had_been_in_a_twentieth_of_all_rows(rows, gone):
    assert bool(said(shape(rows, x=10), shape(rows))) is gone  # 10 of 200 are a twentieth


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [(5, 5, True), (4, 5, False), (5, 4, False)],
)
def test_lists_of_fewer_than_five_rows_have_no_new_fields(before, now, told):
    assert bool(said(shape(before), shape(now, x=now))) is told


@pytest.mark.parametrize(("share", "told"), [(5, True), (4, False)])
def test_a_new_field_is_told_when_half_of_the_rows_have_it(share, told):
    assert said(shape(10), shape(10, x=share)) == ([f"`x` is new, and filled in {share}0 % of rows"] if told else [])


@pytest.mark.parametrize(
    ("rows", "was", "is_now", "told"),
    [
        (2, 2, 0, True),
        (4, 4, 0, True),
        (4, 3, 0, False),
        (4, 4, 1, False),
        (1, 1, 0, False),
        (5, 5, 0, True),
        (5, 5, 2, True),
        (5, 5, 3, False),
    ],
)
def test_a_small_list_can_only_lose_a_field_that_all_rows_had(rows, was, is_now, told):
    assert bool(said(shape(rows, x=was), shape(rows, x=is_now))) is told


@pytest.mark.parametrize(
    ("kinds", "rows", "main"),
    [
        ({"string": 5}, 9, "string"),
        ({"string": 4}, 9, None),  # too few to say
        ({"string": 4}, 4, "string"),  # but these are all
        ({"string": 2}, 2, "string"),
        ({"string": 1}, 1, None),
        ({"string": 8, "number": 2}, 10, "string"),
        ({"string": 79, "number": 21}, 100, None),
        ({"number": 80, "string": 20}, 100, "number"),
        ({}, 10, None),
    ],
)
def test_the_type_of_nearly_all_values_is_the_fields(kinds, rows, main):
    assert Shape(rows, {"x": kinds}).main_type("x") == main


@pytest.mark.parametrize(("before", "now"), [(shape(4, x=4), shape(10, x=2)), (shape(10, x=9), shape(4)), (shape(1, x=1), shape(2))])
def test_one_small_list_is_enough_to_be_careful(before, now):
    assert said(before, now) == []


def test_another_type_is_said_in_words_and_a_price_with_advice():
    def all_of(kind, name):
        return Shape(10, {name: {kind: 10}})

    assert said(all_of("string", "x"), all_of("number", "x")) == ["`x` was a string and is now a number"]
    assert said(all_of("object", "x"), all_of("array", "x")) == ["`x` was an object and is now an array"]
    assert said(all_of("string", "price"), all_of("number", "price")) == [
        "`price` was a string and is now a number; look whether a price unit moved"
    ]
    assert said(all_of("string", "x"), all_of("string", "x")) == []


def test_a_price_that_sank_comes_with_its_advice():
    assert said(shape(10, price=10), shape(10)) == ["`price` was filled in 100 % of rows and now in 0 %; look whether a price unit moved"]


def test_an_object_that_moved_says_it_for_its_fields():
    before, now = shape(10, pricing=10, other=10), shape(10, other=10)
    before = Shape(10, {**before.fields, "pricing.prompt": {"string": 10}, "other.x": {"string": 10}})
    words = ["`other.x` was filled", "`pricing` was filled"]
    assert [line[: len(start)] for line, start in zip(said(before, now), words, strict=True)] == words


# Counting


@pytest.mark.parametrize(("fields", "counted"), [(199, True), (200, True), (201, False)])
def test_an_object_of_more_than_two_hundred_fields_is_a_map(fields, counted):
    found = seen({"x": {f"n{number}": 1 for number in range(fields)}, "y": 1})
    assert found.filled("y") == 1
    assert (found.filled("x.n0") == 1) is counted


def test_a_field_in_fewer_than_a_hundredth_of_the_rows_is_noise():
    rows = [{"all": 1, **({"one": 1} if number == 0 else {}), **({"two": 1} if number < 2 else {})} for number in range(200)]
    assert set(seen(*rows).fields) == {"all", "two"}  # 2 of 200 are a hundredth
    assert set(seen(*rows[:100]).fields) == {"all", "one", "two"}


def test_the_most_filled_fields_are_kept_in_the_order_of_their_names():
    wide = {f"o{part}": {f"n{number:03}": 1 for number in range(150)} for part in range(3)}
    found = seen(wide, {"o2": wide["o2"]})
    assert len(found.fields) == MOST_KEPT == 300
    assert [name for name in found.fields if name.startswith("o2")] == list(found.fields)[:151]
    assert list(found.fields)[151:155] == ["o0", "o0.n000", "o0.n001", "o0.n002"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "string"),
        (0, "number"),
        (0.0, "number"),
        (1.5, "number"),
        (False, "boolean"),
        (True, "boolean"),
        ([1], "array"),
        ({"a": None}, "object"),
    ],
)
def test_zero_and_false_are_values(value, kind):
    assert seen({"x": value}).fields["x"] == {kind: 1}


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_what_is_empty_is_not_filled(value):
    assert "x" not in seen({"x": value, "y": 1}).fields


@pytest.mark.parametrize(("total", "looked_at"), [(1000, 1000), (1001, 500), (2000, 1000), (2001, 667)])
def test_of_long_lists_an_evenly_spaced_sample_is_looked_at(total, looked_at):
    assert seen(*({"x": 1} for _ in range(total)), total=total).rows == looked_at  # every 1st, 2nd, 2nd, 3rd


def test_names_are_kept_up_to_a_hundred_characters():
    assert set(seen({"a" * 100: 1, "b" * 101: 1, "c" * 60: {"d" * 60: 1}}).fields) == {
        *("a" * 100, "b" * 100, "c" * 60),
        "c" * 60 + "." + "d" * 39,
    }


def test_a_list_that_said_it_was_empty_may_have_rows():
    tally = Tally(0)
    tally.see({"x": 1})
    assert tally.shape().rows == 1


def test_after_five_thousand_different_rows_no_more_are_looked_at():
    tally = Tally(1)
    for number in range(5_010):
        tally.see({f"n{number}": 1})
    assert tally.shape().rows == 5_001  # the one that was too many, too


def test_an_endpoint_without_rows_has_no_shape():
    full = Tally(1)
    full.see({"x": 1})
    assert shapes({"empty": Tally(0), "full": full}) == {"full": Shape(1, {"x": {"number": 1}})}


# Listings of several endpoints, of other scopes and versions

FIVE, NONE = shape(5, x=5), shape(5)
LOST = "drift: `x`{} was filled in 100 % of rows and now in 0 %; look whether it has another name now"


def snapshot(scope="s", version=1, **endpoints):
    return Snapshot(scope, version, endpoints)


def test_an_endpoint_that_did_not_answer_is_remembered_as_it_was():
    assert merged(snapshot(a=FIVE, b=FIVE), snapshot(a=NONE)) == snapshot(a=NONE, b=FIVE)
    assert merged(None, snapshot(a=NONE)) == snapshot(a=NONE)


@pytest.mark.parametrize("other", [snapshot(scope="t", a=NONE), snapshot(version=2, a=NONE)])
def test_listings_of_another_scope_or_version_are_not_compared(other):
    assert merged(snapshot(a=FIVE, b=FIVE), other) is other
    assert moved(snapshot(a=FIVE), other) == ()
    assert moved(snapshot(a=FIVE), snapshot(a=NONE)) == (LOST.format(""),)
    assert moved(None, snapshot(a=NONE)) == ()


def test_where_there_are_several_endpoints_the_one_that_moved_is_named():
    before = snapshot(a=FIVE, b=FIVE)
    assert moved(before, snapshot(a=NONE, b=FIVE)) == (LOST.format(" of a"),)
    assert moved(before, snapshot(a=NONE, c=NONE)) == (LOST.format(" of a"),)  # c is new
    assert moved(before, snapshot(b=NONE)) == (LOST.format(""),)


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(0, 3_000))
def test_rows_that_are_counted_together_have_the_same_sample_as_one_by_one(runs: list[int], total: int):
    together, alone = Tally(total), Tally(total)
    for rows in runs:
        assert list(together.due(rows)) == [place for place in range(rows) if alone.is_due()]
        assert together.is_due() == alone.is_due()
