"""From bytes to a listing: one bad row never costs another, and no bytes at all raise."""

import copy
import dataclasses
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.errors import Failure, FailureKind
from modelsync.model.limits import check_id, within_limits
from modelsync.model.model import NO_PRICES, Model, Prices
from modelsync.planning.decoding import Rejected
from modelsync.planning.listing import Listing
from modelsync.providers import paging
from modelsync.providers.base import Endpoint, Wire
from modelsync.providers.builtin.openrouter import PROVIDER
from modelsync.testing import D, good, listing, sample

quick = settings(max_examples=100, deadline=None, derandomize=True)

ROWS = sample("openrouter")["lists"]["models"]
GOOD = {"id": "x/good", "pricing": {"prompt": "0.000001"}}


def read(*rows):
    """A listing of rows given as JSON text or as values."""
    texts = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    return good(PROVIDER, {"models": b'{"data": [%b]}' % b", ".join(texts)})


def body(document):
    return listing(PROVIDER, {"models": document})


def one_model(row):
    """The model of a row between two good ones, which must be there whatever the row is."""
    found = read(GOOD, row, GOOD | {"id": "x/last"})
    assert {"x/good", "x/last"} <= found.models.keys()
    assert found.fetched == 3
    (model,) = (model for row_id, model in found.models.items() if row_id not in ("x/good", "x/last"))
    return model, found.warnings


def one_rejected(row):
    found = read(GOOD, row, GOOD | {"id": "x/last"})
    assert found.models.keys() == {"x/good", "x/last"}
    assert found.fetched == 3
    (rejected,) = found.rejected
    return rejected


# Rows


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"null", "it is no object"),
        (b"[]", "it is no object"),
        (b"5", "it is no object"),
        (b'"x"', "it is no object"),
        (b"{}", "Object missing required field `id`"),
        (b'{"name": "no id"}', "Object missing required field `id`"),
        (b'{"id": null}', "Object missing required field `id`"),
        (b'{"id": 5}', "Object missing required field `id`"),
        (b'{"id": ["x"]}', "Object missing required field `id`"),
    ],
)
def test_a_row_without_an_id_is_rejected_and_the_rest_go_on(row, reason):
    rejected = one_rejected(row)
    assert (rejected.position, rejected.id, rejected.reason) == (1, None, reason)
    assert rejected.excerpt == row.decode().strip('"')


def test_i04_a_rejected_row_with_a_readable_id_counts_as_seen():
    found = read(GOOD, b'{"id": "x/broken", "descripti\xff": "text"}')
    assert found.models.keys() == {"x/good"}
    assert [row.id for row in found.rejected] == ["x/broken"]
    assert found.seen == {"x/good", "x/broken"}
    assert found.fetched == 2


def test_a_rejected_row_without_an_id_is_seen_as_nothing():
    assert read(GOOD, b"null").seen == {"x/good"}


