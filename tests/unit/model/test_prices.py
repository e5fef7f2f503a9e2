"""Money: from wire text to exact USD. Every expected value is worked out by hand from the unit's name."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.model import prices as money
from modelsync.model.model import NO_PRICES, Prices, UnitPrice
from modelsync.model.prices import (
    USD_PER_1M_TOKENS,
    USD_PER_REQUEST,
    USD_PER_SECOND,
    USD_PER_TOKEN,
    Price,
    Unreadable,
    bounded,
    number,
    read_prices,
    says_nothing,
    scaled,
    usd,
)
from modelsync.testing import D

quick = settings(max_examples=100, deadline=None, derandomize=True)

# unit: (wire text, USD per one `per`)
ANCHORS = {
    "USD_PER_TOKEN": (b'"0.00000125"', "0.00000125"),
    "USD_PER_1K_TOKENS": (b"0.03", "0.00003"),
    "USD_PER_1M_TOKENS": (b"2.5", "0.0000025"),
    "CENTS_PER_TOKEN": (b"0.00006", "0.0000006"),  # deepinfra: $0.60 per million
    "TENTHOUSANDTHS_PER_1M_TOKENS": (b"3900", "0.00000039"),  # novita: $0.39 per million
    "TICKS_PER_TOKEN": (b"20000", "0.000002"),  # xai: $2 per million
    "USD_PER_REQUEST": (b"0.005", "0.005"),
    "USD_PER_IMAGE": (b"0.04", "0.04"),
    "TICKS_PER_IMAGE": (b"200000000", "0.02"),
    "USD_PER_SEARCH": (b"0.01", "0.01"),
    "USD_PER_1K_SEARCHES": (b"10", "0.01"),
    "TICKS_PER_SEARCH": (b"50000000", "0.005"),
    "USD_PER_SECOND": (b"0.0011", "0.0011"),
    "CENTS_PER_SECOND": (b"5", "0.05"),
    "CENTS_PER_CHARACTER": (b"0.0005", "0.000005"),
    "CENTS_PER_IMAGE_UNIT": (b"0.3", "0.003"),
}


def raws(document):
    """The fields of a JSON object (text or value), as providers' wire types hold them."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def test_every_unit_has_an_anchor():
    units = {name for name, value in vars(money).items() if isinstance(value, money.Unit)}
    assert units == set(ANCHORS)


@pytest.mark.parametrize("name", ANCHORS)
def test_one_price_in_each_unit(name):
    wire, expected = ANCHORS[name]
    value = usd(wire, getattr(money, name))
    assert isinstance(value, Decimal), value
    assert str(value) == str(D(expected).normalize())  # same value, and the same digits: it goes into the content hash


BAD = {
    "NaN": b"NaN",
    "quoted NaN": b'"NaN"',
    "Infinity": b"Infinity",
    "minus Infinity": b'"-Infinity"',
    "beyond every number": b"1e400",
    "quoted beyond every number": b'"1e400"',
    "four digits of exponent": b"1e4000",
    "negative": b"-1",
    "negative text": b'"-0.000001"',
    "a dollar sign": b'"$0.5"',
    "a unit": b'"$0.5 / 1M"',
    "a comma for a point": b'"0,15"',
    "thousands": b'"1,234.5"',
    "fullwidth digits": '"１２"'.encode(),
    "Arabic digits": '"١٢"'.encode(),
    "Arabic digits, escaped": rb'"\u0661\u0662"',
    "underscores": b'"1_000"',
    "blanks around": b'" 5 "',
    "a blank": b'" "',
    "a line end": b'"5\\n"',
    "a word": b'"free"',
    "a plus sign": b'"+1"',
    "hexadecimal": b'"0x10"',
    "two points": b'"1.2.3"',
    "true": b"true",
    "false": b"false",
    "4,000 digits": b"9" * 4000,
    "4,000 quoted digits": b'"' + b"9" * 4000 + b'"',
    "5,000 digits": b"9" * 5000,
    "41 characters": b"0.0000020" + b"0" * 32,
    "41 quoted characters": b'"0.0000020' + b"0" * 32 + b'"',
    "nested list": b"[1]",
    "nested object": b'{"usd": 1}',
    "half a quote": b'"1',
}


