"""What operators write over HTTP: providers, models, pins. It is whole or nothing, written down, and no sync undoes it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelsync.simulator.server import Simulator
from support import postgres
from support.api import AS_ADMIN, Served, acts, got, refused, serving
from support.cli import environment, run
from support.sync import changes_of, everything, models_of, table

BEACON = "harbor/Beacon-2-FP8"
"""A model of near: USD 0.85 per million prompt tokens on day 0, 0.70 on day 1."""


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Served]:
    with serving(tmp_path, database_url, simulator) as found:
        yield found


@pytest.fixture(scope="module")
def one(running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over SQLite, for requests that are refused."""
    folder = tmp_path_factory.mktemp("one")
    running_simulator.reset()
    with serving(folder, f"sqlite:///{folder}/catalog.db", running_simulator) as found:
        sync(found)
        yield found


def sync(served: Served, slug: str = "near") -> dict[str, Any]:
    answer = served.admin.post(f"/admin/model-sync/provider/{slug}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def model_of(served: Served, row_id: str = BEACON) -> dict[str, Any]:
    (found,) = [row for row in served.get("/models", is_active="all", limit=500)["data"] if row["provider_model_id"] == row_id]
    return found


def provider_of(served: Served, slug: str = "near") -> dict[str, Any]:
    return served.get(f"/providers/slug/{slug}")


BODIES = ['{"dry_run": true, "providers": ["groq"]}', '{"reason": "my own"}', "{bad", "[]", "dry_run=true"]


def acts_without(served: Served, part: str) -> set[tuple[str, str]]:
    """Every act whose description in OpenAPI has no such part: its method, and an address of it."""
    return {
        (method, re.sub(r"{\w+}", "near", re.sub(r"{\w*id}", "1", path)))
        for path, methods in served.get("/openapi.json")["paths"].items()
        for method in methods.keys() - {"get"}
        if not [each for each in methods[method].get(part, ()) if part == "requestBody" or each["in"] == "query"]
    }


def test_what_is_said_to_an_act_that_does_not_listen_is_refused(served: Served, database_url: str):
    """Whoever says that it is only a dry run must not get a sync."""
    sync(served)
    before = everything(database_url)
    without_body, without_query = acts_without(served, "requestBody"), acts_without(served, "parameters")
    assert {("post", "/admin/model-sync/all"), ("post", "/models/1/deactivate"), ("delete", "/providers/1")} <= without_body
    assert {("post", "/models/1/activate"), ("post", "/admin/held/confirm")} <= without_query
    for method, address in sorted(without_body):
        for body in BODIES:
            for media in ("application/json", "text/plain"):
                answer = served.admin.request(method, address, content=body, headers={"Content-Type": media})
                refused(answer, 422, "body: none is taken here, and nothing was done")
    for method, address in sorted(without_query):
        answer = served.admin.request(method, address, params={"dry_run": "true"}, json=None)
        refused(answer, 422, "dry_run: there is no such parameter")
    assert everything(database_url) == before


@pytest.mark.parametrize("body", ["", "{}", " { } ", "null"])
def test_an_empty_object_says_nothing(served: Served, body: str):
    answer = served.admin.post("/admin/model-sync/provider/near", content=body, headers={"Content-Type": "application/json"})
    assert got(answer)["success"] is True


# Providers


def test_i28_a_provider_is_made_changed_switched_off_and_deleted(served: Served):
    new = {
        "slug": "own-gateway",
        "name": "Acme",
        "description": "Two\nlines",
        "base_url": "https://api.acme.example/v1",
        "reason": "we use it",
    }
    made = got(served.admin.post("/providers", json=new), 201)
    assert {name: made[name] for name in ("slug", "name", "description", "base_url")} == {name: new[name] for name in list(new)[:4]}
    assert (made["is_active"], made["health_status"], made["model_count"], made["metadata"]) == (True, "unknown", 0, {})
    refused(served.admin.post("/providers", json=new), 409, "There is a provider own-gateway already")
    here = f"/providers/{made['id']}"
    changed = got(served.admin.patch(here, json={"name": "Acme 2", "metadata": {"tier": 1}, "site_url": None}))
    assert (changed["name"], changed["metadata"], changed["description"]) == ("Acme 2", {"tier": 1}, "Two\nlines")
    assert got(served.admin.post(f"{here}/deactivate"))["is_active"] is False
    assert got(served.admin.post(f"{here}/activate"))["is_active"] is True
    assert got(served.admin.delete(here)) == {"deleted": True, "id": made["id"]}
    refused(served.admin.delete(here), 404, f"There is no provider {made['id']}")
    assert served.client.get("/providers/slug/own-gateway").status_code == 404
    status = got(served.admin.get("/admin/model-sync/status"))
    assert [each["provider"] for each in status["freshness"]] == []
    assert 'provider="own-gateway"' not in served.client.get("/metrics").text
    assert "modelsync_revision 5.0" in served.client.get("/metrics").text  # which never falls
    assert acts(served) == [
        ("create provider", "own-gateway", "we use it"),
        ("change provider", "own-gateway metadata name site_url", "over the API"),
        ("change provider", "own-gateway is_active", "over the API"),
        ("change provider", "own-gateway is_active", "over the API"),
        ("delete provider", "own-gateway", "over the API"),
    ]
    got(served.admin.post("/providers", json=new), 201)  # and again


def test_a_known_provider_gets_its_facts_where_nothing_is_said(served: Served):
    made = got(served.admin.post("/providers", json={"slug": "near", "name": "Our NEAR"}), 201)
    assert (made["name"], made["api_key_env_var"]) == ("Our NEAR", "NEARAI_API_KEY")
    assert made["base_url"].startswith("https://")
    assert sync(served)["details"]["provider_id"] == made["id"]
    assert provider_of(served)["name"] == "Our NEAR"


def test_i07_a_provider_with_models_is_not_deleted(served: Served, database_url: str):
    sync(served)
    before = everything(database_url)
    refused(served.admin.delete(f"/providers/{provider_of(served)['id']}"), 409, "near has models")
    assert everything(database_url) == before


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "There is nothing to update"),
        ({"reason": "r"}, 400, "There is nothing to update"),
        ({"name": None}, 400, "There is nothing to update"),
        ({"is_active": None, "metadata": None}, 400, "There is nothing to update"),
        ({"name": ""}, 422, "name"),
        ({"name": "x" * 201}, 422, "name"),
        ({"name": "a\nb"}, 422, "name"),
        ({"slug": "other"}, 422, "slug: there is no such parameter"),
        ({"health_status": "healthy"}, 422, "health_status: there is no such parameter"),
        ({"id": 5}, 422, "id"),
        ({"is_active": "maybe"}, 422, "is_active"),
        ({"base_url": "javascript:alert(1)"}, 422, "base_url"),
        ({"site_url": "file:///etc/passwd"}, 422, "site_url"),
        ({"logo_url": "https://"}, 422, "logo_url"),
        ({"site_url": "https://u:S3CRETpassw0rd@a.example/"}, 422, "site_url"),
        ({"api_key_env_var": "lower case"}, 422, "api_key_env_var"),
        ({"metadata": []}, 422, "metadata"),
        ({"metadata": {"a": "\0"}}, 400, "metadata"),
        ({"reason": " ", "name": "x"}, 422, "reason"),
    ],
)
def test_what_no_provider_can_be_is_refused(one: Served, body: Any, status: int, words: str):
    before = provider_of(one)
    answer = one.admin.patch(f"/providers/{before['id']}", json=body)
    refused(answer, status, words)
    assert "S3CRET" not in answer.text
    assert provider_of(one) == before
    refused(one.admin.patch("/providers/999", json={"name": "x"}), 404, "There is no provider 999")


