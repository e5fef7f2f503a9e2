"""`/admin` over HTTP: holds, pins, going back, how values came to be, the past, and who did what."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.simulator.server import Simulator
from support.api import Served, acts, got, refused, serving
from support.sync import everything, execute, models_of, query, table

BEACON = "harbor/Beacon-2-FP8"
"""A model of near: USD 0.85 per million prompt tokens on day 0, 0.70 on day 1."""


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Served]:
    with serving(tmp_path, database_url, simulator) as found:
        yield found


def sync(served: Served, slug: str = "near") -> dict[str, Any]:
    return got(served.admin.post(f"/admin/model-sync/provider/{slug}"))["details"]


def price(served: Served, row_id: str = BEACON) -> str | None:
    (found,) = [row for row in served.get("/models", is_active="all", limit=500)["data"] if row["provider_model_id"] == row_id]
    return found["pricing_prompt"]


# Holds


def priced(simulator: Simulator, factor: int, *row_ids: str) -> None:
    """near's prompt prices of some models times a factor, from now on."""
    rows = copy.deepcopy(simulator.lists("near")["models"])
    for row in rows:
        if row["modelId"] in row_ids:
            row["inputCostPerToken"] = {**row["inputCostPerToken"], "amount": row["inputCostPerToken"]["amount"] * factor}
    simulator.set_list("near", "models", rows)


def held(served: Served, **query_of: str) -> list[dict[str, Any]]:
    body = got(served.admin.get("/admin/held", params=query_of))
    assert body["total"] == len(body["data"])
    return body["data"]


def test_i22_i28_a_held_price_is_live_once_it_is_confirmed(served: Served, simulator: Simulator):
    sync(served)
    priced(simulator, 1000, BEACON)
    assert sync(served)["models_held"] == 1
    (hold,) = held(served)
    assert (hold["provider"], hold["kind"], hold["ids"], hold["status"]) == ("near", "price", [BEACON], "open")
    assert hold["detail"] == {"pricing_prompt": ["0.00000085", "0.00085"]}
    assert held(served, provider="near") == held(served, kind="price") == [hold]
    assert held(served, provider="groq") == held(served, kind="shrink") == []
    assert price(served) == "0.00000085"
    done = got(served.admin.post(f"/admin/held/{hold['id']}/confirm", json={"reason": "they told us"}))
    assert (done["decision"], [row["id"] for row in done["data"]]) == ("confirm", [hold["id"]])
    assert (price(served), held(served)) == ("0.00085", [])
    refused(served.admin.post(f"/admin/held/{hold['id']}/reject", json={"reason": "late"}), 409, f"no open hold {hold['id']}")
    sync(served)
    assert price(served) == "0.00085"
    assert acts(served) == [("confirm hold", f"near price {hold['id']}", "they told us")]


def test_i22_a_rejected_price_stays_out(served: Served, simulator: Simulator):
    sync(served)
    priced(simulator, 1000, BEACON)
    sync(served)
    (hold,) = held(served)
    done = got(served.admin.post(f"/admin/held/{hold['id']}/reject", json={"reason": "a mistake"}))
    assert done["decision"] == "reject"
    sync(served)
    assert (price(served), held(served)) == ("0.00000085", [])


@pytest.mark.parametrize("chosen", [{"provider": ["near", "groq"], "kind": "price"}, "ids"])
def test_several_holds_are_decided_at_once(served: Served, simulator: Simulator, chosen: Any):
    sync(served)
    priced(simulator, 100, BEACON)
    priced(simulator, 5000, "signal/flagship-6")
    sync(served)
    numbers = [row["id"] for row in held(served)]
    assert len(numbers) == 2
    body = {"ids": [*numbers, numbers[0]]} if chosen == "ids" else chosen
    done = got(served.admin.post("/admin/held/confirm", json={**body, "reason": "both"}))
    assert [row["id"] for row in done["data"]] == numbers
    assert (price(served), price(served, "signal/flagship-6")) == ("0.000085", "0.0125")
    assert len(acts(served)) == 2  # a number named twice is decided once