@pytest.mark.parametrize("wire", BAD.values(), ids=BAD.keys())
def test_i24_a_bad_number_is_not_stated_and_says_why(wire):
    amount = usd(wire, USD_PER_TOKEN)
    assert isinstance(amount, Unreadable)
    assert amount.reason
    prices = read_prices({"in": Price("prompt", USD_PER_TOKEN)}, {"in": msgspec.Raw(wire)})
    assert prices.prompt is None
    assert not prices.stated
    (problem,) = prices.problems
    assert problem.startswith("price in = ")
    assert problem.endswith(f": {amount.reason}; not stated")


@pytest.mark.parametrize("wire", [b"null", b'""', b""])
def test_null_and_empty_text_state_nothing_and_are_no_problem(wire):
    assert number(wire) is None
    assert read_prices({"in": Price("prompt", USD_PER_TOKEN)}, {"in": msgspec.Raw(wire)}) == NO_PRICES


@pytest.mark.parametrize(
    ("wire", "exact"),
    [
        (b'"5e-07"', "0.0000005"),
        (b"5E-7", "0.0000005"),
        (b"5e-07", "0.0000005"),
        (b'"1e+2"', "100"),
        (b"0.0000005", "0.0000005"),
        (b"1e-324", "1E-324"),  # a float would make it 0
        (b"9000000000000000000", "9000000000000000000"),
        (b"2.5999999999999996", "2.6"),
        (b"0.39999999999999997", "0.4"),
        (b"0.00000156250000000000002", "0.0000015625"),
        (b"0.1000000000000000055511151231257827", "0.1"),
        (b"0.30", "0.3"),
        (b"0.123456789012", "0.123456789012"),  # twelve digits are all kept
        (b"-1.5", "-1.5"),
        (b"0." + b"0" * 37 + b"1", "1E-38"),  # 40 characters
        (b'"0.' + b"0" * 37 + b'1"', "1E-38"),
    ],
)
def test_numbers_keep_their_digits_and_lose_float_noise(wire, exact):
    assert number(wire) == D(exact)
    assert str(number(wire)) == str(D(exact).normalize())


@pytest.mark.parametrize("wire", [b"0", b"-0", b"0.0", b'"0"', b'"-0.00"', b"0e5", b"0e-99"])
def test_every_way_to_write_zero_is_the_same_zero(wire):
    assert str(usd(wire, USD_PER_1M_TOKENS)) == "0"


@pytest.mark.parametrize(
    ("per_token", "believed"),
    [
        ("1e-11", True),
        ("0.99e-11", False),
        ("1e-2", True),
        ("1.01e-2", False),
        ("0.75", False),  # a price per million read as one per token
        ("0", True),
        ("-1e-7", False),
    ],
)
def test_i22_bounds_of_a_price_per_token(per_token, believed):
    assert isinstance(bounded(D(per_token), "token"), Decimal) is believed


@pytest.mark.parametrize(("amount", "believed"), [("100000", True), ("100000.01", False), ("1e-30", True), ("-0.01", False)])
def test_bounds_of_other_units(amount, believed):
    assert isinstance(bounded(D(amount), "second"), Decimal) is believed


def test_equal_amounts_have_equal_digits():
    assert {str(bounded(D(text), "token")) for text in ("0.00001", "0.0000100", "1e-5", "10E-6")} == {"0.00001"}


def test_the_reason_names_the_amount_and_the_bounds_in_plain_digits():
    assert bounded(D("0.75"), "token") == Unreadable("0.75 USD per token is outside 0.00000000001 to 0.01", D("0.75"))
    assert bounded(D("-2"), "token") == Unreadable("negative")