def test_the_excerpt_of_a_rejected_row_is_short():
    assert len(one_rejected(json.dumps({"name": "x" * 100_000}).encode()).excerpt) == 80


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the id is empty"),
        (" ", "the id has control characters, or blanks around it"),
        (" x", "the id has control characters, or blanks around it"),
        ("x ", "the id has control characters, or blanks around it"),
        ("x\u00a0", "the id has control characters, or blanks around it"),
        ("a\0b", "the id has control characters, or blanks around it"),
        ("a\nb", "the id has control characters, or blanks around it"),
        ("a\x1b]0;b\x07", "the id has control characters, or blanks around it"),
        ("a\u202eb", "the id has control characters, or blanks around it"),
        ("a\x7f", "the id has control characters, or blanks around it"),
        ("a\ufeff", "the id has control characters, or blanks around it"),
        ("x" * 513, "the id is longer than 512 bytes"),
        ("é" * 257, "the id is longer than 512 bytes"),  # 514 bytes
        ("x" * 10_000_000, "the id is longer than 512 bytes"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_i25_an_id_that_cannot_be_a_key_is_rejected(text, reason):
    assert one_rejected({"id": text}).reason == reason
    with pytest.raises(ValueError, match=reason):
        check_id(text)


@pytest.mark.parametrize(
    "text", ["x", "x" * 512, "é" * 256, "a b", "<script>", "../../etc/passwd", "=1+1", "模型/7B", "a'; DROP TABLE", "a:b@1"]
)
def test_i25_any_other_id_is_kept_byte_by_byte(text):
    assert one_model({"id": text})[0].id == text


@pytest.mark.parametrize("twins", [("a/B", "a/b"), ("é", "e\u0301"), ("a/b", "a/b/")])
def test_ids_that_only_look_alike_are_different_models(twins):
    found = read(*({"id": row_id} for row_id in twins))
    assert tuple(found.models) == twins
    assert found.duplicates == ()


REPLACED = "what could not be read as text in it is replaced by U+FFFD"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (rb"cut \ud83d...", "cut \ufffd..."),
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\ude00 first", "\ufffd first"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\ud83d\u0041", "\ufffdA"),
        (rb"\uD83D\uDE00 \\ud83d \\\ud83d", "\U0001f600 \\ud83d \\\ufffd"),
        ("Modèle".encode("latin-1"), "Mod\ufffdle"),
        (b"\xed\xa0\xbd", "\ufffd"),
        (b"a\nb", "a\ufffdb"),
        (rb"a\qb \u12", "a\ufffdqb \ufffdu12"),
    ],
)
def test_i41_what_no_text_can_hold_costs_a_character_of_one_text(text, meant):
    model, warnings = one_model(b'{"id": "x/odd", "name": "%b", "pricing": {"prompt": "0.000001"}}' % text)
    assert (model.model_name, model.prices.prompt) == (meant, D("0.000001"))
    assert warnings == (f"x/odd: {REPLACED}",)


@pytest.mark.parametrize("text", [rb"\ufffd", "\ufffd".encode(), rb"\uFFFD", rb"\\uFFfd", rb"\ud83d\ude00", rb"\u00e9"])
def test_a_text_that_can_be_read_is_not_touched(text):
    model, warnings = one_model(b'{"id": "x/fine", "name": "%b"}' % text)
    assert (model.model_name, warnings) == (json.loads(b'"%b"' % text), ())


@pytest.mark.parametrize("row_id", [rb"a\ud800", b"a\xff", rb"a\q"])
def test_i25_an_id_is_never_mended(row_id):
    rejected = one_rejected(b'{"id": "%b"}' % row_id)
    assert (rejected.id, rejected.reason) == (None, "the id has bytes that are no text")


def test_i41_a_field_whose_name_is_no_text_costs_the_row_and_its_id_is_seen():
    rejected = one_rejected(rb'{"id": "x/odd", "pric\ud800": {}}')
    assert (rejected.id, rejected.reason) == ("x/odd", "the name of a field has bytes that are no text")


@pytest.mark.parametrize("token", [b"Infinity", b"-Infinity", b"NaN"])
def test_i41_what_javascript_calls_a_number_costs_its_field(token):
    model, warnings = one_model(b'{"id": "a", "created": %b, "pricing": {"prompt": %b, "completion": "0.000002"}}' % (token, token))
    assert (model.released_at, model.prices.prompt, model.prices.completion) == (None, None, D("0.000002"))
    assert [warning.partition(":")[0] for warning in warnings] == ["a", "a"]


@pytest.mark.parametrize("token", [b"01", b"1.", b"'x'", b"undefined", b"None", b"Nan"])
def test_a_token_that_is_no_json_fails_the_whole_answer(token):
    failure = body(b'{"data": [{"id": "a", "pricing": {"prompt": %b}}]}' % token)
    assert isinstance(failure, Failure)
    assert failure.message.startswith("models: the answer is not valid JSON at byte ")


@settings(quick, max_examples=300)
@given(
    st.lists(st.binary(max_size=4) | st.sampled_from([rb"\ud800", rb"\udfff", rb"\u", rb"\\", b"\xff", b"\0", "é".encode()]), max_size=5)
)
def test_i41_no_bytes_inside_of_a_text_cost_more_than_its_row(pieces):
    text = b"".join(pieces).replace(b'"', b"")
    if (len(text) - len(text.rstrip(b"\\"))) % 2:
        text += b"\\"  # else it would take the quote that ends it
    found = read(GOOD, b'{"id": "x/odd", "name": "%b"}' % text, GOOD | {"id": "x/last"})
    assert found.models.keys() == {"x/good", "x/odd", "x/last"}
    assert found.models["x/last"] == read(GOOD | {"id": "x/last"}).models["x/last"]


