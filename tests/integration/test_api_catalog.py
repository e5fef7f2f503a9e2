"""Reading the rest of the catalog over HTTP: providers, OpenAI's list, history, feeds, health, numbers; on both databases."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from openai import NotFoundError, OpenAI
from prometheus_client.parser import text_string_to_metric_families

from modelsync.model.actors import Person
from modelsync.operations import providers
from support import postgres
from support.api import Served, serving
from support.catalog import ALPHA, fill, synced
from support.store import opened
from support.sync import execute, models_of, sqlite_path, table

ATOM = "{http://www.w3.org/2005/Atom}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

# Newest first: the second list of openrouter, then near, groq and the first list of openrouter.
HISTORY = [
    ("updated", "acme/beta"),
    ("missing", "acme/lost"),
    ("added", "draw"),
    *(("added", name) for name in ("alpha", "hidden", "whisper")),
    *(("added", f"acme/{name}") for name in ("alpha", "beta", "delta", "gamma", "half", "lost", "old")),
]


@pytest.fixture(scope="module")
def database(shared_database_url: str) -> str:
    fill(shared_database_url)
    return shared_database_url


@pytest.fixture(scope="module")
def served(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("server"), database) as found:
        yield found


def slugs(page: Any) -> list[str]:
    return [row["slug"] for row in page["data"]]


# Providers


@pytest.mark.parametrize(
    ("path", "asked", "expected"),
    [
        ("/providers", {}, ["groq", "mine", "near", "openrouter"]),
        ("/providers", {"is_active": "true"}, ["groq", "near", "openrouter"]),
        ("/providers", {"is_active": "false"}, ["mine"]),
        ("/providers", {"health_status": "healthy"}, ["groq", "openrouter"]),
        ("/providers", {"health_status": "degraded"}, ["near"]),
        ("/providers", {"health_status": "unknown", "is_active": "true"}, []),
        ("/providers", {"q": "CELLAR"}, ["mine"]),
        ("/providers", {"q": "openrouter"}, ["openrouter"]),
        ("/providers", {"q": "%"}, []),
        ("/providers/search", {"q": "own cellar"}, ["mine"]),
        ("/providers/search", {"q": "nothing-like-it"}, []),
        ("/providers/health/healthy", {}, ["groq", "openrouter"]),
        ("/providers/health/degraded", {}, ["near"]),
        ("/providers/health/down", {}, []),
        ("/providers/health/unknown", {}, ["mine"]),
    ],
)
def test_providers_that_match(served: Served, path: str, asked: dict[str, str], expected: list[str]):
    page = served.get(path, **asked)
    assert (slugs(page), page["total"], page["returned"]) == (expected, len(expected), len(expected))


def test_providers_a_part_at_a_time(served: Served):
    page = served.get("/providers", limit=2, offset=1)
    assert (slugs(page), page["total"], page["returned"], page["limit"], page["offset"]) == (["mine", "near"], 4, 2, 2, 1)


def test_a_provider_by_slug_and_by_number_is_the_same(served: Served, database: str):
    (stored,) = (row for row in table(database, "providers") if row["slug"] == "openrouter")
    by_slug = served.get("/providers/slug/openrouter")
    assert by_slug == served.get(f"/providers/{stored['id']}")
    assert by_slug["id"] == stored["id"]
    assert (by_slug["name"], by_slug["is_active"], by_slug["health_status"], by_slug["health_pinned"]) == (
        "OpenRouter",
        True,
        "healthy",
        False,
    )
    assert by_slug["model_count"] == 7
    assert (by_slug["supports_vision"], by_slug["supports_streaming"], by_slug["supports_image_generation"]) == (True, True, None)
    assert by_slug["metadata"]["price_unit"] == stored["metadata"]["price_unit"]
    assert TIME.fullmatch(by_slug["created_at"])
    assert served.get("/providers/slug/near")["supports_image_generation"] is True
    mine = served.get("/providers/slug/mine")
    assert (mine["model_count"], mine["description"], mine["base_url"], mine["metadata"]) == (0, "models in the cellar", None, {})


def test_providers_that_are_not_there(served: Served):
    for path in ("/providers/999999", "/providers/slug/nosuch", "/providers/999999/models/stats"):
        answer = served.client.get(path)
        assert (answer.status_code, answer.json()["detail"].endswith("; GET /providers lists them")) == (404, True), path
    assert served.client.get("/providers/x").status_code == 404
    for path in ("/providers/0", "/providers/slug/No!", "/providers/health/ill", "/providers?health_status=ill"):
        assert served.client.get(path).status_code == 422, path
    for path in ("/providers?limit=0", "/providers?limit=501", "/providers?colour=blue", "/providers/search", "/providers/search?q="):
        assert served.client.get(path).status_code == 422, path


def test_provider_stats_add_up(served: Served):
    found = served.get("/providers/stats")
    assert {name: found[name] for name in ("total", "active", "inactive")} == {"total": 4, "active": 3, "inactive": 1}
    health = {name: found[name] for name in ("healthy", "degraded", "down", "unknown")}
    assert health == {"healthy": 2, "degraded": 1, "down": 0, "unknown": 1}


def test_what_models_a_provider_has(served: Served):
    number = served.get("/providers/slug/openrouter")["id"]
    found = served.get(f"/providers/{number}/models/stats")
    assert found == served.get("/models/stats", provider_id=number)
    names = ("total", "active", "inactive", "missing", "retired", "priced", "free", "unpriced")
    assert [found[name] for name in names] == [7, 6, 1, 1, 1, 6, 1, 1]
    assert found["by_modality"] == {"text->text": 5, "text+image->text": 1, "unknown": 1}


# OpenAI's list


def test_openais_list(served: Served, database: str):
    found = served.get("/v1/models")
    assert (found["object"], len(found["data"])) == ("list", 9)
    assert [each["id"] for each in found["data"]][:4] == ["groq/alpha", "groq/whisper", "near/draw", "openrouter/acme/alpha"]
    alpha = found["data"][3]
    assert alpha == {
        "id": "openrouter/acme/alpha",
        "object": "model",
        "created": 1767323045,  # 2026-01-02T03:04:05Z, when it was released
        "owned_by": "openrouter",
        "name": "Alpha",
        "context_length": 8192,
        "max_output_tokens": None,
        "pricing": {"prompt": "0.000001", "completion": "0.000002", "dynamic": False, "incomplete": False},
    }
    first_seen = models_of(database, "openrouter")["acme/beta"]["first_seen_at"]
    assert found["data"][4]["created"] == int(first_seen.timestamp())


def test_one_of_openais_list_by_an_id_with_slashes(served: Served):
    listed = {each["id"]: each for each in served.get("/v1/models")["data"]}
    for name, each in listed.items():
        assert served.get(f"/v1/models/{name}") == each
    assert served.get("/v1/models/openrouter%2Facme%2Falpha") == listed["openrouter/acme/alpha"]
    for gone in (
        "openrouter/acme/old",
        "groq/hidden",
        "groq",
        "groq/",
        "openrouter/acme",
        "nosuch/alpha",
        "alpha",
        "openrouter/acme/alpha/",
    ):
        answer = served.client.get(f"/v1/models/{gone}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such model; GET /v1/models lists them"}), gone
    for impossible in ("groq/a%00b", "groq/" + "x" * 600):
        assert served.client.get(f"/v1/models/{impossible}").status_code == 422, impossible


def test_openais_own_client_speaks_it(served: Served):
    with OpenAI(base_url=f"{served.base}/v1", api_key="none", max_retries=0) as client:
        listed = client.models.list().data
        assert [each.id for each in listed] == [each["id"] for each in served.get("/v1/models")["data"]]
        beta = client.models.retrieve("openrouter/acme/beta")
        assert (beta.id, beta.object, beta.owned_by) == ("openrouter/acme/beta", "model", "openrouter")
        with pytest.raises(NotFoundError):
            client.models.retrieve("openrouter/acme/old")


# History


def told(page: Any) -> list[tuple[str, str]]:
    return [(row["kind"], row["provider_model_id"]) for row in page["data"]]


def test_all_changes_newest_first(served: Served, database: str):
    page = served.get("/changes")
    assert sorted(told(page)) == sorted(HISTORY)
    numbers = [row["id"] for row in page["data"]]
    assert numbers == sorted(numbers, reverse=True)
    assert (page["returned"], page["limit"], page["next_before"]) == (13, 100, None)
    (beta,) = (row for row in page["data"] if row["kind"] == "updated")
    stored = next(row for row in table(database, "model_changes") if row["id"] == beta["id"])
    assert beta["fields"] == {"pricing_prompt": {"old": "0.00000004", "new": "0.00000005"}}
    assert (beta["provider"], beta["run_id"]) == ("openrouter", stored["run_id"])
    assert all(TIME.fullmatch(row["changed_at"]) for row in page["data"])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"kind": "missing"}, [("missing", "acme/lost")]),
        ({"kind": "revived"}, []),
        ({"provider": "groq"}, [("added", "whisper"), ("added", "hidden"), ("added", "alpha")]),
        ({"provider": ["near", "groq"], "model": "draw"}, [("added", "draw")]),
        ({"model": "acme/beta"}, [("updated", "acme/beta"), ("added", "acme/beta")]),
        ({"field": "pricing_prompt"}, [("updated", "acme/beta")]),
        ({"field": "context_length"}, []),
        ({"kind": "added", "provider": "openrouter", "model": "acme/lost"}, [("added", "acme/lost")]),
        ({"since": "2999-01-01"}, []),
    ],
)
def test_changes_that_match(served: Served, asked: dict[str, Any], expected: list[tuple[str, str]]):
    assert told(served.get("/changes", **asked)) == expected


def test_changes_since_a_time(served: Served):
    newest = served.get("/changes", limit=1)["data"][0]["changed_at"]
    assert sorted(told(served.get("/changes", since=newest))) == [("missing", "acme/lost"), ("updated", "acme/beta")]


@pytest.mark.parametrize("limit", [1, 5, 13])
def test_next_before_leads_through_all_changes(served: Served, limit: int):
    everything = served.get("/changes")["data"]
    page = served.get("/changes", limit=limit)
    found = page["data"]
    while page["next_before"]:
        page = served.get("/changes", limit=limit, before=page["next_before"])
        found += page["data"]
    assert found == everything


def test_changes_that_cannot_be_asked_for(served: Served):
    wrong: list[dict[str, Any]] = [{"limit": 0}, {"limit": 501}, {"kind": "gone"}, {"colour": "blue"}, {"since": "then"}, {"before": 0}]
    for asked in (*wrong, {"model": ""}, {"field": ["pricing_prompt", "context_length"]}):
        for path in ("/changes", "/changes/feed.atom", "/changes/feed.json"):
            assert served.client.get(path, params=asked).status_code == 422, (path, asked)


def test_the_history_of_a_model(served: Served, database: str):
    number = models_of(database, "openrouter")["acme/beta"]["id"]
    history = served.get(f"/models/{number}/history")
    assert told(history) == [("updated", "acme/beta"), ("added", "acme/beta")]
    first = served.get(f"/models/{number}/history", limit=1)
    assert (told(first), first["next_before"]) == ([("updated", "acme/beta")], first["data"][0]["id"])
    rest = served.get(f"/models/{number}/history", before=first["next_before"])
    assert (told(rest), rest["next_before"]) == ([("added", "acme/beta")], None)
    of_groq = models_of(database, "groq")["alpha"]["id"]
    assert [row["provider"] for row in served.get(f"/models/{of_groq}/history")["data"]] == ["groq"]
    answer = served.client.get("/models/999999/history")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no model 999999; GET /models lists them")


# Feeds


def test_both_feeds_tell_the_same_changes(served: Served):
    changes = served.get("/changes")["data"]
    answer = served.client.get("/changes/feed.atom")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/atom+xml")
    feed = Xml.fromstring(answer.content)
    assert feed.findtext(f"{ATOM}id") == f"{served.base}/changes/feed.atom"
    assert feed.findtext(f"{ATOM}updated") == changes[0]["changed_at"][:19] + "Z"
    entries = feed.findall(f"{ATOM}entry")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert ids == [f"{served.base}/changes#{row['id']}" for row in changes]
    assert [entry.findtext(f"{ATOM}updated") for entry in entries] == [row["changed_at"][:19] + "Z" for row in changes]

    as_json = served.client.get("/changes/feed.json")
    assert as_json.headers["content-type"] == "application/feed+json"
    body = as_json.json()
    assert (body["version"], body["feed_url"]) == ("https://jsonfeed.org/version/1.1", f"{served.base}/changes/feed.json")
    assert [item["id"] for item in body["items"]] == ids
    assert [item["title"] for item in body["items"]] == [entry.findtext(f"{ATOM}title") for entry in entries]
    for item in body["items"]:
        assert {"id", "url", "content_text", "date_published"} <= item.keys()
    linked = served.client.get(body["items"][0]["url"]).json()
    assert changes[0] in linked["data"]


def test_a_feed_of_some_changes(served: Served):
    asked = {"provider": "openrouter", "kind": "updated"}
    feed = Xml.fromstring(served.client.get("/changes/feed.atom", params=asked).content)
    titles = [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")]
    assert titles == ["openrouter acme/beta changed: prompt 0.04 → 0.05 $/1M (+25%)"]
    assert len(served.client.get("/changes/feed.json", params={"limit": 2}).json()["items"]) == 2


def test_feeds_are_known_by_their_etags(served: Served):
    for path in ("/changes/feed.atom", "/changes/feed.json"):
        etag = served.client.get(path).headers["etag"]
        assert served.client.get(path, headers={"If-None-Match": etag}).status_code == 304


# Health and numbers


def test_a_server_that_lives_and_can_read(served: Served):
    assert served.get("/health/live") == {"status": "alive"}
    ready = served.get("/health/ready")
    # openrouter and groq synced just now; the last try of near failed; mine never synced
    assert ready["freshness"] == {"fresh": 2, "stale": 0, "failing": 1, "never": 1}
    assert (ready["status"], ready["database"], bool(re.fullmatch(r"\d{4}", ready["schema"]))) == ("ready", "ok", True)


def test_a_catalog_that_cannot_be_read_is_not_ready(database_url: str, tmp_path: Path):
    with opened(database_url) as store:
        synced(store, "openrouter", [ALPHA])
    with serving(tmp_path, database_url) as served:
        assert served.client.get("/health/ready").status_code == 200
        if database_url.startswith("sqlite"):
            execute(database_url, "ALTER TABLE providers RENAME TO elsewhere")
        else:
            server, _, name = database_url.rpartition("/")
            postgres.drop_database(server, name)
        time.sleep(1.1)  # it is looked up once a second
        unready = served.client.get("/health/ready")
        assert (unready.status_code, unready.json()) == (
            503,
            {"status": "not ready", "database": "does not answer", "schema": None, "freshness": {}},
        )
        assert served.client.get("/health/live").status_code == 200
        assert served.client.get("/metrics").status_code == 503  # so that Prometheus sees it as down
        answer = served.client.get("/models")
        assert (answer.status_code, answer.json()) == (503, {"detail": "The catalog's database does not answer now; try again"})
        assert answer.headers["retry-after"] == "2"
        name = str(sqlite_path(database_url)) if database_url.startswith("sqlite") else database_url.rpartition("/")[2]
        assert name not in answer.text + unready.text


def numbers(served: Served) -> dict[str, dict[tuple[str, ...], float]]:
    """What is shown to Prometheus: values by labels, these by their names, by name."""
    answer = served.client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation, family.name
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_numbers_of_the_catalog(served: Served):
    found = numbers(served)
    assert found["modelsync_models"] == {
        ("groq", "active"): 3,
        ("near", "active"): 1,
        ("openrouter", "active"): 5,
        ("openrouter", "missing"): 1,
        ("openrouter", "retired"): 1,
    }
    assert found["modelsync_models_active"] == {("groq",): 2, ("near",): 1, ("openrouter",): 6}
    assert found["modelsync_holds"] == {("empty", "groq"): 1}
    ((held, age),) = found["modelsync_oldest_hold_age_seconds"].items()
    assert (held, 0 <= age < 600) == (("empty", "groq"), True)
    assert found["modelsync_results"] == {
        ("held", "groq"): 1,
        ("synced", "groq"): 1,
        ("failed", "near"): 1,
        ("synced", "near"): 1,
        ("synced", "openrouter"): 2,
    }
    assert found["modelsync_sync_duration_seconds"] == {("groq",): 1.5, ("near",): 2.5, ("openrouter",): 1.5}
    assert found["modelsync_failures_in_a_row"] == {("groq",): 0, ("mine",): 0, ("near",): 1, ("openrouter",): 0}
    assert found["modelsync_revision"] == {(): served.get("/models")["revision"]}
    ages = found["modelsync_last_success_age_seconds"]
    assert sorted(ages) == [("groq",), ("near",), ("openrouter",)]
    assert 0 <= ages["openrouter",] <= ages["near",] <= ages["groq",] < 600


def test_a_run_that_says_nothing_any_more_counts_as_interrupted(database_url: str, tmp_path: Path):
    with opened(database_url) as store:
        synced(store, "openrouter", [ALPHA])
        store.begin_run("test")
        dead = store.begin_run("test")
    execute(database_url, f"UPDATE sync_runs SET heartbeat_at = NULL, started_at = '2026-01-01T00:00:00.000000Z' WHERE id = {dead}")
    with serving(tmp_path, database_url) as served:
        assert numbers(served)["modelsync_runs"] == {("succeeded",): 1, ("running",): 1, ("interrupted",): 1}


def test_numbers_of_the_requests(database_url: str, tmp_path: Path):
    with serving(tmp_path, database_url) as served:
        for path in ("/providers", "/providers", "/models/7", "/models/8", "/models?limit=0", "/wp-login.php", "/another"):
            served.client.get(path)
        assert served.client.post("/providers", json={}).status_code == 401
        found = numbers(served)
    requests = found["modelsync_http_requests_total"]
    assert requests["GET", "/providers", "200"] == 2
    assert requests["GET", "/models/{model_id}", "404"] == 2
    assert requests["GET", "/models", "422"] == 1
    assert requests["any", "none", "404"] == 2  # no series for every path that somebody tries
    assert found["modelsync_http_request_duration_seconds_count"]["/providers",] == 2
    assert found["modelsync_http_refused_total"] == {("401",): 1}


def test_an_empty_catalog(database_url: str, tmp_path: Path):
    with serving(tmp_path, database_url) as served:
        for path in ("/models", "/providers", "/changes"):
            page = served.get(path)
            assert (page["data"], page["returned"], page["revision"], page["as_of"]) == ([], 0, 0, None), path
        assert served.get("/v1/models") == {"object": "list", "data": []}
        stats = served.get("/models/stats")
        assert (stats["total"], stats["by_modality"], stats["by_provider"]) == (0, {}, {})
        assert Xml.fromstring(served.client.get("/changes/feed.atom").content).findall(f"{ATOM}entry") == []
        assert served.get("/health/ready")["freshness"] == {"fresh": 0, "stale": 0, "failing": 0, "never": 0}
        assert "modelsync_models" not in numbers(served)


def test_a_pinned_health_shows_at_once(database_url: str, tmp_path: Path):
    with opened(database_url) as store, serving(tmp_path, database_url) as served:
        synced(store, "near", [ALPHA])
        time.sleep(0.2)
        near = served.get("/providers/slug/near")
        assert (near["health_status"], near["health_pinned"]) == ("healthy", False)
        providers.set_health(store, near["id"], "down", Person("tests", "to see it"))
        time.sleep(0.2)
        assert slugs(served.get("/providers/health/down")) == ["near"]
        assert served.get("/providers/slug/near")["health_pinned"] is True