def test_which_holds_must_be_said_and_all_of_them_be_open(served: Served, simulator: Simulator, database_url: str):
    sync(served)
    priced(simulator, 1000, BEACON)
    sync(served)
    (hold,) = held(served)
    before = everything(database_url)
    for way in ("confirm", "reject"):
        refused(served.admin.post(f"/admin/held/{way}", json={"reason": "r"}), 400, "Say which holds")
        refused(served.admin.post(f"/admin/held/{way}", json={"reason": "r", "ids": [1], "kind": "price"}), 400, "Say which holds")
        refused(served.admin.post(f"/admin/held/{way}", json={"reason": "r", "ids": [hold["id"], 999]}), 404, "no hold 999")
        refused(served.admin.post(f"/admin/held/{way}", json={"ids": [hold["id"]]}), 422, "reason")
        refused(served.admin.post(f"/admin/held/{way}", json={"ids": [hold["id"]], "reason": "  "}), 422, "reason")
        refused(served.admin.post(f"/admin/held/{way}", json={"kind": "nosuch", "reason": "r"}), 422, "kind")
        refused(served.admin.post(f"/admin/held/{way}", json={"ids": [0], "reason": "r"}), 422, "ids")
        refused(served.admin.post(f"/admin/held/{way}", json={"ids": [hold["id"]] * 501, "reason": "r"}), 422, "ids")
        refused(served.admin.post(f"/admin/held/999/{way}", json={"reason": "r"}), 404, "no hold 999")
        refused(served.admin.post(f"/admin/held/{hold['id']}/{way}", json={}), 422, "reason")
        assert got(served.admin.post(f"/admin/held/{way}", json={"provider": ["groq"], "reason": "r"}))["data"] == []
    assert everything(database_url) == before


def test_i02_what_holds_nothing_cannot_be_confirmed(served: Served, simulator: Simulator):
    sync(served)
    simulator.add_fault("near", "empty")
    answer = served.admin.post("/admin/model-sync/provider/near")
    assert (answer.status_code, answer.json()["details"]["status"]) == (502, "held")
    (hold,) = held(served)
    assert hold["kind"] == "empty"
    refused(served.admin.post(f"/admin/held/{hold['id']}/confirm", json={"reason": "r"}), 400, "nothing to confirm")
    refused(served.admin.post("/admin/held/confirm", json={"kind": "empty", "reason": "r"}), 400, "nothing to confirm")
    assert held(served) == [hold]
    got(served.admin.post(f"/admin/held/{hold['id']}/reject", json={"reason": "known"}))
    assert held(served) == []


# Pins


def test_i27_a_pin_is_set_listed_and_removed(served: Served, simulator: Simulator):
    sync(served)
    values = {"pricing_prompt": 0.0000005, "context_length": 64000, "metadata.note": "ask first"}
    body = {"provider": "near", "model": BEACON, "values": values, "reason": "our contract", "until": "2099-01-01T00:00:00+02:00"}
    set_ = got(served.admin.post("/admin/pins", json=body))
    listed = got(served.admin.get("/admin/pins"))
    assert (set_, listed["total"]) == (listed, 3)
    pins = {row["field"]: row for row in listed["data"]}
    assert pins["pricing_prompt"] | {"created_at": ""} == {
        "provider": "near",
        "provider_model_id": BEACON,
        "field": "pricing_prompt",
        "value": "0.0000005",
        "beneath": "0.00000085",
        "upstream": "0.00000085",
        "moved": False,
        "author": "ADMIN_API_KEY",
        "reason": "our contract",
        "created_at": "",
        "expires_at": "2098-12-31T22:00:00Z",
    }
    simulator.set_day(1)
    sync(served)
    (moved,) = got(served.admin.get("/admin/pins", params={"moved": "true", "provider": "near"}))["data"]
    assert (moved["field"], moved["beneath"], moved["upstream"], moved["moved"]) == ("pricing_prompt", "0.00000085", "0.0000007", True)
    assert got(served.admin.get("/admin/pins", params={"provider": "groq"}))["total"] == 0
    assert price(served) == "0.0000005"
    away = {"provider": "near", "model": BEACON, "reason": "over"}
    gone = got(served.admin.delete("/admin/pins", params={**away, "field": ["pricing_prompt", "model_name"]}))
    assert gone == {"provider": "near", "provider_model_id": BEACON, "fields": ["pricing_prompt"]}
    assert price(served) == "0.0000007"
    assert got(served.admin.delete("/admin/pins", params=away))["fields"] == ["context_length", "metadata.note"]
    refused(served.admin.delete("/admin/pins", params=away), 404, "Nothing of that is pinned")
    assert [act[0] for act in acts(served)] == ["pin"] * 3 + ["unpin"] * 3