# Values of the wrong type


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("context_length", "128k", r"unreadable context_length: it is no whole number"),
        ("context_length", True, "unreadable context_length: it is no whole number"),
        ("context_length", [1], "unreadable context_length: it is no whole number"),
        ("context_length", 1.5, "unreadable context_length: it is no whole number"),
        ("name", {"en": "x"}, "unreadable name: it is no text"),
        ("name", 5, "unreadable name: it is no text"),
        ("created", "2026-03-01", "unreadable created: it is no number"),
        ("architecture", 5, "unreadable architecture: it is no object"),
        ("architecture", {"input_modalities": "text"}, "unreadable architecture.input_modalities: it is no list"),
        ("architecture", {"input_modalities": ["text", 5]}, "unreadable architecture.input_modalities[1]: it is no text"),
        ("supported_parameters", ["tools", None], "unreadable supported_parameters[1]: it is no text"),
        ("pricing", "free", "unreadable pricing: it is no object"),
        ("pricing", [], "unreadable pricing: it is no object"),
    ],
)
def test_an_unreadable_optional_value_is_not_stated_and_the_row_stays(field, value, said):
    model, warnings = one_model({"id": "a", "description": "kept", field: value})
    assert warnings == (f"a: {said}; not stated",)
    assert (model.description, model.prices) == ("kept", NO_PRICES)
    assert (model.context_length, model.model_name, model.released_at, model.input_modalities) == (None, None, None, None)
    assert model.supports_function_calling is None


class Facts(msgspec.Struct):
    size: int | None = None
    named: dict[str, bool | None] = {}


class Deep(msgspec.Struct):
    key: str
    named: dict[str, int | None] = {}
    facts: Facts | None = None
    places: tuple[dict[str, str], ...] | None = None
    inner: dict[str, dict[str, int]] = {}
    size: int | None = None


def reads_deep(row):
    endpoint = Endpoint(url="https://test.invalid/", row=Deep, paging=paging.single)
    one = dataclasses.replace(PROVIDER, endpoints=(endpoint,), normalize=lambda row: Model(id=row.key, metadata=msgspec.to_builtins(row)))
    found = good(one, {"models": {"data": [{"key": "first"}, row, {"key": "last"}]}})
    assert found.models.keys() == {"first", "a", "last"}
    return found.models["a"].metadata, found.warnings


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        ("named", {"x": 1, "y": "wrong"}, {}),
        ("named", {"x.y[0]": "wrong", "...": 1}, {}),
        ("facts", {"size": 7, "named": {"x": True, "y": "wrong"}}, {"size": 7, "named": {}}),
        ("places", [{"code": "de"}, {"code": 5}], None),
        ("inner", {"x": {"y": 1}, "z": {"y": "wrong"}}, {}),
        ("inner", {"x": "wrong"}, {}),
        ("inner", "wrong", {}),
    ],
)
def test_i41_a_wrong_value_inside_of_a_dictionary_costs_that_field(field, value, left):
    metadata, (warning,) = reads_deep({"key": "a", "size": 8, field: value})
    assert (metadata.get(field), metadata["size"]) == (left, 8)
    assert warning.startswith(f"a: unreadable {field}")
    assert warning.endswith("; not stated")


def test_several_unreadable_values_are_each_reported_and_what_can_be_read_is():
    model, warnings = one_model(
        {
            "id": "a",
            "name": 1,
            "context_length": "2k",
            "architecture": {"input_modalities": [3], "output_modalities": ["text"]},
            "top_provider": {"max_completion_tokens": "x"},
            "pricing": {"prompt": "0.000001"},
        }
    )
    assert sorted(warning.partition(": unreadable ")[2].partition(":")[0] for warning in warnings) == [
        "architecture.input_modalities[0]",
        "context_length",
        "name",
        "top_provider.max_completion_tokens",
    ]
    assert (model.output_modalities, model.prices.prompt) == (("text",), D("0.000001"))


def test_a_price_that_cannot_be_read_is_a_warning_and_the_others_stay():
    model, warnings = one_model({"id": "a", "pricing": {"prompt": "$0.5", "completion": "0.000002"}})
    assert (model.prices.prompt, model.prices.completion) == (None, D("0.000002"))
    assert warnings == ("a: price prompt = $0.5: not a plain decimal number; not stated",)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 5000])