TABLE = {
    "in": Price("prompt", USD_PER_1M_TOKENS),
    "out": Price("completion", USD_PER_1M_TOKENS),
    "cached": Price("cache_read", USD_PER_1M_TOKENS, zero_is_free=False),
    "call": Price("request", USD_PER_REQUEST),
    "second": Price("per_unit", USD_PER_SECOND),
    "minute": Price("per_unit", money.CENTS_PER_SECOND),
}


def test_fields_go_where_the_table_says():
    prices = read_prices(TABLE, raws({"out": "10", "in": 2.5, "cached": "0.25", "call": 0.01, "second": "0.002", "minute": 3}))
    assert prices == Prices(
        prompt=D("0.0000025"),
        completion=D("0.00001"),
        cache_read=D("0.00000025"),
        request=D("0.01"),
        per_unit=(UnitPrice("second", D("0.03"), "minute"), UnitPrice("second", D("0.002"), "second")),
        raw={
            "out": "10 USD per 1M tokens",
            "in": "2.5 USD per 1M tokens",
            "cached": "0.25 USD per 1M tokens",
            "call": "0.01 USD per request",
            "second": "0.002 USD per second",
            "minute": "3 US cents per second",
        },
    )


def test_zero_is_free_only_where_the_provider_means_free():
    free = read_prices(TABLE, raws({"in": 0, "out": "0", "cached": 0}))
    assert (free.prompt, free.completion, free.cache_read) == (0, 0, None)
    assert free.stated
    unknown = read_prices(TABLE, raws({"in": 0, "out": "0", "cached": 0}), zero_is_free=False)
    assert (unknown.prompt, unknown.completion, unknown.cache_read) == (None, None, None)
    assert not unknown.stated
    assert read_prices(TABLE, raws({"second": 0})).per_unit == (UnitPrice("second", D(0), "second"),)
    assert read_prices(TABLE, raws({"second": 0}), zero_is_free=False).per_unit == ()


@pytest.mark.parametrize("wire", [b"-1", b'"-1"'])
def test_sentinels_are_no_amounts(wire):
    document = b'{"in": %b, "out": 3}' % wire
    dynamic = read_prices(TABLE, raws(document), sentinels={b"-1": "dynamic"})
    assert (dynamic.dynamic, dynamic.prompt, dynamic.completion, dynamic.problems) == (True, None, D("0.000003"), ())
    unpriced = read_prices(TABLE, raws(document), sentinels={b"-1": "unpriced"})
    assert (unpriced.dynamic, unpriced.prompt, unpriced.problems) == (False, None, ())
    assert read_prices(TABLE, raws(document)).problems == ("price in = -1: negative; not stated",)


def test_only_dynamic_prices_are_still_a_statement():
    assert read_prices(TABLE, raws({"in": -1}), sentinels={b"-1": "dynamic"}) == Prices(dynamic=True)
    assert read_prices(TABLE, raws({"in": -1}), sentinels={b"-1": "unpriced"}) == NO_PRICES


def test_unknown_fields_are_kept_in_canonical_form():
    one = read_prices(TABLE, raws(b'{"in": 1, "new": {"b" : 1, "a":[ 2 ]}, "other":"0.5"}'))
    two = read_prices(TABLE, raws(b'{"other": "0.5", "new":{"a":[2],"b":1}, "in":1}'))
    assert one.others == {"new": '{"a":[2],"b":1}', "other": '"0.5"'}
    assert one == two


@pytest.mark.parametrize("wire", [b"null", b'""', b"0", b'"0"', b"0.0", b"{}", b'{"eu": {"in": "0"}}'])
def test_an_unknown_field_that_says_nothing_is_not_kept(wire):
    assert read_prices(TABLE, {"new": msgspec.Raw(wire)}) == NO_PRICES


def test_what_is_stated_and_not_read_makes_the_price_incomplete():
    prices = read_prices(TABLE, raws({"out": 3, "surge": 2, "new": {"a": 1}, "gone": 0, "none": None, "bare": ""}))
    assert (prices.completion, prices.incomplete, set(prices.others)) == (D("0.000003"), ("new", "surge"), {"new", "surge"})