@pytest.mark.parametrize("slug", ["Acme", "a b", "-a", "", "a" * 64, "a/b", "é", "a\n", None, 5])
def test_what_no_slug_can_be_is_refused(one: Served, slug: Any):
    refused(one.admin.post("/providers", json={"slug": slug, "name": "A"}), 422, "slug")


def test_i27_a_health_that_an_operator_decided_survives_syncs(served: Served, simulator: Simulator):
    sync(served)
    here = f"/providers/{provider_of(served)['id']}/health"
    decided = got(served.admin.patch(here, json={"health_status": "down", "reason": "they told us"}))
    assert (decided["health_status"], decided["health_pinned"]) == ("down", True)
    sync(served)
    assert provider_of(served)["health_status"] == "down"
    got(served.admin.patch(here, json={"health_status": "healthy"}))
    simulator.add_fault("near", "status", status=400)
    assert served.admin.post("/admin/model-sync/provider/near").status_code == 502
    assert provider_of(served)["health_status"] == "healthy"
    given_back = got(served.admin.patch(here, json={"health_status": None}))
    assert (given_back["health_status"], given_back["health_pinned"]) == ("degraded", False)  # one failure
    refused(served.admin.patch(here, json={"health_status": "poorly"}), 422, "health_status")
    refused(served.admin.patch(here, json={}), 422, "health_status")
    refused(served.admin.patch("/providers/999/health", json={"health_status": None}), 404, "999")
    assert [act[:2] for act in acts(served)] == [("pin health", "near down"), ("pin health", "near healthy"), ("unpin health", "near")]