def test_a_number_beyond_every_range_is_not_stated_and_the_row_stays(number):
    model, warnings = one_model(b'{"id": "a", "name": "A", "size": %b, "deep": {"x": [%b]}}' % (number, number))
    assert (model.model_name, "size" in model.metadata, "deep" in model.metadata) == ("A", False, False)
    assert len(warnings) == 2
    assert all(warning.startswith("a: unreadable ") and warning.endswith("out of range; not stated") for warning in warnings)
    model, warnings = one_model(b'{"id": "a", "name": "A", "context_length": %b}' % number)
    assert (model.model_name, model.context_length, len(warnings)) == ("A", None, 1)
    model, warnings = one_model(b'{"id": "a", "pricing": {"prompt": %b, "completion": "0.000002"}}' % number)
    assert (model.prices.prompt, model.prices.completion, len(warnings)) == (None, D("0.000002"), 1)
    model, _ = one_model(b'{"id": "a", "pricing": {"unheard_of": %b, "completion": "0.000002"}}' % number)
    assert model.prices.completion == D("0.000002")


def test_a_whole_number_of_4000_digits_is_metadata_like_any_other():
    model, warnings = one_model(b'{"id": "a", "size": %b}' % (b"9" * 4000))
    assert (model.metadata["size"], warnings) == (10**4000 - 1, ())


def test_a_key_that_comes_twice_counts_as_its_last():
    assert read(b'{"id": "a", "name": "1", "name": "2"}').models["a"].model_name == "2"


# Limits


@pytest.mark.parametrize(
    ("wire", "kept", "warned"),
    [
        (b"1", 1, False),
        (b"0", None, False),  # says nothing
        (b"-1", None, True),
        (b"1000000000", 1_000_000_000, False),
        (b"1000000001", None, True),
        (b"1000000000000", None, True),
        (b"1e12", None, True),
        (b'"128k"', None, True),
        (b"9223372036854775808", None, True),
        (b"null", None, False),
    ],
)
def test_context_lengths_outside_the_limits_are_not_stated(wire, kept, warned):
    model, warnings = one_model(b'{"id": "a", "context_length": %b}' % wire)
    assert (model.context_length, len(warnings)) == (kept, int(warned))
    model, warnings = one_model(b'{"id": "a", "top_provider": {"max_completion_tokens": %b}}' % wire)
    assert (model.max_output_tokens, len(warnings)) == (kept, int(warned))


def test_long_texts_are_cut_with_a_warning():
    model, warnings = one_model({"id": "a", "name": "n" * 501, "description": "d" * 10_000_000})
    assert (model.model_name, model.description) == ("n" * 500, "d" * 20_000)
    assert warnings == (
        "a: model_name of 501 characters was cut at 500",
        "a: description of 10,000,000 characters was cut at 20,000",
    )
    model, warnings = one_model({"id": "a", "name": "n" * 500, "description": "d" * 20_000})
    assert (len(model.model_name), len(model.description), warnings) == (500, 20_000, ())


@pytest.mark.parametrize(
    ("text", "kept"), [("", None), (" \n", None), ("a\0b", "ab"), ("\0", None), (" a ", " a "), ("<b>\x1b", "<b>\x1b")]
)
def test_blank_texts_are_not_stated_and_nul_is_dropped(text, kept):
    model, warnings = one_model({"id": "a", "name": text, "description": text})
    assert (model.model_name, model.description, warnings) == (kept, kept, ())


@pytest.mark.parametrize(("letters", "kept"), [(99_991, True), (99_992, True), (99_993, False)])  # with {"x":""} that many and eight bytes
def test_metadata_of_exactly_the_limit_is_kept(letters, kept):
    warnings = []
    model = within_limits(Model(id="a", metadata={"x": "m" * letters}), warnings)
    assert model.metadata == ({"x": "m" * letters} if kept else {})
    assert warnings == ([] if kept else ["a: 100,001 bytes of metadata were left out"])


