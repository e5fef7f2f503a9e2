"""The limits of every provider's values, each to the last character."""

import msgspec
import pytest

from modelsync.model.limits import MAX_METADATA, check_id, within_limits, without_nul
from modelsync.model.model import Model


def limited(**facts):
    """The values that are left of a model, and what was said."""
    warnings = []
    return within_limits(Model(id="m", **facts), warnings), warnings


@pytest.mark.parametrize("name", ["context_length", "max_output_tokens"])
@pytest.mark.parametrize(
    ("value", "kept", "said"),
    [(1, 1, False), (0, None, False), (-1, None, True), (1_000_000_000, 1_000_000_000, False), (1_000_000_001, None, True)],
)
def test_lengths_are_from_one_to_a_thousand_million(name, value, kept, said):
    model, warnings = limited(**{name: value})
    assert getattr(model, name) == kept
    assert warnings == ([f"m: {name} = {value} is outside 1 to 1000000000; not stated"] if said else [])


@pytest.mark.parametrize(("name", "limit"), [("model_name", 500), ("description", 20_000)])
def test_texts_are_cut_at_their_limit_and_not_before(name, limit):
    for text, kept in (("x" * limit, "x" * limit), ("x" * (limit + 1), "x" * limit)):
        model, warnings = limited(**{name: text})
        assert getattr(model, name) == kept
        assert warnings == ([] if text == kept else [f"m: {name} of {limit + 1:,} characters was cut at {limit:,}"])


def test_a_text_that_just_fits_is_left_as_it_is_and_one_that_only_loses_nul_was_not_cut():
    just = "x" * 499 + " "
    assert limited(model_name=just) == (Model(id="m", model_name=just), [])
    assert limited(model_name="\0" + "x" * 499) == (Model(id="m", model_name="x" * 499), [])


@pytest.mark.parametrize(
    ("text", "kept"),
    [("", None), (" \n", None), ("\0", None), ("a\0b", "ab"), (" a ", " a "), ("a\0 ", "a"), ("\0" * 501 + "b", "b"), (None, None)],
)
def test_texts_without_anything_are_not_stated_and_have_no_nul(text, kept):
    assert limited(model_name=text)[0].model_name == kept


@pytest.mark.parametrize(("extra", "stays"), [(0, True), (1, False)])
def test_metadata_of_a_hundred_thousand_bytes_stays_and_of_one_more_is_left_out(extra, stays):
    metadata = {"x": "y" * (MAX_METADATA - len('{"x":""}') + extra)}
    assert len(msgspec.json.encode(metadata)) == 100_000 + extra
    model, warnings = limited(metadata=metadata)
    assert model.metadata == (metadata if stays else {})
    assert warnings == ([] if stays else ["m: 100,001 bytes of metadata were left out"])


def test_metadata_in_letters_of_several_bytes_is_measured_in_bytes():
    model, warnings = limited(metadata={"x": "é" * 50_000})
    assert (model.metadata, len(warnings)) == ({}, 1)


def test_metadata_loses_its_nul_characters_and_nothing_else():
    assert limited(metadata={"a\0": ["b\0c", {"d": "\0"}], "e": "\\u0000"})[0].metadata == {"a": ["bc", {"d": ""}], "e": "\\u0000"}
    escaped = {"a": r"a backslash, then u0000: \u0000"}
    assert limited(metadata=escaped)[0].metadata is escaped
    plain = {"a": 1}
    assert limited(metadata=plain)[0].metadata is plain


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (rb'"a\u0000b"', b'"ab"'),
        (rb'"\u0000\u0000"', b'""'),
        (rb'"\\u0000"', rb'"\\u0000"'),  # a backslash and u0000
        (rb'"\\\u0000"', rb'"\\"'),  # a backslash and NUL
        (rb'"\\\\u0000"', rb'"\\\\u0000"'),
        (rb'"\u0001"', rb'"\u0001"'),
    ],
)
def test_nul_is_told_from_a_backslash(document, expected):
    assert without_nul(document) == expected


def test_a_model_inside_all_limits_is_the_same_object():
    model = Model(id="m", model_name="M", context_length=1, metadata={"a": 1})
    assert within_limits(model, []) is model


@pytest.mark.parametrize("row_id", ["a", "x" * 512, "é" * 256, "a b", "Ünïcode/x:y@1"])
def test_i25_ids_that_can_be_keys(row_id):
    check_id(row_id)
    assert within_limits(Model(id=row_id), []).id == row_id


@pytest.mark.parametrize(
    ("row_id", "reason"),
    [
        ("", "the id is empty"),
        ("x" * 513, "the id is longer than 512 bytes"),
        ("é" * 256 + "x", "the id is longer than 512 bytes"),
        ("a\n", "the id has control characters, or blanks around it"),
        ("a\0b", "the id has control characters, or blanks around it"),
        (" a", "the id has control characters, or blanks around it"),
        ("a ", "the id has control characters, or blanks around it"),
    ],
)
def test_i25_ids_that_cannot_be_keys(row_id, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        within_limits(Model(id=row_id), [])


# Modalities that nobody knows, and answers longer than the context


def checked(**facts):
    warnings: list[str] = []
    return within_limits(Model(id="a", **facts), warnings), warnings


@pytest.mark.parametrize(
    ("inputs", "outputs", "kept", "warned"),
    [
        (("text", "smell"), ("text",), (("text",), ("text",)), "`smell`"),
        (("smell",), ("text", "touch"), (None, ("text",)), "`smell`, `touch`"),
        (("smell",), ("smell",), (None, None), "`smell`"),
        (None, ("x" * 41,), (None, None), f"`{'x' * 40}`"),
        (("a", "b", "c", "d", "e"), None, (None, None), "`a`, `b`, `c`, `d`, `e`"),
        (("a", "b", "c", "d", "e", "f"), None, (None, None), "`a`, `b`, `c`, `d`, `e` …"),
    ],
)
def test_an_unknown_modality_is_told_once_and_left_out(inputs, outputs, kept, warned):
    model, warnings = checked(input_modalities=inputs, output_modalities=outputs)
    assert (model.input_modalities, model.output_modalities) == kept
    assert warnings == [f"a: unknown modality {warned}; left out"]


def test_known_modalities_are_left_as_they_are():
    every = ("text", "image", "file", "audio", "video", "embeddings", "rerank", "moderation", "3d")
    model, warnings = checked(input_modalities=every, output_modalities=every)
    assert (model.input_modalities, model.output_modalities, warnings) == (every, every, [])


@pytest.mark.parametrize(
    ("context", "output", "warned"),
    [
        (8192, 8193, ["a: max_output_tokens = 8193 is more than context_length = 8192"]),
        (8192, 8192, []),
        (8192, 1, []),
        (None, 8192, []),
        (8192, None, []),
        (0, 8192, []),  # says nothing
        (-1, 8192, ["a: context_length = -1 is outside 1 to 1000000000; not stated"]),
        (8192, 1_000_000_001, ["a: max_output_tokens = 1000000001 is outside 1 to 1000000000; not stated"]),
    ],
)
def test_an_output_limit_above_the_context_is_a_warning_and_both_stay(context, output, warned):
    model, warnings = checked(context_length=context, max_output_tokens=output)
    assert warnings == warned
    assert model.context_length == (context if context == 8192 else None)
    assert model.max_output_tokens == (None if output == 1_000_000_001 else output)
