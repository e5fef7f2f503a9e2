"""Feeds: what their formats require, whatever providers call their models."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree as Xml

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.formats.feeds import Address, atom, json_feed, title
from modelsync.model.timeline import RecordedChange

ATOM = "{http://www.w3.org/2005/Atom}"
HERE = Address("https://catalog.example", "https://catalog.example/changes/feed.atom?provider=groq&kind=added")
AT = datetime(2026, 11, 22, 10, 0, 0, 999_999, UTC)


def change(number: int = 1, model: str = "openai/gpt-5", kind: str = "added", **fields: tuple[Any, Any]) -> RecordedChange:
    return RecordedChange("openrouter", model, kind, fields, id=number, run_id=4, provider_id=1, changed_at=AT)


def text(element: Xml.Element, name: str) -> str:
    """The text of the only element of this name."""
    (found,) = element.findall(ATOM + name)
    return found.text or ""


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (change(), "openrouter openai/gpt-5 is new"),
        (change(kind="missing"), "openrouter openai/gpt-5 is missing from the list"),
        (change(kind="retired", status=("missing", "retired")), "openrouter openai/gpt-5 is retired"),
        (change(kind="revived", status=("retired", "active")), "openrouter openai/gpt-5 is back"),
        (
            change(kind="updated", pricing_prompt=("0.00000125", "0.0000025")),
            "openrouter openai/gpt-5 changed: prompt 1.25 → 2.50 $/1M (+100%)",
        ),
        (
            change(kind="updated", context_length=(None, 128000), is_active=(True, False)),
            "openrouter openai/gpt-5 changed: context_length — → 128,000, is_active yes → no",
        ),
        (change(kind="updated", model_name=("a\x00\x1b[31m", "b\nc")), "openrouter openai/gpt-5 changed: model_name a��[31m → b�c"),
    ],
)
def test_a_change_in_a_line(row: RecordedChange, line: str):
    assert title(row) == line


def test_an_atom_feed_has_what_rfc_4287_requires():
    feed = Xml.fromstring(atom([change(9, "a b&c", "updated", model_name=("old", "<script>alert(1)</script>")), change(3)], HERE))
    assert feed.tag == f"{ATOM}feed"
    assert (text(feed, "id"), text(feed, "title"), text(feed, "updated")) == (HERE.feed, "Changes of AI models", "2026-11-22T10:00:00Z")
    (author,) = feed.findall(f"{ATOM}author")
    assert text(author, "name") == "modelsync"
    assert [link.attrib for link in feed.findall(f"{ATOM}link")] == [{"rel": "self", "href": HERE.feed}]
    first, second = feed.findall(f"{ATOM}entry")
    assert (text(first, "id"), text(second, "id")) == ("https://catalog.example/changes#9", "https://catalog.example/changes#3")
    assert text(first, "title") == "openrouter a b&c changed: model_name old → <script>alert(1)</script>"
    assert text(first, "updated") == "2026-11-22T10:00:00Z"
    (link,) = first.findall(f"{ATOM}link")
    assert link.attrib == {"rel": "alternate", "href": "https://catalog.example/changes?provider=openrouter&model=a+b%26c"}
    assert [each.attrib["term"] for each in first.findall(f"{ATOM}category")] == ["openrouter", "updated"]
    assert b"<script" not in atom([change(model="<script>")], HERE)


def test_an_empty_feed_is_one_too():
    feed = Xml.fromstring(atom([], HERE))
    assert (text(feed, "id"), text(feed, "updated"), feed.findall(f"{ATOM}entry")) == (HERE.feed, "1970-01-01T00:00:00Z", [])
    assert json.loads(json_feed([], HERE))["items"] == []


def test_times_are_utc_wherever_they_came_from():
    row = msgspec.structs.replace(change(), changed_at=AT.astimezone(timezone(timedelta(hours=-7))))
    assert json.loads(json_feed([row], HERE))["items"][0]["date_published"] == "2026-11-22T10:00:00Z"


def test_a_json_feed_has_what_its_version_1_1_requires():
    feed = json.loads(json_feed([change(9, kind="updated", model_name=("a", "b"))], HERE))
    items = feed.pop("items")
    assert feed == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Changes of AI models",
        "home_page_url": "https://catalog.example",
        "feed_url": HERE.feed,
    }
    assert items == [
        {
            "id": "https://catalog.example/changes#9",
            "url": "https://catalog.example/changes?provider=openrouter&model=openai%2Fgpt-5",
            "title": "openrouter openai/gpt-5 changed: model_name a → b",
            "content_text": "openrouter openai/gpt-5 changed: model_name a → b",
            "date_published": "2026-11-22T10:00:00Z",
            "tags": ["openrouter", "updated"],
            "_modelsync": {"provider_model_id": "openai/gpt-5", "run_id": 4, "fields": {"model_name": ["a", "b"]}},
        }
    ]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_breaks_a_feed(row_id: str, name: str):
    rows = [change(2, row_id, "updated", model_name=("plain", name)), change(1, row_id)]
    feed = Xml.fromstring(atom(rows, HERE))
    entries = feed.findall(f"{ATOM}entry")
    assert {element.tag for element in feed.iter()} == {
        ATOM + name for name in ("feed", "title", "id", "updated", "link", "author", "name", "entry", "category", "content")
    }
    items = json.loads(json_feed(rows, HERE))["items"]
    assert [text(entry, "id") for entry in entries] == [item["id"] for item in items]
    assert [text(entry, "title") for entry in entries] == [item["title"] for item in items]
