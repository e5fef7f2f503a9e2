"""Decisions as people see and take them back: `held --status`, `reopen`, and a list that somebody rejected, on both faces."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelsync.model.actors import Person
from modelsync.model.model import Model
from modelsync.operations import decisions
from modelsync.planning.policy import Rules
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.api import Served, acts, got, refused, serving
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, seen
from support.sync import everything, execute, models_of, query

ADA = Person("ada", "a slip")
AT_ONCE = Rules(retire_after_hours=0)


def dollars(row_id: str, prompt: Any, **values: Any) -> Model:
    """A model with a price in USD per 1M tokens."""
    return model(row_id, D(prompt) / 1_000_000, **values)


def sync(store: Store, *models: Model) -> None:
    store.commit(lease_for(store), Commit(PROVIDER, listing(*models), seen("d"), AT_ONCE, whole=True), 0.0)


def price(database_url: str) -> Any:
    """USD per 1M tokens."""
    return models_of(database_url, SLUG)["m"]["pricing_prompt"] * 1_000_000


@pytest.fixture
def env(database_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, DATABASE_URL=database_url)


# On the command line


def test_each_hold_shows_what_became_of_it_and_the_command_for_it(database_url: str, tmp_path: Path, env: dict[str, str]):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        sync(store, dollars("m", 1000), dollars("n", 1))  # hold 1
        sync(store, dollars("m", 3000), dollars("n", 1))  # hold 2 in its place
        decisions.decide(store, [2], "reject", ADA)
        sync(store, dollars("m", 3000), dollars("n", 50))  # hold 3
    done = run(tmp_path, "held", env=env)
    assert done.returncode == 4
    assert "3  openrouter  price: n: pricing_prompt $1 → $50" in done.stdout
    assert '\n   modelsync confirm 3 --reason "…"   or   modelsync reject 3 --reason "…"\n' in done.stdout
    assert "3000" not in done.stdout
    done = run(tmp_path, "held", "--status", "rejected", env=env)
    assert done.returncode == 0  # nothing of it waits
    first, who, how = done.stdout.splitlines()
    assert first.startswith("2  openrouter  price, rejected: m: pricing_prompt $1 → $3,000")
    assert who.startswith("   ada rejected it on 20")
    assert who.endswith(" UTC: a slip")
    assert how == '   modelsync reopen 2 --reason "…"'
    done = run(tmp_path, "held", "--status", "superseded", env=env)
    assert done.returncode == 0
    first, what = done.stdout.splitlines()
    assert first.startswith("1  openrouter  price, superseded: m: pricing_prompt $1 → $1,000")
    assert what.endswith(": the provider says something else now")
    assert run(tmp_path, "held", "--status", "all", env=env).returncode == 4
    rows = run_json(tmp_path, "held", "--status", "all", env=env)["held"]
    assert [(row["id"], row["status"], row["over"], len(row["commands"])) for row in rows] == [
        (1, "superseded", [], 0),
        (2, "rejected", [], 1),
        (3, "open", [], 2),
    ]
    assert (rows[1]["resolved_by"], rows[1]["reason"]) == ("ada", "a slip")
    assert run(tmp_path, "held", "--status", "closed", env=env).stdout == "Nothing is closed.\n"
    assert run(tmp_path, "held", "--provider", "groq", "--status", "rejected", env=env).stdout == (
        "Nothing of groq is rejected; without the filters: 1.\n"
    )
    wrong = run(tmp_path, "held", "--status", "done", env=env)
    assert (wrong.returncode, wrong.stderr) == (
        64,
        "modelsync: Unknown status done. Use open, rejected, confirmed, superseded, released, closed or all\n",
    )
    for command in (["held"], ["confirm", "--reason", "r"], ["reject", "--reason", "r"]):
        wrong = run(tmp_path, *command, "--kind", "prices", env=env)
        assert (wrong.returncode, wrong.stderr.partition(" Use ")[0]) == (64, "modelsync: Unknown kind prices.")


def test_a_rejection_says_the_way_back_and_reopen_takes_it(database_url: str, tmp_path: Path, env: dict[str, str]):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))
    done = run(tmp_path, "reject", "1", "--reason", "a slip", env=env)
    assert done.stdout.splitlines()[-1] == 'To take it back: modelsync reopen 1 --reason "…"'
    assert run(tmp_path, "held", env=env).stdout == "Nothing is held. 1 rejected: see `modelsync held --status rejected`.\n"
    done = run(tmp_path, "reopen", "1", "--reason", "it is their price", env=env)
    assert done.returncode == 0
    assert done.stdout.startswith("Open again: 1: openrouter price, m: pricing_prompt $1 → $1,000")
    ways = 'modelsync confirm 1 --reason "…"   or   modelsync reject 1 --reason "…"'
    assert done.stdout.splitlines()[-1] == f"It needs your review. {ways}"
    assert run(tmp_path, "held", env=env).returncode == 4
    confirmed = run(tmp_path, "confirm", "1", "--reason", "they told us", env=env)
    assert confirmed.stdout.splitlines()[-1] == 'To take it back: modelsync reopen 1 --reason "…"'
    assert price(database_url) == 1000
    reopened = run_json(tmp_path, "reopen", "1", "--reason", "they did not", env=env)
    assert (reopened["decision"], [(row["id"], row["status"]) for row in reopened["holds"]]) == ("reopen", [(1, "open")])
    assert price(database_url) == 1
    told = query(database_url, "SELECT action, target, reason FROM audit_log ORDER BY id")
    assert [tuple(row.values()) for row in told] == [
        ("reject hold", "openrouter price 1", "a slip"),
        ("reopen hold", "openrouter price 1", "it is their price"),
        ("confirm hold", "openrouter price 1", "they told us"),
        ("reopen hold", "openrouter price 1", "they did not"),
    ]


def test_many_rejections_tell_three_ways_back_and_the_number_of_the_others(database_url: str, tmp_path: Path, env: dict[str, str]):
    prices = (30, 50, 70, 110, 130)  # no common power of ten: five holds, and no change of unit
    with opened(database_url) as store:
        sync(store, *(dollars(f"m{number}", 1) for number in range(5)))
        sync(store, *(dollars(f"m{number}", usd) for number, usd in enumerate(prices)))
    done = run(tmp_path, "reject", "--kind", "price", "--reason", "a slip", env=env)
    ways = "; ".join(f'modelsync reopen {number} --reason "…"' for number in (1, 2, 3))
    assert done.stdout.splitlines()[-1] == f"To take it back: {ways}, and so for 2 more"


def test_an_absence_that_is_partly_over_says_so(database_url: str, tmp_path: Path, env: dict[str, str]):
    everyone = [dollars(f"m{number:02}", 1) for number in range(20)]
    with opened(database_url) as store:
        sync(store, *everyone)
        sync(store, *everyone[8:])
        decisions.decide(store, [1], "reject", ADA)
        sync(store, *everyone[1:2], *everyone[8:])
    assert "   not about these any more, which are listed again: m01\n" in run(tmp_path, "held", "--status", "rejected", env=env).stdout
    (row,) = run_json(tmp_path, "held", "--status", "rejected", env=env)["held"]
    assert (row["over"], row["kind"]) == (["m01"], "shrink")


def test_what_cannot_be_reopened_is_one_line(database_url: str, tmp_path: Path, env: dict[str, str]):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))  # hold 1
        sync(store, dollars("m", 3000))  # hold 2
    before = everything(database_url)
    for number, words in (("2", "Hold 2 is open: nobody has decided it."), ("1", "Hold 1 was not decided: it is superseded."), ("9", "9")):
        done = run(tmp_path, "reopen", number, "--reason", "r", env=env)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (64, "", 1), done.stderr
        assert words in done.stderr
    assert run(tmp_path, "reopen", "2", env=env).returncode == 64  # no reason
    assert "A reason is needed" in run(tmp_path, "reopen", "2", "--reason", " ", env=env).stderr
    assert everything(database_url) == before


def test_i22_a_superseded_hold_names_the_one_in_its_place(database_url: str, tmp_path: Path, env: dict[str, str]):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1), dollars("o", 1))
        sync(store, dollars("m", 1), dollars("n", 70), dollars("o", 1))  # hold 1, of another model
        sync(store, dollars("m", 30), dollars("n", 70), dollars("o", 1))  # hold 2
        sync(store, dollars("m", 50), dollars("n", 70), dollars("o", 1))  # hold 3 in its place
    before = everything(database_url)
    for way in ("confirm", "reject"):
        done = run(tmp_path, way, "2", "--reason", "r", env=env)
        assert (done.returncode, done.stderr) == (
            64,
            "modelsync: Hold 2 was superseded: the provider says something else now. "
            "Hold 3 took its place; `modelsync held --ids` shows it\n",
        )
    assert everything(database_url) == before
    with opened(database_url) as store:
        decisions.decide(store, [3], "reject", ADA)
    assert "Nothing took its place" in run(tmp_path, "confirm", "2", "--reason", "r", env=env).stderr


# Over HTTP, where nothing of a provider is real but its list


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Served]:
    with serving(tmp_path, database_url, simulator) as found:
        yield found


def listed(simulator: Simulator, prefix: str) -> None:
    """near lists twenty models with these names, from now on."""
    row = copy.deepcopy(simulator.lists("near")["models"][0])
    simulator.set_list("near", "models", [{**row, "modelId": f"{prefix}-{number:02}"} for number in range(20)])


def synced(served: Served, status: int = 200) -> dict[str, Any]:
    body: dict[str, Any] = got(served.admin.post("/admin/model-sync/provider/near"), status)
    return body


def near(database_url: str) -> set[str]:
    return {row_id.rpartition("-")[0] for row_id, row in models_of(database_url, "near").items() if row["status"] == "active"}


def test_a_rejected_list_is_no_failure_over_http(served: Served, simulator: Simulator, database_url: str):
    listed(simulator, "old")
    assert synced(served)["details"]["models_synced"] == 20
    listed(simulator, "new")
    assert synced(served, 502)["success"] is False  # nobody has decided it
    (hold,) = got(served.admin.get("/admin/held"))["data"]
    assert (hold["kind"], len(hold["ids"]), hold["resolved_at"]) == ("other-catalog", 20, None)
    assert hold["commands"] == ['modelsync confirm 1 --reason "…"', 'modelsync reject 1 --reason "…"']
    done = got(served.admin.post("/admin/held/1/reject", json={"reason": "not theirs"}))
    assert done["data"][0]["commands"] == ['modelsync reopen 1 --reason "…"']

    for dry_run in ("false", "true"):
        body = got(served.admin.post("/admin/model-sync/provider/near", params={"dry_run": dry_run}))
        assert (body["success"], body["details"]["status"], body["details"]["models_synced"]) == (True, "held", 0)
        assert body["details"]["errors"] == []
        assert "ADMIN_API_KEY rejected it on 20" in body["message"]
        assert body["message"].endswith('(not theirs); `modelsync reopen 1 --reason "…"` takes that back')
        assert body["message"].startswith("[DRY RUN] near: 20 of 20 ids are new" if dry_run == "true" else "near: 20 of 20 ids are new")
    everybody = got(served.admin.post("/admin/model-sync/all", params={"providers": ["near"]}))
    assert (everybody["success"], everybody["details"]["status"], everybody["details"]["errors"]) == (True, "succeeded", [])
    (result,) = everybody["details"]["results"]
    assert (result["status"], result["models_synced"]) == ("held", 0)
    assert "`modelsync reopen 1" in result["warnings"][-1]
    (row,) = got(served.admin.get(f"/admin/model-sync/runs/{everybody['details']['run_id']}"))["results"]
    assert (row["outcome"], row["error"]) == ("held", None)
    assert got(served.admin.get("/admin/held"))["data"] == []
    (rejected,) = got(served.admin.get("/admin/held", params={"status": "rejected"}))["data"]
    assert (rejected["resolved_by"], rejected["reason"], rejected["over"]) == ("ADMIN_API_KEY", "not theirs", [])
    assert near(database_url) == {"old"}

    reopened = got(served.admin.post("/admin/held/1/reopen", json={"reason": "it is theirs"}))
    assert (reopened["decision"], reopened["data"][0]["status"]) == ("reopen", "open")
    assert synced(served, 502)["success"] is False  # a question again
    got(served.admin.post("/admin/held/1/confirm", json={"reason": "they told us"}))
    assert synced(served)["details"]["models_created"] == 20
    assert "new" in near(database_url)
    assert [action for action, _, _ in acts(served)] == ["reject hold", "reopen hold", "confirm hold"]


def test_a_rejected_list_is_no_failure_on_the_command_line(database_url: str, tmp_path: Path, simulator: Simulator):
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    at_near = ("sync", "--providers", "near")
    listed(simulator, "old")
    assert run(tmp_path, *at_near, env=env).returncode == 0
    listed(simulator, "new")
    assert run(tmp_path, *at_near, env=env).returncode == 4
    assert run(tmp_path, "reject", "1", "--reason", "not theirs", env=env).returncode == 0
    for more in ((), ("--dry-run",)):
        done = run(tmp_path, *at_near, *more, env=env)
        assert done.returncode == 0, done.stdout
        assert "rejected it on 20" in done.stdout
        assert '(not theirs); `modelsync reopen 1 --reason "…"` takes that back' in done.stdout
        assert "1 of 1 providers up to date, 1 rejected" in done.stdout
        assert "near: " in done.stderr
        assert "takes that back" in done.stderr
    shown = run(tmp_path, "runs", "3", env=env).stdout
    assert "a person has rejected this list: see `modelsync held --status rejected`" in " ".join(shown.split())
    status = run(tmp_path, "status", env=env)
    assert status.returncode == 0  # fresh still, and nothing waits
    assert "fresh, list rejected" in status.stdout
    assert "1 rejection stands: see `modelsync held --status rejected`\n  1  near  other-catalog: 20 of 20 ids are new" in status.stdout
    assert "rejected it on 20" in status.stdout
    execute(database_url, "UPDATE provider_state SET last_success_at = '2026-01-01T00:00:00.000000Z'")
    assert run(tmp_path, *at_near, env=env).returncode == 0
    status = run(tmp_path, "status", env=env)
    assert status.returncode == 3  # a rejected list is not fresh for ever
    assert "stale, list rejected" in status.stdout
    document = run_json(tmp_path, "status", env=env)
    assert (document["held"], document["held_by_kind"], document["rejected"]["total"]) == ([], {}, 1)
    (row,) = document["freshness"]
    assert row["refused"].startswith("the list is not applied: ")
    assert row["refused"].endswith('UTC: not theirs; `modelsync reopen 1 --reason "…"` takes that back')
    assert run(tmp_path, "reopen", "1", "--reason", "it is theirs", env=env).returncode == 0
    assert run(tmp_path, *at_near, env=env).returncode == 4
    assert run(tmp_path, "confirm", "1", "--reason", "they told us", env=env).returncode == 0
    assert run(tmp_path, *at_near, env=env).returncode == 0
    assert "new" in near(database_url)


def priced(simulator: Simulator, factor: int) -> None:
    """near's first model at a price that is so many times as high, from now on."""
    first, *others = copy.deepcopy(simulator.lists("near")["models"])
    first["inputCostPerToken"]["amount"] *= factor
    simulator.set_list("near", "models", [first, *others])


