"""Which export an Accept header asks for, and cells that no spreadsheet runs."""

import pytest

from modelsync.api.exports import CSV, NDJSON, preferred_media
from modelsync.api.schemas import Model
from modelsync.formats.table import COLUMNS, cell


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", None),
        ("*/*", None),
        ("application/json", None),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("application/x-ndjson", NDJSON),
        ("text/html, text/csv", CSV),
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", None),
        ("application/x-ndjson;q=0.9, */*;q=0.1", NDJSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", None),
        ("application/*, text/csv", None),
        ("text/plain", None),
        (",,;", None),
        ("application/json;q=0.5, text/csv", CSV),
        ("text/csv; charset=utf-8; Q=0.2, */*;q=0.1", CSV),
        ("text/csv;q=0.2, application/x-ndjson;q=0.3", NDJSON),
        ("text/csv;q=0", None),
        ("text/csv;q=0.0, */*", None),
        ("text/csv;q=lots", CSV),
    ],
)
def test_the_media_type_that_an_accept_header_asks_for(accept: str, media: str | None):
    assert preferred_media(accept) == media


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (128000, "128000"),
        ("0.0000001", "0.0000001"),
        ("Claude 4", "Claude 4"),
        ("", ""),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("a=1", "a=1"),
        ("'=1", "'=1"),
        ("日本", "日本"),
    ],
)
def test_a_cell(value: object, text: str):
    assert cell(value) == text


def test_the_columns_are_fields_of_a_model():
    assert set(COLUMNS) <= {*Model.__struct_fields__, "dynamic_price"}
    assert len(set(COLUMNS)) == len(COLUMNS)