@pytest.mark.parametrize("wire", [b'"$0.5"', b"-3", b'"free"', b"true", b"[1]", b"{}", b"NaN", b"false"])
def test_a_price_that_cannot_be_read_makes_the_price_incomplete(wire):
    prices = read_prices(TABLE, {"in": msgspec.Raw(b"1"), "out": msgspec.Raw(wire)})
    assert (prices.prompt, prices.completion, prices.incomplete) == (D("0.000001"), None, ("out",))


@pytest.mark.parametrize("wire", [b"null", b'""', b"0", b'"0.00"', b"-0"])
def test_a_price_of_nothing_is_complete(wire):
    assert read_prices(TABLE, {"cached": msgspec.Raw(wire), "in": msgspec.Raw(b"1")}).incomplete == ()


def test_a_number_outside_the_bounds_is_held_elsewhere_and_not_incomplete():
    prices = read_prices(TABLE, raws({"in": 50_000}))  # 0.05 USD per token
    assert (prices.implausible, prices.incomplete) == ({"prompt": D("0.05")}, ())


def test_where_no_number_can_wait_for_a_person_one_outside_the_bounds_is_unreadable():
    prices = read_prices(TABLE, raws({"in": 50_000}), claims=False)
    assert (prices.implausible, prices.incomplete, [text[-10:] for text in prices.problems]) == ({}, ("in",), ["not stated"])


def test_sentinels_make_nothing_incomplete_but_a_dynamic_price_that_is_not_read_does():
    document = raws({"in": -1, "new": -1})
    assert read_prices(TABLE, document, sentinels={b"-1": "unpriced"}) == NO_PRICES
    assert read_prices(TABLE, document, sentinels={b"-1": "dynamic"}).incomplete == ("new",)


def test_what_no_call_pays_is_kept_and_what_is_no_price_is_not():
    prices = read_prices(TABLE, raws({"hourly": 2, "kind": "x"}), ignored={"hourly": "of one's own"}, structure={"kind"})
    assert prices == Prices(others={"hourly": "2"})


def test_a_row_that_units_per_token_do_not_hold_for_has_no_price_per_token():
    prices = read_prices(TABLE, raws({"in": 65, "out": 0, "cached": "1", "call": 0.01, "second": 2}), per_token=False)
    assert prices == Prices(
        request=D("0.01"),
        per_unit=(UnitPrice("second", D(2), "second"),),
        others={"in": "65", "cached": '"1"'},
        incomplete=("cached", "in"),
        raw=prices.raw,
    )


@pytest.mark.parametrize("wire", [b"[]", b"{}", b"false", b'{"a": [0, "0", null], "b": {"c": ""}}', b"[[0.0]]"])
def test_an_object_of_nothing_says_nothing(wire):
    assert says_nothing(wire)


@pytest.mark.parametrize("wire", [b"true", b'{"a": [0, "1"]}', b'[{"x": "free"}]', b'{"a": 1e400}', b'"none"', b"[" * 5000])
def test_anything_else_is_a_statement(wire):
    assert not says_nothing(wire)


@pytest.mark.parametrize("wire", [b"1e400", b"9" * 5000, b'{"a": 1e400}', b'"\xff"'])
def test_an_unknown_field_that_no_number_can_hold_is_kept_as_it_came(wire):
    kept = read_prices(TABLE, {"in": msgspec.Raw(b"1"), "new": msgspec.Raw(wire)})
    assert kept.prompt == D("0.000001")
    assert kept.others["new"][:6] == wire.decode("utf-8", "replace").strip('"')[:6]
    assert len(kept.others["new"]) <= 2000


def test_texts_for_people_are_short():
    long = read_prices(TABLE, raws({"in": "x" * 10_000_000, "new": "y" * 10_000_000}))
    assert len(long.raw["in"]) < 120
    assert len(long.problems[0]) < 200
    assert len(long.others["new"]) == 2000


