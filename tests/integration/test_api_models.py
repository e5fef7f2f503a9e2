"""Reading models over HTTP: filters, order, pages, exports, validators; on both databases, from a real server."""

import base64
import csv
import gzip
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from modelsync.database import schema
from modelsync.model.actors import Person, Scope
from modelsync.model.model import Model
from modelsync.operations import providers
from modelsync.operations.api_keys import Keys
from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from support.api import ADMIN, Served, serving
from support.catalog import ACTIVE, ALPHA, GAMMA, ODD_NAME, fill, synced
from support.store import opened
from support.sync import DAYS, models_of

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Catalog(Served):
    """A server over the small catalog, and the time before its last change."""

    between: datetime
    database_url: str


@pytest.fixture(scope="module")
def served(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    between = fill(shared_database_url)
    with serving(tmp_path_factory.mktemp("server"), shared_database_url) as found:
        found.__class__ = Catalog
        found.between, found.database_url = between, shared_database_url
        yield found


def ids(page: Any) -> list[str]:
    return [row["provider_model_id"] for row in page["data"]]


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


# Which models


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, set(ACTIVE)),
    ({"provider": "groq"}, {"alpha", "whisper"}),
    ({"provider": ["groq", "near"]}, {"alpha", "whisper", "draw"}),
    ({"provider": "mine"}, set()),
    ({"provider": "never-heard-of"}, set()),
    ({"q": "alpha"}, {"acme/alpha", "alpha"}),
    ({"q": "ALPHA acme"}, {"acme/alpha"}),
    ({"q": "vision"}, {"acme/beta"}),
    ({"q": "größer"}, {"draw"}),
    ({"q": "%"}, set()),
    ({"q": "a_p"}, set()),
    ({"q": ""}, set(ACTIVE)),
    ({"modality": "text+image->text"}, {"acme/beta"}),
    ({"modality": "text->text"}, {"acme/alpha", "acme/gamma", "acme/half", "acme/lost", "alpha"}),
    ({"modality": "text"}, set()),
    ({"input_modality": "image"}, {"acme/beta"}),
    ({"input_modality": "text"}, set(ACTIVE) - {"acme/delta", "whisper"}),
    ({"output_modality": "image"}, {"draw"}),
    ({"output_modality": "tex"}, set()),
    ({"supports_streaming": "true"}, {"acme/alpha", "acme/beta"}),
    ({"supports_streaming": "True"}, {"acme/alpha", "acme/beta"}),  # as Python writes it
    ({"supports_streaming": "false"}, {"acme/gamma", "alpha"}),
    ({"supports_function_calling": "true"}, {"acme/alpha"}),
    ({"supports_function_calling": "false"}, {"acme/beta"}),
    ({"supports_vision": "true"}, {"acme/beta"}),
    ({"supports_vision": "false"}, {"acme/alpha"}),
    ({"supports_reasoning": "true"}, {"acme/beta"}),
    ({"supports_reasoning": "false"}, {"acme/gamma"}),
    ({"supports_structured_output": "true"}, {"acme/beta"}),
    ({"supports_structured_output": "false"}, {"alpha"}),
    ({"is_active": "true"}, set(ACTIVE)),
    ({"is_active": "false"}, {"acme/old", "hidden"}),
    ({"is_active": "False"}, {"acme/old", "hidden"}),
    ({"is_active": "all"}, {*ACTIVE, "acme/old", "hidden"}),
    ({"status": "missing"}, {"acme/lost"}),
    ({"status": "retired"}, {"acme/old"}),
    ({"status": "retired", "is_active": "true"}, set()),
    ({"status": "active"}, {*ACTIVE, "hidden"} - {"acme/lost"}),
    ({"status": "active", "is_active": "true"}, set(ACTIVE) - {"acme/lost"}),
    ({"min_context": 8192}, {"acme/alpha", "acme/beta", "acme/gamma", "acme/lost", "alpha"}),
    ({"min_context": 8193}, {"acme/beta", "acme/gamma", "acme/lost"}),
    ({"max_context": 8192}, {"acme/alpha", "acme/half", "alpha", "draw"}),
    ({"min_context": 0}, set(ACTIVE) - {"acme/delta", "whisper"}),
    ({"max_context": 0}, set()),
    ({"min_price": "0.05"}, {"acme/alpha", "acme/beta", "acme/lost", "alpha"}),  # the ends belong to the range, to the last digit
    ({"max_price": "0.05"}, {"acme/beta", "acme/gamma", "acme/half"}),
    ({"min_price": "0.0501"}, {"acme/alpha", "acme/lost", "alpha"}),
    ({"max_price": "0.0499"}, {"acme/gamma", "acme/half"}),
    ({"min_price": 0}, {"acme/alpha", "acme/beta", "acme/gamma", "acme/half", "acme/lost", "alpha"}),
    ({"max_price": 0}, {"acme/gamma", "acme/half"}),
    ({"max_price": "5e-324"}, {"acme/gamma", "acme/half"}),  # the least number above nothing
    ({"min_price": 1, "max_price": 3}, {"acme/alpha", "acme/lost", "alpha"}),
    ({"free": "true"}, {"acme/gamma"}),
    ({"free": "True"}, {"acme/gamma"}),
    ({"free": "false"}, {"acme/alpha", "acme/beta", "acme/half", "acme/lost", "alpha", "whisper"}),
    ({"changed_since": "2999-01-01T00:00:00Z"}, set()),
    ({"changed_since": "1970-01-01"}, set(ACTIVE)),
    ({"provider": "openrouter", "q": "a", "supports_streaming": "true", "max_price": 1, "min_context": 8193}, {"acme/beta"}),
    ({"provider": "groq", "q": "a", "input_modality": "text", "min_price": 1, "is_active": "all"}, {"alpha"}),
]