def test_what_no_pin_can_be_is_refused(served: Served, database_url: str):
    sync(served)
    before = everything(database_url)
    good = {"provider": "near", "model": BEACON, "values": {"context_length": 8}, "reason": "r"}
    for wrong, status, words in (
        ({"values": {}}, 422, "values"),
        ({"values": {"nosuch": 1}}, 400, "cannot be set"),
        ({"values": {"context_length": 8, "pricing_prompt": "5"}}, 400, "pricing_prompt cannot have this value"),
        ({"model": "nosuch"}, 404, "nosuch"),
        ({"provider": "groq"}, 404, "groq"),
        ({"provider": "no-such"}, 404, "no-such"),
        ({"reason": ""}, 422, "reason"),
        ({"until": "soon"}, 422, "until"),
        ({"until": "2020-01-01T00:00:00Z"}, 400, "would have expired already"),
        ({"more": 1}, 422, "more"),
    ):
        refused(served.admin.post("/admin/pins", json={**good, **wrong}), status, words)
    refused(served.admin.delete("/admin/pins", params={"provider": "near", "model": BEACON}), 422, "reason")
    assert everything(database_url) == before


def test_i27_a_pin_ends_when_it_was_to_end(served: Served, database_url: str):
    sync(served)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"provider": "near", "model": BEACON, "values": {"pricing_prompt": "0.0000005"}, "reason": "r", "until": until}
    got(served.admin.post("/admin/pins", json=body))
    execute(database_url, "UPDATE pins SET expires_at = '2026-01-01T00:00:00.000000Z'")
    sync(served)
    assert (price(served), got(served.admin.get("/admin/pins"))["total"]) == ("0.00000085", 0)
    assert [(row["actor"], row["reason"]) for row in table(database_url, "audit_log")][-1] == ("sync", "the pin expired")


# Going back


def test_a_provider_goes_back_and_stays_there_until_it_is_thawed(served: Served, simulator: Simulator, database_url: str):
    first = sync(served)["run_id"]
    then = models_of(database_url, "near")
    simulator.set_day(1)
    assert sync(served)["models_updated"] == 1
    done = got(served.admin.post("/admin/rollback", json={"provider": "near", "to": first, "reason": "broken"}))
    assert (done["provider"], done["models"]) == ("near", 2)  # one changed, one came; that one went missing stays for syncs to see
    assert price(served) == "0.00000085"
    now = models_of(database_url, "near")
    assert now["harbor/Beacon-3-FP8"]["status"] == "retired"
    assert {row_id: row["pricing_prompt"] for row_id, row in now.items() if row_id in then} == {
        row_id: row["pricing_prompt"] for row_id, row in then.items()
    }
    frozen = got(served.admin.post("/admin/model-sync/provider/near"))
    assert (frozen["success"], frozen["details"]["status"]) == (False, "disabled")
    assert "rolled back to run 1: broken" in frozen["message"] + str(frozen["details"])
    both = got(served.admin.post("/admin/model-sync/all", params={"providers": ["near", "chutes"]}))
    assert both["success"] is True
    assert models_of(database_url, "near") == now
    (state,) = [row for row in served.admin.get("/admin/model-sync/status").json()["freshness"] if row["provider"] == "near"]
    assert state["frozen_reason"] == "rolled back to run 1: broken"
    assert got(served.admin.post("/admin/thaw", json={"provider": "near", "reason": "fixed"})) == {"provider": "near", "thawed": True}
    sync(served)
    assert price(served) == "0.0000007"
    refused(served.admin.post("/admin/thaw", json={"provider": "near", "reason": "again"}), 409, "near is not paused")
    assert acts(served) == [("rollback", "near to run 1", "broken"), ("thaw", "near", "fixed")]


def test_one_goes_back_only_to_a_run_that_did_something(served: Served, database_url: str):
    sync(served)
    other = sync(served, "chutes")["run_id"]
    before = everything(database_url)
    for body, status, words in (
        ({"provider": "near", "to": other, "reason": "r"}, 404, f"Run {other} committed nothing of near"),
        ({"provider": "near", "to": 999, "reason": "r"}, 404, "Run 999 committed nothing"),
        ({"provider": "groq", "to": 1, "reason": "r"}, 404, "groq"),
        ({"provider": "near", "to": 0, "reason": "r"}, 422, "to"),
        ({"provider": "near", "to": 1}, 422, "reason"),
    ):
        refused(served.admin.post("/admin/rollback", json=body), status, words)
    refused(served.admin.post("/admin/thaw", json={"provider": "nosuch", "reason": "r"}), 404, "nosuch")
    assert everything(database_url) == before


# Reading what happened