def test_i08_a_provider_that_was_switched_off_is_not_asked_and_loses_nothing(served: Served, simulator: Simulator, database_url: str):
    sync(served)
    here = f"/providers/{provider_of(served)['id']}"
    got(served.admin.post(f"{here}/deactivate"))
    models, asked = models_of(database_url, "near"), len(simulator.requests("near"))
    simulator.set_day(1)
    body = got(served.admin.post("/admin/model-sync/provider/near"))
    assert (body["success"], body["details"]["status"], len(simulator.requests("near"))) == (False, "disabled", asked)
    assert models_of(database_url, "near") == models
    got(served.admin.post(f"{here}/activate"))
    assert sync(served)["details"]["models_created"] == 1


def test_every_write_is_a_new_revision_and_a_new_etag(served: Served):
    """Whoever polls with If-None-Match learns of each write, at once and once."""
    sync(served)
    provider, model = provider_of(served)["id"], model_of(served)["id"]
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", f"/providers/{provider}", {"name": "N"}),
        ("PATCH", f"/providers/{provider}/health", {"health_status": "down"}),
        ("POST", f"/providers/{provider}/deactivate", None),
        ("POST", "/providers", {"slug": "own-gateway", "name": "A"}),
        ("PATCH", f"/models/{model}", {"context_length": 8}),
        ("POST", f"/models/{model}/deactivate", None),
        ("POST", "/models", {"provider": "near", "provider_model_id": "mine"}),
        ("POST", "/models/bulk-upsert", {"models": [{"provider": "near", "provider_model_id": "mine", "context_length": 9}]}),
        ("DELETE", "/admin/pins?provider=near&model=mine&field=context_length&reason=r", None),
    ]
    for method, address, body in writes:
        for page in ("/models", "/providers"):
            known = served.client.get(page)
            kept = served.client.get(page, headers={"If-None-Match": known.headers["ETag"]})
            assert (kept.status_code, kept.content) == (304, b"")
        answer = served.admin.request(method, address, json=body)
        assert answer.status_code < 300, (address, answer.text)
        anew = served.client.get(page, headers={"If-None-Match": known.headers["ETag"]})
        assert anew.status_code == 200, address
        assert anew.json()["revision"] > known.json()["revision"], address
        assert anew.json()["as_of"] == known.json()["as_of"], address  # no provider was asked


# Models


def test_i27_a_model_of_ones_own_stays_through_syncs_and_vanishes_when_it_is_deleted(served: Served, database_url: str):
    sync(served)
    new = {
        "provider": "near",
        "provider_model_id": "our/own model",
        "model_name": "Ours",
        "pricing_prompt": "0.0000025",
        "reason": "ordered",
    }
    made = got(served.admin.post("/models", json=new), 201)
    assert (made["provider"], made["provider_model_id"], made["model_name"]) == ("near", "our/own model", "Ours")
    assert (made["pricing_prompt"], made["is_active"], made["status"]) == ("0.0000025", True, "active")
    refused(served.admin.post("/models", json=new), 409, "near already has a model our/own model")
    refused(served.admin.post("/models", json={**new, "provider_model_id": BEACON}), 409, "already has")
    for _ in range(4):
        sync(served)
    assert model_of(served, "our/own model")["is_active"] is True
    assert got(served.admin.delete(f"/models/{made['id']}")) == {"deleted": True, "id": made["id"]}
    refused(served.admin.delete(f"/models/{made['id']}"), 404, f"There is no model {made['id']}")
    for name in ("models", "model_changes", "upstream_values", "pins"):
        assert [row for row in table(database_url, name) if row.get("provider_model_id") == "our/own model"] == [], name
    assert [act[0] for act in acts(served)] == ["pin", "pin", "pin", "delete model"]  # is_active, model_name, pricing_prompt
    got(served.admin.post("/models", json=new), 201)