@pytest.mark.parametrize(("asked", "expected"), FILTERS)
def test_every_filter_gives_the_models_it_names(served: Catalog, asked: dict[str, Any], expected: set[str]):
    page = served.get("/models", **asked)
    assert (set(ids(page)), page["total"], page["returned"]) == (expected, len(expected), len(expected))


def test_models_of_a_providers_number(served: Catalog):
    number = served.get("/providers/slug/near")["id"]
    assert ids(served.get("/models", provider_id=number)) == ["draw"]
    assert ids(served.get("/models", provider_id=number, provider="groq")) == []


def test_models_that_changed_since_a_time(served: Catalog):
    assert set(ids(served.get("/models", changed_since=served.between.isoformat()))) == {"acme/beta", "acme/lost"}
    exactly = served.get("/models", q="beta")["data"][0]["updated_at"]
    assert set(ids(served.get("/models", changed_since=exactly))) == {"acme/beta", "acme/lost"}
    later = datetime.fromisoformat(exactly) + timedelta(microseconds=1)
    assert ids(served.get("/models", changed_since=later.isoformat())) == []


def test_models_that_end_soon(database_url: str, tmp_path: Path):
    now = datetime.now(UTC)
    ends = {"over": -3, "soon": 3, "later": 20, "far": 40, "never": None}
    models = [Model(id=name, expires_at=None if days is None else now + timedelta(days=days)) for name, days in ends.items()]
    with opened(database_url) as store:
        synced(store, "near", models)
    with serving(tmp_path, database_url) as served:
        assert ids(served.get("/models", sort="ends")) == ["over", "soon", "later", "far", "never"]
        assert ids(served.get("/models", sort="ends", order="desc")) == ["far", "later", "soon", "over", "never"]
        assert ids(served.get("/models", sort="ends", ending_within="30d")) == ["soon", "later"]
        assert ids(served.get("/models", ending_within="3w")) == ["later", "soon"]
        assert ids(served.get("/models", ending_within="24h")) == []
        assert served.client.get("/models.csv", params={"ending_within": "4d"}).text.count("near,soon,") == 1
        first = served.client.get("/models", params={"ending_within": "30d"})
        again = served.client.get("/models", params={"ending_within": "30d"}, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code in ((304,) if now.hour == datetime.now(UTC).hour else (200, 304))  # the hour is a part of the question


def test_filters_apply_before_paging(served: Catalog):
    page = served.get("/models", provider="openrouter", limit=2, offset=3)
    assert ids(page) == ["acme/gamma", "acme/half"]
    assert {name: page[name] for name in ("total", "returned", "limit", "offset")} == {"total": 6, "returned": 2, "limit": 2, "offset": 3}
    beyond = served.get("/models", offset=9)
    assert (beyond["data"], beyond["total"], beyond["returned"], beyond["limit"], beyond["next_cursor"]) == ([], 9, 0, 100, None)


# In which order


ORDERS = {
    ("provider", "asc"): ["alpha", "whisper", "draw", "acme/alpha", "acme/beta", "acme/delta", "acme/gamma", "acme/half", "acme/lost"],
    ("provider", "desc"): ["acme/lost", "acme/half", "acme/gamma", "acme/delta", "acme/beta", "acme/alpha", "draw", "whisper", "alpha"],
    # "=1+1", "acme/delta" (it has no name), "Alpha" and "alpha" by their numbers, …, "Zeichne …"
    ("name", "asc"): ["whisper", "acme/delta", "acme/alpha", "alpha", "acme/beta", "acme/gamma", "acme/half", "acme/lost", "draw"],
    ("name", "desc"): ["draw", "acme/lost", "acme/half", "acme/gamma", "acme/beta", "acme/alpha", "alpha", "acme/delta", "whisper"],
    # 0, 0, 0.05, 1, 1, 3, and three that state none
    ("price", "asc"): ["acme/gamma", "acme/half", "acme/beta", "acme/alpha", "alpha", "acme/lost", "acme/delta", "whisper", "draw"],
    ("price", "desc"): ["acme/lost", "acme/alpha", "alpha", "acme/beta", "acme/gamma", "acme/half", "acme/delta", "whisper", "draw"],
    # 1000, 4096, 8192, 8192, 16000, 128000, 128000, and two that state none
    ("context", "asc"): ["draw", "acme/half", "acme/alpha", "alpha", "acme/lost", "acme/beta", "acme/gamma", "acme/delta", "whisper"],
    ("context", "desc"): ["acme/beta", "acme/gamma", "acme/lost", "acme/alpha", "alpha", "acme/half", "draw", "acme/delta", "whisper"],
    ("changed", "asc"): ["acme/alpha", "acme/delta", "acme/gamma", "acme/half", "alpha", "whisper", "draw", "acme/beta", "acme/lost"],
    ("changed", "desc"): ["acme/beta", "acme/lost", "draw", "alpha", "whisper", "acme/alpha", "acme/delta", "acme/gamma", "acme/half"],
}


@pytest.mark.parametrize(("sort", "order"), ORDERS)
def test_each_order_both_ways_with_what_is_unknown_last(served: Catalog, sort: str, order: str):
    assert ids(served.get("/models", sort=sort, order=order)) == ORDERS[sort, order]


@pytest.mark.parametrize(("sort", "order"), ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_following_the_cursor_gives_every_row_once(served: Catalog, sort: str, order: str, limit: int):
    asked = {"sort": sort, "order": order, "limit": limit}
    page = served.get("/models", **asked)
    found = ids(page)
    while page["next_cursor"]:
        page = served.get("/models", **asked, cursor=page["next_cursor"])
        assert page["total"] == 9
        found += ids(page)
    assert found == ORDERS[sort, order]


def test_a_cursor_of_another_order_is_refused(served: Catalog):
    of_price = served.get("/models", sort="price", limit=2)["next_cursor"]
    for other in ({}, {"sort": "context"}, {"sort": "price", "order": "desc"}):
        answer = served.client.get("/models", params={**other, "cursor": of_price})
        assert (answer.status_code, answer.json()["detail"][:31]) == (400, "The cursor is of another order."), other


JUNK = [
    *("x", "äöü", "AAAA", "=", "e30", "bnVsbA", "W10", "%00"),
    cursor("provider", False, ["openrouter", "a"]),
    cursor("provider", False, ["openrouter", "a", 1, 1]),
    cursor("provider", False, ["openrouter", "a", "1"]),
    cursor("provider", False, ["openrouter", "a", None]),
    cursor("provider", False, ["openrouter", "a", 0]),
    cursor("provider", False, ["openrouter", "a", 10**30]),
    cursor("provider", False, ["openrouter", "a\0", 1]),
    cursor("provider", False, [1, 2, 3]),
    cursor("nothing", False, ["a", 1]),
    cursor("provider", 1, ["a", "b", 1]),
]


@pytest.mark.parametrize("junk", JUNK)
def test_what_is_no_cursor_is_refused(served: Catalog, junk: str):
    answer = served.client.get("/models", params={"cursor": junk})
    assert (answer.status_code, answer.json()["detail"]) == (400, "The cursor cannot be read. Use next_cursor of the page before, as it is")


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("name", [None, 1]),
        ("price", ["free", 1]),
        ("price", [True, 1]),
        ("context", [1.5, 1]),
        ("context", [2**63, 1]),
        ("changed", ["yesterday", 1]),
        ("changed", ["2026-02-30T00:00:00Z", 1]),
        ("changed", ["0001-01-01T00:00:00+14:00", 1]),
        ("changed", [None, 1]),
        ("ends", ["soon", 1]),
    ],
)
def test_a_cursor_made_up_for_an_order_is_refused(served: Catalog, sort: str, keys: list[object]):
    answer = served.client.get("/models", params={"sort": sort, "cursor": cursor(sort, False, keys)})
    assert (answer.status_code, answer.json()["detail"][:26]) == (400, "The cursor cannot be read.")