def test_a_table_cannot_mix_units_up():
    with pytest.raises(ValueError, match="request is not a price per token"):
        Price("request", USD_PER_TOKEN)
    with pytest.raises(ValueError, match="prompt is not a price per image"):
        Price("prompt", money.USD_PER_IMAGE)
    with pytest.raises(ValueError, match="promt is not a price per token"):
        Price("promt", USD_PER_TOKEN)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b'{"amount": 15, "scale": 7, "currency": "USD"}', "0.0000015"),  # 15 / 10^7
        (b'{"amount": 3, "scale": 1, "currency": "USD"}', "0.3"),
    ],
)
def test_scaled_amounts(wire, expected):
    assert number(bytes(scaled(msgspec.Raw(wire)))) == D(expected)


@pytest.mark.parametrize(
    "wire",
    [
        b'{"amount": 15, "scale": -7, "currency": "USD"}',
        b'{"amount": 15, "scale": 0, "currency": "USD"}',
        b'{"amount": 15, "scale": 7, "currency": "EUR"}',
        b'{"amount": 15, "scale": 7}',
        b'{"amount": "x", "scale": 7, "currency": "USD"}',
        b'{"amount": 15, "scale": 100000, "currency": "USD"}',
        b"[]",
    ],
)
def test_a_scaled_amount_that_is_none_is_unreadable(wire):
    assert isinstance(number(bytes(scaled(msgspec.Raw(wire)))), Unreadable)


def test_plain_decimals_reach_into_lists_and_objects():
    value = {"a": [D("5E-7"), {"b": D("1E+2")}], "c": "5E-7", "d": None, "e": (D(0),)}
    assert money.plain_decimals(value) == {"a": ["0.0000005", {"b": "100"}], "c": "5E-7", "d": None, "e": ["0"]}


@quick
@given(digits=st.integers(1, 999_999_999_999), exponent=st.integers(-12, 4))
def test_i21_per_million_and_per_token_are_lossless_both_ways(digits, exponent):
    per_million = D(digits).scaleb(exponent)
    per_token = usd(f"{per_million:f}".encode(), USD_PER_1M_TOKENS)
    if D("0.00001") <= per_million <= 10_000:  # 1e-11 to 1e-2 per token
        assert per_token * 1_000_000 == per_million
        assert usd(f'"{per_token:f}"'.encode(), USD_PER_TOKEN) == per_token
        assert usd(f"{per_token}".encode(), USD_PER_TOKEN) == per_token  # scientific notation
    else:
        assert isinstance(per_token, Unreadable)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(wire=st.dictionaries(st.sampled_from([*TABLE, "new", "newer"]), any_json))
def test_any_json_value_is_a_believable_price_or_a_reason(wire):
    prices = read_prices(TABLE, raws(msgspec.json.encode(wire)), sentinels={b"-1": "dynamic"})
    for name in ("prompt", "completion", "cache_read"):
        value = getattr(prices, name)
        assert value is None or value == 0 or D("1e-11") <= value <= D("1e-2")
    read = {problem.split(" ")[1] for problem in prices.problems} | set(prices.raw)
    assert read <= wire.keys()


@quick
@given(st.binary(max_size=60))
def test_any_bytes_are_a_number_or_a_reason(wire):
    amount = number(wire)
    assert amount is None or isinstance(amount, Unreadable) or amount.is_finite()


def test_what_is_too_long_for_a_number_is_not_remembered():
    held = money._number_in.cache_info().currsize, money._stated.cache_info().currsize
    raw = b'"' + b"7" * 100_000 + b'"'
    assert isinstance(number(raw), Unreadable)
    prices = read_prices({"p": Price("prompt", USD_PER_TOKEN)}, {"p": msgspec.Raw(raw)})
    assert (prices.prompt, len(prices.problems)) == (None, 1)
    assert (money._number_in.cache_info().currsize, money._stated.cache_info().currsize) == held
