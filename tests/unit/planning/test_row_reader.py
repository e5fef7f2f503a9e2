"""Rows are decoded once: into their wire type, with whatever this does not declare beside it."""

import msgspec
import pytest

from modelsync.planning.row_reader import MOST_AT_ONCE, MOST_LEARNED, RowReader


class Inner(msgspec.Struct, frozen=True):
    size: int = 0


class Row(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    max_tokens: int | None = None
    inner: Inner = Inner()


def raw(**fields: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))


def test_undeclared_fields_are_beside_the_row():
    reader = RowReader(Row)
    wire = reader.read(raw(id="a", maxTokens=5, inner={"size": 2, "other": 3}, zeta=[1], max_tokens=7, none=None), 4)
    assert (wire.row.id, wire.row.max_tokens, wire.row.inner, wire.position) == ("a", 5, Inner(2), 4)
    assert list(wire.rest.items()) == [("max_tokens", 7), ("zeta", [1])]


def test_the_order_of_names_hangs_on_no_other_row():
    one, other = RowReader(Row), RowReader(Row)
    one.read(raw(id="a", b=1), 0)
    for reader in (one, other):
        assert list(reader.read(raw(id="b", c=1, a=2, b=3), 0).rest.items()) == [("a", 2), ("b", 3), ("c", 1)]
        assert reader.read(raw(id="c", c=4), 0).rest == {"c": 4}


@pytest.mark.parametrize("fields", [{"maxTokens": "many"}, {"new": 1, "maxTokens": []}, {"inner": {"size": "x"}}])
def test_a_value_of_another_type_is_left_to_those_who_warn(fields: dict[str, object]):
    assert RowReader(Row).read(raw(id="a", **fields), 0) is None


def test_a_number_out_of_range_is_left_to_those_who_warn():
    assert RowReader(Row).read(msgspec.Raw(b'{"id":"a","new":1e400}'), 0) is None


def test_maps_in_place_of_rows_teach_nothing():
    reader = RowReader(Row)
    assert reader.read(raw(id="a", **{f"m{number}": number for number in range(MOST_AT_ONCE + 1)}), 0) is None
    for first in range(0, MOST_LEARNED, MOST_AT_ONCE):
        assert reader.read(raw(id="a", **{f"n{number}": number for number in range(first, first + MOST_AT_ONCE)}), 0) is not None
    assert reader.read(raw(id="b", another=1), 0) is None
    assert reader.read(raw(id="c", n3=1), 0).rest == {"n3": 1}


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a\tb"])
def test_a_name_that_no_field_of_a_struct_can_have_is_left_to_the_careful_reading(name: str):
    reader = RowReader(Row)
    wire = reader.read(raw(id="a", **{name: 1}), 0)
    assert wire is None or wire.rest == {name: 1}
    assert reader.read(raw(id="b", other=2), 1).rest == {"other": 2}