REFUSED = [
    {"limit": 0},
    {"limit": 501},
    {"limit": "many"},
    {"offset": -1},
    {"colour": "blue"},
    {"Provider": "groq"},
    {"provider": "Groq!"},
    {"provider_id": 0},
    {"sort": "colour"},
    {"order": "up"},
    {"is_active": "1"},
    {"is_active": "TRUE"},
    {"is_active": "All"},
    {"status": "gone"},
    {"supports_vision": "maybe"},
    {"min_context": -1},
    {"max_price": "nan"},
    {"max_price": -1},
    {"free": ""},
    {"changed_since": "yesterday"},
    {"ending_within": "soon"},
    {"ending_within": "30"},
    {"ending_within": "-3d"},
    {"changed_since": "2026-13-01"},
    {"q": "a\0b"},
    {"q": "x" * 201},
    {"cursor": "x" * 6001},
    {"q": ["alpha", "beta"]},
    {"modality": ["text->text", "text->image"]},
    {"limit": [1, 1]},
    {"limit": "1_0"},
    {"limit": " 5"},
    {"min_price": "1_0"},
    {"offset": "５"},
]


@pytest.mark.parametrize("asked", REFUSED, ids=lambda asked: next(iter(asked)))
def test_what_cannot_be_asked_is_a_422_that_names_the_parameter(served: Catalog, asked: dict[str, Any]):
    for path in ("/models", "/models.csv", "/models.ndjson"):
        answer = served.client.get(path, params=asked)
        assert (answer.status_code, list(answer.json())) == (422, ["detail"])
        assert answer.json()["detail"].startswith(next(iter(asked))), answer.json()