@pytest.mark.parametrize("text", ["m" * 10_000_000, "\0" + "m" * 100_001])
def test_metadata_larger_than_the_limit_is_left_out(text):
    model, warnings = one_model({"id": "a", "name": "A", "more": text})
    assert (model.model_name, model.metadata) == ("A", {})
    (warning,) = warnings
    assert warning.startswith("a: 1")
    assert warning.endswith(" bytes of metadata were left out")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\0b\0\0c", "abc"),
        ("\\u0000", "\\u0000"),  # six characters that only look like NUL
        ("\\\0", "\\"),
        ("\\\\u0000\0\\", "\\\\u0000\\"),
        ("\0", ""),
    ],
)
def test_nul_is_dropped_from_metadata_and_nothing_else_is(text, kept):
    model, warnings = one_model({"id": "a", "one": {"two": [text]}, text: 1})
    assert (model.metadata["one"], model.metadata[kept], warnings) == ({"two": [kept]}, 1, ())


def test_metadata_is_what_the_row_type_does_not_declare():
    model, _ = one_model({"id": "a", "name": "A", "owner": "x", "nothing": None, "no": False})
    assert {name: model.metadata[name] for name in ("owner", "no")} == {"owner": "x", "no": False}
    assert not {"id", "name", "nothing"} & model.metadata.keys()


# Duplicates


def test_of_equal_rows_the_first_counts_and_the_others_are_reported():
    found = read(GOOD, GOOD | {"name": "later"}, GOOD)
    assert (found.models["x/good"].model_name, found.models["x/good"].prices.prompt) == (None, D("0.000001"))
    assert (found.duplicates, found.fetched) == (("x/good", "x/good"), 3)
    assert found.warnings == ("skipped x/good: listed twice, the first one counts",) * 2


def test_a_model_listed_with_two_prices_has_none():
    found = read(GOOD, GOOD | {"pricing": {"prompt": "0.000002"}}, GOOD | {"name": "later"})
    assert found.models["x/good"].prices == NO_PRICES
    assert found.duplicates == ("x/good", "x/good")
    assert found.warnings[2] == "x/good: listed twice with different prices; its price is not stated"
    alone = read({"id": "x/good"})
    assert found.hashes == alone.hashes  # the hash is that of the model without a price


def test_a_duplicate_whose_price_is_only_written_differently_is_no_contradiction():
    found = read(GOOD, GOOD | {"pricing": {"prompt": 1e-6}})
    assert (found.models["x/good"].prices.prompt, found.warnings) == (
        D("0.000001"),
        ("skipped x/good: listed twice, the first one counts",),
    )


def test_every_skipped_row_is_a_warning_with_its_reason():
    found = read(
        GOOD, b"null", {"id": " a"}, b'{"id": "a\\u0000"}', rb'{"id": "b\ud800"}', b'{"id": "c", "\xff": 1}', GOOD, {"id": "x" * 600}
    )
    blanks = "the id has control characters, or blanks around it"
    assert found.warnings == (
        "skipped row 1: it is no object",
        f"skipped  a: {blanks}",
        f"skipped a�: {blanks}",
        "skipped row 4: the id has bytes that are no text",
        "skipped c: the name of a field has bytes that are no text",
        f"skipped {'x' * 120}: the id is longer than 512 bytes",
        "skipped x/good: listed twice, the first one counts",
    )


def test_a_skipped_row_is_numbered_by_its_place_in_the_list():
    found = read(b"null", b"7", GOOD, {"id": "b"}, b'{"id": "a/\xff"}', {"id": ""})
    assert [row.position for row in found.rejected] == [0, 1, 4, 5]


def test_of_many_skipped_rows_the_first_are_named_and_the_others_counted():
    found = read(*({"id": ""} for _ in range(40)), *[GOOD] * 1043)
    assert found.warnings[:40] == tuple(f"skipped row {number}: the id is empty" for number in range(40))
    assert found.warnings[40:80] == ("skipped x/good: listed twice, the first one counts",) * 40
    assert found.warnings[80:] == ("skipped 1,002 more rows that are listed twice",)
    assert read(*({"id": ""} for _ in range(43))).warnings[40:] == ("skipped 3 more rows that cannot be read",)