def test_a_model_needs_a_provider_that_is_there(one: Served):
    near = provider_of(one)["id"]
    for body, status, words in (
        ({}, 400, "Say which provider: provider or provider_id"),
        ({"provider": "near", "provider_id": near}, 400, "Say which provider"),
        ({"provider": "nosuch"}, 404, "nosuch"),
        ({"provider_id": 999}, 404, "There is no provider 999"),
        ({"provider": "No Such"}, 422, "provider"),
    ):
        refused(one.admin.post("/models", json={"provider_model_id": "x", **body}), status, words)
    made = got(one.admin.post("/models", json={"provider_model_id": "by number", "provider_id": near}), 201)
    assert got(one.admin.delete(f"/models/{made['id']}"))["deleted"] is True


@pytest.mark.parametrize(
    ("row_id", "status"),
    [("", 422), (" x", 400), ("x ", 400), ("é" * 257, 400), ("x" * 513, 422), ("a\0b", 422), ("a\nb", 422), (None, 422), (5, 422)],
)
def test_i25_what_cannot_be_an_id_is_refused(one: Served, row_id: Any, status: int):
    before = one.get("/models", is_active="all")
    refused(one.admin.post("/models", json={"provider": "near", "provider_model_id": row_id}), status)
    rows = {"models": [{"provider": "near", "provider_model_id": each} for each in ("fine", row_id)]}
    refused(one.admin.post("/models/bulk-upsert", json=rows), status)
    assert one.get("/models", is_active="all") == before


def test_i25_ids_are_kept_byte_by_byte(served: Served):
    sync(served)
    for row_id in ("a/b//c", "..", "%2e%2e", "é", "e\u0301", "x" * 512, "é" * 256, "A", "a", "🦉", "a'b\"c\\d", "{}", "=1+1"):
        assert got(served.admin.post("/models", json={"provider": "near", "provider_model_id": row_id}), 201)["provider_model_id"] == row_id
        assert served.admin.get("/admin/history", params={"provider": "near", "model": row_id}).json()["returned"] == 1


def test_i07_a_model_that_its_provider_listed_is_never_deleted(served: Served, simulator: Simulator):
    """Nor one of somebody's own that the provider listed later, nor after a rollback."""
    new = {"provider": "near", "provider_model_id": "harbor/Beacon-3-FP8", "model_name": "Ours"}  # near lists it from day 1 on
    first = sync(served)["details"]["run_id"]
    got(served.admin.post("/models", json=new), 201)
    simulator.set_day(1)
    sync(served)
    for row_id in (BEACON, "harbor/elder-1", "harbor/Beacon-3-FP8"):
        refused(served.admin.delete(f"/models/{model_of(served, row_id)['id']}"), 409, f"near listed {row_id}")
    got(served.admin.post("/admin/rollback", json={"provider": "near", "to": first, "reason": "broken"}))
    for row_id in (BEACON, "harbor/elder-1", "harbor/Beacon-3-FP8"):
        refused(served.admin.delete(f"/models/{model_of(served, row_id)['id']}"), 409, f"near listed {row_id}")


def test_i27_what_is_set_wins_over_the_next_sync(served: Served, simulator: Simulator, database_url: str):
    sync(served)
    here = f"/models/{model_of(served)['id']}"
    values = {"pricing_prompt": "0.0000005", "context_length": 64000, "metadata.owner": {"team": ["a", 1, None]}, "model_id": "our-beacon"}
    changed = got(served.admin.patch(here, json={**values, "reason": "our contract"}))
    simulator.set_day(1)
    sync(served)
    for row in (changed, served.get(here)):
        assert (row["pricing_prompt"], row["context_length"], row["model_id"]) == ("0.0000005", 64000, "our-beacon")
        assert row["metadata"]["owner"] == {"team": ["a", 1, None]}
    assert served.get(here)["pricing_completion"] == "0.0000028"  # was not pinned, and day 1 says so
    assert [act[1] for act in acts(served)] == [f"near {BEACON} {field}" for field in values]
    assert {act[2] for act in acts(served)} == {"our contract"}
    (change,) = [row for row in changes_of(database_url, "near") if row["fields"].get("model_id")]
    assert change["fields"]["pricing_prompt"] == ["0.00000085", "0.0000005"]