def test_the_biggest_page_is_500_rows(served: Catalog):
    assert served.get("/models", limit=500)["limit"] == 500


# What a model looks like


def test_a_model_is_shown_exactly(served: Catalog):
    (shown,) = served.get("/models", q="beta")["data"]
    stored = models_of(served.database_url, "openrouter")["acme/beta"]
    times = {name: shown.pop(name) for name in ("first_seen_at", "created_at", "updated_at")}
    for name, text in times.items():
        assert TIME.fullmatch(text), (name, text)
        assert datetime.fromisoformat(text) == stored[name]
    stated_at = shown["pricing"].pop("stated_at")
    assert shown["pricing"].pop("reader") == registry.load()["openrouter"].version
    assert stated_at == times["updated_at"] > times["created_at"]
    assert shown == {
        "provider": "openrouter",
        "id": stored["id"],
        "provider_id": stored["provider_id"],
        "provider_model_id": "acme/beta",
        "model_id": "acme/beta",
        "model_name": "Beta Vision",
        "description": None,
        "context_length": 128000,
        "max_output_tokens": 4096,
        "modality": "text+image->text",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "pricing_prompt": "0.00000005",
        "pricing_completion": "0.0000004",
        "pricing_image": None,
        "pricing_request": "0.0000001",
        "pricing": {"prompt": "0.00000005", "completion": "0.0000004", "request": "0.0000001", "source": "provider"},
        "price_incomplete": False,
        "supports_streaming": True,
        "supports_function_calling": False,
        "supports_vision": True,
        "supports_reasoning": True,
        "supports_structured_output": True,
        "is_active": True,
        "status": "active",
        "missing_since": None,
        "released_at": None,
        "expires_at": None,
        "hugging_face_id": None,
        "content_hash": stored["content_hash"],
        "metadata": {"tags": ["é", 1], "nested": {"on": True, "off": None}},
    }