# Answers


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", "the answer is empty"),
        (b" \n", "the answer is empty"),
        (b"<!DOCTYPE html><html>", "the answer is an HTML page, not JSON"),
        (b"\n  <html>", "the answer is an HTML page, not JSON"),
        (b"\xef\xbb\xbf<html>", "the answer is an HTML page, not JSON"),
        (b'{"data": [{"id": "a"}', "the answer is cut off: its JSON does not end"),
        (b'{"data": []} {"data": []}', "the answer is not valid JSON at byte 13 (a second document?)"),
        (b'callback({"data": []})', "the answer is a JavaScript call around JSON (JSONP), not JSON"),
        (b'{"id": "a"}\n{"id": "b"}', "the answer is not valid JSON at byte 12 (a second document?)"),
        ('{"data": []}'.encode("utf-16"), "the answer is UTF-16, not UTF-8"),
        ('{"data": []}'.encode("utf-16-le"), "the answer is UTF-16, not UTF-8"),
        ('{"data": []}'.encode("utf-16-be"), "the answer is UTF-16, not UTF-8"),
        ('{"data": []}'.encode("utf-32"), "the answer is UTF-32, not UTF-8"),
        (b'{"data": [{"id": "a"},]}', "the answer is not valid JSON at byte 22 (a trailing comma?)"),
        (b'{"data": [{"id": "a",}]}', "the answer is not valid JSON at byte 21 (a trailing comma?)"),
        (b'\xef\xbb\xbf{"data": [{"id": NaN, "d": "\\ud800\xff"},]}', "the answer is not valid JSON at byte 41 (a trailing comma?)"),
        (b'{"data": []}x', "the answer is not valid JSON at byte 12 (something after the end)"),
        (b"[" * 100_000, "the answer is nested too deeply"),
        (b"\x1f\x8b\x08\x00", "the answer is gzip data inside of its coding, not JSON"),
        (b"[" + b"NaN," * 200_001 + b"0]", "the answer is damaged in more than 200,000 places"),
        (b'{"error": {"message": "sk-secret"}}', "the provider answered with an error instead of a list"),
        (b'{"error": "x"}', "the provider answered with an error instead of a list"),
        (b'{"success": false, "data": []}', "the provider answered with an error instead of a list"),
        (b"null", "the answer is JSON, but not the documented list"),
        (b"[]", "the answer is JSON, but not the documented list"),
        (b"{}", "the answer is JSON, but not the documented list"),
        (b'"data"', "the answer is JSON, but not the documented list"),
        (b'{"data": null}', "the answer is JSON, but not the documented list"),
        (b'{"data": {"id": "a"}}', "the answer is JSON, but not the documented list"),
        (b'{"models": []}', "the answer is JSON, but not the documented list"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_i01_an_answer_that_is_no_list_is_a_failure_that_shows_nothing_of_it(document, said):
    failure = body(document)
    assert failure == Failure(FailureKind.UPSTREAM, f"models: {said}", "Nothing was changed; try again later")


@pytest.mark.parametrize("nested", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000])
@pytest.mark.parametrize("field", [b"zz", b"name", b"pricing", b"architecture"])
def test_i41_deep_nesting_costs_its_field(field, nested):
    model, warnings = one_model(b'{"id": "a", "context_length": 8, "%b": %b}' % (field, nested))
    assert (model.id, model.context_length, model.model_name) == ("a", 8, None)
    assert warnings[0] == f"a: {REPLACED}"


def test_moderate_nesting_is_metadata():
    model, warnings = one_model(b'{"id": "a", "zz": %b}' % (b"[" * 400 + b"]" * 400))
    assert str(model.metadata["zz"]) == "[" * 400 + "]" * 400
    assert warnings == ()


def test_an_empty_list_is_a_listing_of_nothing():
    found = body({"data": []})
    assert isinstance(found, Listing)
    assert (found.models, found.rejected, found.fetched, found.complete, found.seen) == ({}, (), 0, True, set())


def test_a_byte_order_mark_does_not_matter():
    text = json.dumps({"data": ROWS}).encode()
    assert body(b"\xef\xbb\xbf" + text) == body(text)


def test_truncated_at_every_byte_it_is_a_failure_or_the_same_listing():
    text = (
        json.dumps({"data": [GOOD, {"id": "é", "tags": ["a\\", '"'], "pricing": {"prompt": 1.5e-7}}]}, ensure_ascii=False).encode() + b"\n "
    )
    whole = body(text)
    assert isinstance(whole, Listing)
    lengths = [length for length in range(len(text) + 1) if not isinstance(body(text[:length]), Failure)]
    assert lengths == [len(text) - 2, len(text) - 1, len(text)]
    assert all(body(text[:length]) == whole for length in lengths)


# Several endpoints, and other shapes of answers


class Row(msgspec.Struct):
    key: str
    size: int | None = None