def test_what_cannot_be_decided_or_reopened_is_409_400_or_404_over_http(served: Served, simulator: Simulator, database_url: str):
    synced(served)
    priced(simulator, 30)
    synced(served)  # hold 1
    priced(simulator, 2)  # 60 in all
    synced(served)  # hold 2
    why = {"reason": "r"}
    before = everything(database_url)
    for way in ("confirm", "reject"):
        refused(served.admin.post(f"/admin/held/1/{way}", json=why), 409, "Hold 1 was superseded", "Hold 2 took its place")
        refused(served.admin.post(f"/admin/held/{way}", json={"ids": [2, 1], **why}), 409, "Hold 1 was superseded")
        refused(served.admin.post(f"/admin/held/9/{way}", json=why), 404, "no hold 9")
    refused(served.admin.post("/admin/held/1/reopen", json=why), 409, "Hold 1 was not decided: it is superseded")
    refused(served.admin.post("/admin/held/2/reopen", json=why), 400, "Hold 2 is open")
    refused(served.admin.post("/admin/held/9/reopen", json=why), 404, "no hold 9")
    refused(served.admin.post("/admin/held/2/reopen", json={}), 422, "reason")
    refused(served.admin.get("/admin/held", params={"status": "done"}), 422, "status")
    refused(served.client.post("/admin/held/2/reopen", json=why), 401)
    assert everything(database_url) == before
    for status, numbers in (("open", [2]), ("superseded", [1]), ("all", [1, 2]), ("rejected", [])):
        body = got(served.admin.get("/admin/held", params={"status": status}))
        assert ([row["id"] for row in body["data"]], body["total"]) == (numbers, len(numbers))