def test_one_field_is_explained_and_all_are(served: Served):
    sync(served)
    asked = {"provider": "near", "model": BEACON}
    (one,) = got(served.admin.get("/admin/explain", params={**asked, "field": "pricing_prompt"}))["fields"]
    assert one["field"] == "pricing_prompt"
    assert "850" in str(one)
    assert "0.00000085" in str(one)
    everything_ = got(served.admin.get("/admin/explain", params=asked))["fields"]
    assert {"pricing_prompt", "context_length", "model_name", "is_active"} <= {each["field"] for each in everything_}
    for wrong, status, words in (
        ({"field": "nosuch"}, 400, "There is no such field"),
        ({"model": "nosuch"}, 404, "no such model"),
        ({"provider": "nosuch"}, 404, "Unknown provider: nosuch"),
        ({"more": "1"}, 422, "more"),
    ):
        refused(served.admin.get("/admin/explain", params={**asked, **wrong}), status, words)


def test_i28_the_audit_log_is_filtered(served: Served):
    sync(served)
    for slug in ("a", "b", "c"):
        got(served.admin.post("/providers", json={"slug": slug, "name": slug}), 201)
    whole = got(served.admin.get("/admin/audit"))
    assert ([row["target"] for row in whole["data"]], whole["returned"]) == (["c", "b", "a"], 3)
    last_two = got(served.admin.get("/admin/audit", params={"since": whole["data"][1]["at"]}))
    assert [row["target"] for row in last_two["data"]] == ["c", "b"]
    assert [row["target"] for row in got(served.admin.get("/admin/audit", params={"limit": 1}))["data"]] == ["c"]
    assert got(served.admin.get("/admin/audit", params={"actor": "ADMIN_API_KEY"}))["returned"] == 3
    assert got(served.admin.get("/admin/audit", params={"actor": "nobody"}))["data"] == []
    refused(served.admin.get("/admin/audit", params={"limit": 501}), 422, "limit")


def test_i19_two_times_are_compared_and_one_is_shown(served: Served, simulator: Simulator, database_url: str):
    sync(served)
    (row,) = query(database_url, "SELECT max(changed_at) AS changed_at FROM model_changes")
    between = row["changed_at"].isoformat().replace("+00:00", "Z")
    simulator.set_day(1)
    sync(served)
    found = got(served.admin.get("/admin/diff", params={"before": between}))
    kinds = {(each["kind"], each["provider_model_id"]) for each in found["data"]}
    assert {("added", "harbor/Beacon-3-FP8"), ("updated", BEACON)} <= kinds
    (changed,) = [each["fields"] for each in found["data"] if each["provider_model_id"] == BEACON]
    assert changed["pricing_prompt"] == {"old": "0.00000085", "new": "0.0000007"}
    assert (found["models_before"], found["models_after"], found["total"]) == (5, 6, len(found["data"]))
    then = got(served.admin.get("/admin/as-of", params={"at": between, "is_active": "all"}))
    prices = {each["provider_model_id"]: each["pricing_prompt"] for each in then["data"]}
    assert (then["total"], len(prices), prices[BEACON]) == (5, 5, "0.00000085")
    page = got(served.admin.get("/admin/as-of", params={"at": between, "is_active": "all", "limit": 2, "offset": 4}))
    assert (page["total"], page["returned"]) == (5, 1)
    before_all = got(served.admin.get("/admin/as-of", params={"at": "2020-01-01T00:00:00Z"}))
    assert before_all["data"] == []
    for path, asked, status in (
        ("diff", {"before": "2099-01-01T00:00:00Z"}, 400),
        ("diff", {"before": between, "after": "2020-01-01T00:00:00Z"}, 400),
        ("diff", {}, 422),
        ("diff", {"before": "yesterday"}, 422),
        ("as-of", {"at": "2099-01-01T00:00:00Z"}, 400),
        ("as-of", {}, 422),
        ("as-of", {"at": between, "limit": "501"}, 422),
    ):
        refused(served.admin.get(f"/admin/{path}", params=asked), status)


def test_the_history_of_a_model_is_found_by_its_id(served: Served, simulator: Simulator):
    sync(served)
    simulator.set_day(1)
    sync(served)
    found = got(served.admin.get("/admin/history", params={"provider": "near", "model": BEACON}))
    assert [row["kind"] for row in found["data"]] == ["updated", "added"]
    assert found["data"][0]["fields"]["pricing_prompt"] == {"old": "0.00000085", "new": "0.0000007"}
    assert got(served.admin.get("/admin/changes", params={"kind": "missing"}))["data"][0]["provider_model_id"] == "harbor/elder-1"