def test_i27_a_model_that_was_switched_off_stays_off(served: Served, simulator: Simulator):
    sync(served)
    here = f"/models/{model_of(served)['id']}"
    assert got(served.admin.post(f"{here}/deactivate"))["is_active"] is False
    simulator.set_day(1)
    sync(served)
    assert served.get(here)["is_active"] is False
    assert BEACON not in [row["provider_model_id"] for row in served.get("/models", limit=500)["data"]]
    assert got(served.admin.post(f"{here}/activate"))["is_active"] is True
    for way in ("activate", "deactivate"):
        refused(served.admin.post(f"/models/999/{way}"), 404, "There is no model 999")


def test_i10_many_at_once_are_all_there_or_none_is(served: Served, database_url: str):
    sync(served)
    sync(served, "chutes")
    (chutes, *_) = models_of(database_url, "chutes")
    rows = [
        {"provider": "near", "provider_model_id": BEACON, "pricing_prompt": "0.0000004"},
        {"provider": "near", "provider_model_id": "new/one", "model_name": "One"},
        {"provider_id": provider_of(served, "chutes")["id"], "provider_model_id": chutes, "context_length": 77},
    ]
    before = everything(database_url)
    bad: list[tuple[Any, int, str]] = [
        ({"provider": "near", "provider_model_id": "x", "pricing_prompt": "5"}, 400, "pricing_prompt"),
        ({"provider": "near", "provider_model_id": "x", "nosuch": 1}, 400, "nosuch"),
        ({"provider": "near", "provider_model_id": "x", "reason": "mine"}, 400, "reason"),
        ({"provider": "groq", "provider_model_id": "x"}, 404, "groq"),
        ({"provider_id": 999, "provider_model_id": "x"}, 404, "999"),
        ({"provider_model_id": "x"}, 400, "Say which provider"),
        ({"provider": "near", "provider_model_id": ""}, 422, "provider_model_id"),
        (rows[1], 400, "named twice"),
        ("x", 422, "models.3"),
    ]
    for row, status, words in bad:
        refused(served.admin.post("/models/bulk-upsert", json={"models": [*rows, row]}), status, words)
        assert everything(database_url) == before
    refused(served.admin.post("/models/bulk-upsert", json={"models": []}), 422, "models")
    refused(served.admin.post("/models/bulk-upsert", json={"models": [rows[1]] * 501}), 422, "models")
    done = got(served.admin.post("/models/bulk-upsert", json={"models": rows, "reason": "in bulk"}))
    assert (done["created"], done["updated"]) == (1, 2)
    assert [served.get(f"/models/{number}")["provider_model_id"] for number in done["ids"]] == [BEACON, "new/one", chutes]
    assert model_of(served)["pricing_prompt"] == "0.0000004"
    assert {act[2] for act in acts(served)} == {"in bulk"}
    again = got(served.admin.post("/models/bulk-upsert", json={"models": rows}))
    assert (again["created"], again["updated"], again["ids"]) == (0, 3, done["ids"])


# Values


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('"0.00000125"', "0.00000125"),
        ("0.00000125", "0.00000125"),
        ("1.25e-6", "0.00000125"),
        ('"1.25E-6"', "0.00000125"),
        ("0.1e-4", "0.00001"),
        ('"0.000001234567890123"', "0.00000123456789012"),  # twelve digits, as of providers
        ("0", "0"),
        ('"0.000000"', "0"),
        ("0.01", "0.01"),
        ('"0.00000000001"', "0.00000000001"),
        ("null", None),
    ],
)
def test_i21_prices_are_exact_whether_they_come_as_texts_or_as_numbers(one: Served, written: str, shown: str | None):
    body = f'{{"pricing_prompt": {written}}}'
    answer = one.admin.patch(f"/models/{model_of(one)['id']}", content=body, headers={"Content-Type": "application/json"})
    assert got(answer)["pricing_prompt"] == shown
    assert model_of(one)["pricing_prompt"] == shown