def combine(rows, options):
    sizes = {wire.row.key: wire.row.size for wire in rows["extra"]}
    return [Wire(Row(wire.row.key, sizes.get(wire.row.key)), wire.rest) for wire in rows["models"]]


def provider(*, rows=("data",), **facts):
    main = Endpoint(url="https://test.invalid/", row=Row, rows=rows, paging=paging.single)
    return dataclasses.replace(
        PROVIDER, endpoints=(main,), normalize=lambda row: Model(id=row.key, context_length=row.size) if row.key != "no" else None, **facts
    )


def two_endpoints(**facts):
    one = provider(combine=combine, **facts)
    extra = dataclasses.replace(one.endpoints[0], name="extra", fills=True)
    return dataclasses.replace(one, endpoints=(*one.endpoints, extra))


@pytest.mark.parametrize("extra", [b"<html>", b'{"error": "x"}', b"", {"rows": []}])
def test_an_endpoint_that_only_fills_may_fail(extra):
    found = good(two_endpoints(), {"models": {"data": [{"key": "a"}]}, "extra": extra})
    assert found.models["a"].context_length is None
    (warning,) = found.warnings
    assert warning.startswith("extra: ")
    assert found.complete


def test_a_bad_row_of_an_endpoint_that_only_fills_is_a_warning():
    found = good(two_endpoints(), {"models": {"data": [{"key": "a"}]}, "extra": {"data": [{"size": 1}, {"key": "a", "size": 7}]}})
    assert (found.models["a"].context_length, found.fetched, found.rejected) == (7, 1, ())
    assert found.warnings == ("extra row 0: Object missing required field `key`",)


def test_an_endpoint_that_is_needed_may_not_fail():
    failure = listing(two_endpoints(), {"extra": {"data": []}, "models": b"<html>"})
    assert failure.message == "models: the answer is an HTML page, not JSON"


def test_a_listing_that_does_not_show_everything_is_not_complete():
    found = good(provider(partial=lambda rows, options: "only the first 10"), {"models": {"data": [{"key": "a"}]}})
    assert (found.complete, found.warnings, list(found.models)) == (False, ("only the first 10",), ["a"])
    assert good(provider(partial=lambda rows, options: None), {"models": {"data": [{"key": "a"}]}}).complete


def test_a_row_left_out_on_purpose_is_counted_apart():
    found = good(provider(), {"models": {"data": [{"key": "no"}, {"key": "a"}]}})
    assert (found.left_out, found.fetched, found.seen) == (1, 1, {"a"})


@pytest.mark.parametrize(
    ("rows", "document"),
    [
        (("",), [{"key": "a"}]),
        (("data.models",), {"data": {"models": [{"key": "a"}], "total": 1}}),
        (("models", "data"), {"data": [{"key": "a"}]}),
        (("data", "models"), {"data": None, "models": [{"key": "a"}]}),
        ((".",), {"key": "a"}),
    ],
)
def test_where_rows_are(rows, document):
    assert list(good(provider(rows=rows), {"models": document}).models) == ["a"]


def test_the_id_of_a_rejected_row_is_read_under_its_own_name():
    found = good(provider(), {"models": b'{"data": [{"key": "a"}, {"key": "b", "\xff": "text", "id": "c"}]}'})
    assert [row.id for row in found.rejected] == ["b"]
    assert found.seen == {"a", "b"}


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("no"), ZeroDivisionError("no"), TypeError("no"), IndexError("no")])
def test_a_row_its_provider_cannot_read_is_rejected_with_its_id(error):
    def normalize(row):
        if row.key == "bad":
            raise error
        return Model(id=row.key)

    found = good(dataclasses.replace(provider(), normalize=normalize), {"models": {"data": [{"key": "bad"}, {"key": "a"}]}})
    assert found.seen == {"a", "bad"}
    assert [(row.id, "no" in row.reason) for row in found.rejected] == [("bad", True)]


def test_an_empty_proto3_list_is_no_field_at_all_and_an_error_is_no_empty_list():
    one = provider()
    proto = dataclasses.replace(one, endpoints=(dataclasses.replace(one.endpoints[0], leaves_out_empty=True),))
    assert good(proto, {"models": {}}).fetched == 0
    assert isinstance(listing(proto, {"models": {"error": {"code": 403}}}), Failure)
    assert isinstance(listing(proto, {"models": {"data": None}}), Failure)
    assert isinstance(listing(one, {"models": {}}), Failure)