def test_what_is_not_stated_is_null_and_free_is_a_zero(served: Catalog):
    delta, gamma = (served.get("/models", q=name)["data"][0] for name in ("delta", "gamma"))
    unknown = {name for name, value in delta.items() if value is None}
    assert unknown == {
        *("model_name", "description", "context_length", "max_output_tokens", "modality", "input_modalities", "output_modalities"),
        *("pricing_prompt", "pricing_completion", "pricing_image", "pricing_request", "missing_since", "released_at", "expires_at"),
        *("supports_streaming", "supports_function_calling", "supports_vision", "supports_reasoning", "supports_structured_output"),
        "hugging_face_id",
    }
    assert (delta["pricing"], delta["metadata"]) == ({}, {})
    assert (gamma["pricing_prompt"], gamma["pricing_completion"], gamma["supports_streaming"]) == ("0", "0", False)
    (lost,) = served.get("/models", status="missing")["data"]
    assert TIME.fullmatch(lost["missing_since"])
    assert served.get("/models", q="Alpha", provider="openrouter")["data"][0]["released_at"] == "2026-01-02T03:04:05.000000Z"


def test_a_page_says_what_its_numbers_are(served: Catalog):
    page = served.get("/models", limit=1)
    assert page["units"] == {
        "prices": "USD per token",
        "min_price": "USD per million prompt tokens",
        "max_price": "USD per million prompt tokens",
        "lengths": "tokens",
    }
    assert TIME.fullmatch(page["as_of"])
    assert page["as_of"] >= served.between.isoformat()[:26]


# One of them, and their numbers


def test_one_model(served: Catalog):
    listed = served.get("/models", q="beta")
    (row,) = listed["data"]
    assert served.get(f"/models/{row['id']}") == {**row, "revision": listed["revision"], "as_of": listed["as_of"]}
    retired = served.get("/models", status="retired")["data"][0]
    assert served.get(f"/models/{retired['id']}")["status"] == "retired"
    missing = served.client.get("/models/999999")
    assert (missing.status_code, missing.json()) == (404, {"detail": "There is no model 999999; GET /models lists them"})
    for wrong, status in {"0": 422, str(2**53): 422, "9" * 40: 422, "-1": 404, "x": 404}.items():  # no numbers: no such page
        assert served.client.get(f"/models/{wrong}").status_code == status, wrong


def test_search_finds_active_models_by_all_words(served: Catalog):
    page = served.get("/models/search", q="a acme", limit=2, offset=1)
    assert (ids(page), page["total"], page["limit"], page["offset"]) == (["acme/beta", "acme/delta"], 6, 2, 1)
    assert served.get("/models/search", q="hidden")["total"] == 0
    for asked in ({}, {"q": ""}, {"q": "a", "limit": 501}, {"q": "a", "provider": "groq"}):
        assert served.client.get("/models/search", params=asked).status_code == 422, asked


def test_the_models_of_a_provider(served: Catalog):
    assert ids(served.get("/models/provider/groq")) == ["alpha", "whisper"]
    assert ids(served.get("/models/provider/openrouter", limit=2, offset=4)) == ["acme/half", "acme/lost"]
    assert served.get("/models/provider/mine")["data"] == []
    unknown = served.client.get("/models/provider/nosuch")
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "The catalog has no provider nosuch; GET /providers lists them")
    assert served.client.get("/models/provider/No!").status_code == 422


def test_stats_add_up(served: Catalog):
    found = served.get("/models/stats")
    revision = {name: found.pop(name) for name in ("revision", "as_of")}
    assert revision == {name: served.get("/models")[name] for name in revision}
    assert found == {
        "total": 11,
        "active": 9,
        "inactive": 2,
        "missing": 1,
        "retired": 1,
        "priced": 8,
        "free": 1,
        "unpriced": 3,
        "by_modality": {"text->text": 7, "audio->text": 1, "text+image->text": 1, "text->image": 1, "unknown": 1},
        "by_provider": {"groq": 3, "mine": 0, "near": 1, "openrouter": 7},
    }
    assert found["total"] == found["active"] + found["inactive"] == found["priced"] + found["unpriced"]
    groq = served.get("/models/stats", provider_id=served.get("/providers/slug/groq")["id"])
    numbers = {name: groq[name] for name in ("total", "active", "inactive", "missing", "retired", "priced", "free", "unpriced")}
    assert list(numbers.values()) == [3, 2, 1, 0, 0, 2, 0, 1]
    assert (groq["by_modality"], groq["by_provider"]) == ({"text->text": 2, "audio->text": 1}, {"groq": 3})
    assert served.get("/models/stats", provider_id=999)["total"] == 0