@pytest.mark.parametrize(
    ("field", "written"),
    [
        *(
            ("pricing_prompt", text)
            for text in ('"2.5"', "1.25", "0.0100001", "1e-12", '"-0.000001"', "-1", '"1e999999"', "1e400", '"1e-400"')
        ),
        *(
            ("pricing_prompt", text)
            for text in ('"NaN"', "NaN", "Infinity", '"Infinity"', '"sNaN"', '"-0.1"', '"$1"', '"0,1"', '""', '" "')
        ),
        *(("pricing_prompt", text) for text in ("true", "[]", "{}", '"free"', '"0x10"', "9" * 5000, '"' + "9" * 5000 + '"')),
        *((f"pricing.{name}", "0.5") for name in ("cache_read", "cache_write", "reasoning", "audio_input", "image_output")),
        ("pricing_completion", "0.5"),
        ("pricing_image", "-1"),
        ("pricing_image", '"100001"'),
        ("pricing_request", '"1e30"'),
        ("pricing.web_search", "-0.5"),
        ("pricing.per_unit", '[{"per": "second", "usd": "-1"}]'),
        ("pricing.per_unit", '[{"per": "token", "usd": "1"}]'),
        ("pricing.per_unit", '"x"'),
        ("pricing.tiers", '[{"above": 1000, "prompt": "5"}]'),
        ("pricing.dynamic", '"yes"'),
    ],
)
def test_i21_i24_what_is_no_price_is_refused(one: Served, field: str, written: str):
    """The bounds are those of providers' prices: 0.00000001 to 10,000 USD per million tokens, nothing below zero."""
    before = model_of(one)
    content = {"Content-Type": "application/json"}
    refused(one.admin.patch(f"/models/{before['id']}", content=f'{{"{field}": {written}}}', headers=content), 400)
    pins = f'{{"provider": "near", "model": "{BEACON}", "reason": "r", "values": {{"{field}": {written}}}}}'
    refused(one.admin.post("/admin/pins", content=pins, headers=content), 400)
    new = f'{{"provider": "near", "provider_model_id": "new", "{field}": {written}}}'
    refused(one.admin.post("/models", content=new, headers=content), 400)
    assert model_of(one) == before


def test_prices_that_are_no_numbers_alone_are_taken(one: Served):
    tiers = [{"above": 200000, "prompt": "0.0000025", "completion": 0.00001}]
    units = [{"per": "second", "usd": "0.050", "what": "of video"}]
    row = got(one.admin.patch(f"/models/{model_of(one)['id']}", json={"pricing.tiers": tiers, "pricing.per_unit": units}))
    assert row["pricing"]["tiers"] == [{"above": 200000, "prompt": "0.0000025", "completion": "0.00001"}]
    assert row["pricing"]["per_unit"] == [{"per": "second", "usd": "0.05", "what": "of video"}]
    assert one.client.get("/changes/feed.json").status_code == one.client.get("/changes/feed.atom").status_code == 200


