"""Syncs over HTTP, by a real server over a simulator."""

import csv
import io
from pathlib import Path

import pytest

from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from support.api import Served, got, serving
from support.sync import DAYS


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator):
    with serving(tmp_path, database_url, simulator) as found:
        yield found


def test_one_provider_is_synced_and_told_in_the_words_that_clients_know(served: Served):
    answer = served.admin.post("/admin/model-sync/provider/near")
    body = answer.json()
    assert (answer.status_code, body["success"]) == (200, True), body
    models, _, _ = DAYS["near"]
    counts = {name: body["details"][f"models_{name}"] for name in ("fetched", "transformed", "skipped", "synced", "created")}
    assert (
        body["message"]
        == f"Synced {models} models from near. Fetched: {counts['fetched']}, Transformed: {models}, Skipped: {counts['skipped']}"
    )
    assert (counts["transformed"], counts["synced"], counts["created"]) == (models, models, models)
    assert served.get("/models/stats")["by_provider"]["near"] == models
    known = body["details"]
    assert served.get("/providers/slug/near")["id"] == known["provider_id"]
    assert served.admin.get(f"/admin/model-sync/runs/{known['run_id']}").json()["run"]["trigger"] == "rest"


@pytest.mark.parametrize("yes", ["true", "True"])  # the second is what Python's HTTP clients make of True
def test_a_dry_run_writes_nothing(served: Served, yes: str):
    body = served.admin.post("/admin/model-sync/provider/near", params={"dry_run": yes}).json()
    created = body["details"]["models_created"]
    assert created > 0
    assert body["message"].startswith(f"[DRY RUN] Synced {created} models from near. Fetched: ")
    assert (body["details"]["run_id"], body["details"]["models_synced"]) == (None, 0)
    assert served.get("/models")["total"] == 0
    assert served.admin.get("/admin/model-sync/runs").json()["total"] == 0


def test_all_providers_at_once(served: Served):
    body = served.admin.post("/admin/model-sync/all").json()
    slugs = sorted(registry.load())
    assert body["message"].startswith(f"Processed {len(slugs)} providers. Success: {len(slugs)}, Errors: 0. Total synced: ")
    assert [each["provider"] for each in body["details"]["results"]] == slugs
    status = served.admin.get("/admin/model-sync/status").json()
    assert (status["providers"]["in_database"], status["providers"]["fetchable_not_in_db"]) == (len(slugs), 0)
    assert status["models"]["stats"]["total"] == body["details"]["total_models_synced"] == sum(size[0] for size in DAYS.values())
    assert {each["state"] for each in status["freshness"]} == {"fresh"}


def test_a_price_that_varies_is_neither_free_nor_unknown(served: Served):
    got(served.admin.post("/admin/model-sync/provider/openrouter"))
    prices = {each["id"]: each["pricing"] for each in served.get("/v1/models")["data"]}
    assert prices["openrouter/openrouter/auto"] == {"prompt": None, "completion": None, "dynamic": True, "incomplete": False}
    assert prices["openrouter/lyra/chorus-1"] == {"prompt": None, "completion": None, "dynamic": False, "incomplete": False}
    rows = {row["provider_model_id"]: row for row in csv.DictReader(io.StringIO(served.client.get("/models.csv").text, newline=""))}
    assert (rows["openrouter/auto"]["pricing_prompt"], rows["openrouter/auto"]["dynamic_price"]) == ("", "true")
    assert (rows["lyra/chorus-1"]["pricing_prompt"], rows["lyra/chorus-1"]["dynamic_price"]) == ("", "false")


def test_unknown_providers_are_named_with_the_known_ones(served: Served):
    one = served.admin.post("/admin/model-sync/provider/nosuch")
    assert (one.status_code, "openrouter" in one.json()["detail"]) == (404, True)
    many = served.admin.post("/admin/model-sync/all", params={"providers": ["near", "opnrouter"]})
    assert (many.status_code, many.json()["detail"]) == (400, "Unknown provider: opnrouter. Did you mean openrouter?")


def test_an_answer_that_cannot_be_used_is_a_502_and_a_missing_key_is_not(database_url: str, tmp_path: Path, simulator: Simulator):
    with serving(tmp_path, database_url, simulator, GROQ_API_KEY="", MODELSYNC_ATTEMPTS="1") as served:
        simulator.add_fault("near", "status", status=500)
        broken = served.admin.post("/admin/model-sync/provider/near")
        assert (broken.status_code, broken.json()["success"], broken.json()["details"]["status"]) == (502, False, "failed")
        assert broken.json()["details"]["provider_id"] is None
        simulator.clear_faults("near")
        known = served.admin.post("/admin/model-sync/provider/near").json()["details"]["provider_id"]
        simulator.add_fault("near", "status", status=500)
        assert served.admin.post("/admin/model-sync/provider/near").json()["details"]["provider_id"] == known
        keyless = served.admin.post("/admin/model-sync/provider/groq")
        assert (keyless.status_code, keyless.json()["success"]) == (200, False)
        assert keyless.json()["details"]["errors"] == ["API key not configured (set GROQ_API_KEY)"]
        both = served.admin.post("/admin/model-sync/all", params={"providers": ["near", "groq"]})
        assert (both.status_code, both.json()["details"]["status"]) == (502, "failed")
        some = served.admin.post("/admin/model-sync/all", params={"providers": ["near", "chutes"]})
        assert (some.status_code, some.json()["success"], some.json()["details"]["status"]) == (200, True, "partial")


def test_a_provider_that_is_being_synced_answers_409_and_blocks_nobody(served: Served, simulator: Simulator):
    simulator.add_fault("near", "delay", seconds=5)
    begun = served.admin.post("/admin/model-sync/provider/near", headers={"Prefer": "respond-async"})
    assert (begun.status_code, begun.headers["preference-applied"]) == (202, "respond-async")
    run_id = begun.json()["details"]["run_id"]
    assert begun.headers["location"] == f"/admin/model-sync/runs/{run_id}"
    while True:
        second = served.admin.post("/admin/model-sync/provider/near")
        if second.status_code == 409:
            break
    assert f"run {run_id}" in second.json()["detail"]
    assert served.get("/models")["total"] == 0  # readers go on
    both = served.admin.post("/admin/model-sync/all", params={"providers": ["near", "chutes"]}).json()
    assert [each["provider"] for each in both["details"]["errors"]] == ["near"]
    assert f"already being synced by run {run_id}" in both["details"]["errors"][0]["error"]
