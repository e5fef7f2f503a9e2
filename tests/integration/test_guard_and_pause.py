"""How much a provider's syncs may believe by themselves, and the pause that keeps all of them out, on both faces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelsync.api.bodies import GuardLimits
from modelsync.planning.guard import LIMITS
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.api import Served, acts, got, refused, serving
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, seen
from support.sync import everything, models_of, query, table

WHY = {"reason": "they clean up"}
NOTHING = {"shrink_share": None, "shrink_models": None, "price_factor": None, "price_first_sight": None}
SETTINGS = {"shrink_share": 0.2, "shrink_models": 5, "price_factor": "10", "price_first_sight": "0.001"}
"""The defaults of the README."""


@pytest.fixture
def env(database_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, DATABASE_URL=database_url)


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Served]:
    with serving(tmp_path, database_url, simulator) as found:
        yield found


def limits(database_url: str) -> Any:
    (row,) = table(database_url, "provider_state")
    return msgspec.json.decode(row["guard"]) if isinstance(row["guard"], str) else row["guard"]


# The guard


def test_the_guard_of_a_provider_is_set_shown_and_given_back(database_url: str, tmp_path: Path, env: dict[str, str]):
    with opened(database_url):
        pass
    told = ("--shrink", "0.4", "--shrink-models", "10", "--price-factor", "20", "--first-sight", "0.002")
    done = run(tmp_path, "guard", SLUG, *told, "--reason", "they clean up", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    shown = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines()[1:]}
    assert shown == {
        "shrink": ["0.4", SLUG],
        "shrink-models": ["10", SLUG],
        "price-factor": ["20", SLUG],
        "first-sight": ["0.002", SLUG],
    }
    assert limits(database_url) == {"shrink_share": 0.4, "shrink_models": 10, "price_factor": "20", "price_first_sight": "0.002"}
    done = run(tmp_path, "guard", SLUG, "--default", "shrink", "first-sight", "--reason", "they are done", env=env)
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:]] == [
        ["0.2", "settings"],
        ["10", SLUG],
        ["20", SLUG],
        ["0.001", "settings"],
    ]
    document = run_json(tmp_path, "guard", SLUG, env=env)
    assert (document["guard"], document["settings"]) == ({**NOTHING, "shrink_models": 10, "price_factor": "20"}, SETTINGS)
    rows = {row["slug"]: row["guard"] for row in run_json(tmp_path, "providers", env=env)["providers"]}
    assert (rows[SLUG], rows["groq"]) == ({"shrink_models": 10, "price_factor": "20"}, {})
    assert "shrink-models 10, price-factor 20" in run(tmp_path, "providers", env={**env, "COLUMNS": "200"}).stdout
    audit = query(database_url, "SELECT action, target, reason FROM audit_log ORDER BY id")
    assert [(row["action"], row["reason"]) for row in audit] == [("guard", "they clean up"), ("guard", "they are done")]
    assert audit[1]["target"] == "openrouter price_first_sight default, shrink_share default"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--shrink 1.5 --reason r", "--shrink cannot be 1.5. Give a number from 0 to 1"),
        ("--shrink nan --reason r", "--shrink cannot be nan. Give a number from 0 to 1"),
        ("--shrink-models 2.5 --reason r", "--shrink-models cannot be 2.5. Give a whole number from 0 to 1,000,000"),
        ("--price-factor 1 --reason r", "--price-factor cannot be 1. Give a number from 2 to 1,000"),
        ("--price-factor nan --reason r", "--price-factor cannot be nan. Give a number from 2 to 1,000"),
        ("--first-sight 0.1 --reason r", "--first-sight cannot be 0.1. Give a number from 1e-11 to 0.01"),
        ("--default size --reason r", "There is no limit size. The limits are shrink, shrink-models, price-factor, first-sight"),
        ("--shrink 0.3 --default shrink --reason r", "--shrink is set and given back at once. Say one of them"),
        ("--shrink 0.3", "A reason is needed. Others will read it in the audit log"),
        ("--reason r", "Say what to set. For example --shrink 0.4, or --default shrink"),
    ],
)
def test_a_limit_that_cannot_be_is_one_line_and_sets_nothing(tmp_path: Path, arguments: str, told: str):
    env = environment(tmp_path)
    with opened(f"sqlite:///{tmp_path}/modelsync.db"):
        pass
    done = run(tmp_path, "guard", SLUG, *arguments.split(), env=env)
    assert (done.returncode, done.stdout, done.stderr) == (64, "", f"modelsync: {told}\n")
    assert run_json(tmp_path, "guard", SLUG, env=env)["guard"] == NOTHING


def test_a_guard_is_set_and_given_back_over_http(served: Served, database_url: str):
    place = f"/admin/guards/{SLUG}"
    assert got(served.admin.get(place)) == {"provider": SLUG, "guard": NOTHING, "settings": SETTINGS}
    assert got(served.admin.get("/admin/guards")) == {"data": [], "total": 0}
    body = {"shrink_share": 0.4, "shrink_models": 10.0, "price_factor": 20, "price_first_sight": 0.002}
    set_ = got(served.admin.patch(place, json={**body, **WHY}))
    wanted = {"shrink_share": 0.4, "shrink_models": 10, "price_factor": "20", "price_first_sight": "0.002"}
    assert set_ == got(served.admin.get(place)) == {"provider": SLUG, "guard": wanted, "settings": SETTINGS}
    assert limits(database_url) == wanted
    assert got(served.admin.get("/admin/guards")) == {"data": [set_], "total": 1}
    (row,) = got(served.admin.get("/admin/model-sync/status"))["freshness"]
    assert (row["provider"], row["guard"]) == (SLUG, wanted)
    given_back = got(served.admin.patch(place, json={"shrink_share": None, "price_factor": None, **WHY}))
    assert given_back["guard"] == {**NOTHING, "shrink_models": 10, "price_first_sight": "0.002"}
    assert [action for action, _, _ in acts(served)] == ["guard", "guard"]
    before = everything(database_url)
    refused(served.admin.patch(place, json=WHY), 400, "nothing to set")
    refused(served.admin.patch(place, json={"shrink_share": 0.4}), 422, "reason")
    refused(served.admin.patch("/admin/guards/nosuch", json={**body, **WHY}), 404, "Unknown provider")
    refused(served.admin.get("/admin/guards/nosuch"), 404, "Unknown provider")
    refused(served.client.patch(place, json={**body, **WHY}), 401)
    for name, value in (("shrink_share", 1.01), ("shrink_models", 2.5), ("price_factor", 1.9), ("price_first_sight", 0.011)):
        refused(served.admin.patch(place, json={name: value, **WHY}), 422, name)
    assert everything(database_url) == before


def test_both_faces_have_the_ranges_of_the_settings():
    shape = msgspec.json.schema_components((GuardLimits,))[1]["GuardLimits"]["properties"]
    ranges = {
        name: (each["minimum"], each["maximum"]) for name, field in shape.items() for each in field.get("anyOf", ()) if "minimum" in each
    }
    assert ranges == {name: (limit.low, limit.high) for name, limit in LIMITS.items()}


def test_what_the_guard_says_holds_from_the_next_sync_on(database_url: str, tmp_path: Path, env: dict[str, str]):
    def sync(store: Store, prompt: str) -> None:
        store.commit(lease_for(store), Commit(PROVIDER, listing(model("m", D(prompt))), seen("d"), whole=True), 0.0)

    with opened(database_url) as store:
        sync(store, "0.000001")
    assert run(tmp_path, "guard", SLUG, "--price-factor", "20", "--reason", "r", env=env).returncode == 0
    with opened(database_url) as store:
        sync(store, "0.000015")  # fifteen times as much
    assert models_of(database_url, SLUG)["m"]["pricing_prompt"] == D("0.000015")
    assert run(tmp_path, "held", env=env).returncode == 0


# The pause


def test_a_pause_keeps_every_sync_out_until_it_is_resumed(database_url: str, tmp_path: Path, simulator: Simulator):
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    assert run(tmp_path, "sync", "--providers", "near", env=env).returncode == 0
    assert "say --all" in run(tmp_path, "pause", "--reason", "r", env=env).stderr
    assert run(tmp_path, "resume", "--reason", "r", env=env).stderr.startswith("modelsync: Nothing is paused.")
    done = run(tmp_path, "pause", "--all", "--reason", "we move the database", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    again = run(tmp_path, "pause", "--all", "--reason", "me too", env=env)
    assert again.returncode == 64
    assert "Syncs are paused already: " in again.stderr
    assert ': we move the database. `modelsync resume --reason "…"` lets them run again' in again.stderr
    simulator.set_day(1)
    before = everything(database_url)["models"]
    for named in ((), ("--providers", "near")):
        done = run(tmp_path, "sync", *named, env=env)
        assert done.returncode == 1  # nothing was synced
        assert done.stdout.count('we move the database. `modelsync resume --reason "…"` lets everything sync again') == 1, done.stdout
    assert everything(database_url)["models"] == before
    look = run_json(tmp_path, "sync", "--providers", "near", "--dry-run", env=env)
    (planned,) = look["details"]["results"]
    assert planned["warnings"][0].startswith("no sync does this now: paused by ")
    assert (planned["status"], planned["models_missing"], planned["models_synced"]) == ("planned", 1, 0)
    assert everything(database_url)["models"] == before
    status = run(tmp_path, "status", env=env)
    assert status.returncode == 0  # fresh, and nothing waits
    assert status.stdout.splitlines()[1].startswith("Paused by ")
    assert status.stdout.splitlines()[1].endswith(': we move the database; `modelsync resume --reason "…"` lets syncs run again')
    assert run_json(tmp_path, "status", env=env)["pause"]["reason"] == "we move the database"
    assert run(tmp_path, "held", env=env).returncode == 0  # reading goes on
    assert run(tmp_path, "resume", "--reason", "it is moved", env=env).returncode == 0
    assert run(tmp_path, "sync", "--providers", "near", env=env).returncode in (0, 4)
    assert run_json(tmp_path, "status", env=env)["pause"] is None
    assert everything(database_url)["models"] != before


def test_a_pause_over_http(served: Served, database_url: str):
    def sync(path: str, status: int = 200) -> Any:
        return got(served.admin.post(f"/admin/model-sync/{path}"), status)

    assert sync("provider/near")["success"] is True
    assert got(served.admin.get("/admin/model-sync/status"))["pause"] is None
    refused(served.admin.post("/admin/resume", json=WHY), 409, "Nothing is paused")
    refused(served.client.post("/admin/pause", json=WHY), 401)
    refused(served.admin.post("/admin/pause", json={}), 422, "reason")
    assert got(served.admin.post("/admin/pause", json={"reason": "we move"})) == {"paused": True}
    refused(served.admin.post("/admin/pause", json=WHY), 409, "paused already")
    told = sync("provider/near")
    assert (told["success"], told["details"]["status"]) == (False, "disabled")
    assert told["message"] == 'near: paused by ADMIN_API_KEY, we move. `modelsync resume --reason "…"` lets everything sync again'
    assert sync("all?providers=near", 502)["success"] is False
    pause = got(served.admin.get("/admin/model-sync/status"))["pause"]
    assert (pause["actor"], pause["reason"]) == ("ADMIN_API_KEY", "we move")
    assert "modelsync_paused 1.0\n" in served.client.get("/metrics").text
    assert got(served.admin.post("/admin/resume", json=WHY)) == {"paused": False}
    assert "modelsync_paused 0.0\n" in served.client.get("/metrics").text
    assert sync("provider/near")["success"] is True
    assert [action for action, _, _ in acts(served)] == ["pause", "resume"]