# Properties


def paths(value, here=()):
    """Every path in a JSON document, itself aside."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*here, key)
        yield from paths(child, (*here, key))


PATHS = list(paths({"data": ROWS}))
NASTY = [
    *(None, True, False, 0, -1, 1, 0.5, 1e-324, 2**63, 9 * 10**18, -(2**70), 10**4000, "", " ", "5e-07", "0.0000005", "$0.5", "0,15"),
    *(" 1_000 ", "１２", "١٢", "free", "NaN", "1e400", "-1", "\0", "\u202e", "é", "../../etc/passwd", "<script>", "=HYPERLINK(1)"),
    *("\x1b]0;x\x07", "a\nfake log line", "2025-02-30", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "m" * 1_000_000),
    *([], {}, [[]], [None], {"": None}, {"id": "x"}, [{"min_prompt_tokens": "x"}], {"prompt": {"prompt": 1}}),
]
any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def put(document, path, value, how):
    *parents, last = path
    for step in parents:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return  # an earlier mutation took it away
    if not isinstance(document, dict if isinstance(last, str) else list) or (isinstance(last, int) and last >= len(document)):
        return
    if how == "delete":
        document.pop(last, None) if isinstance(document, dict) else document.pop(last)
    elif how == "wrap":
        document[last] = [document.get(last)] if isinstance(document, dict) else [document[last]]
    elif how == "twice" and isinstance(document, list):
        document.append(document[last])
    else:
        document[last] = value


mutations = st.lists(
    st.tuples(st.sampled_from(PATHS), st.sampled_from(NASTY) | any_json, st.sampled_from(["set", "set", "set", "delete", "wrap", "twice"])),
    min_size=1,
    max_size=6,
)


@settings(quick, max_examples=300)
@given(mutations)
def test_i20_any_mutation_is_a_listing_whose_counts_agree_or_one_failure(changes):
    document = {"data": copy.deepcopy(ROWS)}
    for path, value, how in changes:
        put(document, path, copy.deepcopy(value), how)
    text = msgspec.json.encode(document)
    found = body(text)
    if isinstance(found, Failure):
        assert not isinstance(document.get("data"), list)
        return
    assert found.fetched == len(document["data"]) == len(found.models) + len(found.rejected) + len(found.duplicates)
    assert found.hashes.keys() == found.models.keys()
    assert all(isinstance(row, Rejected) and row.reason for row in found.rejected)
    for row_id, model in found.models.items():
        assert row_id == model.id
        check_id(row_id)
        for name in ("prompt", "completion"):
            price = getattr(model.prices, name)
            assert price is None or price == 0 or D("1e-11") <= price <= D("1e-2")
    assert body(text) == found  # the same bytes read the same


@quick
@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda inner: b'{"data": [{"id": "a", "name": "' + inner + b'"}]}'))
def test_any_bytes_are_a_listing_or_a_failure(text):
    assert isinstance(body(text), Listing | Failure)


def shuffled(value, random):
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(child, random) for key, child in items}
    return [shuffled(child, random) for child in value] if isinstance(value, list) else value


@quick
@given(st.randoms(use_true_random=False))
def test_i17_neither_the_order_of_rows_nor_of_keys_matters(random):
    rows = [shuffled(row, random) for row in ROWS]
    random.shuffle(rows)
    before, after = body({"data": ROWS}), body({"data": rows})
    assert after.hashes == before.hashes
    assert {row_id: model.prices for row_id, model in after.models.items()} == {
        row_id: model.prices for row_id, model in before.models.items()
    }


def test_white_space_does_not_matter():
    assert body(json.dumps({"data": ROWS}, indent=3).encode()).hashes == body({"data": ROWS}).hashes


def test_how_numbers_are_written_does_not_matter():
    texts = [b'"0.0000005"', b"0.0000005", b'"5e-07"', b"5E-7", b'"0.00000050"', b"0.00000050000000000000004"]
    found = [read(b'{"id": "a", "pricing": {"prompt": %b}}' % text) for text in texts]
    assert {listing.models["a"].prices.prompt for listing in found} == {D("5e-7")}
    assert len({listing.hashes["a"] for listing in found}) == 1
    assert found[0].models["a"].prices == Prices(prompt=D("5e-7"), raw={"prompt": "0.0000005 USD per token"})
