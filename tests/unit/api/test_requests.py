"""Requests read as structs: what is declared and nothing else, every problem at once, and never what was sent."""

import inspect
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from starlette.datastructures import QueryParams

from modelsync.api import bodies, parameters
from modelsync.api.requests import END, Body, Invalid, Query, fields_of, query_of, read

KINDS = [
    kind
    for module in (parameters, bodies)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Query | Body) and kind.__module__ == module.__name__
]


class Wanted(Query, frozen=True, kw_only=True):
    name: Annotated[str, Meta(pattern=rf"^[a-z]*{END}")] = ""
    limit: Annotated[int, Meta(ge=1, le=9)] = 5
    tags: tuple[str, ...] = ()
    must: str


def problem(kind: type[msgspec.Struct], given: dict[str, object], *, strict: bool = False) -> str:
    with pytest.raises(Invalid) as caught:
        read(kind, given, strict=strict)
    return str(caught.value)


def test_every_problem_is_told_at_once_each_with_its_place():
    told = problem(Wanted, {"name": "A", "limit": "10", "more": "x"})
    assert (
        told
        == "more: there is no such parameter; name: it is not of the right form: see /docs; limit: it is more than 9; must: it is missing"
    )


def test_a_parameter_that_comes_twice_is_refused_where_there_is_one():
    assert query_of(Wanted, QueryParams("tags=a&tags=b&must=c")).tags == ("a", "b")
    with pytest.raises(Invalid, match=r"^must: it can be given only once$"):
        query_of(Wanted, QueryParams("must=a&must=a"))


@pytest.mark.parametrize("text", ["1_0", " 1", "+1", "１", "0x1", "", "nan", "1.5", "true", "null", "1e0", "1."])
def test_a_number_is_written_as_everybody_writes_one(text: str):
    assert problem(Wanted, {"limit": text, "must": ""}).startswith("limit: ")


@pytest.mark.parametrize(("text", "limit"), [("1", 1), ("007", 7), ("7.0", 7)])
def test_a_whole_number_may_have_zeros_around_it(text: str, limit: int):
    assert read(Wanted, {"limit": text, "must": ""}, strict=False).limit == limit


@pytest.mark.parametrize(("text", "price"), [(".5", 0.5), ("1e2", 100.0), ("00.25", 0.25)])
def test_a_price_may_have_no_digit_before_its_point(text: str, price: float):
    assert read(parameters.Filters, {"min_price": text}, strict=False).min_price == price


QUERIES = [kind for kind in KINDS if issubclass(kind, Query)]


@pytest.mark.parametrize("kind", QUERIES)
def test_null_in_an_address_is_a_word_and_leaves_no_filter_out(kind: type[Query]):
    for name, field in fields_of(kind).items():
        if field.number or field.words:
            assert problem(kind, {name: "null"}).count(f"{name}: ") == 1, name


HALF = "\ud800"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, Body) and fields_of(kind)])
def test_half_a_character_is_told_of_with_its_place(kind: type[Body]):
    told = problem(kind, dict.fromkeys(fields_of(kind), HALF), strict=True)
    assert told.encode()
    assert ": it holds half a character" in told
    if "fields" not in kind.__struct_fields__:
        assert problem(kind, {HALF: 1}, strict=True).startswith("'\\ud800': there is no such parameter")


def test_a_whole_number_may_have_a_point_and_a_text_is_none_in_a_body():
    limits = {"shrink_models": 5.0, "reason": "r"}
    assert read(bodies.GuardLimits, limits, strict=True).limits() == {"shrink_models": 5}
    assert "shrink_models" in problem(bodies.GuardLimits, {**limits, "shrink_models": "5"}, strict=True)
    assert "shrink_models" in problem(bodies.GuardLimits, {**limits, "shrink_models": 5.5}, strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_no_pattern_lets_a_last_newline_through(kind: type[msgspec.Struct]):
    schema = msgspec.json.schema_components((kind,))[1][kind.__name__]
    for name, field in fields_of(kind).items():
        here = schema["properties"][name]
        for each in (here, here.get("items", {}), *here.get("anyOf", ())):
            if "pattern" in each:
                assert each["pattern"].endswith(END), (kind, name)
        if str in (field.kind, *getattr(field.kind, "__args__", ())) and "pattern" in here:
            assert name in problem(kind, {name: "a\n"}), (kind, name)


def test_a_time_that_is_none_is_not_repeated():
    assert "sk-" not in problem(parameters.ChangeQuery, {"since": "2026-11-22T10:00:00sk-secret"})


def refused(kind: type[msgspec.Struct], given: dict[str, object], *, strict: bool) -> str:
    """What is told of it; nothing when it can be."""
    try:
        read(kind, given, strict=strict)
    except Invalid as error:
        return str(error)
    return ""


@given(st.text(alphabet="xyz", min_size=12, max_size=30), st.sampled_from(KINDS), st.booleans())
def test_what_was_sent_is_never_repeated(text: str, kind: type[msgspec.Struct], strict: bool):
    assert text not in refused(kind, dict.fromkeys(fields_of(kind), text), strict=strict)