# Exports


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_by_path_and_by_accept_is_the_same(served: Catalog):
    by_path = served.client.get("/models.csv")
    by_accept = served.client.get("/models", headers={"Accept": "text/csv"})
    page = served.get("/models")
    for answer in (by_path, by_accept):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert (answer.headers["x-catalog-revision"], answer.headers["x-catalog-as-of"]) == (str(page["revision"]), page["as_of"])
        assert answer.headers["content-disposition"] == 'inline; filename="models.csv"'
    assert by_path.content == by_accept.content
    assert "accept" in by_accept.headers["vary"].lower()


def test_csv_has_the_rows_of_the_page(served: Catalog):
    text = served.client.get("/models.csv").content.decode()
    rows, page = table(text), served.get("/models")["data"]
    assert text.endswith("\r\n")
    shown = {None: "", True: "true", False: "false"}
    for row, model in zip(rows, page, strict=True):
        for name, cell in row.items():
            value = bool(model["pricing"].get("dynamic")) if name == "dynamic_price" else model[name]
            expected = shown[value] if value is None or isinstance(value, bool) else str(value)
            assert cell == ("'=1+1" if expected == "=1+1" else expected), (name, cell)
    assert next(row for row in rows if row["provider_model_id"] == "draw")["model_name"] == ODD_NAME
    assert next(row for row in rows if row["provider_model_id"] == "acme/beta")["pricing_request"] == "0.0000001"


def test_ndjson_has_the_rows_of_the_page(served: Catalog):
    page = served.get("/models", sort="price", order="desc", is_active="all")
    asked = {"sort": "price", "order": "desc", "is_active": "all"}
    for answer in (
        served.client.get("/models.ndjson", params=asked),
        served.client.get("/models", params=asked, headers={"Accept": "application/x-ndjson"}),
    ):
        assert (answer.headers["content-type"], answer.headers["x-catalog-revision"]) == ("application/x-ndjson", str(page["revision"]))
        assert answer.content.count(b"\n") == 11
        assert [json.loads(line) for line in answer.content.splitlines()] == page["data"]


def test_an_export_is_a_page_when_one_is_asked_for(served: Catalog):
    page = served.get("/models", sort="name", limit=3)
    for more in ({"limit": 3}, {"limit": 4, "offset": 2}, {"limit": 2, "cursor": page["next_cursor"]}):
        expected = served.get("/models", sort="name", **more)["data"]
        assert len(expected) == more["limit"]
        lines = served.client.get("/models.ndjson", params={"sort": "name", **more}).content.splitlines()
        assert [json.loads(line) for line in lines] == expected
        rows = table(served.client.get("/models.csv", params={"sort": "name", **more}).text)
        assert [row["provider_model_id"] for row in rows] == [row["provider_model_id"] for row in expected]


def test_an_export_of_nothing_has_only_its_header(served: Catalog):
    assert table(served.client.get("/models.csv", params={"q": "nothing-like-it"}).text) == []
    assert served.client.get("/models.csv", params={"q": "nothing-like-it"}).text.count("\r\n") == 1
    assert served.client.get("/models.ndjson", params={"q": "nothing-like-it"}).content == b""