DEEP = json.loads("[" * 33 + "]" * 33)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("context_length", value) for value in (0, -5, 1.5, "5", True, 10**9 + 1, 10**24, [])),
        ("max_output_tokens", 2**63),
        ("model_name", "x" * 501),
        ("model_name", 5),
        ("model_name", "a\0b"),
        ("model_name", "\ud800"),
        ("description", "x" * 20_001),
        *(("model_id", value) for value in ("", " a", "a\nb", None, "x" * 513, "é" * 257)),
        ("input_modalities", "text"),
        ("input_modalities", ["te\0xt"]),
        ("input_modalities", [1]),
        ("is_active", None),
        ("is_active", 1),
        ("released_at", "yesterday"),
        ("metadata.x", "a\0b"),
        ("metadata.x", {"a\0b": 1}),
        ("metadata.x", ["\udfff"]),
        ("metadata.x", float("nan")),
        ("metadata.x", float("-inf")),
        ("metadata.x", DEEP),
        ("metadata.x", ["x" * 1000] * 101),
        ("metadata.", 1),
        ("metadata.a\0b", 1),
        ("metadata." + "x" * 200, 1),
        ("y" * 300_000, 1),
        *(
            (name, 1)
            for name in ("id", "content_hash", "status", "provider_model_id", "pricing", "pricing.raw", "pricing.others", "metadata")
        ),
    ],
)
def test_values_that_no_model_can_have_are_refused(served_on_both: Served, field: str, value: Any):
    before = model_of(served_on_both)
    body = json.dumps({field: value}).encode()
    headers = {"Content-Type": "application/json"}
    answer = served_on_both.admin.patch(f"/models/{before['id']}", content=body, headers=headers)
    refused(answer, 400)
    assert len(answer.content) < 1000
    assert model_of(served_on_both) == before


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served_on_both(request: pytest.FixtureRequest, running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory):
    """One server for many requests that are refused; what a database cannot hold differs."""
    folder = tmp_path_factory.mktemp("both")
    running_simulator.reset()
    url = f"sqlite:///{folder}/catalog.db"
    if request.param == "postgres":
        url = postgres.new_database(request.getfixturevalue("postgres_server"), "api_writing")
    with serving(folder, url, running_simulator) as found:
        sync(found)
        yield found
    if request.param == "postgres":
        postgres.drop_database(request.getfixturevalue("postgres_server"), "api_writing")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b'"x"', 422),
        (b"null", 422),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"metadata.x": ' + b"[" * 900 + b"]" * 900 + b"}", 400),
        (b"{}", 400),
        (b'{"reason": "only"}', 400),
        (b"a=1&context_length=5", 422),
    ],
)
def test_bodies_that_say_nothing_are_refused(served_on_both: Served, body: bytes, status: int):
    before = model_of(served_on_both)
    here = f"/models/{before['id']}"
    refused(served_on_both.admin.patch(here, content=body, headers={"Content-Type": "application/json"}), status)
    form = served_on_both.admin.patch(here, content=b"context_length=5", headers={"Content-Type": "application/x-www-form-urlencoded"})
    refused(form, 422)
    assert model_of(served_on_both) == before


def test_an_id_that_no_database_can_hold_is_refused_before_it_gets_there(served_on_both: Served):
    for path, status in {"/v1/models/near/%00": 422, "/v1/models/%00": 422, "/v1/models/near/a%0Ab": 404}.items():  # no path has a newline
        refused(served_on_both.client.get(path), status)


def test_the_command_line_refuses_the_same_ids_in_one_line(tmp_path: Path, simulator: Simulator):
    env = environment(tmp_path, simulator, DATABASE_URL=f"sqlite:///{tmp_path}/catalog.db")
    assert run(tmp_path, "sync", "--providers", "near", env=env).returncode == 0
    done = run(tmp_path, "add", "near", " x", "--reason", "r", env=env)
    assert (done.returncode, "Traceback" in done.stderr, "blanks around it" in done.stderr) == (64, False, True)


def test_what_was_sent_is_not_repeated(one: Served):
    """A 422 says where and why; a value may be a key that was put into the wrong field."""
    canary = "sk-CANARYinTheWrongField"
    here = f"/models/{model_of(one)['id']}"
    for method, address, body in (
        ("POST", "/providers", {"slug": canary, "name": "x"}),
        ("POST", "/providers", {"slug": "x", "name": "x", "api_key_env_var": canary}),
        ("POST", "/providers", {"slug": "x", "name": "x", "base_url": canary}),
        ("PATCH", here, {"context_length": canary}),
        ("PATCH", here, {"pricing_prompt": canary}),
        ("PATCH", here, {"released_at": canary}),
        ("POST", "/admin/rollback", {"provider": "near", "to": canary, "reason": "r"}),
        ("POST", "/admin/held/confirm", {"ids": [canary], "reason": "r"}),
        ("GET", f"/models?is_active={canary}", None),
        ("GET", f"/models?cursor={canary}", None),
        ("GET", f"/models?changed_since={canary}", None),
        ("GET", f"/models/{canary}", None),
        ("GET", f"/providers/slug/{canary}", None),
        ("GET", f"/admin/diff?before={canary}", None),
    ):
        answer = one.client.request(method, address, json=body, headers=AS_ADMIN)
        assert answer.status_code in (400, 404, 422), (address, answer.text)
        assert canary not in answer.text, (address, answer.text)