@pytest.mark.parametrize("packing", ["gzip", "identity"])
def test_head_says_what_get_says_without_its_body(served: Catalog, packing: str):
    pages = ("/models", "/models.csv", "/models/stats", "/v1/models", "/changes", "/health/live", "/docs")
    for path in (*pages, "/nosuch", "/models?limit=x"):
        head, page = (served.client.request(method, path, headers={"Accept-Encoding": packing}) for method in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (page.status_code, b""), path
        own = {"x-request-id", "date", "transfer-encoding"}
        told = [{name: value for name, value in each.headers.items() if name not in own} for each in (head, page)]
        assert told[0] == told[1], path
    known = {"If-None-Match": served.client.get("/models").headers["ETag"]}
    assert served.client.head("/models", headers=known).status_code == 304


def test_browsers_and_scripts_get_json(served: Catalog):
    for accept in ("*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json, text/csv;q=0.1", "", "text/plain"):
        answer = served.client.get("/models", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json", accept


# Validators


def test_an_answer_that_is_known_is_not_sent_again(served: Catalog):
    first = served.client.get("/models")
    etag = first.headers["etag"]
    assert etag.startswith('W/"')
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert first.headers["x-catalog-revision"] == str(first.json()["revision"])
    for known in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = served.client.get("/models", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag), known
        assert again.headers["cache-control"] == first.headers["cache-control"]
    for other in ('W/"other"', "", etag[:-2] + '"', '"*"'):
        assert served.client.get("/models", headers={"If-None-Match": other}).status_code == 200, other


def test_an_export_that_is_known_is_not_made_again(served: Catalog):
    for path in ("/models.csv", "/models.ndjson?free=true"):
        first = served.client.get(path)
        again = served.client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert "Accept" in first.headers["vary"]


def test_a_mistyped_filter_is_refused_everywhere(served: Catalog):
    for path in ("/models/stats?provider=near", "/models/1/history?since=2026-01-01T00:00:00Z", "/models/search?q=a&colour=blue"):
        assert served.client.get(path).status_code == 422, path


def test_each_question_has_its_own_etag(served: Catalog):
    paths = ("/models", "/models?limit=1", "/models?limit=2", "/models/stats", "/models/search?q=a", "/providers", "/changes", "/v1/models")
    tags = [served.client.get(path).headers["etag"] for path in (*paths, "/changes/feed.atom", "/changes/feed.json")]
    assert len(set(tags)) == len(tags)


def test_gzip_is_the_same_content_and_known_by_the_same_etag(served: Catalog):
    plain = served.client.get("/models", headers={"Accept-Encoding": "identity"})
    with served.client.stream("GET", "/models", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert (answer.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert (int(answer.headers["content-length"]), answer.headers["etag"]) == (len(packed), plain.headers["etag"])
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content)
    for each in (answer, plain):  # or a shared cache gives packed bytes to whoever cannot read them
        assert {name.strip().lower() for name in each.headers["vary"].split(",")} == {"accept", "accept-encoding"}
    exported = served.client.get("/models.csv", headers={"Accept-Encoding": "gzip"})
    assert exported.headers["content-encoding"] == "gzip"
    assert exported.content == served.client.get("/models.csv", headers={"Accept-Encoding": "identity"}).content


def test_feeds_name_the_server_as_each_reader_addressed_it(served: Catalog):
    for host in ("one.example", "two.example"):
        feed = served.client.get("/changes/feed.json", headers={"Host": host}).json()
        assert feed["feed_url"] == f"http://{host}/changes/feed.json"


def _page(served: Served, etag: str | None = None) -> Any:
    time.sleep(0.2)  # another program's commit is seen after a moment
    return served.client.get("/models", headers={"If-None-Match": etag} if etag else {})


def test_an_etag_changes_with_the_catalog_and_only_then(database_url: str, tmp_path: Path):
    with opened(database_url) as store, serving(tmp_path, database_url) as served:
        empty = _page(served)
        assert (empty.json()["revision"], empty.json()["as_of"], empty.headers["x-catalog-as-of"]) == (0, None, "never")
        synced(store, "openrouter", [ALPHA])
        first = _page(served, empty.headers["etag"])
        assert (first.status_code, ids(first.json())) == (200, ["acme/alpha"])

        synced(store, "openrouter", [ALPHA])  # nothing new
        assert _page(served, first.headers["etag"]).status_code == 304
        same = _page(served)
        assert (same.headers["etag"], same.json()["data"]) == (first.headers["etag"], first.json()["data"])
        assert same.json()["as_of"] > first.json()["as_of"]

        synced(store, "openrouter", [ALPHA, GAMMA])
        more = _page(served, first.headers["etag"])
        assert (more.status_code, ids(more.json())) == (200, ["acme/alpha", "acme/gamma"])
        number = served.get("/providers/slug/openrouter")["id"]
        providers.change(store, number, {"name": "Renamed"}, Person("tests", "to see it"))
        assert _page(served, more.headers["etag"]).status_code == 200


def test_an_edit_after_a_restore_has_another_etag_than_the_one_before_it(database_url: str, tmp_path: Path):
    """Both count to the same revision: whoever knows the one must not be told that the other is not modified."""
    with opened(database_url) as store, serving(tmp_path, database_url) as served:
        synced(store, "openrouter", [ALPHA])
        number = served.get("/providers/slug/openrouter")["id"]
        with store.reading() as connection:
            saved = {kept: connection.execute(sa.select(kept)).mappings().all() for kept in (schema.providers, schema.provider_state)}
        providers.change(store, number, {"name": "Before"}, Person("tests", "to see it"))
        time.sleep(0.2)  # another program's commit is seen after a moment
        before = served.client.get("/providers")
        with store.writing() as connection:
            for table, rows in saved.items():
                key = table.primary_key.columns[0]
                for row in rows:
                    connection.execute(sa.update(table).where(key == row[key.name]).values(dict(row)))
        providers.change(store, number, {"name": "After"}, Person("tests", "to see it"))
        time.sleep(0.2)
        after = served.client.get("/providers", headers={"If-None-Match": before.headers["etag"]})
        assert after.headers["x-catalog-revision"] == before.headers["x-catalog-revision"]
        assert (after.status_code, after.json()["data"][0]["name"]) == (200, "After")


def test_a_sync_over_http_shows_at_once(database_url: str, tmp_path: Path, simulator: Simulator):
    with serving(tmp_path, database_url, simulator) as served:
        etag = served.client.get("/models").headers["etag"]
        assert served.admin.post("/admin/model-sync/provider/near").json()["success"]
        after = served.client.get("/models", headers={"If-None-Match": etag})
        assert (after.status_code, served.get("/models", is_active="all")["total"]) == (200, DAYS["near"][0])


# Long names, and a catalog that is closed


def test_a_cursor_works_whatever_the_length_of_ids_and_names(database_url: str, tmp_path: Path):
    models = [Model(id=letter + "é" * 255, model_name=letter + "🤖" * 499) for letter in "abc"]
    with opened(database_url) as store:
        synced(store, "openrouter", models)
    with serving(tmp_path, database_url) as served:
        for sort in ("provider", "name"):
            found, page = list[str](), served.get("/models", sort=sort, limit=1)
            found += ids(page)
            while page["next_cursor"]:
                page = served.get("/models", sort=sort, limit=1, cursor=page["next_cursor"])
                found += ids(page)
            assert found == [model.id for model in models]


READ_WITH_A_KEY = (
    *("/models", "/models.csv", "/models.ndjson", "/models/stats", "/models/search?q=a", "/models/provider/groq", "/models/1"),
    *("/models/1/history", "/providers", "/providers/stats", "/v1/models", "/v1/models/groq/alpha", "/changes", "/changes/feed.atom"),
    *("/changes/feed.json", "/metrics"),
)


def test_a_closed_catalog_needs_a_key_of_scope_read(database_url: str, tmp_path: Path):
    fill(database_url)
    with serving(tmp_path, database_url, MODELSYNC_CATALOG="closed") as served:
        key = _key(database_url)
        for path in READ_WITH_A_KEY:
            refused = served.client.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Bearer"), path
            assert served.client.get(path, headers={"Authorization": f"Bearer {key}x"}).status_code == 401
            allowed = served.client.get(path, headers={"Authorization": f"Bearer {key}"})
            assert allowed.status_code == 200, path
            assert "public" not in allowed.headers["cache-control"], path
            assert served.client.get(path).status_code == 401, path  # what is kept for others is not given away
        for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
            assert served.client.get(path).status_code == 200, path
        assert served.client.patch("/models/1", json={"context_length": 1}, headers={"Authorization": f"Bearer {key}"}).status_code == 403
        assert served.client.get("/models", headers={"Authorization": f"Bearer {ADMIN}"}).status_code == 200


def _key(database_url: str) -> str:

    with opened(database_url) as store:
        return Keys(store).create("reader", Scope.READ, Person("tests", "to read"))
